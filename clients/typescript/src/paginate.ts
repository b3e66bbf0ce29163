import type { CallOptions, Operation, PathWith, Success } from "./types.js";

/** The member of a response that has the items of a list. */
export const LISTS = {
  "/api/sessions": "sessions",
  "/api/chats": "chats",
  "/api/chats/{chatId}/messages": "messages",
  "/api/chats/{chatId}/export": "messages",
  "/api/events": "events",
  "/api/keys": "keys",
  "/api/templates": "templates",
  "/api/webhooks/{webhookId}/attempts": "attempts",
} as const satisfies Record<ListPath, string>;

/** The paths of lists that have pages. */
export type ListPath = {
  [P in PathWith<"get">]: "nextCursor" extends MemberOf<Success<Operation<P, "get">>> ? P : never;
}[PathWith<"get">];

type MemberOf<T> = [T] extends [never] ? never : string extends keyof T ? never : keyof T;

/** An item of a list. */
export type Item<P extends ListPath> =
  Success<Operation<P, "get">> extends Record<(typeof LISTS)[P], readonly (infer T)[]> ? T : never;

/** The options of a list: those of a page. A `cursor` in the query is where the list begins. */
export type ListOptions<P extends ListPath> = Omit<CallOptions<Operation<P, "get">, "json">, "parseAs">;

/** Returns the items of a list. Requests a page when the items of the previous one were read. */
export type Paginate = <P extends ListPath>(
  path: P,
  ...options: {} extends ListOptions<P> ? [options?: ListOptions<P>] : [options: ListOptions<P>]
) => AsyncGenerator<Item<P>, void, undefined>;

/** The options of a page, without the types of its list. */
export interface PageOptions {
  params?: { query?: Record<string, unknown> };
}

/** Requests a page of a list. */
export type GetPage = (path: ListPath, options: PageOptions) => Promise<Record<string, unknown>>;

export async function* paginate(getPage: GetPage, path: ListPath, options: PageOptions = {}): AsyncGenerator<unknown> {
  const query = { ...options.params?.query };
  for (;;) {
    const page = await getPage(path, { ...options, params: { ...options.params, query } });
    yield* page[LISTS[path]] as unknown[];
    if (page["nextCursor"] === null) return;
    query["cursor"] = page["nextCursor"];
  }
}

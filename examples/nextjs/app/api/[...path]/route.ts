import { currentUser } from "@/lib/current-user";
import { qasidUrl, userKey } from "@/lib/user-key";

/** The requests of the pages. `*` is an ID. */
const ALLOWED = new Set([
  "POST session/create",
  "GET session/status",
  "GET qr",
  "GET chats",
  "GET chats/*",
  "GET chats/*/messages",
  "POST chats/*/read",
  "POST messages/send",
  "GET media/*",
  "GET changes",
]);
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Forwards a request of a page to Qasid, with the key of the signed-in user. */
async function forward(request: Request, { params }: { params: Promise<{ path: string[] }> }): Promise<Response> {
  const site = request.headers.get("sec-fetch-site") ?? "same-origin";
  if (site !== "same-origin" && site !== "none") return refuse(403, "cross_site", "The request is from another site.");
  const user = await currentUser();
  if (user === null) return refuse(401, "signed_out", "Sign in first.");
  const { path } = await params;
  const route = `${request.method} ${path.map((segment) => (ID.test(segment) ? "*" : segment)).join("/")}`;
  if (!ALLOWED.has(route)) return refuse(404, "path_not_found", "This app doesn't forward this request.");
  try {
    const headers = copy(request.headers, ["content-type", "idempotency-key"]);
    headers.set("authorization", `Bearer ${await userKey(user.id)}`);
    const url = new URL(`/api/${path.join("/")}${new URL(request.url).search}`, qasidUrl());
    const body = request.method === "POST" ? await request.arrayBuffer() : null;
    // The browser follows the redirect to a file, without the key.
    const init = { method: request.method, headers, body, cache: "no-store", redirect: "manual" } as const;
    const response = await fetch(url, init);
    const names = ["content-type", "cache-control", "location", "retry-after", "x-request-id"];
    const answered = copy(response.headers, names);
    return new Response(response.body, { status: response.status, headers: answered });
  } catch (error) {
    console.error("Qasid could not be called:", error);
    return refuse(502, "unavailable", "The messages can't be reached at the moment.");
  }
}

function copy(headers: Headers, names: string[]): Headers {
  return new Headers(names.flatMap((name) => (headers.has(name) ? [[name, headers.get(name) ?? ""]] : [])));
}

/** Returns an error in the shape of Qasid's. */
function refuse(status: number, code: string, error: string): Response {
  return Response.json({ error, code, requestId: null }, { status, headers: { "cache-control": "no-store" } });
}

export { forward as GET, forward as POST };

import createFetchClient from "openapi-fetch";

import { errorOf, QasidError, unexpected } from "./error.js";
import { paginate, type GetPage, type PageOptions, type Paginate } from "./paginate.js";
import { subscribe, type Change, type GetChanges, type SubscribeOptions, type Subscription } from "./subscribe.js";
import { createTransport, type TransportOptions } from "./transport.js";
import type { Call, Method, Operation, Result, Success } from "./types.js";

export type ClientOptions = TransportOptions & {
  /**
   * The URL of the API, such as `https://abc.execute-api.eu-west-1.amazonaws.com`. In a browser, an empty string is the
   * page's own origin.
   */
  baseUrl: string;
};

export interface UploadOptions {
  /** The name that the contact sees of a document. Default: the `name` of a `File`. */
  fileName?: string;
  signal?: AbortSignal;
}

/** A client of the Qasid API. */
export interface Client {
  GET: Call<"get">;
  /** `POST /api/messages/send` gets an `Idempotency-Key`, unless you set one. Its repetitions have the same one. */
  POST: Call<"post">;
  PUT: Call<"put">;
  PATCH: Call<"patch">;
  DELETE: Call<"delete">;
  /**
   * Uploads a file to send, of the type and size of the `Blob`. Returns its ID: `image: { media: id }`. Repeats the
   * upload after a failure that may pass, until its URL expires.
   */
  uploadMedia: (sessionId: string, file: Blob, options?: UploadOptions) => Promise<string>;
  /** Returns the items of a list, page after page. */
  paginate: Paginate;
  /**
   * Follows the changes of a session: requests them every 2 seconds, in a hidden tab every 15 seconds. Calls `onChange`
   * for each change in order, and waits for it. A change can be repeated, with the same `id`.
   *
   * @returns a function that stops the subscription
   */
  subscribe: (
    subscription: Subscription,
    onChange: (change: Change) => void | Promise<void>,
    options?: SubscribeOptions,
  ) => () => void;
}

export function createClient(options: ClientOptions): Client {
  const { baseUrl } = options;
  if (typeof baseUrl !== "string") throw new TypeError("baseUrl must be a string");
  const transport = createTransport(options);
  const client = createFetchClient<Record<string, Record<Method, object>>>({ baseUrl });

  /** Calls an operation. The types of its options and its result are those of `Client`. */
  async function call(
    method: Method,
    path: string,
    options: object | undefined,
    send = transport.retrying,
  ): Promise<Result<unknown>> {
    const isSend = method === "post" && path === "/api/messages/send";
    let last: Response | undefined;
    const fetch = async (request: Request): Promise<Response> => {
      if (isSend && !request.headers.has("idempotency-key")) request.headers.set("idempotency-key", randomKey());
      last = await send(request);
      return last;
    };
    try {
      const { data, error, response } = await client.request(method, path, { ...options, fetch });
      if (response.ok) return { data, response };
      throw errorOf(response, error);
    } catch (error) {
      if (error instanceof SyntaxError && last) throw unexpected("The response isn't JSON", last, { cause: error });
      throw error;
    }
  }

  const bind = <M extends Method>(method: M) => ((path, options) => call(method, path, options)) as Call<M>;
  async function uploadMedia(sessionId: string, file: Blob, options: UploadOptions = {}): Promise<string> {
    const { fileName = "name" in file ? String(file.name) : null, signal } = options;
    const body = { sessionId, mimeType: file.type, size: file.size, fileName };
    const { data } = await call("post", "/api/media", { body, signal });
    const { media, upload } = data as Success<Operation<"/api/media", "post">>;
    const { url, method, headers } = upload;
    const request = new Request(url, { method, headers, ...(signal === undefined ? {} : { signal }) });
    const response = await transport.upload(request, file);
    if (!response.ok) throw await refusedUpload(response);
    return media.id;
  }
  const getPage: GetPage = async (path, options) => (await call("get", path, options)).data as Record<string, unknown>;
  const getChanges: GetChanges = async (sessionId, after, signal) => {
    const query = { sessionId, ...(after === null ? {} : { after }) };
    const { data } = await call("get", "/api/changes", { params: { query }, signal }, transport.once);
    return data as Success<Operation<"/api/changes", "get">>;
  };
  return {
    GET: bind("get"),
    POST: bind("post"),
    PUT: bind("put"),
    PATCH: bind("patch"),
    DELETE: bind("delete"),
    uploadMedia,
    paginate: ((path, options) => paginate(getPage, path, options as PageOptions | undefined)) as Paginate,
    subscribe: (subscription, onChange, options) => subscribe(getChanges, subscription, onChange, options),
  };
}

/** Returns the error for a response of the bucket, which has its code in XML. */
async function refusedUpload(response: Response): Promise<QasidError> {
  const { status } = response;
  const code = /<Code>(\w+)<\/Code>/.exec(await response.text())?.[1];
  const reason = code ?? `status ${status}`;
  return new QasidError(`The bucket refused the file: ${reason}`, { status, code: "upload_refused" });
}

/** Returns a random key. `crypto.randomUUID` is missing in browsers on pages without TLS. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

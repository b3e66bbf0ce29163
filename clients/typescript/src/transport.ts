import { QasidError, retryAfterOf } from "./error.js";

/** The credential of requests: none, an API key, or a function that returns a key or token. */
export type Credential =
  { key?: never; getToken?: never } | { key: string } | { getToken: () => string | Promise<string> };

export type TransportOptions = Credential & {
  /** Sends the requests. Default: `fetch`. */
  fetch?: (request: Request) => Promise<Response>;
  /** Milliseconds until an attempt fails. Default: 35,000, because API Gateway answers within 30 seconds. */
  timeout?: number;
  /** How many times a request that is safe to repeat is repeated. Default: 3. */
  retries?: number;
  /** Milliseconds from the first attempt until the last one fails. Default: 60,000. */
  totalTimeout?: number;
};

export interface Transport {
  /** Sends a request once. */
  once(request: Request): Promise<Response>;
  /** Sends a request, and repeats it after a failure that may pass, if a repetition is safe. */
  retrying(request: Request): Promise<Response>;
  /** Sends a file to an upload URL, likewise, until the URL expires. The URL is the only credential. */
  upload(request: Request, file: Blob): Promise<Response>;
}

/** The delay before the first retry, and the longest one without `Retry-After`, in milliseconds. */
const BACKOFF = { first: 500, max: 8_000 };

/** How long an upload URL is valid, in milliseconds. */
const UPLOAD_LIFETIME = 15 * 60_000;

/** Statuses of failures that may pass. */
const TRANSIENT = new Set([429, 500, 502, 503, 504]);

/** Methods of requests that have the same effect once and twice. */
const REPEATABLE = new Set(["GET", "HEAD", "PUT", "DELETE"]);

/** Statuses of responses that can't have a body. */
const BODILESS = new Set([101, 204, 205, 304]);

export function createTransport(options: TransportOptions): Transport {
  const { timeout = 35_000, retries = 3, totalTimeout = 60_000 } = options;
  const send = options.fetch ?? ((request: Request) => fetch(request));
  const authorization = credentialOf(options);

  /** Sends a request once. Reads the whole response, so that a connection that breaks is a failure of the attempt. */
  async function attempt(request: Request, limit: number, file?: Blob): Promise<Response> {
    const { signal } = request;
    signal.throwIfAborted();
    const headers = new Headers(request.headers);
    const value = file === undefined ? await authorization() : null;
    if (value !== null) headers.set("authorization", value);

    const controller = new AbortController();
    const abort = () => controller.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const timer = setTimeout(() => controller.abort(), limit);
    try {
      // The body can be sent once, so each attempt sends a copy.
      const init = { headers, signal: controller.signal, ...(file === undefined ? {} : { body: file }) };
      const response = await send(new Request(request.clone(), init));
      const body = await response.arrayBuffer();
      const { status, statusText } = response;
      return new Response(BODILESS.has(status) ? null : body, { status, statusText, headers: response.headers });
    } catch (cause) {
      signal.throwIfAborted();
      const { pathname } = new URL(request.url);
      const what = file === undefined ? `${request.method} ${pathname}` : "The upload";
      throw controller.signal.aborted
        ? new QasidError(`${what}: no response within ${limit} ms`, { status: 0, code: "timeout", cause })
        : new QasidError(`${what}: no response`, { status: 0, code: "network_error", cause });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  async function retrying(request: Request, limits = { timeout, totalTimeout }, file?: Blob): Promise<Response> {
    const deadline = Date.now() + limits.totalTimeout;
    const isRepeatable = REPEATABLE.has(request.method) || request.headers.has("idempotency-key");
    for (let retry = 0; ; retry += 1) {
      const limit = Math.min(limits.timeout, deadline - Date.now());
      const result = await attempt(request, limit, file).catch((error: unknown) => {
        if (error instanceof QasidError) return error;
        throw error;
      });
      const isFailure = result instanceof QasidError;
      // Over the rate limit, API Gateway refuses a request before anything happens.
      const isSafe = isRepeatable || result.status === 429;
      if ((isFailure || TRANSIENT.has(result.status)) && isSafe && retry < retries) {
        const delay = delayOf(retry, isFailure ? null : retryAfterOf(result));
        if (Date.now() + delay < deadline) {
          await sleep(delay, request.signal);
          continue;
        }
      }
      if (isFailure) throw result;
      return result;
    }
  }

  return {
    once: (request) => attempt(request, timeout),
    retrying: (request) => retrying(request),
    upload: (request, file) => retrying(request, { timeout: UPLOAD_LIFETIME, totalTimeout: UPLOAD_LIFETIME }, file),
  };
}

/** Returns a function that returns the value of the header `Authorization`. */
function credentialOf(options: Credential): () => Promise<string | null> {
  if ("key" in options) {
    const value = bearer(options.key, "key");
    return () => Promise.resolve(value);
  }
  const { getToken } = options;
  if (getToken === undefined) return () => Promise.resolve(null);
  return async () => {
    try {
      return bearer(await getToken(), "The result of getToken");
    } catch (cause) {
      throw new QasidError("getToken returned no credential", { status: 0, code: "no_credential", cause });
    }
  };
}

/** Refuses a credential that no header can have, without showing it. */
function bearer(value: unknown, name: string): string {
  if (typeof value !== "string" || !/^[\x21-\x7e]+$/.test(value)) {
    throw new TypeError(`${name} must be a string of printable ASCII characters without spaces`);
  }
  return `Bearer ${value}`;
}

/** Returns the milliseconds before a retry, partly random, so that clients don't retry together. */
function delayOf(retry: number, retryAfter: number | null): number {
  const backoff = Math.min(BACKOFF.first * 2 ** retry, BACKOFF.max) * (0.5 + Math.random() / 2);
  return retryAfter === null ? backoff : retryAfter * 1000 + Math.random() * BACKOFF.first;
}

/** Waits, unless the signal is aborted. */
function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
  });
}

// Requests to the API, the credential of the user, and the feed of changes.

import { t } from "./strings/app.js";

/** @typedef {import("./types").Caller} Caller */
/** @typedef {import("./types").Change} Change */

const KEY = "qasid.key";
const PHONE = "qasid.phone";

/** The storage of this tab. Absent if the browser forbids it; then a reload signs out. */
export const storage = (() => {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
})();

/** @type {string | null} */
let key = storage?.getItem(KEY) ?? null;
/** @type {string | null} */
let phone = storage?.getItem(PHONE) ?? null;
/** @type {() => void} */
let refused = () => {};

/** Takes the key and the phone's address from the fragment, which never leaves the browser, and removes them from it.
 * Returns whether there were any. */
export function takeFragment() {
  const fragment = location.hash.slice(1);
  if (!/(^|&)(key|phone)=/.test(fragment)) return false;
  const parameters = new URLSearchParams(fragment);
  if (parameters.get("key")) setKey(parameters.get("key"));
  // Only a local run has a simulated phone.
  const address = parameters.get("phone");
  if (address && /^http:\/\/(127\.0\.0\.1|localhost|\[::1\]):\d+\/phone$/.test(address)) {
    phone = address;
    storage?.setItem(PHONE, address);
  }
  history.replaceState(null, "", `${location.pathname}#/`);
  return true;
}

/** Sets the credential: an API key, or a token of the identity provider. `null` signs out.
 * @param {string | null} value */
export function setKey(value) {
  key = value;
  if (value) {
    storage?.setItem(KEY, value);
  } else {
    storage?.removeItem(KEY);
  }
}

/** Returns whether there is a credential. */
export function hasKey() {
  return key !== null;
}

/** Returns whether a caller has a scope. @param {Caller} caller @param {string} scope */
export const hasScope = (caller, scope) => caller.is_admin || caller.scopes.includes(scope);

/** Returns the address of the simulated phone; `null` except on a local run. */
export function phoneAddress() {
  return phone;
}

/** Calls `callback` when the API refuses the credential.
 * @param {() => void} callback */
export function onRefused(callback) {
  refused = callback;
}

/** An error response, or no response. */
export class ApiError extends Error {
  /**
   * @param {number} status the HTTP status; 0 without a response
   * @param {string} code the stable code: `unauthenticated` and `too_many_requests` for API Gateway's own responses,
   *   `offline` without a response
   * @param {string} message
   * @param {string | null} requestId
   */
  constructor(status, code, message, requestId) {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }
}

/** @param {Response} response @param {any} body */
function errorOf(response, body) {
  const requestId = body?.requestId ?? response.headers.get("x-request-id") ?? response.headers.get("apigw-requestid");
  if (body?.code) return new ApiError(response.status, body.code, body.error, requestId);
  // API Gateway answers `{"message"}`. Any other answer is that of a proxy.
  const code = body?.message ? { 401: "unauthenticated", 403: "unauthenticated", 429: "too_many_requests" }[response.status] : null;
  const text = code === "unauthenticated" ? t("signedOut") : code ? t("tooManyRequests") : t("unavailable", { status: String(response.status) });
  return new ApiError(response.status, code ?? "unavailable", text, requestId);
}

/** API Gateway answers within 30 seconds. A connection that was lost during a sleep never does. */
const TIMEOUT = 60_000;

/**
 * Sends a request and returns the JSON of the response, or the text of an SVG.
 *
 * @param {"GET" | "POST" | "PUT" | "PATCH" | "DELETE"} method
 * @param {string} path such as `/api/chats`
 * @param {{query?: Record<string, string | number | boolean | null | undefined>, body?: unknown, idempotencyKey?: string,
 *   signal?: AbortSignal}} [options]
 * @returns {Promise<any>}
 * @throws {ApiError}
 */
export async function call(method, path, { query = {}, body, idempotencyKey, signal } = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const parameters = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  const credential = key;
  // No header can have it, for example after a copy with "…" in the middle.
  if (!credential || !/^[\x21-\x7e]+$/.test(credential)) {
    refused();
    throw new ApiError(401, "unauthenticated", t("signedOut"), null);
  }
  /** @type {Record<string, string>} */
  const headers = { authorization: `Bearer ${credential}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (idempotencyKey) headers["idempotency-key"] = idempotencyKey;
  const timeout = AbortSignal.timeout(TIMEOUT);
  let response;
  let content = null;
  try {
    response = await fetch(parameters ? `${path}?${parameters}` : path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
    });
    const text = await response.text();
    const type = response.headers.get("content-type") ?? "";
    if (type.includes("json")) content = JSON.parse(text);
    if (type.startsWith("image/svg")) content = text;
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "offline", t("unreachable"), null);
  }
  if (response.ok) return content;
  const error = errorOf(response, content);
  // The user may have signed in with another credential since.
  if (error.code === "unauthenticated" && credential === key) refused();
  throw error;
}

/** @param {string} path @param {Record<string, any>} [query] @param {AbortSignal} [signal] */
export const get = (path, query, signal) => call("GET", path, { query, signal });
/** @param {string} path @param {unknown} [body] @param {{idempotencyKey?: string, query?: Record<string, any>}} [options] */
export const post = (path, body, options) => call("POST", path, { body, ...options });

/** Returns a `curl` command for a request, without the credential.
 * @param {string} method @param {string} path @param {unknown} [body] */
export function curl(method, path, body) {
  const quoted = (/** @type {string} */ text) => `'${text.replaceAll("'", `'\\''`)}'`;
  const parts = [`curl -X ${method} ${quoted(location.origin + path)} -H "Authorization: Bearer $KEY"`];
  if (body !== undefined) parts.push(`-H 'content-type: application/json' -d ${quoted(JSON.stringify(body))}`);
  return parts.join(" \\\n  ");
}

/** Milliseconds between requests for changes. */
const POLL = { visible: 2_000, hidden: 15_000, failed: 30_000 };

/**
 * Follows the changes of a session until the returned function is called.
 *
 * @param {string} sessionId
 * @param {{after?: number, onChanges: (changes: Change[]) => void, onReload: () => void,
 *   onStatus?: (status: "live" | "offline", next?: number) => void}} options `after`: the number to continue from, else from
 *   now on; `onReload`: changes were missed, so everything must be read again; `next`: the number after the next changes
 * @returns {() => void} stops
 */
export function subscribe(sessionId, { after: start, onChanges, onReload, onStatus = () => {} }) {
  const abort = new AbortController();
  /** @type {number | null} */
  let after = start ?? null;
  let failures = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let isPolling = false;

  async function poll() {
    clearTimeout(timer);
    if (isPolling || abort.signal.aborted) return;
    isPolling = true;
    let more = false;
    try {
      const feed = await get("/api/changes", { sessionId, after, limit: 100 }, abort.signal);
      after = feed.next;
      more = feed.more;
      failures = 0;
      onStatus("live", feed.next);
      if (feed.changes.length > 0) onChanges(feed.changes);
    } catch (error) {
      if (abort.signal.aborted) return;
      if (error instanceof ApiError && (error.status === 410 || error.code === "invalid_query") && after !== null) {
        after = null;
        more = true;
        onReload();
      } else {
        failures += 1;
        onStatus("offline");
      }
    } finally {
      isPolling = false;
    }
    const interval = document.hidden ? POLL.hidden : POLL.visible;
    timer = setTimeout(poll, more ? 0 : Math.min(interval * 2 ** failures, POLL.failed));
  }

  const onVisible = () => {
    if (!document.hidden) void poll();
  };
  document.addEventListener("visibilitychange", onVisible);
  window.addEventListener("online", onVisible);
  void poll();
  return () => {
    abort.abort();
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", onVisible);
    window.removeEventListener("online", onVisible);
  };
}

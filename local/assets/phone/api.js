// Requests to the control API of the simulated WhatsApp.

import { useCallback, useEffect, useState } from "preact/hooks";
import { t } from "./strings.js";

/** @typedef {import("./types.d.ts").Phone} Phone */
/** @typedef {import("./types.d.ts").Message} Message */
/** @typedef {import("./types.d.ts").Page} Page */

/** How long a request waits for a change of the phone, in seconds. */
const WAIT = 30;

/** The simulator refused a request. The message says why. */
class ControlError extends Error {}

/**
 * Sends a request to `/simulator/<path>` and returns its JSON.
 *
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function call(method, path, body, signal) {
  /** @type {RequestInit} */
  const request = { method, signal };
  if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers = { "content-type": "application/json" };
  }
  return json(await reach(`/simulator/${path}`, request));
}

/** @param {string} url @param {RequestInit} request @returns {Promise<Response>} */
async function reach(url, request) {
  try {
    return await fetch(url, request);
  } catch {
    throw new ControlError(t("unreachable"));
  }
}

/** Stores a file that a customer can send, and returns its ID.
 * @param {Blob} file @param {string} phoneNumberId @param {string} [fileName] @returns {Promise<string>} */
export async function upload(file, phoneNumberId, fileName) {
  const query = new URLSearchParams({ phoneNumberId });
  if (fileName) query.set("fileName", fileName);
  const headers = { "content-type": file.type || "application/octet-stream" };
  const stored = await json(await reach(`/simulator/media?${query}`, { method: "POST", body: file, headers }));
  return stored.id;
}

/** @param {Response} response @returns {Promise<any>} */
async function json(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new ControlError(body.error ?? `HTTP ${response.status}`);
  return body;
}

/** The path of a phone. @param {string} key */
export const phonePath = (key) => `phones/${encodeURIComponent(key)}`;

/** The number of a phone, or its user ID if the number is unknown. @param {Phone} phone */
export const keyOf = (phone) => phone.number ?? phone.userId;

/** @typedef {{key: string, messages: Message[], phone: Phone | null, isConnected: boolean}} Feed */

/**
 * Returns the messages of a phone in the order of the conversation, and keeps them up to date.
 *
 * @param {string} key
 * @returns {[Feed, (phone: Phone) => void]} The feed, and a function that replaces the phone after its settings changed.
 */
export function useFeed(key) {
  /** @type {Feed} */
  const empty = { key, messages: [], phone: null, isConnected: true };
  const [feed, setFeed] = useState(empty);
  useEffect(() => {
    const abort = new AbortController();
    setFeed(empty);
    if (!key) return undefined;
    follow(key, abort.signal, (change) => setFeed((feed) => (feed.key === key ? { ...feed, ...change } : feed)));
    return () => abort.abort();
  }, [key]);
  const setPhone = useCallback((/** @type {Phone} */ phone) => setFeed((feed) => ({ ...feed, phone })), []);
  return [feed.key === key ? feed : empty, setPhone];
}

/** Reports changes of a phone until `signal`.
 * @param {string} key @param {AbortSignal} signal @param {(change: Partial<Feed>) => void} report */
async function follow(key, signal, report) {
  /** @type {Map<string, Message>} */
  let messages = new Map();
  let cursor = 0;
  let wait = 0;
  let failures = 0;
  while (!signal.aborted) {
    try {
      /** @type {Page} */
      const page = await call("GET", `${phonePath(key)}/messages?after=${cursor}&wait=${wait}`, undefined, signal);
      const isNewRun = failures > 0 || page.cursor < cursor;
      if (isNewRun && cursor > 0) {
        // Another run of the simulator counts its changes from the start.
        [messages, cursor, wait, failures] = [new Map(), 0, 0, 0];
        continue;
      }
      for (const message of page.messages) messages.set(message.id, message);
      const ordered = [...messages.values()].sort((a, b) => a.position - b.position);
      report({ messages: ordered, phone: page.phone, isConnected: true });
      [cursor, wait, failures] = [page.cursor, page.more ? 0 : WAIT, 0];
    } catch {
      if (signal.aborted) return;
      failures += 1;
      wait = 0;
      report({ isConnected: false });
      await pause(Math.min(500 * 2 ** failures, 5_000), signal);
    }
  }
}

/** @param {number} milliseconds @param {AbortSignal} signal @returns {Promise<void>} */
function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

// Requests to the API and to the simulated WhatsApp, for what isn't done with the pages.

import { setTimeout } from "node:timers/promises";
import { settings } from "./report.mjs";

const { ready } = settings;
/** The longest wait for a condition, in milliseconds. */
const TIMEOUT = 10_000;

async function call(url, body, headers = {}, method = body === undefined ? "GET" : "POST") {
  const response = await fetch(url, {
    method,
    headers: { "content-type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${url} responded ${response.status}: ${await response.text()}`);
  return response.json();
}

/** Calls the API: `GET`, or `POST` with a body. */
export function api(path, body) {
  return call(`${ready.api}/api/${path}`, body, { authorization: `Bearer ${ready.apiKey}` });
}

/** Returns the address of the console with a new key of an owner, which has every scope but `admin`. */
export async function addressOf(ownerId) {
  const scopes = ["sessions", "messages:send", "messages:read", "chats:write", "rules", "webhooks"];
  const { secret } = await api("keys", { name: "Agent", ownerId, scopes });
  return ready.console.replace(ready.apiKey, secret);
}

/** Calls the control API of the simulated WhatsApp: by default `GET`, or `POST` with a body. */
export function simulator(path, body, method) {
  return call(`${ready.whatsapp}/simulator/${path}`, body, {}, method);
}

/** Calls the Graph API of the simulated WhatsApp as the business, with `POST`. */
export function graph(path, body) {
  return call(`${ready.whatsapp}/${path}`, body, { authorization: `Bearer ${ready.accessToken}` });
}

/** Calls `read` until it returns something other than `undefined`, which it returns. */
export async function until(read, timeout = TIMEOUT) {
  const deadline = Date.now() + timeout;
  for (;;) {
    const result = await read();
    if (result !== undefined) return result;
    if (Date.now() > deadline) throw new Error(`waited ${timeout} ms for: ${read}`);
    await setTimeout(100);
  }
}

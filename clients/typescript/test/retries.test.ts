import { QasidError } from "@qasid/client";
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Deployment, fakeClock, hang, json, lostConnection, realClock, SESSION, settled, status } from "./fake.js";

const me = () => json({ success: true, caller: { key_id: "token" } });
const sent = () => json({ success: true, chat: {}, message: {} });
const SEND = { body: { sessionId: SESSION, to: "+201001234567", message: "Welcome" } };

beforeEach(fakeClock);
afterEach(realClock);

test("reads are repeated after failures that may pass, with growing pauses", async () => {
  const deployment = new Deployment(status(500), status(503), lostConnection, me);
  const { data } = await settled(deployment.client().GET("/api/me"));
  assert.equal(data.caller.key_id, "token");
  assert.deepEqual(deployment.pauses, [500, 1000, 2000]);
});

test("the number of retries is limited", async () => {
  const deployment = new Deployment(status(503));
  const error = await failure(deployment.client().GET("/api/me"));
  assert.equal(error.status, 503);
  assert.equal(deployment.requests.length, 4);
  await failure(deployment.client({ retries: 0 }).GET("/api/me"));
  assert.equal(deployment.requests.length, 5);
});

test("a retry waits for Retry-After, in seconds or as a date", async () => {
  const later = new Date(Date.now() + 10_500 + 9_000).toUTCString();
  const deployment = new Deployment(status(503, { "retry-after": "10" }), status(429, { "retry-after": later }), me);
  await settled(deployment.client().GET("/api/me"));
  assert.deepEqual(deployment.pauses, [10_500, 9_500]);
});

test("no retry begins after the total timeout", async () => {
  const deployment = new Deployment(status(503, { "retry-after": "50" }));
  const error = await failure(deployment.client().GET("/api/me"));
  assert.equal(error.retryAfter, 50);
  assert.deepEqual(deployment.pauses, [50_500]);
  const impatient = new Deployment(status(503, { "retry-after": "50" }));
  await failure(impatient.client({ totalTimeout: 5_000 }).GET("/api/me"));
  assert.equal(impatient.requests.length, 1);
});

test("attempts and pauses together end with the total timeout", async () => {
  const deployment = new Deployment(hang);
  const began = Date.now();
  const error = await failure(deployment.client().GET("/api/me"));
  assert.equal(error.code, "timeout");
  assert.equal(Date.now() - began, 60_000);
  assert.deepEqual(deployment.pauses, [35_500]);
});

test("errors that a repetition can't help are final", async () => {
  for (const code of [400, 401, 403, 404, 409, 410, 413, 424]) {
    const deployment = new Deployment(status(code));
    await failure(deployment.client().GET("/api/me"));
    assert.equal(deployment.requests.length, 1, `${code}`);
  }
});

test("all attempts of a send have one idempotency key, and each send has its own", async () => {
  const deployment = new Deployment(status(503), lostConnection, sent);
  const client = deployment.client();
  await settled(client.POST("/api/messages/send", SEND));
  await settled(client.POST("/api/messages/send", SEND));
  const keys = deployment.requests.map(({ headers }) => headers.get("idempotency-key"));
  assert.equal(keys.length, 4);
  assert.match(keys[0] ?? "", /^[0-9a-f]{32}$/);
  assert.deepEqual(keys.slice(0, 3), [keys[0], keys[0], keys[0]]);
  assert.notEqual(keys[3], keys[0]);
  assert.deepEqual(
    deployment.requests.map(({ body }) => JSON.parse(body)),
    Array(4).fill(SEND.body),
  );
});

test("the caller's idempotency key is kept", async () => {
  const deployment = new Deployment(status(503), sent);
  const params = { header: { "Idempotency-Key": "order-17" } };
  await settled(deployment.client().POST("/api/messages/send", { ...SEND, params }));
  assert.deepEqual(
    deployment.requests.map(({ headers }) => headers.get("idempotency-key")),
    ["order-17", "order-17"],
  );
});

test("a request that may have had its effect isn't repeated", async () => {
  const params = { path: { chatId: SESSION } };
  for (const response of [status(503), lostConnection]) {
    const deployment = new Deployment(response);
    await failure(deployment.client().PATCH("/api/chats/{chatId}", { params, body: { status: "RESOLVED" } }));
    await failure(deployment.client().POST("/api/keys", { body: { name: "a", scopes: ["admin"] } }));
    assert.equal(deployment.requests.length, 2);
    assert.equal(deployment.requests[1]?.headers.get("idempotency-key"), null);
  }
});

test("a request over the rate limit is always repeated, because nothing happened", async () => {
  const deployment = new Deployment(status(429), () => json({ success: true, key: {}, secret: "qk_1" }));
  await settled(deployment.client().POST("/api/keys", { body: { name: "a", scopes: ["admin"] } }));
  assert.equal(deployment.requests.length, 2);
});

test("a connection that breaks in the response is a failure of the attempt", async () => {
  const broken = (): Response =>
    new Response(new ReadableStream({ pull: (controller) => controller.error(new TypeError("terminated")) }));
  const deployment = new Deployment(broken, me);
  await settled(deployment.client().GET("/api/me"));
  assert.equal(deployment.requests.length, 2);
});

test("the caller's signal ends a request and the pause before a retry, with its reason", async () => {
  for (const response of [hang, status(503)]) {
    const deployment = new Deployment(response);
    const controller = new AbortController();
    const call = deployment.client().GET("/api/me", { signal: controller.signal });
    const reason = new Error("changed my mind");
    setTimeout(() => controller.abort(reason), 100);
    await assert.rejects(settled(call, 50), reason);
    assert.equal(deployment.requests.length, 1);
  }
  const deployment = new Deployment(me);
  await assert.rejects(deployment.client().GET("/api/me", { signal: AbortSignal.abort() }), { name: "AbortError" });
  assert.equal(deployment.requests.length, 0);
});

test("each attempt has a fresh token", async () => {
  const deployment = new Deployment(status(503), me);
  const tokens = ["first", "second"];
  await settled(deployment.client({ getToken: () => Promise.resolve(tokens.shift() ?? "") }).GET("/api/me"));
  assert.deepEqual(
    deployment.requests.map(({ headers }) => headers.get("authorization")),
    ["Bearer first", "Bearer second"],
  );
});

async function failure(promise: Promise<unknown>): Promise<QasidError> {
  const error = await settled(promise).then(
    () => assert.fail("it succeeded"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof QasidError, String(error));
  return error;
}

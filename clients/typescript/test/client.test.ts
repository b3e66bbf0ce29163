import { createClient, QasidError } from "@qasid/client";
import assert from "node:assert/strict";
import { test } from "node:test";

import { Deployment, json, lostConnection, SESSION } from "./fake.js";

const query = { sessionId: SESSION };
const chats = (ids: readonly string[], nextCursor: string | null) => () =>
  json({ success: true, chats: ids.map((id) => ({ id })), nextCursor });

/** Calls a deployment that answers with a response, and returns the error. */
async function errorFor(response: (request: Request) => Response): Promise<QasidError> {
  const client = new Deployment(response).client({ retries: 0 });
  return client.GET("/api/me").then(
    () => assert.fail("it succeeded"),
    (error: unknown) => (error instanceof QasidError ? error : assert.fail(String(error))),
  );
}

const details = ({ message, status, code, requestId, retryAfter }: QasidError) => ({
  message,
  status,
  code,
  requestId,
  retryAfter,
});

test("an error of Qasid has its sentence, code, request ID, and Retry-After", async () => {
  const body = { error: "The service is temporarily unavailable", code: "unavailable", requestId: "6J07iOImQbeZQ9w=" };
  const error = await errorFor(() => json(body, { status: 503, headers: { "retry-after": "2" } }));
  assert.deepEqual(details(error), {
    message: "The service is temporarily unavailable",
    status: 503,
    code: "unavailable",
    requestId: "6J07iOImQbeZQ9w=",
    retryAfter: 2,
  });
  assert.equal(error.name, "QasidError");
});

test("an error of API Gateway has its message and a code", async () => {
  const gateway = [
    [401, "Unauthorized", "unauthenticated"],
    [403, "Forbidden", "forbidden"],
    [413, "Request Entity Too Large", "body_too_large"],
    [429, "Too Many Requests", "too_many_requests"],
    [500, "Internal Server Error", "internal_error"],
    [503, "Service Unavailable", "unavailable"],
  ] as const;
  for (const [status, message, code] of gateway) {
    const headers = { "apigw-requestid": "M7CMgGR1uRqBew0=" };
    const error = await errorFor(() => json({ message }, { status, headers }));
    assert.deepEqual(details(error), { message, status, code, requestId: "M7CMgGR1uRqBew0=", retryAfter: null });
  }
});

test("a response that isn't one of Qasid is named", async () => {
  const page = (status: number) => () => new Response("<html>", { status, headers: { "content-type": "text/html" } });
  for (const status of [200, 404, 502]) {
    const error = await errorFor(page(status));
    assert.deepEqual([error.status, error.code], [status, "unexpected_response"]);
    assert.match(error.message, /Check baseUrl/);
  }
  for (const body of [null, "text", 17, [], { error: 1, code: 2, message: 3 }]) {
    const error = await errorFor(() => json(body, { status: 403 }));
    assert.deepEqual([error.status, error.code, error.requestId], [403, "unexpected_response", null]);
  }
});

test("no response is an error with the request and the cause, but without the query", async () => {
  const client = new Deployment(lostConnection).client({ retries: 0 });
  await assert.rejects(client.GET("/api/session/status", { params: { query } }), (error: QasidError) => {
    assert.deepEqual([error.status, error.code, error.requestId], [0, "network_error", null]);
    assert.equal(error.message, "GET /api/session/status: no response");
    assert.match(String(error.cause), /fetch failed/);
    return true;
  });
});

test("a request has its parameters, body, credential, and headers", async () => {
  const deployment = new Deployment(() => json({ success: true, chat: {} }));
  const client = deployment.client({ baseUrl: "https://qasid.example/" });
  await client.PATCH("/api/chats/{chatId}", {
    params: { path: { chatId: "a/b c" } },
    body: { name: "Mona" },
    headers: { "x-trace": "1" },
  });
  const [request] = deployment.requests;
  assert.equal(request?.method, "PATCH");
  assert.equal(request?.url.href, "https://qasid.example/api/chats/a%2Fb%20c");
  assert.equal(request?.body, '{"name":"Mona"}');
  assert.equal(request?.headers.get("authorization"), "Bearer qk_test");
  assert.equal(request?.headers.get("content-type"), "application/json");
  assert.equal(request?.headers.get("x-trace"), "1");
});

test("a client without a credential sends none", async () => {
  const deployment = new Deployment(() => json({ success: true, caller: {} }));
  await createClient({ baseUrl: "https://qasid.example", fetch: deployment.fetch }).GET("/api/me");
  assert.equal(deployment.requests[0]?.headers.get("authorization"), null);
});

test("a credential that no header can have is refused, and not shown", async () => {
  const baseUrl = "https://qasid.example";
  for (const key of [undefined, null, "", "qk_secret\n", "qk_secret…", "qk_secret secret"]) {
    assert.throws(
      () => createClient({ baseUrl, key: key as string }),
      (error: Error) => {
        assert.ok(error instanceof TypeError);
        return !error.message.includes("secret");
      },
    );
  }
  assert.throws(() => createClient({ baseUrl: undefined as never }), TypeError);
  const deployment = new Deployment(() => json({}));
  for (const getToken of [() => "", () => Promise.reject(new Error("signed out")), () => undefined as never]) {
    const error: unknown = await deployment
      .client({ getToken })
      .GET("/api/me")
      .catch((error: unknown) => error);
    assert.ok(error instanceof QasidError);
    assert.equal(error.code, "no_credential");
  }
  assert.equal(deployment.requests.length, 0);
});

test("other bodies than JSON can be read", async () => {
  const png = Uint8Array.from([137, 80, 78, 71]);
  const deployment = new Deployment(() => new Response(png, { headers: { "content-type": "image/png" } }));
  const params = { query: { ...query, format: "image" } } as const;
  const { data, response } = await deployment.client().GET("/api/qr", { params, parseAs: "arrayBuffer" });
  assert.deepEqual(new Uint8Array(data), png);
  assert.equal(response.headers.get("content-type"), "image/png");
});

test("a list is read page after page, with the same filters", async () => {
  const deployment = new Deployment(chats(["1", "2"], "c1"), chats([], "c2"), chats(["3"], null));
  const ids = [];
  const params = { query: { ...query, status: "INBOX", limit: 2 } } as const;
  for await (const chat of deployment.client().paginate("/api/chats", { params })) ids.push(chat.id);
  assert.deepEqual(ids, ["1", "2", "3"]);
  const requested = deployment.requests.map(({ url }) => Object.fromEntries(url.searchParams));
  const filters = { sessionId: SESSION, status: "INBOX", limit: "2" };
  assert.deepEqual(requested, [filters, { ...filters, cursor: "c1" }, { ...filters, cursor: "c2" }]);
});

test("a page is requested when it is needed", async () => {
  const deployment = new Deployment(chats(["1", "2"], "c1"), chats(["3"], null));
  const list = deployment.client().paginate("/api/chats", { params: { query: { ...query, cursor: "c0" } } });
  assert.equal(deployment.requests.length, 0);
  for await (const chat of list) if (chat.id === "2") break;
  assert.equal(deployment.requests.length, 1);
  assert.equal(deployment.requests[0]?.url.searchParams.get("cursor"), "c0");
});

test("an error ends a list", async () => {
  const deployment = new Deployment(chats(["1"], "c1"), () =>
    json({ error: "Invalid cursor", code: "invalid_cursor", requestId: "r1" }, { status: 400 }),
  );
  const ids: string[] = [];
  await assert.rejects(
    async () => {
      for await (const chat of deployment.client().paginate("/api/chats", { params: { query } })) ids.push(chat.id);
    },
    { code: "invalid_cursor" },
  );
  assert.deepEqual(ids, ["1"]);
});

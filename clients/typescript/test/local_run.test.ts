// Calls a local run, whose ready file's content is in `QASID_READY`.

import { createClient, QasidError, verifyMetaSignature, verifyWebhook } from "@qasid/client";
import type { Change, components, WebhookEvent } from "@qasid/client";
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";

import { Feed, Receiver } from "./live.js";

const CUSTOMER = "201001234567";
const OTHER_CUSTOMER = "201001234568";

const ready = process.env["QASID_READY"];

suite("against a local run", { skip: ready === undefined && "QASID_READY isn't set" }, () => {
  const { api, apiKey, whatsapp } = JSON.parse(ready ?? "{}") as { api: string; apiKey: string; whatsapp: string };
  const client = createClient({ baseUrl: api ?? "", key: apiKey ?? "qk_" });
  const changes = new Feed<Change>();
  let sessionId = "";
  let chatId = "";
  let stop = (): void => {};

  /** Calls a control of the simulated WhatsApp. */
  async function simulator(control: string, body: unknown): Promise<unknown> {
    const response = await fetch(`${whatsapp}/simulator/${control}`, { method: "POST", body: JSON.stringify(body) });
    assert.ok(response.ok, await response.clone().text());
    return response.json();
  }

  async function failure(call: Promise<unknown>): Promise<QasidError> {
    const error: unknown = await call.then(
      () => assert.fail("it succeeded"),
      (error: unknown) => error,
    );
    return error instanceof QasidError ? error : assert.fail(String(error));
  }

  before(async () => {
    // The number stays reserved for its owner, so that the tests can run again against the same deployment.
    const { data } = await client.POST("/api/session/create", { body: { userId: "typescript" } });
    sessionId = data.session.id;
    const { data: position } = await client.GET("/api/changes", { params: { query: { sessionId } } });
    stop = client.subscribe({ sessionId, after: position.next }, (change) => changes.add(change));
  });

  after(async () => {
    stop();
    if (sessionId !== "") await client.DELETE("/api/session", { params: { query: { sessionId } } });
  });

  test("a session is connected by its QR code", async () => {
    const query = { sessionId };
    const { data: status } = await client.GET("/api/session/status", { params: { query } });
    assert.equal(status.session.is_connected, false);

    const image = await client.GET("/api/qr", {
      params: { query: { ...query, format: "image" } },
      parseAs: "arrayBuffer",
    });
    assert.equal(Buffer.from(image.data).toString("latin1", 1, 4), "PNG");
    const { data: dataUrl } = await client.GET("/api/qr", { params: { query: { ...query, format: "dataurl" } } });
    assert.ok("qr_image" in dataUrl && dataUrl.qr_image.startsWith("data:image/png;base64,"), JSON.stringify(dataUrl));

    const { data: code } = await client.GET("/api/qr", { params: { query } });
    assert.ok("qr" in code && code.qr !== null, JSON.stringify(code));
    await simulator("scan", { qr: code.qr, from: "201009999999" });
    const connected = await changes.find((change) => change.type === "session.connected");
    assert.ok(connected.type === "session.connected" && connected.session?.is_ready);

    const settings = await client.PATCH("/api/session", { body: { sessionId, defaultCountry: "EG" } });
    assert.equal(settings.data.session.default_country, "EG");
    assert.equal(
      (await client.POST("/api/session/resume", { body: { sessionId } })).data.message,
      "Session was not paused",
    );
  });

  test("a message of a customer arrives as a change and in the lists", async () => {
    await simulator("messages", { from: CUSTOMER, name: "Mona", text: "Do you deliver?" });
    await simulator("messages", { from: OTHER_CUSTOMER, name: "Ali", text: "Hello" });
    const received = await changes.find(
      (change) => change.type === "message.received" && change.message?.body === "Do you deliver?",
    );
    assert.ok(received.type === "message.received");
    assert.equal(received.chat?.name, "Mona");
    chatId = received.chat.id;
    await changes.find((change) => change.type === "message.received" && change.message?.body === "Hello");

    const names = [];
    const params = { query: { sessionId, limit: 1 } };
    for await (const chat of client.paginate("/api/chats", { params })) names.push(chat.name);
    assert.deepEqual(names.sort(), ["Ali", "Mona"]);
    const { data } = await client.GET("/api/chats", { params: { query: { sessionId, phone: `+${CUSTOMER}` } } });
    assert.deepEqual(
      data.chats.map(({ id }) => id),
      [chatId],
    );
  });

  test("a message is pending first, and `is_sent` turns true", async () => {
    const body = { sessionId, to: CUSTOMER, message: "Yes, until ten.", reference: "order-17" };
    const { data } = await client.POST("/api/messages/send", { body });
    assert.equal(data.message.is_sent, false);
    assert.equal(data.message.reference, "order-17");
    assert.equal(data.chat.id, chatId);
    const sent = await changes.find(
      (change) => change.type === "message.sent" && change.message_id === data.message.id,
    );
    assert.ok(sent.type === "message.sent" && sent.message?.is_sent);

    const params = { path: { messageId: data.message.id } };
    const { data: details } = await client.GET("/api/messages/{messageId}", { params });
    assert.ok(details.message !== null);
    assert.equal(details.message.is_sent, true);
    assert.equal(details.message.attempts[0]?.outcome, "accepted");

    const bodies = [];
    const path = { chatId };
    const ascending = { path, query: { limit: 1, order: "asc" } } as const;
    for await (const message of client.paginate("/api/chats/{chatId}/messages", { params: ascending })) {
      bodies.push(message.body);
    }
    assert.deepEqual(bodies, ["Do you deliver?", "Yes, until ten."]);
    const exported = [];
    for await (const message of client.paginate("/api/chats/{chatId}/export", { params: { path } })) {
      exported.push(message.id);
    }
    assert.equal(exported.length, 2);
  });

  test("every documented shape of a message can be sent", async () => {
    const send = "/api/messages/send";
    const to = CUSTOMER;
    const image = { link: "https://example.com/sofa.png", caption: "This one" };
    await client.POST(send, { body: { sessionId, to, type: "image", image } });
    await client.POST(send, {
      body: { sessionId, to, type: "text", text: { body: "https://example.com", preview_url: true } },
    });
    await client.POST(send, {
      body: { sessionId, to, type: "location", location: { latitude: 30.04, longitude: 31.24 } },
    });
    const reply = { id: "yes", title: "Yes" };
    await client.POST(send, {
      body: {
        sessionId,
        to,
        type: "interactive",
        interactive: { type: "button", body: { text: "Tomorrow?" }, action: { buttons: [{ type: "reply", reply }] } },
      },
    });
    const template = { name: "hello_world", language: { code: "en_US" } };
    await client.POST(send, { body: { sessionId, to, type: "template", template, priority: "bulk" } });
  });

  test("a file is uploaded, sent, and read", async () => {
    const content = Buffer.from("%PDF-1.7 an offer");
    const file = new File([content], "Offer.pdf", { type: "application/pdf" });
    const media = await client.uploadMedia(sessionId, file);
    const { data } = await client.POST("/api/messages/send", {
      body: { sessionId, to: CUSTOMER, type: "document", document: { media } },
    });
    const sent = await changes.find(
      (change) => change.type === "message.sent" && change.message_id === data.message.id,
    );
    assert.ok(sent.type === "message.sent" && sent.message?.media);
    const { id, state, file_name, size, url } = sent.message.media;
    assert.deepEqual([id, state, file_name, size], [media, "stored", "Offer.pdf", content.length]);
    assert.deepEqual(Buffer.from(await (await fetch(url ?? "")).arrayBuffer()), content);
    const params = { path: { mediaId: media } };
    const redirected = await client.GET("/api/media/{mediaId}", { params, parseAs: "arrayBuffer" });
    assert.deepEqual(Buffer.from(redirected.data), content);

    const script = new Blob(["<svg/>"], { type: "image/svg+xml" });
    const error = await failure(client.uploadMedia(sessionId, script));
    assert.deepEqual([error.status, error.code], [400, "media_type_not_sendable"]);
  });

  test("a file of a customer is stored", async () => {
    const content = Buffer.from("\x89PNG\r\n\x1a\n an image", "latin1");
    const image = { data: content.toString("base64"), mime_type: "image/png" };
    await simulator("messages", { from: CUSTOMER, type: "image", image });
    const change = await changes.find((change) => change.type === "message.media");
    assert.ok(change.type === "message.media");
    assert.deepEqual([change.message?.media?.state, change.message?.media?.mime_type], ["stored", "image/png"]);
  });

  test("a send whose response was lost is repeated and sends one message", async () => {
    let attempts = 0;
    const flaky = createClient({
      baseUrl: api,
      key: apiKey,
      fetch: async (request) => {
        const response = await fetch(request);
        attempts += 1;
        if (attempts === 1) throw new TypeError("terminated");
        return response;
      },
    });
    const { data } = await flaky.POST("/api/messages/send", { body: { sessionId, to: CUSTOMER, message: "Once" } });
    assert.equal(attempts, 2);
    const bodies = [];
    const params = { path: { chatId } };
    for await (const { id, body } of client.paginate("/api/chats/{chatId}/messages", { params })) {
      if (body === "Once") bodies.push(id);
    }
    assert.deepEqual(bodies, [data.message.id]);
  });

  test("an idempotency key belongs to one message", async () => {
    const params = { header: { "Idempotency-Key": "order-18" } };
    const first = await client.POST("/api/messages/send", {
      params,
      body: { sessionId, to: CUSTOMER, message: "Ready" },
    });
    const again = await client.POST("/api/messages/send", {
      params,
      body: { sessionId, to: CUSTOMER, message: "Ready" },
    });
    assert.equal(again.data.message.id, first.data.message.id);
    const error = await failure(
      client.POST("/api/messages/send", { params, body: { sessionId, to: CUSTOMER, message: "Late" } }),
    );
    assert.deepEqual([error.status, error.code], [409, "idempotency_key_reused"]);
  });

  test("a chat is changed, read, and typed in", async () => {
    const params = { path: { chatId } };
    const { data } = await client.PATCH("/api/chats/{chatId}", {
      params,
      body: { status: "PENDING", name: "Mona Ali" },
    });
    assert.deepEqual([data.chat.status, data.chat.name], ["PENDING", "Mona Ali"]);
    assert.equal((await client.POST("/api/chats/{chatId}/read", { params })).data.chat.unread_count, 0);
    assert.equal((await client.POST("/api/chats/{chatId}/typing", { params })).data.typing_indicator, "sent");
  });

  test("auto-replies are managed", async () => {
    const query = { sessionId };
    const rule: components["schemas"]["AutoReplyRequest"] = {
      name: "Prices",
      trigger: { type: "keyword", match: "contains", keywords: ["price"] },
      reply: { message: "See our list" },
    };
    const { data } = await client.POST("/api/auto-replies", { params: { query }, body: rule });
    const params = { path: { ruleId: data.rule.id } };
    const { data: changed } = await client.PUT("/api/auto-replies/{ruleId}", {
      params,
      body: { ...rule, priority: 7 },
    });
    assert.equal(changed.rule.priority, 7);
    const body = { sessionId, text: "What is the price?" };
    const { data: dryRun } = await client.POST("/api/auto-replies/dry-run", { body });
    assert.equal(dryRun.reply?.rule_id, data.rule.id);
    assert.equal((await client.GET("/api/auto-replies", { params: { query } })).data.rules.length, 1);
    await client.DELETE("/api/auto-replies/{ruleId}", { params });
    const error = await failure(client.GET("/api/auto-replies/{ruleId}", { params }));
    assert.deepEqual([error.status, error.code], [404, "auto_reply_not_found"]);
  });

  test("webhooks are verified", async (context) => {
    const receiver = await Receiver.start();
    context.after(() => receiver.stop());
    const { data } = await client.POST("/api/webhooks", { body: { sessionId, url: `${receiver.url}/qasid` } });
    const path = { webhookId: data.webhook.id };
    const verified = new Feed<WebhookEvent>();
    let secrets = [data.secret];
    receiver.on("/qasid", async ({ headers, body }) => verified.add(await verifyWebhook(headers, body, secrets)));

    const { data: result } = await client.POST("/api/webhooks/{webhookId}/test", { params: { path } });
    assert.equal(result.attempt.delivered, true, JSON.stringify(result.attempt));
    const event = await verified.find(({ type }) => type === "webhook.test");
    assert.ok(event.type === "webhook.test" && event.data.webhook_id === path.webhookId);

    await simulator("messages", { from: CUSTOMER, name: "Mona", text: "هل توصلون؟ 👋" });
    const received = await verified.find(
      (event) => event.type === "message.received" && event.data.message?.body === "هل توصلون؟ 👋",
    );
    assert.equal(received.data.chat_id, chatId);

    // After a rotation, both secrets sign; afterwards, the receiver knows the new one only.
    const { data: rotated } = await client.POST("/api/webhooks/{webhookId}/secret", {
      params: { path },
      body: { graceSeconds: 60 },
    });
    assert.notEqual(rotated.secret, data.secret);
    for (const known of [[data.secret], [rotated.secret], [rotated.secret, data.secret]]) {
      secrets = known;
      const { data } = await client.POST("/api/webhooks/{webhookId}/test", { params: { path } });
      assert.equal(data.attempt.delivered, true, JSON.stringify(data.attempt));
    }
    secrets = ["whsec_c2VjcmV0IG9mIGFub3RoZXIgd2ViaG9vaw=="];
    const { data: refused } = await client.POST("/api/webhooks/{webhookId}/test", { params: { path } });
    assert.equal(refused.attempt.status, 401);

    const attempts = [];
    for await (const attempt of client.paginate("/api/webhooks/{webhookId}/attempts", { params: { path } }))
      attempts.push(attempt);
    assert.deepEqual(attempts, []);
    const { data: list } = await client.GET("/api/webhooks", { params: { query: { sessionId } } });
    assert.deepEqual(
      list.webhooks.map(({ id }) => id),
      [path.webhookId],
    );
    await client.DELETE("/api/webhooks/{webhookId}", { params: { path } });
  });

  test("webhooks in Meta's format are verified with Meta's signature", async (context) => {
    const receiver = await Receiver.start();
    context.after(() => receiver.stop());
    const { data } = await client.POST("/api/webhooks", {
      body: { sessionId, url: `${receiver.url}/bot`, format: "cloud_api", verifyToken: "verify-me" },
    });
    const results = new Feed<boolean>();
    receiver.on("/bot", async ({ headers, body }) => {
      const signature = headers["x-hub-signature-256"];
      assert.ok(typeof signature === "string");
      results.add(await verifyMetaSignature(body, signature, data.secret));
      await verifyWebhook(headers, body, data.secret);
    });
    const params = { path: { webhookId: data.webhook.id } };
    const { data: result } = await client.POST("/api/webhooks/{webhookId}/test", { params });
    assert.equal(result.attempt.delivered, true, JSON.stringify(result.attempt));
    assert.equal(await results.find(() => true), true);
    await client.DELETE("/api/webhooks/{webhookId}", { params });
  });

  test("keys, numbers, templates, events, statistics, and health are read", async () => {
    const query = { sessionId };
    const { data: me } = await client.GET("/api/me");
    assert.equal(me.caller.is_admin, true);
    const expiresAt = new Date(Date.now() + 60_000).toISOString();
    const { data } = await client.POST("/api/keys", {
      body: { name: "a", ownerId: "ada", scopes: ["sessions"], expiresAt },
    });
    const ids = [];
    for await (const key of client.paginate("/api/keys", { params: { query: { limit: 1 } } })) ids.push(key.id);
    assert.ok(ids.includes(data.key.id));

    const limited = createClient({ baseUrl: api, getToken: () => Promise.resolve(data.secret) });
    const error = await failure(limited.GET("/api/chats", { params: { query } }));
    assert.deepEqual([error.status, error.code], [403, "missing_scope"]);
    assert.match(error.message, /messages:read/);
    assert.ok(error.requestId);
    await client.DELETE("/api/keys/{keyId}", { params: { path: { keyId: data.key.id } } });

    assert.ok(Array.isArray((await client.GET("/api/numbers")).data.numbers));
    const templates = [];
    for await (const template of client.paginate("/api/templates", { params: { query } }))
      templates.push(template.name);
    assert.ok(templates.includes("hello_world"));
    for await (const event of client.paginate("/api/events", { params: { query } })) assert.ok(event.id);
    const { data: stats } = await client.GET("/api/stats", { params: { query } });
    assert.equal(typeof stats.total.received, "number");
    const { data: health } = await client.GET("/api/health", { params: { query } });
    assert.ok(health.checks.some(({ check, ok }) => check === "connection" && ok === true));
  });

  test("errors of API Gateway and of Qasid are mapped", async () => {
    const params = { query: { sessionId: "117b233c-fcee-5c30-b5f9-00032fb4b9ea" } };
    const missing = await failure(createClient({ baseUrl: api }).GET("/api/me"));
    assert.deepEqual([missing.status, missing.code, missing.message], [401, "unauthenticated", "Unauthorized"]);
    const unknown = await failure(createClient({ baseUrl: api, key: "qk_unknown" }).GET("/api/me"));
    assert.deepEqual([unknown.status, unknown.code, unknown.message], [403, "forbidden", "Forbidden"]);
    const other = await failure(client.GET("/api/session/status", { params }));
    assert.deepEqual([other.status, other.code, other.message], [404, "session_not_found", "Session not found"]);
    assert.ok(other.requestId);
    const url = new URL(api);
    url.port = "1";
    const offline = await failure(createClient({ baseUrl: url.origin, key: apiKey, retries: 0 }).GET("/api/me"));
    assert.deepEqual([offline.status, offline.code], [0, "network_error"]);
  });

  test("a chat is erased", async () => {
    const params = { path: { chatId } };
    const { data, response } = await client.DELETE("/api/chats/{chatId}", { params });
    assert.equal(response.status, data.erasure.complete ? 200 : 202);
    const error = await failure(client.GET("/api/chats/{chatId}", { params }));
    assert.equal(error.code, "chat_not_found");
    await changes.find((change) => change.type === "chat.erased" && change.chat_id === chatId);
  });
});

import { QasidError } from "@qasid/client";
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Deployment, fakeClock, json, lostConnection, realClock, SESSION, settled, status } from "./fake.js";

const MEDIA = "01a21bc2-d8f3-7d11-a1c4-0f6b3f1f6a52";
const BUCKET = "https://bucket.example/up/1?X-Amz-Signature=1";

beforeEach(fakeClock);
afterEach(realClock);

const announced = (): Response =>
  json({
    success: true,
    media: { id: MEDIA, state: "awaiting_upload" },
    upload: { method: "PUT", url: BUCKET, headers: { "content-type": "application/pdf" }, expires_at: "" },
  });

const stored = (): Response => new Response(null, { status: 200 });

const file = new File(["%PDF-1.7"], "Offer.pdf", { type: "application/pdf; charset=binary" });

test("a file is announced, and uploaded without the credential", async () => {
  const deployment = new Deployment(announced, stored);
  assert.equal(await deployment.client().uploadMedia(SESSION, file), MEDIA);
  const [announcement, upload] = deployment.requests;
  assert.equal(announcement?.headers.get("authorization"), "Bearer qk_test");
  assert.deepEqual(JSON.parse(announcement?.body ?? ""), {
    sessionId: SESSION,
    mimeType: "application/pdf; charset=binary",
    size: 8,
    fileName: "Offer.pdf",
  });
  assert.deepEqual([upload?.method, upload?.url.href, upload?.body], ["PUT", BUCKET, "%PDF-1.7"]);
  assert.equal(upload?.headers.get("authorization"), null);
  assert.equal(upload?.headers.get("content-type"), "application/pdf");
});

test("the name is that of the options, or of the file", async () => {
  for (const [blob, options, name] of [
    [file, { fileName: "Yours.pdf" }, "Yours.pdf"],
    [new Blob(["%PDF-1.7"], { type: "application/pdf" }), {}, null],
  ] as const) {
    const deployment = new Deployment(announced, stored);
    await deployment.client().uploadMedia(SESSION, blob, options);
    assert.equal(JSON.parse(deployment.requests[0]?.body ?? "").fileName, name);
  }
});

test("an upload is repeated with the whole file, also for longer than a call", async () => {
  const deployment = new Deployment(announced, lostConnection, status(503, { "retry-after": "120" }), stored);
  assert.equal(await settled(deployment.client().uploadMedia(SESSION, file), 1_000), MEDIA);
  assert.deepEqual(
    deployment.requests.slice(1).map(({ body }) => body),
    ["%PDF-1.7", "%PDF-1.7", "%PDF-1.7"],
  );
});

test("a file that isn't accepted is an error, and isn't uploaded", async () => {
  const body = { error: "size is too large", code: "media_too_large", requestId: "r1" };
  const deployment = new Deployment(() => json(body, { status: 400 }));
  await assert.rejects(deployment.client().uploadMedia(SESSION, file), { code: "media_too_large" });
  assert.equal(deployment.requests.length, 1);
});

test("a refusal of the bucket is an error with its code", async () => {
  for (const [body, message] of [
    ["<Error><Code>AccessDenied</Code></Error>", "The bucket refused the file: AccessDenied"],
    ["", "The bucket refused the file: status 403"],
  ] as const) {
    const deployment = new Deployment(announced, () => new Response(body, { status: 403 }));
    await assert.rejects(deployment.client().uploadMedia(SESSION, file), (error: QasidError) => {
      assert.deepEqual([error.status, error.code, error.message], [403, "upload_refused", message]);
      return true;
    });
  }
});

test("an aborted upload rejects with the reason", async () => {
  const controller = new AbortController();
  const deployment = new Deployment(announced, () => {
    controller.abort(new Error("closed"));
    return lostConnection();
  });
  const { signal } = controller;
  await assert.rejects(deployment.client().uploadMedia(SESSION, file, { signal }), { message: "closed" });
  assert.equal(deployment.requests.length, 2);
});

import { verifyMetaSignature, verifyWebhook, WebhookError, type WebhookErrorCode } from "@qasid/client";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { afterEach, beforeEach, mock, test } from "node:test";

// The example of the Standard Webhooks specification's libraries.
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const TIMESTAMP = 1614265330;
const BODY = '{"test": 2432232314}';
const SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const OTHER_SECRET = `whsec_${Buffer.from("another secret of 24 byt").toString("base64")}`;

const HEADERS = { "webhook-id": ID, "webhook-timestamp": `${TIMESTAMP}`, "webhook-signature": SIGNATURE };

beforeEach(() => mock.timers.enable({ apis: ["Date"], now: TIMESTAMP * 1000 }));
afterEach(() => mock.timers.reset());

/** Signs a body as the specification says. */
function sign(body: string, secret: string): Record<string, string> {
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const signature = createHmac("sha256", key).update(`${ID}.${TIMESTAMP}.${body}`).digest("base64");
  return { ...HEADERS, "webhook-signature": `v1,${signature}` };
}

async function refused(code: WebhookErrorCode, verification: Promise<unknown>): Promise<void> {
  await assert.rejects(verification, (error) => error instanceof WebhookError && error.code === code);
}

test("the signature of the specification's example is accepted", async () => {
  assert.deepEqual(await verifyWebhook(HEADERS, BODY, SECRET), { test: 2432232314 });
  assert.deepEqual(await verifyWebhook(new Headers(HEADERS), Buffer.from(BODY), SECRET), { test: 2432232314 });
  const bytes = new TextEncoder().encode(BODY);
  assert.deepEqual(await verifyWebhook({ ...HEADERS, host: "a" }, bytes.buffer, SECRET.slice(6)), { test: 2432232314 });
  const titleCase = Object.fromEntries(Object.entries(HEADERS).map(([name, value]) => [name.toUpperCase(), [value]]));
  assert.deepEqual(await verifyWebhook(titleCase, BODY, SECRET), { test: 2432232314 });
});

test("a body of bytes in a larger buffer is verified alone", async () => {
  const whole = Buffer.from(`xx${BODY}yy`);
  assert.deepEqual(await verifyWebhook(HEADERS, whole.subarray(2, -2), SECRET), { test: 2432232314 });
});

test("another body, ID, timestamp, or secret is refused", async () => {
  await refused("wrong_signature", verifyWebhook(HEADERS, '{"test":2432232314}', SECRET));
  await refused("wrong_signature", verifyWebhook({ ...HEADERS, "webhook-id": "msg_1" }, BODY, SECRET));
  await refused(
    "wrong_signature",
    verifyWebhook({ ...HEADERS, "webhook-timestamp": `${TIMESTAMP + 1}` }, BODY, SECRET),
  );
  await refused("wrong_signature", verifyWebhook(HEADERS, BODY, OTHER_SECRET));
});

test("malformed signatures are refused", async () => {
  const value = SIGNATURE.slice(3);
  for (const signature of [value, `v2,${value}`, `v1a,${value}`, "v1,", "v1,%%%", `v1,${value.slice(0, 20)}`, ","]) {
    await refused("wrong_signature", verifyWebhook({ ...HEADERS, "webhook-signature": signature }, BODY, SECRET));
  }
});

test("one right signature of several is enough, with one of several secrets", async () => {
  const other = sign(BODY, OTHER_SECRET)["webhook-signature"];
  const headers = { ...HEADERS, "webhook-signature": `v1a,aaaa ${other} ${SIGNATURE}` };
  assert.deepEqual(await verifyWebhook(headers, BODY, SECRET), { test: 2432232314 });
  assert.deepEqual(await verifyWebhook(HEADERS, BODY, [OTHER_SECRET, SECRET]), { test: 2432232314 });
});

test("a timestamp is accepted within the tolerance, in both directions", async () => {
  for (const [seconds, tolerance] of [
    [300, undefined],
    [-300, undefined],
    [10, 10],
    [0, 0],
  ] as const) {
    mock.timers.setTime((TIMESTAMP + seconds) * 1000);
    await verifyWebhook(HEADERS, BODY, SECRET, tolerance === undefined ? {} : { tolerance });
  }
  for (const [seconds, tolerance] of [
    [301, undefined],
    [-301, undefined],
    [11, 10],
    [1, 0],
  ] as const) {
    mock.timers.setTime((TIMESTAMP + seconds) * 1000);
    const options = tolerance === undefined ? {} : { tolerance };
    await refused("invalid_timestamp", verifyWebhook(HEADERS, BODY, SECRET, options));
  }
  for (const timestamp of ["now", "1e9", "-1", "1614265330.0", "99999999999999999999"]) {
    await refused("invalid_timestamp", verifyWebhook({ ...HEADERS, "webhook-timestamp": timestamp }, BODY, SECRET));
  }
});

test("a missing header is refused", async () => {
  for (const name of Object.keys(HEADERS)) {
    await refused("missing_header", verifyWebhook({ ...HEADERS, [name]: undefined }, BODY, SECRET));
    await refused("missing_header", verifyWebhook({ ...HEADERS, [name]: "" }, BODY, SECRET));
  }
});

test("a signed body that isn't JSON is refused", async () => {
  await refused("invalid_json", verifyWebhook(sign("{", SECRET), "{", SECRET));
});

test("a secret that can't be one is an error of the program, which doesn't show it", async () => {
  for (const secrets of ["", "whsec_", "whsec_§", [], [""], [SECRET, ""]]) {
    await assert.rejects(verifyWebhook(HEADERS, BODY, secrets), TypeError);
  }
  await assert.rejects(
    verifyWebhook(HEADERS, BODY, "whsec_hidden§"),
    (error: Error) => !error.message.includes("hidden"),
  );
  await assert.rejects(verifyWebhook(HEADERS, BODY, undefined as never), TypeError);
  await assert.rejects(verifyWebhook(HEADERS, { test: 1 } as never, SECRET), TypeError);
});

// The signature is that of `printf %s BODY | openssl dgst -sha256 -hmac "app secret"`.
const META_BODY = '{"object":"whatsapp_business_account","entry":[]}';
const APP_SECRET = "app secret";
const META_SIGNATURE = "sha256=f55d1484bc76c3d3ba787f7352b6c81f5dc9b125053b8c278aeadc3b13004236";

test("Meta's signature is verified with the app secret", async () => {
  assert.equal(await verifyMetaSignature(META_BODY, META_SIGNATURE, APP_SECRET), true);
  assert.equal(await verifyMetaSignature(Buffer.from(META_BODY), META_SIGNATURE, ["another", APP_SECRET]), true);
  assert.equal(await verifyMetaSignature(`${META_BODY} `, META_SIGNATURE, APP_SECRET), false);
  assert.equal(await verifyMetaSignature(META_BODY, META_SIGNATURE, "another"), false);
  for (const header of [
    null,
    undefined,
    "",
    "sha256=",
    META_SIGNATURE.slice(7),
    META_SIGNATURE.slice(0, -2),
    `${META_SIGNATURE}00`,
  ]) {
    assert.equal(await verifyMetaSignature(META_BODY, header, APP_SECRET), false, `${header}`);
  }
  await assert.rejects(verifyMetaSignature(META_BODY, META_SIGNATURE, ""), TypeError);
});

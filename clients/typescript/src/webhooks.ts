import type { components } from "./schema.js";
import type { Change } from "./subscribe.js";

type EventOf<C> = C extends { type: infer T } ? { type: T; timestamp: string; data: C } : never;

/** The body of a webhook of the format `qasid`: a change, or a test. */
export type WebhookEvent = EventOf<Change | components["schemas"]["WebhookTestChange"]>;

/** The headers of a request: `Headers`, or those of Node's `IncomingMessage`. */
export type RequestHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

/** The body of a request as it arrived. */
export type RawBody = string | Uint8Array | ArrayBuffer;

/** Why a request isn't a webhook of Qasid. */
export type WebhookErrorCode = "missing_header" | "invalid_timestamp" | "wrong_signature" | "invalid_json";

/** The request isn't a webhook of Qasid. Respond with status 401. */
export class WebhookError extends Error {
  override readonly name = "WebhookError";
  readonly code: WebhookErrorCode;

  constructor(code: WebhookErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Seconds that the timestamp of a webhook can be off. */
const TOLERANCE = 300;

/**
 * Verifies the signature and the timestamp of a webhook, and returns its event.
 *
 * @param rawBody the body as it arrived: a parser and a serializer don't return the same bytes
 * @param secrets the secret of the webhook (`whsec_…`), or several of them while it is rotated
 * @param options `tolerance`: how many seconds the timestamp can be off; default 300
 * @throws {@link WebhookError} if the request isn't a webhook that was signed with one of the secrets in this time
 */
export async function verifyWebhook(
  headers: RequestHeaders,
  rawBody: RawBody,
  secrets: string | readonly string[],
  { tolerance = TOLERANCE }: { tolerance?: number } = {},
): Promise<WebhookEvent> {
  const [id, timestamp, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => {
    const value = headerOf(headers, name);
    if (!value) throw new WebhookError("missing_header", `The request has no header ${name}`);
    return value;
  }) as [string, string, string];

  const seconds = /^\d{1,12}$/.test(timestamp) ? Number(timestamp) : NaN;
  if (!(Math.abs(Date.now() / 1000 - seconds) <= tolerance)) {
    throw new WebhookError("invalid_timestamp", `The timestamp isn't within ${tolerance} seconds of now`);
  }

  const body = bytesOf(rawBody);
  const signed = concat(new TextEncoder().encode(`${id}.${timestamp}.`), body);
  const given = signatures.split(" ").flatMap((signature) => {
    const [version, value] = signature.split(",", 2);
    return version === "v1" && value ? [base64(value)] : [];
  });
  if (!(await isSigned(signed, given, listOf(secrets).map(secretBytes)))) {
    throw new WebhookError("wrong_signature", "The signature isn't that of this body and secret");
  }
  try {
    return JSON.parse(new TextDecoder().decode(body)) as WebhookEvent;
  } catch {
    throw new WebhookError("invalid_json", "The body isn't JSON");
  }
}

/**
 * Returns whether a body was signed as Meta signs webhooks, with the app secret. Meta's own webhooks are, and those of
 * the format `cloud_api`, whose app secret is the webhook's secret (`whsec_…`).
 *
 * @param rawBody the body as it arrived
 * @param header the value of `X-Hub-Signature-256`
 * @param appSecret the app secret, or several of them while it is rotated
 */
export async function verifyMetaSignature(
  rawBody: RawBody,
  header: string | null | undefined,
  appSecret: string | readonly string[],
): Promise<boolean> {
  const secrets = listOf(appSecret).map((secret) => new TextEncoder().encode(secret));
  const hex = /^sha256=([0-9a-f]{64})$/i.exec(header ?? "")?.[1];
  if (hex === undefined) return false;
  const given = Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
  return isSigned(bytesOf(rawBody), [given], secrets);
}

/** Returns whether one of the signatures is the HMAC-SHA256 of the data with one of the secrets, in constant time. */
async function isSigned(data: Bytes, signatures: readonly Bytes[], secrets: readonly Bytes[]): Promise<boolean> {
  let isAny = false;
  for (const secret of secrets) {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("raw", secret, algorithm, false, ["sign"]);
    const expected = new Uint8Array(await crypto.subtle.sign("HMAC", key, data));
    for (const signature of signatures) isAny = isEqual(expected, signature) || isAny;
  }
  return isAny;
}

/** Compares all bytes, so that the time doesn't tell how many are right. */
function isEqual(expected: Bytes, given: Bytes): boolean {
  let difference = expected.length ^ given.length;
  expected.forEach((byte, index) => {
    difference |= byte ^ (given[index] ?? 0);
  });
  return difference === 0;
}

type Bytes = Uint8Array<ArrayBuffer>;

function listOf(secrets: string | readonly string[]): readonly string[] {
  const list = typeof secrets === "string" ? [secrets] : secrets;
  if (
    !Array.isArray(list) ||
    list.length === 0 ||
    !list.every((secret) => typeof secret === "string" && secret !== "")
  ) {
    throw new TypeError("The secret must be a string, or an array of strings, that isn't empty");
  }
  return list;
}

function secretBytes(secret: string): Bytes {
  const bytes = base64(secret.replace(/^whsec_/, ""));
  if (bytes.length === 0) throw new TypeError("The secret of a webhook must be whsec_ and base64");
  return bytes;
}

/** Returns the bytes of base64; none if it is malformed. */
function base64(text: string): Bytes {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}

function bytesOf(body: RawBody): Bytes {
  if (typeof body === "string") return new TextEncoder().encode(body);
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  if (ArrayBuffer.isView(body)) return concat(body);
  throw new TypeError("rawBody must be the body as it arrived: a string or bytes");
}

function concat(...parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function headerOf(headers: RequestHeaders, name: string): string | null {
  if (typeof headers.get === "function") return (headers as Headers).get(name);
  const [, value] = Object.entries(headers).find(([key]) => key.toLowerCase() === name) ?? [];
  return typeof value === "string" ? value : (value?.[0] ?? null);
}

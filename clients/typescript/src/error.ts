import type { components } from "./schema.js";

/**
 * The codes of the API, and those of this client: `network_error` (no response), `timeout` (no response in time),
 * `no_credential` (`getToken` failed), `forbidden` (the credential is unknown, expired, or revoked),
 * `too_many_requests`, `upload_refused` (by the bucket), and `unexpected_response` (not a response of Qasid). Later
 * versions of the API can add some.
 */
export type ErrorCode =
  | components["schemas"]["ErrorCode"]
  | "network_error"
  | "timeout"
  | "no_credential"
  | "forbidden"
  | "too_many_requests"
  | "upload_refused"
  | "unexpected_response"
  | (string & {});

/** An error response of the API, or no response. */
export class QasidError extends Error {
  override readonly name = "QasidError";
  /** The HTTP status; 0 without a response. */
  readonly status: number;
  readonly code: ErrorCode;
  /** Finds the request in Qasid's logs; null if it didn't reach Qasid. */
  readonly requestId: string | null;
  /** After how many seconds the API accepts a repetition; null if it doesn't say. */
  readonly retryAfter: number | null;

  constructor(
    message: string,
    details: {
      status: number;
      code: ErrorCode;
      requestId?: string | null;
      retryAfter?: number | null;
      cause?: unknown;
    },
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.status = details.status;
    this.code = details.code;
    this.requestId = details.requestId ?? null;
    this.retryAfter = details.retryAfter ?? null;
  }
}

/** The codes of API Gateway's own responses, which have a message only. */
const GATEWAY_CODES: Record<number, ErrorCode> = {
  401: "unauthenticated",
  403: "forbidden",
  413: "body_too_large",
  429: "too_many_requests",
  500: "internal_error",
  503: "unavailable",
};

/** Returns the error for a response and its body: parsed JSON, or else text. */
export function errorOf(response: Response, body: unknown): QasidError {
  const { status, headers } = response;
  const text = (name: string): string | null => {
    const value: unknown = typeof body === "object" && body !== null ? Reflect.get(body, name) : null;
    return typeof value === "string" ? value : null;
  };
  const requestId = text("requestId") ?? headers.get("x-request-id") ?? headers.get("apigw-requestid");
  const retryAfter = retryAfterOf(response);
  const [error, code, message] = [text("error"), text("code"), text("message")];
  if (error !== null && code !== null) return new QasidError(error, { status, code, requestId, retryAfter });
  // Meta's verification of the webhook fails without a code.
  if (error !== null) return new QasidError(error, { status, code: "verification_failed", requestId, retryAfter });
  const gateway = GATEWAY_CODES[status];
  if (message !== null && gateway !== undefined) {
    return new QasidError(message, { status, code: gateway, requestId, retryAfter });
  }
  return unexpected(`The response has status ${status} and isn't one of Qasid`, response, { requestId, retryAfter });
}

/** Returns the error for a response that isn't one of Qasid, such as the page of a proxy. */
export function unexpected(
  problem: string,
  response: Response,
  details: { requestId?: string | null; retryAfter?: number | null; cause?: unknown } = {},
): QasidError {
  return new QasidError(`${problem}. Check baseUrl`, {
    ...details,
    status: response.status,
    code: "unexpected_response",
  });
}

/** Returns the seconds of `Retry-After`, which has seconds or a date. */
export function retryAfterOf(response: Response): number | null {
  const value = response.headers.get("retry-after");
  if (value === null) return null;
  if (/^\d+$/.test(value)) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}

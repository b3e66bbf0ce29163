export { createClient, type Client, type ClientOptions, type UploadOptions } from "./client.js";
export { QasidError, type ErrorCode } from "./error.js";
export type { Item, ListPath } from "./paginate.js";
export type { components, operations, paths } from "./schema.js";
export type { Change, SubscribeOptions, Subscription } from "./subscribe.js";
export {
  verifyMetaSignature,
  verifyWebhook,
  WebhookError,
  type RawBody,
  type RequestHeaders,
  type WebhookErrorCode,
  type WebhookEvent,
} from "./webhooks.js";

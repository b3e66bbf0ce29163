// Files of this computer: announcing and uploading them.

import { ApiError, post } from "../api.js";
import { t } from "../strings/inbox.js";

/** @typedef {"image" | "video" | "audio" | "document" | "sticker"} FileKind */
/** The response of `POST /api/media`.
 * @typedef {{media: import("../types").Media, upload: {method: string, url: string, headers: Record<string, string>, expires_at: string}}} Ticket */

/** The codes with which the API refuses a file. */
export const UNSENDABLE = ["media_too_large", "media_type_not_sendable"];

/** The maximum length of a file's name, in characters. */
const MAX_NAME = 240;

/** Names of types that browsers use, and those that WhatsApp knows. @type {Record<string, string>} */
const ALIASES = { "audio/x-m4a": "audio/mp4", "audio/m4a": "audio/mp4", "audio/mp3": "audio/mpeg", "audio/x-aac": "audio/aac", "image/jpg": "image/jpeg" };

/** Returns the type of a file. @param {File} file */
export function mimeType({ type }) {
  const name = (type.split(";")[0] ?? "").trim().toLowerCase();
  return ALIASES[name] ?? (name || "application/octet-stream");
}

/** Returns the types of messages that a file can be sent as. The first one is what the user probably wants.
 * @param {File} file @returns {FileKind[]} */
export function kindsOf(file) {
  const type = mimeType(file);
  if (type === "image/jpeg" || type === "image/png") return ["image", "document"];
  if (type === "video/mp4" || type === "video/3gpp") return ["video", "document"];
  if (type.startsWith("audio/")) return ["audio", "document"];
  return type === "image/webp" ? ["document", "sticker"] : ["document"];
}

/** Announces a file that is going to be uploaded. Throws an `ApiError` if WhatsApp doesn't deliver such a file.
 * @param {string} sessionId @param {File} file @returns {Promise<Ticket>} */
export async function announce(sessionId, file) {
  const fileName = [...file.name.replace(/\p{Cc}/gu, "")].slice(-MAX_NAME).join("");
  return post("/api/media", { sessionId, mimeType: mimeType(file), size: file.size, ...(fileName && { fileName }) });
}

/** Returns whether an upload can still start. @param {Ticket} ticket */
export const isOpen = ({ upload }) => new Date(upload.expires_at).getTime() - Date.now() > 30_000;

/**
 * Uploads a file. Rejects with an `ApiError`, or when `signal` ends it.
 *
 * @param {Ticket} ticket @param {File} file @param {AbortSignal} signal
 * @param {(progress: number) => void} onProgress gets the uploaded part, from 0 to 1
 * @returns {Promise<void>}
 */
export function upload({ upload: { method, url, headers } }, file, signal, onProgress) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = new XMLHttpRequest();
    const fail = (/** @type {number} */ status, /** @type {string} */ code) => () => reject(new ApiError(status, code, t("uploadFailed"), null));
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0));
    request.addEventListener("load", () => (request.status < 300 ? resolve() : fail(request.status, "upload_refused")()));
    request.addEventListener("error", fail(0, "offline"));
    request.addEventListener("abort", fail(0, "aborted"));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

// Texts as WhatsApp shows them: its formatting, links, and summaries of messages.

import { html } from "./ui.js";
import { t } from "./strings.js";

/** @typedef {import("./types.d.ts").Message} Message */

/** Bold, italic, struck, monospaced, code, and links. A mark touches its text and no letter or digit outside of it. */
const MARKS =
  /(?<![\p{L}\p{N}])(?:\*(?=\S)([^*\n]*\S)\*|_(?=\S)([^_\n]*\S)_|~(?=\S)([^~\n]*\S)~)(?![\p{L}\p{N}])|```([^]+?)```|`([^`\n]+)`|(https?:\/\/[^\s<>"]*[^\s<>".,;:!?)\]'])/u;

/** Returns a text with WhatsApp's formatting. @param {string} text @returns {any} */
export function formatted(text) {
  const found = MARKS.exec(text);
  if (!found) return text;
  const [whole, bold, italic, struck, block, code, link] = found;
  const shown =
    bold !== undefined ? html`<strong>${formatted(bold)}</strong>`
    : italic !== undefined ? html`<em>${formatted(italic)}</em>`
    : struck !== undefined ? html`<s>${formatted(struck)}</s>`
    : link !== undefined ? html`<${Link} url=${link}>${link}<//>`
    : html`<code>${block ?? code}</code>`;
  return [text.slice(0, found.index), shown, formatted(text.slice(found.index + whole.length))];
}

/** Returns a text without the marks of WhatsApp's formatting. @param {string} text @returns {string} */
function plain(text) {
  const found = MARKS.exec(text);
  if (!found) return text;
  const [whole, ...parts] = found;
  const content = parts.find((part) => part !== undefined) ?? whole;
  const isMarked = content !== whole;
  return text.slice(0, found.index) + (isMarked ? plain(content) : whole) + plain(text.slice(found.index + whole.length));
}

/** A link to another site. Text that is no web address stays text. @param {{url: string, children?: any, class?: string}} props */
export function Link({ url, children, class: classes }) {
  if (!/^https?:\/\//i.test(url)) return html`<span class=${classes}>${children}</span>`;
  return html`<a class=${classes} href=${url} target="_blank" rel="noopener noreferrer">${children}</a>`;
}

/** The types of messages that change other messages and have no bubble. */
const MARKING = new Set(["reaction", "edit", "revoke"]);

/** Returns whether the phone shows a message. @param {Message} message */
export function isShown(message) {
  if (MARKING.has(message.type)) return false;
  return message.from === "phone" || ["delivered", "read", "played"].includes(message.status);
}

/** The text of a template's component. @param {Message} message @param {string} type @returns {string | undefined} */
export function component(message, type) {
  return message.rendered?.find((component) => component.type === type)?.text;
}

/** The text that a message consists of, or its caption. @param {Message} message @returns {string | undefined} */
export function ownText(message) {
  return message.text?.body ?? message[message.type]?.caption;
}

/** A short text in place of the message, for quotes and lists. @param {Message} message @returns {string} */
export const summary = (message) => plain(rawSummary(message));

/** @param {Message} message @returns {string} */
function rawSummary(message) {
  if (message.deleted) return t("deleted_summary");
  const own = ownText(message);
  if (own) return own;
  const { interactive, document, location, contacts } = message;
  switch (message.type) {
    case "image": return t("photo");
    case "video": return t("video");
    case "audio": return message.audio?.voice ? t("voice_message") : t("audio");
    case "document": return document?.filename ?? t("document");
    case "sticker": return t("sticker");
    case "location": return location?.name ?? t("location");
    case "contacts": return contacts?.[0]?.name?.formatted_name ?? t("contact");
    case "button": return message.button?.text ?? "";
    case "interactive":
      return interactive?.body?.text ?? interactive?.button_reply?.title ?? interactive?.list_reply?.title
        ?? interactive?.nfm_reply?.body ?? t("interactive");
    case "template": return component(message, "BODY") ?? message.template?.name ?? t("template");
    case "call": return t("call");
    default: return t("other_message", { type: message.type });
  }
}

/** The icon of a message's type, for quotes. @param {Message} message @returns {import("./ui.js").IconName | null} */
export function summaryIcon(message) {
  /** @type {Record<string, import("./ui.js").IconName>} */
  const icons = {
    image: "image", video: "video", audio: message.audio?.voice ? "microphone" : "music", document: "file",
    sticker: "sticker", location: "pin", contacts: "person", call: "call",
  };
  return message.deleted ? null : (icons[message.type] ?? null);
}

/** Shows digits as a phone number with its country code. @param {string | null} digits */
export const phoneNumber = (digits) => (digits && /^\d+$/.test(digits) ? `+${digits}` : (digits ?? ""));

// The formatting of WhatsApp's texts: *bold*, _italic_, ~struck~, `code`, and links.

import { html } from "../components.js";

const FORMAT = new RegExp(
  [
    "(?<link>https?://[^\\s<>\"]+)",
    "```(?<block>[\\s\\S]+?)```",
    "`(?<code>[^`\\n]+)`",
    "(?<![\\p{L}\\p{N}*])\\*(?<bold>[^\\s*](?:[^*\\n]*[^\\s*])?)\\*(?![\\p{L}\\p{N}*])",
    "(?<![\\p{L}\\p{N}_])_(?<italic>[^\\s_](?:[^_\\n]*[^\\s_])?)_(?![\\p{L}\\p{N}_])",
    "(?<![\\p{L}\\p{N}~])~(?<struck>[^\\s~](?:[^~\\n]*[^\\s~])?)~(?![\\p{L}\\p{N}~])",
  ].join("|"),
  "gu",
);
const EMOJI_ONLY =
  /^(?:(?:\p{RI}\p{RI}|\p{Extended_Pictographic}\uFE0F?\p{EMod}?(?:\u200D\p{Extended_Pictographic}\uFE0F?\p{EMod}?)*)\s*){1,3}$/u;
const STRONG = /[\p{L}]/u;
const RTL = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

/** Returns a text with its formatting. `leaf` returns what is shown of a text without any.
 * @param {string} text @param {(text: string) => any[]} [leaf] @param {number} [depth] @returns {any[]} */
export function formatted(text, leaf = (part) => [part], depth = 0) {
  if (depth > 3) return leaf(text);
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(FORMAT)) {
    const { link, block, code, bold, italic, struck } = /** @type {Record<string, string | undefined>} */ (match.groups);
    // Punctuation after a link belongs to the sentence.
    const url = link?.replace(/[.,;:!?)\]}'؟،؛]+$/u, "");
    parts.push(...leaf(text.slice(end, match.index)));
    end = match.index + (url ?? match[0]).length;
    if (url) parts.push(html`<a href=${url} target="_blank" rel="noopener noreferrer" dir="ltr">${url}</a>`);
    else if (block) parts.push(html`<code class="block">${block.replace(/^\n|\n$/g, "")}</code>`);
    else if (code) parts.push(html`<code>${code}</code>`);
    else if (bold) parts.push(html`<strong>${formatted(bold, leaf, depth + 1)}</strong>`);
    else if (italic) parts.push(html`<em>${formatted(italic, leaf, depth + 1)}</em>`);
    else if (struck) parts.push(html`<s>${formatted(struck, leaf, depth + 1)}</s>`);
  }
  parts.push(...leaf(text.slice(end)));
  return parts.filter((part) => part !== "");
}

/** Returns whether a text is one to three emoji, which are shown larger. @param {string} text */
export const isEmojiOnly = (text) => text.length < 60 && EMOJI_ONLY.test(text.trim());

/** Returns whether `dir="auto"` shows a text from right to left. @param {string} text */
export const isRightToLeft = (text) => RTL.test(STRONG.exec(text)?.[0] ?? "");

// The approved templates of a session.

import { get } from "../api.js";

/** @typedef {import("./template-model.js").Template} Template */

/** How long the list is kept, in milliseconds. */
const CACHE_TIME = 5 * 60_000;
/** The templates that are read at most. */
const MAX_TEMPLATES = 1_000;

/** @type {Map<string, {at: number, templates: Promise<Template[]>}>} */
const cache = new Map();

/** Reads the approved templates of a session. @param {string} sessionId @param {boolean} [isFresh] reads them again
 * @returns {Promise<Template[]>} */
export function templatesOf(sessionId, isFresh = false) {
  const cached = cache.get(sessionId);
  if (cached && !isFresh && Date.now() - cached.at < CACHE_TIME) return cached.templates;
  const templates = readAll(sessionId);
  cache.set(sessionId, { at: Date.now(), templates });
  templates.catch(() => cache.delete(sessionId));
  return templates;
}

/** @param {string} sessionId */
async function readAll(sessionId) {
  /** @type {Template[]} */
  const all = [];
  let cursor = null;
  do {
    const page = await get("/api/templates", { sessionId, status: "APPROVED", limit: 100, cursor });
    all.push(...page.templates);
    cursor = page.nextCursor;
  } while (cursor && all.length < MAX_TEMPLATES);
  return all
    .filter(({ status }) => status === "APPROVED")
    .sort((a, b) => a.name.localeCompare(b.name, "en") || a.language.localeCompare(b.language, "en"));
}

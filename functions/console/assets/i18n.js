// The language of the console, and times and numbers in it.

const LANGUAGE = "qasid.language";

/** @typedef {"en" | "ar"} Language */
/** A text, or one for each plural category. `{name}` stands for a value.
 * @typedef {string | {other: string, zero?: string, one?: string, two?: string, few?: string, many?: string}} Text */

/** @returns {Language} */
function initial() {
  let stored = null;
  try {
    stored = window.localStorage.getItem(LANGUAGE);
  } catch {
    // The browser forbids storage.
  }
  if (stored === "en" || stored === "ar") return stored;
  return navigator.language.startsWith("ar") ? "ar" : "en";
}

/** @type {Language} */
let current = initial();
apply();

function apply() {
  document.documentElement.lang = current;
  document.documentElement.dir = current === "ar" ? "rtl" : "ltr";
}

/** Returns the language. */
export function language() {
  return current;
}

/** Changes the language. The caller renders the page again.
 * @param {Language} value */
export function setLanguage(value) {
  current = value;
  try {
    window.localStorage.setItem(LANGUAGE, value);
  } catch {
    // The language lasts until the page is closed.
  }
  apply();
}

/**
 * Returns a function that returns the text of a key in the current language. `values.count` selects the plural.
 *
 * @template {Record<string, Text>} T
 * @param {{en: T, ar: {[K in keyof T]: Text}}} texts
 * @returns {(key: keyof T & string, values?: Record<string, string | number>) => string}
 */
export function strings(texts) {
  return (key, values = {}) => {
    const text = texts[current][key];
    // A value of an API that is newer than this page.
    if (text === undefined) return key;
    const form =
      typeof text === "string" ? text : (text[new Intl.PluralRules(current).select(Number(values.count))] ?? text.other);
    return form.replace(/\{(\w+)\}/g, (whole, name) => {
      const value = values[name];
      return value === undefined ? whole : typeof value === "number" ? number(value) : value;
    });
  };
}

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {Intl.DateTimeFormatOptions} options */
function format(options) {
  const key = current + JSON.stringify(options);
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat(current, options);
    formats.set(key, found);
  }
  return found;
}

/** Returns a number with the language's digits and separators.
 * @param {number} value @param {Intl.NumberFormatOptions} [options] */
export function number(value, options) {
  return new Intl.NumberFormat(current, options).format(value);
}

/** Returns a text with the digits 0 to 9 instead of Arabic ones. @param {string} text */
export const westernDigits = (text) =>
  text.replace(/[٠-٩۰-۹]/g, (digit) => String(digit.charCodeAt(0) - (digit < "۰" ? 0x660 : 0x6f0)));

/** Encloses a text of a user, so that its direction doesn't change that of the sentence around it. @param {string} text */
export const isolate = (text) => `\u2068${text.replace(/[\u202a-\u202e\u2066-\u2069]/g, "")}\u2069`;

/** Returns the time of day. @param {string | number | Date} at */
export const time = (at) => format({ hour: "2-digit", minute: "2-digit" }).format(new Date(at));
/** Returns date and time to the second. @param {string | number | Date} at */
export const dateTime = (at) => format({ dateStyle: "medium", timeStyle: "medium" }).format(new Date(at));
/** Returns the date. @param {string | number | Date} at */
export const date = (at) => format({ dateStyle: "medium" }).format(new Date(at));

/** Returns the time of today, the weekday of the last days, or the date, as in a list of chats.
 * @param {string | number | Date} at */
export function shortTime(at) {
  const value = new Date(at);
  const days = daysAgo(value);
  if (days <= 0) return time(value);
  if (days < 7) return format({ weekday: "short" }).format(value);
  return format({ day: "numeric", month: "short", year: days < 300 ? undefined : "numeric" }).format(value);
}

/** Returns "today", "yesterday", a weekday, or a date, as between the messages of two days.
 * @param {string | number | Date} at */
export function day(at) {
  const value = new Date(at);
  const days = daysAgo(value);
  if (days === 0 || days === 1) return new Intl.RelativeTimeFormat(current, { numeric: "auto" }).format(-days, "day");
  if (days > 1 && days < 7) return format({ weekday: "long" }).format(value);
  return format({ dateStyle: "long" }).format(value);
}

/** @param {Date} value */
function daysAgo(value) {
  const midnight = (/** @type {Date} */ of) => new Date(of.getFullYear(), of.getMonth(), of.getDate()).getTime();
  return Math.round((midnight(new Date()) - midnight(value)) / 86_400_000);
}

/** Returns a time relative to now: "3 minutes ago". @param {string | number | Date} at */
export function ago(at) {
  const seconds = (new Date(at).getTime() - Date.now()) / 1000;
  const relative = new Intl.RelativeTimeFormat(current, { numeric: "auto", style: "long" });
  /** @type {[Intl.RelativeTimeFormatUnit, number][]} */
  const units = [["day", 86_400], ["hour", 3_600], ["minute", 60]];
  const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  return relative.format(Math.round(seconds / Number(size)), /** @type {Intl.RelativeTimeFormatUnit} */ (unit));
}

/** Returns a duration such as "350 ms" or "2.4 s". @param {number} milliseconds */
export function duration(milliseconds) {
  const [value, unit] =
    milliseconds < 1_000 ? [milliseconds, "millisecond"]
    : milliseconds < 60_000 ? [milliseconds / 1_000, "second"]
    : milliseconds < 3_600_000 ? [milliseconds / 60_000, "minute"]
    : [milliseconds / 3_600_000, "hour"];
  return number(value, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: value < 10 ? 1 : 0 });
}

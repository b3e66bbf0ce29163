// What a template needs, and the components of a message with it (Meta, *Templates*).

import { t as attachment } from "../strings/attachment.js";
import { t } from "../strings/templates.js";
import { asset, degrees, NO_PLACE, NO_SOURCE, OWN_FILE, placeErrors, sourceError } from "./fields.js";
import { kindsOf } from "./upload.js";

/**
 * A template as `GET /api/templates` returns it.
 * @typedef {{id: string, name: string, language: string, category: string, status: string, parameter_format: string | null,
 *   components: any[]}} Template
 */
/** @typedef {"text" | "coupon" | "url" | "product" | "expiry" | "media" | "document" | "location"} Kind */
/**
 * A value that the user fills in.
 *
 * @typedef {object} Input
 * @property {string} key
 * @property {Kind} kind
 * @property {"header" | "body" | "buttons" | "offer"} part
 * @property {number | null} card the position of the card in a carousel
 * @property {string} label
 * @property {string | null} example
 * @property {number} limit
 * @property {boolean} isOptional
 * @property {string} [prefix] what a URL's end follows
 * @property {"image" | "video" | "document"} [file] what a file is sent as
 */
/** @typedef {Record<string, any>} Values */

const HEADER_LIMIT = 60;
const BODY_LIMIT = 1_024;
const LONE_BODY_LIMIT = 32_768;
const CARD_BODY_LIMIT = 160;
const CODE_LIMIT = 15;
const URL_LIMIT = 2_000;

const PLACEHOLDER = /\{\{\s*(\w+)\s*\}\}/g;
/** Components and buttons without anything to fill in. */
const FIXED_COMPONENTS = ["FOOTER", "CALL_PERMISSION_REQUEST"];
const FIXED_BUTTONS = ["QUICK_REPLY", "PHONE_NUMBER", "VOICE_CALL", "REQUEST_CONTACT_INFO"];
const MEDIA = ["IMAGE", "VIDEO", "GIF", "DOCUMENT"];

/** @param {any} component */
const typeOf = (component) => String(component?.type ?? "").toUpperCase();
/** @param {any} header */
const formatOf = (header) => String(header?.format ?? "TEXT").toUpperCase();
/** @param {number | null} card */
const scope = (card) => (card === null ? "" : `card ${card} `);

/** Returns the names of the placeholders of a text, in the order of the parameters. @param {string | undefined} text */
function placeholders(text) {
  const names = [...new Set([...(text ?? "").matchAll(PLACEHOLDER)].map(([, name]) => name))];
  return names.every((name) => /^\d+$/.test(name)) ? names.sort((a, b) => Number(a) - Number(b)) : names;
}

/** @param {Template} template @param {string[]} names */
function isNamed(template, names) {
  return template.parameter_format ? template.parameter_format.toUpperCase() === "NAMED" : names.some((name) => !/^\d+$/.test(name));
}

/** Returns why a template can't be filled in here; null if it can. @param {Template} template @returns {string | null} */
export function problem(template) {
  return problemOf(template.components ?? []);
}

/** @param {any[]} components @returns {string | null} */
function problemOf(components) {
  for (const component of components) {
    const type = typeOf(component);
    if (type === "HEADER") {
      const format = formatOf(component);
      if (format === "PRODUCT") return t("needsProducts");
      if (![...MEDIA, "TEXT", "LOCATION"].includes(format)) return t("needsOther", { part: format });
    } else if (type === "BUTTONS") {
      for (const button of component.buttons ?? []) {
        const kind = typeOf(button);
        if (kind === "FLOW") return t("needsFlow");
        if (kind === "MPM" || kind === "SPM") return t("needsProducts");
        if (kind === "ORDER_DETAILS") return t("needsOrder");
        if (![...FIXED_BUTTONS, "URL", "OTP", "COPY_CODE", "CATALOG"].includes(kind)) return t("needsOther", { part: kind });
      }
    } else if (type === "CAROUSEL") {
      for (const card of component.cards ?? []) {
        const found = problemOf(card.components ?? []);
        if (found) return found;
      }
    } else if (type === "ORDER_DETAILS" || type === "ORDER_STATUS") {
      return t("needsOrder");
    } else if (![...FIXED_COMPONENTS, "BODY", "LIMITED_TIME_OFFER"].includes(type)) {
      return t("needsOther", { part: type });
    }
  }
  return null;
}

/** Returns what a template needs. @param {Template} template @returns {Input[]} */
export function inputs(template) {
  return inputsOf(template, template.components ?? [], null);
}

/** @param {Template} template @param {any[]} components @param {number | null} card @returns {Input[]} */
function inputsOf(template, components, card) {
  /** @type {Input[]} */
  const all = [];
  const isAuthentication = template.category?.toUpperCase() === "AUTHENTICATION";
  const add = (/** @type {Pick<Input, "key" | "kind" | "part" | "label"> & Partial<Input>} */ input) =>
    all.push({ example: null, limit: Infinity, isOptional: false, ...input, card, key: scope(card) + input.key });
  for (const component of components) {
    const type = typeOf(component);
    if (type === "HEADER" && formatOf(component) !== "TEXT") {
      const format = formatOf(component).toLowerCase();
      const label = t(/** @type {"image"} */ (format));
      if (format === "location") add({ key: "header", kind: format, part: "header", label });
      else if (format === "document") add({ key: "header", kind: format, part: "header", label, file: format });
      else add({ key: "header", kind: "media", part: "header", label, file: format === "image" ? "image" : "video" });
    } else if (type === "HEADER" || type === "BODY") {
      const part = type === "HEADER" ? "header" : "body";
      const names = placeholders(component.text);
      const limit = part === "header" ? HEADER_LIMIT
        : isAuthentication ? CODE_LIMIT
        : card !== null ? CARD_BODY_LIMIT
        : components.length === 1 ? LONE_BODY_LIMIT
        : BODY_LIMIT;
      names.forEach((name, index) => {
        const label = isAuthentication ? t("code") : /^\d+$/.test(name) ? t("value", { name }) : name;
        add({ key: `${part} ${name}`, kind: "text", part, label, example: exampleOf(component, part, name, index), limit });
      });
    } else if (type === "BUTTONS") {
      (component.buttons ?? []).forEach((/** @type {any} */ button, /** @type {number} */ index) => {
        const kind = typeOf(button);
        const key = `button ${index}`;
        const text = button.text ?? "";
        const example = [button.example].flat()[0] ?? null;
        if (kind === "COPY_CODE") {
          add({ key, kind: "coupon", part: "buttons", label: t("coupon", { text: text || "Copy code" }), example, limit: CODE_LIMIT });
        } else if (kind === "URL" && placeholders(button.url).length > 0 && !isAuthentication) {
          const prefix = String(button.url).replace(PLACEHOLDER, "");
          const end = typeof example === "string" && example.startsWith(prefix) ? example.slice(prefix.length) : example;
          add({ key, kind: "url", part: "buttons", label: t("urlEnd", { text }), example: end || null, limit: URL_LIMIT - prefix.length, prefix });
        } else if (kind === "CATALOG") {
          add({ key, kind: "product", part: "buttons", label: t("product"), isOptional: true });
        }
      });
    } else if (type === "LIMITED_TIME_OFFER" && component.limited_time_offer?.has_expiration) {
      add({ key: "offer", kind: "expiry", part: "offer", label: t("expires") });
    } else if (type === "CAROUSEL") {
      component.cards?.forEach((/** @type {any} */ one, /** @type {number} */ index) => all.push(...inputsOf(template, one.components ?? [], index)));
    }
  }
  return all;
}

/** @param {any} component @param {"header" | "body"} part @param {string} name @param {number} index @returns {string | null} */
function exampleOf(component, part, name, index) {
  const example = component.example ?? {};
  const named = example[`${part}_text_named_params`]?.find((/** @type {any} */ one) => one.param_name === name)?.example;
  return named ?? [example[`${part}_text`]].flat(2)[index] ?? null;
}

/** Returns the values of an empty form. @param {Input[]} all @returns {Values} */
export function emptyValues(all) {
  // A message has one uploaded file, so the cards of a carousel have links.
  const empty = (/** @type {number | null} */ card) => ({ source: card === null ? OWN_FILE : NO_SOURCE, file: null });
  return Object.fromEntries(all.map(({ key, kind, card }) => [key,
    kind === "media" ? empty(card)
    : kind === "document" ? { ...empty(card), filename: "" }
    : kind === "location" ? NO_PLACE
    : ""]));
}

/** Returns what is wrong with each value, by key. The errors of a location have the key of its field at the end.
 * @param {Template} template @param {Input[]} all @param {Values} values @returns {Record<string, string>} */
export function check(template, all, values) {
  /** @type {Record<string, string>} */
  const errors = {};
  for (const input of all) {
    const value = values[input.key];
    if (input.kind === "location") {
      for (const [name, error] of Object.entries(placeErrors(value, true))) errors[`${input.key} ${name}`] = error;
      continue;
    }
    const error = typeof value === "string" ? textError(input, value)
      : value.source.by === "file" ? fileError(input, value.file) : sourceError(value.source);
    if (error) errors[input.key] = error;
  }
  const body = template.components.find((component) => typeOf(component) === "BODY");
  const first = all.find(({ part, card }) => part === "body" && card === null);
  const limit = template.components.length === 1 ? LONE_BODY_LIMIT : BODY_LIMIT;
  const length = [...fill(body?.text ?? "", "body", null, values).map(({ text }) => text).join("")].length;
  if (first && length > limit && !errors[first.key]) errors[first.key] = t("bodyTooLong", { length, limit });
  return errors;
}

/** @param {Input} input @param {File | null} file @returns {string | null} */
function fileError({ file: kind }, file) {
  if (!file) return attachment("fileMissing");
  return kind && !kindsOf(file).includes(kind) ? attachment("otherFile", { hint: attachment(`${kind}Hint`) }) : null;
}

/** @param {Input} input @param {string} value @returns {string | null} */
function textError({ kind, limit, isOptional }, value) {
  if (!value.trim()) return isOptional ? null : t("required");
  if (kind === "expiry") return new Date(value).getTime() > Date.now() ? null : t("past");
  if (kind === "coupon") return /^[\p{L}\p{N}]{1,15}$/u.test(value.trim()) ? null : t("couponInvalid");
  if (/[\n-\r\t\u0085\u2028\u2029]| {5}/.test(value)) return t("lineBreaks");
  const length = [...value.trim()].length;
  return length > limit ? t("tooLong", { length, limit }) : null;
}

/** Returns the components of the message. @param {Template} template @param {Values} values */
export function build(template, values) {
  return buildComponents(template, template.components, null, values);
}

/** @param {Template} template @param {any[]} components @param {number | null} card @param {Values} values @returns {any[]} */
function buildComponents(template, components, card, values) {
  const value = (/** @type {string} */ key) => values[scope(card) + key];
  const isAuthentication = template.category?.toUpperCase() === "AUTHENTICATION";
  return components.flatMap((component) => {
    const type = typeOf(component);
    if (type === "HEADER" && formatOf(component) !== "TEXT") {
      const format = formatOf(component).toLowerCase();
      return { type: "header", parameters: [{ type: format, [format]: headerObject(format, value("header")) }] };
    }
    if (type === "HEADER" || type === "BODY") {
      const part = type.toLowerCase();
      const names = placeholders(component.text);
      const hasNames = isNamed(template, names);
      const parameters = names.map((name) => ({
        type: "text", ...(hasNames && { parameter_name: name }), text: value(`${part} ${name}`).trim(),
      }));
      return parameters.length > 0 ? { type: part, parameters } : [];
    }
    if (type === "BUTTONS") {
      return (component.buttons ?? []).flatMap((/** @type {any} */ button, /** @type {number} */ index) =>
        buildButton(button, index, isAuthentication ? value("body 1") ?? "" : value(`button ${index}`) ?? "", isAuthentication));
    }
    if (type === "LIMITED_TIME_OFFER" && component.limited_time_offer?.has_expiration) {
      const offer = { expiration_time_ms: new Date(value("offer")).getTime() };
      return { type: "limited_time_offer", parameters: [{ type: "limited_time_offer", limited_time_offer: offer }] };
    }
    if (type === "CAROUSEL") {
      const cards = component.cards.map((/** @type {any} */ one, /** @type {number} */ index) => ({
        card_index: index, components: buildComponents(template, one.components ?? [], index, values),
      }));
      return { type: "carousel", cards };
    }
    return [];
  });
}

/** @param {string} format @param {any} value */
function headerObject(format, value) {
  if (format === "location") {
    return {
      latitude: degrees(value.latitude), longitude: degrees(value.longitude), name: value.name.trim(), address: value.address.trim(),
    };
  }
  const source = value.source.by === "file" ? { media: value.media } : asset(value.source);
  return { ...source, ...(value.filename?.trim() && { filename: value.filename.trim() }) };
}

/** @param {any} button @param {number} index @param {string} value @param {boolean} isAuthentication */
function buildButton(button, index, value, isAuthentication) {
  const kind = typeOf(button);
  const component = { type: "button", index: String(index) };
  if (kind === "COPY_CODE") {
    return { ...component, sub_type: "copy_code", parameters: [{ type: "coupon_code", coupon_code: value.trim() }] };
  }
  // The button of an authentication template copies the code, or passes it to an app.
  if (kind === "OTP" || (kind === "URL" && (isAuthentication || placeholders(button.url).length > 0))) {
    return { ...component, sub_type: "url", parameters: [{ type: "text", text: value.trim() }] };
  }
  if (kind === "CATALOG") {
    const parameters = value.trim() ? [{ type: "action", action: { thumbnail_product_retailer_id: value.trim() } }] : null;
    return { ...component, sub_type: "catalog", ...(parameters && { parameters }) };
  }
  return [];
}

/**
 * Returns a text with its values. A part without a value is its placeholder.
 *
 * @param {string} text @param {"header" | "body"} part @param {number | null} card @param {Values} values
 * @returns {{text: string, kind: "literal" | "value" | "placeholder"}[]}
 */
export function fill(text, part, card, values) {
  /** @type {{text: string, kind: "literal" | "value" | "placeholder"}[]} */
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    if (match.index > end) parts.push({ text: text.slice(end, match.index), kind: "literal" });
    const value = values[`${scope(card)}${part} ${match[1]}`]?.trim();
    parts.push(value ? { text: value, kind: "value" } : { text: match[1], kind: "placeholder" });
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push({ text: text.slice(end), kind: "literal" });
  return parts;
}

// Fields that attachments and templates share: a file and a place.

import { useId } from "preact/hooks";
import { Field, html } from "../components.js";
import { westernDigits } from "../i18n.js";
import { t } from "../strings/attachment.js";

/** A public link, or the ID of a file at WhatsApp. @typedef {{by: "link" | "id", value: string}} Source */
/** @typedef {{latitude: string, longitude: string, name: string, address: string}} Place */

/** @type {Source} */
export const NO_SOURCE = { by: "link", value: "" };
/** @type {Place} */
export const NO_PLACE = { latitude: "", longitude: "", name: "", address: "" };

/** Returns why a file can't be sent. @param {Source} source @returns {string | null} */
export function sourceError({ by, value }) {
  if (!value.trim()) return t("required");
  return by === "link" && !/^https:\/\/\S+$/i.test(value.trim()) ? t("linkInvalid") : null;
}

/** Returns the member of the request for a file. @param {Source} source */
export const asset = ({ by, value }) => ({ [by]: value.trim() });

/** Returns degrees with the digits that the API reads. @param {string} value */
export function degrees(value) {
  return westernDigits(value.trim()).replace("٫", ".").replace("−", "-");
}

/** Returns what is wrong with a place. @param {Place} place @param {boolean} isComplete whether name and address are required
 * @returns {Partial<Record<keyof Place, string>>} */
export function placeErrors(place, isComplete) {
  /** @type {Partial<Record<keyof Place, string>>} */
  const errors = {};
  for (const [name, limit] of /** @type {const} */ ([["latitude", 90], ["longitude", 180]])) {
    const value = degrees(place[name]);
    if (!/^[+-]?\d+(\.\d+)?$/.test(value) || Math.abs(Number(value)) > limit) errors[name] = t("degreesInvalid", { min: -limit, max: limit });
  }
  if (isComplete && !place.name.trim()) errors.name = t("required");
  if (isComplete && !place.address.trim()) errors.address = t("required");
  return errors;
}

/** @param {{source: Source, error: string | null, autofocus?: boolean, onChange: (source: Source) => void}} props */
export function SourceFields({ source, error, autofocus = false, onChange }) {
  const name = useId();
  const choose = (/** @type {Source["by"]} */ by) => onChange({ by, value: "" });
  return html`<fieldset class="media-source">
    <legend>${t("sourceLabel")}</legend>
    <div class="source-choice">
      <label><input type="radio" name=${name} checked=${source.by === "link"} onChange=${() => choose("link")} /><span>${t("byLink")}</span></label>
      <label><input type="radio" name=${name} checked=${source.by === "id"} onChange=${() => choose("id")} /><span>${t("byId")}</span></label>
    </div>
    <${Field} key=${source.by} label=${t(source.by)} hint=${t(source.by === "link" ? "linkHint" : "idHint")} dir="ltr" error=${error}
      inputmode=${source.by === "link" ? "url" : "text"} placeholder=${source.by === "link" ? "https://" : ""} autocomplete="off" spellcheck=${false} autofocus=${autofocus}
      value=${source.value} onInput=${(/** @type {any} */ event) => onChange({ by: source.by, value: event.target.value })} />
  </fieldset>`;
}

/** @param {{place: Place, errors: Partial<Record<keyof Place, string | null>>, isComplete?: boolean, onChange: (change: Partial<Place>) => void}} props */
export function PlaceFields({ place, errors, isComplete = false, onChange }) {
  const field = (/** @type {keyof Place} */ name) => ({
    value: place[name],
    error: errors[name],
    autocomplete: "off",
    onInput: (/** @type {any} */ event) => onChange({ [name]: event.target.value }),
  });
  // Maps copy both numbers at once.
  const paste = (/** @type {ClipboardEvent} */ event) => {
    const pair = /^\s*([+-]?\d+(?:\.\d+)?)\s*[,;\s]\s*([+-]?\d+(?:\.\d+)?)\s*$/.exec(event.clipboardData?.getData("text") ?? "");
    if (!pair) return;
    event.preventDefault();
    onChange({ latitude: pair[1], longitude: pair[2] });
  };
  const optional = isComplete ? null : t("captionHint");
  return html`<p class="hint">${t("degreesHint")}</p>
    <div class="place-pair">
      <${Field} label=${t("latitude")} dir="ltr" inputmode="decimal" placeholder="30.0444" onPaste=${paste} ...${field("latitude")} />
      <${Field} label=${t("longitude")} dir="ltr" inputmode="decimal" placeholder="31.2357" onPaste=${paste} ...${field("longitude")} />
    </div>
    <${Field} label=${t("placeName")} hint=${optional} dir="auto" ...${field("name")} />
    <${Field} label=${t("address")} hint=${optional} dir="auto" ...${field("address")} />`;
}

// Fields that attachments and templates share: a file and a place.

import { useEffect, useId, useMemo, useRef } from "preact/hooks";
import { Field, html, Icon, IconButton } from "../components.js";
import { westernDigits } from "../i18n.js";
import { t } from "../strings/attachment.js";
import { size } from "./media.js";

/** A file of this computer, a public link, or the ID of a file at WhatsApp.
 * @typedef {{by: "file" | "link" | "id", value: string}} Source */
/** @typedef {{latitude: string, longitude: string, name: string, address: string}} Place */

/** @type {Source} */
export const OWN_FILE = { by: "file", value: "" };
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

/** @typedef {{file: File | null, hint: string, onFile: (files: File[]) => void}} OwnFile */

/** @param {{source: Source, error: string | null, autofocus?: boolean, onChange: (source: Source) => void, own?: OwnFile}} props
 *   `own`: offers files of this computer */
export function SourceFields({ source, error, autofocus = false, onChange, own }) {
  const name = useId();
  const { by: chosen } = source;
  const choose = (/** @type {Source["by"]} */ by) => onChange({ by, value: "" });
  return html`<fieldset class="media-source">
    <legend>${t("sourceLabel")}</legend>
    <div class="source-choice">
      ${own && html`<label><input type="radio" name=${name} checked=${chosen === "file"} onChange=${() => choose("file")} /><span>${t("byFile")}</span></label>`}
      <label><input type="radio" name=${name} checked=${chosen === "link"} onChange=${() => choose("link")} /><span>${t("byLink")}</span></label>
      <label><input type="radio" name=${name} checked=${chosen === "id"} onChange=${() => choose("id")} /><span>${t("byId")}</span></label>
    </div>
    ${chosen === "file"
      ? own && html`<${OwnFileField} own=${own} error=${error} autofocus=${autofocus} />`
      : html`<${Field} key=${chosen} label=${t(chosen)} hint=${t(chosen === "link" ? "linkHint" : "idHint")} dir="ltr" error=${error}
        inputmode=${chosen === "link" ? "url" : "text"} placeholder=${chosen === "link" ? "https://" : ""} autocomplete="off" spellcheck=${false} autofocus=${autofocus}
        value=${source.value} onInput=${(/** @type {any} */ event) => onChange({ by: chosen, value: event.target.value })} />`}
  </fieldset>`;
}

/** Chooses a file of this computer, or shows the one that was chosen. @param {{own: OwnFile, error: string | null, autofocus: boolean}} props */
function OwnFileField({ own: { file, hint, onFile }, error, autofocus }) {
  const id = useId();
  const root = useRef(/** @type {HTMLDivElement | null} */ (null));
  const url = useMemo(() => (file?.type.startsWith("image/") ? URL.createObjectURL(file) : null), [file]);
  useEffect(() => () => {
    if (url) URL.revokeObjectURL(url);
  }, [url]);
  const choose = (/** @type {any} */ event) => {
    const files = [...event.target.files];
    event.target.value = "";
    if (files.length > 0) replace(files);
  };
  const replace = (/** @type {File[]} */ files) => {
    onFile(files);
    // What had the focus is gone.
    requestAnimationFrame(() => /** @type {HTMLElement | null | undefined} */ (root.current?.querySelector("input, button"))?.focus());
  };
  return html`<div ref=${root} class="own-file">
    ${file ? html`<div class="chosen-file">
        ${url ? html`<img src=${url} alt="" />` : html`<span class="media-icon"><${Icon} name="file" /></span>`}
        <span class="media-text"><bdi class="media-name">${file.name}</bdi><span class="small muted">${size(file.size)}</span></span>
        <${IconButton} icon="close" label=${t("removeFile", { name: file.name })} aria-describedby=${error ? `${id}-error` : undefined}
          aria-invalid=${error ? "true" : undefined} onClick=${() => replace([])} />
      </div>`
    : html`<label class="file-choice">
        <input type="file" autofocus=${autofocus} aria-describedby="${id}-hint${error ? ` ${id}-error` : ""}" aria-invalid=${error ? "true" : undefined} onChange=${choose} />
        <span class="button"><${Icon} name="attach" />${t("chooseFile")}</span>
      </label>
      <p class="hint" id="${id}-hint">${hint}</p>`}
    ${error && html`<p class="field-error" id="${id}-error" role="alert" dir="auto">${error}</p>`}
  </div>`;
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

// The dialog that sends a file, a location, or a contact.

import { useRef, useState } from "preact/hooks";
import { Button, Checkbox, Dialog, ErrorNote, Field, Icon, html, useAction } from "../components.js";
import { t as frame } from "../strings/app.js";
import { t } from "../strings/attachment.js";
import { asset, degrees, NO_PLACE, NO_SOURCE, PlaceFields, placeErrors, SourceFields, sourceError } from "./fields.js";

/** @typedef {import("../components.js").IconName} IconName */
/** @typedef {"image" | "video" | "audio" | "document" | "sticker" | "location" | "contacts"} Kind */

/** @type {[Kind, IconName][]} */
const KINDS = [
  ["image", "image"], ["video", "play"], ["audio", "audio"], ["document", "file"], ["sticker", "emoji"], ["location", "location"],
  ["contacts", "person"],
];

const EMPTY = {
  source: NO_SOURCE, caption: "", filename: "", voice: false, ...NO_PLACE, formattedName: "", phones: "", company: "", email: "",
};
/** @typedef {typeof EMPTY} Values */
/** The errors of the fields. @typedef {Partial<Record<keyof Values, string | null>>} Errors */

/** The field that a member of the request belongs to. @type {[RegExp, keyof Values][]} */
const MEMBERS = [
  [/^\w+\.(link|id)\b/, "source"], [/^\w+\.caption\b/, "caption"], [/^\w+\.filename\b/, "filename"], [/^audio\.voice\b/, "voice"],
  [/^location\.latitude\b/, "latitude"], [/^location\.longitude\b/, "longitude"], [/^location\.name\b/, "name"],
  [/^location\.address\b/, "address"], [/^contacts\[0\]\.name\b/, "formattedName"], [/^contacts\[0\]\.phones\b/, "phones"],
  [/^contacts\[0\]\.org\b/, "company"], [/^contacts\[0\]\.emails\b/, "email"],
];

/** @param {Kind} kind @param {Values} values @returns {Errors} */
function check(kind, values) {
  const required = (/** @type {string} */ value) => (value.trim() ? null : t("required"));
  if (kind === "location") return placeErrors(values, false);
  if (kind === "contacts") return { formattedName: required(values.formattedName), phones: required(values.phones) };
  return { source: sourceError(values.source) };
}

/** Returns the object in the Cloud API's shape. @param {Kind} kind @param {Values} values */
function content(kind, values) {
  const text = (/** @type {string} */ name, /** @type {string} */ value) => (value.trim() ? { [name]: value.trim() } : {});
  switch (kind) {
    case "image":
    case "video": return { ...asset(values.source), ...text("caption", values.caption) };
    case "document": return { ...asset(values.source), ...text("caption", values.caption), ...text("filename", values.filename) };
    case "audio": return { ...asset(values.source), ...(values.voice && { voice: true }) };
    case "sticker": return asset(values.source);
    case "location": return {
      latitude: degrees(values.latitude), longitude: degrees(values.longitude), ...text("name", values.name), ...text("address", values.address),
    };
    default: {
      const name = values.formattedName.trim();
      const phones = values.phones.split("\n").map((phone) => phone.trim()).filter(Boolean).map((phone) => ({ phone }));
      return [{
        name: { formatted_name: name, first_name: name },
        phones,
        ...(values.company.trim() && { org: { company: values.company.trim() } }),
        ...(values.email.trim() && { emails: [{ email: values.email.trim() }] }),
      }];
    }
  }
}

/** @param {{onSend: (request: Record<string, any>) => Promise<void>, onClose: () => void}} props */
export default function Attachment({ onSend, onClose }) {
  const [kind, setKind] = useState(/** @type {Kind} */ ("image"));
  const [values, setValues] = useState(EMPTY);
  const [errors, setErrors] = useState(/** @type {Errors} */ ({}));
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const [send, { busy, error, clear }] = useAction(async () => {
    const found = check(kind, values);
    setErrors(found);
    if (Object.values(found).some(Boolean)) {
      focusError();
      return;
    }
    try {
      await onSend({ type: kind, [kind]: content(kind, values) });
    } catch (failure) {
      const message = failure instanceof Error ? failure.message : "";
      const field = MEMBERS.find(([pattern]) => pattern.test(message))?.[1];
      if (!field) throw failure;
      setErrors({ [field]: message });
      focusError();
      return;
    }
    onClose();
  });
  const focusError = () => requestAnimationFrame(() => /** @type {HTMLElement | null | undefined} */ (form.current?.querySelector("[aria-invalid]"))?.focus());
  const set = (/** @type {Partial<Values>} */ change) => {
    setValues({ ...values, ...change });
    setErrors({ ...errors, ...Object.fromEntries(Object.keys(change).map((name) => [name, null])) });
    clear();
  };
  const choose = (/** @type {Kind} */ next) => {
    setKind(next);
    setErrors({});
    clear();
  };
  const input = (/** @type {Exclude<keyof Values, "source" | "voice">} */ name) => ({
    value: values[name],
    error: errors[name],
    onInput: (/** @type {any} */ event) => set({ [name]: event.target.value }),
  });
  const isFile = kind !== "location" && kind !== "contacts";
  return html`<${Dialog} title=${t("title")} onClose=${onClose}>
    <form ref=${form} class="stack" noValidate onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); void send(); }}>
      <fieldset class="attachment-kinds">
        <legend class="visually-hidden">${t("kind")}</legend>
        ${KINDS.map(([name, icon]) => html`<label key=${name}>
          <input type="radio" name="kind" checked=${kind === name} onChange=${() => choose(name)} /><span><${Icon} name=${icon} />${t(name)}</span>
        </label>`)}
      </fieldset>
      ${isFile && html`<p class="hint">${t(`${kind}Hint`)}</p>
        <${SourceFields} autofocus source=${values.source} error=${errors.source ?? null} onChange=${(/** @type {Values["source"]} */ source) => set({ source })} />`}
      ${kind === "document" && html`<${Field} label=${t("fileName")} hint=${t("fileNameHint")} dir="auto" maxlength="240" ...${input("filename")} />`}
      ${(kind === "image" || kind === "video" || kind === "document") && html`<${Field} type="textarea" rows="2" label=${t("caption")} hint=${t("captionHint")} dir="auto" ...${input("caption")} />`}
      ${kind === "audio" && html`<${Checkbox} label=${t("voice")} hint=${t("voiceHint")} checked=${values.voice}
        onChange=${(/** @type {any} */ event) => set({ voice: event.target.checked })} />`}
      ${kind === "location" && html`<${PlaceFields} place=${values} errors=${errors} onChange=${set} />`}
      ${kind === "contacts" && html`<${Field} label=${t("contactName")} dir="auto" autocomplete="off" ...${input("formattedName")} />
        <${Field} type="textarea" rows="2" label=${t("phones")} hint=${t("phonesHint")} dir="ltr" inputmode="tel" ...${input("phones")} />
        <${Field} label=${t("company")} hint=${t("captionHint")} dir="auto" autocomplete="off" ...${input("company")} />
        <${Field} label=${t("email")} hint=${t("captionHint")} dir="ltr" inputmode="email" autocomplete="off" ...${input("email")} />`}
      <${ErrorNote} error=${error} />
      <footer>
        <${Button} onClick=${onClose}>${frame("cancel")}<//>
        <${Button} kind="primary" type="submit" icon="send" busy=${busy}>${t("send")}<//>
      </footer>
    </form>
  <//>`;
}

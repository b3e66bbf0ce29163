// The dialog that sends a file, a location, or a contact.

import { useRef, useState } from "preact/hooks";
import { ApiError } from "../api.js";
import { Button, Checkbox, Dialog, ErrorNote, Field, Icon, html, useAction } from "../components.js";
import { t as frame } from "../strings/app.js";
import { t } from "../strings/attachment.js";
import { asset, degrees, NO_PLACE, OWN_FILE, PlaceFields, placeErrors, SourceFields, sourceError } from "./fields.js";
import { kindsOf, mimeType, UNSENDABLE } from "./upload.js";

/** @typedef {import("../components.js").IconName} IconName */
/** @typedef {"image" | "video" | "audio" | "document" | "sticker" | "location" | "contacts"} Kind */

/** @type {[Kind, IconName][]} */
const KINDS = [
  ["image", "image"], ["video", "play"], ["audio", "audio"], ["document", "file"], ["sticker", "emoji"], ["location", "location"],
  ["contacts", "person"],
];

const EMPTY = {
  source: OWN_FILE, file: null, caption: "", filename: "", voice: false, ...NO_PLACE, formattedName: "", phones: "", company: "", email: "",
};
/** @typedef {Omit<typeof EMPTY, "file"> & {file: File | null}} Values */
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
  if (values.source.by === "file") return { source: values.file ? null : t("fileMissing") };
  return { source: sourceError(values.source) };
}

/** Returns what choosing files sets. Only one of them can be sent.
 * @param {File[]} files @param {Kind} kind @returns {{kind: Kind, values: Partial<Values>, errors: Errors}} */
function chosen([first, ...others], kind) {
  const file = first ?? null;
  const kinds = file ? kindsOf(file) : [];
  return {
    kind: kinds.some((one) => one === kind) ? kind : (kinds[0] ?? kind),
    values: { source: OWN_FILE, file, filename: file?.name ?? "" },
    errors: { source: others.length > 0 ? t("oneFile") : null },
  };
}

/** Returns the object in the Cloud API's shape, without the file of this computer. @param {Kind} kind @param {Values} values */
function content(kind, values) {
  const text = (/** @type {string} */ name, /** @type {string} */ value) => (value.trim() ? { [name]: value.trim() } : {});
  const source = values.source.by === "file" ? {} : asset(values.source);
  switch (kind) {
    case "image":
    case "video": return { ...source, ...text("caption", values.caption) };
    case "document": return { ...source, ...text("caption", values.caption), ...text("filename", values.filename) };
    case "audio": return { ...source, ...(values.voice && { voice: true }) };
    case "sticker": return source;
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

/** @param {{files?: File[], onSend: (request: Record<string, any>, file: File | null) => Promise<void>, onClose: () => void}} props
 *   `files`: those that were dropped or pasted */
export default function Attachment({ files = [], onSend, onClose }) {
  const [first] = useState(() => chosen(files, "image"));
  const [kind, setKind] = useState(first.kind);
  const [values, setValues] = useState(/** @type {Values} */ ({ ...EMPTY, ...first.values }));
  const [errors, setErrors] = useState(first.errors);
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const [send, { busy, error, clear }] = useAction(async () => {
    const found = check(kind, values);
    setErrors(found);
    if (Object.values(found).some(Boolean)) {
      focusError();
      return;
    }
    try {
      await onSend({ type: kind, [kind]: content(kind, values) }, file);
    } catch (failure) {
      const message = failure instanceof Error ? failure.message : "";
      const field = failure instanceof ApiError && UNSENDABLE.includes(failure.code) ? "source" : MEMBERS.find(([pattern]) => pattern.test(message))?.[1];
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
  const input = (/** @type {Exclude<keyof Values, "source" | "file" | "voice">} */ name) => ({
    value: values[name],
    error: errors[name],
    onInput: (/** @type {any} */ event) => set({ [name]: event.target.value }),
  });
  const onFile = (/** @type {File[]} */ picked) => {
    const next = chosen(picked, kind);
    setKind(next.kind);
    setValues({ ...values, ...next.values });
    setErrors(next.errors);
    clear();
  };
  const isFile = kind !== "location" && kind !== "contacts";
  const file = isFile && values.source.by === "file" ? values.file : null;
  const isPossible = (/** @type {Kind} */ name) => !file || name === "location" || name === "contacts" || kindsOf(file).includes(name);
  return html`<${Dialog} title=${t("title")} onClose=${onClose}>
    <form ref=${form} class="stack" noValidate onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); void send(); }}>
      <fieldset class="attachment-kinds">
        <legend class="visually-hidden">${t("kind")}</legend>
        ${KINDS.map(([name, icon]) => html`<label key=${name}>
          <input type="radio" name="kind" checked=${kind === name} disabled=${!isPossible(name)} onChange=${() => choose(name)} /><span><${Icon} name=${icon} />${t(name)}</span>
        </label>`)}
      </fieldset>
      ${isFile && html`<p class="hint">${t(`${kind}Hint`)}</p>
        <${SourceFields} autofocus=${files.length === 0} own=${{ file: values.file, hint: t("fileHint"), onFile }} source=${values.source} error=${errors.source ?? null} onChange=${(/** @type {Values["source"]} */ source) => set({ source })} />`}
      ${kind === "document" && html`<${Field} label=${t("fileName")} hint=${file ? null : t("fileNameHint")} dir="auto" maxlength="240" ...${input("filename")} />`}
      ${(kind === "image" || kind === "video" || kind === "document") && html`<${Field} type="textarea" rows="2" label=${t("caption")} hint=${t("captionHint")} dir="auto" autofocus=${files.length > 0} ...${input("caption")} />`}
      ${kind === "audio" && (!file || mimeType(file) === "audio/ogg") && html`<${Checkbox} label=${t("voice")} hint=${t("voiceHint")} checked=${values.voice}
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

// Dialogs for what a message can contain besides text.

import { useEffect, useMemo, useState } from "preact/hooks";
import { upload } from "./api.js";
import { Dialog, Field, html, valueOf } from "./ui.js";
import { t } from "./strings.js";

/** @typedef {(content: Record<string, unknown>) => Promise<boolean>} Send */

/** WhatsApp's stickers are squares of this size, in pixels. */
const STICKER_SIZE = 512;

/**
 * Shows a file before it is sent, with its caption.
 *
 * @param {{file: File, kind: import("./composer.js").FileKind, phoneNumberId: string, send: Send,
 *   actions: import("./types.d.ts").Actions, onClose: () => void}} props
 */
export function FileDialog({ file, kind, phoneNumberId, send, actions, onClose }) {
  const [caption, setCaption] = useState("");
  const [isVoice, setVoice] = useState(file.type.startsWith("audio/ogg"));
  const [isBusy, setBusy] = useState(false);
  const source = useMemo(() => URL.createObjectURL(file), [file]);
  useEffect(() => () => URL.revokeObjectURL(source), [source]);
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const stored = kind === "sticker" ? await sticker(file) : file;
      const id = await upload(stored, phoneNumberId, kind === "document" ? file.name : undefined);
      /** @type {Record<string, unknown>} */
      const media = { id };
      if (kind === "audio") media.voice = isVoice;
      if (caption.trim() && hasCaption(kind)) media.caption = caption;
      if (await send({ type: kind, [kind]: media })) onClose();
    } catch (error) {
      actions.fail(error);
    }
    setBusy(false);
  };
  return html`<${Dialog} title=${t(`send_${kind}`)} onClose=${onClose}>
    <form class="form" onSubmit=${submit}>
      <div class="preview">
        ${kind === "image" || kind === "sticker" ? html`<img src=${source} alt=${file.name} />`
        : kind === "video" ? html`<video src=${source} controls aria-label=${file.name}></video>`
        : kind === "audio" ? html`<audio src=${source} controls aria-label=${file.name}></audio>`
        : html`<p dir="auto" class="strong">${file.name}</p>`}
      </div>
      ${kind === "audio" && html`<label class="check"><input type="checkbox" checked=${isVoice} onChange=${() => setVoice(!isVoice)} />${t("as_voice")}</label>`}
      ${hasCaption(kind) && html`<${Field} label=${t("caption")}>${(/** @type {string} */ id) => html`<input id=${id} dir="auto" value=${caption} onInput=${(/** @type {Event} */ event) => setCaption(valueOf(event))} />`}<//>`}
      <${Footer} onClose=${onClose} isBusy=${isBusy} isFirst=${!hasCaption(kind)} />
    </form>
  <//>`;
}

/** @param {string} kind */
const hasCaption = (kind) => kind === "image" || kind === "video" || kind === "document";

/** The buttons of a form. `isFirst` focuses the one that sends it.
 * @param {{onClose: () => void, isBusy?: boolean, label?: string, isFirst?: boolean}} props */
export function Footer({ onClose, isBusy = false, label, isFirst = false }) {
  return html`<div class="form-footer">
    <button type="button" class="button" onClick=${onClose}>${t("cancel")}</button>
    <button type="submit" class="button primary" disabled=${isBusy} aria-busy=${isBusy} data-focus=${isFirst || undefined}>${label ?? t("send")}</button>
  </div>`;
}

/** Converts an image to a sticker: WebP, with its content in a square. A WebP file stays as it is.
 * @param {File} file @returns {Promise<Blob>} */
async function sticker(file) {
  if (file.type === "image/webp") return file;
  const image = await createImageBitmap(file);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = STICKER_SIZE;
  const scale = Math.min(STICKER_SIZE / image.width, STICKER_SIZE / image.height);
  const [width, height] = [image.width * scale, image.height * scale];
  canvas.getContext("2d")?.drawImage(image, (STICKER_SIZE - width) / 2, (STICKER_SIZE - height) / 2, width, height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob?.type === "image/webp" ? resolve(blob) : reject(new Error(t("no_webp")))), "image/webp", 0.8);
  });
}

/** @param {{send: Send, onClose: () => void}} props */
export function LocationDialog({ send, onClose }) {
  const [place, setPlace] = useState({ latitude: "30.0444", longitude: "31.2357", name: "", address: "" });
  const field = (/** @type {keyof typeof place} */ name, /** @type {Record<string, unknown>} */ attributes = {}) =>
    html`<${Field} label=${t(name)}>${(/** @type {string} */ id) => html`<input id=${id} value=${place[name]} dir="auto" ...${attributes}
      onInput=${(/** @type {Event} */ event) => setPlace({ ...place, [name]: valueOf(event) })} />`}<//>`;
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    /** @type {Record<string, unknown>} */
    const location = { latitude: Number(place.latitude), longitude: Number(place.longitude) };
    if (place.name.trim()) location.name = place.name.trim();
    if (place.address.trim()) location.address = place.address.trim();
    if (await send({ type: "location", location })) onClose();
  };
  const degrees = (/** @type {number} */ most) => ({ type: "number", step: "any", min: -most, max: most, required: true, dir: "ltr" });
  return html`<${Dialog} title=${t("send_location")} onClose=${onClose}>
    <form class="form" onSubmit=${submit}>
      <div class="columns">${field("latitude", degrees(90))} ${field("longitude", degrees(180))}</div>
      ${field("name", { placeholder: t("optional") })} ${field("address", { placeholder: t("optional") })}
      <${Footer} onClose=${onClose} />
    </form>
  <//>`;
}

/** @param {{send: Send, onClose: () => void}} props */
export function ContactDialog({ send, onClose }) {
  const [name, setName] = useState("");
  const [phone, setPhone] = useState("");
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const [first = name, ...last] = name.trim().split(/\s+/);
    const names = { formatted_name: name.trim(), first_name: first, ...(last.length > 0 && { last_name: last.join(" ") }) };
    const phones = [{ phone, wa_id: phone.replace(/\D/g, ""), type: "CELL" }];
    if (await send({ type: "contacts", contacts: [{ name: names, phones }] })) onClose();
  };
  return html`<${Dialog} title=${t("send_contact")} onClose=${onClose}>
    <form class="form" onSubmit=${submit}>
      <${Field} label=${t("contact_name")}>${(/** @type {string} */ id) => html`<input id=${id} required dir="auto" value=${name} onInput=${(/** @type {Event} */ event) => setName(valueOf(event))} />`}<//>
      <${Field} label=${t("contact_number")}>${(/** @type {string} */ id) => html`<input id=${id} required type="tel" dir="ltr" pattern="\\+?[0-9 \\-\\(\\)]{7,20}" placeholder="+20 100 765 4321" value=${phone} onInput=${(/** @type {Event} */ event) => setPhone(valueOf(event))} />`}<//>
      <${Footer} onClose=${onClose} />
    </form>
  <//>`;
}

/** The rows of a list message. @param {{message: import("./types.d.ts").Message, onChoose: (row: any) => void, onClose: () => void}} props */
export function ListDialog({ message, onChoose, onClose }) {
  const [chosen, setChosen] = useState(/** @type {any} */ (null));
  const action = message.interactive?.action ?? {};
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (chosen) onChoose(chosen);
  };
  return html`<${Dialog} title=${action.button ?? t("choose")} onClose=${onClose}>
    <form class="form" onSubmit=${submit}>
      ${(action.sections ?? []).map(
        (/** @type {any} */ section) => html`<fieldset class="rows">
          ${section.title ? html`<legend dir="auto">${section.title}</legend>` : html`<legend class="visually-hidden">${action.button}</legend>`}
          ${(section.rows ?? []).map(
            (/** @type {any} */ row) => html`<label class="row">
              <span><span class="strong" dir="auto">${row.title}</span>${row.description && html`<span class="secondary" dir="auto">${row.description}</span>`}</span>
              <input type="radio" name="row" required checked=${chosen === row} onChange=${() => setChosen(row)} />
            </label>`,
          )}
        </fieldset>`,
      )}
      <${Footer} onClose=${onClose} />
    </form>
  <//>`;
}

/** Asks for the answer of a flow or an address form, whose screens the simulator doesn't have.
 * @param {{message: import("./types.d.ts").Message, onSend: (json: string) => void, onClose: () => void}} props */
export function FlowDialog({ message, onSend, onClose }) {
  const token = message.interactive?.action?.parameters?.flow_token;
  const isAddress = message.interactive?.type === "address_message";
  const example = isAddress ? { values: { name: "Mona", city: "Cairo" } } : { flow_token: token ?? "unused", answer: "yes" };
  const [text, setText] = useState(JSON.stringify(example, null, 2));
  const [problem, setProblem] = useState(false);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      onSend(JSON.stringify(JSON.parse(text)));
    } catch {
      setProblem(true);
    }
  };
  return html`<${Dialog} title=${t("flow_title")} onClose=${onClose}>
    <form class="form" onSubmit=${submit}>
      <${Field} label=${t("flow_json")} hint=${problem ? html`<span class="problem" role="alert">${t("not_json")}</span>` : t("flow_hint")}>
        ${(/** @type {string} */ id) => html`<textarea id=${id} rows="6" dir="ltr" class="code" value=${text} onInput=${(/** @type {Event} */ event) => setText(valueOf(event))}></textarea>`}
      <//>
      <${Footer} onClose=${onClose} />
    </form>
  <//>`;
}

// The list of approved templates, and the dialog that fills one in and sends it.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ApiError } from "../api.js";
import { Badge, Button, Dialog, Empty, ErrorNote, Field, Icon, IconButton, Loading, html, useAction } from "../components.js";
import { isolate, language } from "../i18n.js";
import { t as frame } from "../strings/app.js";
import { t as attachment } from "../strings/attachment.js";
import { t as inbox } from "../strings/inbox.js";
import { t } from "../strings/templates.js";
import { PlaceFields, SourceFields } from "./fields.js";
import { build, check, emptyValues, fill, inputs, problem } from "./template-model.js";
import { templatesOf } from "./templates.js";
import { formatted } from "./text.js";
import { announce, UNSENDABLE, upload } from "./upload.js";

/** @typedef {import("../types").Session} Session */
/** @typedef {import("./template-model.js").Input} Input */
/** @typedef {import("./template-model.js").Template} Template */
/** @typedef {import("./template-model.js").Values} Values */

/** The categories of templates that a send can name. */
const CATEGORIES = ["marketing", "utility", "authentication"];
/** How many are shown at first, and more each time. */
const PAGE = 40;

/** @param {string} code such as `en_US` */
function languageName(code) {
  try {
    return new Intl.DisplayNames([language()], { type: "language" }).of(code.replace("_", "-")) ?? code;
  } catch {
    return code;
  }
}

/** @param {string} category */
function categoryName(category) {
  switch (category?.toUpperCase()) {
    case "MARKETING": return t("marketing");
    case "UTILITY": return t("utility");
    case "AUTHENTICATION": return t("authentication");
    default: return category;
  }
}

/** @param {Template} template @param {string} type */
const componentOf = (template, type) => template.components?.find((component) => component.type?.toUpperCase() === type);

/** The templates of a session. `onWorker` is called if the session is a linked device's, which has none.
 * @param {{session: Session, onChoose: (template: Template) => void, onWorker?: () => void, autofocus?: boolean}} props */
export function TemplateList({ session, onChoose, onWorker, autofocus = false }) {
  const [templates, setTemplates] = useState(/** @type {Template[] | null} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [query, setQuery] = useState("");
  const [code, setCode] = useState("");
  const [category, setCategory] = useState("");
  const [count, setCount] = useState(PAGE);
  const isMounted = useRef(true);
  const load = async (/** @type {boolean} */ isFresh) => {
    setError(null);
    setTemplates(null);
    try {
      const found = await templatesOf(session.id, isFresh);
      if (isMounted.current) setTemplates(found);
    } catch (failure) {
      if (!isMounted.current) return;
      setError(failure);
      if (failure instanceof ApiError && failure.code === "worker_session") onWorker?.();
    }
  };
  useEffect(() => {
    void load(false);
    return () => {
      isMounted.current = false;
    };
  }, []);
  useEffect(() => setCount(PAGE), [query, code, category]);
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    if (autofocus && templates) list.current?.querySelector("input")?.focus();
  }, [templates]);

  if (error) return html`<${ErrorNote} error=${error} onRetry=${() => load(true)} />`;
  if (!templates) return html`<${Loading} />`;
  if (templates.length === 0) {
    return html`<${Empty} icon="template" title=${t("none")}><${Button} icon="refresh" onClick=${() => load(true)}>${t("refresh")}<//><//>`;
  }
  const codes = [...new Set(templates.map((template) => template.language))].sort();
  const categories = [...new Set(templates.map((template) => template.category))].sort();
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = templates.filter((template) => {
    const text = `${template.name} ${template.name.replaceAll("_", " ")} ${componentOf(template, "BODY")?.text ?? ""}`.toLowerCase();
    return (!code || template.language === code) && (!category || template.category === category) && words.every((word) => text.includes(word));
  });
  return html`<div class="template-list" ref=${list}>
    <div class="template-filters">
      <${Field} class="template-search" type="search" label=${t("search")} hideLabel placeholder=${t("search")} autocomplete="off" dir="auto"
        value=${query} onInput=${(/** @type {any} */ event) => setQuery(event.target.value)} />
      ${codes.length > 1 && html`<${Field} type="select" label=${t("language")} hideLabel value=${code} onChange=${(/** @type {any} */ event) => setCode(event.target.value)}>
        <option value="">${t("language")}: ${t("all")}</option>
        ${codes.map((one) => html`<option key=${one} value=${one} selected=${one === code}>${languageName(one)}</option>`)}
      <//>`}
      ${categories.length > 1 && html`<${Field} type="select" label=${t("category")} hideLabel value=${category} onChange=${(/** @type {any} */ event) => setCategory(event.target.value)}>
        <option value="">${t("category")}: ${t("all")}</option>
        ${categories.map((one) => html`<option key=${one} value=${one} selected=${one === category}>${categoryName(one)}</option>`)}
      <//>`}
      <${IconButton} icon="refresh" label=${t("refresh")} onClick=${() => load(true)} />
    </div>
    ${shown.length === 0 && html`<p class="muted template-none" role="status">${t("noMatch")}</p>`}
    <ul>${shown.slice(0, count).map((template) => html`<${TemplateItem} key=${template.id} template=${template} onChoose=${onChoose} />`)}</ul>
    ${shown.length > count && html`<${Button} onClick=${() => setCount(count + PAGE)}>${t("more")}<//>`}
  </div>`;
}

/** @param {{template: Template, onChoose: (template: Template) => void}} props */
function TemplateItem({ template, onChoose }) {
  const reason = useMemo(() => problem(template), [template]);
  const content = html`
    <span class="template-head"><code dir="ltr">${template.name}</code><${Badge}>${languageName(template.language)}<//>
      <span class="muted small">${categoryName(template.category)}</span></span>
    <span class="template-text" dir="auto">${componentOf(template, "BODY")?.text}</span>
    ${reason && html`<span class="template-reason small"><${Icon} name="info" />${t("cantFill")}: ${reason} ${t("sendThroughApi")}</span>`}`;
  return html`<li>${reason
    ? html`<div class="template-item unusable">${content}</div>`
    : html`<button type="button" class="template-item" onClick=${() => onChoose(template)}>${content}</button>`}</li>`;
}

/** The dialog that sends a template. Without `initial`, it starts with the list.
 * @param {{session: Session, initial: Template | null, contact: string, isOptedOut: boolean, onSend: (request: Record<string, any>) => Promise<void>, onClose: () => void}} props */
export function TemplateDialog({ session, initial, contact, isOptedOut, onSend, onClose }) {
  const [template, setTemplate] = useState(initial);
  return html`<${Dialog} title=${contact ? t("titleFor", { name: isolate(contact) }) : t("title")} wide onClose=${onClose}>
    ${template
      ? html`<${TemplateForm} key=${template.id} session=${session} template=${template} isOptedOut=${isOptedOut} onSend=${onSend} onClose=${onClose} onBack=${() => setTemplate(null)} />`
      : html`<div><${TemplateList} session=${session} autofocus onChoose=${setTemplate} /></div>`}
  <//>`;
}

/** @param {{session: Session, template: Template, isOptedOut: boolean, onSend: (request: Record<string, any>) => Promise<void>, onClose: () => void, onBack: () => void}} props */
function TemplateForm({ session, template, isOptedOut, onSend, onClose, onBack }) {
  const all = useMemo(() => inputs(template), [template]);
  const category = template.category?.toLowerCase();
  const isRefused = isOptedOut && category === "marketing";
  const [values, setValues] = useState(() => emptyValues(all));
  const [errors, setErrors] = useState(/** @type {Record<string, string>} */ ({}));
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const [progress, setProgress] = useState(/** @type {number | null} */ (null));
  const closed = useRef(new AbortController());
  /** The file that an earlier attempt uploaded. */
  const uploaded = useRef(/** @type {{file: File, id: string} | null} */ (null));
  useEffect(() => {
    // The dialog, which opens later, moves the focus to its first button.
    requestAnimationFrame(() => /** @type {HTMLElement | null | undefined} */ (form.current?.querySelector("input:not([type=radio]), button[type=submit]"))?.focus());
    return () => closed.current.abort();
  }, []);
  const focusError = () => requestAnimationFrame(() => /** @type {HTMLElement | null | undefined} */ (form.current?.querySelector("[aria-invalid]"))?.focus());
  const uploadedId = async (/** @type {File} */ file) => {
    if (uploaded.current?.file !== file) {
      const ticket = await announce(session.id, file);
      setProgress(0);
      try {
        await upload(ticket, file, closed.current.signal, setProgress);
      } finally {
        setProgress(null);
      }
      uploaded.current = { file, id: ticket.media.id };
    }
    return uploaded.current.id;
  };
  const set = (/** @type {string} */ key, /** @type {any} */ value) => {
    setValues({ ...values, [key]: value });
    const same = (/** @type {string} */ name) => name === key || name.startsWith(`${key} `);
    setErrors(Object.fromEntries(Object.entries(errors).filter(([name]) => !same(name))));
  };
  const [send, { busy, error }] = useAction(async () => {
    const found = check(template, all, values);
    setErrors(found);
    if (Object.keys(found).length > 0) {
      focusError();
      return;
    }
    const { header } = values;
    let filled = values;
    if (header?.source?.by === "file") {
      try {
        filled = { ...values, header: { ...header, media: await uploadedId(header.file) } };
      } catch (failure) {
        if (closed.current.signal.aborted) return;
        if (!(failure instanceof ApiError && UNSENDABLE.includes(failure.code))) throw failure;
        setErrors({ header: failure.message });
        focusError();
        return;
      }
    }
    const components = build(template, filled);
    await onSend({
      type: "template",
      // Qasid refuses marketing to a contact who opted out.
      ...(CATEGORIES.includes(category) && { category }),
      template: { name: template.name, language: { code: template.language }, ...(components.length > 0 && { components }) },
    });
    onClose();
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void send();
  };
  return html`<form ref=${form} class="template-form" noValidate onSubmit=${submit}>
    <p class="template-head"><code dir="ltr">${template.name}</code><${Badge}>${languageName(template.language)}<//>
      <span class="muted small">${categoryName(template.category)}</span></p>
    <div class="template-columns">
      <div class="template-fields">
        ${all.length === 0 && html`<p class="muted">${t("nothingToFill")}</p>`}
        ${groups(all).map(({ title, fields }) => html`<fieldset key=${title}>
          <legend>${title}</legend>
          ${fields.map((input) => html`<${InputField} key=${input.key} input=${input} value=${values[input.key]} errors=${errors}
            onChange=${(/** @type {any} */ value) => set(input.key, value)} />`)}
        </fieldset>`)}
      </div>
      <div class="template-preview" aria-label=${t("preview")} role="group">
        <${Preview} template=${template} values=${values} />
      </div>
    </div>
    ${isRefused && html`<p class="note warn">${t("optedOut")}</p>`}
    <${ErrorNote} error=${error} />
    ${progress !== null && html`<div class="upload"><progress max="1" value=${progress} aria-label=${inbox("statusUploading")}></progress></div>`}
    <footer>
      <${Button} icon="back" onClick=${onBack}>${t("back")}<//>
      <span class="spacer"></span>
      <${Button} onClick=${onClose}>${frame("cancel")}<//>
      <${Button} kind="primary" type="submit" icon="send" busy=${busy} disabled=${isRefused}>${t("send")}<//>
    </footer>
  </form>`;
}

/** Groups the inputs by the part of the message. @param {Input[]} all */
function groups(all) {
  /** @type {{title: string, fields: Input[]}[]} */
  const found = [];
  for (const input of all) {
    const title = input.card === null ? t(input.part) : `${t("card", { number: input.card + 1 })}: ${t(input.part)}`;
    const group = found.find((one) => one.title === title);
    if (group) group.fields.push(input);
    else found.push({ title, fields: [input] });
  }
  return found;
}

/** @param {{input: Input, value: any, errors: Record<string, string>, onChange: (value: any) => void}} props */
function InputField({ input, value, errors, onChange }) {
  const error = errors[input.key] ?? null;
  const onInput = (/** @type {any} */ event) => onChange(event.target.value);
  if (input.kind === "media" || input.kind === "document") {
    const own = input.card === null && input.file
      ? { file: value.file, hint: attachment(`${input.file}Hint`), onFile: ([file = null]) => onChange({ ...value, file }) } : undefined;
    const isOwn = value.source.by === "file";
    return html`<${SourceFields} source=${value.source} error=${error} own=${own} onChange=${(/** @type {any} */ source) => onChange({ ...value, source })} />
      ${input.kind === "document" && html`<${Field} label=${attachment("fileName")} hint=${isOwn ? attachment("captionHint") : attachment("fileNameHint")} dir="auto" maxlength="240" value=${value.filename}
        onInput=${(/** @type {any} */ event) => onChange({ ...value, filename: event.target.value })} />`}`;
  }
  if (input.kind === "location") {
    const names = /** @type {const} */ (["latitude", "longitude", "name", "address"]);
    const own = Object.fromEntries(names.map((name) => [name, errors[`${input.key} ${name}`]]));
    return html`<${PlaceFields} place=${value} errors=${own} isComplete onChange=${(/** @type {any} */ change) => onChange({ ...value, ...change })} />`;
  }
  if (input.kind === "expiry") return html`<${Field} type="datetime-local" label=${input.label} error=${error} value=${value} onInput=${onInput} />`;
  const hints = [
    input.kind === "product" && t("productHint"),
    input.kind === "url" && html`${t("urlHint", { url: "" })}<bdi dir="ltr">${input.prefix}</bdi>. `,
    input.example && t("example", { example: isolate(input.example) }),
  ].filter(Boolean);
  const isText = input.kind === "text";
  return html`<${Field} label=${input.label} hint=${hints.length > 0 && hints} error=${error} dir=${isText ? "auto" : "ltr"} autocomplete="off"
    value=${value} onInput=${onInput} />`;
}

/** The message as the contact gets it. @param {{template: Template, values: Values}} props */
function Preview({ template, values }) {
  const carousel = componentOf(template, "CAROUSEL");
  return html`<${PreviewBubble} components=${template.components} card=${null} values=${values} />
    ${carousel && html`<div class="preview-cards">${carousel.cards.map((/** @type {any} */ card, /** @type {number} */ index) =>
      html`<${PreviewBubble} key=${index} components=${card.components ?? []} card=${index} values=${values} />`)}</div>`}`;
}

/** @param {{components: any[], card: number | null, values: Values}} props */
function PreviewBubble({ components, card, values }) {
  const find = (/** @type {string} */ type) => components.find((component) => component.type?.toUpperCase() === type);
  const [header, body, footer, offer] = ["HEADER", "BODY", "FOOTER", "LIMITED_TIME_OFFER"].map(find);
  const buttons = find("BUTTONS")?.buttons ?? [];
  return html`<div class="preview-bubble">
    ${header && html`<${PreviewHeader} header=${header} card=${card} values=${values} />`}
    ${offer && html`<p class="preview-offer"><${Icon} name="clock" /><span dir="auto">${offer.limited_time_offer?.text}</span></p>`}
    ${body && html`<p class="preview-body" dir="auto">${filled(fill(body.text ?? "", "body", card, values))}</p>`}
    ${footer?.text && html`<p class="muted small" dir="auto">${footer.text}</p>`}
    ${buttons.length > 0 && html`<ul class="preview-buttons">${buttons.map((/** @type {any} */ button, /** @type {number} */ index) =>
      html`<li key=${index} dir="auto">${button.text ?? "Copy code"}</li>`)}</ul>`}
  </div>`;
}

/** @param {{header: any, card: number | null, values: Values}} props */
function PreviewHeader({ header, card, values }) {
  const format = (header.format ?? "TEXT").toUpperCase();
  if (format === "TEXT") return html`<p class="preview-title" dir="auto">${filled(fill(header.text ?? "", "header", card, values))}</p>`;
  const value = values[`${card === null ? "" : `card ${card} `}header`];
  const icon = format === "LOCATION" ? "location" : format === "DOCUMENT" ? "file" : format === "VIDEO" ? "play" : "image";
  const text = format === "LOCATION" ? value?.name : value?.filename || value?.file?.name || value?.source?.value;
  return html`<div class="preview-media"><${Icon} name=${icon} />${text && html`<span class="small" dir="auto">${text}</span>`}</div>`;
}

/** What stands in for a part of a text while its formatting is found: a private character for each part. */
const FIRST_MARK = 0xe000;

/** Returns a text with its values and WhatsApp's formatting. @param {ReturnType<typeof fill>} parts */
function filled(parts) {
  const marks = parts.filter(({ kind }) => kind !== "literal");
  const text = parts.map((part) => (part.kind === "literal" ? part.text : String.fromCharCode(FIRST_MARK + marks.indexOf(part)))).join("");
  return formatted(text, (literal) => literal.split(/([\ue000-\uf8ff])/).map((piece) => {
    const mark = marks[piece.charCodeAt(0) - FIRST_MARK];
    if (!mark) return piece;
    return html`<mark class=${mark.kind === "value" ? undefined : "missing"}><bdi>${mark.text}</bdi></mark>`;
  }));
}

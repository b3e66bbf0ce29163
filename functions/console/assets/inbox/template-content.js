// A template in a bubble. A message has the name and the parameters only, so the text comes from the list of templates.

import { useEffect, useState } from "preact/hooks";
import { html, Icon } from "../components.js";
import { MEDIA, Media } from "./media.js";
import { t } from "../strings/inbox.js";
import { formatted } from "./text.js";

/** @typedef {import("./templates.js").Template} Template */
/** @typedef {import("./store.js").ShownMessage} ShownMessage */

/** @param {{template: any, message: ShownMessage, load: () => Promise<Template[]>, read: import("./media.js").ReadFile}} props */
export function TemplateContent({ template, message, load, read }) {
  const { body } = message;
  const [known, setKnown] = useState(/** @type {Template | null} */ (null));
  const { name, language, components = [] } = template;
  useEffect(() => {
    let isMounted = true;
    const find = (/** @type {Template[]} */ all) => all.find((one) => one.name === name && one.language === language?.code);
    // Without the list, the name and the parameters are shown.
    load().then((all) => isMounted && setKnown(find(all) ?? null), () => {});
    return () => {
      isMounted = false;
    };
  }, [name, language?.code]);
  const label = html`<p class="labels with-icon"><${Icon} name="template" /><span>${t("template")} · <bdi>${name ?? body}</bdi></span></p>`;
  const [header] = components.find(isHeader)?.parameters ?? [];
  const media = message.media && header?.[header.type]?.media === message.media.id
    ? html`<${Media} type=${MEDIA[header.type] ? header.type : "video"} media=${header[header.type]} message=${message} read=${read} />` : null;
  if (known) return html`${label}<${Filled} template=${known} components=${components} media=${media} />`;
  /** @type {string[]} */
  const parameters = components.flatMap((/** @type {any} */ component) => (component.parameters ?? []).map(textOf));
  return html`${label}${media}
    ${body && body !== name && html`<p class="bubble-text" dir="auto">${formatted(body)}</p>`}
    ${parameters.length > 0 && html`<ol class="parameters">
      ${parameters.map((parameter, index) => html`<li key=${index}><bdi>${parameter}</bdi></li>`)}
    </ol>`}`;
}

/** @param {any} component */
const isHeader = (component) => component.type?.toUpperCase() === "HEADER";

/** Returns the text of a parameter. @param {any} parameter */
function textOf(parameter) {
  const value = parameter[parameter.type];
  if (typeof value === "string") return value;
  return value?.fallback_value ?? value?.filename ?? value?.name ?? value?.link ?? String(parameter.type);
}

/** Returns a text of a template with the parameters of a message. @param {string} text @param {any[]} parameters */
function filled(text, parameters) {
  return text.replace(/\{\{\s*(\w+)\s*\}\}/g, (whole, key) => {
    const parameter = parameters.find(({ parameter_name: name }) => name === key) ?? parameters[Number(key) - 1];
    return parameter ? textOf(parameter) : whole;
  });
}

/** `media` shows the uploaded file of the header. @param {{template: Template, components: any[], media: unknown}} props */
function Filled({ template, components, media }) {
  const own = (/** @type {string} */ type) => template.components.find((component) => component.type?.toUpperCase() === type);
  const given = (/** @type {string} */ type) => components.find((component) => component.type?.toUpperCase() === type)?.parameters ?? [];
  const header = own("HEADER");
  const [source] = given("HEADER");
  const body = own("BODY")?.text;
  const footer = own("FOOTER")?.text;
  /** @type {any[]} */
  const buttons = own("BUTTONS")?.buttons ?? [];
  return html`
    ${header?.text && html`<p dir="auto"><strong>${filled(header.text, given("HEADER"))}</strong></p>`}
    ${media}
    ${header && !header.text && !media && html`<p class="inset with-icon"><${Icon} name="file" /><bdi>${source ? textOf(source) : header.format}</bdi></p>`}
    ${body && html`<p class="bubble-text" dir="auto">${formatted(filled(body, given("BODY")))}</p>`}
    ${footer && html`<p class="small muted" dir="auto">${footer}</p>`}
    ${buttons.length > 0 && html`<ul class="choices buttons">
      ${buttons.map((button, index) => html`<li key=${index} dir="auto">${button.text ?? button.type}</li>`)}
    </ul>`}`;
}

// The panel about a chat's contact or group: addresses, window, consent, export, and erasure.

import { useEffect, useId, useRef, useState } from "preact/hooks";
import { get } from "../api.js";
import { Badge, Button, Confirm, CopyButton, ErrorNote, html, IconButton, useAction } from "../components.js";
import { ago, dateTime, isolate } from "../i18n.js";
import { t } from "../strings/inbox.js";
import { STATUSES } from "./chat-list.js";
import { addressOf, Avatar, Name } from "./parts.js";

/** @typedef {import("../types").Chat} Chat */
/** @typedef {import("./store.js").InboxStore} InboxStore */

/** @param {{store: InboxStore, chat: Chat, rights: {canWrite: boolean, canErase: boolean}, onRename: (chat: Chat) => void,
 *   onClose: () => void}} props */
export default function Contact({ store, chat, rights, onRename, onClose }) {
  const id = useId();
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  const [isErasing, setErasing] = useState(false);
  useEffect(() => {
    const focused = document.activeElement;
    heading.current?.focus();
    return () => {
      if (focused instanceof HTMLElement && focused.isConnected) focused.focus();
    };
  }, []);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") onClose();
  };
  const isGroup = chat.type === "GROUP";
  const address = addressOf(chat);
  return html`<aside class="contact-panel" aria-labelledby=${id} onKeyDown=${onKeyDown}>
    <header><h2 id=${id} ref=${heading} tabindex="-1">${isGroup ? t("groupDetails") : t("contactDetails")}</h2>
      <${IconButton} icon="close" label=${t("closePanel")} onClick=${onClose} /></header>
    <div class="contact">
      <div class="contact-name">
        <${Avatar} id=${chat.id} name=${chat.name} isGroup=${isGroup} />
        <p><strong><${Name}>${chat.name}<//></strong></p>
        ${address !== chat.name && !isGroup && html`<p class="muted"><${Name}>${address}<//></p>`}
        <span class="contact-actions">
          ${rights.canWrite && html`<${Button} class="small" icon="edit" onClick=${() => onRename(chat)}>${t("rename")}<//>`}
          <${CopyButton} text=${address} label=${chat.phone_jid && !isGroup ? t("copyNumber") : t("copyAddress")} />
        </span>
      </div>
      <${Window} chat=${chat} />
      ${!isGroup && html`<${Consent} store=${store} chat=${chat} canWrite=${rights.canWrite} />`}
      <section>
        <h3>${t("about")}</h3>
        <dl class="facts small">
          <dt>${t("status")}</dt><dd>${STATUSES.filter(({ status }) => status === chat.status).map(({ text }) => t(text))}</dd>
          ${chat.username && html`<dt>${t("username")}</dt><dd><bdi dir="ltr">@${chat.username}</bdi></dd>`}
          ${chat.user_id && html`<dt>${t("userId")}</dt><dd><bdi dir="ltr" class="mono">${chat.user_id}</bdi></dd>`}
          ${chat.last_inbound_at && html`<dt>${t("lastInbound")}</dt><dd title=${dateTime(chat.last_inbound_at)}>${ago(chat.last_inbound_at)}</dd>`}
          <dt>${t("since")}</dt><dd>${dateTime(chat.created_at)}</dd>
          <dt>${t("chatId")}</dt><dd><bdi dir="ltr" class="mono">${chat.id}</bdi></dd>
        </dl>
      </section>
      <section>
        <h3>${t("data")}</h3>
        <${Export} chat=${chat} />
        ${rights.canErase && html`<${Button} kind="danger" icon="trash" onClick=${() => setErasing(true)}>${t("erase")}<//>`}
      </section>
    </div>
    ${isErasing && html`<${Confirm} title=${t("eraseTitle")} text=${t("eraseText", { name: isolate(chat.name) })} action=${t("erase")}
      onConfirm=${() => store.eraseChat(chat.id)} onClose=${() => setErasing(false)} />`}
  </aside>`;
}

/** Until when messages other than templates are possible. @param {{chat: Chat}} props */
function Window({ chat }) {
  const [, setCount] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setCount((count) => count + 1), 30_000);
    return () => clearInterval(timer);
  }, []);
  if (chat.type === "GROUP") return null;
  const until = chat.window_until;
  const isOpen = Boolean(until && new Date(until).getTime() > Date.now());
  const isFree = chat.entry_point_until && new Date(chat.entry_point_until).getTime() > Date.now();
  const kind = isOpen ? "good" : until ? "warn" : undefined;
  return html`<section>
    <h3>${t("window")}</h3>
    <p>
      <${Badge} kind=${kind}>${t(isOpen ? "windowOpen" : until ? "windowClosed" : "windowUnknown")}<//>
      ${until && html` <span class="small" title=${dateTime(until)}>${t(isOpen ? "closes" : "closed", { ago: ago(until) })}</span>`}
    </p>
    ${!isOpen && html`<p class="small muted">${t("windowText")}</p>`}
    ${isFree && html`<p class="small muted">${t("entryPoint", { time: dateTime(/** @type {string} */ (chat.entry_point_until)) })}</p>`}
  </section>`;
}

/** @type {Record<string, Parameters<typeof t>[0]>} */
const CONSENT = { granted: "consentGranted", denied: "consentDenied", unknown: "consentUnknown" };
/** @type {Record<string, Parameters<typeof t>[0]>} */
const SOURCES = { api: "consentApi", keyword: "consentKeyword", whatsapp: "consentWhatsApp" };

/** @param {{store: InboxStore, chat: Chat, canWrite: boolean}} props */
function Consent({ store, chat, canWrite }) {
  const { marketing, since, source } = chat.consent;
  const [change, { error }] = useAction((/** @type {string} */ value) => store.updateChat(chat.id, { consent: { marketing: value } }));
  const kind = marketing === "granted" ? "good" : marketing === "denied" ? "warn" : undefined;
  const select = (/** @type {any} */ event) => change(event.target.value);
  const origin = SOURCES[source ?? ""];
  return html`<section>
    <h3 id="consent-label">${t("consent")}</h3>
    ${canWrite
      ? html`<select aria-labelledby="consent-label" value=${marketing} onChange=${select}>
          ${Object.entries(CONSENT).map(([value, text]) =>
            html`<option key=${value} value=${value} selected=${value === marketing}>${t(text)}</option>`)}
        </select>`
      : html`<p><${Badge} kind=${kind}>${t(CONSENT[marketing] ?? "consentUnknown")}<//></p>`}
    ${since && html`<p class="small muted">${origin && `${t(origin)} · `}${dateTime(since)}</p>`}
    <${ErrorNote} error=${error} />
  </section>`;
}

/** Downloads everything that is stored about a chat. @param {{chat: Chat}} props */
function Export({ chat }) {
  const [count, setCount] = useState(0);
  const [run, { busy, error }] = useAction(async () => {
    setCount(0);
    /** @type {{chat?: any, identities?: string[], messages: any[]}} */
    const data = { messages: [] };
    let cursor = null;
    do {
      const page = await get(`/api/chats/${chat.id}/export`, { cursor });
      data.chat = page.chat;
      data.identities = page.identities;
      data.messages.push(...page.messages);
      cursor = page.nextCursor;
      setCount(data.messages.length);
    } while (cursor);
    const url = URL.createObjectURL(new Blob([JSON.stringify(data, null, 2)], { type: "application/json" }));
    const link = Object.assign(document.createElement("a"), { href: url, download: `chat-${chat.id}.json` });
    link.click();
    // The browser has read the data when the download starts.
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  });
  return html`<${Button} icon="file" busy=${busy} onClick=${run}>${busy ? t("exporting", { count }) : t("export")}<//>
    <${ErrorNote} error=${error} />`;
}

// The inbox: the list of chats, the open chat, and a panel beside it.

import { useEffect, useState } from "preact/hooks";
import { hasScope } from "../api.js";
import { Button, Empty, ErrorNote, html, IconButton, Loading } from "../components.js";
import { ChatList, chatItems, STATUSES } from "../inbox/chat-list.js";
import { addressOf, Avatar, directionOf, ErrorStrip, Lazy, MenuButton } from "../inbox/parts.js";
import { storeOf, useStore } from "../inbox/store.js";
import { t } from "../strings/inbox.js";

/** @typedef {import("../types").Caller} Caller */
/** @typedef {import("../types").Chat} Chat */
/** @typedef {import("../types").Message} Message */
/** @typedef {import("../types").Session} Session */
/** @typedef {import("../inbox/store.js").InboxStore} InboxStore */

/** What the panel beside the thread shows. @typedef {{kind: "contact"} | {kind: "trace", message: Message}} Panel */
/** @typedef {{canSend: boolean, canWrite: boolean, canErase: boolean}} Rights */
/** @typedef {{kind: "new", to: string} | {kind: "rename", chat: Chat}} OpenDialog */

/** @type {import("../inbox/store.js").Filter} */
const FIRST = { status: "INBOX", unread: false };

/** Loads the thread. The list of chats is shown without it. */
const loadThread = () => import("../inbox/thread.js");
const loadDialogs = () => import("../inbox/dialogs.js");

/** @param {import("../types").ScreenProps} props */
export default function Inbox({ session, caller, path, reloadSession }) {
  const ownSession = /** @type {Session} */ (session);
  const store = storeOf(ownSession, caller);
  const connection = useStore(store, (current) => current.connection);
  const [to, setTo] = useState(/** @type {string | null} */ (null));
  const [panel, setPanel] = useState(/** @type {Panel | null} */ (null));
  const [dialog, setDialog] = useState(/** @type {OpenDialog | null} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [named = null] = path;
  // The address can name a chat that was merged into another one.
  const openId = useStore(store, () => named && store.resolve(named));
  const rights = { canSend: hasScope(caller, "messages:send"), canWrite: hasScope(caller, "chats:write"), canErase: hasScope(caller, "sessions") };

  useEffect(() => store.start({ onSession: () => void reloadSession(ownSession.id) }), [store]);
  useEffect(() => {
    if (openId !== named) history.replaceState(null, "", `#/inbox/${openId}`);
    if (openId) setTo(null);
    // Details are those of a message of the chat before.
    setPanel((open) => (open?.kind === "contact" && openId ? open : null));
  }, [openId]);
  // So that the first chat opens without delay.
  const isListed = useStore(store, () => store.list(FIRST).chats.length > 0 || store.list(FIRST).isComplete);
  useEffect(() => {
    if (!isListed) return undefined;
    const timer = setTimeout(() => loadThread().catch(() => {}), 1_000);
    return () => clearTimeout(timer);
  }, [isListed]);
  const open = (/** @type {string} */ id) => {
    location.hash = `#/inbox/${id}`;
  };
  const close = () => {
    setTo(null);
    location.hash = "#/inbox";
    // A narrow window shows the list again.
    requestAnimationFrame(() => /** @type {HTMLElement | null} */ (document.querySelector('.chat-rows a[tabindex="0"]'))?.focus());
  };
  const ask = (/** @type {string} */ address) => setDialog({ kind: "new", to: address });
  const rename = (/** @type {Chat} */ chat) => setDialog({ kind: "rename", chat });
  const startNew = (/** @type {string} */ address) => {
    setDialog(null);
    setPanel(null);
    history.replaceState(null, "", "#/inbox");
    window.dispatchEvent(new HashChangeEvent("hashchange"));
    setTo(address);
  };
  const classes = ["inbox-columns", (openId || to) && "has-thread", panel && "has-panel"].filter(Boolean).join(" ");
  return html`<div class="inbox"><div class=${classes}>
    <h1 class="visually-hidden">${t("inbox")}</h1>
    <div class="inbox-side">
      ${connection === "offline" && html`<p class="offline" role="status">${t("offline")}</p>`}
      <${ChatList} store=${store} openId=${openId} ...${rights} onAsk=${ask} onNew=${startNew}
        onRename=${rename} onError=${setError} />
      <${ErrorStrip} error=${error} onDismiss=${() => setError(null)} />
    </div>
    <section class="inbox-thread" aria-label=${t("conversation")}>
      ${openId
        ? html`<${OpenChat} key=${openId} ...${{ store, session: ownSession, caller, rights, panel, close, open }} id=${openId} onPanel=${setPanel}
            onRename=${rename} onError=${setError} />`
        : to
          ? html`<header class="thread-header">
              <${IconButton} class="thread-back" icon="back" label=${t("back")} onClick=${close} />
              <${Avatar} id=${to} name=${to} />
              <div class="thread-title"><h2 dir="ltr">${to}</h2><p class="small muted">${t("newChat")}</p></div>
            </header>
            <${Lazy} load=${loadThread} name="Thread" key=${to} ...${{ store, session: ownSession, caller, to, ...rights }} chat=${null}
              onDetails=${() => {}} onSent=${(/** @type {Chat} */ chat) => open(chat.id)} />`
          : html`<${Empty} icon="inbox" title=${t("chooseChat")}><p>${t("chooseChatText")}</p><//>`}
    </section>
    ${panel && openId && html`<${SidePanel} key=${panel.kind} ...${{ panel, store, session: ownSession, caller, rights }} id=${openId}
      onClose=${() => setPanel(null)}
      onRename=${rename} />`}
    ${dialog && html`<${Lazy} key=${dialog.kind} load=${loadDialogs} name=${dialog.kind === "new" ? "NewChat" : "Rename"} isQuiet
      store=${store} ...${dialog} onClose=${() => setDialog(null)} onNew=${startNew} onOpen=${(/** @type {string} */ id) => {
        setDialog(null);
        open(id);
      }} />`}
  </div></div>`;
}

/** A chat that is open: its header, its messages, and the panel.
 * @param {{store: InboxStore, session: Session, caller: Caller, rights: Rights, panel: Panel | null, id: string, close: () => void,
 *   open: (id: string) => void, onPanel: (panel: Panel | null) => void, onRename: (chat: Chat) => void,
 *   onError: (error: unknown) => void}} props */
function OpenChat({ store, session, caller, rights, panel, id, close, open, onPanel, onRename, onError }) {
  const chat = useStore(store, () => store.chat(id));
  const isErased = useStore(store, () => store.isErased(id));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const load = async () => {
    setError(null);
    try {
      if (!store.chat(id)) await store.findChat(id);
    } catch (failure) {
      setError(failure);
    }
  };
  useEffect(() => {
    void load();
    void store.open(id);
    return () => void store.open(null);
  }, [id]);
  const back = html`<${IconButton} class="thread-back" icon="back" label=${t("back")} onClick=${close} />`;
  if (isErased) return html`<${Empty} icon="trash" title=${t("erased")}><${Button} onClick=${close}>${t("back")}<//><//>`;
  if (error) return html`<header class="thread-header">${back}</header><${ErrorNote} error=${error} onRetry=${load} />`;
  if (!chat) return html`<header class="thread-header">${back}</header><${Loading} />`;
  const address = addressOf(chat);
  const change = (/** @type {any} */ event) => void store.updateChat(chat.id, { status: event.target.value }).catch(onError);
  return html`<header class="thread-header">
      ${back}
      <${Avatar} id=${chat.id} name=${chat.name} isGroup=${chat.type === "GROUP"} />
      <div class="thread-title">
        <h2 dir=${directionOf(chat.name)}>${chat.name}</h2>
        ${chat.type === "GROUP" ? html`<p class="small muted">${t("group")}</p>`
          : address !== chat.name && html`<p class="small muted" dir=${directionOf(address)}>${address}</p>`}
      </div>
      ${rights.canWrite && html`<select class="status-select" aria-label=${t("status")} value=${chat.status} onChange=${change}>
        ${STATUSES.map(({ status, text }) => html`<option key=${status} value=${status} selected=${status === chat.status}>${t(text)}</option>`)}
      </select>`}
      <${IconButton} icon="info" label=${t("openPanel")} aria-pressed=${panel?.kind === "contact"}
        onClick=${() => onPanel(panel?.kind === "contact" ? null : { kind: "contact" })} />
      ${rights.canWrite && html`<${MenuButton} label=${t("chatActions")} items=${chatItems(chat, store, { onRename, onError })} />`}
    </header>
    <${Lazy} load=${loadThread} name="Thread" ...${{ store, session, caller, chat, ...rights }} to=${null}
      onDetails=${(/** @type {Message} */ message) => onPanel({ kind: "trace", message })}
      onSent=${(/** @type {Chat} */ sent) => sent.id !== id && open(sent.id)} />`;
}

/** The panel beside the thread, whose module is loaded when it opens.
 * @param {{panel: Panel, store: InboxStore, session: Session, caller: Caller, rights: Rights, id: string,
 *   onRename: (chat: Chat) => void, onClose: () => void}} props */
function SidePanel({ panel, store, session, caller, rights, id, onRename, onClose }) {
  const chat = useStore(store, () => store.chat(id));
  const thread = useStore(store, () => store.messages(id));
  if (!chat) return null;
  if (panel.kind === "contact") {
    return html`<${Lazy} load=${() => import("../inbox/contact.js")} isQuiet ...${{ store, chat, rights, onRename, onClose }} />`;
  }
  const message = thread.messages.find((candidate) => candidate.id === panel.message.id) ?? panel.message;
  return html`<${Lazy} load=${() => import("../inbox/trace.js")} isQuiet ...${{ session, caller, message, onClose }} />`;
}

// The list of chats: tabs, search, and what can be done with a chat.

import { useEffect, useRef, useState } from "preact/hooks";
import { Badge, Button, Empty, ErrorNote, html, Icon, IconButton, Loading } from "../components.js";
import { number, shortTime } from "../i18n.js";
import { t } from "../strings/inbox.js";
import { addressOf, Avatar, directionOf, memo, MenuButton } from "./parts.js";
import { SEARCH_LIMIT, useStore } from "./store.js";

/** @typedef {import("../components.js").IconName} IconName */
/** @typedef {import("../types").Chat} Chat */
/** @typedef {import("../types").ChatStatus} ChatStatus */
/** @typedef {import("./store.js").Filter} Filter */
/** @typedef {import("./store.js").InboxStore} InboxStore */

/** @type {{status: ChatStatus, text: Parameters<typeof t>[0]}[]} */
export const STATUSES = [
  { status: "INBOX", text: "tabInbox" },
  { status: "PENDING", text: "tabPending" },
  { status: "RESOLVED", text: "tabResolved" },
  { status: "ARCHIVED", text: "tabArchived" },
];

/** The placeholders of previews. @type {Record<string, {icon: IconName, text: Parameters<typeof t>[0]}>} */
const PREVIEWS = {
  "[image]": { icon: "image", text: "image" },
  "[video]": { icon: "play", text: "video" },
  "[audio]": { icon: "play", text: "audio" },
  "[document]": { icon: "file", text: "document" },
  "[sticker]": { icon: "emoji", text: "sticker" },
  "[location]": { icon: "location", text: "location" },
  "[contacts]": { icon: "person", text: "contactCard" },
  "[order]": { icon: "file", text: "orderPreview" },
  "[interactive]": { icon: "inbox", text: "otherMessage" },
  "[template]": { icon: "template", text: "template" },
  "[media_placeholder]": { icon: "image", text: "mediaPlaceholder" },
  "[request_welcome]": { icon: "info", text: "openedChat" },
  "[unsupported message]": { icon: "info", text: "unsupported" },
  "[deleted message]": { icon: "trash", text: "deletedMessage" },
  "[call]": { icon: "call", text: "call" },
  "[missed call]": { icon: "call", text: "missedCall" },
  "[unanswered call]": { icon: "call", text: "unansweredCall" },
};

/** What the search takes for an address rather than a name: a phone number, a JID, or a link with a number. */
const ADDRESSES = [/^\+?[\d\s().-]{5,}$/, /^\S+@(s\.whatsapp\.net|lid|g\.us)$/, /^(tel:|https?:\/\/(wa\.me|api\.whatsapp\.com)\/)/];
/** @param {string} query */
const isAddress = (query) => ADDRESSES.some((form) => form.test(query));

/**
 * @param {{store: InboxStore, openId: string | null, canWrite: boolean, canSend: boolean,
 *   onAsk: (to: string) => void, onNew: (to: string) => void, onRename: (chat: Chat) => void, onError: (error: unknown) => void}} props
 *   `onAsk` asks for the address of a new chat, `onNew` begins one
 */
export function ChatList({ store, openId, canWrite, canSend, onAsk, onNew, onRename, onError }) {
  const [status, setStatus] = useState(/** @type {ChatStatus} */ ("INBOX"));
  const [isUnread, setUnread] = useState(false);
  const [query, setQuery] = useState("");
  const text = query.trim();
  const filter = { status, unread: isUnread };
  return html`<section class="chat-list" aria-label=${t("chats")}>
    <div class="chat-search">
      <${Icon} name="search" />
      <input type="search" value=${query} placeholder=${t("search")} aria-label=${t("search")} dir="auto" autocomplete="off"
        onInput=${(/** @type {any} */ event) => setQuery(event.target.value)}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
          if (event.key === "ArrowDown") {
            event.preventDefault();
            /** @type {HTMLElement | null} */ (document.querySelector(".chat-rows a"))?.focus();
          }
          if (event.key === "Escape") setQuery("");
        }} />
      ${canSend && html`<${IconButton} icon="plus" label=${t("newChat")} onClick=${() => onAsk(isAddress(text) ? text : "")} />`}
    </div>
    ${!text && html`<${Tabs} store=${store} status=${status} isUnread=${isUnread} onSelect=${setStatus} onUnread=${setUnread} />`}
    ${text
      ? html`<${Found} ...${{ store, openId, canWrite, onRename, onError }} query=${text} onNew=${canSend ? onNew : null} />`
      : html`<${Listed} key=${`${status} ${isUnread}`} ...${{ store, openId, canWrite, onRename, onError, filter }} />`}
  </section>`;
}

/** @param {{store: InboxStore, status: ChatStatus, isUnread: boolean, onSelect: (status: ChatStatus) => void,
 *   onUnread: (isUnread: boolean) => void}} props */
function Tabs({ store, status, isUnread, onSelect, onUnread }) {
  useStore(store, ({ version }) => version);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const isRtl = document.documentElement.dir === "rtl";
    const step = event.key === "ArrowRight" ? (isRtl ? -1 : 1) : event.key === "ArrowLeft" ? (isRtl ? 1 : -1) : 0;
    if (!step) return;
    event.preventDefault();
    const index = STATUSES.findIndex((tab) => tab.status === status);
    const next = STATUSES[(index + step + STATUSES.length) % STATUSES.length];
    if (!next) return;
    onSelect(next.status);
    document.getElementById(`tab-${next.status}`)?.focus();
  };
  return html`<div class="chat-tabs">
    <div role="tablist" aria-label=${t("tabs")} onKeyDown=${onKeyDown}>
      ${STATUSES.map((tab) => html`<button type="button" role="tab" id="tab-${tab.status}" key=${tab.status} aria-controls="chats-panel"
        aria-selected=${tab.status === status} tabindex=${tab.status === status ? 0 : -1} onClick=${() => onSelect(tab.status)}>
        ${t(tab.text)}<${Count} list=${store.list({ status: tab.status, unread: false })} />
      </button>`)}
    </div>
    <button type="button" class="chip" aria-pressed=${isUnread} onClick=${() => onUnread(!isUnread)}>${t("unreadOnly")}</button>
  </div>`;
}

/** How many chats a list has, once its pages are read. @param {{list: import("./store.js").ChatList}} props */
function Count({ list }) {
  if (list.chats.length === 0) return null;
  return html` <span class="tab-count">${number(list.chats.length)}${list.isComplete ? "" : "+"}</span>`;
}

/** @typedef {{store: InboxStore, openId: string | null, canWrite: boolean, onRename: (chat: Chat) => void,
 *   onError: (error: unknown) => void}} RowsProps */

/** The chats of a tab. @param {RowsProps & {filter: Filter}} props */
function Listed({ filter, ...props }) {
  const { store } = props;
  const list = useStore(store, () => store.list(filter));
  useEffect(() => {
    if (!list.isComplete && list.chats.length === 0) void store.loadChats(filter);
  }, []);
  // A chat stays in the list of unread chats while it is open.
  const kept = useRef(/** @type {string | null} */ (null));
  if (props.openId && list.chats.some(({ id }) => id === props.openId)) kept.current = props.openId;
  const extra = filter.unread && kept.current === props.openId && props.openId ? store.chat(props.openId) : null;
  const chats = extra && extra.status === filter.status && !list.chats.includes(extra)
    ? [...list.chats, extra].sort((a, b) => ((a.last_message_at ?? "") < (b.last_message_at ?? "") ? 1 : -1))
    : list.chats;
  const isLoading = list.isLoading || (!list.isComplete && chats.length === 0 && !list.error);
  return html`<${Rows} ...${props} chats=${chats} labelledBy=${`tab-${filter.status}`}
    onEnd=${() => void store.loadChats(filter)} hasMore=${!list.isComplete && !list.error}>
    ${isLoading && html`<${chats.length === 0 ? Skeleton : Loading} />`}
    ${list.error && html`<${ErrorNote} error=${list.error} onRetry=${() => store.loadChats(filter)} />`}
    ${list.isComplete && chats.length === 0 && html`<${Empty} icon="inbox"
      title=${filter.unread ? t("noUnread") : t(EMPTY[filter.status ?? "INBOX"])}>
      ${filter.status === "INBOX" && !filter.unread && html`<p>${t("emptyInboxText")}</p>`}
    <//>`}
  <//>`;
}

/** @type {Record<ChatStatus, Parameters<typeof t>[0]>} */
const EMPTY = { INBOX: "emptyInbox", PENDING: "emptyPending", RESOLVED: "emptyResolved", ARCHIVED: "emptyArchived" };

/** Grey rows while the first chats load. */
function Skeleton() {
  return html`<div role="status"><span class="visually-hidden">${t("loadingChats")}</span>
    ${[1, 2, 3, 4, 5, 6].map((row) => html`<div class="chat-row skeleton" key=${row} aria-hidden="true">
      <span class="avatar"></span><span class="bar-1"></span><span class="bar-2"></span>
    </div>`)}
  </div>`;
}

const EVERYTHING = { status: null, unread: false };

/** The chats that a search finds: by address through the API, by name among the chats that were read.
 * @param {RowsProps & {query: string, onNew: ((to: string) => void) | null}} props */
function Found({ query, onNew, ...props }) {
  const { store } = props;
  const all = useStore(store, () => store.list(EVERYTHING));
  const isSearched = all.isComplete || all.chats.length >= SEARCH_LIMIT;
  useEffect(() => {
    if (!isSearched && !all.isLoading && !all.error) void store.loadChats(EVERYTHING);
  });
  const [byAddress, setByAddress] = useState(/** @type {{query: string, chat: Chat | null, error: unknown} | null} */ (null));
  const isNumber = isAddress(query);
  useEffect(() => {
    if (!isNumber) return undefined;
    const abort = new AbortController();
    const timer = setTimeout(async () => {
      try {
        setByAddress({ query, chat: await store.findByAddress(query, abort.signal), error: null });
      } catch (error) {
        if (!abort.signal.aborted) setByAddress({ query, chat: null, error });
      }
    }, 300);
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [query]);
  const wanted = query.toLocaleLowerCase();
  const digits = query.replace(/\D/g, "");
  const named = all.chats.filter((chat) =>
    chat.name.toLocaleLowerCase().includes(wanted) || chat.username?.toLocaleLowerCase().includes(wanted) ||
    (digits.length >= 3 && digits.length >= query.length - 4 && addressOf(chat).includes(digits)));
  const answered = isNumber && byAddress?.query === query ? byAddress : null;
  const exact = answered?.chat ? (store.chat(answered.chat.id) ?? answered.chat) : null;
  const chats = exact ? [exact, ...named.filter(({ id }) => id !== exact.id)] : named;
  const progress = all.isComplete ? "searched" : isSearched ? "searchedMost" : "searching";
  return html`<p class="search-note small muted" role="status">
      ${t("found", { count: chats.length })} ${t(progress, { count: all.chats.length })}
    </p>
    <${Rows} ...${props} chats=${chats} isSearch onEnd=${() => {}} hasMore=${false}>
      ${answered?.error && html`<p class="search-note small" dir="auto">${/** @type {Error} */ (answered.error).message}</p>`}
      ${answered && !answered.error && !exact && html`<div class="search-new">
        <p class="muted">${t("noChatWithNumber")}</p>
        ${onNew && html`<${Button} icon="plus" onClick=${() => onNew(query)}>${t("writeTo")} <bdi dir="ltr">${query}</bdi><//>`}
      </div>`}
      ${chats.length === 0 && !isNumber && isSearched && html`<${Empty} icon="search" title=${t("nothingFound")} />`}
      ${all.error && html`<${ErrorNote} error=${all.error} onRetry=${() => store.loadChats(EVERYTHING)} />`}
    <//>`;
}

/** Rows of chats. The arrow keys, `j`, and `k` move between them.
 * @param {RowsProps & {chats: Chat[], children?: any, labelledBy?: string, isSearch?: boolean, onEnd: () => void, hasMore: boolean}} props */
function Rows({ store, chats, openId, canWrite, isSearch = false, labelledBy, onEnd, hasMore, onRename, onError, children }) {
  const end = useRef(/** @type {HTMLElement | null} */ (null));
  const [focused, setFocused] = useState(/** @type {string | null} */ (null));
  const latest = useRef(onEnd);
  latest.current = onEnd;
  useEffect(() => {
    const element = end.current;
    if (!element || !hasMore) return undefined;
    const observer = new IntersectionObserver((entries) => {
      if (entries.some(({ isIntersecting }) => isIntersecting)) latest.current();
    }, { root: element.closest(".chat-rows"), rootMargin: "400px" });
    observer.observe(element);
    return () => observer.disconnect();
  }, [hasMore, chats.length]);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const keys = /** @type {Record<string, number>} */ ({ ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, Home: -Infinity, End: Infinity });
    const step = keys[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const links = [.../** @type {HTMLElement} */ (event.currentTarget).querySelectorAll("a")];
    const index = links.findIndex((link) => link.parentElement?.contains(document.activeElement));
    links[Math.min(Math.max(index + step, 0), links.length - 1)]?.focus();
  };
  const handlers = useRef({ onRename, onError, setFocused });
  Object.assign(handlers.current, { onRename, onError });
  // One row is in the tab order: the last that had the focus, the open one, or the first.
  const stop = [focused, openId].find((id) => chats.some((chat) => chat.id === id)) ?? chats[0]?.id;
  return html`<div class="chat-rows" id="chats-panel" role=${labelledBy ? "tabpanel" : undefined} aria-labelledby=${labelledBy}>
    ${chats.length > 0 && html`<ul aria-label=${t("chats")} onKeyDown=${onKeyDown}>
      ${chats.map((chat) => html`<${ChatRow} key=${chat.id} chat=${chat} isOpen=${chat.id === openId} isStop=${chat.id === stop}
        isSearch=${isSearch} canWrite=${canWrite} store=${store} handlers=${handlers.current} />`)}
    </ul>`}
    ${children}
    <div ref=${end} class="list-end"></div>
  </div>`;
}

/** @typedef {{onRename: (chat: Chat) => void, onError: (error: unknown) => void, setFocused: (id: string) => void}} RowHandlers */
/** @typedef {{chat: Chat, isOpen: boolean, isStop: boolean, isSearch: boolean, canWrite: boolean, store: InboxStore,
 *   handlers: RowHandlers}} ChatRowProps */

const ChatRow = memo((/** @type {ChatRowProps} */ { chat, isOpen, isStop, isSearch, canWrite, store, handlers }) => {
  const tab = isSearch ? STATUSES.find(({ status }) => status === chat.status) : null;
  return html`<li class="chat-item" onFocusIn=${() => handlers.setFocused(chat.id)}>
    <a class=${chat.is_unread ? "chat-row unread" : "chat-row"} href="#/inbox/${chat.id}" tabindex=${isStop ? 0 : -1}
      aria-current=${isOpen ? "true" : undefined}>
      <${Avatar} id=${chat.id} name=${chat.name} isGroup=${chat.type === "GROUP"} />
      <span class="chat-line">
        <span class="chat-name" dir=${directionOf(chat.name)}>${chat.name}</span>
        ${chat.last_message_at && html`<time class="small" datetime=${chat.last_message_at}>${shortTime(chat.last_message_at)}</time>`}
      </span>
      <span class="chat-line">
        <${Preview} text=${chat.last_message} />
        <span class="chat-marks">
          ${tab && tab.status !== "INBOX" && html`<${Badge}>${t(tab.text)}<//>`}
          ${chat.consent?.marketing === "denied" && html`<${Badge} kind="warn">${t("optedOut")}<//>`}
          ${chat.is_unread && html`<${Unread} count=${chat.unread_count} />`}
        </span>
      </span>
    </a>
    ${canWrite && html`<${MenuButton} label=${t("chatActions")} tabindex=${isStop ? 0 : -1} items=${chatItems(chat, store, handlers)} />`}
  </li>`;
});

/** The number of unread messages, or a dot if the chat was marked as unread. @param {{count: number}} props */
function Unread({ count }) {
  const text = count > 999 ? `${number(999)}+` : count > 0 ? number(count) : "";
  return html`<span class=${text ? "unread-count" : "unread-count dot"}><span aria-hidden="true">${text}</span>
    <span class="visually-hidden">${count > 0 ? t("unreadCount", { count }) : t("markedUnread")}</span>
  </span>`;
}

/** Returns what can be done with a chat. @param {Chat} chat @param {InboxStore} store
 * @param {{onRename: (chat: Chat) => void, onError: (error: unknown) => void}} handlers @returns {import("./parts.js").MenuItem[]} */
export function chatItems(chat, store, { onRename, onError }) {
  const change = (/** @type {Parameters<InboxStore["updateChat"]>[1]} */ update) => () => void store.updateChat(chat.id, update).catch(onError);
  /** @type {{status: ChatStatus, text: Parameters<typeof t>[0], icon: IconName}[]} */
  const moves = [
    { status: "INBOX", text: chat.status === "PENDING" ? "toInbox" : "reopen", icon: "inbox" },
    { status: "RESOLVED", text: "resolve", icon: "check" },
    { status: "PENDING", text: "toPending", icon: "clock" },
    { status: "ARCHIVED", text: "archive", icon: "file" },
  ];
  return [
    ...moves.filter(({ status }) => status !== chat.status).map(({ status, text, icon }) => ({ text: t(text), icon, onSelect: change({ status }) })),
    chat.is_unread
      ? { text: t("markRead"), icon: "check", onSelect: () => void store.markRead(chat.id).catch(onError) }
      : { text: t("markUnread"), icon: "inbox", onSelect: change({ isUnread: true }) },
    { text: t("rename"), icon: "edit", onSelect: () => onRename(chat) },
  ];
}

/** The start of the last message. @param {{text: string | null}} props */
function Preview({ text }) {
  if (!text) return html`<span class="chat-preview">${t("noMessages")}</span>`;
  const placeholder = PREVIEWS[text];
  if (placeholder) return html`<span class="chat-preview"><${Icon} name=${placeholder.icon} />${t(placeholder.text)}</span>`;
  return html`<span class="chat-preview" dir="auto">${text.replace(/\s+/g, " ")}</span>`;
}

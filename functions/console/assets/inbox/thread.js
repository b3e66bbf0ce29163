// The messages of a chat.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { ErrorNote, html, Loading } from "../components.js";
import { day, isolate, number } from "../i18n.js";
import { t } from "../strings/inbox.js";
import { authorName, authorOf, isLine, isShown, Row, summary } from "./bubble.js";
import Composer from "./composer.js";
import { openFile } from "./media.js";
import { ErrorStrip } from "./parts.js";
import { useStore } from "./store.js";
import { templatesOf } from "./templates.js";

/** @typedef {import("../types").Caller} Caller */
/** @typedef {import("../types").Chat} Chat */
/** @typedef {import("../types").Message} Message */
/** @typedef {import("../types").Session} Session */
/** @typedef {import("./bubble.js").BubbleActions} BubbleActions */
/** @typedef {import("./store.js").InboxStore} InboxStore */
/** @typedef {import("./store.js").ShownMessage} ShownMessage */

/** Messages of one sender form a group unless they are further apart, in milliseconds. */
const GROUP_GAP = 5 * 60_000;
/** How far from the newest message the thread still counts as being at its end, in pixels. */
const END = 80;
/** How far from the oldest message older ones are read, in pixels. */
const START = 800;
/** How many messages the browser lays out together. It skips blocks that are out of view, which costs less than to skip each
 * message. */
const BLOCK_SIZE = 12;
/** How many pages are read to find a message that was quoted. */
const JUMP_PAGES = 20;

/** @typedef {{key: string, day: string} | {key: string, unread: number} | {key: string, message: ShownMessage, isFirst: boolean}} Item */

/** Returns the rows of a thread. @param {InboxStore} store @param {ShownMessage[]} messages @param {{before: string | null, count: number}} unread */
function itemsOf(store, messages, unread) {
  /** @type {Item[]} */
  const items = [];
  /** @type {ShownMessage | null} */
  let last = null;
  let date = "";
  for (const message of messages) {
    if (!isShown(message)) continue;
    const at = new Date(message.timestamp);
    const ownDate = at.toDateString();
    const isNewDay = ownDate !== date;
    if (isNewDay) items.push({ key: `day ${ownDate}`, day: message.timestamp });
    date = ownDate;
    const isUnreadStart = unread.before === message.id;
    if (isUnreadStart) items.push({ key: "unread", unread: unread.count });
    const isFirst = isNewDay || isUnreadStart || !last || isLine(message) || isLine(last) || authorOf(last) !== authorOf(message)
      || at.getTime() - new Date(last.timestamp).getTime() > GROUP_GAP;
    items.push({ key: store.rowKey(message), message, isFirst });
    last = message;
  }
  return items;
}

/**
 * Divides rows into blocks. A message stays in its block when others are added before or after it.
 *
 * @param {Item[]} items
 * @param {Map<string, number>} blockOf the blocks of messages by their key, in which new messages are entered
 * @returns {{id: number, items: Item[]}[]}
 */
function blocksOf(items, blockOf) {
  const keys = items.flatMap((item) => ("message" in item ? [item.key] : []));
  const first = keys.findIndex((key) => blockOf.has(key));
  const start = first < 0 ? 0 : first;
  // Blocks are counted from 0 downwards for older messages, and upwards for newer ones.
  let block = first < 0 ? 0 : Number(blockOf.get(keys[first] ?? ""));
  for (let index = start - 1, size = BLOCK_SIZE; index >= 0; index -= 1, size += 1) {
    if (size === BLOCK_SIZE) {
      block -= 1;
      size = 0;
    }
    blockOf.set(keys[index] ?? "", block);
  }
  let size = 0;
  for (const key of keys.slice(start)) {
    const known = blockOf.get(key);
    if (known !== undefined) {
      size = known === block ? size + 1 : 1;
      block = known;
    } else {
      if (size >= BLOCK_SIZE) {
        block += 1;
        size = 0;
      }
      size += 1;
      blockOf.set(key, block);
    }
  }
  /** @type {{id: number, items: Item[]}[]} */
  const blocks = [];
  /** @type {Item[]} */
  let dividers = [];
  for (const item of items) {
    if (!("message" in item)) {
      dividers.push(item);
      continue;
    }
    const id = Number(blockOf.get(item.key));
    let last = blocks.at(-1);
    if (last?.id !== id) {
      last = { id, items: [] };
      blocks.push(last);
    }
    last.items.push(...dividers, item);
    dividers = [];
  }
  // Many messages between two known ones don't fit between their blocks.
  if (new Set(blocks.map(({ id }) => id)).size === blocks.length) return blocks;
  blockOf.clear();
  return blocksOf(items, blockOf);
}

/** The thread of a chat, or of an address without one (`to`), with the composer.
 * @param {{store: InboxStore, session: Session, caller: Caller, chat: Chat | null, to: string | null, canSend: boolean, canWrite: boolean,
 *   onDetails: (message: Message) => void, onSent: (chat: Chat) => void}} props */
export function Thread({ store, session, caller, chat, to, canSend, canWrite, onDetails, onSent }) {
  const target = chat ? chat.id : { to: to ?? "" };
  const thread = useStore(store, () => store.messages(target));
  const scroller = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [replyTo, setReplyTo] = useState(/** @type {Message | null} */ (null));
  const [marked, setMarked] = useState(/** @type {string | null} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [isAtEnd, setAtEnd] = useState(true);
  const [seen, setSeen] = useState(/** @type {string | null} */ (null));
  const [announcement, setAnnouncement] = useState("");
  const [unread, setUnread] = useState({ before: /** @type {string | null} */ (null), count: chat?.unread_count ?? 0 });
  const { messages } = thread;

  // The messages that were unread when the thread was opened start at the divider.
  useEffect(() => {
    if (!thread.isLoaded || unread.before || unread.count === 0) return;
    const received = messages.filter((message) => !message.from_me && isShown(message) && !isLine(message));
    setUnread({ before: received.at(-unread.count)?.id ?? null, count: unread.count });
  }, [thread.isLoaded]);

  // Whoever opened the chat from the list can write, or move between the messages, at once.
  const isReady = thread.isLoaded || !chat;
  useEffect(() => {
    const focused = document.activeElement;
    if (!isReady || (focused && focused !== document.body && !focused.closest(".chat-rows"))) return;
    const field = window.matchMedia("(hover: hover)").matches ? scroller.current?.closest(".inbox-thread")?.querySelector("textarea") : null;
    (field ?? scroller.current)?.focus({ preventScroll: true });
  }, [isReady]);

  useReadMark(store, canWrite ? chat : null, messages, isAtEnd && thread.isLoaded);

  // Announces what the contact writes, and neither older messages nor own ones.
  const { arrival } = thread;
  const isMounted = useRef(false);
  useEffect(() => {
    const isNew = isMounted.current;
    isMounted.current = true;
    if (isNew && arrival && !arrival.from_me && isShown(arrival)) {
      setAnnouncement(t("announcement", { name: isolate(authorName(arrival) ?? chat?.name ?? ""), text: summary(arrival) }));
    }
  }, [arrival]);

  useKeptPosition(scroller, messages);
  useEffect(() => {
    const last = messages.at(-1);
    if (isAtEnd && last) setSeen(store.rowKey(last));
    // What the user just wrote is shown.
    if (last?.sending?.state === "posting" && !isAtEnd) toEnd();
  }, [messages, isAtEnd]);

  const retry = () => void (chat && (thread.isLoaded ? store.loadOlder(chat.id) : store.open(chat.id)));
  const toEnd = () => scroller.current?.scrollTo({ top: 0 });
  const onScroll = () => {
    const element = /** @type {HTMLDivElement} */ (scroller.current);
    setAtEnd(element.scrollTop > -END);
    if (chat && !thread.error && element.scrollHeight - element.clientHeight + element.scrollTop < START) void store.loadOlder(chat.id);
  };
  useEffect(() => {
    // A page that doesn't fill the thread.
    if (chat && thread.isLoaded && !thread.isLoading && !thread.error && thread.hasOlder) onScroll();
  }, [thread]);

  const jump = async (/** @type {string} */ id) => {
    const find = () => /** @type {HTMLElement | undefined} */ ([...(scroller.current?.querySelectorAll(".thread-row") ?? [])].find((row) => {
      const { id: own, wamid } = /** @type {HTMLElement} */ (row).dataset;
      return own === id || wamid === id;
    }));
    for (let page = 0; page < JUMP_PAGES && !find() && chat && store.messages(chat.id).hasOlder && !store.messages(chat.id).error; page += 1) {
      await store.loadOlder(chat.id);
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
    const row = find();
    if (!row) {
      setAnnouncement(t("notFound"));
      setError(new Error(t("notFound")));
      return;
    }
    row.scrollIntoView({ block: "center" });
    row.focus({ preventScroll: true });
    setMarked(row.dataset.id ?? null);
  };
  useEffect(() => {
    if (!marked) return undefined;
    const timer = setTimeout(() => setMarked(null), 2_000);
    return () => clearTimeout(timer);
  }, [marked]);

  const latest = useRef({ jump, onDetails, store });
  latest.current = { jump, onDetails, store };
  /** @type {BubbleActions} */
  const actions = useMemo(() => ({
    canSend,
    templates: async () => (canSend ? templatesOf(session.id) : []),
    reply: setReplyTo,
    react: (message, emoji) => void latest.current.store.react(message, emoji).catch(setError),
    details: (message) => {
      // The focus returns to the row when the details close: its toolbar is gone by then.
      /** @type {HTMLElement | null | undefined} */ (scroller.current?.querySelector(`[data-id="${message.id}"]`))?.focus({ preventScroll: true });
      latest.current.onDetails(message);
    },
    jump: (id) => void latest.current.jump(id),
    readFile: (message) => latest.current.store.readFile(message),
    openFile: (message) => void openFile(message, (of) => latest.current.store.readFile(of)).catch(setError),
    retry: (message) => latest.current.store.retry(message),
    discard: (message) => latest.current.store.discard(message),
    sendAgain: (message) => latest.current.store.sendAgain(message).then(
      () => true,
      (failure) => {
        setError(failure);
        return false;
      },
    ),
  }), [canSend, session.id]);

  const blockOf = useRef(/** @type {Map<string, number>} */ (new Map()));
  const blocks = useMemo(() => blocksOf(itemsOf(store, messages, unread), blockOf.current), [messages, unread]);
  const byId = useMemo(() => {
    /** @type {Map<string, ShownMessage>} */
    const map = new Map();
    for (const message of messages) {
      map.set(message.id, message);
      if (message.wamid) map.set(message.wamid, message);
    }
    return map;
  }, [messages]);
  const lastSeen = isAtEnd ? -1 : messages.findLastIndex((message) => store.rowKey(message) === seen);
  const count = lastSeen < 0 ? 0 : messages.slice(lastSeen + 1).filter((message) => !message.from_me && isShown(message)).length;

  return html`<div class="thread-area">
    <div class="thread" ref=${scroller} tabindex="0" role="region" aria-label=${t("thread")} onScroll=${onScroll} onKeyDown=${moveBetweenRows}>
      <div class="thread-content">
        ${thread.isLoading && html`<${Loading} />`}
        <${ErrorNote} error=${thread.error} onRetry=${retry} />
        ${(!chat || (thread.isLoaded && !thread.hasOlder)) && messages.length === 0 && html`<p class="thread-note">${t("emptyThread")}</p>`}
        <div class="thread-rows" role="log" aria-live="off" aria-label=${t("messages")}>
          ${blocks.map((block) => html`<div class="block" key=${block.id}>${block.items.map((item) => "message" in item
            ? html`<${Row} key=${item.key} message=${item.message} isFirst=${item.isFirst} isGroup=${chat?.type === "GROUP"}
                isMarked=${item.message.id === marked} quoted=${byId.get(item.message.context?.id) ?? null} actions=${actions} />`
            : html`<${Divider} key=${item.key} item=${item} />`)}</div>`)}
        </div>
      </div>
    </div>
    <p class="visually-hidden" role="status" aria-live="polite">${announcement}</p>
    ${!isAtEnd && html`<button type="button" class="to-end" onClick=${toEnd} aria-label=${count > 0 ? t("toEndCount", { count }) : t("toEnd")}>
      <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="m6 9 6 6 6-6" /></svg>
      ${count > 0 && html`<span class="unread-count">${number(count)}</span>`}
    </button>`}
    <${ErrorStrip} error=${error} onDismiss=${() => setError(null)} />
  </div>
  <${Composer} key=${chat?.id ?? to} session=${session} caller=${caller} chat=${chat} to=${to} store=${store} replyTo=${replyTo}
    onCancelReply=${(/** @type {Message | undefined} */ of) => setReplyTo((current) => (of && of !== current ? current : null))}
    onSent=${(/** @type {any} */ sent) => sent?.chat && onSent(sent.chat)} />`;
}

/** @param {{item: {day: string} | {unread: number}}} props */
function Divider({ item }) {
  return "day" in item
    ? html`<div class="thread-row divider"><span>${day(item.day)}</span></div>`
    : html`<div class="thread-row divider unread"><span>${t("unreadDivider", { count: item.unread })}</span></div>`;
}

/** Marks a chat as read while the user sees it, once for each message of the contact.
 * @param {InboxStore} store @param {Chat | null} chat @param {ShownMessage[]} messages @param {boolean} isSeen */
function useReadMark(store, chat, messages, isSeen) {
  const marked = useRef(/** @type {string | null} */ (null));
  const isUnread = chat?.is_unread ?? false;
  const last = messages.findLast((message) => !message.from_me)?.id ?? "none";
  useEffect(() => {
    if (!chat || !isUnread || !isSeen || marked.current === last) return undefined;
    const mark = () => {
      if (document.hidden || !document.hasFocus() || marked.current === last) return;
      marked.current = last;
      // The chat stays unread after a failure. The next message tries again.
      store.markRead(chat.id).catch(() => {});
    };
    mark();
    window.addEventListener("focus", mark);
    document.addEventListener("visibilitychange", mark);
    return () => {
      window.removeEventListener("focus", mark);
      document.removeEventListener("visibilitychange", mark);
    };
  }, [chat?.id, isUnread, isSeen, last]);
}

/** Keeps what the user reads in place while messages are added below it. The browser counts from the end of the thread, so
 * older messages above move nothing. @param {{current: HTMLDivElement | null}} scroller @param {ShownMessage[]} messages */
function useKeptPosition(scroller, messages) {
  const before = useRef({ messages, anchor: /** @type {{row: Element, top: number} | null} */ (null) });
  // The position before this rendering changes it.
  if (before.current.messages !== messages) before.current = { messages, anchor: anchorOf(scroller.current) };
  useLayoutEffect(() => {
    const { anchor } = before.current;
    if (!anchor?.row.isConnected) return;
    const moved = anchor.row.getBoundingClientRect().top - anchor.top;
    if (Math.abs(moved) > 1) /** @type {HTMLDivElement} */ (scroller.current).scrollTop += moved;
  }, [messages]);
}

/** Returns the row in the middle of the view; null at the end of the thread, which stays at its end.
 * @param {HTMLDivElement | null} element */
function anchorOf(element) {
  if (!element || element.scrollTop > -END) return null;
  const box = element.getBoundingClientRect();
  const row = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2)?.closest(".thread-row");
  return row && element.contains(row) ? { row, top: row.getBoundingClientRect().top } : null;
}

/** Moves the focus between messages. @param {KeyboardEvent} event */
function moveBetweenRows(event) {
  const thread = /** @type {HTMLElement} */ (event.currentTarget);
  const target = /** @type {HTMLElement} */ (event.target);
  const current = target.closest(".thread-row");
  if (event.ctrlKey || event.metaKey || event.altKey || (target !== thread && target !== current)) return;
  if (event.key === "Escape" && current) {
    thread.focus();
    return;
  }
  if (event.key === "Enter" && current) {
    event.preventDefault();
    /** @type {HTMLElement | null} */ (current.querySelector('[aria-haspopup="menu"]'))?.click();
    return;
  }
  if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
  const rows = [...thread.querySelectorAll('.thread-row[tabindex="-1"]')];
  const index = current ? rows.indexOf(current) : rows.length;
  const next = /** @type {HTMLElement | undefined} */ (rows[index + (event.key === "ArrowUp" ? -1 : 1)]);
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

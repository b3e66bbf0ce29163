// The chats and messages of the inbox, kept up to date through the changes of the session.

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, call, get, post, subscribe } from "../api.js";
import { t } from "../strings/inbox.js";

/** @typedef {import("../types").Caller} Caller */
/** @typedef {import("../types").Change} Change */
/** @typedef {import("../types").Chat} Chat */
/** @typedef {import("../types").ChatStatus} ChatStatus */
/** @typedef {import("../types").Media} Media */
/** @typedef {import("../types").Message} Message */
/** @typedef {import("../types").Session} Session */
/** @typedef {import("./upload.js").Ticket} Ticket */

/** A message that the API hasn't stored yet. `uploading`: its file is on its way (`progress`: from 0 to 1); `posting`: the message
 * is on its way; `retrying`: the API didn't answer, so the request is repeated; `refused`: it isn't sent unless the user tries again.
 * @typedef {{state: "uploading" | "posting" | "retrying" | "refused", error: ApiError | null, progress?: number}} Sending */

/** A file that is uploaded before its message is sent.
 * @typedef {{file: File, ticket: Ticket, isDone: boolean, abort: AbortController}} Upload */

/** A message of a thread. `sending` is present until the API has stored it.
 * @typedef {Message & {sending?: Sending}} ShownMessage */

/** Where a message goes: the ID of a chat, or an address that has no chat yet.
 * @typedef {string | {to: string}} Target */

/** The result of a send: what the API stored, or why it refused the message.
 * @typedef {{chat: Chat, message: Message, error: null} | {chat: null, message: null, error: ApiError | null}} Sent */

/** What the bubble of a message shows before the API has stored it. Everything is taken from the request if absent.
 * @typedef {{type?: string, body?: string | null, content?: any, media?: Media | null}} Preview */

/**
 * The messages of a chat, oldest first. Objects of messages that didn't change stay the same.
 *
 * @typedef {object} Thread
 * @property {ShownMessage[]} messages
 * @property {boolean} isLoaded
 * @property {boolean} isLoading whether the first or an older page is read
 * @property {boolean} hasOlder
 * @property {unknown} error why the last request failed
 * @property {Message | null} arrival the last message that arrived while the thread was loaded
 */

/** Which chats a list has. `status: null` stands for all.
 * @typedef {{status: ChatStatus | null, unread: boolean}} Filter */

/**
 * The chats of a list, newest message first.
 *
 * @typedef {object} ChatList
 * @property {Chat[]} chats
 * @property {boolean} isComplete whether there are no further pages
 * @property {boolean} isLoading
 * @property {unknown} error why the last request failed
 */

/** @typedef {{filter: Filter, cursor: string | null, oldest: string, isComplete: boolean, isLoading: boolean, error: unknown}} Pages */
/** @typedef {{key: string, body: Record<string, any>, message: ShownMessage, storedAs: string | null, upload: Upload | null}} Outgoing */
/** @typedef {Thread & {cursor: string | null, isStale: boolean, isReading: boolean, stored: Message[], outgoing: Outgoing[]}} ThreadState */

/** The chats that a search by name reads at most. */
export const SEARCH_LIMIT = 1_000;
const CHATS_PER_PAGE = 50;
const MAX_PAGE = 100;
const MESSAGES_PER_PAGE = 50;
/** Seconds until the same request is sent again. */
const RETRY_SECONDS = [1, 2, 4, 8, 15, 30, 30, 30, 30];
/** For how long the changes of a time without the inbox are read, in milliseconds. */
const MAX_ABSENCE = 10 * 60_000;
/** The threads that are kept, and the messages of one that isn't open. */
const MAX_THREADS = 20;
const MAX_KEPT_MESSAGES = 300;
/** How long a list can be older than a change that was reported, in milliseconds. */
const MAX_REQUEST_TIME = 60_000;
/** How long a reaction is shown without WhatsApp's acceptance, in milliseconds. */
const REACTION_PATIENCE = 60_000;

/** @type {Thread} */
const NO_THREAD = { messages: [], isLoaded: false, isLoading: false, hasOlder: false, error: null, arrival: null };

/** @param {string} timestamp */
const second = (timestamp) => timestamp.slice(0, 19);
/** @param {Chat} chat */
const lastAt = (chat) => chat.last_message_at ?? chat.created_at;
/** @param {Filter} filter */
const listKey = ({ status, unread }) => `${status} ${unread}`;
/** Returns the key of the thread of a target. @param {Target} target */
const threadKey = (target) => (typeof target === "string" ? target : `to ${target.to}`);
/** @param {unknown} a @param {unknown} b */
const isEqual = (a, b) => a === b || JSON.stringify(a) === JSON.stringify(b);

/** @type {Map<string, {caller: string, store: InboxStore}>} */
const stores = new Map();

window.addEventListener("beforeunload", (event) => {
  if ([...stores.values()].some(({ store }) => store.hasUnstored())) event.preventDefault();
});

/** Returns the store of a session. It outlives the screen, so that messages are sent while another screen is open. Those of
 * other sessions are kept while they have messages that aren't sent.
 * @param {Session} session @param {Caller} caller */
export function storeOf(session, caller) {
  // A session that was erased and created again has the same ID.
  const name = `${caller.key_id} ${session.id} ${session.created_at}`;
  let entry = stores.get(name);
  if (!entry) {
    for (const [other, { caller: owner, store }] of stores) if (owner !== caller.key_id || !store.hasOutgoing()) stores.delete(other);
    entry = { caller: caller.key_id, store: new InboxStore(session.id) };
    stores.set(name, entry);
  }
  return entry.store;
}

/**
 * Chats and messages, and every request that changes them.
 *
 * Responses and changes can arrive in any order. What a change reports is newer than a list that was requested before the
 * change arrived.
 */
export class InboxStore {
  /** @type {"live" | "offline" | "connecting"} */
  connection = "connecting";
  /** Counts the changes that a screen may show. */
  version = 0;
  #sessionId;
  /** @type {Set<() => void>} */
  #listeners = new Set();
  /** @type {Map<string, Chat>} */
  #chats = new Map();
  /** @type {Map<string, Pages>} */
  #pages = new Map();
  /** @type {Map<string, {version: number, list: ChatList}>} */
  #lists = new Map();
  /** @type {Map<string, ThreadState>} */
  #threads = new Map();
  /** Chats that were merged, and the remaining ones. @type {Map<string, string>} */
  #merged = new Map();
  /** @type {Set<string>} */
  #erased = new Set();
  /** When a chat or message was last reported, to recognize older responses. @type {Map<string, number>} */
  #reported = new Map();
  /** The keys of rows of messages that were shown before they were stored. @type {Map<string, string>} */
  #rowKeys = new Map();
  /** The last request of each thread: messages are stored in the order in which they were written. @type {Map<string, Promise<unknown>>} */
  #queues = new Map();
  /** Own reactions that WhatsApp hasn't accepted yet. @type {Map<string, {emoji: string, until: number}>} */
  #reactions = new Map();
  /** The chat that is open, which is read again after changes were missed. @type {string | null} */
  #open = null;
  /** Counts how often changes were missed: a request from before that is repeated. */
  #round = 0;
  /** The number of the next changes, and when it was read. @type {{next: number | undefined, at: number}} */
  #position = { next: undefined, at: 0 };

  /** @param {string} sessionId */
  constructor(sessionId) {
    this.#sessionId = sessionId;
  }

  /** Follows the changes of the session until the returned function is called.
   * @param {{onSession?: () => void}} [callbacks] `onSession`: the session changed */
  start({ onSession = () => {} } = {}) {
    // After a short time on another screen, the changes since then are read. Otherwise it's less to read the lists again.
    const after = Date.now() - this.#position.at < MAX_ABSENCE ? this.#position.next : undefined;
    if (after === undefined) this.#reset();
    let isCaughtUp = after !== undefined;
    const stop = subscribe(this.#sessionId, {
      after,
      onChanges: (changes) => {
        for (const change of changes) this.#apply(change);
        if (changes.some(({ type }) => type.startsWith("session."))) onSession();
        this.#notify();
      },
      onReload: () => {
        isCaughtUp = false;
        this.#reset();
      },
      onStatus: (status, next) => {
        if (next !== undefined) this.#position = { next, at: Date.now() };
        if (this.connection !== status) {
          this.connection = status;
          this.#notify();
        }
        // What was read before the first response can lack a change that the feed doesn't report any more.
        if (status === "live" && !isCaughtUp) {
          isCaughtUp = true;
          this.#refresh();
        }
      },
    });
    return stop;
  }

  /** Calls `listener` after each change until the returned function is called. @param {() => void} listener */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #notify() {
    this.version += 1;
    for (const listener of this.#listeners) listener();
  }

  /** Reads the first page of every list, and the open thread, without showing that they load. Other threads follow when
   * they are opened. */
  #refresh() {
    this.#round += 1;
    for (const thread of this.#threads.values()) thread.isStale = true;
    // A silent update that fails leaves what is shown. The feed of changes shows that the API can't be reached.
    for (const pages of this.#pages.values()) if (!pages.isLoading) this.#readChats(pages, true).catch(() => {});
    if (this.#open) void this.open(this.#open);
  }

  /** Forgets what can have changed unnoticed, and reads what is shown again. */
  #reset() {
    this.#round += 1;
    const open = this.#open === null ? undefined : this.#chats.get(this.#open);
    this.#chats.clear();
    if (open) this.#chats.set(open.id, open);
    for (const thread of this.#threads.values()) Object.assign(thread, { isLoaded: false, isStale: true });
    const filters = [...this.#pages.values()].map(({ filter }) => filter);
    this.#pages.clear();
    for (const filter of filters) void this.loadChats(filter);
    if (open) {
      this.findChat(open.id).catch(() => {});
      void this.open(open.id);
    }
  }

  // Chats

  /** Returns a chat, also by the ID of one that was merged into it. @param {string} id @returns {Chat | null} */
  chat(id) {
    return this.#chats.get(this.resolve(id)) ?? null;
  }

  /** Returns the ID of the chat that another one was merged into; else the same ID. @param {string} id @returns {string} */
  resolve(id) {
    const remaining = this.#merged.get(id);
    return remaining ? this.resolve(remaining) : id;
  }

  /** Returns whether the chat was erased while the inbox was open. @param {string} id */
  isErased(id) {
    return this.#erased.has(this.resolve(id));
  }

  /** Reads a chat that no list has shown yet. @param {string} id */
  async findChat(id) {
    const { chat } = await get(`/api/chats/${encodeURIComponent(id)}`);
    // An administrator can open the address of another session's chat. An answer would come from the wrong number.
    if (chat.session_id !== this.#sessionId) throw new ApiError(404, "chat_not_found", t("otherSession"), null);
    this.#keepChat(chat);
    this.#notify();
    return /** @type {Chat} */ (chat);
  }

  /** Returns the chat of a phone number, JID, or user ID; null if there is none.
   * @param {string} phone @param {AbortSignal} [signal] @returns {Promise<Chat | null>} */
  async findByAddress(phone, signal) {
    const started = performance.now();
    const { chats } = await get("/api/chats", { sessionId: this.#sessionId, phone }, signal);
    for (const chat of chats) this.#keepChat(chat, started);
    this.#notify();
    return chats[0] ? this.chat(chats[0].id) : null;
  }

  /** Returns the chats that are known to belong to a list. @param {Filter} filter @returns {ChatList} */
  list(filter) {
    const key = listKey(filter);
    const cached = this.#lists.get(key);
    if (cached?.version === this.version) return cached.list;
    const pages = this.#pages.get(key);
    const chats = [...this.#chats.values()].filter(
      (chat) =>
        (filter.status === null || chat.status === filter.status) &&
        (!filter.unread || chat.is_unread) &&
        // A chat that is older than the pages would leave a gap.
        (pages?.isComplete || (pages && lastAt(chat) >= pages.oldest)),
    );
    chats.sort((a, b) => (lastAt(a) < lastAt(b) ? 1 : lastAt(a) > lastAt(b) ? -1 : a.id < b.id ? 1 : -1));
    const same = cached && chats.length === cached.list.chats.length && chats.every((chat, index) => chat === cached.list.chats[index]);
    const list = {
      chats: same ? cached.list.chats : chats,
      isComplete: pages?.isComplete ?? false,
      isLoading: pages?.isLoading ?? false,
      error: pages?.error ?? null,
    };
    this.#lists.set(key, { version: this.version, list });
    return list;
  }

  /** Reads the next page of a list. @param {Filter} filter */
  async loadChats(filter) {
    const key = listKey(filter);
    let pages = this.#pages.get(key);
    if (!pages) {
      pages = { filter, cursor: null, oldest: "9999", isComplete: false, isLoading: false, error: null };
      this.#pages.set(key, pages);
    }
    if (pages.isLoading || pages.isComplete) return;
    pages.isLoading = true;
    pages.error = null;
    this.#notify();
    const round = this.#round;
    try {
      // A page with a filter can be empty although more follow.
      let found = 0;
      for (let page = 0; page < 10 && found === 0 && !pages.isComplete; page += 1) found = await this.#readChats(pages, false);
    } catch (error) {
      pages.error = error;
    } finally {
      pages.isLoading = false;
      this.#notify();
    }
    if (round !== this.#round && !pages.error) this.#readChats(pages, true).catch(() => {});
  }

  /** Reads the next page of a list, or its first one again, and returns its size. @param {Pages} pages @param {boolean} isAgain */
  async #readChats(pages, isAgain) {
    const { status, unread } = pages.filter;
    const started = performance.now();
    const limit = status === null ? MAX_PAGE : CHATS_PER_PAGE;
    const cursor = isAgain ? null : pages.cursor;
    const page = await get("/api/chats", { sessionId: this.#sessionId, status, unread: unread || null, limit, cursor });
    for (const chat of page.chats) this.#keepChat(chat, started);
    if (!isAgain) {
      pages.cursor = page.nextCursor;
      pages.isComplete = page.nextCursor === null;
      const oldest = page.chats.at(-1);
      if (oldest) pages.oldest = lastAt(oldest);
    }
    this.#notify();
    return page.chats.length;
  }

  /** @param {Chat} chat @param {number} [requested] when a list was requested, which can be older than changes */
  #keepChat(chat, requested) {
    if (requested !== undefined && (this.#reported.get(chat.id) ?? -1) > requested) return;
    if (requested === undefined) this.#report(chat.id);
    const known = this.#chats.get(chat.id);
    // Responses to a send have fewer fields.
    const merged = known ? { ...known, ...chat } : chat;
    if (!known || !isEqual(known, merged)) this.#chats.set(chat.id, merged);
    this.#erased.delete(chat.id);
  }

  /** Remembers when a chat or a message was reported. @param {string} id */
  #report(id) {
    const now = performance.now();
    if (this.#reported.size > 2_000) {
      for (const [old, at] of this.#reported) if (now - at > MAX_REQUEST_TIME) this.#reported.delete(old);
    }
    this.#reported.set(id, now);
  }

  /** Changes a chat, at once on the screen. Throws an `ApiError` after a refusal.
   * @param {string} id @param {{status?: ChatStatus, name?: string, isUnread?: boolean, consent?: any}} change */
  async updateChat(id, change) {
    const before = this.#chats.get(id);
    if (before) {
      const shown = { ...before };
      if (change.status) shown.status = change.status;
      if (change.isUnread !== undefined) {
        shown.is_unread = change.isUnread;
        if (!change.isUnread) shown.unread_count = 0;
      }
      this.#chats.set(id, shown);
      this.#notify();
    }
    try {
      const { chat } = await call("PATCH", `/api/chats/${id}`, { body: change });
      this.#keepChat(chat);
    } catch (error) {
      // It can have been erased meanwhile.
      if (before && this.#chats.has(id)) this.#chats.set(id, before);
      throw error;
    } finally {
      this.#notify();
    }
  }

  /** Marks a chat as read, here and at WhatsApp. @param {string} id */
  async markRead(id) {
    const before = this.#chats.get(id);
    if (before) this.#chats.set(id, { ...before, is_unread: false, unread_count: 0 });
    this.#notify();
    try {
      this.#keepChat((await post(`/api/chats/${id}/read`)).chat);
    } catch (error) {
      if (before) this.#chats.set(id, before);
      throw error;
    } finally {
      this.#notify();
    }
  }

  /** Erases a chat. @param {string} id */
  async eraseChat(id) {
    await call("DELETE", `/api/chats/${id}`);
    this.#forget(id);
    this.#notify();
  }

  /** @param {string} id */
  #forget(id) {
    this.#chats.delete(id);
    this.#threads.delete(id);
    this.#erased.add(id);
  }

  // Messages

  /** Returns the messages of a chat, or those that were written to an address without one. @param {Target} target @returns {Thread} */
  messages(target) {
    return this.#threads.get(threadKey(typeof target === "string" ? this.resolve(target) : target)) ?? NO_THREAD;
  }

  /** Returns the key of a message's row, which stays the same when the API stores it. @param {ShownMessage} message */
  rowKey(message) {
    return this.#rowKeys.get(message.id) ?? message.id;
  }

  /** Reads the newest messages of a chat, unless they are up to date. `null` closes it. @param {string | null} id */
  async open(id) {
    this.#open = id;
    this.#dropThreads();
    if (!id) return;
    const thread = this.#thread(id);
    if (thread.isReading || (thread.isLoaded && !thread.isStale)) return;
    await this.#readMessages(id, thread, null);
  }

  /** Forgets threads that are long, or that were opened before many others. Those that are open or send stay. */
  #dropThreads() {
    for (const [key, { stored, outgoing }] of this.#threads) {
      const isDispensable = key !== this.#open && outgoing.length === 0;
      if (isDispensable && (stored.length > MAX_KEPT_MESSAGES || this.#threads.size > MAX_THREADS)) this.#threads.delete(key);
    }
  }

  /** Reads the messages before those that are known. @param {string} id */
  async loadOlder(id) {
    const thread = this.#threads.get(id);
    if (!thread || thread.isReading || !thread.hasOlder) return;
    await this.#readMessages(id, thread, thread.cursor);
  }

  /** @param {string} key @returns {ThreadState} */
  #thread(key) {
    let thread = this.#threads.get(key);
    if (!thread) {
      thread = { ...NO_THREAD, cursor: null, isStale: true, isReading: false, stored: [], outgoing: [] };
      this.#threads.set(key, thread);
    }
    return thread;
  }

  /** Changes a thread. Its identity tells that it changed. @param {string} key @param {Partial<ThreadState>} change */
  #setThread(key, change) {
    const thread = { ...this.#thread(key), ...change };
    if (change.stored || change.outgoing) {
      const waiting = thread.outgoing.filter(({ storedAs }) => !storedAs).map(({ message }) => message);
      thread.messages = waiting.length > 0 ? [...thread.stored, ...waiting] : thread.stored;
    }
    this.#threads.set(key, thread);
  }

  /** @param {string} id @param {ThreadState} before @param {string | null} cursor */
  async #readMessages(id, before, cursor) {
    const started = performance.now();
    const round = this.#round;
    this.#setThread(id, { isReading: true, isLoading: cursor !== null || before.stored.length === 0, error: null });
    this.#notify();
    try {
      const page = await get(`/api/chats/${id}/messages`, { limit: MESSAGES_PER_PAGE, cursor });
      // The chat was erased or merged meanwhile.
      if (!this.#threads.has(id)) return;
      const thread = this.#thread(id);
      const known = new Map(thread.stored.map((message) => [message.id, message]));
      const messages = /** @type {Message[]} */ (page.messages).reverse().map((message) => {
        const shown = this.#withOwnReaction(message);
        const old = known.get(message.id);
        const isNewer = (this.#reported.get(message.id) ?? -1) > started;
        return old && (isNewer || isEqual(old, shown)) ? old : shown;
      });
      const inPage = new Set(messages.map((message) => message.id));
      const others = thread.stored.filter((message) => !inPage.has(message.id));
      if (cursor !== null) {
        this.#setThread(id, { stored: [...messages, ...others], cursor: page.nextCursor, hasOlder: page.nextCursor !== null });
      } else {
        // The newest page again: the older pages stay if nothing can be missing between them and this page.
        const isJoined = others.length < thread.stored.length && before.isLoaded;
        const first = messages[0] ? second(messages[0].timestamp) : "";
        const older = isJoined ? others.filter((message) => second(message.timestamp) <= first) : [];
        const newer = others.filter((message) => (this.#reported.get(message.id) ?? -1) > started && !older.includes(message));
        const { cursor: next, hasOlder } = isJoined ? thread : { cursor: page.nextCursor, hasOlder: page.nextCursor !== null };
        this.#setThread(id, { stored: [...older, ...messages, ...newer], cursor: next, hasOlder, isLoaded: true, isStale: round !== this.#round });
      }
      for (const message of messages) if (!known.has(message.id)) this.#linkOutgoing(id, message);
    } catch (error) {
      if (this.#threads.has(id)) this.#setThread(id, { error });
    } finally {
      if (this.#threads.has(id)) this.#setThread(id, { isReading: false, isLoading: false });
      this.#notify();
    }
    if (round !== this.#round && this.#open === id && !this.#threads.get(id)?.error) await this.open(id);
  }

  /** Reads the file of a message again, with a new URL. @param {Message} message @returns {Promise<Media | null>} */
  async readFile({ id, chat_id: chatId }) {
    const { message } = await get(`/api/messages/${id}`);
    const key = this.resolve(chatId);
    const known = this.#threads.get(key)?.stored.find((candidate) => candidate.id === id);
    // The response has more fields than the messages of a chat.
    if (known) this.#keepMessage({ ...known, media: message.media }, false);
    this.#notify();
    return message.media;
  }

  /** Stores what a change reports about a message. @param {Message} message @param {boolean} isNew */
  #keepMessage(message, isNew) {
    const id = this.resolve(message.chat_id);
    const thread = this.#threads.get(id);
    this.#report(message.id);
    if (!thread) return;
    const shown = this.#withOwnReaction(message);
    const index = thread.stored.findIndex((candidate) => candidate.id === message.id);
    if (index >= 0) {
      if (isEqual(thread.stored[index], shown)) return;
      this.#setThread(id, { stored: thread.stored.with(index, shown) });
      return;
    }
    const oldest = thread.stored[0];
    const isBeforePages = thread.hasOlder && oldest && second(message.timestamp) < second(oldest.timestamp);
    if ((!thread.isLoaded && !thread.isReading) || isBeforePages) return;
    this.#linkOutgoing(id, shown);
    // Messages sort by second, then by arrival.
    const after = thread.stored.findLastIndex((candidate) => second(candidate.timestamp) <= second(message.timestamp));
    this.#setThread(id, { stored: thread.stored.toSpliced(after + 1, 0, shown), ...(isNew ? { arrival: shown } : {}) });
  }

  /** Recognizes a stored message as one that is being sent, before the response says so. @param {string} id @param {Message} message */
  #linkOutgoing(id, message) {
    if (!message.from_me || message.source || this.#rowKeys.has(message.id)) return;
    const { outgoing } = this.#thread(id);
    const index = outgoing.findIndex(
      ({ message: sent, storedAs }) =>
        !storedAs && sent.sending?.state !== "refused" && sent.sending?.state !== "uploading" && sent.timestamp <= after(message.timestamp) &&
        sent.type === message.type && sent.body === message.body && (!sent.media || sent.media.id === message.media?.id),
    );
    const entry = outgoing[index];
    if (entry) this.#link(id, entry, message.id);
  }

  /** @param {string} id @param {Outgoing} entry @param {string | null} storedAs */
  #link(id, entry, storedAs) {
    if (entry.storedAs) this.#rowKeys.delete(entry.storedAs);
    if (storedAs) this.#rowKeys.set(storedAs, entry.message.id);
    this.#replaceOutgoing(id, entry, { ...entry, storedAs });
  }

  /** @param {string} key @param {Outgoing} entry @param {Outgoing | null} replacement */
  #replaceOutgoing(key, entry, replacement) {
    const outgoing = this.#thread(key).outgoing.flatMap((candidate) => (candidate.key === entry.key ? (replacement ?? []) : candidate));
    this.#setThread(key, { outgoing });
  }

  // Sending

  /**
   * Shows a message at once, and sends it until the API has stored or refused it, with one idempotency key. Messages of a
   * chat are stored in the order of the calls, except that they don't wait for uploads.
   *
   * @param {Target} target
   * @param {Record<string, any>} request the body of `POST /api/messages/send` without `sessionId` and `to`
   * @param {Preview} [preview]
   * @param {{file: File, ticket: Ticket}} [source] the file that is uploaded first
   * @returns {Promise<Sent>} also if the API refused the message: then its bubble says why, and offers to send it again
   * @throws {ApiError} if the request is invalid (400). Its bubble is removed. A message with a file keeps its bubble.
   */
  send(target, request, preview = {}, source = undefined) {
    const key = crypto.randomUUID();
    const chatId = typeof target === "string" ? this.resolve(target) : "";
    const to = typeof target === "string" ? (this.#chats.get(chatId)?.remote_id ?? "") : target.to;
    const message = outgoingMessage(`local-${key}`, chatId, request, preview);
    const thread = chatId || threadKey(target);
    const upload = source ? { ...source, isDone: false, abort: new AbortController() } : null;
    // The bubble keeps this URL when the message is stored, so that it doesn't load what it shows.
    if (source) message.media = { ...source.ticket.media, state: "stored", url: URL.createObjectURL(source.file), url_expires_at: null };
    const entry = { key, body: { sessionId: this.#sessionId, to, ...request }, message, storedAs: null, upload };
    this.#setThread(thread, { outgoing: [...this.#thread(thread).outgoing, entry] });
    this.#notify();
    return this.#start(thread, entry);
  }

  /** Sends a refused message again, with the same idempotency key. @param {ShownMessage} message */
  retry(message) {
    for (const [thread, { outgoing }] of this.#threads) {
      const entry = outgoing.find((candidate) => candidate.message.id === message.id);
      if (!entry) continue;
      this.#setSending(thread, entry.key, { state: "posting", error: null });
      this.#notify();
      // The bubble shows the error.
      this.#start(thread, entry).catch(() => {});
    }
  }

  /** Removes a message that is refused, or whose file is being uploaded. @param {ShownMessage} message */
  discard(message) {
    for (const [thread, { outgoing }] of this.#threads) {
      const entry = outgoing.find((candidate) => candidate.message.id === message.id);
      if (!entry) continue;
      this.#replaceOutgoing(thread, entry, null);
      entry.upload?.abort.abort();
      if (entry.upload && entry.message.media?.url) URL.revokeObjectURL(entry.message.media.url);
    }
    this.#notify();
  }

  /** Sends a message that WhatsApp or Qasid failed, as a new message. @param {Message} message */
  sendAgain(message) {
    const object = message.content?.[message.type];
    const request = message.type === "text" && !object ? { message: message.body } : { type: message.type, [message.type]: object };
    const context = message.context?.id ? { context: { message_id: message.context.id } } : {};
    // Without its category, marketing would reach a contact who opted out.
    const kept = { ...(message.category && { category: message.category }), ...(message.reference && { reference: message.reference }) };
    return this.send(message.chat_id, { ...request, ...context, ...kept }, {
      type: message.type, body: message.body, content: message.content, media: message.media ?? null,
    });
  }

  /** Returns whether there are messages that aren't stored, also refused ones. */
  hasOutgoing() {
    return [...this.#threads.values()].some(({ outgoing }) => outgoing.length > 0);
  }

  /** Returns whether messages would be lost if the page were closed. */
  hasUnstored() {
    return [...this.#threads.values()].some(({ outgoing }) => outgoing.some(({ message }) => message.sending?.state !== "refused"));
  }

  /** Uploads a message's file, if it has one, and sends the message. @param {string} thread @param {Outgoing} entry @returns {Promise<Sent>} */
  async #start(thread, { key, upload: source }) {
    if (!source || source.isDone) return this.#enqueue(thread, key);
    const find = () => this.#threads.get(thread)?.outgoing.find((candidate) => candidate.key === key);
    const show = (/** @type {Sending} */ sending) => {
      this.#setSending(thread, key, sending);
      this.#notify();
    };
    show({ state: "uploading", error: null, progress: 0 });
    try {
      const { announce, isOpen, upload } = await import("./upload.js");
      if (!isOpen(source.ticket)) {
        source.ticket = await announce(this.#sessionId, source.file);
        const entry = find();
        if (entry) this.#replaceOutgoing(thread, entry, withMedia(entry, source.ticket.media.id));
      }
      let shown = 0;
      await upload(source.ticket, source.file, source.abort.signal, (progress) => {
        if (progress - shown < 0.01) return;
        shown = progress;
        show({ state: "uploading", error: null, progress });
      });
      source.isDone = true;
    } catch (failure) {
      // Without its entry, the user canceled it or erased the chat.
      if (!find()) return { chat: null, message: null, error: null };
      const error = failure instanceof ApiError ? failure : new ApiError(0, "offline", String(failure), null);
      show({ state: "refused", error });
      return { chat: null, message: null, error };
    }
    show({ state: "posting", error: null });
    return this.#enqueue(thread, key);
  }

  /** @param {string} thread @param {string} key */
  #enqueue(thread, key) {
    const before = this.#queues.get(thread) ?? Promise.resolve();
    const run = before.then(() => this.#post(thread, key));
    this.#queues.set(thread, run.catch(() => {}));
    return run;
  }

  /** @param {string} thread @param {string} key @returns {Promise<Sent>} */
  async #post(thread, key) {
    const find = () => this.#threads.get(thread)?.outgoing.find((candidate) => candidate.key === key);
    for (let attempt = 0; ; attempt += 1) {
      const entry = find();
      // The chat was erased meanwhile.
      if (!entry) return { chat: null, message: null, error: null };
      try {
        const { chat, message } = await post("/api/messages/send", entry.body, { idempotencyKey: key });
        this.#stored(thread, key, { chat, message });
        return { chat, message, error: null };
      } catch (failure) {
        const error = failure instanceof ApiError ? failure : new ApiError(0, "offline", String(failure), null);
        const isTransient = error.status === 0 || error.status === 429 || error.status >= 500;
        const delay = isTransient ? RETRY_SECONDS[attempt] : undefined;
        const current = find();
        if (!current) return { chat: null, message: null, error };
        // The file is to be uploaded again.
        if (current.upload && error.code === "media_not_uploaded") current.upload.isDone = false;
        if (error.status === 400 && !current.upload) {
          this.#replaceOutgoing(thread, current, null);
          this.#notify();
          throw error;
        }
        if (delay === undefined) {
          if (current.storedAs) this.#link(thread, current, null);
          this.#setSending(thread, key, { state: "refused", error });
          this.#notify();
          return { chat: null, message: null, error };
        }
        this.#setSending(thread, key, { state: "retrying", error });
        this.#notify();
        await wait(delay);
      }
    }
  }

  /** @param {string} thread @param {string} key @param {{chat: Chat, message: Message}} response */
  #stored(thread, key, { chat, message }) {
    this.#keepChat(chat);
    const entry = this.#threads.get(thread)?.outgoing.find((candidate) => candidate.key === key);
    if (entry) {
      // Another message was taken for this one.
      if (entry.storedAs && entry.storedAs !== message.id) this.#rowKeys.delete(entry.storedAs);
      this.#rowKeys.set(message.id, entry.message.id);
      this.#replaceOutgoing(thread, entry, null);
      const { sending, ...shown } = entry.message;
      const isKnown = this.#threads.get(chat.id)?.stored.some(({ id }) => id === message.id);
      // The response has fewer fields than the change that follows.
      if (!isKnown) {
        if (!this.#threads.get(chat.id)?.isLoaded) this.#setThread(chat.id, { stored: [], isLoaded: true, isStale: true });
        this.#keepMessage({ ...shown, ...message }, false);
      }
    }
    this.#notify();
  }

  /** @param {string} thread @param {string} key @param {Sending} sending */
  #setSending(thread, key, sending) {
    const entry = this.#threads.get(thread)?.outgoing.find((candidate) => candidate.key === key);
    if (entry) this.#replaceOutgoing(thread, entry, { ...entry, message: { ...entry.message, sending } });
  }

  /** Reacts to a message, or removes the reaction (`""`). Throws an `ApiError` after a refusal.
   * @param {Message} message @param {string} emoji */
  async react(message, emoji) {
    const chat = this.chat(message.chat_id);
    if (!chat) return;
    const before = message.reactions?.find(({ by }) => by === "me")?.emoji ?? "";
    this.#reactions.set(message.id, { emoji, until: Date.now() + REACTION_PATIENCE });
    this.#showReaction(message);
    try {
      const body = { sessionId: this.#sessionId, to: chat.remote_id, type: "reaction", reaction: { message_id: message.id, emoji } };
      await post("/api/messages/send", body, { idempotencyKey: crypto.randomUUID() });
    } catch (error) {
      this.#reactions.set(message.id, { emoji: before, until: Date.now() + REACTION_PATIENCE });
      this.#showReaction(message);
      this.#reactions.delete(message.id);
      throw error;
    }
  }

  /** @param {Message} message */
  #showReaction(message) {
    const id = this.resolve(message.chat_id);
    const current = this.#threads.get(id)?.stored.find((candidate) => candidate.id === message.id);
    if (current) this.#keepMessage(current, false);
    this.#notify();
  }

  /** @param {Message} message @returns {Message} */
  #withOwnReaction(message) {
    const own = this.#reactions.get(message.id);
    if (!own) return message;
    const reported = message.reactions?.find(({ by }) => by === "me")?.emoji ?? "";
    if (reported === own.emoji || Date.now() > own.until) {
      this.#reactions.delete(message.id);
      return message;
    }
    const others = (message.reactions ?? []).filter(({ by }) => by !== "me");
    return { ...message, reactions: own.emoji ? [{ by: "me", emoji: own.emoji, at: new Date().toISOString() }, ...others] : others };
  }

  // Changes

  /** @param {Change} change */
  #apply(change) {
    const id = change.chat_id;
    if (change.type === "chat.merged" && id && change.merged_into) {
      this.#merged.set(id, change.merged_into);
      this.#chats.delete(id);
      this.#threads.delete(id);
      if (change.chat) this.#keepChat(change.chat);
      const remaining = this.#threads.get(change.merged_into);
      if (remaining) this.#setThread(change.merged_into, { isStale: true });
      if (this.#open && this.resolve(this.#open) === this.resolve(id)) void this.open(this.resolve(id));
      return;
    }
    if (change.type === "chat.erased" && id) {
      this.#forget(id);
      return;
    }
    if (change.chat) this.#keepChat(change.chat);
    if (change.message) {
      const isNew = change.type === "message.received" || change.type === "message.created";
      this.#keepMessage(change.message, isNew);
      // A reaction that failed isn't shown any more.
      const target = change.message.content?.reaction?.message_id;
      if (change.type === "message.failed" && change.message.type === "reaction") this.#dropReaction(change.message.chat_id, target);
    } else if (change.type.startsWith("message.") && id && change.message_id) {
      const thread = this.#threads.get(this.resolve(id));
      if (thread) this.#setThread(this.resolve(id), { stored: thread.stored.filter((message) => message.id !== change.message_id) });
    }
  }

  /** @param {string} chatId @param {string | undefined} target */
  #dropReaction(chatId, target) {
    const message = this.#threads.get(this.resolve(chatId))?.stored.find(({ id, wamid }) => id === target || wamid === target);
    if (!message || !this.#reactions.has(message.id)) return;
    this.#reactions.delete(message.id);
    this.#keepMessage({ ...message, reactions: (message.reactions ?? []).filter(({ by }) => by !== "me") }, false);
  }
}

/** Returns the time a minute after `timestamp`, because clocks differ. @param {string} timestamp */
function after(timestamp) {
  return new Date(new Date(timestamp).getTime() + 60_000).toISOString();
}

/** @param {number} seconds */
async function wait(seconds) {
  await new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      resolve(null);
    };
    const timer = setTimeout(done, seconds * 1_000);
    window.addEventListener("online", done);
  });
}

/** Returns an outgoing message with another file. @param {Outgoing} entry @param {string} id @returns {Outgoing} */
function withMedia(entry, id) {
  const { body, message } = entry;
  const object = { ...body[body.type], media: id };
  return { ...entry, body: { ...body, [body.type]: object }, message: { ...message, media: message.media && { ...message.media, id } } };
}

/** Returns a message as it is shown before it is stored.
 * @param {string} id @param {string} chatId @param {Record<string, any>} request @param {Preview} preview @returns {ShownMessage} */
function outgoingMessage(id, chatId, request, preview) {
  const type = preview.type ?? request.type ?? "text";
  const object = request[type];
  const body = preview.body !== undefined ? preview.body : (request.message ?? object?.body ?? object?.caption ?? object?.filename ?? null);
  return {
    id, chat_id: chatId, body, type, from_me: true, username: null, user_id: null, is_sent: false, status: "pending", wamid: null,
    error: null, reference: null, category: request.category ?? null, priority: null, timestamp: new Date().toISOString(),
    media: preview.media ?? null, content: preview.content ?? (object && type !== "text" ? { type, [type]: object } : null),
    context: request.context?.message_id ? { id: request.context.message_id } : null,
    reactions: [], source: null, sending: { state: "posting", error: null },
  };
}

/**
 * Returns a part of the store, and renders again when it changes. `select` must return the same value while it doesn't.
 *
 * @template T
 * @param {InboxStore} store
 * @param {(store: InboxStore) => T} select
 * @returns {T}
 */
export function useStore(store, select) {
  const [, setVersion] = useState(0);
  const selected = select(store);
  const latest = useRef({ select, selected });
  latest.current = { select, selected };
  useEffect(() => {
    const check = () => {
      if (latest.current.select(store) !== latest.current.selected) setVersion((count) => count + 1);
    };
    check();
    return store.subscribe(check);
  }, [store]);
  return selected;
}

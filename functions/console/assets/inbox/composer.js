// The composer under a thread: text, replies, emojis, attachments, templates, and the customer service window.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { ApiError, hasScope, post } from "../api.js";
import { ErrorNote, Icon, IconButton, html } from "../components.js";
import { isolate } from "../i18n.js";
import { t } from "../strings/composer.js";
import { summary } from "./bubble.js";
import { Lazy } from "./parts.js";
import { announce } from "./upload.js";
import { minute, useWindowState, WindowCountdown } from "./window-countdown.js";

/** @typedef {import("../types").Caller} Caller */
/** @typedef {import("../types").Chat} Chat */
/** @typedef {import("../types").Message} Message */
/** @typedef {import("../types").Session} Session */

/** @typedef {import("./store.js").InboxStore} InboxStore */
/**
 * @typedef {object} Props
 * @property {Session} session
 * @property {Caller} caller
 * @property {Chat | null} chat null for a new chat with `to`
 * @property {string | null} [to] the recipient of a new chat
 * @property {InboxStore} store
 * @property {Message | null} [replyTo]
 * @property {(message?: Message) => void} [onCancelReply] for any message, or only if the reply is still to this one
 * @property {(sent: import("./store.js").Sent) => void} [onSent]
 */

/** The maximum length of a text, in characters. */
const TEXT_LIMIT = 4_096;
/** How close to the limit the number of characters is shown. */
const COUNT_FROM = TEXT_LIMIT - 400;
/** WhatsApp shows a typing indicator for 25 seconds. */
const TYPING_INTERVAL = 20_000;
/** Sessions that the API named as those of linked devices. A key without the scope `sessions` can't read that. @type {Set<string>} */
const devices = new Set();
/** Where the drafts of this tab are kept. */
const DRAFTS = "qasid.drafts";

/** A touch keyboard has no Shift+Enter, so Enter starts a new line. */
const isTouch = () => window.matchMedia("(pointer: coarse) and (hover: none)").matches;
/** The number of characters as the API counts them. @param {string} text */
const length = (text) => [...text].length;

/** The drafts if the browser forbids storage: they last until the page is closed. @type {Record<string, string>} */
let unstored = {};

/** Returns the drafts by chat or recipient. @returns {Record<string, string>} */
function drafts() {
  try {
    return JSON.parse(sessionStorage.getItem(DRAFTS) ?? "{}");
  } catch {
    return unstored;
  }
}

/** @param {string} key @param {string} text */
function keepDraft(key, text) {
  const { [key]: _, ...others } = drafts();
  const changed = text.trim() ? { ...others, [key]: text } : others;
  try {
    sessionStorage.setItem(DRAFTS, JSON.stringify(changed));
  } catch {
    unstored = changed;
  }
}

/** @param {Props} props */
export default function Composer(props) {
  const { caller, session } = props;
  if (!hasScope(caller, "messages:send")) {
    return html`<section class="composer" aria-label=${t("composer")}>
      <p class="composer-note"><${Icon} name="info" />${t("readOnly")}</p>
    </section>`;
  }
  if (session.is_connected === false && !session.phone_number_id) {
    return html`<section class="composer" aria-label=${t("composer")}>
      <p class="composer-note"><${Icon} name="link" /><span>${t("notConnected")} ${hasScope(caller, "sessions") && html`<a href="#/connect">${t("connect")}</a>`}</span></p>
    </section>`;
  }
  return html`<${Editor} key=${props.chat?.id ?? props.to} ...${props} />`;
}

/** @param {Props} props */
function Editor({ session, caller, chat, to, store, replyTo = null, onCancelReply = () => {}, onSent = () => {} }) {
  const draft = chat?.id ?? to ?? "";
  const [text, setText] = useState(() => drafts()[draft] ?? "");
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [isEmojiOpen, setEmojiOpen] = useState(false);
  const [dialog, setDialog] = useState(/** @type {{kind: "attachment", files: File[]} | {kind: "template", template: any} | null} */ (null));
  const [announcement, setAnnouncement] = useState("");
  // The end of a window that the API took for closed: this computer's clock can be late.
  const [refusedUntil, setRefusedUntil] = useState(/** @type {string | null} */ (null));
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const closedPanel = useRef(/** @type {HTMLElement | null} */ (null));
  const wasFocused = useRef(false);

  const until = chat?.window_until ?? null;
  const [isDevice, setDevice] = useState(devices.has(session.id));
  const isWorker = isDevice || session.phone_number_id?.startsWith("worker:");
  const clock = useWindowState(session, chat);
  const windowState = isDevice ? "none" : clock === "open" && refusedUntil === until ? "closed" : clock;
  const isClosed = windowState === "closed";
  const sendTyping = useTyping(session, chat);

  const change = (/** @type {string} */ value) => {
    setText(value);
    keepDraft(draft, value);
  };
  const isMounted = useRef(true);
  useEffect(() => () => {
    isMounted.current = false;
  }, []);
  /** @param {Record<string, any>} request @param {{file: File, ticket: import("./upload.js").Ticket}} [source] */
  const deliver = async (request, source) => {
    const sent = await store.send(chat ? chat.id : { to: to ?? "" }, request, previewOf(request), source);
    // After an upload, the user can be somewhere else.
    if (!isMounted.current) return;
    if (sent.error?.code === "outside_service_window") setRefusedUntil(until);
    onSent(sent);
  };
  const context = replyTo ? { context: { message_id: replyTo.id } } : {};
  const over = text.length > COUNT_FROM ? length(text.trim()) - TEXT_LIMIT : -TEXT_LIMIT;
  const canSend = text.trim() !== "" && over <= 0;
  const sendText = async () => {
    if (!canSend) return;
    const body = text.trim();
    change("");
    setError(null);
    setEmojiOpen(false);
    field.current?.focus();
    if (replyTo) onCancelReply();
    // WhatsApp shows the first link of a text if it is asked to.
    const content = /https?:\/\//i.test(body) ? { body, preview_url: true } : { body };
    try {
      await deliver({ type: "text", text: content, ...context });
    } catch (failure) {
      setError(failure);
      if (!drafts()[draft]) change(body);
    }
  };
  const sendAttachment = async (/** @type {Record<string, any>} */ request, /** @type {File | null} */ file) => {
    if (file) {
      const ticket = await announce(session.id, file);
      const { type } = request;
      // The bubble shows the upload, and why it failed.
      deliver({ ...request, [type]: { media: ticket.media.id, ...request[type] }, ...context }, { file, ticket }).catch(setError);
    } else {
      await deliver({ ...request, ...context });
    }
    if (replyTo) onCancelReply(replyTo);
  };
  const attach = (/** @type {File[]} */ files) => setDialog({ kind: "attachment", files });
  const onPaste = (/** @type {ClipboardEvent} */ event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    // Text that was copied from a document can also be there as an image.
    if (files.length === 0 || event.clipboardData?.types.includes("text/plain")) return;
    event.preventDefault();
    attach(files);
  };
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  const isDropTarget = useDrop(root, !isClosed && !dialog, attach);
  const insert = (/** @type {string} */ emoji) => {
    const area = /** @type {HTMLTextAreaElement} */ (field.current);
    const { selectionStart: start, selectionEnd: end } = area;
    change(text.slice(0, start) + emoji + text.slice(end));
    requestAnimationFrame(() => area.setSelectionRange(start + emoji.length, start + emoji.length));
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey && (event.ctrlKey || event.metaKey || !isTouch())) {
      event.preventDefault();
      void sendText();
    } else if (event.key === "Escape" && replyTo) {
      event.stopPropagation();
      onCancelReply();
    }
  };
  const closeEmoji = () => {
    setEmojiOpen(false);
    field.current?.focus();
  };

  useLayoutEffect(() => fit(field.current), [text, isClosed]);
  useEffect(() => {
    const onResize = () => fit(field.current);
    window.addEventListener("resize", onResize);
    return () => window.removeEventListener("resize", onResize);
  }, []);
  useEffect(() => {
    if (replyTo) field.current?.focus();
  }, [replyTo?.id]);
  const before = useRef(windowState);
  useLayoutEffect(() => {
    if (before.current === windowState) return;
    const wasClosed = before.current === "closed";
    before.current = windowState;
    if (isClosed) {
      setAnnouncement(`${t("closed")} ${t("closedText")}`);
      setEmojiOpen(false);
      if (wasFocused.current) closedPanel.current?.focus();
    } else if (wasClosed) {
      setAnnouncement(t("reopened"));
      if (wasFocused.current) field.current?.focus();
    }
  }, [windowState]);

  const onWorker = () => {
    devices.add(session.id);
    setDevice(true);
  };
  const pickTemplate = () => setDialog({ kind: "template", template: null });
  return html`<section ref=${root} class="composer" aria-label=${t("composer")}
    onFocusIn=${() => { wasFocused.current = true; }}
    onFocusOut=${(/** @type {FocusEvent} */ event) => {
      // Removing the focused element has no new target either.
      if (event.relatedTarget) wasFocused.current = /** @type {Element} */ (event.currentTarget).contains(/** @type {Node} */ (event.relatedTarget));
    }}>
    <p class="visually-hidden" role="status">${announcement}</p>
    ${session.paused_reason && html`<div class="composer-note warn">
      <${Icon} name="warning" />
      <div><p>${t("paused")} ${hasScope(caller, "sessions") && html`<a href="#/health">${t("health")}</a>`}</p><p class="small" dir="auto">${session.paused_reason}</p></div>
    </div>`}
    ${isWorker && session.is_connected === false && html`<p class="composer-note warn"><${Icon} name="warning" />${t("workerOffline")}</p>`}
    <${ErrorNote} error=${error} />
    ${isClosed ? html`<div class="window-closed" ref=${closedPanel} tabindex="-1">
        <div class="composer-note"><${Icon} name="clock" />
          <div><p><strong>${until ? t("closedAt", { time: minute(until) }) : t("closed")}</strong></p><p>${t("closedText")}</p></div>
        </div>
        <${Lazy} isQuiet load=${() => import("./template-picker.js")} name="TemplateList" session=${session} onWorker=${onWorker}
          onChoose=${(/** @type {any} */ template) => setDialog({ kind: "template", template })} />
      </div>`
    : html`
      ${windowState === "unknown" && html`<div class="composer-note">
        <${Icon} name="info" />
        <p>${t(chat ? "unknown" : "unknownNew")}
          ${" "}<button type="button" class="text-button" onClick=${pickTemplate}>${t("chooseTemplate")}</button></p>
      </div>`}
      <form class="composer-box" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); void sendText(); }}>
        ${replyTo && html`<${ReplyPreview} message=${replyTo} name=${chat?.name ?? ""} onCancel=${() => { onCancelReply(); field.current?.focus(); }} />`}
        <textarea ref=${field} rows="1" dir="auto" class="composer-text" value=${text} aria-label=${t("message")}
          placeholder=${replyTo ? t("placeholderReply") : t("placeholder")} enterkeyhint=${isTouch() ? "enter" : "send"}
          aria-describedby="composer-hint" aria-invalid=${over > 0 ? "true" : undefined}
          onInput=${(/** @type {any} */ event) => { change(event.target.value); sendTyping(event.target.value); }} onKeyDown=${onKeyDown} onPaste=${onPaste}></textarea>
        <p id="composer-hint" class="visually-hidden">${isTouch() ? "" : t("sendHint")}</p>
        <${Count} over=${over} />
        <div class="composer-tools">
          <${IconButton} icon="emoji" label=${t("emoji")} class="emoji-button" aria-expanded=${isEmojiOpen} aria-haspopup="dialog"
            onClick=${() => setEmojiOpen(!isEmojiOpen)} />
          <${IconButton} icon="attach" label=${t("attach")} aria-haspopup="dialog" onClick=${() => attach([])} />
          ${!isWorker && html`<${IconButton} icon="template" label=${t("template")} aria-haspopup="dialog" onClick=${pickTemplate} />`}
          <span class="spacer"></span>
          ${windowState === "open" && until && html`<${WindowCountdown} until=${until} />`}
          <button type="submit" class="send-button" disabled=${!canSend} aria-label=${t("send")} title=${t("send")}><${Icon} name="send" /></button>
        </div>
        ${isDropTarget && html`<p class="drop-target"><${Icon} name="attach" />${t("drop")}</p>`}
        ${isEmojiOpen && html`<${Lazy} isQuiet load=${() => import("./emoji.js")} onPick=${insert} onClose=${closeEmoji} />`}
      </form>`}
    ${dialog?.kind === "attachment" && html`<${Lazy} isQuiet load=${() => import("./attachment.js")} files=${dialog.files}
      onSend=${sendAttachment} onClose=${() => setDialog(null)} />`}
    ${dialog?.kind === "template" && html`<${Lazy} isQuiet load=${() => import("./template-picker.js")} name="TemplateDialog" session=${session}
      initial=${dialog.template} contact=${chat?.name ?? to ?? ""} isOptedOut=${chat?.consent?.marketing === "denied"} onSend=${deliver} onClose=${() => setDialog(null)} />`}
  </section>`;
}

/** The number of characters over the limit, or left below it. @param {{over: number}} props */
function Count({ over }) {
  if (over <= COUNT_FROM - TEXT_LIMIT) return null;
  return html`<p class=${over > 0 ? "composer-count over" : "composer-count"} role="status">
    ${over > 0 ? t("tooLong", { count: over, limit: TEXT_LIMIT }) : t("count", { count: TEXT_LIMIT + over, limit: TEXT_LIMIT })}
  </p>`;
}

/** The message that the next one answers. @param {{message: Message, name: string, onCancel: () => void}} props */
function ReplyPreview({ message, name, onCancel }) {
  return html`<div class="reply-preview">
    <div>
      <p class="small reply-name" dir="auto">${t("replyTo", { name: message.from_me ? t("you") : name ? isolate(name) : t("contact") })}</p>
      <p class="reply-text" dir="auto">${summary(message)}</p>
    </div>
    <${IconButton} icon="close" label=${t("cancelReply")} onClick=${onCancel} />
  </div>`;
}

/** Returns what the thread shows of a request. @param {Record<string, any>} request @returns {import("./store.js").Preview} */
function previewOf({ type, ...rest }) {
  const object = rest[type];
  const body =
    type === "text" ? object.body
    : type === "template" ? object.name
    : type === "location" ? object.name ?? object.address
    : type === "contacts" ? object.map((/** @type {any} */ contact) => contact.name.formatted_name).join(", ")
    : object.caption ?? object.filename;
  return { type, body: body ?? null, content: { type, [type]: object } };
}

/** Returns a function that shows the contact that someone writes.
 * @param {Session} session @param {Chat | null} chat */
function useTyping(session, chat) {
  const last = useRef(0);
  const isPossible = useRef(true);
  const canType = chat?.last_inbound_at && chat.type === "INDIVIDUAL" && session.is_connected !== false
    && !session.phone_number_id?.startsWith("worker:");
  return (/** @type {string} */ text) => {
    if (!canType || !isPossible.current || !text.trim() || Date.now() - last.current < TYPING_INTERVAL) return;
    last.current = Date.now();
    post(`/api/chats/${chat.id}/typing`).catch((error) => {
      // It can't succeed later either. Any other error concerns one indicator only.
      if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429) isPossible.current = false;
    });
  };
}

/**
 * Takes files that are dropped on the conversation. Elsewhere in it, the browser would leave the console to show them.
 *
 * @param {{current: HTMLElement | null}} root an element of the conversation
 * @param {boolean} isOn
 * @param {(files: File[]) => void} onFiles
 * @returns {boolean} whether files are dragged over the conversation
 */
function useDrop(root, isOn, onFiles) {
  const [isOver, setOver] = useState(false);
  const latest = useRef({ isOn, onFiles });
  latest.current = { isOn, onFiles };
  useEffect(() => {
    const area = /** @type {HTMLElement} */ (root.current?.closest(".inbox-thread") ?? root.current);
    const hasFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
    const onDragOver = (/** @type {DragEvent} */ event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = latest.current.isOn ? "copy" : "none";
      setOver(latest.current.isOn);
    };
    const onDragLeave = (/** @type {DragEvent} */ event) => {
      if (!area.contains(/** @type {Node | null} */ (event.relatedTarget))) setOver(false);
    };
    const onDrop = (/** @type {DragEvent} */ event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(false);
      const files = [...(event.dataTransfer?.files ?? [])];
      if (latest.current.isOn && files.length > 0) latest.current.onFiles(files);
    };
    area.addEventListener("dragover", onDragOver);
    area.addEventListener("dragleave", onDragLeave);
    area.addEventListener("drop", onDrop);
    return () => {
      area.removeEventListener("dragover", onDragOver);
      area.removeEventListener("dragleave", onDragLeave);
      area.removeEventListener("drop", onDrop);
    };
  }, []);
  return isOver && isOn;
}

/** Makes a text area as high as its text, within the limits of its style. @param {HTMLTextAreaElement | null} area */
function fit(area) {
  if (!area) return;
  area.style.blockSize = "auto";
  area.style.blockSize = `${area.scrollHeight + area.offsetHeight - area.clientHeight}px`;
}

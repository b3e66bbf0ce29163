// A message of a thread: a bubble, or a line for what WhatsApp reports.

import { useErrorBoundary, useState } from "preact/hooks";
import { Button, html, Icon, IconButton } from "../components.js";
import { date, dateTime, number, time } from "../i18n.js";
import { t } from "../strings/inbox.js";
import { isHttp, MEDIA, Media } from "./media.js";
import { hue, memo, MenuButton, Name, ReactionRow } from "./parts.js";
import { TemplateContent } from "./template-content.js";
import { formatted, isEmojiOnly, isRightToLeft } from "./text.js";

/** @typedef {import("../components.js").IconName} IconName */
/** @typedef {import("../types").Message} Message */
/** @typedef {import("./store.js").ShownMessage} ShownMessage */

/**
 * What the bubbles of a thread can do. One object for all of them, so that they don't render again.
 *
 * @typedef {object} BubbleActions
 * @property {boolean} canSend
 * @property {() => Promise<import("./templates.js").Template[]>} templates the session's templates, whose texts messages don't have
 * @property {(message: Message) => void} reply
 * @property {(message: Message, emoji: string) => void} react
 * @property {(message: Message) => void} details
 * @property {(id: string) => void} jump scrolls to a message, by Qasid's or WhatsApp's ID
 * @property {import("./media.js").ReadFile} readFile
 * @property {(message: ShownMessage) => void} openFile
 * @property {(message: ShownMessage) => void} retry
 * @property {(message: ShownMessage) => void} discard
 * @property {(message: Message) => Promise<boolean>} sendAgain returns whether the request was valid
 */

/** Longer texts are shortened until the user asks for the rest. */
const LONG_TEXT = 2_000;

/** Returns whether a message is a line in the middle. @param {Message} message */
export const isLine = ({ type }) => ["system", "request_welcome", "pin", "reaction"].includes(type);

/** Returns whether the thread shows a message. Reactions, edits, and deletions show in the message that they are about,
 * except a reaction that failed. @param {Message} message */
export const isShown = ({ type, status }) => (type === "reaction" ? status === "failed" : type !== "edit" && type !== "revoke");

/** Returns who wrote a message of a group, as an ID. @param {Message} message */
export const authorOf = (message) =>
  message.from_me ? "me" : (message.author?.phone ?? message.author?.user_id ?? message.author?.name ?? "contact");

/** Returns the name of a participant of a group. @param {Message} message */
export function authorName(message) {
  const { name, phone, user_id: userId } = message.author ?? {};
  return name ?? (phone ? `+${String(phone).replace(/^\+/, "")}` : userId) ?? null;
}

/** Returns a short text for a message, as in a quote. @param {Message} message */
export function summary(message) {
  if (message.revoked_at) return t("deletedMessage");
  if (message.body) return message.body;
  if (message.type === "audio" && message.content?.audio?.voice) return t("voice");
  const media = MEDIA[message.type];
  if (media) return t(media.text);
  return message.type === "call" ? callText(message) : t("otherMessage");
}

/** @typedef {{message: ShownMessage, quoted: Message | null, isFirst: boolean, isGroup: boolean, isMarked: boolean,
 *   actions: BubbleActions}} RowProps */

/** A row of the thread. */
export const Row = memo((/** @type {RowProps} */ props) => {
  const { message, isFirst, isGroup, isMarked } = props;
  const [isActive, setActive] = useState(false);
  if (isLine(message)) return html`<${Line} message=${message} actions=${props.actions} />`;
  const classes = ["thread-row", message.from_me ? "out" : "in", isFirst && "first", isMarked && "marked"];
  const leave = (/** @type {FocusEvent} */ event) => {
    const row = /** @type {HTMLElement} */ (event.currentTarget);
    if (!row.contains(/** @type {Node | null} */ (event.relatedTarget))) setActive(false);
  };
  return html`<div class=${classes.filter(Boolean).join(" ")} data-id=${message.id} data-wamid=${message.wamid} tabindex="-1"
      onPointerEnter=${() => setActive(true)} onPointerLeave=${(/** @type {PointerEvent} */ event) => {
        const row = /** @type {HTMLElement} */ (event.currentTarget);
        if (!row.matches(":focus-within") && !row.querySelector('[aria-expanded="true"]')) setActive(false);
      }} onFocusIn=${() => setActive(true)} onFocusOut=${leave}>
    <div class="bubble-box">
      <${Guard} message=${message}><${Bubble} ...${props} isGroup=${isGroup} /><//>
      ${isActive && html`<${Toolbar} message=${message} actions=${props.actions} />`}
    </div>
    ${message.reactions && message.reactions.length > 0 && !message.revoked_at && html`<${Reactions} message=${message} />`}
    ${message.sending?.state === "refused" && html`<${Refused} message=${message} actions=${props.actions} />`}
    ${message.status === "failed" && html`<${Failed} message=${message} actions=${props.actions} />`}
  </div>`;
});

/** Shows that a message has content of an unexpected shape, which would otherwise hide the thread: workers pass on anything.
 * @param {{message: ShownMessage, children?: any}} props */
function Guard({ message, children }) {
  const [error] = useErrorBoundary();
  return error ? html`<div class="bubble"><${Unsupported} message=${message} /><${Meta} message=${message} isAlone /></div>` : children;
}

/** @param {RowProps} props */
function Bubble({ message, quoted, isFirst, isGroup, actions }) {
  const [isRevealed, setRevealed] = useState(false);
  const name = isGroup && isFirst && !message.from_me ? authorName(message) : null;
  const isDeleted = Boolean(message.revoked_at) && !isRevealed;
  const text = isDeleted ? null : textOf(message);
  const isMixed = text !== null && isRightToLeft(text) !== (document.documentElement.dir === "rtl");
  const isBig = text !== null && message.type === "text" && isEmojiOnly(text);
  const footer = isDeleted ? null : message.content?.interactive?.footer?.text;
  // Beside the end of the text, if it is the last one and has the same direction.
  const isBeside = text !== null && !isMixed && !isBig && !footer;
  const meta = html`<${Meta} message=${message} isAlone=${!isBeside} />`;
  return html`<div class="bubble">
    <span class="visually-hidden">${message.from_me ? t("you") : (authorName(message) ?? t("contact"))}: </span>
    ${name && html`<p class="author hue-${hue(authorOf(message))}"><${Name}>${name}<//></p>`}
    <${Labels} message=${message} />
    ${message.referral && html`<${Referral} referral=${message.referral} />`}
    ${message.context?.id && html`<${Quote} id=${message.context.id} quoted=${quoted} actions=${actions} />`}
    ${isDeleted
      ? html`<p class="deleted"><${Icon} name="trash" />${t("deletedMessage")}
          ${message.body && html`<button type="button" class="text-button" onClick=${() => setRevealed(true)}>${t("showDeleted")}</button>`}</p>`
      : html`<${Content} message=${message} actions=${actions} />`}
    ${text !== null && html`<div class=${isBig ? "bubble-text big" : "bubble-text"} dir="auto"><${Text} text=${text} />${isBeside && meta}</div>`}
    ${footer && html`<p class="small muted" dir="auto">${footer}</p>`}
    ${!isBeside && meta}
    ${!isDeleted && html`<${Choices} message=${message} />`}
    ${message.edited_at && !message.revoked_at && message.original_body && html`<${Original} text=${message.original_body} />`}
  </div>`;
}

/** The text before an edit, on demand. @param {{text: string}} props */
function Original({ text }) {
  const [isShown, setShown] = useState(false);
  return html`${isShown && html`<p class="original" dir="auto"><span class="small">${t("original")}</span> ${text}</p>`}
    <button type="button" class="text-button small" aria-expanded=${isShown} onClick=${() => setShown(!isShown)}>
      ${isShown ? t("hideOriginal") : t("showOriginal")}
    </button>`;
}

/** The types whose content shows their text. */
const OWN_TEXT = ["audio", "sticker", "location", "contacts", "call", "media_placeholder", "unsupported"];

/** Returns the text that a bubble shows besides its content. @param {Message} message @returns {string | null} */
function textOf(message) {
  const { type, body, content } = message;
  switch (type) {
    case "text":
    case "button":
      return body;
    case "image":
    case "video":
    case "document":
      return content?.[type]?.caption ?? (body && body !== content?.[type]?.filename && body !== message.media?.file_name ? body : null);
    case "interactive":
      return content?.interactive?.body?.text ?? body;
    case "template":
      return null;
    case "order":
      return content?.order?.text || null;
    default:
      return OWN_TEXT.includes(type) ? null : body;
  }
}

/** @param {{text: string}} props */
function Text({ text }) {
  const [isOpen, setOpen] = useState(false);
  const isLong = text.length > LONG_TEXT * 1.2;
  return html`${formatted(isLong && !isOpen ? `${text.slice(0, LONG_TEXT).replace(/[\ud800-\udbff]$/, "")}…` : text)}${isLong && !isOpen
    && html` <button type="button" class="text-button" onClick=${() => setOpen(true)}>${t("showMore")}</button>`}`;
}

/** The time and the ticks. @param {{message: ShownMessage, isAlone: boolean}} props */
function Meta({ message, isAlone }) {
  return html`<span class=${isAlone ? "bubble-meta alone" : "bubble-meta"} dir=${document.documentElement.dir}>
    ${message.edited_at && !message.revoked_at && html`<span>${t("edited")}</span>`}
    <time datetime=${message.timestamp} title=${dateTime(message.timestamp)}>${time(message.timestamp)}</time>
    ${message.from_me && html`<${Ticks} message=${message} />`}
  </span>`;
}

const TICKS = {
  clock: "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11M8 5v3.2l2 1.3",
  one: "M3 8.5 6.5 12 13 4.5",
  two: "M1 8.5 4.5 12 11 4.5M7.5 11 8.5 12 15 4.5",
  unknown: "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11M6.4 6.6a1.7 1.7 0 1 1 2.3 1.6c-.5.2-.7.5-.7 1M8 11v.01",
  failed: "M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11M8 5v3.5M8 11v.01",
};

/** @type {Record<string, {shape: keyof typeof TICKS, text: Parameters<typeof t>[0]}>} */
const STATUSES = {
  pending: { shape: "clock", text: "statusPending" },
  sending: { shape: "clock", text: "statusSending" },
  unknown: { shape: "unknown", text: "statusUnknown" },
  sent: { shape: "one", text: "statusSent" },
  delivered: { shape: "two", text: "statusDelivered" },
  read: { shape: "two", text: "statusRead" },
  played: { shape: "two", text: "statusPlayed" },
  failed: { shape: "failed", text: "statusFailed" },
};

/** @param {{message: ShownMessage}} props */
function Ticks({ message }) {
  const status = message.sending?.state === "refused" ? "failed" : message.status;
  const { shape, text } = STATUSES[status] ?? STATUSES.sent;
  const state = message.sending?.state;
  const label = state === "retrying" ? t("statusRetrying") : state === "uploading" ? t("statusUploading") : message.message_status ? t("statusHeld") : t(text);
  return html`<span class="ticks ${status}" title=${label}><svg viewBox="0 0 16 16" aria-hidden="true"><path d=${TICKS[shape]} /></svg><span
    class="visually-hidden">${label}</span></span>`;
}

/** Where a message comes from, if it isn't an ordinary one. @param {{message: Message}} props */
function Labels({ message }) {
  const labels = [
    message.source === "auto_reply" && t("autoReply"),
    message.source === "echo" && t("fromPhone"),
    message.source === "history" && t("fromHistory"),
    message.source === "standby" && t("fromStandby"),
    (message.context?.forwarded || message.context?.frequently_forwarded) && t("forwarded"),
    message.message_status && t("statusHeld"),
    message.type === "button" && t("tappedButton"),
    message.content?.interactive?.type === "button_reply" && t("tappedButton"),
    message.content?.interactive?.type === "list_reply" && t("pickedRow"),
  ].filter(Boolean);
  return labels.length > 0 ? html`<p class="labels">${labels.join(" · ")}</p>` : null;
}

/** The message that this one answers. @param {{id: string, quoted: Message | null, actions: BubbleActions}} props */
function Quote({ id, quoted, actions }) {
  const author = quoted && (quoted.from_me ? t("you") : authorName(quoted));
  return html`<button type="button" class="quote" onClick=${() => actions.jump(id)}>
    ${author && html`<span class="quote-author"><${Name}>${author}<//></span>`}
    <span class="quote-text" dir="auto">${quoted ? summary(quoted) : t("earlierMessage")}</span>
  </button>`;
}

/** The ad that a contact came from. @param {{referral: any}} props */
function Referral({ referral }) {
  return html`<div class="inset referral">
    <p class="labels">${referral.source_type === "post" ? t("fromPost") : t("fromAd")}</p>
    ${referral.headline && html`<p dir="auto"><strong>${referral.headline}</strong></p>`}
    ${referral.body && html`<p class="small" dir="auto">${referral.body}</p>`}
    ${isHttp(referral.source_url) && html`<a class="small" href=${referral.source_url} target="_blank" rel="noopener noreferrer">${t("openAd")}</a>`}
  </div>`;
}

/** What a message has besides its text. @param {{message: ShownMessage, actions: BubbleActions}} props */
function Content({ message, actions }) {
  const { type, content } = message;
  const object = content?.[type];
  if (MEDIA[type]) {
    return html`<${Media} type=${type} media=${object ?? {}} message=${message} read=${actions.readFile} />
      ${message.sending?.state === "uploading" && html`<${Upload} message=${message} actions=${actions} />`}`;
  }
  switch (type) {
    case "location":
      return html`<${Location} location=${object ?? {}} />`;
    case "contacts":
      return html`<${Cards} cards=${Array.isArray(object) ? object : []} body=${message.body} />`;
    case "interactive":
      return html`<${InteractiveHeader} interactive=${object ?? {}} message=${message} read=${actions.readFile} />`;
    case "template":
      return html`<${TemplateContent} template=${object ?? {}} message=${message} load=${actions.templates} read=${actions.readFile} />`;
    case "order":
      return html`<${Order} order=${object ?? {}} />`;
    case "call":
      return html`<p class=${object?.status === "missed" && !message.from_me ? "with-icon missed" : "with-icon"}>
        <${Icon} name="call" />${callText(message)}
      </p>`;
    case "media_placeholder":
      return html`<p class="with-icon muted"><${Icon} name="image" />${t("mediaPlaceholder")}</p>`;
    case "unsupported":
      return html`<${Unsupported} message=${message} />`;
    default:
      return !message.body ? html`<${Unsupported} message=${message} />` : null;
  }
}

/** How much of a file is uploaded. @param {{message: ShownMessage, actions: BubbleActions}} props */
function Upload({ message, actions }) {
  const progress = message.sending?.progress ?? 0;
  return html`<div class="upload">
    <progress max="1" value=${progress} aria-label=${t("statusUploading")}></progress>
    <span class="small" aria-hidden="true">${number(progress, { style: "percent" })}</span>
    <${Button} class="small" onClick=${() => actions.discard(message)}>${t("cancel")}<//>
  </div>`;
}

/** @param {{location: any}} props */
function Location({ location }) {
  const position = `${location.latitude},${location.longitude}`;
  const url = `https://www.google.com/maps/search/?api=1&query=${encodeURIComponent(position)}`;
  return html`<a class="inset place" href=${url} target="_blank" rel="noopener noreferrer">
    <${Icon} name="location" />
    <span>
      <strong dir="auto">${location.name ?? t("location")}</strong>
      ${location.address && html`<span class="small" dir="auto">${location.address}</span>`}
      <bdi class="small muted" dir="ltr">${position.replace(",", ", ")}</bdi>
    </span>
  </a>`;
}

/** @param {{cards: any[], body: string | null}} props */
function Cards({ cards, body }) {
  if (cards.length === 0) return html`<p class="with-icon" dir="auto"><${Icon} name="person" />${body ?? t("contactCard")}</p>`;
  return html`${cards.map((card, index) => html`<div class="inset card-contact" key=${index}>
    <${Icon} name="person" />
    <span>
      <strong dir="auto">${cardName(card)}</strong>
      ${card.org?.company && html`<span class="small" dir="auto">${card.org.company}</span>`}
      ${(card.phones ?? []).map((/** @type {any} */ phone) => html`<bdi class="small" dir="ltr" key=${phone.phone}>${phone.phone}</bdi>`)}
      ${(card.emails ?? []).map((/** @type {any} */ email) => html`<bdi class="small" dir="ltr" key=${email.email}>${email.email}</bdi>`)}
    </span>
  </div>`)}`;
}

/** @param {any} card @returns {string} */
function cardName({ name = {} }) {
  return name.formatted_name || [name.first_name, name.last_name].filter(Boolean).join(" ") || t("contactCard");
}

/** What stands above the text of an interactive message.
 * @param {{interactive: any, message: ShownMessage, read: import("./media.js").ReadFile}} props */
function InteractiveHeader({ interactive, message, read }) {
  const { type, header } = interactive;
  if (type === "nfm_reply") return html`<p class="with-icon"><${Icon} name="check" />${t("flowAnswered")}</p>`;
  const description = type === "list_reply" && interactive.list_reply?.description;
  if (description) return html`<p class="small muted" dir="auto">${description}</p>`;
  if (!header) return null;
  if (header.type === "text") return html`<p dir="auto"><strong>${header.text}</strong></p>`;
  return html`<${Media} type=${MEDIA[header.type] ? header.type : "document"} media=${header[header.type] ?? {}} message=${message} read=${read} />`;
}

/** What a contact can tap below an interactive message. @param {{message: Message}} props */
function Choices({ message }) {
  if (message.type !== "interactive" || message.revoked_at) return null;
  const { type, action = {} } = message.content?.interactive ?? {};
  /** @type {string[]} */
  const buttons =
    type === "button" ? (action.buttons ?? []).map((/** @type {any} */ button) => button.reply?.title)
    : type === "cta_url" || type === "flow" ? [action.parameters?.display_text ?? action.parameters?.flow_cta]
    : type === "location_request_message" ? [t("sendLocation")]
    : type === "voice_call" ? [action.parameters?.display_text ?? t("call")]
    : [];
  const titles = buttons.filter(Boolean);
  /** @type {any[]} */
  const rows = type === "list" ? (action.sections ?? []).flatMap((/** @type {any} */ section) => section.rows ?? []) : [];
  return html`${rows.length > 0 && html`<details class="choices"><summary dir="auto">${action.button ?? t("options")}</summary>
      <ul>${rows.map((row, index) => html`<li key=${index}>
        <span dir="auto">${row.title}</span>${row.description && html`<span class="small muted" dir="auto">${row.description}</span>`}
      </li>`)}</ul>
    </details>`}
    ${titles.length > 0 && html`<ul class="choices buttons">${titles.map((title, index) => html`<li key=${index} dir="auto">${title}</li>`)}</ul>`}`;
}

/** @param {{order: any}} props */
function Order({ order }) {
  /** @type {any[]} */
  const items = order.product_items ?? [];
  const currency = items[0]?.currency;
  const total = items.reduce((sum, item) => sum + Number(item.item_price ?? 0) * Number(item.quantity ?? 0), 0);
  return html`<div class="inset">
    <p class="with-icon"><${Icon} name="file" /><strong>${t("order", { count: items.length })}</strong></p>
    <ul class="bubble-order">${items.map((item, index) => html`<li key=${index}>
      <bdi>${item.product_retailer_id}</bdi>
      <span class="small muted">${number(Number(item.quantity ?? 0))} × ${money(Number(item.item_price ?? 0), item.currency)}</span>
    </li>`)}</ul>
    ${currency && html`<p class="bubble-total"><span>${t("total")}</span><strong>${money(total, currency)}</strong></p>`}
  </div>`;
}

/** @param {number} value @param {string} currency */
function money(value, currency) {
  try {
    return number(value, { style: "currency", currency });
  } catch {
    // Not an ISO 4217 code.
    return `${number(value)} ${currency ?? ""}`;
  }
}

/** @param {Message} message */
function callText(message) {
  const { status, duration } = message.content?.call ?? {};
  if (status === "missed") return message.from_me ? t("unansweredCall") : t("missedCall");
  const text = message.from_me ? t("outgoingCall") : t("incomingCall");
  if (status === "started") return `${text} · ${t("callRunning")}`;
  if (typeof duration !== "number") return text;
  const minutes = Math.floor(duration / 60);
  return `${text} · ${number(minutes)}:${number(duration % 60, { minimumIntegerDigits: 2 })}`;
}

/** @param {{message: Message}} props */
function Unsupported({ message }) {
  const [error] = message.errors ?? [];
  return html`<p class="with-icon muted"><${Icon} name="info" />${t("unsupported")}</p>
    ${error && html`<p class="small muted" dir="auto">${error.details ?? error.title}</p>`}`;
}

/** @param {{message: Message}} props */
function Reactions({ message }) {
  const reactions = message.reactions ?? [];
  const who = (/** @type {string} */ by) => (by === "me" ? t("you") : by === "contact" ? t("contact") : by);
  const label = reactions.map(({ by, emoji }) => `${emoji} ${who(by)}`).join(", ");
  const emoji = [...new Set(reactions.map((reaction) => reaction.emoji))];
  return html`<p class="reactions" title=${label}>
    <span aria-hidden="true">${emoji.slice(0, 4).join(" ")}${reactions.length > 1 && ` ${number(reactions.length)}`}</span>
    <span class="visually-hidden">${t("reactions", { list: label })}</span>
  </p>`;
}

/** @param {{message: ShownMessage, actions: BubbleActions}} props */
function Refused({ message, actions }) {
  return html`<div class="failure" role="alert">
    <p dir="auto">${message.sending?.error?.message}</p>
    <span class="failure-actions">
      <${Button} class="small" icon="refresh" onClick=${() => actions.retry(message)}>${t("sendAgain")}<//>
      <${Button} class="small" kind="plain" onClick=${() => actions.discard(message)}>${t("discard")}<//>
    </span>
  </div>`;
}

/** @param {{message: Message, actions: BubbleActions}} props */
function Failed({ message, actions }) {
  const [isSent, setSent] = useState(false);
  const sendAgain = async () => {
    // A second click would send it twice.
    setSent(true);
    if (!(await actions.sendAgain(message))) setSent(false);
  };
  const [error] = message.errors ?? [];
  const reason = message.error ?? error?.details ?? error?.title ?? t("statusFailed");
  return html`<div class="failure">
    <p dir="auto">${reason}</p>
    <span class="failure-actions">
      ${actions.canSend && html`<${Button} class="small" icon="refresh" disabled=${isSent} onClick=${sendAgain}>${t("sendAgain")}<//>`}
      <${Button} class="small" kind="plain" onClick=${() => actions.details(message)}>${t("details")}<//>
    </span>
  </div>`;
}

/** The actions of a message. @param {{message: ShownMessage, actions: BubbleActions}} props */
function Toolbar({ message, actions }) {
  const isStored = !message.sending;
  const isAnswerable = isStored && actions.canSend && !message.revoked_at && message.status !== "failed";
  const own = message.reactions?.find(({ by }) => by === "me")?.emoji ?? "";
  const text = message.revoked_at ? null : message.body;
  const items = [
    ...(isAnswerable ? [{ text: t("reply"), icon: /** @type {IconName} */ ("reply"), onSelect: () => actions.reply(message) }] : []),
    ...(text ? [{ text: t("copyText"), icon: /** @type {IconName} */ ("copy"), onSelect: () => void navigator.clipboard.writeText(text) }] : []),
    ...(isStored && message.media?.state === "stored" && !message.revoked_at
      ? [{ text: t("openMedia"), icon: /** @type {IconName} */ ("download"), onSelect: () => actions.openFile(message) }] : []),
    ...(isStored ? [{ text: t("details"), icon: /** @type {IconName} */ ("info"), onSelect: () => actions.details(message) }] : []),
  ];
  if (items.length === 0) return null;
  const header = (/** @type {() => void} */ close) => {
    const react = (/** @type {string} */ emoji) => {
      close();
      actions.react(message, emoji);
    };
    return isAnswerable && html`<${ReactionRow} own=${own} onReact=${react} />`;
  };
  return html`<div class="bubble-tools">
    ${isAnswerable && html`<${IconButton} icon="reply" label=${t("reply")} onClick=${() => actions.reply(message)} />`}
    <${MenuButton} label=${t("messageActions")} items=${items} header=${header} icon="more" />
  </div>`;
}

/** A line in the middle of the thread. @param {{message: Message, actions: BubbleActions}} props */
function Line({ message, actions }) {
  const { type, content } = message;
  const text =
    type === "request_welcome" ? t("openedChat")
    : type === "pin" ? (content?.pin?.type === "unpin" ? t("unpinned") : t("pinned"))
    : type === "reaction" ? t("reactionFailed", { emoji: message.body ?? "" })
    : (message.body ?? t("systemMessage"));
  const target = content?.pin?.message_id;
  return html`<div class="thread-row notice" data-id=${message.id} tabindex="-1">
    <p class=${message.status === "failed" ? "failed" : undefined} dir="auto">${text} ${message.status === "failed" && message.error}
      ${target && html` <button type="button" class="text-button" onClick=${() => actions.jump(target)}>${t("show")}</button>`}</p>
    <time class="visually-hidden" datetime=${message.timestamp}>${time(message.timestamp)} ${date(message.timestamp)}</time>
  </div>`;
}

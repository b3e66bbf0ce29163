// One message: what WhatsApp shows of each type, and its menu.

import { h } from "preact";
import { useEffect, useState } from "preact/hooks";
import { formatted, Link, ownText, phoneNumber, summary, summaryIcon } from "./text.js";
import { Avatar, html, Icon, Menu } from "./ui.js";
import { dateTime, duration, time } from "./i18n.js";
import { t } from "./strings.js";

/** @typedef {import("./types.d.ts").Message} Message */
/** @typedef {import("./ui.js").IconName} IconName */

/**
 * What a bubble can do.
 * @typedef {object} BubbleActions
 * @property {(message: Message) => void} reply
 * @property {(message: Message) => void} edit
 * @property {(message: Message) => void} remove
 * @property {(message: Message, emoji: string) => void} react
 * @property {(message: Message, content: Record<string, unknown>) => void} answer Sends a message in answer to this one.
 * @property {(message: Message, status: "read" | "played") => void} tick
 * @property {(message: Message) => void} openList
 * @property {(message: Message) => void} openFlow
 * @property {(message: Message) => void} shareLocation
 * @property {(message: Message) => void} shareContact
 * @property {() => void} call
 * @property {(id: string) => void} hangUp
 * @property {(text: string, done: string) => void} copy
 * @property {(id: string) => void} show Scrolls to a message.
 */

/** Where WhatsApp's link to copy a code starts (Meta, *Copy code authentication templates*). */
const CODE_LINK = "https://www.whatsapp.com/otp/";

const EMOJI = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

/** @param {{message: Message, quoted: Message | undefined, businessName: string, act: BubbleActions}} props */
export function Bubble({ message, quoted, businessName, act }) {
  const isOwn = message.from === "phone";
  const quotedId = message.context?.id ?? message.context?.message_id;
  const isBare = !message.deleted && message.type === "sticker";
  const sender = isOwn ? t("you") : businessName;
  return html`<div class=${`message ${isOwn ? "own" : "theirs"}`} id=${`message-${message.position}`} data-id=${message.id}>
    <div class=${`bubble type-${message.type} ${isBare ? "bare" : ""} ${message.edited ? "edited" : ""}`} aria-label=${t("message_from", { name: sender })} role="group">
      ${!message.deleted && message.context?.forwarded && html`<p class="forwarded"><${Icon} name="reply" flip />${t("forwarded")}</p>`}
      ${!message.deleted && quotedId &&
        html`<${Quote} message=${quoted} businessName=${businessName} onShow=${() => quoted && act.show(quoted.id)} />`}
      ${message.deleted ? html`<p class="deleted">${isOwn ? t("you_deleted") : t("they_deleted")}</p>` : html`<${Content} message=${message} act=${act} />`}
      <${Meta} message=${message} />
    </div>
    ${!message.deleted && html`<${MessageMenu} message=${message} act=${act} />`}
    <${Reactions} message=${message} act=${act} />
  </div>`;
}

/** @param {{message: Message | undefined, businessName: string, onShow: () => void}} props */
export function Quote({ message, businessName, onShow }) {
  if (!message) return html`<p class="quote missing">${t("quoted_missing")}</p>`;
  const icon = summaryIcon(message);
  return html`<button type="button" class=${`quote ${message.from === "phone" ? "own" : "theirs"}`} onClick=${onShow}>
    <span class="quote-name"><bdi>${message.from === "phone" ? t("you") : businessName}</bdi></span>
    <span class="quote-text" dir="auto">${icon && html`<${Icon} name=${icon} />`}${summary(message)}</span>
  </button>`;
}

/** The time, and the ticks of the phone's own messages. @param {{message: Message}} props */
function Meta({ message }) {
  const isRead = message.status === "read" || message.status === "played";
  const label = isRead ? t("tick_read") : message.status === "delivered" ? t("tick_delivered") : t("tick_sent");
  return html`<p class="meta">
    ${message.edited && !message.deleted && html`<span>${t("edited")}</span>`}
    <time datetime=${message.at} title=${dateTime(message.at)}>${time(message.at)}</time>
    ${message.from === "phone" && !message.deleted && message.type !== "call" &&
      html`<svg class=${`ticks ${isRead ? "read" : ""}`} viewBox="0 0 18 12" role="img" aria-label=${label}>
        <path d=${message.status === "sent" ? "M4 6.5l3.5 3.5L14 2" : "M1 6.5l3.5 3.5L11 2M8.5 9l1 1L16.5 2"} />
      </svg>`}
  </p>`;
}

/** @param {{message: Message, act: BubbleActions}} props */
function Reactions({ message, act }) {
  const { reactions } = message;
  if (!reactions?.length || message.deleted) return null;
  const own = reactions.find((reaction) => reaction.from === "phone");
  const shown = [...new Set(reactions.map((reaction) => reaction.emoji))].join("");
  const label = t("reactions_label", { emoji: shown });
  const count = reactions.length > 1 && new Set(reactions.map((reaction) => reaction.emoji)).size === 1 ? reactions.length : null;
  if (!own) return html`<span class="reactions" role="img" aria-label=${label}>${shown}</span>`;
  return html`<button type="button" class="reactions" aria-label=${`${label}. ${t("remove_reaction")}`} title=${t("remove_reaction")}
    onClick=${() => act.react(message, "")}>${shown}${count && html`<span>${count}</span>`}</button>`;
}

/** @param {{message: Message, act: BubbleActions}} props */
function MessageMenu({ message, act }) {
  if (message.type === "system") return null;
  const isOwn = message.from === "phone";
  /** @type {import("./ui.js").MenuItem[]} */
  const items = [];
  if (message.type !== "call") items.push({ label: t("reply"), icon: "reply", run: () => act.reply(message) });
  if (isOwn && ownText(message) !== undefined) items.push({ label: t("edit"), icon: "edit", run: () => act.edit(message) });
  if (!isOwn && message.status === "delivered") items.push({ label: t("mark_read"), icon: "check", run: () => act.tick(message, "read") });
  items.push({ label: t("copy_id"), icon: "copy", run: () => act.copy(message.id, t("id_copied")) });
  if (isOwn && message.type !== "call") items.push({ label: t("delete"), icon: "trash", run: () => act.remove(message), danger: true });
  const reactions = (/** @type {() => void} */ close) =>
    message.type !== "call" &&
    html`<div class="menu-emoji">
      ${EMOJI.map((emoji) => {
        const react = () => {
          close();
          act.react(message, emoji);
        };
        return html`<button type="button" role="menuitem" tabindex="-1" aria-label=${t("react_with", { emoji })} onClick=${react}>${emoji}</button>`;
      })}
    </div>`;
  return html`<${Menu} class="message-menu" label=${t("message_options")} icon="down" items=${items} above=${reactions} />`;
}

/** @param {{message: Message, act: BubbleActions}} props */
function Content({ message, act }) {
  const content = message[message.type];
  switch (message.type) {
    case "text": return html`<${Text} text=${content?.body} />`;
    case "image": case "video": case "document": case "sticker": case "audio":
      return html`<${Media} kind=${message.type} media=${content} message=${message} act=${act} /><${Text} text=${content?.caption} />`;
    case "location": return html`<${Location} location=${content} />`;
    case "contacts": return (content ?? []).map((/** @type {any} */ contact) => html`<${Contact} contact=${contact} act=${act} />`);
    case "interactive":
      return message.from === "phone"
        ? html`<${Answer} title=${content?.button_reply?.title ?? content?.list_reply?.title ?? content?.nfm_reply?.body} description=${content?.list_reply?.description} />`
        : html`<${Interactive} message=${message} interactive=${content} act=${act} />`;
    case "button": return html`<${Answer} title=${content?.text} />`;
    case "template": return html`<${Template} message=${message} act=${act} />`;
    case "order": return html`<${Answer} title=${t("order_summary", { count: content?.product_items?.length ?? 0 })} description=${content?.text} />`;
    case "call": return html`<${Call} message=${message} act=${act} />`;
    case "system": return html`<${Text} text=${content?.body ?? t("other_message", { type: "system" })} />`;
    default: return html`<p class="unsupported"><${Icon} name="warning" />${t("other_message", { type: message.type })}</p>`;
  }
}

/** @param {{text?: string | null}} props */
function Text({ text }) {
  return text ? html`<p class="text" dir="auto">${formatted(text)}</p>` : null;
}

/** @param {{title?: string, description?: string}} props */
function Answer({ title, description }) {
  return html`<p class="text" dir="auto">${title ?? t("interactive")}</p>
    ${description && html`<p class="secondary" dir="auto">${description}</p>`}`;
}

/** @param {{kind: string, media: any, message: Message, act: BubbleActions}} props */
function Media({ kind, media, message, act }) {
  if (!media?.id) return html`<${LinkedMedia} kind=${kind} media=${media} />`;
  const source = `/simulator/media/${encodeURIComponent(media.id)}`;
  const name = media.filename ?? t("document");
  switch (kind) {
    case "image":
      return html`<a class="media" href=${source} target="_blank" rel="noopener noreferrer"><img src=${source} alt=${media.caption ?? t("photo")} loading="lazy" /></a>`;
    case "sticker": return html`<img class="sticker" src=${source} alt=${t("sticker")} />`;
    case "video":
      return html`<${Player} kind="video" class="media" source=${source} playsinline aria-label=${media.caption ?? t("video")} />`;
    case "audio": {
      // Only the business learns that its message was played.
      const onPlay = () => message.from === "business" && message.status !== "played" && act.tick(message, "played");
      return html`<div class=${`audio ${media.voice ? "voice" : ""}`}>
        <${Icon} name=${media.voice ? "microphone" : "music"} />
        <${Player} kind="audio" source=${source} aria-label=${media.voice ? t("voice_message") : t("audio")} onPlay=${onPlay} />
      </div>`;
    }
    default:
      return html`<a class="file" href=${source} download=${name}>
        <${Icon} name="file" /><span><span class="file-name" dir="auto">${name}</span><span class="secondary">${fileType(name, media.mime_type)}</span></span>
      </a>`;
  }
}

/** Plays a file. Loads it first, because the simulator doesn't serve parts of files, which some browsers need.
 * @param {{kind: "audio" | "video", source: string, [attribute: string]: any}} props */
function Player({ kind, source, ...rest }) {
  const [url, setUrl] = useState(/** @type {string | undefined} */ (undefined));
  useEffect(() => {
    const abort = new AbortController();
    /** @type {string | undefined} */
    let created;
    const load = async () => {
      const response = await fetch(source, { signal: abort.signal });
      if (!response.ok) return;
      const file = await response.blob();
      if (abort.signal.aborted) return;
      created = URL.createObjectURL(file);
      setUrl(created);
    };
    load().catch(() => undefined);
    return () => {
      abort.abort();
      if (created) URL.revokeObjectURL(created);
    };
  }, [source]);
  return h(kind, { ...rest, src: url, controls: true, preload: "metadata" });
}

/** Media that the business sent as a link, which the simulator doesn't fetch. @param {{kind: string, media: any}} props */
function LinkedMedia({ kind, media }) {
  /** @type {Record<string, IconName>} */
  const icons = { image: "image", video: "video", audio: "music", document: "file", sticker: "sticker" };
  const name = media?.filename ?? summary(/** @type {any} */ ({ type: kind, [kind]: { filename: media?.filename } }));
  return html`<div class="file linked">
    <${Icon} name=${icons[kind] ?? "file"} />
    <span>
      <span class="file-name" dir="auto">${name}</span>
      ${media?.link ? html`<${Link} class="secondary" url=${media.link}>${media.link}<//>` : html`<span class="secondary">${t("no_file")}</span>`}
    </span>
  </div>`;
}

/** @param {string} name @param {string | undefined} mimeType */
function fileType(name, mimeType) {
  const extension = /\.([^.]{1,5})$/.exec(name)?.[1];
  return (extension ?? mimeType?.split(";")[0] ?? "").toUpperCase();
}

/** @param {{location: any}} props */
function Location({ location }) {
  const { latitude, longitude, name, address } = location ?? {};
  const url = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=16/${latitude}/${longitude}`;
  return html`<div class="map" aria-hidden="true"><${Icon} name="pin" /></div>
    ${name && html`<p class="text strong" dir="auto">${name}</p>`} ${address && html`<p class="secondary" dir="auto">${address}</p>`}
    <p class="secondary"><${Link} url=${url}><bdi>${latitude}, ${longitude}</bdi><//></p>`;
}

/** @param {{contact: any, act: BubbleActions}} props */
function Contact({ contact, act }) {
  const name = contact?.name?.formatted_name ?? t("contact");
  const phone = contact?.phones?.[0];
  const number = phone?.phone ?? phoneNumber(phone?.wa_id ?? null);
  return html`<div class="contact">
    <${Avatar} name=${name} seed=${name} />
    <span><span class="strong" dir="auto">${name}</span>${number && html`<bdi class="secondary">${number}</bdi>`}</span>
  </div>
  ${number && html`<${Buttons} buttons=${[{ label: t("copy_number"), icon: "copy", run: () => act.copy(number, t("number_copied")) }]} />`}`;
}

/** @param {{message: Message, act: BubbleActions}} props */
function Call({ message, act }) {
  const call = message.call ?? {};
  const seconds = call.endedAt && call.startedAt ? call.endedAt - call.startedAt : null;
  const state =
    call.status === "ringing" ? t("call_ringing")
    : call.status === "accepted" ? t("call_accepted")
    : call.status === "completed" ? duration((seconds ?? 0) * 1000)
    : t("call_failed");
  const isActive = call.status === "ringing" || call.status === "accepted";
  return html`<div class=${`call ${call.status}`}>
    <span class="call-icon"><${Icon} name="call" /></span>
    <span><span class="strong">${t("call")}</span><span class="secondary" role="status">${state}</span></span>
  </div>
  ${isActive && html`<${Buttons} buttons=${[{ label: t("hang_up"), icon: "call", run: () => act.hangUp(message.id), danger: true }]} />`}`;
}

/** @typedef {{label: string, icon?: IconName, run?: () => void, url?: string, danger?: boolean, note?: string}} Action */

/** The buttons below a message. @param {{buttons: Action[]}} props */
function Buttons({ buttons }) {
  if (buttons.length === 0) return null;
  return html`<div class="buttons">
    ${buttons.map(({ label, icon, run, url, danger, note }) => {
      const content = html`${icon && html`<${Icon} name=${icon} flip=${icon === "reply"} />`}<span dir="auto">${label}</span>`;
      if (url && /^https?:\/\//i.test(url)) return html`<a class="bubble-button" href=${url} target="_blank" rel="noopener noreferrer" title=${url}>${content}</a>`;
      return html`<button type="button" class=${danger ? "bubble-button danger" : "bubble-button"} title=${note} disabled=${!run} onClick=${run}>${content}</button>`;
    })}
  </div>`;
}

/** @param {{message: Message, interactive: any, act: BubbleActions}} props */
function Interactive({ message, interactive, act }) {
  const { header, body, footer, action } = interactive ?? {};
  const text = body?.text ?? (interactive?.type === "call_permission_request" ? t("call_permission") : undefined);
  return html`<${Header} header=${header} message=${message} act=${act} />
    <${Text} text=${text} />
    ${footer?.text && html`<p class="footer" dir="auto">${footer.text}</p>`}
    ${action?.cards && html`<${Cards} cards=${action.cards} message=${message} act=${act} />`}
    <${Buttons} buttons=${interactiveButtons(message, interactive, act)} />`;
}

/** @param {{header: any, message: Message, act: BubbleActions}} props */
function Header({ header, message, act }) {
  if (!header) return null;
  const kind = header.type ?? "text";
  if (kind === "text") return html`<p class="header" dir="auto">${header.text}</p>`;
  return html`<${Media} kind=${kind} media=${header[kind]} message=${message} act=${act} />`;
}

/** Returns the buttons of an interactive message or of a card. @param {Message} message @param {any} interactive
 * @param {BubbleActions} act @returns {Action[]} */
function interactiveButtons(message, interactive, act) {
  const { type, action } = interactive ?? {};
  const parameters = action?.parameters ?? {};
  switch (type) {
    case "button":
      return (action?.buttons ?? []).map((/** @type {any} */ button) => {
        const reply = button.reply ?? button.quick_reply;
        return {
          label: reply?.title ?? "",
          icon: "reply",
          run: () => act.answer(message, { type: "interactive", interactive: { type: "button_reply", button_reply: { id: reply.id, title: reply.title } } }),
        };
      });
    case "list": return [{ label: action?.button ?? "", icon: "list", run: () => act.openList(message) }];
    case "cta_url": return [{ label: parameters.display_text ?? "", icon: "link", url: parameters.url }];
    case "flow": return [{ label: parameters.flow_cta ?? t("open"), icon: "file", run: () => act.openFlow(message) }];
    case "location_request_message": return [{ label: t("send_location"), icon: "pin", run: () => act.shareLocation(message) }];
    case "request_contact_info": case "contact_request": return [{ label: t("share_contact"), icon: "person", run: () => act.shareContact(message) }];
    case "voice_call": return [{ label: parameters.display_text ?? t("call_business"), icon: "call", run: act.call }];
    case "address_message": return [{ label: t("provide_address"), icon: "pin", run: () => act.openFlow(message) }];
    case "product": case "product_list": case "catalog_message": return [{ label: t("view_products"), icon: "shop", note: t("not_simulated") }];
    case "order_details": return [{ label: t("review_and_pay"), icon: "shop", note: t("not_simulated") }];
    default: return [];
  }
}

/** @param {{cards: any[], message: Message, act: BubbleActions}} props */
function Cards({ cards, message, act }) {
  return html`<ul class="cards" aria-label=${t("cards")} tabindex="0">
    ${cards.map((card) => {
      // A card's type is the one of its button; quick replies have none.
      const isQuickReply = card.action?.buttons !== undefined;
      const interactive = { ...card, type: isQuickReply ? "button" : (card.type ?? "cta_url") };
      return html`<li class="card">
        <${Header} header=${card.header} message=${message} act=${act} />
        <${Text} text=${card.body?.text} />
        <${Buttons} buttons=${interactiveButtons(message, interactive, act)} />
      </li>`;
    })}
  </ul>`;
}

/** @param {{message: Message, act: BubbleActions}} props */
function Template({ message, act }) {
  if (!message.rendered) return html`<p class="text" dir="auto">${message.template?.name ?? t("template")}</p>`;
  return html`<${Components} components=${message.rendered} message=${message} act=${act} />`;
}

/** The components of a template or of one of its cards. @param {{components: any[], message: Message, act: BubbleActions}} props */
function Components({ components, message, act }) {
  const find = (/** @type {string} */ type) => components.find((component) => component.type?.toUpperCase() === type);
  const [header, body, footer, buttons, carousel] = ["HEADER", "BODY", "FOOTER", "BUTTONS", "CAROUSEL"].map(find);
  const offer = find("LIMITED_TIME_OFFER");
  return html`${header && html`<${TemplateHeader} header=${header} message=${message} act=${act} />`}
    ${offer && html`<p class="header" dir="auto">${offer.limited_time_offer?.text}</p>`}
    <${Text} text=${body?.text} />
    ${footer?.text && html`<p class="footer" dir="auto">${footer.text}</p>`}
    ${carousel &&
      html`<ul class="cards" aria-label=${t("cards")} tabindex="0">
        ${(carousel.cards ?? []).map(
          (/** @type {any} */ card) => html`<li class="card"><${Components} components=${card.components ?? []} message=${message} act=${act} /></li>`,
        )}
      </ul>`}
    <${Buttons} buttons=${(buttons?.buttons ?? []).map((/** @type {any} */ button) => templateButton(button, message, act))} />`;
}

/** @param {{header: any, message: Message, act: BubbleActions}} props */
function TemplateHeader({ header, message, act }) {
  const kind = (header.format ?? "TEXT").toLowerCase();
  if (kind === "text") return html`<p class="header" dir="auto">${header.text}</p>`;
  if (kind === "location") return html`<${Location} location=${header.location} />`;
  return html`<${Media} kind=${kind === "gif" ? "video" : kind} media=${header[kind]} message=${message} act=${act} />`;
}

/** @param {any} button @param {Message} message @param {BubbleActions} act @returns {Action} */
function templateButton(button, message, act) {
  const label = button.text ?? "";
  switch (button.type) {
    case "QUICK_REPLY":
      // Without a payload, WhatsApp sends the text.
      return { label, icon: "reply", run: () => act.answer(message, { type: "button", button: { payload: button.payload ?? label, text: label } }) };
    case "URL":
      // A template of the category AUTHENTICATION has its button as a link.
      if (button.url?.startsWith(CODE_LINK)) return { label, icon: "copy", run: () => act.copy(codeIn(message), t("code_copied")) };
      return { label, icon: "link", url: button.url };
    case "PHONE_NUMBER": return { label, icon: "call", run: () => act.copy(button.phone_number, t("number_copied")) };
    case "COPY_CODE": case "OTP": {
      const code = button.coupon_code ?? button.code ?? codeIn(message);
      return { label: label || t("copy_code"), icon: "copy", run: () => act.copy(code, t("code_copied")) };
    }
    case "VOICE_CALL": return { label: label || t("call_business"), icon: "call", run: act.call };
    case "FLOW": return { label, icon: "file", run: () => act.openFlow(message) };
    default: return { label: label || t("open"), icon: "shop", note: t("not_simulated") };
  }
}

/** Returns the code of an authentication template, which is its only parameter. @param {Message} message */
function codeIn(message) {
  const body = message.template?.components?.find((/** @type {any} */ component) => component.type?.toLowerCase() === "body");
  return body?.parameters?.[0]?.text ?? "";
}

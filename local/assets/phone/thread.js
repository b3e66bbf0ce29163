// The messages of a conversation, grouped by day.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Bubble } from "./bubble.js";
import { html, Icon } from "./ui.js";
import { day } from "./i18n.js";
import { t } from "./strings.js";

/** @typedef {import("./types.d.ts").Message} Message */

/** How many messages are shown, and how many more at a time. */
const PAGE = 150;
/** How far from its end a thread still follows new messages, in pixels. */
const NEAR_END = 120;

/** @param {{messages: Message[], all: Message[], businessName: string, isTyping: boolean, act: import("./bubble.js").BubbleActions}} props */
export function Thread({ messages, all, businessName, isTyping, act }) {
  const [limit, setLimit] = useState(PAGE);
  const [isAtEnd, setAtEnd] = useState(true);
  const log = useRef(/** @type {HTMLDivElement | null} */ (null));
  const follows = useRef(true);
  const shown = messages.slice(-limit);
  const last = messages.at(-1);
  const byId = new Map(all.map((message) => [message.id, message]));
  const firstUnread = messages.find((message) => message.from === "business" && message.status === "delivered")?.id;

  useLayoutEffect(() => {
    const element = log.current;
    if (element && (follows.current || last?.from === "phone")) element.scrollTop = element.scrollHeight;
  }, [last?.id, isTyping, messages.length === 0]);

  const onScroll = () => {
    const element = log.current;
    if (!element) return;
    follows.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END;
    setAtEnd(follows.current);
  };
  const toEnd = () => log.current?.scrollTo({ top: log.current.scrollHeight, behavior: "smooth" });
  const keepAtEnd = () => {
    if (follows.current && log.current) log.current.scrollTop = log.current.scrollHeight;
  };

  useEffect(() => {
    const element = log.current;
    if (!element) return undefined;
    // Bars above and below the thread change its height.
    const observer = new ResizeObserver(keepAtEnd);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  let previousDay = "";
  return html`<div class="thread-frame">
    <div class="thread" ref=${log} role="log" aria-label=${t("messages")} aria-live="polite" tabindex="0" onScroll=${onScroll} onLoadCapture=${keepAtEnd}
      onLoadedMetadataCapture=${keepAtEnd}>
      ${messages.length === 0 && html`<div class="notice"><${Icon} name="phone" /><p>${t("no_messages")}</p></div>`}
      ${messages.length > shown.length &&
        html`<button type="button" class="earlier" onClick=${() => setLimit(limit + PAGE)}>${t("show_earlier", { count: messages.length - shown.length })}</button>`}
      ${shown.map((message) => {
        const messageDay = day(message.at);
        const isNewDay = messageDay !== previousDay;
        previousDay = messageDay;
        const quotedId = message.context?.id ?? message.context?.message_id ?? "";
        return html`<div class="entry" key=${message.id}>
          ${isNewDay && html`<p class="day"><span>${messageDay}</span></p>`}
          ${message.id === firstUnread && html`<p class="day unread"><span>${t("unread_messages")}</span></p>`}
          <${Bubble} message=${message} quoted=${byId.get(quotedId)} businessName=${businessName} act=${act} />
        </div>`;
      })}
      ${isTyping && html`<div class="message theirs"><div class="bubble typing" role="img" aria-label=${t("typing")}><i></i><i></i><i></i></div></div>`}
    </div>
    ${!isAtEnd && html`<button type="button" class="to-end" aria-label=${t("to_end")} title=${t("to_end")} onClick=${toEnd}><${Icon} name="down" /></button>`}
  </div>`;
}

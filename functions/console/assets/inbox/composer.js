// Writes messages.

import { useState } from "preact/hooks";
import { ErrorNote, html, Icon, IconButton } from "../components.js";
import { t } from "../strings/inbox.js";
import { summary } from "./bubble.js";

/**
 * @param {{session: import("../types").Session, caller: import("../types").Caller, chat: import("../types").Chat | null, to: string | null,
 *   store: import("./store.js").InboxStore, replyTo: import("../types").Message | null, onCancelReply: () => void,
 *   onSent: (sent: import("./store.js").Sent) => void}} props
 */
export default function Composer({ chat, to, store, replyTo, onCancelReply, onSent }) {
  const [text, setText] = useState("");
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const message = text.trim();
    if (!message) return;
    setText("");
    setError(null);
    if (replyTo) onCancelReply();
    const context = replyTo ? { context: { message_id: replyTo.id } } : {};
    try {
      onSent(await store.send(chat ? chat.id : { to: to ?? "" }, { message, ...context }));
    } catch (failure) {
      setError(failure);
    }
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) void submit(event);
  };
  return html`<form class="composer" onSubmit=${submit}>
    <${ErrorNote} error=${error} />
    ${replyTo && html`<p class="labels" dir="auto">${summary(replyTo)} <${IconButton} icon="close" label=${t("dismiss")} onClick=${onCancelReply} /></p>`}
    <div class="composer-line">
      <textarea rows="1" dir="auto" value=${text} aria-label=${t("message")} placeholder=${t("message")} onKeyDown=${onKeyDown}
        onInput=${(/** @type {any} */ event) => setText(event.target.value)}></textarea>
      <button type="submit" class="button primary" aria-label=${t("send")}><${Icon} name="send" flip /></button>
    </div>
  </form>`;
}

// The dialogs of the inbox.

import { useState } from "preact/hooks";
import { Button, Dialog, ErrorNote, Field, html, useAction } from "../components.js";
import { t } from "../strings/inbox.js";

/** @typedef {import("../types").Chat} Chat */
/** @typedef {import("./store.js").InboxStore} InboxStore */

/** Asks for a number, and opens its chat or a new one.
 * @param {{store: InboxStore, to: string, onClose: () => void, onOpen: (id: string) => void, onNew: (to: string) => void}} props */
export function NewChat({ store, to, onClose, onOpen, onNew }) {
  const [address, setAddress] = useState(to);
  const [find, { busy, error }] = useAction(async () => {
    const chat = await store.findByAddress(address.trim());
    if (chat) onOpen(chat.id);
    else onNew(address.trim());
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (address.trim()) void find();
  };
  return html`<${Dialog} title=${t("newChat")} onClose=${onClose}>
    <form onSubmit=${submit}>
      <${Field} label=${t("number")} hint=${t("numberHint")} type="tel" dir="ltr" required autofocus autocomplete="off" value=${address}
        onInput=${(/** @type {any} */ event) => setAddress(event.target.value)} />
      <${ErrorNote} error=${error} />
      <footer><${Button} kind="primary" type="submit" busy=${busy}>${t("openChat")}<//></footer>
    </form>
  <//>`;
}

/** Asks for the name of a chat. @param {{store: InboxStore, chat: Chat, onClose: () => void}} props */
export function Rename({ store, chat, onClose }) {
  const [name, setName] = useState(chat.name);
  const [save, { busy, error }] = useAction(async () => {
    await store.updateChat(chat.id, { name: name.trim() });
    onClose();
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void save();
  };
  return html`<${Dialog} title=${t("rename")} onClose=${onClose}>
    <form onSubmit=${submit}>
      <${Field} label=${t("name")} hint=${t("nameHint")} dir="auto" maxlength="256" autofocus autocomplete="off" value=${name}
        onInput=${(/** @type {any} */ event) => setName(event.target.value)} />
      <${ErrorNote} error=${error} />
      <footer><${Button} onClick=${onClose}>${t("cancel")}<//><${Button} kind="primary" type="submit" busy=${busy}>${t("save")}<//></footer>
    </form>
  <//>`;
}

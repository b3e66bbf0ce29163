// Writes messages: texts, files, voice messages, locations, and contacts.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { ContactDialog, FileDialog, LocationDialog } from "./attach.js";
import { Quote } from "./bubble.js";
import { html, Icon, IconButton, Menu, valueOf } from "./ui.js";
import { ownText } from "./text.js";
import { number } from "./i18n.js";
import { canRecord, record } from "./voice.js";
import { t } from "./strings.js";

/** @typedef {import("./types.d.ts").Message} Message */
/** Texts that were not sent, by phone. @type {Map<string, string>} */
const drafts = new Map();

/** @typedef {"image" | "video" | "document" | "audio" | "sticker"} FileKind */

/** The files that an item of the attachment menu offers. @type {Record<string, string>} */
const ACCEPTED = { media: "image/*,video/*", document: "*/*", audio: "audio/*", sticker: "image/*" };

/**
 * @typedef {object} Target What the next message refers to.
 * @property {Message} [reply]
 * @property {Message} [edit]
 */

/**
 * @param {{
 *   target: Target,
 *   clearTarget: () => void,
 *   phone: string,
 *   businessName: string,
 *   phoneNumberId: string,
 *   send: (content: Record<string, unknown>) => Promise<boolean>,
 *   edit: (message: Message, text: string) => Promise<boolean>,
 *   actions: import("./types.d.ts").Actions,
 * }} props
 */
export function Composer({ target, clearTarget, phone, businessName, phoneNumberId, send, edit, actions }) {
  const [text, setText] = useState(drafts.get(phone) ?? "");
  drafts.set(phone, target.edit ? "" : text);
  const [dialog, setDialog] = useState(/** @type {"location" | "contact" | null} */ (null));
  const [file, setFile] = useState(/** @type {{file: File, kind: FileKind} | null} */ (null));
  const [recording, setRecording] = useState(/** @type {import("./voice.js").Recording | null} */ (null));
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const picker = useRef(/** @type {HTMLInputElement | null} */ (null));
  const picked = useRef("media");
  const isEmpty = text.trim() === "";

  // Before the next event, so that it doesn't replace what the user has begun to write.
  useLayoutEffect(() => {
    if (target.edit) setText(ownText(target.edit) ?? "");
    if (target.edit || target.reply) field.current?.focus();
  }, [target]);
  useLayoutEffect(() => {
    const element = field.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${Math.min(element.scrollHeight, 160)}px`;
  }, [text, recording]);
  useEffect(() => () => recording?.cancel(), [recording]);

  const submit = async () => {
    if (isEmpty) return;
    setText("");
    const { edit: edited } = target;
    clearTarget();
    field.current?.focus();
    const isSent = edited ? await edit(edited, text) : await send({ type: "text", text: { body: text } });
    // Nothing was written in the meantime.
    if (!isSent) setText((current) => current || text);
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      void submit();
    } else if (event.key === "Escape" && (target.edit || target.reply)) {
      if (target.edit) setText("");
      clearTarget();
    }
  };
  const attach = (/** @type {File} */ chosen, kind = kindOf(chosen)) => setFile({ file: chosen, kind });
  const onPick = (/** @type {Event} */ event) => {
    const input = /** @type {HTMLInputElement} */ (event.currentTarget);
    const [chosen] = input.files ?? [];
    if (chosen) attach(chosen, picked.current === "media" ? kindOf(chosen) : /** @type {FileKind} */ (picked.current));
    input.value = "";
  };
  const pick = (/** @type {string} */ what) => {
    picked.current = what;
    const input = picker.current;
    if (!input) return;
    input.accept = ACCEPTED[what] ?? "";
    input.click();
  };
  const onPaste = (/** @type {ClipboardEvent} */ event) => {
    const [pasted] = event.clipboardData?.files ?? [];
    if (!pasted) return;
    event.preventDefault();
    attach(pasted);
  };
  const onDrop = (/** @type {DragEvent} */ event) => {
    const [dropped] = event.dataTransfer?.files ?? [];
    if (!dropped) return;
    event.preventDefault();
    attach(dropped);
  };
  const startRecording = async () => {
    try {
      setRecording(await record());
    } catch {
      actions.toast(t("no_microphone"), "error");
    }
  };
  const finishRecording = async () => {
    const voice = await recording?.finish();
    setRecording(null);
    if (voice) setFile({ file: voice, kind: "audio" });
  };

  const items = [
    { label: t("photo_or_video"), icon: "image", run: () => pick("media") },
    { label: t("document"), icon: "file", run: () => pick("document") },
    { label: t("audio_file"), icon: "music", run: () => pick("audio") },
    { label: t("sticker"), icon: "sticker", run: () => pick("sticker") },
    { label: t("location"), icon: "pin", run: () => setDialog("location") },
    { label: t("contact"), icon: "person", run: () => setDialog("contact") },
  ];
  return html`<div class="composer" onDragOver=${(/** @type {DragEvent} */ event) => event.preventDefault()} onDrop=${onDrop}>
    ${(target.reply || target.edit) &&
      html`<div class="composer-target">
        ${target.edit ? html`<p class="editing"><${Icon} name="edit" />${t("editing")}</p>` : html`<${Quote} message=${target.reply} businessName=${businessName} onShow=${() => {}} />`}
        <${IconButton} icon="close" label=${target.edit ? t("cancel_edit") : t("cancel_reply")} onClick=${() => {
          if (target.edit) setText("");
          clearTarget();
        }} />
      </div>`}
    ${recording
      ? html`<${RecordingBar} recording=${recording} onCancel=${() => setRecording(null)} onFinish=${finishRecording} />`
      : html`<div class="composer-row">
          <${Menu} label=${t("attach")} icon="attach" items=${items} />
          <input ref=${picker} type="file" hidden onChange=${onPick} aria-label=${t("attach")} />
          <textarea ref=${field} rows="1" dir="auto" aria-label=${t("message")} placeholder=${t("message")} value=${text}
            onInput=${(/** @type {Event} */ event) => setText(valueOf(event))} onKeyDown=${onKeyDown} onPaste=${onPaste}></textarea>
          ${isEmpty && !target.edit && canRecord()
            ? html`<${IconButton} icon="microphone" class="round" label=${t("record")} onClick=${startRecording} />`
            : html`<${IconButton} icon="send" flip class="round" label=${t("send")} disabled=${isEmpty} onClick=${submit} />`}
        </div>`}
    ${file && html`<${FileDialog} file=${file.file} kind=${file.kind} phoneNumberId=${phoneNumberId} send=${send} actions=${actions} onClose=${() => setFile(null)} />`}
    ${dialog === "location" && html`<${LocationDialog} send=${send} onClose=${() => setDialog(null)} />`}
    ${dialog === "contact" && html`<${ContactDialog} send=${send} onClose=${() => setDialog(null)} />`}
  </div>`;
}

/** @param {File} file @returns {FileKind} */
function kindOf(file) {
  const [major] = file.type.split("/");
  return major === "image" || major === "video" || major === "audio" ? major : "document";
}

/** @param {{recording: import("./voice.js").Recording, onCancel: () => void, onFinish: () => void}} props */
function RecordingBar({ recording, onCancel, onFinish }) {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setSeconds(Math.floor((Date.now() - recording.startedAt) / 1000)), 250);
    return () => clearInterval(timer);
  }, [recording]);
  const twoDigits = { minimumIntegerDigits: 2 };
  return html`<div class="composer-row recording">
    <${IconButton} icon="trash" label=${t("discard_recording")} onClick=${onCancel} />
    <p role="status"><i class="record-dot"></i>${t("recording")} <bdi aria-hidden="true">${number(Math.floor(seconds / 60))}:${number(seconds % 60, twoDigits)}</bdi></p>
    <${IconButton} icon="stop" class="round" label=${t("finish_recording")} onClick=${onFinish} />
  </div>`;
}

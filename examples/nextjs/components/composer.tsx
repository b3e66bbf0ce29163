"use client";

import { type FormEvent, type KeyboardEvent, useState } from "react";
import { type Chat, type Message, qasid, textOf } from "@/lib/qasid";

/** Sends texts to the contact of a chat. */
export function Composer({ chat, onSent }: { chat: Chat; onSent: (message: Message) => void }) {
  // The key belongs to the text: if you send it again after a lost response, the contact gets it once.
  const [draft, setDraft] = useState({ text: "", key: "" });
  const [isSending, setIsSending] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  async function send(event: FormEvent) {
    event.preventDefault();
    if (isSending || draft.text.trim() === "") return;
    setIsSending(true);
    try {
      const body = { sessionId: chat.session_id, to: chat.remote_id, message: draft.text };
      const headers = { "idempotency-key": draft.key };
      const { data } = await qasid.POST("/api/messages/send", { body, headers });
      onSent(data.message);
      setDraft({ text: "", key: "" });
      setProblem(null);
    } catch (error) {
      setProblem(textOf(error));
    }
    setIsSending(false);
  }

  function onKeyDown(event: KeyboardEvent<HTMLTextAreaElement>) {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    event.currentTarget.form?.requestSubmit();
  }

  return (
    <form className="composer" onSubmit={(event) => void send(event)}>
      <p role="alert">{problem}</p>
      <label htmlFor="message" className="hidden">
        Message
      </label>
      <textarea
        id="message"
        dir="auto"
        rows={1}
        placeholder="Message"
        value={draft.text}
        readOnly={isSending}
        onChange={(event) => setDraft({ text: event.target.value, key: crypto.randomUUID() })}
        onKeyDown={onKeyDown}
      />
      <button disabled={isSending}>Send</button>
    </form>
  );
}

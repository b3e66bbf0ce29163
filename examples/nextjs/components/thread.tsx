"use client";

import type { Change } from "@qasid/client";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { type Chat, type Media, type Message, qasid, textOf } from "@/lib/qasid";
import { More } from "./chat-list";
import { Composer } from "./composer";
import { useLive } from "./session";
import { Ticks } from "./ticks";

interface Conversation {
  chat: Chat;
  /** Oldest first. */
  messages: Message[];
  cursor: string | null;
}

/** Shows the messages of a chat, and marks them as read. */
export function Thread({ chatId }: { chatId: string }) {
  const router = useRouter();
  const read = useCallback((signal: AbortSignal) => readConversation(chatId, signal), [chatId]);
  const { value, problem, update } = useLive(read, apply);
  const [moreProblem, setMoreProblem] = useState<string | null>(null);
  const isVisible = useSyncExternalStore(onVisibility, () => !document.hidden, () => false);

  const chat = value?.chat;
  useEffect(() => {
    // Two chats of one contact were merged.
    if (chat !== undefined && chat.id !== chatId) router.replace(`/chats/${chat.id}`);
  }, [chat, chatId, router]);
  const isUnread = chat?.is_unread === true && isVisible;
  const lastMessageAt = chat?.last_message_at;
  useEffect(() => {
    if (!isUnread) return;
    const params = { path: { chatId } };
    // If it fails, the chat stays unread until its next message.
    qasid.POST("/api/chats/{chatId}/read", { params }).catch((error: unknown) => console.warn(textOf(error)));
  }, [chatId, isUnread, lastMessageAt]);

  async function readMore(cursor: string) {
    try {
      const page = await readPage(chatId, cursor);
      update((known) => ({ ...known, messages: merge(page.messages, known.messages), cursor: page.cursor }));
      setMoreProblem(null);
    } catch (error) {
      setMoreProblem(textOf(error));
    }
  }

  return (
    <main className="thread">
      <header>
        <Link href="/chats" className="back">
          Chats
        </Link>
        <h2>
          <bdi>{chat?.name ?? "…"}</bdi>
        </h2>
      </header>
      <p role="alert">{problem ?? moreProblem}</p>
      <div className="messages" role="log" aria-label="Messages" tabIndex={0}>
        <ol>
          {value !== null && value.cursor !== null && (
            <li className="more">
              <More onClick={() => readMore(value.cursor ?? "")}>Older messages</More>
            </li>
          )}
          {value?.messages.map((message) => (
            <MessageItem key={message.id} message={message} />
          ))}
        </ol>
      </div>
      {value !== null && (
        <Composer
          key={value.chat.id}
          chat={value.chat}
          onSent={(sent) => update((known) => ({ ...known, messages: merge(known.messages, [sent]) }))}
        />
      )}
    </main>
  );
}

function MessageItem({ message }: { message: Message }) {
  const isDeleted = typeof message.revoked_at === "string";
  const at = new Date(message.timestamp);
  const media = isDeleted ? null : (message.media ?? null);
  const text = message.body ?? (media === null ? `[${message.type}]` : "");
  return (
    <li className={message.from_me ? "mine" : "theirs"}>
      {media !== null && <File media={media} />}
      <p dir="auto">{isDeleted ? <em>Deleted by the sender</em> : text}</p>
      {message.error !== null && <p className="error">{message.error}</p>}
      <footer>
        <time dateTime={message.timestamp}>{at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}</time>
        {message.from_me && <Ticks status={message.status} />}
      </footer>
    </li>
  );
}

/** Shows the file of a message, from this app's own address: the `url` of a file expires after 15 minutes. */
function File({ media }: { media: Media }) {
  if (media.state === "pending") return <p className="hint">Loading the file…</p>;
  if (media.state !== "stored") return <p className="hint">The file isn’t available.</p>;
  const address = `/api/media/${media.id}`;
  const [kind] = (media.mime_type ?? "").split("/");
  if (kind === "audio") return <audio controls src={address} />;
  if (kind === "video") return <video controls src={address} />;
  return <a href={address}>{kind === "image" ? <img src={address} alt="Photo" /> : (media.file_name ?? "File")}</a>;
}

async function readConversation(chatId: string, signal: AbortSignal): Promise<Conversation> {
  const [{ data }, page] = await Promise.all([
    qasid.GET("/api/chats/{chatId}", { params: { path: { chatId } }, signal }),
    readPage(chatId, null, signal),
  ]);
  return { chat: data.chat, ...page };
}

async function readPage(chatId: string, cursor: string | null, signal?: AbortSignal) {
  const params = { path: { chatId }, query: { limit: 50, ...(cursor !== null && { cursor }) } };
  const { data } = await qasid.GET("/api/chats/{chatId}/messages", { params, signal: signal ?? null });
  return { messages: data.messages.toReversed(), cursor: data.nextCursor };
}

/** Applies a change of the chat: of its data, or of a message. */
function apply(known: Conversation, change: Change): Conversation {
  if (change.chat_id !== known.chat.id) return known;
  const chat = "chat" in change && change.chat !== null ? change.chat : known.chat;
  // A reaction, an edit, or a deletion is not shown: a second change has the message that it changed.
  const message = "message" in change && change.type !== "message.action" ? change.message : null;
  return { ...known, chat, messages: message === null ? known.messages : merge(known.messages, [message]) };
}

/** Returns the messages of both lists, the second one's if both have it, oldest first. */
function merge(messages: Message[], newer: Message[]): Message[] {
  const merged = new Map([...messages, ...newer].map((message) => [message.id, message]));
  return [...merged.values()].sort((a, b) => a.timestamp.localeCompare(b.timestamp));
}

function onVisibility(callback: () => void) {
  document.addEventListener("visibilitychange", callback);
  return () => document.removeEventListener("visibilitychange", callback);
}

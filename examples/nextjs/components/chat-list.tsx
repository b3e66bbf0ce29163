"use client";

import type { Change } from "@qasid/client";
import Link from "next/link";
import { useParams } from "next/navigation";
import { useCallback, useState } from "react";
import { type Chat, qasid, textOf } from "@/lib/qasid";
import { useLive, useSession } from "./session";

interface Chats {
  chats: Chat[];
  cursor: string | null;
}

/** Shows the chats of the session, newest message first. */
export function ChatList() {
  const { session } = useSession();
  const { chatId } = useParams<{ chatId?: string }>();
  const read = useCallback((signal: AbortSignal) => readPage(session.id, null, signal), [session.id]);
  const { value, problem, update } = useLive(read, apply);
  const [moreProblem, setMoreProblem] = useState<string | null>(null);

  async function readMore(cursor: string) {
    try {
      const page = await readPage(session.id, cursor);
      update((known) => ({ chats: merge(page.chats, known.chats), cursor: page.cursor }));
      setMoreProblem(null);
    } catch (error) {
      setMoreProblem(textOf(error));
    }
  }

  return (
    <nav aria-label="Chats" className="chats">
      <h1>Chats</h1>
      {!session.is_connected && <Link href="/">Connect WhatsApp</Link>}
      <p role="alert">{problem ?? moreProblem}</p>
      {value?.chats.length === 0 && <p className="hint">No chats yet.</p>}
      <ul>
        {value?.chats.map((chat) => (
          <li key={chat.id}>
            <Link href={`/chats/${chat.id}`} aria-current={chat.id === chatId ? "page" : undefined}>
              <bdi className="name">{chat.name}</bdi>
              <bdi className="last">{chat.last_message}</bdi>
              {chat.is_unread && chat.id !== chatId && (
                <span className="unread">
                  {chat.unread_count > 0 && chat.unread_count} <span className="hidden">unread</span>
                </span>
              )}
            </Link>
          </li>
        ))}
      </ul>
      {value !== null && value.cursor !== null && <More onClick={() => readMore(value.cursor ?? "")}>Older chats</More>}
    </nav>
  );
}

/** A button that can't be pressed again until its action has ended. */
export function More({ onClick, children }: { onClick: () => Promise<void>; children: string }) {
  const [isBusy, setIsBusy] = useState(false);
  const press = async () => {
    setIsBusy(true);
    await onClick();
    setIsBusy(false);
  };
  return (
    <button disabled={isBusy} onClick={() => void press()}>
      {children}
    </button>
  );
}

async function readPage(sessionId: string, cursor: string | null, signal?: AbortSignal): Promise<Chats> {
  const query = { sessionId, limit: 50, ...(cursor !== null && { cursor }) };
  const { data } = await qasid.GET("/api/chats", { params: { query }, signal: signal ?? null });
  return { chats: data.chats, cursor: data.nextCursor };
}

/** Applies a change of a chat. `chat` is null after an erasure, and another chat after a merge. */
function apply(known: Chats, change: Change): Chats {
  if (!("chat" in change)) return known;
  const others = known.chats.filter(({ id }) => id !== change.chat_id);
  return { ...known, chats: change.chat === null ? others : merge(others, [change.chat]) };
}

/** Returns the chats of both lists, the second one's if both have it, newest message first. */
function merge(chats: Chat[], newer: Chat[]): Chat[] {
  const merged = new Map([...chats, ...newer].map((chat) => [chat.id, chat]));
  const time = (chat: Chat) => chat.last_message_at ?? chat.created_at;
  return [...merged.values()].sort((a, b) => time(b).localeCompare(time(a)));
}

import { QasidError } from "./error.js";
import type { Operation, Success } from "./types.js";

type Page = Success<Operation<"/api/changes", "get">>;

/** A change of a session. `type` says what changed, and which further members the change has. */
export type Change = Page["changes"][number];

export interface Subscription {
  sessionId: string;
  /** Only changes of this chat. A chat that is merged into another one is followed there. */
  chatId?: string;
  /** The position to continue from. Default: from now on. */
  after?: number;
}

export interface SubscribeOptions {
  /**
   * Called when the subscription begins to work, and when it ceases to, with the reason. It keeps trying in both cases:
   * stop it if the reason isn't temporary.
   */
  onStatus?: (status: "live" | "offline", error: QasidError | null) => void;
  /**
   * Called when changes were missed, because the log no longer has them: read everything again. Changes from then on
   * follow.
   */
  onReload?: () => void | Promise<void>;
  /** Called with the position after the changes that `onChange` has handled, to continue from it later. */
  onPosition?: (position: number) => void | Promise<void>;
  /** Stops the subscription. */
  signal?: AbortSignal;
}

/** Reads the changes after a position, once. Without a position, returns the present one. */
export type GetChanges = (sessionId: string, after: number | null, signal: AbortSignal) => Promise<Page>;

/** Milliseconds between requests. */
const INTERVAL = { visible: 2_000, hidden: 15_000, max: 30_000 };

export function subscribe(
  getChanges: GetChanges,
  { sessionId, chatId, after }: Subscription,
  onChange: (change: Change) => void | Promise<void>,
  { onStatus, onReload, onPosition, signal }: SubscribeOptions = {},
): () => void {
  const stopping = new AbortController();
  const isStopped = (): boolean => stopping.signal.aborted;
  const chats = chatId === undefined ? null : new Set([chatId]);
  let position = after ?? null;
  let isReloadDue = false;
  let failures = 0;
  let status: string | null = null;
  let isPolling = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function setStatus(error: QasidError | null): void {
    const next = error === null ? "live" : `offline ${error.code}`;
    if (next === status) return;
    status = next;
    onStatus?.(error === null ? "live" : "offline", error);
  }

  /** Returns whether a change is one of the chat, and follows the chat if it is merged into another one. */
  function isWanted(change: Change): boolean {
    if (chats === null) return true;
    const target = "merged_into" in change ? change.merged_into : null;
    const isOfChat = [change.chat_id, target].some((id) => typeof id === "string" && chats.has(id));
    if (isOfChat && typeof target === "string") chats.add(target);
    return isOfChat;
  }

  /** Reads a page of changes and passes them on. Returns the milliseconds until the next request. */
  async function poll(): Promise<number> {
    let page;
    try {
      page = await getChanges(sessionId, position, stopping.signal);
    } catch (error) {
      if (isStopped()) return 0;
      if (!(error instanceof QasidError)) throw error;
      // The log no longer has the position, or belongs to a table that was emptied.
      if (position !== null && (error.status === 410 || error.code === "invalid_query")) {
        position = null;
        isReloadDue = true;
        return 0;
      }
      failures += 1;
      setStatus(error);
      return Math.max(Math.min(interval() * 2 ** failures, INTERVAL.max), (error.retryAfter ?? 0) * 1000);
    }
    if (isStopped()) return 0;
    failures = 0;
    setStatus(null);
    // Changes from this position on are news for whoever reads everything now.
    if (isReloadDue && !isStopped()) {
      isReloadDue = false;
      await onReload?.();
    }
    for (const change of page.changes) {
      if (isStopped()) return 0;
      if (isWanted(change)) await onChange(change);
    }
    if (isStopped()) return 0;
    if (page.next !== position) await onPosition?.(page.next);
    position = page.next;
    return page.more ? 0 : interval();
  }

  async function run(): Promise<void> {
    clearTimeout(timer);
    if (isPolling || isStopped()) return;
    isPolling = true;
    try {
      const delay = await poll();
      if (!isStopped()) timer = setTimeout(run, delay);
    } catch (error) {
      // Of a callback or of getToken. It can't be thrown to anyone, so it is an unhandled error of the program.
      stop();
      queueMicrotask(() => {
        throw error;
      });
    } finally {
      isPolling = false;
    }
  }

  const onVisible = (): void => {
    if (!isHidden()) void run();
  };
  const page = typeof document === "undefined" ? null : document;
  function stop(): void {
    stopping.abort();
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
    page?.removeEventListener("visibilitychange", onVisible);
    if (page !== null) removeEventListener("online", onVisible);
  }

  if (signal?.aborted) return stop;
  signal?.addEventListener("abort", stop, { once: true });
  page?.addEventListener("visibilitychange", onVisible);
  if (page !== null) addEventListener("online", onVisible);
  void run();
  return stop;
}

const isHidden = (): boolean => typeof document !== "undefined" && document.hidden;

const interval = (): number => (isHidden() ? INTERVAL.hidden : INTERVAL.visible);

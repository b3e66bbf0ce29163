"use client";

import type { Change } from "@qasid/client";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useRef, useState } from "react";
import { qasid, type Session, textOf } from "@/lib/qasid";

type Listener = (change: Change) => void;

interface Live {
  session: Session;
  /** Counts the occasions to read everything: the subscription began, the connection was back, or changes were missed. */
  reads: number;
  /** Calls a function with each change. Returns a function that ends that. */
  listen: (listener: Listener) => () => void;
}

const Context = createContext<Live | null>(null);

/** Returns the session of the signed-in user, and its changes. */
export function useSession(): Live {
  const live = useContext(Context);
  if (live === null) throw new Error("useSession needs a SessionProvider around it");
  return live;
}

/** Opens the user's session, creates it the first time, and follows its changes for all components. */
export function SessionProvider({ userId, children }: { userId: string; children: ReactNode }) {
  const [session, setSession] = useState<Session | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [reads, setReads] = useState(0);
  const listeners = useRef(new Set<Listener>());

  const open = useCallback(
    async (signal?: AbortSignal) => {
      try {
        const { data } = await qasid.POST("/api/session/create", { body: { userId }, signal: signal ?? null });
        setSession(data.session);
        setProblem(null);
      } catch (error) {
        if (signal?.aborted !== true) setProblem(textOf(error));
      }
    },
    [userId],
  );
  useEffect(() => {
    const leaving = new AbortController();
    void open(leaving.signal);
    return () => leaving.abort();
  }, [open]);

  const sessionId = session?.id;
  useEffect(() => {
    if (sessionId === undefined) return;
    const onChange = (change: Change) => {
      if ("session" in change && change.session !== null) {
        const changed = change.session;
        setSession((known) => known && { ...known, ...changed });
      }
      for (const listener of listeners.current) listener(change);
    };
    return qasid.subscribe({ sessionId }, onChange, {
      onStatus: (status, error) => {
        setProblem(status === "live" ? null : `No connection: changes appear later. ${textOf(error)}`);
        // The lists are read after the subscription has its position, so that nothing is missed in between.
        if (status === "live") setReads((count) => count + 1);
      },
      onReload: () => setReads((count) => count + 1),
    });
  }, [sessionId]);

  const listen = useCallback((listener: Listener) => {
    listeners.current.add(listener);
    return () => void listeners.current.delete(listener);
  }, []);
  const live = useMemo(() => session && { session, reads, listen }, [session, reads, listen]);
  return (
    <>
      <div role="alert" className="banner">
        {problem}
        {problem !== null && live === null && <button onClick={() => void open()}>Try again</button>}
      </div>
      {live !== null && <Context value={live}>{children}</Context>}
      {live === null && problem === null && <p className="hint">Loading…</p>}
    </>
  );
}

/**
 * Reads a value, and applies each change of the session to it. Reads it again after a lost connection. `read` must be
 * stable, as from `useCallback`.
 */
export function useLive<T>(read: (signal: AbortSignal) => Promise<T>, apply: (value: T, change: Change) => T) {
  const { reads, listen } = useSession();
  const [value, setValue] = useState<T | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const update = useCallback((change: (value: T) => T) => {
    setValue((known) => (known === null ? null : change(known)));
  }, []);

  useEffect(() => {
    if (reads === 0) return;
    const leaving = new AbortController();
    // Changes that arrive before the value has been read.
    let early: Change[] | null = [];
    const unlisten = listen((change) => {
      if (early === null) update((known) => apply(known, change));
      else early.push(change);
    });
    read(leaving.signal).then(
      (first) => {
        if (leaving.signal.aborted) return;
        setValue((early ?? []).reduce(apply, first));
        early = null;
        setProblem(null);
      },
      (error: unknown) => {
        if (!leaving.signal.aborted) setProblem(textOf(error));
      },
    );
    return () => {
      leaving.abort();
      unlisten();
    };
  }, [reads, listen, read, apply, update]);
  return { value, problem, update };
}

"use client";

import { useRouter } from "next/navigation";
import { useEffect, useState } from "react";
import { qasid, textOf } from "@/lib/qasid";
import { useSession } from "./session";

/** Shows the QR code until a WhatsApp number is linked, and then the chats. */
export function Connect() {
  const { session } = useSession();
  const router = useRouter();
  useEffect(() => {
    if (session.is_connected) router.replace("/chats");
  }, [session.is_connected, router]);
  return (
    <main className="page">
      <h1>Connect WhatsApp</h1>
      {session.is_connected ? <p role="status">Connected.</p> : <QrCode sessionId={session.id} />}
    </main>
  );
}

/** Limits of the time until the code is read again, in milliseconds. */
const [MIN_DELAY, MAX_DELAY] = [1_000, 10_000];

interface Pairing {
  code: { image: string; expiresAt: string } | null;
  /** Why the last attempt to link a number was refused. */
  refusal: string | null;
  delay: number;
}

/** Shows the QR code of a session, its successor when it expires, and why a number couldn't be linked. */
function QrCode({ sessionId }: { sessionId: string }) {
  const [pairing, setPairing] = useState<Pairing | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    const leaving = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const repeat = async () => {
      let delay = MAX_DELAY;
      try {
        const pairing = await readPairing(sessionId, leaving.signal);
        ({ delay } = pairing);
        setPairing(pairing);
        setProblem(null);
      } catch (error) {
        if (!leaving.signal.aborted) setProblem(textOf(error));
      }
      if (!leaving.signal.aborted) timer = setTimeout(repeat, Math.min(Math.max(delay, MIN_DELAY), MAX_DELAY));
    };
    void repeat();
    return () => {
      leaving.abort();
      clearTimeout(timer);
    };
  }, [sessionId]);
  const code = pairing?.code;
  return (
    <>
      <p>Scan this code with the camera of a phone, and send the text that WhatsApp shows.</p>
      <p role="alert">{problem ?? pairing?.refusal}</p>
      {/* next/image has nothing to optimize in a data URL. */}
      {code && <img className="qr" src={code.image} alt="QR code" width={300} height={300} />}
      <p role="status" className="hint">
        {code ? `A new code replaces it at ${new Date(code.expiresAt).toLocaleTimeString()}.` : "Waiting for a code…"}
      </p>
    </>
  );
}

async function readPairing(sessionId: string, signal: AbortSignal): Promise<Pairing> {
  const [qr, status] = await Promise.all([
    qasid.GET("/api/qr", { params: { query: { sessionId, format: "dataurl" } }, signal }),
    qasid.GET("/api/session/status", { params: { query: { sessionId } }, signal }),
  ]);
  const refusal = status.data.session.pairing_error;
  if ("qr_image" in qr.data) {
    const { qr_image: image, qr_expires_at: expiresAt } = qr.data;
    return { code: { image, expiresAt }, refusal, delay: Date.parse(expiresAt) - Date.now() };
  }
  // There is no code yet, or it has just expired.
  return { code: null, refusal, delay: Number(qr.response.headers.get("retry-after")) * 1_000 };
}

// What happened to a message, step by step, and what happens next.

import { dateTime, duration } from "../i18n.js";
import { t } from "../strings/trace.js";

/** @typedef {import("../types").Attempt} Attempt */
/** @typedef {import("../types").Message} Message */
/** @typedef {import("../types").Session} Session */

/**
 * @typedef {object} Step
 * @property {string} key
 * @property {string} title
 * @property {string | null} at null for a step that hasn't happened yet
 * @property {"good" | "bad" | "warn" | "open" | undefined} [kind]
 * @property {boolean} [isCoarse] a time of WhatsApp, in whole seconds
 * @property {string | null} [note]
 * @property {Attempt} [attempt]
 * @property {string | null} [latency] the time since the step before
 */

/** How long Qasid tries to send a message. */
const LIFETIME = 24 * 60 * 60_000;

/** Returns when Qasid gives a message up. @param {Message} message */
const expiry = (message) => message.valid_until ?? new Date(new Date(message.timestamp).getTime() + LIFETIME).toISOString();

/** Returns WhatsApp's code of the last failure. @param {Message} message @returns {number | null} */
export function failureCode(message) {
  return message.errors?.find(({ code }) => code !== null && code !== undefined)?.code
    ?? message.attempts?.findLast(({ code }) => code !== null && code !== undefined)?.code ?? null;
}

/** Returns the steps of a message, earliest first. @param {Message} message @returns {Step[]} */
export function steps(message) {
  const all = message.from_me ? outgoing(message) : incoming(message);
  if (message.edited_at) all.push({ key: "edited", title: t("stepEdited"), at: message.edited_at, isCoarse: true });
  for (const { by, emoji, at } of [...message.reactions ?? []].reverse()) {
    const who = by === "me" ? t("byMe") : by === "contact" ? t("byContact") : by;
    all.push({ key: `reaction ${by}`, title: t("stepReaction", { emoji, by: who }), at, isCoarse: true });
  }
  if (message.revoked_at) all.push({ key: "deleted", title: t("stepDeleted"), at: message.revoked_at, kind: "warn", isCoarse: true });
  const next = waiting(message);
  if (next) all.push({ key: "next", title: next, at: null, kind: "open" });
  return all.map((step, index) => ({ ...step, latency: index > 0 ? latency(all[index - 1], step) : null }));
}

/** @param {Message} message @returns {Step[]} */
function incoming(message) {
  /** @type {Step[]} */
  const all = [{ key: "written", title: t("stepWritten"), at: message.timestamp, isCoarse: true }];
  if (message.received_at) all.push({ key: "received", title: t("stepReceived"), at: message.received_at, kind: "good" });
  const last = all[all.length - 1];
  if (message.duplicates) last.note = t("stepAgain", { count: message.duplicates });
  return all;
}

/** @param {Message} message @returns {Step[]} */
function outgoing(message) {
  const outside = outsideTitle(message.source);
  /** @type {Step[]} */
  const all = [
    outside
      ? { key: "stored", title: outside, at: message.timestamp, isCoarse: true }
      : { key: "stored", title: message.source === "auto_reply" ? t("stepStoredRule") : t("stepStored"), at: message.timestamp },
  ];
  if (outside && message.received_at) {
    all.push({ key: "received", title: t("stepReceived"), at: message.received_at, note: message.duplicates ? t("stepAgain", { count: message.duplicates }) : null });
  }
  const attempts = message.attempts ?? [];
  attempts.forEach((attempt, index) => all.push({ ...outcome(attempt), key: `attempt ${index}`, at: attempt.at, attempt }));
  const times = message.statuses ?? {};
  if (times.accepted_at && !attempts.some(({ outcome: name }) => name === "accepted")) {
    all.push({ key: "accepted", title: t("stepAccepted"), at: times.accepted_at, kind: "good" });
  }
  /** @type {[string, string, Step["kind"]][]} */
  const statuses = [
    ["sent_at", t("stepSent"), "good"], ["delivered_at", t("stepDelivered"), "good"], ["read_at", t("stepRead"), "good"],
    ["played_at", t("stepPlayed"), "good"],
  ];
  for (const [name, title, kind] of statuses) {
    const at = times[name];
    if (at) all.push({ key: name, title, at, kind, isCoarse: true });
  }
  if (times.failed_at && attempts.at(-1)?.outcome !== "rejected") {
    const failed = { key: "failed_at", title: t("stepFailed"), at: times.failed_at, kind: /** @type {const} */ ("bad"), isCoarse: isWhole(times.failed_at) };
    // A message with several devices can fail and be delivered.
    const delivered = all.findIndex(({ key, at }) => /^(delivered|read|played)_at$/.test(key) && String(at) > failed.at);
    all.splice(delivered < 0 ? all.length : delivered, 0, failed);
  }
  return all;
}

/** @param {string | null | undefined} source */
function outsideTitle(source) {
  return source === "echo" ? t("stepStoredBusiness")
    : source === "history" ? t("stepStoredHistory")
    : source === "standby" ? t("stepStoredStandby")
    : source === "device" ? t("stepStoredDevice")
    : null;
}

/** @param {Attempt} attempt @returns {{title: string, kind: Step["kind"]}} */
function outcome({ outcome: name }) {
  switch (name) {
    case "accepted": return { title: t("stepAccepted"), kind: "good" };
    case "not_sent": return { title: t("stepNotSent"), kind: "warn" };
    case "unanswered": return { title: t("stepUnanswered"), kind: "warn" };
    default: return { title: t("stepRejected"), kind: "bad" };
  }
}

/** Returns what the message waits for. @param {Message} message */
function waiting(message) {
  switch (message.status) {
    case "pending": return t("stepWaiting");
    case "sending": return t("stepSending");
    case "unknown": return t("stepUnknown");
    case "sent": return message.source === null || message.source === "auto_reply" ? t("stepDelivery") : null;
    default: return null;
  }
}

/** @param {string} at */
const isWhole = (at) => /\.000Z$/.test(at);

/** @param {Step} before @param {Step} step */
function latency(before, step) {
  if (!before.at || !step.at) return null;
  const between = new Date(step.at).getTime() - new Date(before.at).getTime();
  const isCoarse = before.isCoarse || step.isCoarse;
  // A time in whole seconds can be up to a second before the one that it followed.
  if (isCoarse && between > -1_000 && between < 1_000) return t("laterLess");
  if (between < 0) return null;
  return t(isCoarse ? "laterAbout" : "later", { duration: duration(isCoarse ? Math.round(between / 1_000) * 1_000 : between) });
}

/**
 * Returns the name of a message's state, and what it means and what happens next.
 *
 * @param {Message} message
 * @param {Session} session
 * @returns {{name: string, kind: "good" | "bad" | "warn" | undefined, text: string}}
 */
export function state(message, session) {
  const isWorker = session.phone_number_id?.startsWith("worker:") ?? false;
  if (!message.from_me) {
    return message.revoked_at
      ? { name: t("deleted"), kind: undefined, text: t("receivedDeletedText") }
      : { name: t("received"), kind: "good", text: t("receivedText") };
  }
  switch (message.status) {
    case "pending": return { name: t("pending"), kind: undefined, text: pendingText(message, session, isWorker) };
    case "sending": return { name: t("sending"), kind: undefined, text: t("sendingText") };
    case "unknown": {
      const policy = session.unknown_policy;
      const text = policy === "fail" ? t("unknownFailText") : policy === "resend" ? t("unknownResendText") : t("unknownText");
      return { name: t("unknown"), kind: "warn", text };
    }
    case "sent":
      if (outsideTitle(message.source)) return { name: t("sent"), kind: "good", text: t("businessText") };
      if (message.message_status) return { name: t("held"), kind: "warn", text: t("heldText") };
      return { name: t("sent"), kind: "good", text: isWorker ? t("sentWorkerText") : t("sentText") };
    case "delivered": return { name: t("delivered"), kind: "good", text: t("deliveredText") };
    case "read": return { name: t("read"), kind: "good", text: t("readText") };
    case "played": return { name: t("played"), kind: "good", text: t("playedText") };
    case "failed": {
      const isUncertain = message.attempts?.at(-1)?.outcome === "unanswered";
      return { name: t("failed"), kind: "bad", text: isUncertain ? t("failedUncertainText") : t("failedText") };
    }
    default: return { name: t("queued"), kind: undefined, text: t("queuedText") };
  }
}

/** @param {Message} message @param {Session} session @param {boolean} isWorker */
function pendingText(message, session, isWorker) {
  if (session.paused_reason) return t("pendingPausedText", { time: dateTime(expiry(message)) });
  if (isWorker) return t("pendingWorkerText");
  if (message.attempts?.length) return t("pendingRetryText", { time: dateTime(expiry(message)) });
  return message.priority === "bulk" ? t("pendingBulkText") : t("pendingText");
}

// The customer service window: the 24 hours after a contact's message in which free-form messages are possible.

import { useEffect, useState } from "preact/hooks";
import { Icon, html } from "../components.js";
import { language, number } from "../i18n.js";
import { t } from "../strings/composer.js";

/** @typedef {"none" | "unknown" | "open" | "closed"} WindowState */

/** The longest delay that `setTimeout` accepts. */
const MAX_DELAY = 2 ** 31 - 1;
/** How long before its end the countdown shows seconds. */
const SECONDS_BELOW = 2 * 60_000;

/**
 * Returns the state of a chat's window: `none` if the chat has no window, as groups and workers' sessions.
 * Renders again at the moment when the window closes.
 *
 * @param {import("../types").Session} session
 * @param {import("../types").Chat | null} chat
 * @returns {WindowState}
 */
export function useWindowState(session, chat) {
  const [, setCount] = useState(0);
  const hasWindow = !session.phone_number_id?.startsWith("worker:") && chat?.type !== "GROUP";
  const until = hasWindow && chat?.window_until ? new Date(chat.window_until).getTime() : null;
  useEffect(() => {
    if (until === null || until <= Date.now()) return undefined;
    // A timer of a sleeping computer is late.
    return every(() => Math.min(until - Date.now(), MAX_DELAY), () => {
      if (until > Date.now()) return true;
      setCount((count) => count + 1);
      return false;
    });
  }, [until]);
  if (!hasWindow) return "none";
  if (until === null) return "unknown";
  return until > Date.now() ? "open" : "closed";
}

/** Shows how long the window is open. Renders alone. @param {{until: string}} props */
export function WindowCountdown({ until }) {
  const [, setCount] = useState(0);
  const end = new Date(until).getTime();
  useEffect(() => {
    const delay = () => {
      const left = end - Date.now();
      const step = left <= SECONDS_BELOW ? 1_000 : 60_000;
      // Until the shown number changes.
      return Math.max(left % step || step, 20);
    };
    return every(delay, () => {
      setCount((count) => count + 1);
      return end > Date.now();
    });
  }, [end]);
  const left = Math.max(end - Date.now(), 0);
  const kind = left < 15 * 60_000 ? "window-countdown urgent" : left < 2 * 3_600_000 ? "window-countdown soon" : "window-countdown";
  return html`<p class=${kind} title=${t("windowTitle", { time: minute(until) })}>
    <${Icon} name="clock" />
    <span class="wide-only">${t("closesIn", { left: timeLeft(left) })}</span>
    <span class="narrow-only" aria-label=${t("closesIn", { left: timeLeft(left) })}>${timeLeft(left)}</span>
  </p>`;
}

/** Returns date and time to the minute. @param {string} at */
export function minute(at) {
  return new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "short" }).format(new Date(at));
}

/** Returns "3h 20m", "12m", or "45s". @param {number} milliseconds */
function timeLeft(milliseconds) {
  const unit = (/** @type {number} */ value, /** @type {string} */ name) =>
    number(value, { style: "unit", unit: name, unitDisplay: "narrow" });
  const seconds = Math.ceil(milliseconds / 1_000);
  if (milliseconds <= SECONDS_BELOW) {
    return seconds < 60 ? unit(seconds, "second")
      : [unit(Math.floor(seconds / 60), "minute"), seconds % 60 && unit(seconds % 60, "second")].filter(Boolean).join(" ");
  }
  const minutes = Math.floor(milliseconds / 60_000);
  const hours = Math.floor(minutes / 60);
  return [hours > 0 && unit(hours, "hour"), (minutes % 60 > 0 || hours === 0) && unit(minutes % 60, "minute")]
    .filter(Boolean).join(" ");
}

/**
 * Calls `run` after each delay, and when the page becomes visible, for as long as it returns true.
 *
 * @param {() => number} delay
 * @param {() => boolean} run
 * @returns {() => void} stops
 */
function every(delay, run) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const tick = () => {
    clearTimeout(timer);
    if (run()) timer = setTimeout(tick, delay());
    else stop();
  };
  const onVisible = () => {
    if (!document.hidden) tick();
  };
  const stop = () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", onVisible);
  };
  document.addEventListener("visibilitychange", onVisible);
  timer = setTimeout(tick, delay());
  return stop;
}

// The events of a session: its change log, live, and what WhatsApp reported about the account.

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, get, subscribe } from "../api.js";
import {
  Badge, Button, Checkbox, CopyButton, Dialog, Empty, ErrorNote, Loading, html, useAction, useData,
} from "../components.js";
import { dateTime, shortTime, time } from "../i18n.js";
import { t } from "../strings/events.js";

/** @typedef {import("../types").Change} Change */
/** @typedef {import("../types").ScreenProps} ScreenProps */
/** @typedef {import("../types").Session} Session */

/** The number of changes to read at once, and to keep. */
const PAGE = 100;
const MAX_CHANGES = 1_000;

/** The kinds of changes, by the first part of their type. */
const KINDS = /** @type {const} */ (["message", "chat", "session", "other"]);
/** @typedef {typeof KINDS[number]} Kind */

/** @param {string} type @returns {Kind} */
function kindOf(type) {
  const group = /** @type {Kind} */ (type.split(".")[0]);
  return KINDS.includes(group) ? group : "other";
}

/** @param {ScreenProps} props */
export default function Events({ session, path }) {
  const tab = path[0] === "account" ? "account" : "changes";
  const link = (/** @type {"changes" | "account"} */ name) =>
    html`<a href=${`#/events/${name}`} aria-current=${tab === name ? "page" : undefined}>${t(name)}</a>`;
  return html`<div class="screen">
    <header><div><h1>${t("title")}</h1><p>${t("intro")}</p></div></header>
    <nav class="tabs" aria-label=${t("title")}>${link("changes")}${link("account")}</nav>
    ${tab === "changes" ? html`<${Changes} session=${session} />` : html`<${AccountEvents} session=${session} />`}
  </div>`;
}

/** Returns up to a page of changes up to the number `last`, newest first, and the number that older ones go up to.
 * @param {string} sessionId @param {number} last @returns {Promise<{changes: Change[], last: number}>} */
async function readUpTo(sessionId, last) {
  const after = Math.max(last - PAGE, 0);
  if (last === 0) return { changes: [], last: 0 };
  try {
    const { changes } = await get("/api/changes", { sessionId, after, limit: last - after });
    return { changes: changes.filter((/** @type {Change} */ { sequence }) => sequence <= last).reverse(), last: after };
  } catch (error) {
    // The log starts later.
    if (error instanceof ApiError && error.status === 410) return { changes: [], last: 0 };
    throw error;
  }
}

/** @param {{session: Session}} props */
function Changes({ session }) {
  const [changes, setChanges] = useState(/** @type {Change[] | null} */ (null));
  const [last, setLast] = useState(0);
  const [waiting, setWaiting] = useState(/** @type {Change[]} */ ([]));
  const [isPaused, setPaused] = useState(false);
  const [status, setStatus] = useState("live");
  const [hidden, setHidden] = useState(/** @type {Kind[]} */ ([]));
  const [shown, setShown] = useState(/** @type {Change | null} */ (null));
  const paused = useRef(false);
  paused.current = isPaused;
  const stop = useRef(() => {});
  const isMounted = useRef(true);
  /** Limits the list. Those that it drops are read again. */
  const limited = (/** @type {Change[]} */ list) => {
    const kept = list.slice(0, MAX_CHANGES);
    if (kept.length < list.length) setLast(kept[kept.length - 1].sequence - 1);
    return kept;
  };

  const [start, { error }] = useAction(async () => {
    const { next } = await get("/api/changes", { sessionId: session.id });
    const page = await readUpTo(session.id, next);
    if (!isMounted.current) return;
    setChanges(page.changes);
    setLast(page.last);
    stop.current();
    stop.current = subscribe(session.id, {
      after: next,
      onChanges: (added) => {
        const newest = [...added].reverse();
        if (paused.current) setWaiting((list) => [...newest, ...list].slice(0, MAX_CHANGES));
        else setChanges((list) => limited([...newest, ...(list ?? [])]));
      },
      onReload: () => void start(),
      onStatus: setStatus,
    });
  });
  useEffect(() => {
    void start();
    return () => {
      isMounted.current = false;
      stop.current();
    };
  }, []);
  const [readOlder, older] = useAction(async () => {
    const page = await readUpTo(session.id, last);
    setChanges((list) => [...(list ?? []), ...page.changes]);
    setLast(page.last);
  });
  const resume = () => {
    setChanges((list) => limited([...waiting, ...(list ?? [])]));
    setWaiting([]);
    setPaused(false);
  };
  const toggle = (/** @type {Kind} */ kind) =>
    setHidden(hidden.includes(kind) ? hidden.filter((other) => other !== kind) : [...hidden, kind]);

  if (error && !changes) return html`<${ErrorNote} error=${error} onRetry=${start} />`;
  if (!changes) return html`<${Loading} />`;
  const visible = changes.filter((change) => !hidden.includes(kindOf(change.type)));
  return html`
    <div class="toolbar">
      <fieldset class="filters"><legend>${t("filter")}</legend>
        ${KINDS.map((kind) => html`<${Checkbox} key=${kind} label=${t(kind)} checked=${!hidden.includes(kind)}
          onChange=${() => toggle(kind)} />`)}
      </fieldset>
      <span class="toolbar-end" role="status">
        ${isPaused ? html`<${Badge} kind="warn">${t("paused", { count: waiting.length })}<//>`
          : status === "live" ? html`<${Badge} kind="good">${t("live")}<//>`
          : html`<${Badge} kind="warn">${t("offline")}<//>`}
      </span>
      <${Button} icon=${isPaused ? "play" : "pause"} onClick=${isPaused ? resume : () => setPaused(true)}>
        ${isPaused ? t("resume") : t("pause")}
      <//>
    </div>
    ${changes.length === 0 && html`<${Empty} icon="events" title=${t("none")}><p>${t("noneText")}</p><//>`}
    ${changes.length > 0 && visible.length === 0 && html`<${Empty} icon="events" title=${t("noneShown")} />`}
    ${visible.length > 0 && html`<ol class="card event-list">${visible.map((change) => html`<li key=${change.sequence}>
      <button type="button" class="event-row" onClick=${() => setShown(change)}>
        <span class="mono muted" dir="ltr">${change.sequence}</span>
        <time datetime=${change.at} title=${dateTime(change.at)}>${moment(change.at)}</time>
        <span class="mono" dir="ltr">${change.type}</span>
        <span class="event-summary"><bdi>${summary(change)}</bdi></span>
      </button></li>`)}</ol>`}
    <${ErrorNote} error=${older.error} />
    ${last > 0 ? html`<p class="more"><${Button} busy=${older.busy} onClick=${readOlder}>${t("older")}<//></p>`
      : changes.length > 0 && html`<p class="more muted">${t("end")}</p>`}
    ${shown && html`<${ChangeDetails} change=${shown} onClose=${() => setShown(null)} />`}`;
}

/** Returns the time, with the day unless it is today. @param {string} at */
function moment(at) {
  const short = shortTime(at);
  return short === time(at) ? short : `${short} ${time(at)}`;
}

/** Returns a line about a change. @param {Change} change */
function summary(change) {
  if (change.message) return change.message.body ?? `[${change.message.type}]`;
  if (change.chat) return change.chat.name;
  if (change.session) return change.session.paused_reason ?? change.session.owner_id;
  return change.event?.field ?? "";
}

/** @param {{change: Change, onClose: () => void}} props */
function ChangeDetails({ change, onClose }) {
  const json = JSON.stringify(change, null, 2);
  return html`<${Dialog} wide title=${t("details", { type: change.type })} onClose=${onClose}>
    <div class="stack">
      <dl class="facts">
        <dt>${t("number")}</dt><dd><bdi class="mono">${change.sequence}</bdi></dd>
        <dt>${t("at")}</dt><dd>${dateTime(change.at)}</dd>
      </dl>
      <pre class="code" dir="ltr" tabindex="0">${json}</pre>
      <footer>
        ${change.chat_id && html`<a class="button" href=${`#/inbox/${change.chat_id}`}>${t("openChat")}</a>`}
        <${CopyButton} text=${json} />
      </footer>
    </div>
  <//>`;
}

/** @param {{session: Session}} props */
function AccountEvents({ session }) {
  const { data, error, reload, extend } = useData(
    (signal) => get("/api/events", { sessionId: session.id }, signal), [session.id]);
  const [readMore, more] = useAction(() => extend(async ({ events, nextCursor }) => {
    const page = await get("/api/events", { sessionId: session.id, cursor: nextCursor });
    return { ...page, events: [...events, ...page.events] };
  }));
  if (error && !data) return html`<${ErrorNote} error=${error} onRetry=${reload} />`;
  if (!data) return html`<${Loading} />`;
  if (data.events.length === 0) {
    return html`<${Empty} icon="events" title=${t("noEvents")}><p>${t("noEventsText")}</p><//>`;
  }
  return html`<ol class="stack">${data.events.map((/** @type {any} */ event) => html`<li key=${event.id} class="card stack">
      <div class="event-head"><h2 class="mono" dir="ltr">${event.field ?? "?"}</h2>
        <time class="muted" datetime=${event.received_at}>${t("received")}: ${dateTime(event.received_at)}</time></div>
      ${event.reason && html`<p class="note warn">${t("unparsed", { reason: event.reason })}</p>`}
      <pre class="code" dir="ltr" tabindex="0">${event.payload ? JSON.stringify(event.payload, null, 2) : event.raw}</pre>
      ${event.is_truncated && html`<p class="muted">${t("truncated")}</p>`}
    </li>`)}</ol>
    <${ErrorNote} error=${more.error} />
    ${data.nextCursor && html`<p class="more"><${Button} busy=${more.busy} onClick=${readMore}>${t("older")}<//></p>`}`;
}

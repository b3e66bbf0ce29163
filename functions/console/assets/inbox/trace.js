// The details of a message: its state, everything that happened to it, its IDs, its deliveries to webhooks, and its JSON.

import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { curl, get, hasScope, post } from "../api.js";
import { Badge, Button, CopyButton, Dialog, ErrorNote, Icon, IconButton, Loading, html, useAction, useData, useRepeated } from "../components.js";
import { ago, dateTime, duration } from "../i18n.js";
import { t as frame } from "../strings/app.js";
import { explain } from "../strings/codes.js";
import { t } from "../strings/trace.js";
import { failureCode, state, steps } from "./trace-timeline.js";

/** @typedef {import("../types").Caller} Caller */
/** @typedef {import("../types").Message} Message */
/** @typedef {import("../types").Session} Session */

/** From this width on, the details are beside the thread. */
const BESIDE = "(min-width: 1100px)";

/** @param {{session: Session, caller: Caller, message: Message, onClose: () => void}} props */
export default function Trace({ session, caller, message, onClose }) {
  const [isBeside, setBeside] = useState(() => window.matchMedia(BESIDE).matches);
  useEffect(() => {
    const query = window.matchMedia(BESIDE);
    const onChange = () => setBeside(query.matches);
    query.addEventListener("change", onChange);
    return () => query.removeEventListener("change", onChange);
  }, []);
  const content = html`<${Content} key=${message.id} session=${session} caller=${caller} message=${message} />`;
  if (!isBeside) return html`<${Dialog} title=${t("title")} wide onClose=${onClose}><div class="trace">${content}</div><//>`;
  return html`<${Panel} onClose=${onClose}>${content}<//>`;
}

/** @param {{onClose: () => void, children?: any}} props */
function Panel({ onClose, children }) {
  const id = useId();
  const panel = useRef(/** @type {HTMLElement | null} */ (null));
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  const close = useRef(onClose);
  close.current = onClose;
  // Before the next event, which can be Escape.
  useLayoutEffect(() => {
    const focused = document.activeElement;
    heading.current?.focus();
    const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
      // A button that is disabled while it works loses the focus to the page.
      const isHere = document.activeElement === document.body || panel.current?.contains(document.activeElement);
      if (event.key === "Escape" && !event.defaultPrevented && isHere) close.current();
    };
    document.addEventListener("keydown", onKeyDown);
    return () => {
      document.removeEventListener("keydown", onKeyDown);
      if (focused instanceof HTMLElement && focused.isConnected) focused.focus();
    };
  }, []);
  return html`<aside class="trace-panel" aria-labelledby=${id} ref=${panel}>
    <header><h2 id=${id} ref=${heading} tabindex="-1">${t("title")}</h2>
      <${IconButton} icon="close" label=${frame("close")} onClick=${onClose} /></header>
    <div class="trace">${children}</div>
  </aside>`;
}

/** @param {{session: Session, caller: Caller, message: Message}} props */
function Content({ session, caller, message: shown }) {
  // A message that the API hasn't stored yet has an ID of the console.
  const isStored = /^[0-9a-f-]{36}$/.test(shown.id);
  const [loaded, setLoaded] = useState(/** @type {{for: Message, message: Message} | null} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const path = `/api/messages/${encodeURIComponent(shown.id)}`;
  // The thread's object is a new one whenever the message changes, and can have fewer fields.
  useEffect(() => {
    if (!isStored) return undefined;
    const abort = new AbortController();
    get(path, { sessionId: session.id }, abort.signal).then(
      (response) => {
        setLoaded({ for: shown, message: response.message });
        setError(null);
      },
      (failure) => !abort.signal.aborted && setError(failure),
    );
    return () => abort.abort();
  }, [shown, session.id]);
  const message = loaded?.for === shown ? loaded.message : { ...loaded?.message, ...shown };
  const { name, kind, text } = state(message, session);
  const code = failureCode(message);
  const advice = code !== null && (message.status === "failed" || message.status === "pending") ? explain(code) : null;
  return html`
    <section class="trace-state" aria-label=${t("state")}>
      <p role="status"><${Badge} kind=${kind}>${name}<//></p>
      <p>${text}</p>
      ${message.status === "failed" && (message.error || advice) && html`<div class="note error">
        ${message.error && html`<p dir="auto">${message.error}</p>`}
        ${message.errors?.filter((one) => one.details && !message.error?.includes(one.details)).map((one) => html`<p dir="auto">${one.details}</p>`)}
        ${advice && html`<p class="advice">${advice}</p>`}
      </div>`}
      ${message.status === "pending" && advice && html`<p class="note warn">${advice}</p>`}
      <${ErrorNote} error=${error} />
    </section>
    <section aria-labelledby="trace-timeline">
      <h3 id="trace-timeline">${t("timeline")}</h3>
      <ol class="trace-steps">${steps(message).map((step) => html`<${StepItem} key=${step.key} step=${step} number=${attemptNumber(message, step)} />`)}</ol>
    </section>
    <section aria-labelledby="trace-ids">
      <h3 id="trace-ids">${t("ids")}</h3>
      <dl class="trace-ids">
        <${Id} name=${t("messageId")} value=${message.id} />
        <${Id} name=${t("wamid")} value=${message.wamid} />
        <${Id} name=${t("requestId")} value=${message.request_id} />
        <${Id} name=${t("chatId")} value=${message.chat_id} />
        <${Id} name=${t("to")} value=${message.to} />
      </dl>
    </section>
    <${Facts} message=${message} caller=${caller} />
    ${isStored && html`<${Webhooks} session=${session} caller=${caller} message=${message} />`}
    ${isStored && html`<section aria-labelledby="trace-json">
      <h3 id="trace-json">${t("json")}</h3>
      ${message.content && html`<${Json} title=${t("content")} value=${message.content} />`}
      <${Raw} session=${session} path=${path} />
      <${Json} title=${t("message")} value=${message} />
    </section>
    <section aria-labelledby="trace-curl">
      <h3 id="trace-curl">${t("curl")}</h3>
      <${Curl} title=${t("curlGet")} text=${curl("GET", `${path}?sessionId=${session.id}`)} />
      ${message.from_me && message.to && html`<${Curl} title=${t("curlSend")} text=${curl("POST", "/api/messages/send", sendBody(message, session))} />`}
      <p class="hint">${t("curlNote")}</p>
    </section>`}`;
}

/** Returns the number of an attempt, if there are several. @param {Message} message @param {import("./trace-timeline.js").Step} step */
function attemptNumber(message, step) {
  const attempts = message.attempts ?? [];
  return step.attempt && attempts.length > 1 ? attempts.indexOf(step.attempt) + 1 : null;
}

/** @param {{step: import("./trace-timeline.js").Step, number: number | null}} props */
function StepItem({ step, number }) {
  const { attempt } = step;
  return html`<li class=${step.kind ? `trace-step ${step.kind}` : "trace-step"}>
    <p class="trace-step-title"><strong>${step.title}</strong>${number !== null && html` <span class="muted small">${t("attempt", { count: number })}</span>`}</p>
    ${step.at && html`<p class="small muted"><time datetime=${step.at} title=${step.at}>${preciseTime(step.at, step.isCoarse)}</time>${step.latency && html`<span class="latency">${step.latency}</span>`}</p>`}
    ${step.note && html`<p class="small">${step.note}</p>`}
    ${attempt?.error && html`<p class="small" dir="auto">${attempt.error}</p>`}
    ${attempt && (attempt.code ?? null) !== null && !attempt.error?.includes(String(attempt.code)) && html`<p class="small">${t("code", { code: String(attempt.code) })}</p>`}
    ${attempt?.fbtrace_id && html`<p class="small fbtrace">${t("trace")} <code dir="ltr">${attempt.fbtrace_id}</code><${Copy} text=${attempt.fbtrace_id} name=${t("trace")} /></p>`}
  </li>`;
}

/** Date and time, with milliseconds where there are any. @param {string} at @param {boolean | undefined} isCoarse */
function preciseTime(at, isCoarse) {
  const isToday = new Date(at).toDateString() === new Date().toDateString();
  const options = /** @type {Intl.DateTimeFormatOptions} */ ({
    ...(isToday ? {} : { day: "numeric", month: "short", year: "numeric" }),
    hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: isCoarse ? undefined : 3,
  });
  return new Intl.DateTimeFormat(document.documentElement.lang, options).format(new Date(at));
}

/** An ID with a button that copies it. @param {{name: string, value: string | null | undefined}} props */
function Id({ name, value }) {
  if (!value) return null;
  return html`<div><dt>${name}</dt><dd><code dir="ltr">${value}</code><${Copy} text=${value} name=${name} /></dd></div>`;
}

/** A small button that copies a text. @param {{text: string, name: string}} props */
function Copy({ text, name }) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => setCopied(false), 1_500);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  return html`<${IconButton} class="copy-icon" icon=${isCopied ? "check" : "copy"} label=${isCopied ? frame("copied") : t("copyOf", { name })} onClick=${copy} />`;
}

/** @param {{message: Message, caller: Caller}} props */
function Facts({ message, caller }) {
  /** @type {[string, any][]} */
  const rows = [
    [t("type"), html`<code dir="ltr">${message.type}</code>`],
    [t("source"), sourceOf(message, caller)],
    [t("reference"), message.reference && html`<span dir="auto">${message.reference}</span>`],
    [t("category"), message.category && html`<code dir="ltr">${message.category}</code>`],
    [t("priority"), message.priority && t(message.priority === "bulk" ? "priorityBulk" : "priorityNormal")],
    [t("validUntil"), message.valid_until && dateTime(message.valid_until)],
    [t("context"), message.context?.id && html`<code dir="ltr">${message.context.id}</code>`],
    [t("pricing"), message.pricing && html`<span>${t(message.pricing.billable === false ? "free" : "billable")}${message.pricing.category && html` · <code dir="ltr">${message.pricing.category}</code>`}</span>`],
    [t("duplicates"), message.received_at && String(message.duplicates ?? 0)],
    [t("participants"), message.participants?.length > 0 && html`<ul>${message.participants.map((/** @type {any} */ one) => html`<li key=${one.participant}><code dir="ltr">${one.participant}</code> · <span>${participantState(one.status)}</span></li>`)}</ul>`],
  ];
  return html`<section aria-labelledby="trace-facts">
    <h3 id="trace-facts">${t("facts")}</h3>
    <dl class="trace-facts">${rows.filter(([, value]) => value).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
  </section>`;
}

/** @param {string | null} status */
function participantState(status) {
  switch (status) {
    case "sent": return t("sent");
    case "delivered": return t("delivered");
    case "read": return t("read");
    case "played": return t("played");
    case "failed": return t("failed");
    default: return t("pending");
  }
}

/** @param {Message} message @param {Caller} caller */
function sourceOf(message, caller) {
  switch (message.source) {
    case "auto_reply": return html`<span>${t("sourceRule")}${hasScope(caller, "rules") && html` · <a href="#/auto-replies">${t("rules")}</a>`}</span>`;
    case "echo": return t("sourceEcho");
    case "history": return t("sourceHistory");
    case "standby": return t("sourceStandby");
    case "device": return t("sourceDevice");
    default: return message.from_me ? t("sourceApi") : t("sourceContact");
  }
}

/** The body of the request that sends a message again. @param {Message} message @param {Session} session */
function sendBody(message, session) {
  const { context: _, ...content } = message.content ?? { type: "text", text: { body: message.body } };
  return {
    sessionId: session.id,
    to: message.to,
    ...content,
    ...(message.context?.id && { context: { message_id: message.context.id } }),
    ...(message.category && { category: message.category }),
    ...(message.priority === "bulk" && { priority: "bulk" }),
    ...(message.reference && { reference: message.reference }),
  };
}

/** A text that can be folded and copied. Without a text, there is nothing to copy yet.
 * @param {{title: string, text: string | null, copy: string, onOpen?: () => void, children?: any}} props */
function Folded({ title, text, copy, onOpen, children }) {
  const onToggle = (/** @type {any} */ event) => event.target.open && onOpen?.();
  return html`<div class="trace-json">
    <details onToggle=${onToggle}>
      <summary>${title}</summary>
      ${children}
      ${text !== null && html`<pre dir="ltr" tabindex="0">${text}</pre>`}
    </details>
    ${text !== null && html`<${CopyButton} text=${text} label=${copy} />`}
  </div>`;
}

/** A request as a `curl` command. @param {{title: string, text: string}} props */
function Curl({ title, text }) {
  return html`<${Folded} title=${title} text=${text} copy=${t("copyCurl")} />`;
}

/** JSON that can be folded. @param {{title: string, value: unknown}} props */
function Json({ title, value }) {
  return html`<${Folded} title=${title} text=${JSON.stringify(value, null, 2)} copy=${t("copyJson")} />`;
}

/** The message as it was received, which is read when it is unfolded. @param {{session: Session, path: string}} props */
function Raw({ session, path }) {
  const [raw, setRaw] = useState(/** @type {{value: any, isTooLong: boolean} | null} */ (null));
  const [load, { error, busy }] = useAction(async () => {
    const { message } = await get(path, { sessionId: session.id, include: "raw" });
    setRaw({ value: message.raw, isTooLong: message.raw_is_too_long === true });
  });
  const text = raw?.value ? JSON.stringify(raw.value, null, 2) : null;
  return html`<${Folded} title=${t("raw")} text=${text} copy=${t("copyJson")} onOpen=${() => !raw && !busy && void load()}>
    ${busy && html`<${Loading} />`}
    <${ErrorNote} error=${error} onRetry=${load} />
    ${raw && !text && html`<p class="muted">${t(raw.isTooLong ? "rawTooLong" : "noRaw")}</p>`}
  <//>`;
}

/** @param {{session: Session, caller: Caller, message: Message}} props */
function Webhooks({ session, caller, message }) {
  const isAllowed = hasScope(caller, "webhooks");
  return html`<section aria-labelledby="trace-webhooks">
    <h3 id="trace-webhooks">${t("webhooks")}</h3>
    ${isAllowed ? html`<${Deliveries} session=${session} caller=${caller} message=${message} />` : html`<p class="muted">${t("noScope")}</p>`}
  </section>`;
}

/** @param {{session: Session, caller: Caller, message: Message}} props */
function Deliveries({ session, caller, message }) {
  const { data, error, reload } = useData(async (signal) => {
    const lists = await Promise.all([
      get("/api/webhooks", { sessionId: session.id }, signal),
      // Those for all sessions.
      caller.is_admin ? get("/api/webhooks", {}, signal) : { webhooks: [] },
    ]);
    const webhooks = lists.flatMap((list) => list.webhooks);
    return Promise.all(webhooks.map(async (webhook) => {
      const page = await get(`/api/webhooks/${webhook.id}/attempts`, { messageId: message.id, limit: 20 }, signal);
      return { webhook, attempts: page.attempts };
    }));
  }, [session.id, message.id]);
  const goesOn = data?.some(({ attempts }) => attempts.some((/** @type {any} */ one) => one.status === "retrying" || one.status === "waiting"))
    || data?.some(({ webhook }) => webhook.behind > 0);
  useRepeated(Boolean(goesOn), reload);
  const isFirst = useRef(true);
  // A change of the message is a new delivery.
  useEffect(() => {
    if (!isFirst.current) void reload();
    isFirst.current = false;
  }, [message.status, message.edited_at, message.revoked_at, message.reactions?.length]);
  if (error && !data) return html`<${ErrorNote} error=${error} onRetry=${reload} />`;
  if (!data) return html`<${Loading} />`;
  if (data.length === 0) return html`<p class="muted">${t("noWebhooks")}</p>`;
  return html`<ul class="trace-deliveries">${data.map(({ webhook, attempts }) => html`<li key=${webhook.id}>
    <p class="trace-delivery-head"><a href="#/webhooks/${webhook.id}" dir="ltr">${webhook.url}</a>${!webhook.session_id && html` <${Badge}>${t("allSessions")}<//>`}</p>
    <p class="small"><${WebhookState} webhook=${webhook} /> ${attempts.length === 0 && html`<span class="muted">${t(getsMessages(webhook) ? "nothingFailed" : "notSubscribed")}</span>`}</p>
    ${attempts.map((/** @type {any} */ attempt) => html`<${Delivery} key=${attempt.change_id} webhook=${webhook} attempt=${attempt} isOpen=${attempts.length === 1} onRetried=${reload} />`)}
  </li>`)}</ul>`;
}

/** Returns whether a webhook gets changes of messages. @param {any} webhook */
const getsMessages = (webhook) => webhook.events.some((/** @type {string} */ name) => name === "*" || name.startsWith("message."));

/** @param {{webhook: any}} props */
function WebhookState({ webhook }) {
  if (!webhook.enabled) {
    const reason = webhook.disabled_reason === "gone" ? t("disabledGone") : webhook.disabled_reason === "failing" ? t("disabledFailing") : t("disabled");
    return html`<${Badge} kind="bad">${reason}<//>`;
  }
  if (webhook.behind === null || webhook.behind === undefined) return null;
  return html`<${Badge} kind=${webhook.behind > 0 ? "warn" : "good"}>${webhook.behind > 0 ? t("behind", { count: webhook.behind }) : t("upToDate")}<//>`;
}

/** A delivery of a change of the message. @param {{webhook: any, attempt: any, isOpen: boolean, onRetried: () => Promise<void>}} props */
function Delivery({ webhook, attempt, isOpen, onRetried }) {
  const [retry, { busy, error }] = useAction(async () => {
    await post(`/api/webhooks/${webhook.id}/attempts/${attempt.change_id}/retry`);
    await onRetried();
  });
  /** @type {Record<string, [string, "good" | "bad" | "warn"]>} */
  const states = {
    retrying: [t("retrying"), "warn"], waiting: [t("waiting"), "warn"], failed: [t("failed"), "bad"], delivered: [t("delivered"), "good"],
  };
  const [name, kind] = states[attempt.status] ?? [attempt.status, undefined];
  return html`<details class="trace-delivery" open=${isOpen}>
    <summary><code dir="ltr">${attempt.type}</code><${Badge} kind=${kind}>${name}<//><span class="small muted">${t("tries", { count: attempt.try_count })}</span></summary>
    ${attempt.status === "waiting" && html`<p class="small muted">${t("waitsForChat")}</p>`}
    ${attempt.status === "retrying" && attempt.next_try_at && html`<p class="small muted">${new Date(attempt.next_try_at).getTime() > Date.now() ? t("nextTry", { time: ago(attempt.next_try_at) }) : t("waitsForWebhook")}</p>`}
    <ol class="trace-tries">${attempt.tries.map((/** @type {any} */ one) => html`<li key=${one.at}>
      <span class=${one.delivered ? "trace-try good" : "trace-try bad"}><${Icon} name=${one.delivered ? "check" : "close"} /><span dir="ltr">${one.status ?? t("noAnswer")}</span></span>
      <span class="small muted"><time datetime=${one.at}>${preciseTime(one.at, true)}</time> · ${duration(one.duration_ms)}</span>
      ${one.error && html`<p class="small" dir="auto">${one.error}</p>`}
      ${one.response && html`<pre class="small" dir="ltr" tabindex="0" aria-label=${t("answer")}>${one.response}</pre>`}
    </li>`)}</ol>
    <dl class="trace-ids"><${Id} name=${t("changeId")} value=${attempt.change_id} /></dl>
    <${ErrorNote} error=${error} />
    ${webhook.enabled && html`<${Button} class="small" icon="refresh" busy=${busy} onClick=${retry}>${t("retry")}<//>`}
  </details>`;
}

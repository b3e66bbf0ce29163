// The session: its QR code, its state, its settings, and its end.

import { useEffect, useId, useRef, useState } from "preact/hooks";
import { ApiError, call, get, hasScope, post } from "../api.js";
import {
  Badge, Button, CopyButton, Dialog, Empty, ErrorNote, Field, Icon, Loading, html, useAction,
} from "../components.js";
import { dateTime, isolate, language, number } from "../i18n.js";
import { explain } from "../strings/codes.js";
import { t } from "../strings/connect.js";

/** @typedef {import("../types").Session} Session */
/** @typedef {import("../types").Caller} Caller */
/** @typedef {import("../types").Message} Message */
/** @typedef {import("../components.js").IconName} IconName */

/** Milliseconds between readings of the state. */
const POLL = { pairing: 2_000, connected: 15_000, failed: 10_000 };

/** How often the state of a test message is read. */
const TEST_READINGS = 60;

/** How long a QR code is valid. */
const CODE_LIFETIME = 300_000;

/** The sentences of `pairing_error` (docs/security.md, *Pairing*). @type {[string, Parameters<typeof t>[0]][]} */
const PAIRING_ERRORS = [
  ["The QR code had expired", "expired"],
  ["This WhatsApp number is already linked", "taken"],
  ["This WhatsApp number belongs to another owner", "otherOwner"],
  ["The text of the QR code was sent to another", "wrongNumber"],
  ["This deployment doesn't have the WhatsApp number", "unknownNumber"],
  ["This WhatsApp number is reserved", "reserved"],
  ["This WhatsApp number had another owner", "handedOver"],
  ["This WhatsApp number has no owner", "notApproved"],
];

/** The countries and territories with phone numbers of their own (libphonenumber). */
const COUNTRIES =
  "AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW".split(" ");

/** @param {import("../types").ScreenProps} props */
export default function Connect({ session: listed, caller, onSession, reloadSessions, phone }) {
  const { session, error, show } = useStatus(/** @type {Session} */ (listed), onSession, reloadSessions);
  const wasConnected = useRef(session.is_connected);
  // A connected session has only the ID of its number. The QR code before had the number itself.
  const paired = useRef(numberOf(session.qr));
  paired.current = numberOf(session.qr) ?? paired.current;
  const change = (/** @type {Session} */ changed) => {
    show(changed);
    onSession(changed);
  };
  return html`<div class="screen connect">
    <header><div><h1>${t("title")}</h1><p><bdi>${t("subtitle", { owner: isolate(session.owner_id) })}</bdi></p></div></header>
    <p class="visually-hidden" role="status">${session.is_connected && !wasConnected.current ? t("justConnected") : ""}</p>
    ${error && html`<div class="note warn" role="status"><p>${t("unreachable")}</p></div>`}
    ${session.is_connected
      ? html`<${Connected} session=${session} pairedNumber=${paired.current} caller=${caller} onChange=${change} />`
      : html`<${Pairing} session=${session} phone=${phone} />`}
    <${Settings} key=${session.id} session=${session} onChange=${change} />
    <${Danger} session=${session} reloadSessions=${reloadSessions} />
  </div>`;
}

/**
 * Follows the state of a session, and renews its QR code when it has expired. A hidden page reads nothing, and reads at
 * once when it is visible again.
 *
 * @param {Session} listed
 * @param {(session: Session) => void} onChange called when the session was connected or paused
 * @param {() => Promise<void>} onErased called when the session was erased
 */
function useStatus(listed, onChange, onErased) {
  const [session, setSession] = useState(listed);
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const current = useRef(listed);
  const show = (/** @type {Session} */ next) => {
    current.current = next;
    setSession(next);
  };
  useEffect(() => {
    const abort = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    let isReading = false;
    const read = async () => {
      clearTimeout(timer);
      if (isReading || abort.signal.aborted || document.hidden) return;
      isReading = true;
      let delay = POLL.failed;
      const before = current.current;
      try {
        let next = await status(abort.signal);
        const isWorker = next.phone_number_id?.startsWith("worker:") ?? false;
        const hasCode = () => next.qr !== null && !next.qr_expired;
        if (!next.is_connected && !isWorker && !hasCode()) {
          // A request for an expired code replaces it. Workers replace theirs.
          await get("/api/qr", { sessionId: next.id }, abort.signal);
          next = await status(abort.signal);
        }
        // A response from before a change is older than what is shown.
        if (current.current === before) show(next);
        setError(null);
        if (next.is_connected) delay = POLL.connected;
        else if (isWorker || hasCode()) delay = POLL.pairing;
        if (next.is_connected !== before.is_connected || next.paused_reason !== before.paused_reason) onChange(next);
      } catch (failure) {
        if (abort.signal.aborted) return;
        if (failure instanceof ApiError && failure.code === "session_not_found") return void onErased();
        setError(failure);
      } finally {
        isReading = false;
      }
      timer = setTimeout(read, delay);
    };
    const status = async (/** @type {AbortSignal} */ signal) =>
      /** @type {Session} */ ((await get("/api/session/status", { sessionId: listed.id }, signal)).session);
    const onVisible = () => void read();
    document.addEventListener("visibilitychange", onVisible);
    window.addEventListener("online", onVisible);
    void read();
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisible);
      window.removeEventListener("online", onVisible);
    };
  }, []);
  return { session, error, show };
}

/** Returns the number that a QR code leads to, or `null` for the code of a linked device. @param {string | null} qr */
function numberOf(qr) {
  const digits = /^https:\/\/wa\.me\/(\d+)/.exec(qr ?? "")?.[1];
  return digits ? `+${digits}` : null;
}

/** @param {{session: Session, phone: string | null}} props */
function Pairing({ session, phone }) {
  const { qr } = session;
  const businessNumber = numberOf(qr);
  const steps = businessNumber
    ? [t("stepOpen"), t("stepSend", { number: `\u2066${businessNumber}\u2069` }), t("stepWait")]
    : [t("deviceOpen"), t("deviceScan"), t("deviceWait")];
  if (!qr) {
    return html`<section class="card"><${Empty} icon="link" title=${t("noCode")}><p>${t("noCodeText")}</p><//>
      ${session.pairing_error && html`<${PairingError} text=${session.pairing_error} />`}
    </section>`;
  }
  return html`<section class="card pairing" aria-labelledby="pairing-title">
    <div class="pairing-text">
      <h2 id="pairing-title">${t("scan")}</h2>
      <ol class="steps">${steps.map((step) => html`<li key=${step}>${step}</li>`)}</ol>
      ${session.pairing_error && html`<${PairingError} text=${session.pairing_error} />`}
      <div class="pairing-actions">
        ${phone && html`<a class="button primary" href="${phone}#scan=${encodeURIComponent(qr)}" target="_blank" rel="noopener"><${Icon} name="phone" />${t("simulate")}</a>`}
        ${businessNumber && html`<a class=${phone ? "button" : "button primary"} href=${qr} target="_blank" rel="noopener noreferrer"><${Icon} name="send" />${t("openHere")}</a>
          <${CopyButton} text=${qr} label=${t("copyLink")} />`}
      </div>
      <p class="waiting muted"><span class="pulse" aria-hidden="true"></span>${t(businessNumber ? "waiting" : "deviceWaiting")}</p>
    </div>
    <${Code} session=${session} />
  </section>`;
}

/** @param {{text: string}} props */
function PairingError({ text }) {
  const key = PAIRING_ERRORS.find(([start]) => text.startsWith(start))?.[1];
  return html`<div class="note error" role="alert">
    <strong>${t("pairingFailed")}</strong><p dir="auto">${key ? t(key) : text}</p>
  </div>`;
}

/** The QR code and the time until it is replaced. @param {{session: Session}} props */
function Code({ session }) {
  const [image, setImage] = useState(/** @type {string | null} */ (null));
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const abort = new AbortController();
    const load = async () => {
      try {
        const svg = await call("GET", "/api/qr", { query: { sessionId: session.id, format: "svg" }, signal: abort.signal });
        // JSON, if the session was connected or the code expired meanwhile.
        if (typeof svg === "string") setImage(`data:image/svg+xml,${encodeURIComponent(svg)}`);
      } catch {
        // The next reading of the state tells.
      }
    };
    void load();
    return () => abort.abort();
  }, [session.qr]);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const expiresAt = session.qr_expires_at ? Date.parse(session.qr_expires_at) : null;
  // The clock of this device can be wrong: the API decides when a code has expired, and is asked every other second.
  const left = expiresAt === null ? null : Math.min(Math.max(expiresAt - now, 0), CODE_LIFETIME);
  const isExpired = session.qr_expired === true;
  const seconds = Math.ceil((left ?? 0) / 1_000);
  const clock = `${number(Math.floor(seconds / 60))}:${number(seconds % 60, { minimumIntegerDigits: 2 })}`;
  return html`<figure class=${isExpired ? "qr-code expired" : "qr-code"}>
    <div class="qr-image">${image ? html`<img src=${image} alt=${t("qrAlt")} width="392" height="392" />` : html`<${Loading} />`}</div>
    ${left !== null && (left > 0 || isExpired) && html`<figcaption>
      <div class="countdown" aria-hidden="true"><span class=${left < 30_000 ? "soon" : undefined} style=${{ inlineSize: `${(left / CODE_LIFETIME) * 100}%` }}></span></div>
      <p role="timer" class="small muted">${isExpired ? t("renewing") : t("renewsIn", { time: `\u2066${clock}\u2069` })}</p>
    </figcaption>`}
  </figure>`;
}

/** @param {{session: Session, pairedNumber: string | null, caller: Caller, onChange: (session: Session) => void}} props */
function Connected({ session, pairedNumber, caller, onChange }) {
  const isDevice = session.phone_number_id?.startsWith("worker:");
  const [resume, { busy, error }] = useAction(async () => {
    onChange((await post("/api/session/resume", { sessionId: session.id })).session);
  });
  const code = /\((\d+)\)/.exec(session.paused_reason ?? "")?.[1];
  /** @type {[string, IconName, string, string, string][]} */
  const links = [
    ["inbox", "inbox", t("nextInbox"), t("nextInboxText"), "messages:read"],
    ["auto-replies", "reply", t("nextRules"), t("nextRulesText"), "rules"],
    ["webhooks", "webhook", t("nextWebhooks"), t("nextWebhooksText"), "webhooks"],
    ["health", "heart", t("nextHealth"), t("nextHealthText"), "sessions"],
  ];
  return html`
    ${session.paused_reason && html`<section class="note warn paused" aria-labelledby="paused-title">
      <h2 id="paused-title"><${Icon} name="warning" />${t("pausedTitle")}</h2>
      <p>${t("pausedText")}</p>
      <p><strong>${t("reason")}: </strong><bdi>${session.paused_reason}</bdi></p>
      ${code && html`<p>${explain(Number(code))}</p>`}
      <${Button} kind="primary" icon="play" busy=${busy} onClick=${resume}>${t("resume")}<//>
      <${ErrorNote} error=${error} />
    </section>`}
    <section class="card connected" aria-labelledby="connected-title">
      <header>
        <span class="seal" aria-hidden="true"><${Icon} name="check" /></span>
        <h2 id="connected-title">${t("connectedTitle")}</h2>
        ${session.is_ready && !session.paused_reason ? html`<${Badge} kind="good">${t("ready")}<//>` : html`<${Badge} kind="warn">${t("notReady")}<//>`}
      </header>
      <dl class="facts">
        ${isDevice
          ? html`<dt>${t("number")}</dt><dd>${t("linkedDevice")}</dd>`
          : html`${pairedNumber && html`<dt>${t("number")}</dt><dd><bdi>${pairedNumber}</bdi></dd>`}
            <dt>${t("numberId")}</dt><dd><bdi>${session.phone_number_id}</bdi></dd>`}
        <dt>${t("owner")}</dt><dd><bdi>${session.owner_id}</bdi></dd>
        <dt>${t("sessionId")}</dt><dd><code>${session.id}</code></dd>
        <dt>${t("created")}</dt><dd>${dateTime(session.created_at)}</dd>
        <dt>${t("changed")}</dt><dd>${dateTime(session.updated_at)}</dd>
      </dl>
    </section>
    <section class="next" aria-labelledby="next-title">
      <h2 id="next-title">${t("next")}</h2>
      <ul>${links.filter((link) => hasScope(caller, link[4])).map(([name, icon, title, text]) => html`<li key=${name}>
        <a class="card" href="#/${name}"><${Icon} name=${icon} /><span><strong>${title}</strong><span class="muted small">${text}</span></span></a>
      </li>`)}</ul>
    </section>
    ${hasScope(caller, "messages:send") && html`<${Test} session=${session} canRead=${hasScope(caller, "messages:read")} />`}`;
}

/** @param {{session: Session, canRead: boolean}} props */
function Test({ session, canRead }) {
  const [to, setTo] = useState("");
  const [text, setText] = useState(t("testDefault"));
  const [message, setMessage] = useState(/** @type {Message | null} */ (null));
  // After a lost response, the same message is sent with the same key.
  const attempt = useRef(/** @type {{request: string, idempotencyKey: string} | null} */ (null));
  const [send, { busy, error }] = useAction(async () => {
    setMessage(null);
    const body = { sessionId: session.id, to, message: text };
    const request = JSON.stringify(body);
    if (attempt.current?.request !== request) attempt.current = { request, idempotencyKey: crypto.randomUUID() };
    const { idempotencyKey } = attempt.current;
    setMessage((await post("/api/messages/send", body, { idempotencyKey })).message);
    attempt.current = null;
  });
  const id = message?.id;
  const isSettled = !message || ["delivered", "read", "played", "failed"].includes(message.status);
  useEffect(() => {
    if (!id || isSettled || !canRead) return undefined;
    const abort = new AbortController();
    let count = 0;
    const timer = setInterval(() => {
      if (document.hidden) return;
      count += 1;
      // A phone that is off gets the message much later.
      if (count === TEST_READINGS) clearInterval(timer);
      get(`/api/messages/${id}`, { sessionId: session.id }, abort.signal).then(
        (found) => found.message && setMessage(found.message),
        () => {},
      );
    }, POLL.pairing);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [id, isSettled]);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void send();
  };
  const isOutside = error instanceof ApiError && error.code === "outside_service_window";
  const code = message?.errors?.[0]?.code ?? message?.attempts?.[message.attempts.length - 1]?.code;
  const reason = message?.status === "failed" && (code ? explain(code) : message.error);
  const kind = message?.status === "failed" ? "bad" : message?.is_sent ? "good" : undefined;
  return html`<section class="card" aria-labelledby="test-title">
    <form class="stack" onSubmit=${submit}>
      <h2 id="test-title">${t("test")}</h2>
      <div class="form-columns">
        <${Field} label=${t("testTo")} hint=${t("testToHint")} type="tel" dir="ltr" required autocomplete="off" placeholder="+44 7911 900001" value=${to}
          onInput=${(/** @type {any} */ event) => setTo(event.target.value)} />
        <${Field} label=${t("testText")} dir="auto" required maxlength="4096" value=${text}
          onInput=${(/** @type {any} */ event) => setText(event.target.value)} />
      </div>
      ${isOutside ? html`<div class="note warn" role="alert"><p>${t("testWindow")}</p></div>` : html`<${ErrorNote} error=${error} />`}
      <footer>
        <div class="form-result" role="status">${message && html`
          <${Badge} kind=${kind}>${t("testState", { status: t(message.status) })}<//>
          ${reason && html`<span class="small" dir="auto">${reason}</span>`}
          ${canRead && html`<a href="#/inbox/${message.chat_id}">${t("testChat")}</a>`}`}
        </div>
        <${Button} kind="primary" type="submit" icon="send" busy=${busy}>${t("testSend")}<//>
      </footer>
    </form>
  </section>`;
}

/** @param {string} text @returns {string[] | null} */
function words(text) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return lines.length > 0 ? lines : null;
}

/** Returns the countries by their names in the language of the console. @returns {[string, string][]} */
function countries() {
  const names = new Intl.DisplayNames(language(), { type: "region" });
  const collator = new Intl.Collator(language());
  return COUNTRIES.map((code) => /** @type {[string, string]} */ ([code, names.of(code) ?? code])).sort((a, b) => collator.compare(a[1], b[1]));
}

/** @typedef {{policy: "fail" | "resend", country: string, stop: string, start: string}} SettingsForm */

/** Returns the settings of a session as the form has them. @param {Session} session @returns {SettingsForm} */
const formOf = (session) => ({
  policy: session.unknown_policy,
  country: session.default_country ?? "",
  stop: (session.stop_words ?? []).join("\n"),
  start: (session.start_words ?? []).join("\n"),
});

/** @param {{session: Session, onChange: (session: Session) => void}} props */
function Settings({ session, onChange }) {
  const id = useId();
  const [form, setForm] = useState(() => formOf(session));
  // The settings that the user began with. Only those that the user changed are saved.
  const [base, setBase] = useState(form);
  const [isSaved, setSaved] = useState(false);
  const [options] = useState(countries);
  const set = (/** @type {Partial<SettingsForm>} */ change) => {
    setForm({ ...form, ...change });
    setSaved(false);
  };
  const isChanged = JSON.stringify(form) !== JSON.stringify(base);
  const stored = JSON.stringify(formOf(session));
  useEffect(() => {
    // Saved elsewhere.
    if (isChanged || stored === JSON.stringify(base)) return;
    setBase(formOf(session));
    setForm(formOf(session));
  }, [stored]);
  const [save, { busy, error }] = useAction(async () => {
    const { session: changed } = await call("PATCH", "/api/session", {
      body: {
        sessionId: session.id,
        ...(form.policy !== base.policy && { unknownPolicy: form.policy }),
        ...(form.country !== base.country && { defaultCountry: form.country || null }),
        ...(form.stop !== base.stop && { stopWords: words(form.stop) }),
        ...(form.start !== base.start && { startWords: words(form.start) }),
      },
    });
    setForm(formOf(changed));
    setBase(formOf(changed));
    setSaved(true);
    onChange(changed);
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void save();
  };
  const policy = (/** @type {"fail" | "resend"} */ value, /** @type {string} */ label, /** @type {string} */ hint) => html`
    <div class="checkbox">
      <input type="radio" name="${id}-policy" id="${id}-${value}" checked=${form.policy === value} aria-describedby="${id}-${value}-hint"
        onChange=${() => set({ policy: value })} />
      <label for="${id}-${value}">${label}</label>
      <p class="hint" id="${id}-${value}-hint">${hint}</p>
    </div>`;
  return html`<section class="card" aria-labelledby="${id}-title">
    <form class="stack" onSubmit=${submit}>
      <h2 id="${id}-title">${t("settings")}</h2>
      <div class="form-columns">
        <fieldset class="stack" aria-describedby="${id}-policy-hint">
          <legend>${t("unknownPolicy")}</legend>
          <p class="hint" id="${id}-policy-hint">${t("unknownHint")}</p>
          ${policy("fail", t("policyFail"), t("policyFailHint"))}
          ${policy("resend", t("policyResend"), t("policyResendHint"))}
        </fieldset>
        <${Field} label=${t("country")} hint=${t("countryHint")} type="select" value=${form.country}
          onChange=${(/** @type {any} */ event) => set({ country: event.target.value })}>
          <option value="">${t("countryNone")}</option>
          ${options.map(([code, name]) => html`<option key=${code} value=${code}>${name} (${code})</option>`)}
        <//>
        <${Field} label=${t("stopWords")} hint=${t("stopHint")} type="textarea" rows="3" dir="auto" placeholder=${t("defaultWords")} value=${form.stop}
          onInput=${(/** @type {any} */ event) => set({ stop: event.target.value })} />
        <${Field} label=${t("startWords")} hint=${t("startHint")} type="textarea" rows="3" dir="auto" placeholder=${t("defaultWords")} value=${form.start}
          onInput=${(/** @type {any} */ event) => set({ start: event.target.value })} />
      </div>
      <${ErrorNote} error=${error} />
      <footer>
        <span class="form-result" role="status">${isSaved && !isChanged && html`<${Badge} kind="good"><${Icon} name="check" />${t("saved")}<//>`}</span>
        <${Button} kind="primary" type="submit" busy=${busy} disabled=${!isChanged}>${t("save")}<//>
      </footer>
    </form>
  </section>`;
}

/** @param {{session: Session, reloadSessions: () => Promise<void>}} props */
function Danger({ session, reloadSessions }) {
  const [isOpen, setOpen] = useState(false);
  const [typed, setTyped] = useState("");
  const [erased, setErased] = useState(/** @type {number | null} */ (null));
  const [erase, { busy, error }] = useAction(async () => {
    let isComplete = false;
    while (!isComplete) {
      try {
        const { erasure } = await call("DELETE", "/api/session", { query: { sessionId: session.id } });
        isComplete = erasure.complete;
        setErased(erasure.erased_messages);
      } catch (failure) {
        // The erasure ended in the background.
        if (!(failure instanceof ApiError && failure.code === "session_not_found")) throw failure;
        isComplete = true;
      }
    }
    await reloadSessions();
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (typed === session.owner_id) void erase();
  };
  const close = () => {
    if (busy) return;
    setOpen(false);
    setTyped("");
  };
  return html`<section class="card danger-zone" aria-labelledby="danger-title">
    <div><h2 id="danger-title">${t("danger")}</h2><p class="muted">${t("eraseText")}</p></div>
    <${Button} kind="danger" icon="trash" onClick=${() => setOpen(true)}>${t("erase")}<//>
    ${isOpen && html`<${Dialog} title=${t("erase")} onClose=${close}>
      <form onSubmit=${submit}>
        <p>${t("eraseText")}</p>
        <${Field} label=${t("eraseConfirm", { owner: isolate(session.owner_id) })} dir="auto" autocomplete="off" spellcheck=${false} value=${typed}
          onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} />
        ${busy && erased !== null && html`<p role="status" class="muted">${t("erasing", { count: erased })}</p>`}
        <${ErrorNote} error=${error} />
        <footer><${Button} kind="danger" type="submit" icon="trash" busy=${busy} disabled=${typed !== session.owner_id}>${t("eraseAction")}<//></footer>
      </form>
    <//>`}
  </section>`;
}

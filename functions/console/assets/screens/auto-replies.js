// The auto-reply rules of a session: list, editor, and dry run.

import { useState } from "preact/hooks";
import { call, get, post } from "../api.js";
import { Badge, Button, Checkbox, Confirm, Empty, ErrorNote, Field, Loading, html, useAction, useData } from "../components.js";
import { isolate, westernDigits } from "../i18n.js";
import { t } from "../strings/auto-replies.js";

/** @typedef {import("../types").ScreenProps} ScreenProps */
/** @typedef {{from: string, to: string}} Range */
/** @typedef {{time_zone: string, hours: Record<string, Range[]>}} Schedule */
/** @typedef {{type: string, match?: string, keywords?: string[], ignore_accents?: boolean}} Trigger */
/** @typedef {{id: string, name: string, trigger: Trigger, reply: any, schedule: Schedule | null, enabled: boolean,
 *   priority: number, cooldown_seconds: number}} Rule */
/** @typedef {Parameters<typeof t>[0]} Key */

const TRIGGERS = /** @type {const} */ (["keyword", "first_message", "outside_hours", "any"]);
const MATCHES = /** @type {const} */ (["contains", "equals", "starts_with", "regex"]);
const DAYS = /** @type {const} */ (["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]);

/** @param {ScreenProps} props */
export default function AutoReplies({ session, path }) {
  const sessionId = /** @type {{id: string}} */ (session).id;
  const { data, error, reload } = useData((signal) => get("/api/auto-replies", { sessionId }, signal), [sessionId]);
  const [removed, setRemoved] = useState(/** @type {Rule | null} */ (null));
  if (error && !data) return html`<div class="screen"><${ErrorNote} error=${error} onRetry=${reload} /></div>`;
  if (!data) return html`<${Loading} />`;
  /** @type {Rule[]} */
  const rules = data.rules;
  const selected = path[0] === "new" ? null : rules.find(({ id }) => id === path[0]);
  const isEditing = path.length > 0 && selected !== undefined;
  const close = () => {
    location.hash = "#/auto-replies";
  };
  return html`<div class="screen">
    <header>
      <div><h1>${t("title")}</h1><p>${t("intro")}</p></div>
      ${!isEditing && html`<a class="button primary" href="#/auto-replies/new">${t("add")}</a>`}
    </header>
    <${ErrorNote} error=${error} onRetry=${reload} />
    <div class="beside">
      <div class="stack">
        ${isEditing ? html`<${Editor} key=${path[0]} sessionId=${sessionId} rule=${selected} onClose=${close}
            onSaved=${async () => { await reload(); close(); }} />`
          : rules.length === 0 ? html`<${Empty} icon="reply" title=${t("none")}><p>${t("noneText")}</p><//>`
          : html`<ul class="card row-list">${rules.map((rule) =>
              html`<${Row} key=${rule.id} rule=${rule} onChanged=${reload} onRemove=${() => setRemoved(rule)} />`)}</ul>`}
      </div>
      <${DryRun} sessionId=${sessionId} />
    </div>
    ${removed && html`<${Confirm} title=${t("removeTitle")} text=${t("removeText", { name: isolate(removed.name) })} action=${t("remove")}
      onClose=${() => setRemoved(null)}
      onConfirm=${async () => { await call("DELETE", `/api/auto-replies/${removed.id}`); await reload(); }} />`}
  </div>`;
}

/** Returns a rule as requests take it. @param {Rule} rule */
function requestOf({ name, trigger, reply, schedule, enabled, priority, cooldown_seconds }) {
  const { ignore_accents, ...rest } = trigger;
  return {
    name,
    trigger: ignore_accents === undefined ? rest : { ...rest, ignoreAccents: ignore_accents },
    reply: textOf(reply) === null ? reply : { message: textOf(reply) },
    schedule: schedule && { timeZone: schedule.time_zone, hours: schedule.hours },
    enabled,
    priority,
    cooldownSeconds: cooldown_seconds,
  };
}

/** Returns the text of a reply that is only a text. @param {any} reply @returns {string | null} */
function textOf(reply) {
  if (typeof reply?.message === "string") return reply.message;
  return reply?.type === "text" && Object.keys(reply.text).length === 1 ? reply.text.body : null;
}

/** @param {{rule: Rule, onChanged: () => Promise<void>, onRemove: () => void}} props */
function Row({ rule, onChanged, onRemove }) {
  const [toggle, { busy, error }] = useAction(async () => {
    // The rule can have been edited elsewhere.
    const { rule: current } = await get(`/api/auto-replies/${rule.id}`);
    await call("PUT", `/api/auto-replies/${rule.id}`, { body: requestOf({ ...current, enabled: !rule.enabled }) });
    await onChanged();
  });
  const words = rule.trigger.keywords?.join(", ");
  return html`<li class="row">
    <div class="row-text">
      <h2><bdi>${rule.name}</bdi></h2>
      <p class="muted">${t(/** @type {Key} */ (rule.trigger.type))}${words && html`: <bdi>${words}</bdi>`}</p>
      <p class="row-preview"><bdi>${textOf(rule.reply) ?? `[${rule.reply.type}]`}</bdi></p>
      <${ErrorNote} error=${error} />
    </div>
    <div class="row-end">
      <${Checkbox} label=${t("enabled")} checked=${rule.enabled} disabled=${busy}
        onChange=${toggle} />
      <a class="button" href=${`#/auto-replies/${rule.id}`} aria-label=${t("editTitle", { name: rule.name })}>${t("edit")}</a>
      <${Button} kind="danger" onClick=${onRemove} aria-label=${`${t("remove")}: ${rule.name}`}>${t("remove")}<//>
    </div>
  </li>`;
}

/** Reads hours such as `09:00-17:00, 18:00-20:00`; `null` if they are malformed.
 * @param {string} text @returns {Range[] | null} */
function readHours(text) {
  const ranges = westernDigits(text).split(/[,،]/).map((part) => part.trim()).filter(Boolean);
  const parsed = ranges.map((range) => /^(\d{1,2}:\d{2})\s*[-–]\s*(\d{1,2}:\d{2})$/.exec(range));
  if (parsed.some((range) => !range)) return null;
  return parsed.map((range) => ({ from: String(range?.[1]).padStart(5, "0"), to: String(range?.[2]).padStart(5, "0") }));
}

/** @param {{sessionId: string, rule: Rule | null, onClose: () => void, onSaved: () => Promise<void>}} props */
function Editor({ sessionId, rule, onClose, onSaved }) {
  const [name, setName] = useState(rule?.name ?? "");
  const [trigger, setTrigger] = useState(rule?.trigger.type ?? "keyword");
  const [match, setMatch] = useState(rule?.trigger.match ?? "contains");
  const [keywords, setKeywords] = useState(rule?.trigger.keywords?.join("\n") ?? "");
  const [ignoreAccents, setIgnoreAccents] = useState(rule?.trigger.ignore_accents ?? false);
  const [kind, setKind] = useState(rule && textOf(rule.reply) === null ? "json" : "text");
  const [text, setText] = useState((rule && textOf(rule.reply)) ?? "");
  const [json, setJson] = useState(rule && textOf(rule.reply) === null ? JSON.stringify(rule.reply, null, 2) : "");
  const [hasSchedule, setHasSchedule] = useState(Boolean(rule?.schedule));
  const [timeZone, setTimeZone] = useState(
    rule?.schedule?.time_zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC");
  const [hours, setHours] = useState(() => Object.fromEntries(DAYS.map((day) => [day,
    rule?.schedule ? (rule.schedule.hours[day] ?? []).map(({ from, to }) => `${from}-${to}`).join(", ")
      : day === "saturday" || day === "sunday" ? "" : "09:00-17:00"])));
  const [enabled, setEnabled] = useState(rule?.enabled ?? true);
  const [priority, setPriority] = useState(String(rule?.priority ?? 0));
  const [cooldown, setCooldown] = useState(String(rule?.cooldown_seconds ?? 0));
  const needsSchedule = trigger === "outside_hours" || hasSchedule;

  const [save, { busy, error }] = useAction(async () => {
    let reply;
    try {
      reply = kind === "text" ? { message: text } : JSON.parse(json);
    } catch (failure) {
      throw new Error(t("invalidJson", { reason: failure instanceof Error ? failure.message : "" }));
    }
    const days = Object.entries(hours).map(([day, of]) => /** @type {const} */ ([day, readHours(of)]));
    if (needsSchedule && days.some(([, ranges]) => !ranges)) throw new Error(t("invalidHours"));
    const body = {
      name,
      trigger: trigger === "keyword"
        ? { type: trigger, match, keywords: keywords.split("\n").map((word) => word.trim()).filter(Boolean), ignoreAccents }
        : { type: trigger },
      reply,
      schedule: needsSchedule
        ? { timeZone, hours: Object.fromEntries(days.filter(([, ranges]) => ranges?.length)) } : undefined,
      enabled,
      priority: Number(priority),
      cooldownSeconds: Number(cooldown),
    };
    if (rule) await call("PUT", `/api/auto-replies/${rule.id}`, { body });
    else await post("/api/auto-replies", body, { query: { sessionId } });
    await onSaved();
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void save();
  };
  const input = (/** @type {(value: string) => void} */ set) => (/** @type {any} */ event) => set(event.target.value);
  const option = (/** @type {Key} */ key) => html`<option key=${key} value=${key}>${t(key)}</option>`;
  return html`<form class="card stack" onSubmit=${submit} aria-label=${rule ? t("editTitle", { name: rule.name }) : t("add")}>
    <${Field} label=${t("name")} required maxlength="100" dir="auto" value=${name} onInput=${input(setName)} />
    <${Field} label=${t("trigger")} type="select" value=${trigger} onChange=${input(setTrigger)}>${TRIGGERS.map(option)}<//>
    ${trigger === "keyword" && html`
      <${Field} label=${t("match")} type="select" value=${match} onChange=${input(setMatch)}>${MATCHES.map(option)}<//>
      <${Field} label=${t("keywords")} hint=${t("keywordsHint")} type="textarea" required dir="auto" value=${keywords}
        onInput=${input(setKeywords)} />
      <${Checkbox} label=${t("ignoreAccents")} checked=${ignoreAccents}
        onChange=${(/** @type {any} */ event) => setIgnoreAccents(event.target.checked)} />`}
    <${Field} label=${t("replyKind")} type="select" value=${kind} onChange=${input(setKind)}>${[option("text"), option("json")]}<//>
    ${kind === "text"
      ? html`<${Field} label=${t("reply")} hint=${t("replyHint")} type="textarea" required dir="auto" value=${text} onInput=${input(setText)} />`
      : html`<${Field} label=${t("reply")} hint=${t("jsonHint")} type="textarea" class="code-field" rows="8" required dir="ltr" spellcheck=${false}
          value=${json} onInput=${input(setJson)} />`}
    ${trigger !== "outside_hours" && html`<${Checkbox} label=${t("useSchedule")} checked=${hasSchedule}
      onChange=${(/** @type {any} */ event) => setHasSchedule(event.target.checked)} />`}
    ${needsSchedule && html`<fieldset class="schedule"><legend>${t("hours")}</legend>
      <${Field} label=${t("timeZone")} required dir="ltr" list="time-zones" value=${timeZone} onInput=${input(setTimeZone)} />
      <datalist id="time-zones">${Intl.supportedValuesOf("timeZone").map((zone) => html`<option key=${zone} value=${zone}></option>`)}</datalist>
      <p class="hint">${t("day")}</p>
      ${DAYS.map((day) => html`<${Field} key=${day} class="inline" label=${t(day)} dir="ltr" value=${hours[day]}
        error=${readHours(hours[day] ?? "") ? null : t("invalidHours")}
        onInput=${(/** @type {any} */ event) => setHours({ ...hours, [day]: event.target.value })} />`)}
    </fieldset>`}
    <div class="pair">
      <${Field} label=${t("priority")} hint=${t("priorityHint")} type="number" min="0" max="1000" required value=${priority} onInput=${input(setPriority)} />
      <${Field} label=${t("cooldown")} hint=${t("cooldownHint")} type="number" min="0" max="2592000" required value=${cooldown} onInput=${input(setCooldown)} />
    </div>
    <${Checkbox} label=${t("enabled")} checked=${enabled}
      onChange=${(/** @type {any} */ event) => setEnabled(event.target.checked)} />
    <${ErrorNote} error=${error} />
    <footer><${Button} onClick=${onClose}>${t("cancel")}<//><${Button} kind="primary" type="submit" busy=${busy}>${t("save")}<//></footer>
  </form>`;
}

/** @param {{sessionId: string}} props */
function DryRun({ sessionId }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState("");
  const [result, setResult] = useState(/** @type {any} */ (null));
  const [run, { busy, error }] = useAction(async () => {
    setResult(await post("/api/auto-replies/dry-run", { sessionId, text, at: at ? new Date(at).toISOString() : undefined }));
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void run();
  };
  return html`<section class="card stack" aria-labelledby="dry-run">
    <h2 id="dry-run">${t("dryRun")}</h2>
    <p class="muted">${t("dryRunText")}</p>
    <form class="stack" onSubmit=${submit}>
      <${Field} label=${t("message")} required dir="auto" value=${text} onInput=${(/** @type {any} */ event) => setText(event.target.value)} />
      <${Field} label=${t("at")} type="datetime-local" value=${at} onInput=${(/** @type {any} */ event) => setAt(event.target.value)} />
      <footer><${Button} kind="primary" type="submit" busy=${busy}>${t("run")}<//></footer>
    </form>
    <${ErrorNote} error=${error} />
    <div role="status" class="stack">${result && html`
      <p><strong>${result.reply ? t("answers", { name: isolate(result.reply.rule_name) }) : t("noAnswer")}</strong></p>
      ${result.reply && html`<p class="bubble-preview" dir="auto">${textOf(result.reply.content) ?? JSON.stringify(result.reply.content)}</p>`}
      ${result.consent_word && html`<p class="note">${t(result.consent_word)}</p>`}
      <ul class="stack">${result.rules.map((/** @type {any} */ rule) => html`<li key=${rule.id}>
        <bdi><strong>${rule.name}</strong></bdi> <${Badge} kind=${rule.reason === "answers" ? "good" : undefined}>${t(/** @type {Key} */ (`reason_${rule.reason}`))}<//>
        <p class="muted small" dir="auto" lang="en">${rule.explanation}</p></li>`)}</ul>`}
    </div>
  </section>`;
}

// The checks of a session: token, number, quality, webhooks.

import { useState } from "preact/hooks";
import { get, hasScope } from "../api.js";
import { Badge, Button, ErrorNote, Icon, Loading, html, useData } from "../components.js";
import { dateTime, number, time } from "../i18n.js";
import { t } from "../strings/health.js";

/** @typedef {{check: string, ok: boolean | null, problem: string | null, fix: string | null, details: Record<string, unknown>}} Check */
/** @typedef {import("../types").Caller} Caller */

/** The screens where a problem can be fixed or examined.
 * @type {Record<string, {screen: string, text: Parameters<typeof t>[0], scope: string}>} */
const LINKS = {
  connection: { screen: "connect", text: "linkConnect", scope: "sessions" },
  access_token: { screen: "numbers", text: "linkNumbers", scope: "admin" },
  app_secret: { screen: "numbers", text: "linkNumbers", scope: "admin" },
  outbox: { screen: "connect", text: "linkConnect", scope: "sessions" },
  quality: { screen: "events", text: "linkEvents", scope: "messages:read" },
  last_webhook: { screen: "events", text: "linkEvents", scope: "messages:read" },
};

/** The names of the checks. A newer API can have others. @type {Set<string>} */
const NAMES = new Set([
  "connection", "access_token", "number_status", "quality", "throughput", "display_name", "sending", "subscription", "callback", "app_secret",
  "last_webhook", "outbox",
]);

/** @param {import("../types").ScreenProps} props */
export default function Health({ session, caller }) {
  const sessionId = /** @type {import("../types").Session} */ (session).id;
  const [isChecking, setChecking] = useState(false);
  const { data, error, reload } = useData(async (signal) => {
    const { checks } = await get("/api/health", { sessionId }, signal);
    return { checks: /** @type {Check[]} */ (checks), at: Date.now() };
  }, [sessionId]);
  const again = async () => {
    setChecking(true);
    await reload();
    setChecking(false);
  };
  const of = (/** @type {ReturnType<typeof kindOf>} */ kind) => data?.checks.filter((check) => kindOf(check) === kind) ?? [];
  const problems = of("problem");
  const notes = [...of("warning"), ...of("unknown")];
  const good = of("good");
  return html`<div class="screen health">
    <header>
      <div><h1>${t("title")}</h1><p>${t("subtitle")}</p></div>
      <${Button} icon="refresh" busy=${isChecking} onClick=${again}>${t("refresh")}<//>
    </header>
    <${ErrorNote} error=${error} onRetry=${again} />
    ${!data && !error && html`<${Loading} />`}
    ${data && html`
      <div class=${`card verdict ${problems.length > 0 ? "bad" : notes.length > 0 ? "warn" : "good"}`} role="status">
        <span class="verdict-icon" aria-hidden="true"><${Icon} name=${problems.length + notes.length > 0 ? "warning" : "check"} /></span>
        <p><strong>${problems.length > 0 ? t("unhealthy", { count: problems.length })
          : notes.length > 0 ? t("noted", { count: notes.length }) : t("healthy")}</strong>
          <span class="muted small">${t("checked", { time: time(data.at) })}</span></p>
      </div>
      <${Group} title=${t("problems")} checks=${problems} caller=${caller} />
      <${Group} title=${t("notes")} checks=${notes} caller=${caller} />
      <${Group} title=${t("good")} checks=${good} caller=${caller} isDense />`}
  </div>`;
}

/** @param {{title: string, checks: Check[], caller: Caller, isDense?: boolean}} props */
function Group({ title, checks, caller, isDense = false }) {
  if (checks.length === 0) return null;
  return html`<section class="check-group">
    <h2>${title}</h2>
    <ul class=${isDense ? "checks dense" : "checks"}>${checks.map((check) => html`<${CheckRow} key=${check.check} check=${check} caller=${caller} />`)}</ul>
  </section>`;
}

/** Returns the kind of a result. A check with a warning is good, and has a problem. @param {Check} check */
function kindOf({ ok, problem }) {
  if (ok === null) return "unknown";
  if (!ok) return "problem";
  return problem ? "warning" : "good";
}

/** @type {Record<ReturnType<typeof kindOf>, {badge: "good" | "warn" | "bad" | undefined, text: Parameters<typeof t>[0]}>} */
const KINDS = {
  problem: { badge: "bad", text: "isProblem" },
  warning: { badge: "warn", text: "isWarning" },
  unknown: { badge: undefined, text: "isUnknown" },
  good: { badge: "good", text: "isGood" },
};

/** @param {{check: Check, caller: Caller}} props */
function CheckRow({ check: result, caller }) {
  const { check, problem, fix, details } = result;
  const kind = KINDS[kindOf(result)];
  const name = NAMES.has(check) ? t(/** @type {Parameters<typeof t>[0]} */ (check)) : check;
  const facts = Object.entries(details ?? {}).filter(([, value]) => value !== null && value !== "" && !(Array.isArray(value) && value.length === 0));
  const link = LINKS[check];
  // The API's sentences refer to other checks by their IDs.
  return html`<li class="card">
    <div class="check-head"><h3>${name}</h3><code class="muted">${check}</code><${Badge} kind=${kind.badge}>${t(kind.text)}<//></div>
    ${problem && html`<p dir="auto">${problem}</p>`}
    ${fix && html`<p class="check-fix"><strong>${t("fix")}</strong><span dir="auto">${fix}</span></p>`}
    ${problem && link && hasScope(caller, link.scope)
      && html`<a class="button small" href="#/${link.screen}">${t(link.text)}</a>`}
    ${facts.length > 0 && html`<dl class="facts small" aria-label=${t("details")}>${facts.map(([key, value]) => html`
      <dt><code>${key}</code></dt><dd><bdi>${detail(value)}</bdi></dd>`)}</dl>`}
  </li>`;
}

/** Returns a value of the details as text. @param {unknown} value @returns {string} */
function detail(value) {
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  if (typeof value === "number") return number(value);
  if (typeof value === "string") return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) ? dateTime(value) : value;
  const parts = Array.isArray(value) ? value.map(detail) : Object.entries(value ?? {}).map(([key, part]) => `${key}: ${detail(part)}`);
  return parts.join(", ");
}

// The checks of a session: token, number, quality, webhooks.

import { useState } from "preact/hooks";
import { get } from "../api.js";
import { Badge, Button, Empty, ErrorNote, Icon, Loading, html, useData } from "../components.js";
import { dateTime, number, time } from "../i18n.js";
import { t } from "../strings/health.js";

/** @typedef {{check: string, ok: boolean | null, problem: string | null, fix: string | null, details: Record<string, unknown>}} Check */
/** @typedef {import("../types").Caller} Caller */

/** The screens where a problem can be fixed or examined.
 * @type {Record<string, {screen: string, text: Parameters<typeof t>[0], scope: string}>} */
const LINKS = {
  access_token: { screen: "numbers", text: "linkNumbers", scope: "admin" },
  app_secret: { screen: "numbers", text: "linkNumbers", scope: "admin" },
  outbox: { screen: "connect", text: "linkConnect", scope: "sessions" },
  quality: { screen: "events", text: "linkEvents", scope: "messages:read" },
  last_webhook: { screen: "events", text: "linkEvents", scope: "messages:read" },
};

/** The names of the checks. A newer API can have others. @type {Set<string>} */
const NAMES = new Set([
  "access_token", "number_status", "quality", "throughput", "display_name", "display_name_status", "subscription", "callback", "app_secret",
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
  const of = (/** @type {boolean | null} */ ok) => data?.checks.filter((check) => check.ok === ok) ?? [];
  const [problems, unknown, good] = [of(false), of(null), of(true)];
  if (session?.is_connected === false) {
    return html`<div class="screen"><header><h1>${t("title")}</h1></header>
      <${Empty} icon="heart" title=${t("notConnected")}><p>${t("notConnectedText")}</p><a class="button primary" href="#/connect">${t("linkConnect")}</a><//>
    </div>`;
  }
  return html`<div class="screen health">
    <header>
      <div><h1>${t("title")}</h1><p>${t("subtitle")}</p></div>
      <${Button} icon="refresh" busy=${isChecking} onClick=${again}>${t("refresh")}<//>
    </header>
    <${ErrorNote} error=${error} onRetry=${again} />
    ${!data && !error && html`<${Loading} />`}
    ${data && html`
      <div class=${`card verdict ${problems.length > 0 ? "bad" : unknown.length > 0 ? "warn" : "good"}`} role="status">
        <span class="verdict-icon" aria-hidden="true"><${Icon} name=${problems.length + unknown.length > 0 ? "warning" : "check"} /></span>
        <p><strong>${problems.length > 0 ? t("unhealthy", { count: problems.length })
          : unknown.length > 0 ? t("someUnknown", { count: unknown.length }) : t("healthy")}</strong>
          <span class="muted small">${t("checked", { time: time(data.at) })}</span></p>
      </div>
      <${Group} title=${t("problems")} checks=${problems} caller=${caller} />
      <${Group} title=${t("unknown")} checks=${unknown} caller=${caller} />
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

/** @param {{check: Check, caller: Caller}} props */
function CheckRow({ check: { check, ok, problem, fix, details }, caller }) {
  const badge = ok === null ? html`<${Badge} kind="warn">${t("isUnknown")}<//>`
    : ok ? html`<${Badge} kind="good">${t("isGood")}<//>` : html`<${Badge} kind="bad">${t("isProblem")}<//>`;
  const name = NAMES.has(check) ? t(/** @type {Parameters<typeof t>[0]} */ (check)) : check;
  const facts = Object.entries(details ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const link = LINKS[check];
  return html`<li class="card">
    <div class="check-head"><h3>${name}</h3>${badge}</div>
    ${problem && html`<p dir="auto">${problem}</p>`}
    ${fix && html`<p class="check-fix"><strong>${t("fix")}</strong><span dir="auto">${fix}</span></p>`}
    ${ok === false && link && (caller.is_admin || caller.scopes.includes(link.scope))
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
  if (Array.isArray(value)) return value.map(detail).join(", ");
  return JSON.stringify(value);
}

// Counts of messages, latencies, and failures over time.

import { useEffect, useId, useMemo, useState } from "preact/hooks";
import { get } from "../api.js";
import { Chart } from "../charts.js";
import { Button, Empty, ErrorNote, Loading, html, useData } from "../components.js";
import { duration, language, number, time } from "../i18n.js";
import { explain } from "../strings/codes.js";
import { t } from "../strings/overview.js";

/** @typedef {{count: number, mean_ms: number, p50_ms: number, p90_ms: number, p99_ms: number, buckets: Bucket[]}} Latency */
/** How many messages took at most this long, and longer than the bucket before allows. @typedef {{up_to_ms: number, count: number}} Bucket */
/** @typedef {{code: number | null, count: number}} Failure */
/** The counters of an hour as the API returns them, or of several hours.
 * @typedef {{received: number, sent: number, delivered: number, read: number, failed: number, failures: Failure[],
 *   accept_latency: Latency | null, delivery_latency: Latency | null}} Counters */
/** @typedef {Counters & {hour: string}} Hour */
/** An interval of the charts. @typedef {import("../charts.js").Slot & {start: number, end: number}} Interval */
/** @typedef {"day" | "week" | "month"} Period */

const HOUR = 3_600_000;

/** Milliseconds between readings while the page is visible. */
const REFRESH = 60_000;

/** How many error codes have a color of their own. */
const SHOWN_CODES = 3;

/** Returns the intervals of a period that ends now: hours, or days in the user's time zone.
 * @param {Period} period @returns {Interval[]} */
function intervals(period) {
  const now = new Date();
  if (period === "day") {
    const current = Math.floor(now.getTime() / HOUR) * HOUR;
    const label = new Intl.DateTimeFormat(language(), { hour: "numeric" });
    const name = new Intl.DateTimeFormat(language(), { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });
    return Array.from({ length: 24 }, (_, index) => {
      const start = current - (23 - index) * HOUR;
      return { start, end: start + HOUR, label: label.format(start), name: name.formatRange(start, start + HOUR) };
    });
  }
  const days = period === "week" ? 7 : 30;
  const label = new Intl.DateTimeFormat(language(), period === "week" ? { weekday: "short", day: "numeric" } : { day: "numeric", month: "short" });
  const name = new Intl.DateTimeFormat(language(), { weekday: "long", day: "numeric", month: "long" });
  // A day of a daylight saving change has 23 or 25 hours.
  const midnight = (/** @type {number} */ ago) => new Date(now.getFullYear(), now.getMonth(), now.getDate() - ago).getTime();
  return Array.from({ length: days }, (_, index) => {
    const start = midnight(days - 1 - index);
    return { start, end: midnight(days - 2 - index), label: label.format(start), name: name.format(start) };
  });
}

/** Adds the buckets of distributions, which have the same bounds. @param {(Latency | null)[]} latencies @returns {Latency | null} */
function mergeLatencies(latencies) {
  const known = latencies.filter((latency) => latency !== null);
  const count = known.reduce((sum, latency) => sum + latency.count, 0);
  if (count === 0) return null;
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const bucket of known.flatMap((latency) => latency.buckets)) {
    counts.set(bucket.up_to_ms, (counts.get(bucket.up_to_ms) ?? 0) + bucket.count);
  }
  const buckets = [...counts].map(([up_to_ms, number]) => ({ up_to_ms, count: number })).sort((a, b) => a.up_to_ms - b.up_to_ms);
  const percentile = (/** @type {number} */ percent) => {
    const rank = Math.max(Math.ceil((count * percent) / 100), 1);
    let reached = 0;
    return (buckets.find((bucket) => (reached += bucket.count) >= rank) ?? buckets[buckets.length - 1]).up_to_ms;
  };
  const mean_ms = known.reduce((sum, latency) => sum + latency.mean_ms * latency.count, 0) / count;
  return { count, mean_ms, p50_ms: percentile(50), p90_ms: percentile(90), p99_ms: percentile(99), buckets };
}

/** @param {Hour[]} hours @returns {Counters} */
function merge(hours) {
  const sum = (/** @type {"received" | "sent" | "delivered" | "read" | "failed"} */ name) => hours.reduce((total, hour) => total + hour[name], 0);
  /** @type {Map<number | null, number>} */
  const codes = new Map();
  for (const { code, count } of hours.flatMap((hour) => hour.failures)) codes.set(code, (codes.get(code) ?? 0) + count);
  return {
    received: sum("received"),
    sent: sum("sent"),
    delivered: sum("delivered"),
    read: sum("read"),
    failed: sum("failed"),
    failures: [...codes].map(([code, count]) => ({ code, count })).sort((a, b) => b.count - a.count),
    accept_latency: mergeLatencies(hours.map((hour) => hour.accept_latency)),
    delivery_latency: mergeLatencies(hours.map((hour) => hour.delivery_latency)),
  };
}

/** @param {import("../types").ScreenProps} props */
export default function Overview({ session }) {
  const [period, setPeriod] = useState(/** @type {Period} */ ("day"));
  const sessionId = /** @type {import("../types").Session} */ (session).id;
  const { data, error, reload } = useData(async (signal) => {
    const slots = intervals(period);
    const query = { sessionId, from: new Date(slots[0].start).toISOString(), to: new Date().toISOString() };
    const { hours } = await get("/api/stats", query, signal);
    return { slots, hours: /** @type {Hour[]} */ (hours), at: Date.now() };
  }, [sessionId, period]);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) void reload();
    }, REFRESH);
    return () => clearInterval(timer);
  }, [sessionId, period]);

  const days = new Intl.DateTimeFormat(language(), { dateStyle: "medium" });
  const subtitle = data && t("zone", {
    from: days.format(data.slots[0].start),
    to: days.format(data.at),
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  });
  return html`<div class="screen overview">
    <header>
      <div><h1>${t("title")}</h1><p>${subtitle}</p></div>
      <div class="overview-controls">
        <${Periods} value=${period} onChange=${setPeriod} />
        <${Button} icon="refresh" title=${data ? t("updated", { time: time(data.at) }) : undefined} onClick=${reload}>${t("refresh")}<//>
      </div>
    </header>
    <${ErrorNote} error=${error} onRetry=${reload} />
    ${!data && !error && html`<${Loading} />`}
    ${data && (data.hours.length === 0
      ? html`<${Empty} icon="chart" title=${t("empty")}><p>${t("emptyText")}</p><a class="button" href="#/inbox">${t("openInbox")}</a><//>`
      : html`<${Report} slots=${data.slots} hours=${data.hours} isHourly=${period === "day"} />`)}
  </div>`;
}

/** @param {{value: Period, onChange: (period: Period) => void}} props */
function Periods({ value, onChange }) {
  const name = useId();
  /** @type {Period[]} */
  const periods = ["day", "week", "month"];
  return html`<fieldset class="segments">
    <legend class="visually-hidden">${t("period")}</legend>
    ${periods.map((period) => html`<label key=${period}>
      <input type="radio" name=${name} checked=${value === period} onChange=${() => onChange(period)} /><span>${t(period)}</span>
    </label>`)}
  </fieldset>`;
}

/** @param {{slots: Interval[], hours: Hour[], isHourly: boolean}} props */
function Report({ slots, hours, isHourly }) {
  const { all, each } = useMemo(() => {
    const shown = hours.map((hour) => ({ ...hour, at: Date.parse(hour.hour) })).filter((hour) => hour.at >= slots[0].start);
    return { all: merge(shown), each: slots.map((slot) => merge(shown.filter((hour) => hour.at >= slot.start && hour.at < slot.end))) };
  }, [slots, hours]);
  const percent = (/** @type {number} */ share) => number(Math.min(share, 1), { style: "percent", maximumFractionDigits: 1 });
  const rate = (/** @type {number} */ count) =>
    t(isHourly ? "perHour" : "perDay", { count: number(count / slots.length, { maximumFractionDigits: 1 }) });
  // A unit stays in the line of its number.
  const span = (/** @type {number} */ milliseconds) => duration(milliseconds).replaceAll(" ", "\u00a0");
  // WhatsApp's times are whole seconds, so the mean of deliveries is exact only to a second.
  const latency = (/** @type {Latency | null} */ value, /** @type {number} */ precision) => {
    if (!value) return ["–", t("noLatency")];
    const mean = value.mean_ms < precision ? t("meanBelow", { duration: span(precision) }) : t("mean", { duration: span(value.mean_ms) });
    return [t("upTo", { duration: span(value.p50_ms) }), mean];
  };
  const [accept, acceptMean] = latency(all.accept_latency, 0);
  const [deliver, deliverMean] = latency(all.delivery_latency, 1_000);
  // A failed message may have been accepted before, so it can be one of the sent.
  const settled = all.delivered + all.failed;
  /** @type {[string, string, string][]} */
  const figures = [
    [t("received"), number(all.received), rate(all.received)],
    [t("sent"), number(all.sent), rate(all.sent)],
    [t("delivered"), all.sent > 0 ? percent(all.delivered / all.sent) : "–", t("reads", { count: all.read })],
    [t("failed"), number(all.failed), t("ofSettled", { share: percent(settled > 0 ? all.failed / settled : 0) })],
    [t("accept"), accept, acceptMean],
    [t("deliver"), deliver, deliverMean],
  ];
  return html`
    <dl class="figures">${figures.map(([label, value, note]) => html`<div key=${label} class="card">
      <dt>${label}</dt><dd class="figure">${value}</dd><dd class="muted small">${note}</dd>
    </div>`)}</dl>
    <${Chart} title=${t("messages")} note=${t("messagesNote")} kind="bars" slots=${slots} series=${[
      { name: t("received"), color: 1, values: each.map((one) => one.received) },
      { name: t("sent"), color: 2, values: each.map((one) => one.sent) },
    ]} />
    <div class="chart-pair">
      <${Latencies} title=${t("acceptance")} note=${t("acceptanceNote")} slots=${slots} latencies=${each.map((one) => one.accept_latency)} />
      <${Latencies} title=${t("delivery")} note=${t("deliveryNote")} slots=${slots} latencies=${each.map((one) => one.delivery_latency)} />
    </div>
    <${Failures} slots=${slots} all=${all} each=${each} percent=${percent} />`;
}

/** @param {{title: string, note: string, slots: Interval[], latencies: (Latency | null)[]}} props */
function Latencies({ title, note, slots, latencies }) {
  const values = (/** @type {"p50_ms" | "p90_ms" | "p99_ms"} */ name) => latencies.map((latency) => latency?.[name] ?? null);
  return html`<${Chart} title=${title} note=${note} kind="lines" slots=${slots} format=${duration} series=${[
    { name: t("p50"), color: 1, values: values("p50_ms") },
    { name: t("p90"), color: 2, values: values("p90_ms") },
    { name: t("p99"), color: 4, values: values("p99_ms") },
  ]} />`;
}

/** @param {number | null} code */
const codeName = (code) => (code === null ? t("noCode") : t("code", { code: String(code) }));

/** @param {{slots: Interval[], all: Counters, each: Counters[], percent: (share: number) => string}} props */
function Failures({ slots, all, each, percent }) {
  if (all.failed === 0) return html`<section class="card failures-none"><h2>${t("failures")}</h2><p class="muted">${t("noFailures")}</p></section>`;
  const shown = all.failures.slice(0, SHOWN_CODES).map(({ code }) => code);
  const count = (/** @type {Counters} */ one, /** @type {(code: number | null) => boolean} */ matches) =>
    one.failures.filter(({ code }) => matches(code)).reduce((sum, failure) => sum + failure.count, 0);
  const colors = /** @type {const} */ ([3, 4, 2, 0]);
  const series = shown.map((code, index) => ({
    name: codeName(code),
    color: colors[index],
    values: each.map((one) => count(one, (candidate) => candidate === code)),
  }));
  if (all.failures.length > shown.length) {
    series.push({ name: t("otherCodes"), color: colors[3], values: each.map((one) => count(one, (code) => !shown.includes(code))) });
  }
  return html`
    <${Chart} title=${t("failures")} note=${t("failuresNote")} kind="stack" slots=${slots} series=${series} />
    <section class="card reasons" aria-labelledby="reasons-title">
      <h2 id="reasons-title">${t("reasons")}</h2>
      <table>
        <thead><tr><th scope="col">${t("reason")}</th><th scope="col" class="end">${t("count")}</th><th scope="col">${t("share")}</th></tr></thead>
        <tbody>${all.failures.map((failure) => html`<tr key=${failure.code}>
          <th scope="row"><strong>${codeName(failure.code)}</strong><span>${explain(failure.code)}</span></th>
          <td class="end" data-label=${t("count")}>${number(failure.count)}</td>
          <td data-label=${t("share")}><span class="share"><span class="share-bar" aria-hidden="true"><span style=${{ inlineSize: `${(failure.count / all.failed) * 100}%` }}></span></span>${percent(failure.count / all.failed)}</span></td>
        </tr>`)}</tbody>
      </table>
    </section>`;
}

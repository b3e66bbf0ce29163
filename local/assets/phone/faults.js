// The faults of the simulated WhatsApp and of the table.

import { useEffect, useState } from "preact/hooks";
import { call } from "./api.js";
import { Field, html, Icon, Switch, valueOf } from "./ui.js";
import { number } from "./i18n.js";
import { t } from "./strings.js";

/** @typedef {import("./types.d.ts").Faults} Faults */
/** @typedef {import("./types.d.ts").SendFault} SendFault */
/** @typedef {import("./types.d.ts").WebhookFaults} WebhookFaults */
/** @typedef {import("./types.d.ts").TableFaults} TableFaults */

/**
 * The faults for sends. Each has the name and the sentence of its strings, `fault_<name>` and `fault_<name>_hint`.
 * @satisfies {Record<string, Record<string, unknown>>}
 */
const SENDS = {
  lost_after: { dropAfterAcceptance: true },
  lost_before: { dropBeforeAcceptance: true },
  slow: { delay: 5_000 },
  hanging: { timeoutAfterAcceptance: 30_000 },
  server_error: { errorCode: 131_000, httpStatus: 500 },
  pair_limit: { errorCode: 131_056, httpStatus: 400 },
  throughput: { errorCode: 130_429, httpStatus: 429 },
  token: { errorCode: 190, httpStatus: 401 },
  window_closed: { failedStatus: 131_047 },
  undeliverable: { failedStatus: 131_026 },
  ecosystem: { failedStatus: 131_049 },
  held: { messageStatus: "held_for_quality_assessment" },
  mixed: {
    mix: {
      seed: 1,
      faults: [
        { percent: 10, fault: { dropAfterAcceptance: true } },
        { percent: 10, fault: { dropBeforeAcceptance: true } },
        { percent: 10, fault: { errorCode: 131_000, httpStatus: 500 } },
        { percent: 10, fault: { errorCode: 130_429, httpStatus: 429 } },
      ],
    },
  },
};
/** @typedef {keyof typeof SENDS} SendName */
const SEND_NAMES = /** @type {SendName[]} */ (Object.keys(SENDS));

/** How many sends a fault affects; null for all until it is cleared. */
const TIMES = [1, 3, 10, null];

/** How late a webhook is, in milliseconds. */
const DELAY = 10_000;

/** The faults for webhooks with the value that turns them on. @type {Partial<WebhookFaults>} */
const WEBHOOKS = { duplicates: 1, reorder: true, delay: DELAY, hold: true, noDelivered: true, noRead: true, bsuidOnly: true, withoutCallbackData: true };
const WEBHOOK_NAMES = /** @type {(keyof WebhookFaults)[]} */ (Object.keys(WEBHOOKS));

const PERCENTS = [5, 20, 50];

/** @typedef {{faults: Faults | null, table: TableFaults | null, functions: string[]}} FaultState */

/** Returns which of the page's faults for sends is active; null for another one. @param {SendFault} fault */
function nameOf(fault) {
  const comparable = (/** @type {any} */ { times, mix, ...kind }) =>
    JSON.stringify([Object.entries(kind).sort(), mix?.faults.length ?? 0]);
  return SEND_NAMES.find((name) => comparable(SENDS[name]) === comparable(fault)) ?? null;
}

/** Returns the names of the active faults. @param {FaultState} state */
export function activeFaults({ faults, table }) {
  const active = [];
  if (faults?.sends) {
    const name = nameOf(faults.sends);
    const left = faults.sends.times;
    const label = name ? t(`fault_${name}`) : t("fault_other");
    active.push(left === null ? label : `${label} (${t("times_left", { count: left })})`);
  }
  for (const name of WEBHOOK_NAMES) if (faults?.webhooks[name]) active.push(t(`fault_${name}`));
  if (faults && Object.keys(faults.media).length > 0) active.push(t("fault_media"));
  if (faults && !faults.window) active.push(t("fault_window"));
  if (table && table.percent > 0) active.push(t("fault_table", { percent: `${number(table.percent)}%` }));
  return active;
}

/** Ends all faults. */
export async function clearFaults() {
  await Promise.all([call("DELETE", "faults"), call("DELETE", "table-faults").catch(() => undefined)]);
}

/** @param {{state: FaultState, refresh: () => Promise<void>, clear: () => void, actions: import("./types.d.ts").Actions}} props */
export function FaultsPanel({ state, refresh, clear, actions }) {
  // Faults that were chosen and are being changed.
  const [pending, setPending] = useState(/** @type {Partial<FaultState>} */ ({}));
  const { faults, table, functions } = { ...state, ...pending };
  const active = faults?.sends ? nameOf(faults.sends) : null;
  const [times, setTimes] = useState(/** @type {number | null} */ (1));
  const [percent, setPercent] = useState(table?.percent || 5);
  const [only, setOnly] = useState(table?.functions[0] ?? "");
  const [killed, setKilled] = useState("");
  useEffect(() => setKilled((current) => current || (functions[0] ?? "")), [functions]);
  const run = async (/** @type {() => Promise<unknown>} */ request) => {
    try {
      await request();
    } catch (error) {
      actions.fail(error);
    }
    await refresh().catch(() => undefined);
    setPending({});
  };
  const change = (/** @type {Partial<Faults>} */ update) => {
    if (faults) setPending({ faults: { ...faults, ...update } });
    return run(() => call("POST", "faults", update));
  };
  const setSend = (/** @type {SendName | null} */ name, /** @type {number | null} */ limit) =>
    change({ sends: name && { ...SENDS[name], times: limit } });
  const setTable = (/** @type {number} */ share, /** @type {string} */ name) => {
    const changed = { percent: share, functions: name ? [name] : [] };
    setPending({ table: changed });
    return run(() => (share > 0 ? call("POST", "table-faults", changed) : call("DELETE", "table-faults")));
  };
  const kill = () =>
    run(async () => {
      const result = await call("POST", "kill", { function: killed });
      actions.toast(t("killed", { count: result.killed }));
    });
  if (!faults) return html`<p class="panel-section hint">${t("loading")}</p>`;
  return html`<section class="panel-section">
      <p class="hint">${t("faults_hint")}</p>
      <button type="button" class="button wide" disabled=${activeFaults(state).length === 0} onClick=${clear}><${Icon} name="undo" />${t("clear_faults")}</button>
    </section>
    <section class="panel-section">
      <h3 id="sends-title">${t("sends")}</h3>
      <p class="hint">${t("sends_hint")}</p>
      <${Field} label=${t("times")}>
        ${(/** @type {string} */ id) => html`<select id=${id} value=${String(times)} onChange=${(/** @type {Event} */ event) => {
          const limit = valueOf(event) === "null" ? null : Number(valueOf(event));
          setTimes(limit);
          if (active) void setSend(active, limit);
        }}>
          ${TIMES.map((limit) => html`<option value=${String(limit)}>${limit === null ? t("times_all") : t("times_next", { count: limit })}</option>`)}
        </select>`}
      <//>
      <div class="choices" role="radiogroup" aria-labelledby="sends-title">
        <label class="choice">
          <input type="radio" name="send-fault" checked=${!faults.sends} onChange=${() => setSend(null, null)} /><span class="strong">${t("fault_none")}</span>
        </label>
        ${SEND_NAMES.map(
          (name) => html`<label class="choice" key=${name}>
            <input type="radio" name="send-fault" checked=${active === name} aria-describedby=${`fault-${name}`} onChange=${() => setSend(name, times)} />
            <span><span class="strong">${t(`fault_${name}`)}</span><span class="hint" id=${`fault-${name}`}>${t(`fault_${name}_hint`)}</span></span>
          </label>`,
        )}
      </div>
    </section>
    <section class="panel-section">
      <h3>${t("webhooks")}</h3>
      ${WEBHOOK_NAMES.map((name) => {
        const onChange = (/** @type {boolean} */ checked) => change({ webhooks: { ...faults.webhooks, [name]: checked ? WEBHOOKS[name] : typeof WEBHOOKS[name] === "number" ? 0 : false } });
        return html`<${Switch} key=${name} label=${t(`fault_${name}`)} hint=${t(`fault_${name}_hint`)} checked=${Boolean(faults.webhooks[name])} onChange=${onChange} />`;
      })}
      <${Switch} label=${t("fault_window")} hint=${t("fault_window_hint")} checked=${!faults.window} onChange=${(/** @type {boolean} */ checked) => change({ window: !checked })} />
    </section>
    ${table &&
      html`<section class="panel-section">
        <h3>${t("table")}</h3>
        <${Switch} label=${t("table_fails")} hint=${t("table_hint")} checked=${table.percent > 0} onChange=${(/** @type {boolean} */ checked) => setTable(checked ? percent : 0, only)} />
        <div class="columns">
          <${Field} label=${t("percent")}>
            ${(/** @type {string} */ id) => html`<select id=${id} value=${String(percent)} onChange=${(/** @type {Event} */ event) => {
              setPercent(Number(valueOf(event)));
              if (table.percent > 0) void setTable(Number(valueOf(event)), only);
            }}>${PERCENTS.map((share) => html`<option value=${String(share)}>${number(share)}%</option>`)}</select>`}
          <//>
          <${Field} label=${t("of_function")}>
            ${(/** @type {string} */ id) => html`<select id=${id} value=${only} onChange=${(/** @type {Event} */ event) => {
              setOnly(valueOf(event));
              if (table.percent > 0) void setTable(percent, valueOf(event));
            }}><option value="">${t("all_functions")}</option>${functions.map((name) => html`<option>${name}</option>`)}</select>`}
          <//>
        </div>
      </section>
      <section class="panel-section">
        <h3>${t("kill_title")}</h3>
        <p class="hint">${t("kill_hint")}</p>
        <${Field} label=${t("function")}>
          ${(/** @type {string} */ id) => html`<select id=${id} value=${killed} onChange=${(/** @type {Event} */ event) => setKilled(valueOf(event))}>
            ${functions.map((name) => html`<option>${name}</option>`)}
          </select>`}
        <//>
        <button type="button" class="button" disabled=${!killed} onClick=${kill}>${t("kill")}</button>
      </section>`}`;
}

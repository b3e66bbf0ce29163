// The settings of a phone, and the ticks of the messages that it gets.

import { useState } from "preact/hooks";
import { call, keyOf, phonePath } from "./api.js";
import { phoneNumber, summary } from "./text.js";
import { Field, html, Switch, valueOf } from "./ui.js";
import { t } from "./strings.js";

/** @typedef {import("./types.d.ts").Phone} Phone */
/** @typedef {import("./types.d.ts").Message} Message */

/** How long ago the user wrote the messages that the phone sends, in seconds. */
const AGES = [0, 23 * 3600 + 55 * 60, 25 * 3600];

/** The codes that a manual failure offers: ecosystem health, undeliverable, and an unknown error. */
const FAILURES = [131049, 131026, 131000];

/** @typedef {"sent" | "delivered" | "read"} AutomaticTicks */

/**
 * @param {{phone: Phone, messages: Message[], age: number, setAge: (age: number) => void, change: (update: Record<string, unknown>) => void,
 *   actions: import("./types.d.ts").Actions}} props
 */
export function SettingsPanel({ phone, messages, age, setAge, change, actions }) {
  const waiting = messages.filter((message) => message.from === "business" && message.status === "sent");
  const unread = messages.filter((message) => message.from === "business" && message.status === "delivered");
  /** @type {[AutomaticTicks, string][]} */
  const reaches = [["read", t("ticks_read")], ["delivered", t("ticks_delivered")], ["sent", t("ticks_sent")]];
  const text = (/** @type {"name" | "username"} */ name, /** @type {string} */ label, /** @type {string | undefined} */ hint) =>
    html`<${Field} label=${label} hint=${hint}>
      ${(/** @type {string} */ id) => html`<input id=${id} dir="auto" value=${phone[name] ?? ""} key=${`${keyOf(phone)}-${name}`}
        onChange=${(/** @type {Event} */ event) => change({ [name]: valueOf(event).trim() || null })} />`}
    <//>`;
  const toggle = (/** @type {"online" | "blocked" | "readReceipts" | "sharesNumber" | "onWhatsApp"} */ name) =>
    html`<${Switch} label=${t(name)} hint=${t(`${name}_hint`)} checked=${phone[name]} onChange=${(/** @type {boolean} */ checked) => change({ [name]: checked })} />`;
  return html`<section class="panel-section">
      <h3>${t("profile")}</h3>
      <dl class="facts">
        <dt>${t("number")}</dt><dd><bdi>${phone.number ? phoneNumber(phone.number) : t("unknown")}</bdi></dd>
        <dt>${t("user_id")}</dt><dd><bdi class="code">${phone.userId}</bdi></dd>
      </dl>
      ${text("name", t("profile_name"), undefined)} ${text("username", t("username"), t("username_hint"))}
    </section>
    <section class="panel-section">
      <h3>${t("phone_state")}</h3>
      ${toggle("online")} ${toggle("readReceipts")} ${toggle("blocked")} ${toggle("onWhatsApp")} ${toggle("sharesNumber")}
    </section>
    <section class="panel-section">
      <h3 id="ticks-title">${t("ticks")}</h3>
      <div class="choices" role="radiogroup" aria-labelledby="ticks-title">
        ${reaches.map(
          ([value, label]) => html`<label class="choice">
            <input type="radio" name="ticks" checked=${phone.automaticTicks === value} onChange=${() => change({ automaticTicks: value })} /><span>${label}</span>
          </label>`,
        )}
      </div>
      <${Waiting} phone=${phone} messages=${[...waiting, ...unread]} actions=${actions} />
    </section>
    <section class="panel-section">
      <h3>${t("clock")}</h3>
      <${Field} label=${t("message_time")} hint=${t("message_time_hint")}>
        ${(/** @type {string} */ id) => html`<select id=${id} value=${String(age)} onChange=${(/** @type {Event} */ event) => setAge(Number(valueOf(event)))}>
          ${AGES.map((seconds, index) => html`<option value=${String(seconds)}>${[t("time_now"), t("time_closing"), t("time_closed")][index]}</option>`)}
        </select>`}
      <//>
    </section>`;
}

/** The messages that wait for a tick. @param {{phone: Phone, messages: Message[], actions: import("./types.d.ts").Actions}} props */
function Waiting({ phone, messages, actions }) {
  const [code, setCode] = useState(String(FAILURES[0]));
  const tick = async (/** @type {Record<string, unknown>} */ command) => {
    try {
      await call("POST", `${phonePath(keyOf(phone))}/ticks`, command);
    } catch (error) {
      actions.fail(error);
    }
  };
  if (messages.length === 0) return html`<p class="hint">${t("no_waiting")}</p>`;
  return html`<div class="button-row">
      <button type="button" class="button" onClick=${() => tick({ status: "delivered" })}>${t("deliver_all")}</button>
      <button type="button" class="button" onClick=${() => tick({ status: "read" })}>${t("read_all")}</button>
    </div>
    <ul class="waiting">
      ${messages.slice(0, 50).map(
        (message) => html`<li key=${message.id}>
          <p class="waiting-text" dir="auto">${summary(message)}</p>
          <p class="hint">${message.status === "sent" ? t("state_sent") : t("state_delivered")}</p>
          <div class="button-row">
            ${message.status === "sent" && html`<button type="button" class="button small" onClick=${() => tick({ status: "delivered", messageId: message.id })}>${t("deliver")}</button>`}
            <button type="button" class="button small" onClick=${() => tick({ status: "read", messageId: message.id })}>${t("read")}</button>
            ${message.status === "sent" && html`<button type="button" class="button small danger" onClick=${() => tick({ status: "failed", messageId: message.id, errorCode: Number(code) })}>${t("fail")}</button>`}
          </div>
        </li>`,
      )}
    </ul>
    ${messages.some((message) => message.status === "sent") && html`<${Field} label=${t("failure_code")}>
      ${(/** @type {string} */ id) => html`<select id=${id} value=${code} onChange=${(/** @type {Event} */ event) => setCode(valueOf(event))}>
        ${FAILURES.map((failure) => html`<option value=${String(failure)}>${t(/** @type {any} */ (`failure_${failure}`))}</option>`)}
      </select>`}
    <//>`}`;
}

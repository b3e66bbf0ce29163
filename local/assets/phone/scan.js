// Scans a QR code: the phone opens the chat of its link and sends the text.

import { useState } from "preact/hooks";
import { call, keyOf } from "./api.js";
import { Footer } from "./attach.js";
import { phoneNumber } from "./text.js";
import { Dialog, Field, html, valueOf } from "./ui.js";
import { t } from "./strings.js";

/** @typedef {import("./types.d.ts").Phone} Phone */

/**
 * @param {{qr: string, phones: Phone[], active: string, onScanned: (key: string, qr: string, result: import("./types.d.ts").Delivered) => void,
 *   onClose: () => void}} props
 */
export function ScanDialog({ qr: initial, phones, active, onScanned, onClose }) {
  const [qr, setQr] = useState(initial);
  const [key, setKey] = useState(active);
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      onScanned(key, qr.trim(), await call("POST", "scan", { qr: qr.trim(), from: key }));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${t("scan_qr")} onClose=${onClose}>
    <form class="form" onSubmit=${submit}>
      <p class="hint">${t("scan_hint")}</p>
      <${Field} label=${t("qr_text")}>
        ${(/** @type {string} */ id) => html`<textarea id=${id} rows="4" dir="ltr" class="code" required placeholder="https://wa.me/15550783881?text=…" value=${qr}
          onInput=${(/** @type {Event} */ event) => setQr(valueOf(event))}></textarea>`}
      <//>
      <${Field} label=${t("scan_phone")}>
        ${(/** @type {string} */ id) => html`<select id=${id} value=${key} onChange=${(/** @type {Event} */ event) => setKey(valueOf(event))}>
          ${phones.map((phone) => html`<option value=${keyOf(phone)}>${phoneLabel(phone)}</option>`)}
        </select>`}
      <//>
      ${problem && html`<p class="problem" role="alert" dir="auto">${problem}</p>`}
      <${Footer} onClose=${onClose} isBusy=${isBusy} isFirst=${initial !== ""} label=${t("scan")} />
    </form>
  <//>`;
}

/** The name of a phone with its number, as plain text. @param {Phone} phone */
function phoneLabel(phone) {
  const number = phoneNumber(keyOf(phone));
  // The number keeps its direction in a right-to-left text.
  return phone.name ? `${phone.name} · \u2066${number}\u2069` : `\u2066${number}\u2069`;
}

/** Returns the text in the address that the console opens, `#scan=<text>`. @param {string} hash */
export function scannedText(hash) {
  return new URLSearchParams(hash.replace(/^#/, "").replaceAll("+", "%2B")).get("scan");
}

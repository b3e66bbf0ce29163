// Components that every screen uses.

import { h } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import htm from "htm";
import { ApiError } from "./api.js";
import { t } from "./strings/app.js";

/** Leaves out objects, where a message of a worker has one in place of a text. Preact would write to them.
 * @param {any} child */
const shown = (child) => (typeof child === "object" && child?.constructor === Object ? null : child);

/** Renders a template. @type {(strings: TemplateStringsArray, ...values: any[]) => any} */
export const html = htm.bind((/** @type {any} */ type, /** @type {any} */ props, /** @type {any[]} */ ...children) => h(type, props, ...children.map(shown)));

/** @typedef {import("preact").ComponentChildren} Children */

/** The shapes of icons, on a grid of 24 units. */
const ICONS = {
  inbox: "M4 13h4l2 3h4l2-3h4M5 5h14l2 8v6H3v-6z",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  reply: "M9 7 4 12l5 5M4 12h10a6 6 0 0 1 6 6",
  webhook: "M9 9a3 3 0 1 1 3-3M12 6l4 8M16 14a3 3 0 1 1-2 5M14 18H6M6 18a3 3 0 1 1 3-4l3-6",
  events: "M4 6h16M4 12h16M4 18h10",
  chart: "M4 20V10M10 20V4M16 20v-8M4 20h16",
  heart: "M3 12h4l2-5 4 10 2-5h6",
  key: "M14 10a4 4 0 1 0-4 4 4 4 0 0 0 3-1l2 2h2v2h2v2h2v-3l-7-6",
  phone: "M8 3h8v18H8zM11 18h2",
  call: "M5 4h4l2 5-2.5 1.5a11 11 0 0 0 5 5L15 13l5 2v4a2 2 0 0 1-2 2A15 15 0 0 1 3 6a2 2 0 0 1 2-2",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6 6 18",
  search: "M11 5a6 6 0 1 1 0 12 6 6 0 0 1 0-12M16 16l4 4",
  send: "M4 12 20 4l-6 16-3-7z",
  attach: "M19 11l-7 7a4 4 0 0 1-6-6l8-8a3 3 0 0 1 4 4l-8 8a1 1 0 0 1-2-2l7-7",
  emoji: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18M9 10v.01M15 10v.01M8.5 14a4 4 0 0 0 7 0",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  more: "M12 6v.01M12 12v.01M12 18v.01",
  info: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18M12 11v5M12 8v.01",
  warning: "M12 4 2.5 20h19zM12 10v4M12 17v.01",
  check: "M5 12l5 5L19 7",
  plus: "M12 5v14M5 12h14",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13",
  edit: "M4 20h4L19 9l-4-4L4 16z",
  back: "M15 6l-6 6 6 6",
  refresh: "M20 12a8 8 0 1 1-2-5M20 4v4h-4",
  sign_out: "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
  clock: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18M12 7v5l3 2",
  play: "M8 5v14l11-7z",
  pause: "M9 5v14M15 5v14",
  audio: "M12 4a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V7a3 3 0 0 1 3-3M6 11a6 6 0 0 0 12 0M12 17v3",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9v.01",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  download: "M12 4v11M7 10.5l5 5 5-5M5 20h14",
  location: "M12 21s7-6 7-11a7 7 0 0 0-14 0c0 5 7 11 7 11M12 12a2 2 0 1 1 0-4 2 2 0 0 1 0 4",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M4 21a8 8 0 0 1 16 0",
  template: "M4 4h16v5H4zM4 13h7v7H4zM15 13h5M15 16.5h5M15 20h5",
  globe: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18M3 12h18M12 3c5 5 5 13 0 18M12 3c-5 5-5 13 0 18",
};

/** @typedef {keyof typeof ICONS} IconName */

/** The icons that are mirrored in right-to-left languages. */
const DIRECTIONAL = ["back", "reply", "send", "sign_out"];

/** An icon without a name for screen readers. @param {{name: IconName}} props */
export function Icon({ name }) {
  return html`<svg class=${DIRECTIONAL.includes(name) ? "icon flip" : "icon"} viewBox="0 0 24 24" aria-hidden="true"><path d=${ICONS[name]} /></svg>`;
}

/** @param {Event} event */
const ignore = (event) => event.preventDefault();

/** A button. `busy` shows that it works, and ignores clicks. It isn't disabled then, because it would lose the focus.
 * @param {{children?: Children, kind?: "primary" | "danger" | "plain", icon?: IconName, busy?: boolean, [name: string]: any}} props */
export function Button({ children, kind, icon, busy = false, ...rest }) {
  const classes = ["button", kind, rest.class].filter(Boolean).join(" ");
  return html`<button type="button" ...${rest} class=${classes} onClick=${busy ? ignore : rest.onClick}
    aria-disabled=${busy || undefined} aria-busy=${busy || undefined}>
    ${busy ? html`<span class="spinner" aria-hidden="true"></span>` : icon && html`<${Icon} name=${icon} />`}${children}
  </button>`;
}

/** A button with an icon only. `label` is its name.
 * @param {{icon: IconName, label: string, [name: string]: any}} props */
export function IconButton({ icon, label, ...rest }) {
  const classes = ["icon-button", rest.class].filter(Boolean).join(" ");
  return html`<button type="button" ...${rest} class=${classes} aria-label=${label} title=${label}>
    <${Icon} name=${icon} />
  </button>`;
}

/** A labeled field: `type` is that of an input, or `textarea`, or `select` with options as children.
 * @param {{label: string, hint?: Children, error?: string | null, type?: string, children?: Children, hideLabel?: boolean,
 *   [name: string]: any}} props */
export function Field({ label, hint, error, type = "text", children, hideLabel = false, class: extra, ...rest }) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  const attributes = { id, "aria-describedby": described, "aria-invalid": error ? "true" : undefined, ...rest };
  const control =
    type === "textarea" ? html`<textarea ...${attributes}></textarea>`
    : type === "select" ? html`<select ...${attributes}>${children}</select>`
    : html`<input type=${type} ...${attributes} />`;
  return html`<div class=${["field", extra].filter(Boolean).join(" ")}>
    <label for=${id} class=${hideLabel ? "visually-hidden" : undefined}>${label}</label>
    ${control}
    ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
    ${error && html`<p class="field-error" id="${id}-error">${error}</p>`}
  </div>`;
}

/** A checkbox with its label. @param {{label: string, hint?: Children, [name: string]: any}} props */
export function Checkbox({ label, hint, ...rest }) {
  const id = useId();
  return html`<div class="checkbox">
    <input type="checkbox" id=${id} aria-describedby=${hint ? `${id}-hint` : undefined} ...${rest} />
    <label for=${id}>${label}</label>
    ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
  </div>`;
}

/** A modal dialog, open while it is rendered. Escape and the close button call `onClose`. Focus returns to where it was.
 * @param {{title: string, onClose: () => void, children?: Children, wide?: boolean}} props */
export function Dialog({ title, onClose, children, wide = false }) {
  const id = useId();
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const element = /** @type {HTMLDialogElement} */ (dialog.current);
    const focused = document.activeElement;
    element.showModal();
    return () => {
      element.close();
      // What opened the dialog can be gone, such as the row that was deleted.
      const target = focused?.isConnected ? focused : document.getElementById("main");
      if (target instanceof HTMLElement) target.focus();
    };
  }, []);
  const cancel = (/** @type {Event} */ event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${dialog} class=${wide ? "dialog wide" : "dialog"} aria-labelledby=${id} onCancel=${cancel}>
    <header><h2 id=${id}>${title}</h2><${IconButton} icon="close" label=${t("close")} onClick=${onClose} /></header>
    ${children}
  </dialog>`;
}

/** Asks before an action that can't be undone.
 * @param {{title: string, text: string, action: string, onConfirm: () => Promise<void>, onClose: () => void}} props */
export function Confirm({ title, text, action, onConfirm, onClose }) {
  const [run, { busy, error }] = useAction(async () => {
    await onConfirm();
    onClose();
  });
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <p>${text}</p>
    <${ErrorNote} error=${error} />
    <footer>
      <${Button} onClick=${onClose}>${t("cancel")}<//>
      <${Button} kind="danger" busy=${busy} onClick=${run}>${action}<//>
    </footer>
  <//>`;
}

/** An error, with the ID of its request. @param {{error: unknown, onRetry?: () => void}} props */
export function ErrorNote({ error, onRetry }) {
  if (!error) return null;
  const requestId = error instanceof ApiError ? error.requestId : null;
  return html`<div class="note error" role="alert">
    <p dir="auto">${error instanceof Error ? error.message : String(error)}</p>
    ${requestId && html`<p class="muted small">${t("requestId", { id: requestId })}</p>`}
    ${onRetry && html`<${Button} onClick=${onRetry}>${t("retry")}<//>`}
  </div>`;
}

/** What a list shows when it has nothing. @param {{icon: IconName, title: string, children?: Children}} props */
export function Empty({ icon, title, children }) {
  return html`<div class="empty"><${Icon} name=${icon} /><h2>${title}</h2>${children}</div>`;
}

/** Shows that something loads. */
export function Loading() {
  return html`<p class="loading" role="status"><span class="spinner" aria-hidden="true"></span> ${t("loading")}</p>`;
}

/** A short label. @param {{children?: Children, kind?: "good" | "bad" | "warn" | "accent"}} props */
export function Badge({ children, kind }) {
  return html`<span class=${kind ? `badge ${kind}` : "badge"}>${children}</span>`;
}

/** Copies a text. @param {{text: string, label?: string}} props */
export function CopyButton({ text, label = t("copy") }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), 1_500);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  return html`<${Button} class="small" icon=${copied ? "check" : "copy"} onClick=${copy}>
    <span aria-live="polite">${copied ? t("copied") : label}</span>
  <//>`;
}

/**
 * Runs an asynchronous action and keeps its error.
 *
 * @template {any[]} A
 * @param {(...values: A) => Promise<void>} action
 * @returns {[(...values: A) => Promise<void>, {busy: boolean, error: unknown, clear: () => void}]}
 */
export function useAction(action) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const run = async (/** @type {A} */ ...values) => {
    setBusy(true);
    setError(null);
    try {
      await action(...values);
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return [run, { busy, error, clear: () => setError(null) }];
}

/**
 * Loads data when the screen opens and when one of `keys` changes. `extend` replaces it by what `load` makes of it, such as the
 * same list with another page, unless it was loaded again meanwhile.
 *
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} load
 * @param {unknown[]} keys
 * @returns {{data: T | null, error: unknown, reload: () => Promise<void>, extend: (load: (data: T) => Promise<T>) => Promise<void>}}
 */
export function useData(load, keys) {
  const [data, setData] = useState(/** @type {T | null} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const latest = useRef(0);
  const run = async (/** @type {AbortSignal} */ signal) => {
    const round = ++latest.current;
    try {
      const loaded = await load(signal);
      if (round !== latest.current) return;
      setData(loaded);
      setError(null);
    } catch (failure) {
      if (round === latest.current && !signal.aborted) setError(failure);
    }
  };
  useEffect(() => {
    const abort = new AbortController();
    setData(null);
    setError(null);
    void run(abort.signal);
    return () => abort.abort();
  }, keys);
  const extend = async (/** @type {(data: T) => Promise<T>} */ next) => {
    const round = latest.current;
    const extended = data && (await next(data));
    if (extended && round === latest.current) setData(extended);
  };
  return { data, error, extend, reload: () => run(new AbortController().signal) };
}

/** Milliseconds between the first calls of `useRepeated`, and the multiple of it to which they slow down. */
const INTERVAL = 3_000;
const MAX_TICKS = 20;

/** Calls `run` less and less often while `isOn`, and never while the page is hidden: retries take minutes, or days.
 * @param {boolean} isOn @param {() => Promise<void>} run */
export function useRepeated(isOn, run) {
  const latest = useRef(run);
  latest.current = run;
  useEffect(() => {
    if (!isOn) return undefined;
    let [tick, next] = [0, 1];
    const timer = setInterval(() => {
      tick += 1;
      if (tick < next || document.hidden) return;
      next = Math.min(tick * 2, tick + MAX_TICKS);
      void latest.current();
    }, INTERVAL);
    return () => clearInterval(timer);
  }, [isOn]);
}

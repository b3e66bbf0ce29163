// Components that all parts of the page use.

import { h } from "preact";
import { useEffect, useId, useLayoutEffect, useRef } from "preact/hooks";
import htm from "htm";
import { t } from "./strings.js";

/** Renders a template. @type {(strings: TemplateStringsArray, ...values: any[]) => any} */
export const html = htm.bind(h);

/** @typedef {import("preact").ComponentChildren} Children */

/** The shapes of icons, on a grid of 24 units. */
const ICONS = {
  add: "M12 5v14M5 12h14",
  attach: "M19 11l-7 7a4 4 0 0 1-6-6l8-8a3 3 0 0 1 4 4l-8 8a1 1 0 0 1-2-2l7-7",
  back: "M15 6l-6 6 6 6",
  bolt: "M13 3 5 14h6l-1 7 8-11h-6z",
  call: "M6 3h4l2 5-3 2a12 12 0 0 0 5 5l2-3 5 2v4c0 1-1 2-2 2A17 17 0 0 1 4 5c0-1 1-2 2-2z",
  card: "M4 5h16v14H4zM9 11a2 2 0 1 0 0-4 2 2 0 0 0 0 4M5.5 16a3.5 3.5 0 0 1 7 0M15 9h3M15 13h3",
  check: "M5 12l5 5L19 7",
  close: "M6 6l12 12M18 6 6 18",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  down: "M6 9l6 6 6-6",
  edit: "M4 20h4L19 9l-4-4L4 16z",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  globe: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18M3 12h18M12 3c5 5 5 13 0 18M12 3c-5 5-5 13 0 18",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9v.01",
  link: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  list: "M8 6h12M8 12h12M8 18h12M4 6v.01M4 12v.01M4 18v.01",
  microphone: "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3M6 11a6 6 0 0 0 12 0M12 17v4",
  music: "M9 18V5l10-2v13M9 18a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0M19 16a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M4 21a8 8 0 0 1 16 0",
  phone: "M8 3h8v18H8zM11 18h2",
  pin: "M12 21s7-6 7-11a7 7 0 0 0-14 0c0 5 7 11 7 11M12 12a2 2 0 1 1 0-4 2 2 0 0 1 0 4",
  react: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18M9 10v.01M15 10v.01M8.5 14a4 4 0 0 0 7 0",
  reply: "M9 7 4 12l5 5M4 12h10a6 6 0 0 1 6 6",
  scan: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M8 8h3v3H8zM13 8h3v3h-3zM8 13h3v3H8zM13 13h3v3h-3z",
  send: "M4 4l17 8-17 8 3-8zM7 12h14",
  settings: "M4 7h10M18 7h2M16 5v4M4 17h2M10 17h10M8 15v4",
  shop: "M4 9h16l-1-5H5zM5 9v11h14V9M10 20v-6h4v6",
  stop: "M7 7h10v10H7z",
  sticker: "M5 4h14v9l-6 7H5zM13 20v-7h6",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13",
  undo: "M9 8H5V4M5 8a8 8 0 1 1-1 7",
  video: "M4 6h11v12H4zM15 11l5-4v10l-5-4",
  warning: "M12 4 2.5 20h19zM12 10v4M12 17v.01",
};

/** @typedef {keyof typeof ICONS} IconName */

/** An icon without a name for screen readers. `flip` mirrors it in right-to-left languages.
 * @param {{name: IconName, flip?: boolean}} props */
export function Icon({ name, flip = false }) {
  return html`<svg class=${flip ? "icon flip" : "icon"} viewBox="0 0 24 24" aria-hidden="true">
    <path d=${ICONS[name]} />
  </svg>`;
}

/** A button with an icon only. `label` is its name.
 * @param {{icon: IconName, label: string, flip?: boolean, [attribute: string]: any}} props */
export function IconButton({ icon, label, flip, ...rest }) {
  const classes = ["icon-button", rest.class].filter(Boolean).join(" ");
  return html`<button type="button" ...${rest} class=${classes} aria-label=${label} title=${label}>
    <${Icon} name=${icon} flip=${flip} />
  </button>`;
}

/** The first letter of a name on a color that the seed chooses. @param {{name: string, seed: string, icon?: IconName}} props */
export function Avatar({ name, seed, icon }) {
  const hue = [...seed].reduce((sum, character) => (sum * 31 + (character.codePointAt(0) ?? 0)) % 360, 7);
  const letter = [...name].find((character) => /\p{L}/u.test(character)) ?? "#";
  return html`<span class="avatar" style=${{ "--hue": hue }} aria-hidden="true">
    ${icon ? html`<${Icon} name=${icon} />` : letter.toLocaleUpperCase()}
  </span>`;
}

/** A modal dialog with a title. @param {{title: string, onClose: () => void, children?: Children, class?: string}} props */
export function Dialog({ title, onClose, children, class: classes = "" }) {
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useLayoutEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    // Not the button that closes the dialog, which is the first one.
    const first = dialog?.querySelector("[data-focus]") ?? dialog?.querySelector(".form :is(input, select, textarea)");
    if (first instanceof HTMLElement) first.focus();
    return () => dialog?.close();
  }, []);
  const onClick = (/** @type {MouseEvent} */ event) => {
    if (event.target === element.current) onClose();
  };
  return html`<dialog ref=${element} class=${`dialog ${classes}`} aria-labelledby=${id} onClick=${onClick}
    onCancel=${(/** @type {Event} */ event) => {
      event.preventDefault();
      onClose();
    }}>
    <div class="dialog-body">
      <header class="dialog-header">
        <h2 id=${id}>${title}</h2>
        <${IconButton} icon="close" label=${t("close")} onClick=${onClose} />
      </header>
      ${children}
    </div>
  </dialog>`;
}

/** @typedef {{label: string, icon: IconName, run: () => void, danger?: boolean}} MenuItem */

/**
 * A button that opens a menu. `above` stands before the items.
 *
 * @param {{label: string, icon: IconName, items: MenuItem[], above?: (close: () => void) => any, class?: string}} props
 */
export function Menu({ label, icon, items, above, class: classes = "" }) {
  const id = useId();
  const button = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const menu = useRef(/** @type {HTMLElement | null} */ (null));
  const close = () => menu.current?.hidePopover();
  const place = (/** @type {ToggleEvent} */ event) => {
    const [anchor, popover] = [button.current, menu.current];
    anchor?.setAttribute("aria-expanded", String(event.newState === "open"));
    if (event.newState !== "open" || !anchor || !popover) return;
    const [at, size] = [anchor.getBoundingClientRect(), popover.getBoundingClientRect()];
    const isRightToLeft = getComputedStyle(anchor).direction === "rtl";
    const start = at.left + size.width > innerWidth - 8 || (isRightToLeft && at.right > size.width + 8);
    const left = start ? at.right - size.width : at.left;
    const below = at.bottom + size.height < innerHeight - 8;
    popover.style.left = `${Math.max(8, Math.min(left, innerWidth - size.width - 8))}px`;
    popover.style.top = `${Math.max(8, below ? at.bottom + 4 : at.top - size.height - 4)}px`;
    popover.querySelector("button")?.focus();
  };
  const move = (/** @type {KeyboardEvent} */ event) => {
    const all = [...(menu.current?.querySelectorAll("button") ?? [])];
    const current = all.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const isRightToLeft = getComputedStyle(/** @type {Element} */ (menu.current)).direction === "rtl";
    const [forward, backward] = isRightToLeft ? ["ArrowLeft", "ArrowRight"] : ["ArrowRight", "ArrowLeft"];
    /** @type {Record<string, number>} */
    const steps = { ArrowDown: 1, ArrowUp: -1, [forward]: 1, [backward]: -1 };
    const target =
      event.key in steps ? (current + (steps[event.key] ?? 0) + all.length) % all.length
      : event.key === "Home" ? 0
      : event.key === "End" ? all.length - 1
      : null;
    if (target !== null) {
      event.preventDefault();
      all[target]?.focus();
    } else if (event.key === "Tab") {
      close();
    }
  };
  const choose = (/** @type {MenuItem} */ item) => {
    close();
    item.run();
  };
  return html`<button type="button" ref=${button} class=${`icon-button ${classes}`} aria-label=${label} title=${label}
      aria-haspopup="menu" aria-expanded="false" popovertarget=${id}>
      <${Icon} name=${icon} />
    </button>
    <div id=${id} ref=${menu} popover="auto" class="menu" role="menu" aria-label=${label} onToggle=${place} onKeyDown=${move}>
      ${above?.(close)}
      ${items.map(
        (item) => html`<button type="button" role="menuitem" tabindex="-1" class=${item.danger ? "menu-item danger" : "menu-item"}
          onClick=${() => choose(item)}>
          <${Icon} name=${item.icon} />${item.label}
        </button>`,
      )}
    </div>`;
}

/** A labeled field. `children` is the control, which gets an ID.
 * @param {{label: string, hint?: Children, children: (id: string) => any}} props */
export function Field({ label, hint, children }) {
  const id = useId();
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${children(id)} ${hint && html`<p class="hint">${hint}</p>`}
  </div>`;
}

/** A switch with a sentence that explains it.
 * @param {{label: string, hint?: string, checked: boolean, onChange: (checked: boolean) => void}} props */
export function Switch({ label, hint, checked, onChange }) {
  const id = useId();
  return html`<div class="switch-row">
    <div>
      <label for=${id}>${label}</label>
      ${hint && html`<p id=${`${id}-hint`} class="hint">${hint}</p>`}
    </div>
    <input id=${id} class="switch" type="checkbox" role="switch" checked=${checked} aria-describedby=${hint ? `${id}-hint` : undefined}
      onChange=${(/** @type {Event} */ event) => onChange(/** @type {HTMLInputElement} */ (event.currentTarget).checked)} />
  </div>`;
}

/** Runs `tick` now and every `milliseconds` while the page is visible.
 * @param {() => void} tick @param {number} milliseconds */
export function useInterval(tick, milliseconds) {
  const latest = useRef(tick);
  latest.current = tick;
  useEffect(() => {
    const run = () => document.visibilityState === "visible" && latest.current();
    run();
    const timer = setInterval(run, milliseconds);
    document.addEventListener("visibilitychange", run);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", run);
    };
  }, [milliseconds]);
}

/** The value of the control that fired an event. @param {Event} event */
export const valueOf = (event) => /** @type {HTMLInputElement} */ (event.currentTarget).value;

// Small parts that the list of chats and the thread share.

import { Component } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Button, ErrorNote, html, Icon, IconButton, Loading } from "../components.js";
import { t as frame } from "../strings/app.js";
import { t } from "../strings/inbox.js";

/** @typedef {import("../types").Chat} Chat */
/** @typedef {import("../components.js").IconName} IconName */

/**
 * Returns a component that renders again only if a property changed.
 *
 * @template {Record<string, any>} P
 * @param {(props: P) => any} render
 */
export function memo(render) {
  return class Memo extends Component {
    /** @param {any} next */
    shouldComponentUpdate(next) {
      const current = /** @type {any} */ (this.props);
      const names = Object.keys(next);
      return names.length !== Object.keys(current).length || names.some((name) => next[name] !== current[name]);
    }

    render() {
      return html`<${render} ...${this.props} />`;
    }
  };
}

/** Shows a component of a module that is loaded when it is needed. `isQuiet` shows nothing meanwhile.
 * @param {{load: () => Promise<any>, name?: string, isQuiet?: boolean, [name: string]: any}} props */
export function Lazy({ load, name = "default", isQuiet = false, ...props }) {
  const [state, setState] = useState(/** @type {{show: any} | "outdated" | null} */ (null));
  useEffect(() => {
    let isMounted = true;
    load().then(
      (module) => isMounted && setState({ show: module[name] }),
      // A deployment has replaced the files of this version.
      () => isMounted && setState("outdated"),
    );
    return () => {
      isMounted = false;
    };
  }, []);
  if (state === "outdated") {
    return html`<div class="note warn">
      <p>${frame("outdated")}</p>
      <${Button} class="small" onClick=${() => location.reload()}>${frame("reload")}<//>
    </div>`;
  }
  if (state) return html`<${state.show} ...${props} />`;
  return isQuiet ? null : html`<${Loading} />`;
}

/** Returns whether a text is a phone number, which is always written from left to right. @param {string} text */
const isNumber = (text) => /^\+?[\d\s().-]+$/.test(text);

/** Returns the direction of a name, or of a phone number. @param {string} text */
export const directionOf = (text) => (isNumber(text) ? "ltr" : "auto");

/** Shows a name, or a phone number. @param {{children: string}} props */
export function Name({ children }) {
  return html`<bdi dir=${directionOf(children)}>${children}</bdi>`;
}

/** Returns the phone number of a chat, as `+447911900001`, or its other address. @param {Chat} chat */
export function addressOf(chat) {
  const number = /^(\d+)@s\.whatsapp\.net$/.exec(chat.phone_jid ?? chat.remote_id)?.[1];
  if (number) return `+${number}`;
  return chat.username ? `@${chat.username}` : (chat.user_id ?? chat.remote_id.replace(/@.*$/, ""));
}

/** Returns the first letters of the first and the last word of a name. @param {string} name */
function initials(name) {
  const words = name.split(/\s+/).map((word) => word.replace(/^[^\p{L}\p{N}]+/u, "")).filter(Boolean);
  const first = [...(words[0] ?? "")][0] ?? "";
  const last = words.length > 1 ? ([...(words.at(-1) ?? "")][0] ?? "") : "";
  // Two letters of a joined script would form a word.
  return /[\p{Script=Arabic}]/u.test(first) ? first : (first + last).toLocaleUpperCase();
}

/** Returns a number from 0 to 5 that depends on an ID only. @param {string} id */
export function hue(id) {
  let hash = 0;
  for (const letter of id) hash = (hash * 31 + letter.charCodeAt(0)) | 0;
  return Math.abs(hash) % 6;
}

/** The picture of a contact or group. @param {{id: string, name: string, isGroup?: boolean}} props */
export function Avatar({ id, name, isGroup = false }) {
  const letters = isGroup || isNumber(name) ? "" : initials(name);
  return html`<span class="avatar hue-${hue(id)}" aria-hidden="true">
    ${letters ? html`<span>${letters}</span>` : isGroup ? html`<${GroupIcon} />` : html`<${Icon} name="person" />`}
  </span>`;
}

const GROUP = "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M2.5 20a6.5 6.5 0 0 1 13 0M16 4.5a3.5 3.5 0 0 1 0 6M18 14.5a6.5 6.5 0 0 1 3.5 5.5";

function GroupIcon() {
  return html`<svg class="icon" viewBox="0 0 24 24"><path d=${GROUP} /></svg>`;
}

/** An error that the user can dismiss. @param {{error: unknown, onDismiss: () => void}} props */
export function ErrorStrip({ error, onDismiss }) {
  if (!error) return null;
  return html`<div class="error-strip">
    <${ErrorNote} error=${error} />
    <${Button} class="small" onClick=${onDismiss}>${t("dismiss")}<//>
  </div>`;
}

/** An entry of a menu. @typedef {{text: string, icon?: IconName, isDanger?: boolean, onSelect: () => void}} MenuItem */

/**
 * A button that opens a menu. The arrow keys move, Escape and a click elsewhere close it.
 *
 * @param {{label: string, items: MenuItem[], header?: any, icon?: IconName, [name: string]: any}} props `header` is
 *   shown above the items; if it is a function, it gets the function that closes the menu
 */
export function MenuButton({ label, items, header, icon = "more", onToggle, ...rest }) {
  const [isOpen, setOpen] = useState(false);
  const root = useRef(/** @type {HTMLSpanElement | null} */ (null));
  const button = () => /** @type {HTMLButtonElement} */ (root.current?.querySelector("button"));
  const toggle = (/** @type {boolean} */ value) => {
    setOpen(value);
    onToggle?.(value);
  };
  const close = (isFocused = true) => {
    toggle(false);
    if (isFocused) button().focus();
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (isOpen || event.key !== "ArrowDown") return;
    event.preventDefault();
    event.stopPropagation();
    toggle(true);
  };
  return html`<span class="menu-root" ref=${root}>
    <${IconButton} ...${rest} icon=${icon} label=${label} aria-haspopup="menu" aria-expanded=${isOpen}
      onKeyDown=${onKeyDown} onClick=${(/** @type {Event} */ event) => {
        event.preventDefault();
        event.stopPropagation();
        toggle(!isOpen);
      }} />
    ${isOpen && html`<${Menu} label=${label} items=${items} header=${header} anchor=${button} onClose=${close} />`}
  </span>`;
}

/** @param {{label: string, items: MenuItem[], header: any, anchor: () => HTMLElement, onClose: (isFocused?: boolean) => void}} props */
function Menu({ label, items, header, anchor, onClose }) {
  const menu = useRef(/** @type {HTMLDivElement | null} */ (null));
  const close = useRef(onClose);
  close.current = onClose;
  useEffect(() => {
    const element = /** @type {HTMLDivElement} */ (menu.current);
    element.showPopover();
    place(element, anchor());
    element.querySelector("button")?.focus();
    const onPointer = (/** @type {PointerEvent} */ event) => {
      const target = /** @type {Node} */ (event.target);
      if (!element.contains(target) && !anchor().contains(target)) close.current(false);
    };
    const onScroll = (/** @type {Event} */ event) => {
      if (!element.contains(/** @type {Node} */ (event.target))) close.current(false);
    };
    document.addEventListener("pointerdown", onPointer, true);
    document.addEventListener("scroll", onScroll, true);
    window.addEventListener("resize", onScroll);
    return () => {
      document.removeEventListener("pointerdown", onPointer, true);
      document.removeEventListener("scroll", onScroll, true);
      window.removeEventListener("resize", onScroll);
    };
  }, []);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    event.stopPropagation();
    const buttons = [...(menu.current?.querySelectorAll("button") ?? [])];
    const index = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const isRtl = document.documentElement.dir === "rtl";
    const steps = /** @type {Record<string, number>} */ ({
      ArrowDown: 1, ArrowUp: -1, ArrowRight: isRtl ? -1 : 1, ArrowLeft: isRtl ? 1 : -1,
    });
    const step = steps[event.key];
    if (step) buttons[(index + step + buttons.length) % buttons.length]?.focus();
    else if (event.key === "Home") buttons[0]?.focus();
    else if (event.key === "End") buttons.at(-1)?.focus();
    else if (event.key === "Escape") onClose();
    else if (event.key === "Tab") onClose(false);
    if (step || ["Home", "End", "Escape"].includes(event.key)) event.preventDefault();
  };
  const select = (/** @type {MenuItem} */ item) => (/** @type {Event} */ event) => {
    event.preventDefault();
    event.stopPropagation();
    onClose();
    item.onSelect();
  };
  return html`<div ref=${menu} class="menu" popover="manual" role="menu" aria-label=${label} onKeyDown=${onKeyDown}>
    ${typeof header === "function" ? header(onClose) : header}
    ${items.map((item) => html`<button type="button" role="menuitem" tabindex="-1" key=${item.text}
        class=${item.isDanger ? "danger" : undefined} onClick=${select(item)}>
      ${item.icon && html`<${Icon} name=${item.icon} />`}${item.text}
    </button>`)}
  </div>`;
}

/** Places a menu below its button, or above it if there is more room. @param {HTMLElement} menu @param {HTMLElement} anchor */
function place(menu, anchor) {
  const box = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const isRtl = document.documentElement.dir === "rtl";
  const start = isRtl ? box.left : box.right - width;
  const left = Math.min(Math.max(8, start), window.innerWidth - width - 8);
  const below = box.bottom + 4;
  const top = below + height > window.innerHeight - 8 ? Math.max(8, box.top - height - 4) : below;
  Object.assign(menu.style, { left: `${left}px`, top: `${top}px` });
}

/** The emoji that a reaction offers. */
const REACTIONS = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

/** The row of emoji of a message's menu. @param {{own: string, onReact: (emoji: string) => void}} props */
export function ReactionRow({ own, onReact }) {
  const react = (/** @type {string} */ emoji) => (/** @type {Event} */ event) => {
    event.stopPropagation();
    onReact(emoji === own ? "" : emoji);
  };
  return html`<div class="reaction-row" role="group" aria-label=${t("react")}>
    ${REACTIONS.map((emoji) => html`<button type="button" role="menuitemradio" tabindex="-1" key=${emoji}
      aria-checked=${emoji === own ? "true" : "false"} onClick=${react(emoji)}>${emoji}</button>`)}
  </div>`;
}

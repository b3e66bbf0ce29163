// The phones of simulated customers: tabs of phones, the conversation with the business, settings, and faults.

import { render } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { call, keyOf, phonePath, useFeed } from "./api.js";
import { FlowDialog, Footer, ListDialog, LocationDialog } from "./attach.js";
import { Composer } from "./composer.js";
import { activeFaults, clearFaults, FaultsPanel } from "./faults.js";
import { ScanDialog, scannedText } from "./scan.js";
import { SettingsPanel } from "./settings.js";
import { isShown, phoneNumber } from "./text.js";
import { Thread } from "./thread.js";
import { Avatar, Dialog, Field, html, Icon, IconButton, useInterval, valueOf } from "./ui.js";
import { language, number, setLanguage } from "./i18n.js";
import { t } from "./strings.js";

/** @typedef {import("./types.d.ts").Phone} Phone */
/** @typedef {import("./types.d.ts").Message} Message */
/** @typedef {import("./types.d.ts").BusinessNumber} BusinessNumber */
/** @typedef {import("./types.d.ts").Delivered} Delivered */
/** @typedef {"settings" | "faults"} PanelName */
/** @typedef {{kind: "scan", qr: string} | {kind: "add"} | {kind: "list" | "flow" | "location", message: Message}} Open */

/** How often the list of phones and the faults are read again, in milliseconds. */
const REFRESH = 5_000;
/** How long the business is shown as typing (Meta, *Typing indicators*), in milliseconds. */
const TYPING = 25_000;
const TOAST = 6_000;
/** The phones of a run that has none. */
const FIRST_PHONES = [["201001234567", "first_phone"], ["4915123456789", "second_phone"]];
/** The width from which the panel stands beside the conversation. */
const WIDE = "(min-width: 68rem)";

function App() {
  const [listed, setPhones] = useState(/** @type {Phone[] | null} */ (null));
  const [visited, setVisited] = useState(/** @type {Phone[]} */ ([]));
  const phones = useMemo(() => listed && [...listed, ...visited.filter((phone) => !listed.some((other) => keyOf(other) === keyOf(phone)))], [listed, visited]);
  const [numbers, setNumbers] = useState(/** @type {BusinessNumber[]} */ ([]));
  const [faultState, setFaultState] = useState(/** @type {import("./faults.js").FaultState} */ ({ faults: null, table: null, functions: [] }));
  const [active, setActive] = useState("");
  const [businesses, setBusinesses] = useState(/** @type {Record<string, string>} */ ({}));
  const [target, setTarget] = useState(/** @type {import("./composer.js").Target} */ ({}));
  const [open, setOpen] = useState(/** @type {Open | null} */ (null));
  const isWide = useMedia(WIDE);
  const [panel, setPanel] = useState(/** @type {PanelName | null} */ (matchMedia(WIDE).matches ? "settings" : null));
  const [age, setAge] = useState(0);
  // Settings that were chosen and are being changed.
  const [pending, setPending] = useState(/** @type {Record<string, unknown>} */ ({}));
  const [toasts, setToasts] = useState(/** @type {{id: number, text: string, kind?: string}[]} */ ([]));
  const [, setCurrentLanguage] = useState(language());
  const lastToast = useRef(0);

  /** @type {import("./types.d.ts").Actions} */
  const actions = useMemo(() => {
    const toast = (/** @type {string} */ text, /** @type {string | undefined} */ kind) => {
      lastToast.current += 1;
      const id = lastToast.current;
      setToasts((toasts) => [...toasts, { id, text, kind }]);
      setTimeout(() => setToasts((toasts) => toasts.filter((toast) => toast.id !== id)), TOAST);
    };
    return { toast, fail: (error) => toast(error instanceof Error ? error.message : String(error), "error") };
  }, []);

  const refreshFaults = async () => {
    const [faults, table] = await Promise.all([call("GET", "faults"), call("GET", "table-faults")]);
    setFaultState((state) => ({ ...state, faults, table }));
  };
  const refresh = async () => {
    const [list, business] = await Promise.all([call("GET", "phones?limit=1000"), call("GET", "numbers")]);
    setNumbers(business.numbers);
    if (list.phones.length === 0) {
      const first = FIRST_PHONES.map(([number, name]) => call("PATCH", phonePath(number ?? ""), { name: t(/** @type {any} */ (name)) }));
      list.phones = await Promise.all(first);
    }
    setPhones(list.phones);
    await refreshFaults();
    if (faultState.functions.length === 0) {
      const { functions } = await call("GET", "functions");
      setFaultState((state) => ({ ...state, functions }));
    }
  };
  // The feed shows that the simulator doesn't answer.
  useInterval(() => void refresh().catch(() => undefined), REFRESH);

  const readAddress = () => {
    const qr = scannedText(location.hash);
    if (qr !== null) setOpen({ kind: "scan", qr });
    else if (location.hash.length > 1) void visit(location.hash.slice(1));
  };
  /** Shows a phone that may have no messages yet. @param {string} path */
  const visit = async (path) => {
    try {
      /** @type {Phone} */
      const phone = await call("GET", `phones/${path}`);
      setVisited((visited) => [...visited.filter((other) => keyOf(other) !== keyOf(phone)), phone]);
      setActive(keyOf(phone));
    } catch (error) {
      actions.fail(error);
    }
  };
  useEffect(() => {
    readAddress();
    addEventListener("hashchange", readAddress);
    return () => removeEventListener("hashchange", readAddress);
  }, []);
  useEffect(() => {
    const [first] = phones ?? [];
    // The address can have named a phone since this was rendered.
    if (first) setActive((current) => current || keyOf(first));
  }, [phones]);
  const select = (/** @type {string} */ key) => {
    setActive(key);
    setTarget({});
  };
  useEffect(() => {
    if (active && open?.kind !== "scan") history.replaceState(null, "", `#${encodeURIComponent(active)}`);
  }, [active, open]);

  const [feed, setFeedPhone] = useFeed(active);
  const phone = feed.phone ?? phones?.find((phone) => keyOf(phone) === active) ?? null;
  const seen = useRef(/** @type {Map<string, number>} */ (new Map()));
  // What a phone received before the page was opened isn't news.
  for (const other of phones ?? []) if (!seen.current.has(keyOf(other))) seen.current.set(keyOf(other), received(other));
  if (feed.phone) seen.current.set(active, received(feed.phone));
  const latest = feed.messages.findLast(isShown)?.phoneNumberId;
  const businessId = businesses[active] ?? latest ?? numbers[0]?.phoneNumberId ?? "";
  const business = numbers.find((number) => number.phoneNumberId === businessId);
  const conversation = phone?.conversations.find((conversation) => conversation.phoneNumberId === businessId);
  const businessName = conversation?.name ?? business?.verifiedName ?? phoneNumber(business?.displayPhoneNumber ?? "");
  const isTyping = useTyping(conversation?.typing ?? false, feed.phone);
  const messages = useMemo(() => feed.messages.filter((message) => message.phoneNumberId === businessId), [feed.messages, businessId]);
  const shown = useMemo(() => messages.filter(isShown), [messages]);
  const waiting = messages.filter((message) => message.from === "business" && message.status === "sent");

  const report = (/** @type {Delivered} */ { deliveries }) => {
    const refused = deliveries.find((attempt) => attempt.status !== 200);
    if (refused) actions.toast(t("webhook_failed", { answer: String(refused.status ?? refused.error) }), "error");
  };
  const send = async (/** @type {Record<string, unknown>} */ content, /** @type {string | undefined} */ contextId = target.reply?.id) => {
    const timestamp = age > 0 ? { timestamp: Math.floor(Date.now() / 1000) - age } : {};
    const context = contextId ? { context: { id: contextId } } : {};
    setTarget({});
    try {
      report(await call("POST", "messages", { from: active, phoneNumberId: businessId, ...content, ...context, ...timestamp }));
      return true;
    } catch (error) {
      actions.fail(error);
      return false;
    }
  };
  const edit = (/** @type {Message} */ message, /** @type {string} */ text) => {
    const content = message.type === "text" ? { body: text } : { ...message[message.type], caption: text };
    const edited = { type: message.type, [message.type]: content };
    return send({ type: "edit", edit: { original_message_id: message.id, message: edited } }, "");
  };
  const change = async (/** @type {Record<string, unknown>} */ update) => {
    setPending(update);
    try {
      const changed = await call("PATCH", phonePath(active), update);
      setFeedPhone(changed);
      setPhones((phones) => phones?.map((phone) => (keyOf(phone) === active ? changed : phone)) ?? null);
    } catch (error) {
      actions.fail(error);
    }
    setPending({});
  };
  const run = (/** @type {Promise<Delivered>} */ request) => void request.then(report, actions.fail);

  /** @type {import("./bubble.js").BubbleActions} */
  const act = {
    reply: (message) => setTarget({ reply: message }),
    edit: (message) => setTarget({ edit: message }),
    remove: (message) => void send({ type: "revoke", revoke: { original_message_id: message.id } }, ""),
    react: (message, emoji) => void send({ type: "reaction", reaction: { message_id: message.id, emoji } }, ""),
    answer: (message, content) => void send(content, message.id),
    tick: (message, status) => run(call("POST", `${phonePath(active)}/ticks`, { status, messageId: message.id })),
    openList: (message) => setOpen({ kind: "list", message }),
    openFlow: (message) => setOpen({ kind: "flow", message }),
    shareLocation: (message) => setOpen({ kind: "location", message }),
    shareContact: (message) => void send(ownContact(phone), message.id),
    call: () => run(call("POST", "calls", { from: active, phoneNumberId: businessId })),
    hangUp: (id) => run(call("DELETE", `calls/${encodeURIComponent(id)}`)),
    copy: (text, done) => void navigator.clipboard.writeText(text).then(() => actions.toast(done), actions.fail),
    show: (id) => document.querySelector(`[data-id="${CSS.escape(id)}"]`)?.scrollIntoView({ block: "center", behavior: "smooth" }),
  };
  const onScanned = (/** @type {string} */ key, /** @type {string} */ qr, /** @type {Delivered} */ result) => {
    const digits = /wa\.me\/(\d+)/.exec(qr)?.[1];
    const scanned = numbers.find((number) => number.displayPhoneNumber === digits);
    if (scanned) setBusinesses((businesses) => ({ ...businesses, [key]: scanned.phoneNumberId }));
    setOpen(null);
    select(key);
    if (result.deliveries.every((attempt) => attempt.status === 200)) actions.toast(t("scanned"));
    report(result);
  };
  const toggleLanguage = () => {
    setLanguage(language() === "ar" ? "en" : "ar");
    setCurrentLanguage(language());
  };
  const activeNames = activeFaults(faultState);
  const clear = () => void clearFaults().then(refreshFaults).then(() => actions.toast(t("cleared")), actions.fail);
  const togglePanel = (/** @type {PanelName} */ name) => setPanel((current) => (current === name ? null : name));
  useEffect(() => {
    document.title = phone?.name ? `${phone.name} · ${t("title")}` : t("title");
  }, [phone?.name, language()]);

  const panelContent = panel && phone
    ? html`<${PanelTabs} panel=${panel} setPanel=${setPanel} faultCount=${activeNames.length} />
        <div class="panel-content" id="panel" role="tabpanel" aria-labelledby=${`panel-${panel}`} tabindex="0">
          ${panel === "settings"
            ? html`<${SettingsPanel} phone=${{ ...phone, ...pending }} messages=${messages} age=${age} setAge=${setAge} change=${change} actions=${actions} />`
            : html`<${FaultsPanel} state=${faultState} refresh=${refreshFaults} clear=${clear} actions=${actions} />`}
        </div>`
    : null;
  return html`<div class="app">
    <nav class="rail" aria-label=${t("phones")}>
      <div class="rail-header">
        <h1>${t("phones")}</h1>
        <${IconButton} icon="add" label=${t("add_phone")} onClick=${() => setOpen({ kind: "add" })} />
        <button type="button" class="icon-button language" lang=${language() === "ar" ? "en" : "ar"} onClick=${toggleLanguage}>
          ${language() === "ar" ? "English" : "العربية"}
        </button>
      </div>
      <${PhoneTabs} phones=${phones ?? []} active=${active} select=${select} seen=${seen.current} />
    </nav>
    <main class="main"><div class="chat" id="chat" role="tabpanel" aria-labelledby=${active ? `tab-${active}` : undefined}>
      <header class="chat-header">
        <${Avatar} name=${businessName} seed=${businessId} icon="shop" />
        <div class="chat-title">
          ${numbers.length > 1
            ? html`<select aria-label=${t("write_to")} value=${businessId} onChange=${(/** @type {Event} */ event) => {
                setBusinesses({ ...businesses, [active]: valueOf(event) });
                setTarget({});
              }}>
                ${numbers.map((number) => html`<option value=${number.phoneNumberId}>${`${number.verifiedName} \u2066${phoneNumber(number.displayPhoneNumber)}\u2069`}</option>`)}
              </select>`
            : html`<h2><bdi>${businessName}</bdi></h2>`}
          ${isTyping ? html`<p class="typing-text">${t("typing")}</p>` : numbers.length === 1 && html`<p><bdi>${phoneNumber(business?.displayPhoneNumber ?? "")}</bdi></p>`}
        </div>
        <${IconButton} icon="call" label=${t("call_business")} onClick=${act.call} />
        <${IconButton} icon="scan" label=${t("scan_qr")} onClick=${() => setOpen({ kind: "scan", qr: "" })} />
        <${IconButton} icon="settings" label=${t("phone_settings")} aria-pressed=${panel === "settings"} onClick=${() => togglePanel("settings")} />
        <${IconButton} icon="bolt" class=${activeNames.length > 0 ? "alarming" : ""} label=${t("faults")} aria-pressed=${panel === "faults"} onClick=${() => togglePanel("faults")} />
      </header>
      ${activeNames.length > 0 &&
        html`<div class="bar fault-bar" role="status">
          <${Icon} name="bolt" />
          <p><span class="strong">${t("faults_active", { count: activeNames.length })}</span> <span>${activeNames.join(t("separator"))}</span></p>
          <button type="button" class="button small" onClick=${clear}>${t("clear_faults")}</button>
        </div>`}
      ${!feed.isConnected && html`<div class="bar problem-bar" role="alert"><${Icon} name="warning" /><p>${t("disconnected")}</p></div>`}
      <${Thread} key=${`${active}/${businessId}`} messages=${shown} all=${messages} businessName=${businessName} isTyping=${isTyping} act=${act} />
      ${waiting.length > 0 &&
        html`<div class="bar waiting-bar" role="status">
          <p>${t("waiting", { count: waiting.length })}</p>
          ${phone?.online && phone.onWhatsApp && !phone.blocked && html`<button type="button" class="button small" onClick=${() => run(call("POST", `${phonePath(active)}/ticks`, { status: "delivered", phoneNumberId: businessId }))}>${t("deliver")}</button>`}
          <button type="button" class="button small" onClick=${() => setPanel("settings")}>${t("show")}</button>
        </div>`}
      ${phone && html`<${Foot} phone=${phone} change=${change}>
        ${age > 0 && html`<div class="bar waiting-bar"><p>${t(age < 86_400 ? "writes_closing" : "writes_closed")}</p><button type="button" class="button small" onClick=${() => setAge(0)}>${t("time_now")}</button></div>`}
        <${Composer} key=${active} phone=${active} target=${target} clearTarget=${() => setTarget({})} businessName=${businessName} phoneNumberId=${businessId}
          send=${send} edit=${edit} actions=${actions} />
      <//>`}
    </div></main>
    ${panelContent && isWide && html`<aside class="panel" aria-label=${t("panel")}>
      <h2 class="visually-hidden">${t("panel")}</h2>
      <${IconButton} class="panel-close" icon="close" label=${t("close_panel")} onClick=${() => setPanel(null)} />${panelContent}
    </aside>`}
    ${panelContent && !isWide && html`<${Dialog} class="panel-dialog" title=${t("panel")} onClose=${() => setPanel(null)}>${panelContent}<//>`}
    <${Toasts} toasts=${toasts} />
    ${open?.kind === "scan" && phones && active && html`<${ScanDialog} key=${open.qr} qr=${open.qr} phones=${phones} active=${active} onScanned=${onScanned} onClose=${() => setOpen(null)} />`}
    ${open?.kind === "add" && html`<${AddDialog} onClose=${() => setOpen(null)} onAdded=${(/** @type {Phone} */ added) => {
      setPhones((phones) => [...(phones ?? []).filter((phone) => keyOf(phone) !== keyOf(added)), added]);
      setOpen(null);
      select(keyOf(added));
    }} />`}
    ${open?.kind === "list" && html`<${ListDialog} message=${open.message} onClose=${() => setOpen(null)} onChoose=${(/** @type {any} */ row) => {
      setOpen(null);
      const { id, title, description } = row;
      act.answer(open.message, { type: "interactive", interactive: { type: "list_reply", list_reply: { id, title, ...(description && { description }) } } });
    }} />`}
    ${open?.kind === "flow" && html`<${FlowDialog} message=${open.message} onClose=${() => setOpen(null)} onSend=${(/** @type {string} */ json) => {
      setOpen(null);
      const name = open.message.interactive?.type === "address_message" ? "address_message" : "flow";
      act.answer(open.message, { type: "interactive", interactive: { type: "nfm_reply", nfm_reply: { name, body: "Sent", response_json: json } } });
    }} />`}
    ${open?.kind === "location" && html`<${LocationDialog} send=${(/** @type {Record<string, unknown>} */ content) => send(content, open.message.id)} onClose=${() => setOpen(null)} />`}
  </div>`;
}

/** The number of messages that a phone got. @param {Phone} phone */
const received = (phone) => phone.conversations.reduce((sum, conversation) => sum + conversation.received, 0);

/** The phones as tabs. `seen` has the numbers of messages that each phone got while it was shown.
 * @param {{phones: Phone[], active: string, select: (key: string) => void, seen: Map<string, number>}} props */
function PhoneTabs({ phones, active, select, seen }) {
  const move = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const index = phones.findIndex((phone) => keyOf(phone) === active);
    const next =
      event.key === "Home" ? 0
      : event.key === "End" ? phones.length - 1
      : step ? (index + (document.dir === "rtl" && event.key !== "ArrowDown" && event.key !== "ArrowUp" ? -step : step) + phones.length) % phones.length
      : null;
    const phone = next === null ? undefined : phones[next];
    if (!phone) return;
    event.preventDefault();
    select(keyOf(phone));
    document.getElementById(`tab-${keyOf(phone)}`)?.focus();
  };
  return html`<div class="phone-tabs" role="tablist" aria-label=${t("phones")} onKeyDown=${move}>
    ${phones.map((phone) => {
      const key = keyOf(phone);
      const unread = key === active ? 0 : received(phone) - (seen.get(key) ?? 0);
      const state = !phone.onWhatsApp ? t("not_on_whatsapp") : !phone.online ? t("offline") : phone.blocked ? t("has_blocked") : "";
      return html`<button type="button" role="tab" key=${key} id=${`tab-${key}`} class="phone-tab" aria-selected=${key === active} aria-controls="chat"
        tabindex=${key === active ? 0 : -1} onClick=${() => select(key)}>
        <${Avatar} name=${phone.name ?? ""} seed=${key} />
        <span class="phone-tab-text">
          <span class="strong"><bdi>${phone.name ?? phoneNumber(key)}</bdi></span>
          ${(state || phone.name) && html`<span class="secondary">${state || html`<bdi>${phoneNumber(key)}</bdi>`}</span>`}
        </span>
        ${unread > 0 && html`<span class="count" role="img" aria-label=${t("new_messages", { count: unread })}>${number(unread)}</span>`}
      </button>`;
    })}
  </div>`;
}

/** @param {{panel: PanelName, setPanel: (name: PanelName) => void, faultCount: number}} props */
function PanelTabs({ panel, setPanel, faultCount }) {
  /** @type {[PanelName, string][]} */
  const tabs = [["settings", t("phone_settings")], ["faults", t("faults")]];
  const move = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const next = panel === "settings" ? "faults" : "settings";
    setPanel(next);
    document.getElementById(`panel-${next}`)?.focus();
  };
  return html`<div class="panel-tabs" role="tablist" aria-label=${t("panel")} onKeyDown=${move}>
    ${tabs.map(
      ([name, label]) => html`<button type="button" role="tab" id=${`panel-${name}`} aria-selected=${panel === name} aria-controls="panel" tabindex=${panel === name ? 0 : -1} onClick=${() => setPanel(name)}>
        ${label}${name === "faults" && faultCount > 0 && html`<span class="count alarming">${faultCount}</span>`}
      </button>`,
    )}
  </div>`;
}

/** The composer, or what keeps the phone from writing. @param {{phone: Phone, change: (update: Record<string, unknown>) => void, children?: any}} props */
function Foot({ phone, change, children }) {
  const [text, fix, update] =
    !phone.onWhatsApp ? [t("cannot_not_on_whatsapp"), t("register"), { onWhatsApp: true }]
    : !phone.online ? [t("cannot_offline"), t("go_online"), { online: true }]
    : phone.blocked ? [t("cannot_blocked"), t("unblock"), { blocked: false }]
    : [];
  if (!text) return children;
  return html`<div class="bar foot-bar"><p>${text}</p><button type="button" class="button small" onClick=${() => change(update ?? {})}>${fix}</button></div>`;
}

/** @param {{onAdded: (phone: Phone) => void, onClose: () => void}} props */
function AddDialog({ onAdded, onClose }) {
  const [number, setNumber] = useState("");
  const [name, setName] = useState("");
  const [problem, setProblem] = useState("");
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      onAdded(await call("PATCH", phonePath(number.trim()), name.trim() ? { name: name.trim() } : {}));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return html`<${Dialog} title=${t("add_phone")} onClose=${onClose}>
    <form class="form" onSubmit=${submit}>
      <${Field} label=${t("number_or_id")} hint=${t("number_hint")}>
        ${(/** @type {string} */ id) => html`<input id=${id} required dir="ltr" placeholder="+20 100 765 4321" value=${number} onInput=${(/** @type {Event} */ event) => setNumber(valueOf(event))} />`}
      <//>
      <${Field} label=${t("profile_name")}>
        ${(/** @type {string} */ id) => html`<input id=${id} dir="auto" placeholder=${t("optional")} value=${name} onInput=${(/** @type {Event} */ event) => setName(valueOf(event))} />`}
      <//>
      ${problem && html`<p class="problem" role="alert">${problem}</p>`}
      <${Footer} onClose=${onClose} label=${t("add")} />
    </form>
  <//>`;
}

/** The contact card of the phone's user. @param {Phone | null} phone */
function ownContact(phone) {
  const name = phone?.name ?? phoneNumber(phone?.number ?? "");
  const phones = phone?.number ? [{ phone: phoneNumber(phone.number), wa_id: phone.number, type: "CELL" }] : [];
  return { type: "contacts", contacts: [{ name: { formatted_name: name, first_name: name }, phones }] };
}

/** Short texts in front of everything, also of dialogs. @param {{toasts: {id: number, text: string, kind?: string}[]}} props */
function Toasts({ toasts }) {
  const element = useRef(/** @type {HTMLDivElement | null} */ (null));
  const latest = toasts.at(-1)?.id;
  useEffect(() => {
    const popover = element.current;
    if (popover?.matches(":popover-open")) popover.hidePopover();
    if (latest !== undefined) popover?.showPopover();
  }, [latest]);
  return html`<div class="toasts" ref=${element} popover="manual" role="status" aria-live="polite">
    ${toasts.map((toast) => html`<p key=${toast.id} class=${`toast ${toast.kind ?? ""}`} dir="auto">${toast.text}</p>`)}
  </div>`;
}

/** Returns whether the business is typing. The simulator reports only the start. @param {boolean} typing @param {Phone | null} phone */
function useTyping(typing, phone) {
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    setOver(false);
    if (!typing) return undefined;
    const timer = setTimeout(() => setOver(true), TYPING);
    return () => clearTimeout(timer);
  }, [typing, phone]);
  return typing && !isOver;
}

/** Returns whether a media query matches. @param {string} query */
function useMedia(query) {
  const [matches, setMatches] = useState(matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const update = () => setMatches(media.matches);
    media.addEventListener("change", update);
    return () => media.removeEventListener("change", update);
  }, [query]);
  return matches;
}

render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById("app")));

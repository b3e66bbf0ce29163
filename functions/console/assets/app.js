// The frame of the console: signing in, choosing a session, and moving between screens.

import { render } from "preact";
import { useEffect, useErrorBoundary, useRef, useState } from "preact/hooks";
import { ApiError, get, hasKey, hasScope, onRefused, phoneAddress, post, setKey, storage, takeFragment } from "./api.js";
import {
  Badge, Button, Dialog, Empty, ErrorNote, Field, Icon, IconButton, Loading, html, useAction,
} from "./components.js";
import { language, setLanguage } from "./i18n.js";
import { t } from "./strings/app.js";

/** @typedef {import("./types").Caller} Caller */
/** @typedef {import("./types").Session} Session */
/** @typedef {import("./components.js").IconName} IconName */

const SESSION = "qasid.session";
const DRAFTS = "qasid.drafts";

/** How many sessions can be chosen from. "New session" opens any other one. */
const MAX_LISTED = 1_000;

/** The screens: name, icon, the scope that they need, and their module.
 * @type {{name: string, icon: IconName, text: Parameters<typeof t>[0], scope: string, load: () => Promise<any>}[]} */
const SCREENS = [
  { name: "inbox", icon: "inbox", text: "inbox", scope: "messages:read", load: () => import("./screens/inbox.js") },
  { name: "connect", icon: "link", text: "connect", scope: "sessions", load: () => import("./screens/connect.js") },
  { name: "overview", icon: "chart", text: "overview", scope: "messages:read", load: () => import("./screens/overview.js") },
  { name: "auto-replies", icon: "reply", text: "autoReplies", scope: "rules", load: () => import("./screens/auto-replies.js") },
  { name: "webhooks", icon: "webhook", text: "webhooks", scope: "webhooks", load: () => import("./screens/webhooks.js") },
  { name: "events", icon: "events", text: "events", scope: "messages:read", load: () => import("./screens/events.js") },
  { name: "health", icon: "heart", text: "health", scope: "sessions", load: () => import("./screens/health.js") },
  { name: "keys", icon: "key", text: "keys", scope: "admin", load: () => import("./screens/keys.js") },
  { name: "numbers", icon: "phone", text: "numbers", scope: "admin", load: () => import("./screens/numbers.js") },
];

/** Returns the segments of the address: `["inbox", "<chatId>"]`. */
function segments() {
  const path = location.hash.replace(/^#\/?/, "");
  try {
    return path.split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    // The address was typed or cut off.
    return [path];
  }
}

/** Reads the sessions that the caller can use, and the selected one. A key without the scope to list them can have one.
 * @param {Caller} caller @param {string | null} selected @returns {Promise<Session[]>} */
async function readSessions(caller, selected) {
  if (!hasScope(caller, "sessions")) {
    // Enough to read the chats of the session.
    return caller.session_id ? [/** @type {Session} */ ({ id: caller.session_id, owner_id: caller.owner_id })] : [];
  }
  /** @type {Session[]} */
  const sessions = [];
  let cursor = null;
  do {
    const page = await get("/api/sessions", { limit: 100, cursor });
    sessions.push(...page.sessions);
    cursor = page.nextCursor;
  } while (cursor && sessions.length < MAX_LISTED);
  if (cursor && selected && !sessions.some(({ id }) => id === selected)) {
    const session = await readSession(selected);
    if (session) sessions.push(session);
  }
  return sessions;
}

/** Reads a session. Returns `null` if it doesn't exist. @param {string} id @returns {Promise<Session | null>} */
async function readSession(id) {
  try {
    return (await get("/api/session/status", { sessionId: id })).session;
  } catch (failure) {
    if (failure instanceof ApiError && failure.code === "session_not_found") return null;
    throw failure;
  }
}

function App() {
  const [caller, setCaller] = useState(/** @type {Caller | null} */ (null));
  const [wasRefused, setRefused] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [, setLanguageChanges] = useState(0);

  const enter = async () => {
    setError(null);
    try {
      setCaller((await get("/api/me")).caller);
      setRefused(false);
    } catch (failure) {
      if (!(failure instanceof ApiError && failure.code === "unauthenticated")) setError(failure);
    }
  };
  const leave = () => {
    setKey(null);
    storage?.removeItem(SESSION);
    storage?.removeItem(DRAFTS);
    history.replaceState(null, "", `${location.pathname}#/`);
    // Nothing of what the user saw stays in memory.
    location.reload();
  };
  useEffect(() => {
    onRefused(() => {
      setKey(null);
      setCaller(null);
      setRefused(true);
    });
    if (hasKey()) void enter();
  }, []);
  const switchLanguage = () => {
    setLanguage(language() === "en" ? "ar" : "en");
    setLanguageChanges((count) => count + 1);
  };

  if (caller) {
    return html`<${Frame} key=${language()} caller=${caller} onSignOut=${leave} onLanguage=${switchLanguage} />`;
  }
  if (error) {
    return html`<main class="center"><div><${ErrorNote} error=${error} onRetry=${enter} />
      <${Button} kind="plain" icon="sign_out" onClick=${leave}>${t("signOut")}<//></div></main>`;
  }
  if (hasKey()) return html`<main class="center"><${Loading} /></main>`;
  return html`<${SignIn} key=${language()} wasRefused=${wasRefused} onSignIn=${enter} onLanguage=${switchLanguage} />`;
}

/** @param {{wasRefused: boolean, onSignIn: () => Promise<void>, onLanguage: () => void}} props */
function SignIn({ wasRefused, onSignIn, onLanguage }) {
  const [value, setValue] = useState("");
  const [isEntered, setEntered] = useState(false);
  const [submit, { busy }] = useAction(async () => {
    setEntered(true);
    setKey(value.trim());
    await onSignIn();
  });
  const onSubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (value.trim()) void submit();
  };
  useEffect(() => {
    document.title = `${t("signIn")} · ${t("name")}`;
  });
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const isWrong = wasRefused && !busy;
  useEffect(() => {
    // The field is described by the refusal.
    if (isWrong) form.current?.querySelector("input")?.focus();
  }, [isWrong]);
  const message = isEntered ? t("wrongCredential") : t("signedOut");
  return html`<main class="center">
    <form ref=${form} class="card sign-in" onSubmit=${onSubmit}>
      <h1><span class="logo" aria-hidden="true"></span>${t("name")}</h1>
      <${Field} label=${t("credential")} hint=${t("signInHint")} type="password" autocomplete="off" autofocus required
        dir="ltr" value=${value} error=${isWrong ? message : null}
        onInput=${(/** @type {any} */ event) => setValue(event.target.value)} />
      <${Button} kind="primary" type="submit" busy=${busy}>${t("signIn")}<//>
      <${Button} kind="plain" icon="globe" onClick=${onLanguage} lang=${language() === "en" ? "ar" : "en"}>${t("language")}<//>
    </form>
  </main>`;
}

/** @param {{caller: Caller, onSignOut: () => void, onLanguage: () => void}} props */
function Frame({ caller, onSignOut, onLanguage }) {
  const [path, setPath] = useState(segments);
  const [sessions, setSessions] = useState(/** @type {Session[] | null} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [selected, setSelected] = useState(() => storage?.getItem(SESSION) ?? null);
  const [isMenuOpen, setMenuOpen] = useState(false);
  const [isCreating, setCreating] = useState(false);
  const navigation = useRef(/** @type {HTMLElement | null} */ (null));

  const reloadSessions = async () => {
    setError(null);
    try {
      setSessions(await readSessions(caller, selected));
    } catch (failure) {
      setError(failure);
    }
  };
  const showSession = (/** @type {Session} */ shown) => setSessions((before) => {
    const listed = before ?? [];
    const isListed = listed.some(({ id }) => id === shown.id);
    return isListed ? listed.map((one) => (one.id === shown.id ? shown : one)) : [...listed, shown];
  });
  const reloadSession = async (/** @type {string} */ id) => {
    if (!hasScope(caller, "sessions")) return;
    try {
      const found = await readSession(id);
      if (found) showSession(found);
      else await reloadSessions();
    } catch (failure) {
      setError(failure);
    }
  };
  const select = (/** @type {string} */ id) => {
    storage?.setItem(SESSION, id);
    setSelected(id);
  };
  useEffect(() => void reloadSessions(), []);
  useEffect(() => {
    const onHashChange = () => {
      setPath(segments());
      setMenuOpen(false);
      // The link in the menu is no longer visible.
      if (document.activeElement && navigation.current?.contains(document.activeElement)) document.getElementById("main")?.focus();
    };
    window.addEventListener("hashchange", onHashChange);
    return () => window.removeEventListener("hashchange", onHashChange);
  }, []);

  const screens = SCREENS.filter((screen) => hasScope(caller, screen.scope));
  const session = sessions?.find(({ id }) => id === selected) ?? sessions?.[0] ?? null;
  const home = session?.is_connected === false ? "connect" : (screens[0]?.name ?? "inbox");
  const name = path[0] ?? home;
  const screen = SCREENS.find((candidate) => candidate.name === name);
  useEffect(() => {
    document.title = screen ? `${t(screen.text)} · ${t("name")}` : t("name");
  });
  const choose = (/** @type {any} */ event) => {
    select(event.target.value);
    // A chat, rule, or webhook belongs to the session before.
    if (path.length > 1) location.hash = `#/${name}`;
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || !isMenuOpen) return;
    setMenuOpen(false);
    /** @type {HTMLElement | null} */ (document.querySelector(".menu-button"))?.focus();
  };
  const create = async (/** @type {string} */ userId) => {
    const { session: created } = await post("/api/session/create", { userId });
    showSession(created);
    select(created.id);
    setCreating(false);
    location.hash = "#/connect";
  };

  return html`<div class=${isMenuOpen ? "frame menu-open" : "frame"}>
    <a class="skip" href="#main" onClick=${skipToContent}>${t("skip")}</a>
    <header class="bar">
      <${IconButton} class="menu-button" icon="menu" label=${t("menu")} aria-expanded=${isMenuOpen}
        aria-controls="navigation" onClick=${() => setMenuOpen(!isMenuOpen)} />
      <span class="brand"><span class="logo" aria-hidden="true"></span>${screen ? t(screen.text) : t("name")}</span>
    </header>
    <nav id="navigation" ref=${navigation} aria-label=${t("navigation")} onKeyDown=${onKeyDown}>
      <span class="brand"><span class="logo" aria-hidden="true"></span>${t("name")}</span>
      ${session && html`<div class="session-chooser">
        <${Field} label=${t("session")} type="select" value=${session.id} onChange=${choose}>
          ${sessions?.map((one) => html`<option key=${one.id} value=${one.id} selected=${one.id === session.id}>${one.owner_id}</option>`)}
        <//>
        <${SessionState} session=${session} />
      </div>`}
      ${caller.is_admin && html`<${Button} class="new-session" icon="plus" onClick=${() => setCreating(true)}>${t("newSession")}<//>`}
      <ul>${screens.map((one) => html`<li key=${one.name}>
        <a href="#/${one.name}" aria-current=${one.name === name ? "page" : undefined}><${Icon} name=${one.icon} />${t(one.text)}</a>
      </li>`)}</ul>
      <div class="nav-end">
        ${phoneAddress() && html`<a class="button plain" href=${phoneAddress()} target="_blank" rel="noopener"><${Icon} name="phone" />${t("simulatedPhone")}</a>`}
        <${Button} kind="plain" icon="globe" onClick=${onLanguage} lang=${language() === "en" ? "ar" : "en"}>${t("language")}<//>
        <${Button} kind="plain" icon="sign_out" onClick=${onSignOut}>${t("signOut")}<//>
      </div>
    </nav>
    <div class="backdrop" onClick=${() => setMenuOpen(false)}></div>
    <main id="main" tabindex="-1">
      ${error && html`<${ErrorNote} error=${error} onRetry=${reloadSessions} />`}
      ${!sessions && !error && html`<${Loading} />`}
      ${sessions && !screen && html`<${Empty} icon="info" title=${t("untitled")} />`}
      ${sessions && screen && !hasScope(caller, screen.scope) && html`<${Empty} icon="info" title=${t("notPermitted", { scope: screen.scope })} />`}
      ${sessions && screen && hasScope(caller, screen.scope) && (session || screen.scope === "admin"
        ? html`<${Screen} key=${`${screen.name} ${session?.id}`} load=${screen.load} session=${session} caller=${caller}
            path=${path.slice(1)} onSession=${showSession} reloadSession=${reloadSession} reloadSessions=${reloadSessions}
            phone=${phoneAddress()} />`
        : html`<${NoSession} caller=${caller} onCreate=${create} />`)}
    </main>
    ${isCreating && html`<${Dialog} title=${t("newSession")} onClose=${() => setCreating(false)}>
      <${NewSession} onCreate=${create} />
    <//>`}
  </div>`;
}

/** @param {Event} event */
function skipToContent(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

/** @param {{session: Session}} props */
function SessionState({ session }) {
  if (session.is_connected === undefined) return null;
  if (session.paused_reason) return html`<${Badge} kind="warn">${t("paused")}<//>`;
  return session.is_connected ? html`<${Badge} kind="good">${t("connected")}<//>` : html`<${Badge}>${t("notConnected")}<//>`;
}

/** @param {{caller: Caller, onCreate: (userId: string) => Promise<void>}} props */
function NoSession({ caller, onCreate }) {
  const [create, { busy, error }] = useAction(() => onCreate(caller.owner_id ?? ""));
  return html`<${Empty} icon="link" title=${t("noSession")}>
    <p>${t("noSessionText")}</p>
    ${caller.is_admin ? html`<${NewSession} onCreate=${onCreate} />`
      : hasScope(caller, "sessions") && html`<${Button} kind="primary" busy=${busy} onClick=${create}>${t("createSession")}<//>`}
    <${ErrorNote} error=${error} />
  <//>`;
}

/** @param {{onCreate: (userId: string) => Promise<void>}} props */
function NewSession({ onCreate }) {
  const [userId, setUserId] = useState("");
  const [create, { busy, error }] = useAction(() => onCreate(userId.trim()));
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void create();
  };
  return html`<form onSubmit=${submit}>
    <${Field} label=${t("userId")} hint=${t("userIdHint")} required value=${userId} dir="auto"
      onInput=${(/** @type {any} */ event) => setUserId(event.target.value)} />
    <${ErrorNote} error=${error} />
    <footer><${Button} kind="primary" type="submit" busy=${busy}>${t("createSession")}<//></footer>
  </form>`;
}

/** Loads the module of a screen and shows it. @param {{load: () => Promise<any>, [name: string]: any}} props */
function Screen({ load, ...props }) {
  const [screen, setScreen] = useState(/** @type {{show: any} | null} */ (null));
  const [isOutdated, setOutdated] = useState(false);
  const isMounted = useRef(true);
  const [failure, reset] = useErrorBoundary((error) => console.error(error));
  const address = props.path.join("/");
  useEffect(() => {
    // Another chat or rule can be shown.
    if (failure) reset();
  }, [address]);
  useEffect(() => {
    load().then(
      (module) => isMounted.current && setScreen({ show: module.default }),
      // A deployment has replaced the files of this version.
      () => isMounted.current && setOutdated(true),
    );
    return () => {
      isMounted.current = false;
    };
  }, []);
  if (isOutdated || failure) {
    return html`<${Empty} icon="refresh" title=${isOutdated ? t("outdated") : t("broken")}>
      <${Button} kind="primary" onClick=${() => location.reload()}>${t("reload")}<//>
    <//>`;
  }
  return screen ? html`<${screen.show} ...${props} />` : html`<${Loading} />`;
}

takeFragment();
// A link with a credential that is opened in this tab.
window.addEventListener("hashchange", () => {
  if (takeFragment()) location.reload();
});
render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById("app")));

// The API keys of the deployment, for administrators.

import { useId, useState } from "preact/hooks";
import { call, get, post } from "../api.js";
import {
  Badge, Button, Checkbox, Confirm, CopyButton, Dialog, Empty, ErrorNote, Field, IconButton, Loading, html, useAction, useData,
} from "../components.js";
import { ago, date, dateTime, isolate } from "../i18n.js";
import { t } from "../strings/keys.js";

/** @typedef {{id: string, name: string, owner_id: string | null, scopes: string[], created_at: string, expires_at: string | null,
 *   last_used_at: string | null}} Key */

const PAGE = 50;

/** The scopes in the order of docs/api.md. @type {[string, Parameters<typeof t>[0]][]} */
const SCOPES = [
  ["sessions", "sessions"],
  ["messages:send", "send"],
  ["messages:read", "read"],
  ["chats:write", "chats"],
  ["rules", "rules"],
  ["webhooks", "webhooks"],
  ["worker", "worker"],
  ["admin", "admin"],
];

/** @param {import("../types").ScreenProps} props */
export default function Keys({ caller, session }) {
  const { data, error, reload, extend } = useData(async (signal) => page(await get("/api/keys", { limit: PAGE }, signal)), []);
  const [isCreating, setCreating] = useState(false);
  const [secret, setSecret] = useState(/** @type {string | null} */ (null));
  const [revoking, setRevoking] = useState(/** @type {Key | null} */ (null));
  const [notice, setNotice] = useState("");
  const [more, { busy, error: moreError }] = useAction(() => extend(async ({ keys, cursor }) => {
    const next = page(await get("/api/keys", { limit: PAGE, cursor }));
    return { keys: [...keys, ...next.keys], cursor: next.cursor };
  }));
  const created = (/** @type {Key} */ key, /** @type {string} */ value) => {
    void extend(async ({ keys, cursor }) => ({ keys: [key, ...keys], cursor }));
    setCreating(false);
    setSecret(value);
  };
  const revoke = async () => {
    if (!revoking || !data) return;
    await call("DELETE", `/api/keys/${revoking.id}`);
    await extend(async ({ keys, cursor }) => ({ keys: keys.filter(({ id }) => id !== revoking.id), cursor }));
    setNotice(t("revoked", { name: isolate(revoking.name) }));
  };
  return html`<div class="screen">
    <header>
      <div><h1>${t("title")}</h1><p>${t("subtitle")}</p></div>
      <${Button} kind="primary" icon="plus" onClick=${() => setCreating(true)}>${t("create")}<//>
    </header>
    <p class="visually-hidden" role="status">${notice}</p>
    <${ErrorNote} error=${error} onRetry=${reload} />
    ${!data && !error && html`<${Loading} />`}
    ${data && (data.keys.length === 0
      ? html`<${Empty} icon="key" title=${t("none")}><p>${t("noneText")}</p><//>`
      : html`<div class="card record-card"><table class="records">
          <thead><tr>${["name", "owner", "scopes", "lastUsed", "expires", "actions"].map((name) => html`<th key=${name} scope="col"
            class=${name === "actions" ? "actions" : undefined}>${t(/** @type {"name"} */ (name))}</th>`)}</tr></thead>
          <tbody>${data.keys.map((key) => html`<${Row} key=${key.id} of=${key} isCurrent=${key.id === caller.key_id} onRevoke=${() => setRevoking(key)} />`)}</tbody>
        </table></div>`)}
    ${data?.cursor && html`<div class="center-row"><${Button} busy=${busy} onClick=${more}>${t("more")}<//></div>`}
    <${ErrorNote} error=${moreError} />
    ${isCreating && html`<${Dialog} title=${t("create")} onClose=${() => setCreating(false)}>
      <${CreateForm} owner=${session?.owner_id ?? ""} onCreated=${created} />
    <//>`}
    ${secret && html`<${SecretDialog} secret=${secret} onClose=${() => setSecret(null)} />`}
    ${revoking && html`<${Confirm} title=${t("revokeTitle")} text=${t("revokeText", { name: isolate(revoking.name) })} action=${t("revoke")}
      onConfirm=${revoke} onClose=${() => setRevoking(null)} />`}
  </div>`;
}

/** @param {{keys: Key[], nextCursor: string | null}} response */
const page = ({ keys, nextCursor }) => ({ keys, cursor: nextCursor });

/** @param {{of: Key, isCurrent: boolean, onRevoke: () => void}} props */
function Row({ of: key, isCurrent, onRevoke }) {
  const isExpired = key.expires_at !== null && Date.parse(key.expires_at) <= Date.now();
  return html`<tr>
    <th scope="row"><strong dir="auto">${key.name}</strong>${isCurrent && html` <${Badge} kind="good">${t("thisKey")}<//>`}
      <span class="muted small when" title=${dateTime(key.created_at)}>${t("created")} ${date(key.created_at)}</span></th>
    <td data-label=${t("owner")}>${key.owner_id === null ? html`<span class="muted">${t("ownerAll")}</span>` : html`<span><bdi>${key.owner_id}</bdi></span>`}</td>
    <td data-label=${t("scopes")}><span class="chips">${key.scopes.map((scope) => html`<${Badge} key=${scope} kind=${scope === "admin" ? "warn" : undefined}>${scope}<//>`)}</span></td>
    <td class="when" data-label=${t("lastUsed")}>${key.last_used_at ? html`<span title=${dateTime(key.last_used_at)}>${ago(key.last_used_at)}</span>` : html`<span class="muted">${t("notUsed")}</span>`}</td>
    <td class="when" data-label=${t("expires")}>${isExpired ? html`<span><${Badge} kind="bad">${t("expired")}<//></span>`
      : key.expires_at ? html`<span title=${dateTime(key.expires_at)}>${date(key.expires_at)}</span>` : html`<span class="muted">${t("never")}</span>`}</td>
    <td class="actions"><${IconButton} icon="trash" label=${t("revokeName", { name: isolate(key.name) })} onClick=${onRevoke} /></td>
  </tr>`;
}

/** @param {{owner: string, onCreated: (key: Key, secret: string) => void}} props */
function CreateForm({ owner: suggested, onCreated }) {
  const id = useId();
  const [name, setName] = useState("");
  const [owner, setOwner] = useState(suggested);
  const [scopes, setScopes] = useState(/** @type {string[]} */ (["sessions", "messages:send", "messages:read", "chats:write"]));
  const [expires, setExpires] = useState("");
  const [isSubmitted, setSubmitted] = useState(false);
  const isAdmin = scopes.includes("admin");
  const [create, { busy, error }] = useAction(async () => {
    const body = {
      name: name.trim(),
      ownerId: owner.trim() || null,
      scopes: SCOPES.map(([scope]) => scope).filter((scope) => scopes.includes(scope)),
      expiresAt: expires ? new Date(expires).toISOString() : null,
    };
    const { key, secret } = await post("/api/keys", body);
    onCreated(key, secret);
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    setSubmitted(true);
    if (scopes.length > 0) void create();
  };
  const toggle = (/** @type {string} */ scope) =>
    setScopes(scopes.includes(scope) ? scopes.filter((one) => one !== scope) : [...scopes, scope]);
  const missing = isSubmitted && scopes.length === 0;
  return html`<form onSubmit=${submit}>
    <${Field} label=${t("name")} hint=${t("nameHint")} required maxlength="100" dir="auto" autocomplete="off" value=${name}
      onInput=${(/** @type {any} */ event) => setName(event.target.value)} />
    <${Field} label=${t("ownerField")} hint=${isAdmin ? t("ownerAdmin") : t("ownerHint")} required=${!isAdmin} dir="auto" autocomplete="off" value=${owner}
      onInput=${(/** @type {any} */ event) => setOwner(event.target.value)} />
    <fieldset class="stack scopes" aria-describedby="${id}-hint">
      <legend>${t("scopes")}</legend>
      <p class="hint" id="${id}-hint">${t("scopesHint")}</p>
      ${SCOPES.map(([scope, text]) => html`<${Checkbox} key=${scope} label=${scope} hint=${t(text)} checked=${scopes.includes(scope)}
        onChange=${() => toggle(scope)} />`)}
      ${missing && html`<p class="field-error" role="alert">${t("scopesMissing")}</p>`}
    </fieldset>
    <${Field} label=${t("expires")} hint=${t("expiresHint")} type="datetime-local" value=${expires}
      onInput=${(/** @type {any} */ event) => setExpires(event.target.value)} />
    <${ErrorNote} error=${error} />
    <footer><${Button} kind="primary" type="submit" busy=${busy}>${t("create")}<//></footer>
  </form>`;
}

/** @param {{secret: string, onClose: () => void}} props */
function SecretDialog({ secret, onClose }) {
  return html`<${Dialog} title=${t("secretTitle")} onClose=${onClose}>
    <div class="stack">
      <p class="note warn">${t("secretText")}</p>
      <div class="key-secret">
        <${Field} label=${t("secretLabel")} readonly dir="ltr" spellcheck=${false} value=${secret}
          onFocus=${(/** @type {any} */ event) => event.target.select()} />
        <${CopyButton} text=${secret} />
      </div>
      <footer><${Button} kind="primary" onClick=${onClose}>${t("done")}<//></footer>
    </div>
  <//>`;
}

// The numbers of the deployment beside its own, for administrators.

import { useState } from "preact/hooks";
import { ApiError, call, get } from "../api.js";
import {
  Badge, Button, Confirm, Dialog, Empty, ErrorNote, Field, IconButton, Loading, html, useAction, useData,
} from "../components.js";
import { date, dateTime, westernDigits } from "../i18n.js";
import { t } from "../strings/numbers.js";

/** @typedef {{phone_number_id: string, display_phone_number: string, owner_id: string | null, has_access_token: boolean,
 *   has_app_secret: boolean, created_at: string, updated_at: string}} BusinessNumber */

/** The refusals that have a sentence here. @type {Record<string, Parameters<typeof t>[0]>} */
const REFUSALS = { too_many_numbers: "tooMany", no_numbers_key: "noKey", number_not_found: "notFound" };

/** Replaces the sentence of a refusal by one in the language of the console.
 * @template T @param {Promise<T>} request @param {Parameters<typeof t>[0]} linked @returns {Promise<T>} */
async function inWords(request, linked) {
  try {
    return await request;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const text = error.code === "number_linked" ? linked : REFUSALS[error.code];
    throw text ? new ApiError(error.status, error.code, t(text), error.requestId) : error;
  }
}

/** Returns a number with its plus sign, which stays in front in texts from right to left. @param {BusinessNumber} number */
const written = (number) => `\u2066+${number.display_phone_number}\u2069`;

export default function Numbers() {
  const { data, error, reload } = useData(
    async (signal) => /** @type {BusinessNumber[]} */ ((await get("/api/numbers", undefined, signal)).numbers), [],
  );
  const [editing, setEditing] = useState(/** @type {BusinessNumber | "new" | null} */ (null));
  const [removing, setRemoving] = useState(/** @type {BusinessNumber | null} */ (null));
  const [isReleasing, setReleasing] = useState(false);
  const [notice, setNotice] = useState("");
  const remove = async (/** @type {string} */ id) => inWords(call("DELETE", `/api/numbers/${encodeURIComponent(id)}`), "linked");
  const changed = async (/** @type {string} */ text) => {
    setEditing(null);
    setReleasing(false);
    setNotice(text);
    await reload();
  };
  const confirmRemoval = async () => {
    if (!removing) return;
    await remove(removing.phone_number_id);
    await changed(t("removed", { number: written(removing) }));
  };
  const release = async (/** @type {string} */ id) => {
    await remove(id);
    await changed(t("released", { number: id }));
  };
  return html`<div class="screen">
    <header>
      <div><h1>${t("title")}</h1><p>${t("subtitle")}</p></div>
      <div class="overview-controls">
        <${Button} onClick=${() => setReleasing(true)}>${t("release")}<//>
        <${Button} kind="primary" icon="plus" onClick=${() => setEditing("new")}>${t("add")}<//>
      </div>
    </header>
    <p class=${notice ? "note" : "visually-hidden"} role="status">${notice}</p>
    <${ErrorNote} error=${error} onRetry=${reload} />
    ${!data && !error && html`<${Loading} />`}
    ${data && (data.length === 0
      ? html`<${Empty} icon="phone" title=${t("none")}><p>${t("noneText")}</p><//>`
      : html`<div class="card record-card"><table class="records">
          <thead><tr>${["number", "owner", "credentials", "updated", "actions"].map((name) => html`<th key=${name} scope="col"
            class=${name === "actions" ? "actions" : undefined}>${t(/** @type {"number"} */ (name))}</th>`)}</tr></thead>
          <tbody>${data.map((number) => html`<${Row} key=${number.phone_number_id} number=${number} onEdit=${() => setEditing(number)}
            onRemove=${() => setRemoving(number)} />`)}</tbody>
        </table></div>`)}
    ${editing && html`<${Dialog} title=${editing === "new" ? t("add") : t("editTitle")} onClose=${() => setEditing(null)}>
      <${NumberForm} number=${editing === "new" ? null : editing} onSaved=${(/** @type {BusinessNumber} */ number) => changed(t("saved", { number: written(number) }))} />
    <//>`}
    ${isReleasing && html`<${Dialog} title=${t("release")} onClose=${() => setReleasing(false)}><${ReleaseForm} onRelease=${release} /><//>`}
    ${removing && html`<${Confirm} title=${t("removeTitle")} text=${t("removeText", { number: written(removing) })} action=${t("removeAction")}
      onConfirm=${confirmRemoval} onClose=${() => setRemoving(null)} />`}
  </div>`;
}

/** @param {{number: BusinessNumber, onEdit: () => void, onRemove: () => void}} props */
function Row({ number, onEdit, onRemove }) {
  const credentials = [number.has_access_token && t("token"), number.has_app_secret && t("secret")].filter(Boolean);
  return html`<tr>
    <th scope="row"><strong><bdi>${written(number)}</bdi></strong><span class="muted small"><bdi>${number.phone_number_id}</bdi></span></th>
    <td data-label=${t("owner")}><span>${number.owner_id === null ? html`<span class="muted">${t("ownerNone")}</span>` : html`<bdi>${number.owner_id}</bdi>`}</span></td>
    <td data-label=${t("credentials")}><span class="chips">${credentials.length > 0
      ? credentials.map((name) => html`<${Badge} key=${name} kind="good">${name}<//>`) : html`<span class="muted">${t("ofDeployment")}</span>`}</span></td>
    <td class="when" data-label=${t("updated")}><span title=${dateTime(number.updated_at)}>${date(number.updated_at)}</span></td>
    <td class="actions">
      <${IconButton} icon="edit" label=${t("edit", { number: written(number) })} onClick=${onEdit} />
      <${IconButton} icon="trash" label=${t("remove", { number: written(number) })} onClick=${onRemove} />
    </td>
  </tr>`;
}

/** @param {{number: BusinessNumber | null, onSaved: (number: BusinessNumber) => Promise<void>}} props */
function NumberForm({ number, onSaved }) {
  const [form, setForm] = useState({
    id: number?.phone_number_id ?? "",
    display: number?.display_phone_number ?? "",
    owner: number?.owner_id ?? "",
    token: "",
    secret: "",
    second: "",
  });
  const input = (/** @type {keyof typeof form} */ name) => ({
    value: form[name],
    autocomplete: "off",
    onInput: (/** @type {any} */ event) => setForm({ ...form, [name]: event.target.value }),
  });
  const credential = { type: "password", autocomplete: "new-password", dir: "ltr", spellcheck: false };
  const [save, { busy, error }] = useAction(async () => {
    const secrets = [form.secret, form.second].map((secret) => secret.trim()).filter(Boolean);
    const body = {
      displayPhoneNumber: westernDigits(form.display).replace(/[\s+().-]/g, ""),
      ownerId: form.owner.trim() || null,
      accessToken: form.token.trim() || null,
      appSecret: secrets.length > 1 ? secrets : (secrets[0] ?? null),
    };
    const path = `/api/numbers/${encodeURIComponent(form.id.trim())}`;
    const { number: saved } = await inWords(call("PUT", path, { body }), "linkedOwner");
    await onSaved(saved);
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void save();
  };
  const stored = (/** @type {boolean | undefined} */ has) => (has ? t("placeholder") : undefined);
  return html`<form onSubmit=${submit}>
    <${Field} label=${t("id")} hint=${number ? null : t("idHint")} required readonly=${number !== null} inputmode="numeric" pattern="[0-9]{1,20}" dir="ltr" ...${input("id")} />
    <${Field} label=${t("display")} hint=${t("displayHint")} type="tel" required dir="ltr" placeholder="+15550009999" ...${input("display")} />
    <${Field} label=${t("ownerField")} hint=${t("ownerHint")} dir="auto" ...${input("owner")} />
    <${Field} label=${t("token")} hint=${number?.has_access_token ? t("unchanged") : t("tokenHint")} placeholder=${stored(number?.has_access_token)} ...${input("token")} ...${credential} />
    <${Field} label=${t("secret")} hint=${number?.has_app_secret ? t("unchanged") : t("secretHint")} placeholder=${stored(number?.has_app_secret)} ...${input("secret")} ...${credential} />
    <${Field} label=${t("second")} hint=${t("secondHint")} ...${input("second")} ...${credential} />
    <${ErrorNote} error=${error} />
    <footer><${Button} kind="primary" type="submit" busy=${busy}>${t("save")}<//></footer>
  </form>`;
}

/** @param {{onRelease: (id: string) => Promise<void>}} props */
function ReleaseForm({ onRelease }) {
  const [id, setId] = useState("");
  const [release, { busy, error }] = useAction(() => onRelease(id.trim()));
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void release();
  };
  return html`<form onSubmit=${submit}>
    <p>${t("releaseText")}</p>
    <${Field} label=${t("id")} hint=${t("idHint")} required inputmode="numeric" pattern="[0-9]{1,20}" dir="ltr" autocomplete="off" value=${id}
      onInput=${(/** @type {any} */ event) => setId(event.target.value)} />
    <${ErrorNote} error=${error} />
    <footer><${Button} kind="danger" type="submit" busy=${busy}>${t("releaseAction")}<//></footer>
  </form>`;
}

// The webhooks of a session: health, failed deliveries, replay, secret, and how to verify signatures.

import { useState } from "preact/hooks";
import { call, get, hasScope, post } from "../api.js";
import {
  Badge, Button, Confirm, CopyButton, Dialog, Empty, ErrorNote, Field, Icon, Loading, html, useAction, useData, useRepeated,
} from "../components.js";
import { ago, dateTime, duration, isolate, number } from "../i18n.js";
import { t } from "../strings/webhooks.js";

/** @typedef {import("../types").ScreenProps} ScreenProps */
/** @typedef {Parameters<typeof t>[0]} Key */
/** @typedef {{id: string, session_id: string | null, url: string, events: string[], format: "qasid" | "cloud_api",
 *   order: "none" | "chat", headers: Record<string, string> | null, description: string | null, enabled: boolean,
 *   disabled_reason: string | null, last_success_at: string | null, failing_since: string | null, failures: number | null,
 *   behind: number | null, previous_secret_until: string | null}} Webhook */
/** @typedef {{at: string, duration_ms: number, status: number | null, response: string | null, error: string | null,
 *   delivered: boolean}} Attempt */
/** @typedef {{change_id: string, type: string, sequence: number, session_id: string, chat_id: string | null,
 *   status: "retrying" | "waiting" | "failed" | "delivered", tries: Attempt[], try_count: number,
 *   next_try_at: string | null}} Delivery */

const PAGE = 50;
const STATUSES = /** @type {const} */ (["retrying", "waiting", "failed", "delivered"]);

/** @param {ScreenProps} props */
export default function Webhooks({ session, caller, path, phone }) {
  const sessionId = /** @type {{id: string}} */ (session).id;
  const { data, error, reload } = useData(async (signal) => {
    const lists = [get("/api/webhooks", { sessionId }, signal)];
    // Those for all sessions are an admin's.
    if (caller.is_admin) lists.push(get("/api/webhooks", {}, signal));
    return (await Promise.all(lists)).flatMap(({ webhooks }) => webhooks);
  }, [sessionId]);
  const [created, setCreated] = useState(/** @type {{webhook: Webhook, secret: string} | null} */ (null));
  // Who creates or changes a webhook decides who receives messages.
  const canRead = hasScope(caller, "messages:read");
  if (error && !data) return html`<div class="screen"><${ErrorNote} error=${error} onRetry=${reload} /></div>`;
  if (!data) return html`<${Loading} />`;
  /** @type {Webhook[]} */
  const webhooks = data;
  const selected = webhooks.find(({ id }) => id === path[0]);
  if (selected) {
    return html`<${Details} key=${selected.id} webhook=${selected} sessionId=${sessionId} canRead=${canRead} onChanged=${reload} />`;
  }
  const isAdding = canRead && path[0] === "new";
  return html`<div class="screen">
    <header>
      <div><h1>${t("title")}</h1><p>${t("intro")}</p></div>
      ${!isAdding && canRead && html`<a class="button primary" href="#/webhooks/new">${t("add")}</a>`}
    </header>
    <${ErrorNote} error=${error} onRetry=${reload} />
    ${!canRead && html`<p class="note">${t("readOnly")}</p>`}
    ${isAdding && html`<${Editor} sessionId=${sessionId} phone=${phone} onClose=${() => { location.hash = "#/webhooks"; }}
      onSaved=${async (/** @type {any} */ result) => { await reload(); setCreated(result); location.hash = "#/webhooks"; }} />`}
    ${!isAdding && webhooks.length === 0 && html`<${Empty} icon="webhook" title=${t("none")}><p>${t("noneText")}</p><//>`}
    ${!isAdding && webhooks.length > 0 && html`<ul class="card row-list">${webhooks.map((webhook) => html`<li key=${webhook.id} class="row">
      <div class="row-text">
        <h2><bdi>${webhook.url}</bdi></h2>
        <p class="muted"><bdi class="mono">${webhook.events.join(", ")}</bdi>${webhook.session_id ? "" : ` · ${t("forAll")}`}</p>
        ${webhook.description && html`<p><bdi>${webhook.description}</bdi></p>`}
      </div>
      <div class="row-end"><${Health} webhook=${webhook} />
        <a class="button" href=${`#/webhooks/${webhook.id}`} aria-label=${t("openWebhook", { url: webhook.url })}>${t("open")}</a></div>
    </li>`)}</ul>`}
    ${created && html`<${Dialog} title=${t("created")} onClose=${() => setCreated(null)}>
      <div class="stack"><p>${t("createdText")}</p><${SecretText} secret=${created.secret} />
      <${Snippet} format=${created.webhook.format} /></div>
    <//>`}
  </div>`;
}

/** @param {{webhook: Webhook}} props */
function Health({ webhook }) {
  if (!webhook.enabled) return html`<${Badge} kind=${webhook.disabled_reason ? "bad" : undefined}>${t("disabled")}<//>`;
  if (webhook.failing_since) return html`<${Badge} kind="bad">${t("failing")}<//>`;
  return webhook.last_success_at
    ? html`<${Badge} kind="good">${t("healthy")}<//>` : html`<${Badge}>${t("unused")}<//>`;
}

/** Reads headers of one line each. @param {string} text */
function readHeaders(text) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":");
    if (colon < 1) throw new Error(t("invalidHeader"));
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  }));
}

/** @param {{sessionId: string, webhook?: Webhook, phone?: string | null, onClose: () => void,
 *   onSaved: (result: any) => Promise<void>}} props */
function Editor({ sessionId, webhook, phone, onClose, onSaved }) {
  const [url, setUrl] = useState(webhook?.url ?? "");
  const [events, setEvents] = useState(webhook?.events.join(", ") ?? "*");
  const [format, setFormat] = useState(/** @type {string} */ (webhook?.format ?? "qasid"));
  const [order, setOrder] = useState(/** @type {string} */ (webhook?.order ?? "none"));
  const [verifyToken, setVerifyToken] = useState("");
  const [description, setDescription] = useState(webhook?.description ?? "");
  const [headers, setHeaders] = useState(
    Object.entries(webhook?.headers ?? {}).map(([name, value]) => `${name}: ${value}`).join("\n"));
  const [save, { busy, error }] = useAction(async () => {
    const read = readHeaders(headers);
    const body = {
      url,
      events: events.split(",").map((type) => type.trim()).filter(Boolean),
      format,
      order,
      headers: Object.keys(read).length > 0 ? read : null,
      description: description || null,
    };
    await onSaved(webhook
      ? await call("PATCH", `/api/webhooks/${webhook.id}`, { body })
      : await post("/api/webhooks", { ...body, sessionId, verifyToken: (format === "cloud_api" && verifyToken) || undefined }));
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void save();
  };
  const input = (/** @type {(value: string) => void} */ set) => (/** @type {any} */ event) => set(event.target.value);
  return html`<form class="card stack" onSubmit=${submit} aria-label=${webhook ? t("edit") : t("add")}>
    <${Field} label=${t("url")} hint=${t("urlHint")} type="url" required dir="ltr" value=${url} onInput=${input(setUrl)} />
    ${phone && !webhook && html`<div><${Button} class="small" onClick=${() => setUrl(phone.replace(/\/phone$/, "/simulator/receiver"))}>
      ${t("useReceiver")}<//></div>`}
    <${Field} label=${t("events")} hint=${t("eventsHint")} required dir="ltr" value=${events} onInput=${input(setEvents)} />
    <div class="pair">
      <${Field} label=${t("format")} type="select" value=${format} onChange=${input(setFormat)}>
        <option value="qasid">${t("qasid")}</option><option value="cloud_api">${t("cloud_api")}</option>
      <//>
      <${Field} label=${t("order")} type="select" value=${order} onChange=${input(setOrder)}>
        <option value="none">${t("none_order")}</option><option value="chat">${t("chat_order")}</option>
      <//>
    </div>
    ${format === "cloud_api" && !webhook && html`<${Field} label=${t("verifyToken")} hint=${t("verifyTokenHint")} dir="ltr"
      maxlength="255" value=${verifyToken} onInput=${input(setVerifyToken)} />`}
    <${Field} label=${t("headers")} hint=${t("headersHint")} type="textarea" dir="ltr" class="code-field" value=${headers}
      onInput=${input(setHeaders)} />
    <${Field} label=${t("description")} maxlength="500" dir="auto" value=${description} onInput=${input(setDescription)} />
    <${ErrorNote} error=${error} />
    <footer><${Button} onClick=${onClose}>${t("cancel")}<//>
      <${Button} kind="primary" type="submit" busy=${busy}>${webhook ? t("save") : t("create")}<//></footer>
  </form>`;
}

/** @param {{webhook: Webhook, sessionId: string, canRead: boolean, onChanged: () => Promise<void>}} props */
function Details({ webhook, sessionId, canRead, onChanged }) {
  const [isEditing, setEditing] = useState(false);
  const [isRemoving, setRemoving] = useState(false);
  const [tested, setTested] = useState(/** @type {Attempt | null} */ (null));
  const [test, testing] = useAction(async () => {
    setTested((await post(`/api/webhooks/${webhook.id}/test`)).attempt);
  });
  const [toggle, toggling] = useAction(async () => {
    await call("PATCH", `/api/webhooks/${webhook.id}`, { body: { enabled: !webhook.enabled } });
    await onChanged();
  });
  const remove = async () => {
    await call("DELETE", `/api/webhooks/${webhook.id}`);
    location.hash = "#/webhooks";
    await onChanged();
  };
  const reason = { gone: t("gone"), failing: t("failingReason") }[webhook.disabled_reason ?? ""];
  return html`<div class="screen">
    <header>
      <div><a class="back-link" href="#/webhooks"><${Icon} name="back" />${t("back")}</a><h1 class="long"><bdi>${webhook.url}</bdi></h1></div>
      <div class="row-end">
        <${Button} busy=${testing.busy} onClick=${test}>${t("test")}<//>
        ${canRead && html`<${Button} busy=${toggling.busy} onClick=${toggle}>${webhook.enabled ? t("disable") : t("enable")}<//>
          <${Button} icon="edit" onClick=${() => setEditing(!isEditing)} aria-expanded=${isEditing}>${t("edit")}<//>`}
        <${Button} kind="danger" onClick=${() => setRemoving(true)}>${t("remove")}<//>
      </div>
    </header>
    <${ErrorNote} error=${testing.error ?? toggling.error} />
    <div role="status">${tested && html`<div class=${tested.delivered ? "note" : "note error"}><strong>${t("testResult")}</strong>
      <${Try} attempt=${tested} /></div>`}</div>
    ${isEditing && html`<${Editor} sessionId=${sessionId} webhook=${webhook} onClose=${() => setEditing(false)}
      onSaved=${async () => { await onChanged(); setEditing(false); }} />`}
    <div class="beside">
      <section class="card stack" aria-labelledby="health"><h2 id="health">${t("health")}</h2>
        <p><${Health} webhook=${webhook} /></p>
        ${reason && html`<p>${reason}</p>`}
        ${webhook.failing_since && html`<p>${t("failingSince", { at: dateTime(webhook.failing_since), count: webhook.failures ?? 0 })}</p>`}
        <dl class="facts">
          <dt>${t("lastSuccess")}</dt><dd>${webhook.last_success_at ? ago(webhook.last_success_at) : t("never")}</dd>
          <dt>${t("behind")}</dt><dd>${webhook.behind === null ? "–" : number(webhook.behind)}</dd>
          <dt>${t("events")}</dt><dd><bdi class="mono">${webhook.events.join(", ")}</bdi></dd>
          <dt>${t("format")}</dt><dd>${t(webhook.format)}</dd>
          <dt>${t("order")}</dt><dd>${t(/** @type {Key} */ (`${webhook.order}_order`))}</dd>
        </dl>
      </section>
      <${Secret} webhook=${webhook} onChanged=${onChanged} />
    </div>
    <${Deliveries} webhook=${webhook} canRead=${canRead} />
    <${Replay} webhook=${webhook} sessionId=${sessionId} />
    ${isRemoving && html`<${Confirm} title=${t("removeTitle")} text=${t("removeText", { url: isolate(webhook.url) })} action=${t("remove")}
      onConfirm=${remove} onClose=${() => setRemoving(false)} />`}
  </div>`;
}

/** @param {{secret: string}} props */
function SecretText({ secret }) {
  return html`<div class="secret"><code class="mono" dir="ltr">${secret}</code><${CopyButton} text=${secret} /></div>`;
}

/** @param {{webhook: Webhook, onChanged: () => Promise<void>}} props */
function Secret({ webhook, onChanged }) {
  const [secret, setSecret] = useState(/** @type {string | null} */ (null));
  const [isRotating, setRotating] = useState(false);
  const [show, { busy, error }] = useAction(async () => {
    setSecret((await get(`/api/webhooks/${webhook.id}/secret`)).secret);
  });
  const rotate = async () => {
    setSecret((await post(`/api/webhooks/${webhook.id}/secret`)).secret);
    await onChanged();
  };
  const isPreviousValid = webhook.previous_secret_until && new Date(webhook.previous_secret_until) > new Date();
  return html`<section class="card stack" aria-labelledby="secret"><h2 id="secret">${t("secret")}</h2>
    ${secret && html`<${SecretText} secret=${secret} />`}
    <div class="row-end">
      ${secret ? html`<${Button} onClick=${() => setSecret(null)}>${t("hide")}<//>`
        : html`<${Button} busy=${busy} onClick=${show}>${t("show")}<//>`}
      <${Button} onClick=${() => setRotating(true)}>${t("rotate")}<//>
    </div>
    ${isPreviousValid && html`<p class="muted">${t("previousUntil", { at: dateTime(String(webhook.previous_secret_until)) })}</p>`}
    <${ErrorNote} error=${error} />
    <${Snippet} format=${webhook.format} />
    ${isRotating && html`<${Confirm} title=${t("rotateTitle")} text=${t("rotateText")} action=${t("rotate")} onConfirm=${rotate}
      onClose=${() => setRotating(false)} />`}
  </section>`;
}

const SNIPPET = `import { Webhook } from "standardwebhooks";

// \`body\` is the raw body of the request.
const event = new Webhook(process.env.QASID_WEBHOOK_SECRET)
  .verify(body, request.headers);`;

const SNIPPET_CLOUD_API = `import { createHmac, timingSafeEqual } from "node:crypto";

// \`body\` is the raw body of the request.
const expected = "sha256=" + createHmac("sha256",
  process.env.QASID_WEBHOOK_SECRET).update(body).digest("hex");
const given = request.headers["x-hub-signature-256"] ?? "";
const isValid = given.length === expected.length
  && timingSafeEqual(Buffer.from(given), Buffer.from(expected));`;

/** @param {{format: "qasid" | "cloud_api"}} props */
function Snippet({ format }) {
  const code = format === "qasid" ? SNIPPET : SNIPPET_CLOUD_API;
  return html`<div class="stack"><h3>${t("snippet")}</h3>
    <p class="muted small">${format === "qasid" ? t("snippetHint") : t("snippetCloud")}</p>
    <pre class="code" dir="ltr" tabindex="0">${code}</pre><div><${CopyButton} text=${code} /></div></div>`;
}

/** @param {{attempt: Attempt}} props */
function Try({ attempt }) {
  const result = attempt.status === null ? t("noAnswer", { error: attempt.error ?? "" })
    : t("succeeded", { status: String(attempt.status), duration: duration(attempt.duration_ms) });
  return html`<div class="try">
    <p><time datetime=${attempt.at} class="muted">${dateTime(attempt.at)}</time> · ${result}</p>
    ${attempt.status !== null && html`<p class="small"><span class="muted">${t("answer")}:</span> <code dir="auto">${attempt.response ?? t("emptyAnswer")}</code></p>`}
  </div>`;
}

/** @param {{webhook: Webhook, canRead: boolean}} props */
function Deliveries({ webhook, canRead }) {
  const [status, setStatus] = useState("");
  const path = `/api/webhooks/${webhook.id}/attempts`;
  const { data, error, reload, extend } = useData((signal) => get(path, { status, limit: PAGE }, signal), [status]);
  const [readMore, more] = useAction(() => extend(async ({ attempts, nextCursor }) => {
    const page = await get(path, { status, limit: PAGE, cursor: nextCursor });
    return { ...page, attempts: [...attempts, ...page.attempts] };
  }));
  /** @type {Delivery[]} */
  const shown = data?.attempts ?? [];
  // Reading a list of several pages again would shorten it.
  useRepeated(shown.length <= PAGE && shown.some(({ status: one }) => one === "retrying" || one === "waiting"), reload);
  return html`<section class="card stack" aria-labelledby="deliveries">
    <h2 id="deliveries">${t("deliveries")}</h2>
    <p class="muted">${t("deliveriesText")}</p>
    <${Field} class="narrow" label=${t("status")} type="select" value=${status}
      onChange=${(/** @type {any} */ event) => setStatus(event.target.value)}>
      <option value="">${t("all")}</option>${STATUSES.map((one) => html`<option key=${one} value=${one}>${t(one)}</option>`)}
    <//>
    <${ErrorNote} error=${error ?? more.error} onRetry=${error ? reload : undefined} />
    ${!data && !error && html`<${Loading} />`}
    ${data?.attempts.length === 0 && html`<p class="muted">${t("noDeliveries")}</p>`}
    <ul>${data?.attempts.map((/** @type {Delivery} */ delivery) =>
      html`<${DeliveryRow} key=${delivery.change_id} delivery=${delivery} webhook=${webhook} canRead=${canRead} onChanged=${reload} />`)}</ul>
    ${data?.nextCursor && html`<p class="more"><${Button} busy=${more.busy} onClick=${readMore}>${t("more")}<//></p>`}
  </section>`;
}

/** @param {{delivery: Delivery, webhook: Webhook, canRead: boolean, onChanged: () => Promise<void>}} props */
function DeliveryRow({ delivery, webhook, canRead, onChanged }) {
  const [body, setBody] = useState(/** @type {string | null} */ (null));
  const [retry, retrying] = useAction(async () => {
    await post(`/api/webhooks/${webhook.id}/attempts/${delivery.change_id}/retry`);
    await onChanged();
  });
  const [load, loading] = useAction(async () => {
    const query = { sessionId: delivery.session_id, after: delivery.sequence - 1, limit: 1 };
    const change = (await get("/api/changes", query)).changes.find((/** @type {any} */ { id }) => id === delivery.change_id);
    setBody(change ? JSON.stringify({ type: change.type, timestamp: change.at, data: change }, null, 2) : t("changeGone"));
  });
  const kind = { retrying: "warn", waiting: "warn", failed: "bad", delivered: "good" }[delivery.status];
  return html`<li class="row"><details class="row-text">
    <summary><bdi class="mono">${delivery.sequence} ${delivery.type}</bdi> <${Badge} kind=${kind}>${t(delivery.status)}<//>
      <span class="muted small"> ${t("tries", { count: delivery.try_count })}${delivery.next_try_at
        && ` · ${new Date(delivery.next_try_at).getTime() > Date.now() ? t("nextTry", { at: ago(delivery.next_try_at) }) : t("nextWaits")}`}</span>
    </summary>
    <div class="stack">
      ${delivery.tries.map((attempt) => html`<${Try} key=${attempt.at} attempt=${attempt} />`)}
      ${body ? html`<h3>${t("request")}</h3><pre class="code" dir="ltr" tabindex="0">${body}</pre>`
        : canRead && webhook.format === "qasid" && html`<div><${Button} class="small" busy=${loading.busy} onClick=${load}>${t("loadRequest")}<//></div>`}
      <${ErrorNote} error=${loading.error} />
    </div></details>
    <div class="row-end"><${Button} class="small" busy=${retrying.busy} disabled=${!webhook.enabled} onClick=${retry}>${t("retry")}<//></div>
    <${ErrorNote} error=${retrying.error} />
  </li>`;
}

/** @param {{webhook: Webhook, sessionId: string}} props */
function Replay({ webhook, sessionId }) {
  const [since, setSince] = useState("");
  const [only, setOnly] = useState("all");
  const [result, setResult] = useState(/** @type {{from: number | null, to: number | null} | null} */ (null));
  const [start, { busy, error }] = useAction(async () => {
    const body = { since: new Date(since).toISOString(), only, sessionId: webhook.session_id ? undefined : sessionId };
    setResult(await post(`/api/webhooks/${webhook.id}/replay`, body));
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void start();
  };
  return html`<section class="card stack" aria-labelledby="replay"><h2 id="replay">${t("replay")}</h2><p class="muted">${t("replayText")}</p>
    <form class="stack" onSubmit=${submit}>
      <div class="pair">
        <${Field} label=${t("since")} type="datetime-local" required value=${since} onInput=${(/** @type {any} */ event) => setSince(event.target.value)} />
        <${Field} label=${t("only")} type="select" value=${only} onChange=${(/** @type {any} */ event) => setOnly(event.target.value)}>
          <option value="all">${t("only_all")}</option><option value="failed">${t("only_failed")}</option>
        <//>
      </div>
      <${ErrorNote} error=${error} />
      <footer><${Button} type="submit" busy=${busy} disabled=${!webhook.enabled}>${t("start")}<//></footer>
    </form>
    <p role="status">${result && (result.from === null ? t("nothingToReplay")
      : t("replayed", { from: String(result.from), to: String(result.to) }))}</p>
  </section>`;
}

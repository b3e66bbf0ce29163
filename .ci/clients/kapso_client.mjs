// @kapso/whatsapp-cloud-api: every call that it offers, and a bot that receives webhooks.

import { WhatsAppClient } from "@kapso/whatsapp-cloud-api";
import { normalizeWebhook, verifySignature } from "@kapso/whatsapp-cloud-api/server";
import {
  LINK,
  PNG,
  SDP,
  call,
  customer,
  incomingCall,
  receive,
  report,
  reportUncalled,
  settings,
  verificationCode,
} from "./program.mjs";

const client = new WhatsAppClient({
  accessToken: settings.token,
  baseUrl: settings.graph,
  graphVersion: "v26.0",
});
const phoneNumberId = settings.phone;
const businessAccountId = settings.waba;

const sent = (answer) => answer.messages[0].id.startsWith("wamid.");
const succeeded = (answer) => answer.success;

/** Sends a message to a new customer. */
const toCustomer = async (method, content) =>
  client.messages[method]({ phoneNumberId, to: (await customer()).to, ...content });

async function sendMessages() {
  const send = (name, content) => call(`messages.${name}`, () => toCustomer(name.split(" ")[0], content), sent);

  await send("sendText", { body: "Hello", previewUrl: true });
  const { to, wamid } = await customer();
  await call(
    "messages.sendText (reply)",
    () => client.messages.sendText({ phoneNumberId, to, body: "Hello", contextMessageId: wamid }),
    sent,
  );
  await send("sendImage (link)", { image: { link: `${LINK}.png`, caption: "Caption" } });
  const media = await call(
    "media.upload",
    () =>
      client.media.upload({
        phoneNumberId,
        type: "image/png",
        file: new Blob([PNG], { type: "image/png" }),
        fileName: "a.png",
      }),
    (answer) => answer.id,
  );
  await call(
    "media.upload (type: image)",
    () =>
      client.media.upload({
        phoneNumberId,
        type: "image",
        file: new Blob([PNG], { type: "image/png" }),
        fileName: "a.png",
      }),
    (answer) => answer.id,
  );
  const mediaId = media?.id ?? "1";
  await send("sendImage (id)", { image: { id: mediaId } });
  await send("sendAudio (link)", { audio: { link: `${LINK}.mp3` } });
  await send("sendDocument (link)", { document: { link: `${LINK}.pdf`, filename: "a.pdf", caption: "Caption" } });
  await send("sendVideo (link)", { video: { link: `${LINK}.mp4`, caption: "Caption" } });
  await send("sendSticker (link)", { sticker: { link: `${LINK}.webp` } });
  await send("sendLocation", {
    location: { latitude: 30.04, longitude: 31.24, name: "Cairo", address: "Tahrir Square" },
  });
  const contact = { name: { formattedName: "Ada Lovelace", firstName: "Ada" }, phones: [{ phone: "+201001234567" }] };
  await send("sendContacts", { contacts: [contact] });
  await call(
    "messages.sendReaction",
    () => client.messages.sendReaction({ phoneNumberId, to, reaction: { messageId: wamid, emoji: "👍" } }),
    sent,
  );
  const header = { type: "text", text: "Header" };
  const texts = { bodyText: "Body", footerText: "Footer" };
  await send("sendInteractiveButtons", { ...texts, header, buttons: [{ id: "yes", title: "Yes" }] });
  await send("sendInteractiveButtons (image)", {
    ...texts,
    header: { type: "image", image: { id: mediaId } },
    buttons: [{ id: "yes", title: "Yes" }],
  });
  const rows = [{ id: "1", title: "One", description: "First" }];
  await send("sendInteractiveList", { ...texts, header, buttonText: "Choose", sections: [{ title: "Section", rows }] });
  await send("sendInteractiveProduct", { ...texts, catalogId: "1", productRetailerId: "1" });
  const products = [{ title: "Section", productItems: [{ productRetailerId: "1" }] }];
  await send("sendInteractiveProductList", { ...texts, header, catalogId: "1", sections: products });
  await send("sendInteractiveFlow", { ...texts, parameters: { flowId: "1", flowCta: "Start", flowToken: "token" } });
  await send("sendInteractiveAddress", { ...texts, parameters: { country: "IN" } });
  await send("sendInteractiveLocationRequest", { bodyText: "Where?", parameters: { requestMessage: "Where?" } });
  await send("sendInteractiveCallPermission", {
    bodyText: "May we call?",
    parameters: { phoneNumber: settings.number },
  });
  const url = { displayText: "Open", url: "https://example.com" };
  await send("sendInteractiveCtaUrl", { ...texts, header, parameters: url });
  const card = (cardIndex) => ({
    cardIndex,
    header: { type: "image", image: { link: `${LINK}.png` } },
    bodyText: "Card",
    action: url,
  });
  await send("sendInteractiveCarousel", { bodyText: "Cards", cards: [card(0), card(1)] });
  await send("sendInteractiveCatalogMessage", { bodyText: "Catalog", parameters: { thumbnailProductRetailerId: "1" } });
  await send("sendInteractiveRaw", {
    interactive: { type: "cta_url", body: { text: "Body" }, action: { name: "cta_url", parameters: url } },
  });
  await call(
    "messages.sendRaw",
    async () =>
      client.messages.sendRaw({
        phoneNumberId,
        payload: { messagingProduct: "whatsapp", to: (await customer()).to, type: "text", text: { body: "Hello" } },
      }),
    sent,
  );
  await call("messages.markRead", () => client.messages.markRead({ phoneNumberId, messageId: wamid }), succeeded);
  await call(
    "messages.markRead (typing indicator)",
    () => client.messages.markRead({ phoneNumberId, messageId: wamid, typingIndicator: { type: "text" } }),
    succeeded,
  );

  await call(
    "media.get",
    () => client.media.get({ mediaId }),
    (answer) => answer.mimeType === "image/png" || answer.mime_type === "image/png",
  );
  const downloaded = (content) => Buffer.from(content).equals(PNG);
  await call("media.download", () => client.media.download({ mediaId }), downloaded);
  await call("media.download (auth: always)", () => client.media.download({ mediaId, auth: "always" }), downloaded);
  await call(
    "fetch",
    async () => (await client.fetch((await client.media.get({ mediaId })).url)).arrayBuffer(),
    downloaded,
  );
  await call("media.delete", () => client.media.delete({ mediaId, phoneNumberId }), succeeded);
}

async function manageTemplates() {
  const template = { name: "hello_world", language: { code: "en_US" } };
  await call("messages.sendTemplate (hello_world)", () => toCustomer("sendTemplate", { template }), sent);
  const components = [
    { type: "BODY", text: "Your order {{1}} has left our warehouse.", example: { bodyText: [["4711"]] } },
    { type: "FOOTER", text: "Thanks" },
  ];
  const created = await call(
    "templates.create",
    () =>
      client.templates.create({
        businessAccountId,
        name: "order_kapso",
        language: "en_US",
        category: "UTILITY",
        components,
      }),
    (answer) => answer.id,
  );
  const parameters = [{ type: "text", text: "4711" }];
  await call(
    "messages.sendTemplate",
    () =>
      toCustomer("sendTemplate", {
        template: { name: "order_kapso", language: { code: "en_US" }, components: [{ type: "body", parameters }] },
      }),
    sent,
  );
  await call(
    "templates.list",
    () => client.templates.list({ businessAccountId, name: "order_kapso", limit: 10 }),
    (answer) => answer.data.length === 1,
  );
  await call(
    "templates.get",
    () => client.templates.get({ businessAccountId, templateId: created?.id ?? "1" }),
    (answer) => answer.name === "order_kapso",
  );
  await call("templates.delete", () => client.templates.delete({ businessAccountId, name: "order_kapso" }), succeeded);
}

async function manageNumber() {
  const { phoneNumbers } = client;
  const added = { phoneNumberId: settings.unverifiedPhone };
  await call(
    "phoneNumbers.requestCode",
    () => phoneNumbers.requestCode({ ...added, codeMethod: "SMS", language: "en_US" }),
    succeeded,
  );
  await call(
    "phoneNumbers.verifyCode",
    async () => phoneNumbers.verifyCode({ ...added, code: await verificationCode(added.phoneNumberId) }),
    succeeded,
  );
  await call("phoneNumbers.register", () => phoneNumbers.register({ ...added, pin: "123456" }), succeeded);
  await call("phoneNumbers.deregister", () => phoneNumbers.deregister(added), succeeded);
  await call("phoneNumbers.settings.get", () => phoneNumbers.settings.get({ phoneNumberId }));
  await call(
    "phoneNumbers.settings.update",
    () => phoneNumbers.settings.update({ phoneNumberId, calling: { status: "ENABLED" } }),
    succeeded,
  );
  await call(
    "phoneNumbers.businessProfile.update",
    () => phoneNumbers.businessProfile.update({ phoneNumberId, about: "Open", websites: ["https://example.com"] }),
    succeeded,
  );
  await call(
    "phoneNumbers.businessProfile.get",
    () => phoneNumbers.businessProfile.get({ phoneNumberId, fields: "about,websites" }),
    (answer) => answer.data[0].about === "Open",
  );
}

async function callUsers() {
  const { calls } = client;
  const { to } = await customer();
  await call("calls.permissions.get", () => calls.permissions.get({ phoneNumberId, userWaId: to }));
  await call(
    "calls.connect",
    () => calls.connect({ phoneNumberId, to, session: { sdpType: "offer", sdp: SDP } }),
    (answer) => answer.calls[0].id,
  );
  const [callId, session] = [await incomingCall(), { sdpType: "answer", sdp: SDP }];
  await call("calls.preAccept", () => calls.preAccept({ phoneNumberId, callId, session }), succeeded);
  await call("calls.accept", () => calls.accept({ phoneNumberId, callId, session }), succeeded);
  await call("calls.terminate", () => calls.terminate({ phoneNumberId, callId }), succeeded);
  const rejected = await incomingCall();
  await call("calls.reject", () => calls.reject({ phoneNumberId, callId: rejected }), succeeded);
}

async function manageFlows() {
  const { flows } = client;
  const flowJson = { version: "7.3", screens: [] };
  const wabaId = businessAccountId;
  const created = await call(
    "flows.create",
    () => flows.create({ wabaId, name: "flow", flowJson }),
    (answer) => answer.id,
  );
  const flowId = created?.id ?? "1";
  await call("flows.get", () => flows.get({ flowId }));
  await call("flows.list", () => flows.list({ wabaId }));
  await call("flows.updateAsset", () => flows.updateAsset({ flowId, json: flowJson }), succeeded);
  await call(
    "flows.preview",
    () => flows.preview({ flowId }),
    (answer) => answer.preview.previewUrl,
  );
  await call("flows.publish", () => flows.publish({ flowId }), succeeded);
  await call("flows.deprecate", () => flows.deprecate({ flowId }), succeeded);
  await call("flows.deploy", () => flows.deploy(flowJson, { wabaId, name: "flow 2" }));
}

/** Calls of Kapso's own API. */
async function callKapso() {
  await call("messages.query", () => client.messages.query({ phoneNumberId }));
  await call("messages.get", () => client.messages.get({ phoneNumberId, messageId: "wamid.1" }));
  await call("messages.listByConversation", () =>
    client.messages.listByConversation({ phoneNumberId, conversationId: "1" }),
  );
  await call("calls.list", () => client.calls.list({ phoneNumberId }));
  await call("calls.get", () => client.calls.get({ phoneNumberId, callId: "wacid.1" }));
  await call("conversations.list", () => client.conversations.list({ phoneNumberId }));
  await call("conversations.get", () => client.conversations.get({ conversationId: "1" }));
  await call("conversations.updateStatus", () =>
    client.conversations.updateStatus({ conversationId: "1", status: "ended" }),
  );
  await call("contacts.list", () => client.contacts.list({ phoneNumberId }));
  await call("contacts.get", () => client.contacts.get({ phoneNumberId, waId: "1" }));
  await call("contacts.update", () => client.contacts.update({ phoneNumberId, waId: "1", profileName: "Mona" }));
}

/** Returns the names of all methods of the client's resources, such as `messages.sendText`. */
function methods() {
  const resources = ["messages", "media", "templates", "phoneNumbers", "calls", "conversations", "contacts", "flows"];
  return resources.flatMap((name) => {
    const resource = client[name];
    const own = Object.getOwnPropertyNames(Object.getPrototypeOf(resource)).filter(
      (method) => method !== "constructor",
    );
    const groups = ["settings", "businessProfile", "permissions"].filter((group) => resource[group]);
    const grouped = groups.flatMap((group) => Object.keys(resource[group]).map((method) => `${group}.${method}`));
    return [...own, ...grouped].map((method) => `${name}.${method}`);
  });
}

/** The flows' helpers that make no request. */
const LOCAL = ["flows.__setLastDeployedHash", "flows.buildCacheKey"];

/** Returns a message in the form that `.ci/verify-clients` expects. */
function summary(message) {
  const { type: kind, id } = message;
  const object = message[kind];
  const content = {
    text: () => object.body,
    location: () => [object.latitude, object.longitude],
    contacts: () => object[0].name.formattedName,
    reaction: () => object.emoji,
    button: () => object.payload,
    interactive: () =>
      object.nfmReply ? JSON.parse(object.nfmReply.responseJson) : Object.values(object).find((reply) => reply.id)?.id,
    order: () => object.productItems[0].productRetailerId,
    system: () => object.waId,
    edit: () => object.message.text.body,
    revoke: () => object.originalMessageId,
    unsupported: () => message.errors[0].code,
  };
  return { kind, id, content: (content[kind] ?? (() => object?.id))() };
}

async function post(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const rawBody = Buffer.concat(chunks);
  const signatureHeader = request.headers["x-hub-signature-256"];
  if (!verifySignature({ appSecret: settings.appSecret, rawBody, signatureHeader })) {
    report({ webhook: [], error: "signature refused" });
    return ["refused", 401];
  }
  try {
    const events = normalizeWebhook(JSON.parse(rawBody.toString()));
    const { messageTemplateStatusUpdate = [], accountUpdate = [] } = events.raw;
    const webhook = [
      ...events.messages.map(summary),
      ...events.statuses.map(({ id, status }) => ({ kind: "status", id, content: status })),
      ...events.calls.map(({ id, event }) => ({ kind: "call", id, content: event })),
      ...messageTemplateStatusUpdate.map(({ messageTemplateId, event }) => ({
        kind: "template status",
        id: String(messageTemplateId),
        content: event,
      })),
      ...accountUpdate.map(({ event }) => ({ kind: "account", id: null, content: event })),
    ];
    report({ webhook, error: null });
  } catch (problem) {
    report({ webhook: [], error: String(problem) });
  }
  return ["ok", 200];
}

function get(request) {
  const query = new URL(request.url, settings.graph).searchParams;
  return query.get("hub.verify_token") === settings.verifyToken ? [query.get("hub.challenge"), 200] : ["refused", 403];
}

await sendMessages();
await manageTemplates();
await manageNumber();
await callUsers();
await manageFlows();
await callKapso();
reportUncalled(methods().filter((method) => !LOCAL.includes(method)));
await receive(post, get);

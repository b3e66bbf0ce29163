// whatsapp-api-js: every call that it offers, and a bot that receives webhooks with its middleware for Node.

import { WhatsAppAPI } from "whatsapp-api-js/middleware/node-http";
import * as messages from "whatsapp-api-js/messages";
import { LINK, PNG, SDP, call, customer, incomingCall, receive, report, reportUncalled, settings } from "./program.mjs";

const phone = settings.phone;
const client = new WhatsAppAPI({
  token: settings.token,
  appSecret: settings.appSecret,
  webhookVerifyToken: settings.verifyToken,
  v: "v26.0",
  // The library has a fixed host.
  ponyfill: {
    fetch: (url, options) => fetch(String(url).replace("https://graph.facebook.com", settings.graph), options),
  },
});

// The library returns errors as answers.
const sent = (answer) => answer.messages?.[0].id.startsWith("wamid.");
const succeeded = (answer) => answer.success;

async function sendMessages() {
  const {
    ActionButtons,
    ActionCTA,
    ActionCallPermission,
    ActionCatalog,
    ActionContactRequest,
    ActionList,
    ActionLocation,
    ActionNavigateFlow,
    ActionProduct,
    ActionProductList,
    Audio,
    Body,
    Button,
    CatalogProduct,
    Contacts,
    Document,
    Footer,
    Header,
    Image,
    Interactive,
    ListSection,
    Location,
    Name,
    Phone,
    Product,
    ProductSection,
    Reaction,
    Row,
    Sticker,
    Text,
    Video,
  } = messages;
  const send = (name, message) =>
    call(
      `sendMessage (${name})`,
      async () => client.sendMessage(phone, { phone: (await customer()).to }, message()),
      sent,
    );
  const { to, wamid } = await customer();

  await send("text", () => new Text("Hello", true));
  await call(
    "sendMessage (reply)",
    () => client.sendMessage(phone, { phone: to }, new Text("Hello"), wamid, "tracker"),
    sent,
  );
  await call(
    "sendMessage (number)",
    async () => client.sendMessage(phone, (await customer()).to, new Text("Hello")),
    sent,
  );
  await call(
    "broadcastMessage",
    async () => {
      const users = [await customer(), await customer()].map((user) => ({ phone: user.to }));
      return Promise.all(client.broadcastMessage(phone, users, new Text("Hello"), 2, 1));
    },
    (answers) => answers.every(sent),
  );
  const form = new FormData();
  form.set("file", new Blob([PNG], { type: "image/png" }), "a.png");
  const media = await call(
    "uploadMedia",
    () => client.uploadMedia(phone, form),
    (answer) => answer.id,
  );
  const id = media?.id ?? "1";
  await send("image, link", () => new Image(`${LINK}.png`, false, "Caption"));
  await send("image, id", () => new Image(id, true, "Caption"));
  await send("audio, link", () => new Audio(`${LINK}.mp3`));
  await send("document, link", () => new Document(`${LINK}.pdf`, false, "Caption", "a.pdf"));
  await send("sticker, link", () => new Sticker(`${LINK}.webp`));
  await send("video, link", () => new Video(`${LINK}.mp4`, false, "Caption"));
  await send("location", () => new Location(31.24, 30.04, "Cairo", "Tahrir Square"));
  await send("contacts", () => new Contacts([new Name("Ada Lovelace", "Ada"), new Phone("+201001234567")]));
  await call("sendMessage (reaction)", () => client.sendMessage(phone, { phone: to }, new Reaction(wamid, "👍")), sent);
  const [body, header, footer] = [new Body("Body"), new Header("Header"), new Footer("Footer")];
  await send("buttons", () => new Interactive(new ActionButtons(new Button("yes", "Yes")), body, header, footer));
  await send(
    "image and buttons",
    () => new Interactive(new ActionButtons(new Button("yes", "Yes")), body, new Header(new Image(id, true))),
  );
  await send(
    "list",
    () =>
      new Interactive(
        new ActionList("Choose", new ListSection("Section", new Row("1", "One", "First"))),
        body,
        header,
        footer,
      ),
  );
  await send("URL button", () => new Interactive(new ActionCTA("Open", "https://example.com"), body, header, footer));
  await send("catalog", () => new Interactive(new ActionCatalog(new Product("1")), body, undefined, footer));
  await send(
    "product",
    () => new Interactive(new ActionProduct(new CatalogProduct("1", "1")), body, undefined, footer),
  );
  await send(
    "products",
    () =>
      new Interactive(
        new ActionProductList("1", new ProductSection("Section", new Product("1"))),
        body,
        header,
        footer,
      ),
  );
  await send("flow", () => new Interactive(new ActionNavigateFlow("token", "1", "Start", "FIRST"), body));
  await send("location request", () => new Interactive(new ActionLocation(), body));
  await send("call permission", () => new Interactive(new ActionCallPermission(), body));
  await send("contact request", () => new Interactive(new ActionContactRequest(), body));
  await call("markAsRead", () => client.markAsRead(phone, wamid), succeeded);
  await call("markAsRead (typing indicator)", () => client.markAsRead(phone, wamid, "text"), succeeded);

  await call(
    "retrieveMedia",
    () => client.retrieveMedia(id),
    (answer) => answer.mime_type === "image/png",
  );
  await call(
    "retrieveMedia (number)",
    () => client.retrieveMedia(id, phone),
    (answer) => answer.id === id,
  );
  await call(
    "fetchMedia",
    async () => (await client.fetchMedia((await client.retrieveMedia(id)).url)).arrayBuffer(),
    (content) => Buffer.from(content).equals(PNG),
  );
  await call("deleteMedia", () => client.deleteMedia(id, phone), succeeded);
}

async function sendTemplates() {
  const { BodyComponent, BodyParameter, Language, PayloadComponent, Template } = messages;
  const send = (name, template) =>
    call(
      `sendMessage (${name})`,
      async () => client.sendMessage(phone, { phone: (await customer()).to }, template()),
      sent,
    );
  await send("template", () => new Template("hello_world", "en_US"));
  await send("template, language", () => new Template("hello_world", new Language("en_US")));
  // The library has no call to create templates.
  const components = [
    { type: "BODY", text: "Your order {{1}} has left our warehouse.", example: { body_text: [["4711"]] } },
    { type: "BUTTONS", buttons: [{ type: "QUICK_REPLY", text: "Stop" }] },
  ];
  await call("$$apiFetch$$", async () => {
    const template = { name: "order_js", language: "en_US", category: "UTILITY", components };
    const response = await client.$$apiFetch$$(`https://graph.facebook.com/v26.0/${settings.waba}/message_templates`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(template),
    });
    return (await response.json()).id;
  });
  await send(
    "template, parameters",
    () => new Template("order_js", "en_US", new BodyComponent(new BodyParameter("4711")), new PayloadComponent("stop")),
  );
}

async function manageNumber() {
  const created = await call(
    "createQR",
    () => client.createQR(phone, "Hello"),
    (answer) => answer.code,
  );
  const code = created?.code ?? "1";
  await call(
    "createQR (svg)",
    () => client.createQR(phone, "Hello", "svg"),
    (answer) => answer.qr_image_url,
  );
  await call(
    "retrieveQR",
    () => client.retrieveQR(phone),
    (answer) => answer.data?.some((one) => one.code === code),
  );
  await call(
    "retrieveQR (code)",
    () => client.retrieveQR(phone, code),
    (answer) => answer.data?.[0].prefilled_message === "Hello",
  );
  await call(
    "updateQR",
    () => client.updateQR(phone, code, "Bye"),
    (answer) => answer.prefilled_message === "Bye",
  );
  await call("deleteQR", () => client.deleteQR(phone, code), succeeded);
  const { to } = await customer();
  await call(
    "blockUser",
    () => client.blockUser(phone, { phone: to }),
    (answer) => answer.block_users?.added_users.length === 1,
  );
  await call(
    "unblockUser",
    () => client.unblockUser(phone, { phone: to }),
    (answer) => answer.block_users?.removed_users.length === 1,
  );
}

async function callUsers() {
  const { to } = await customer();
  await call(
    "initiateCall",
    () => client.initiateCall(phone, { phone: to }, SDP),
    (answer) => answer.calls?.[0].id,
  );
  const id = await incomingCall();
  await call("preacceptCall", () => client.preacceptCall(phone, id, SDP), succeeded);
  await call("acceptCall", () => client.acceptCall(phone, id, SDP), succeeded);
  await call("terminateCall", () => client.terminateCall(phone, id), succeeded);
  const rejected = await incomingCall();
  await call("rejectCall", () => client.rejectCall(phone, rejected), succeeded);
}

/** Methods that make no request. */
const LOCAL = ["constructor", "get", "post", "getBody", "handle_get", "handle_post", "verifyRequestSignature"];

function methods() {
  const names = [];
  for (let object = client; object !== Object.prototype; object = Object.getPrototypeOf(object)) {
    names.push(...Object.getOwnPropertyNames(object).filter((name) => typeof client[name] === "function"));
  }
  return [...new Set(names)].filter((name) => !LOCAL.includes(name) && name !== "fetch");
}

/** The updates of the webhook that is being handled. */
let updates = [];

client.on.message = ({ message }) => {
  const { type: kind, id } = message;
  const object = message[kind];
  const content = {
    text: () => object.body,
    location: () => [object.latitude, object.longitude],
    contacts: () => object[0].name.formatted_name,
    reaction: () => object.emoji,
    button: () => object.payload,
    interactive: () =>
      object.nfm_reply
        ? JSON.parse(object.nfm_reply.response_json)
        : Object.values(object).find((reply) => reply.id)?.id,
    order: () => object.product_items[0].product_retailer_id,
    system: () => object.wa_id,
    edit: () => object.message.text.body,
    revoke: () => object.original_message_id,
    unsupported: () => message.errors[0].code,
  };
  updates.push({ kind, id, content: (content[kind] ?? (() => object?.id))() });
};
client.on.status = ({ id, status }) => updates.push({ kind: "status", id, content: status });
client.on.call.connect = ({ call }) => updates.push({ kind: "call", id: call.id, content: "connect" });
client.on.call.terminate = ({ call }) => updates.push({ kind: "call", id: call.id, content: "terminate" });

async function post(request) {
  updates = [];
  const status = await client.handle_post(request);
  report({ webhook: updates, error: status === 200 ? null : `answered ${status}` });
  return ["", status];
}

function get(request) {
  try {
    return [client.handle_get(request), 200];
  } catch (status) {
    return ["", status];
  }
}

await sendMessages();
await sendTemplates();
await manageNumber();
await callUsers();
reportUncalled(methods());
await receive(post, get);

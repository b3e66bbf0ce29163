// What a customer does with the page of the simulated phones, without the console: files, answers, calls, and settings.

import assert from "node:assert/strict";
import { graph, simulator } from "./calls.mjs";
import { check, settings } from "./report.mjs";

const { ready } = settings;
const NUMBER = "201555000111";
const NAME = "Rana";
/** A red pixel. */
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==",
  "base64",
);

/** Sends a message of the business to the customer. */
async function answer(type, content) {
  const message = { messaging_product: "whatsapp", to: NUMBER, type, [type]: content };
  await graph(`${ready.phoneNumberId}/messages`, message);
}

/** Returns the latest message that the phone sent. */
async function latest() {
  const { messages } = await simulator(`phones/${NUMBER}/messages`);
  return messages.findLast((message) => message.from === "phone");
}

/** Checks what a phone can send and show. */
export async function customer(browser) {
  const page = await browser.open({ permissions: ["microphone"] });
  const log = page.getByRole("log", { name: "Messages" });
  const dialog = page.getByRole("dialog");
  const send = () => dialog.getByRole("button", { name: "Send", exact: true }).click();
  const own = log.getByRole("group", { name: "Message from You" });
  const attach = async (item) => {
    await page.getByRole("button", { name: "Attach", exact: true }).click();
    await page.getByRole("menuitem", { name: item }).click();
  };
  const attachFile = async (item, file) => {
    const chooser = page.waitForEvent("filechooser");
    await attach(item);
    await (await chooser).setFiles(file);
  };
  /** Waits until the phone shows one more message of its own, and returns it. */
  const sent = async (action) => {
    const count = await own.count();
    await action();
    await own.nth(count).waitFor();
    return latest();
  };

  await check("phone: a phone is added and shown", async () => {
    await page.goto(`${ready.whatsapp}/phone`);
    await page.getByRole("button", { name: "Add phone" }).click();
    await dialog.getByLabel("Number").fill(`+${NUMBER}`);
    await dialog.getByLabel("Name").fill(NAME);
    await dialog.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByRole("tab", { name: NAME, selected: true }).waitFor();
  });
  await check("phone: a photo is sent with its caption", async () => {
    const message = await sent(async () => {
      await attachFile("Photo or video", { name: "red.png", mimeType: "image/png", buffer: PNG });
      await dialog.getByLabel("Caption").fill("Like this one");
      await send();
    });
    assert.deepEqual([message.image.mime_type, message.image.caption], ["image/png", "Like this one"]);
    await page.waitForFunction(() => [...document.querySelectorAll(".bubble img")].some((image) => image.naturalWidth === 1));
  });
  await check("phone: an image becomes a sticker", async () => {
    const message = await sent(async () => {
      await attachFile("Sticker", { name: "red.png", mimeType: "image/png", buffer: PNG });
      await send();
    });
    assert.equal(message.sticker.mime_type, "image/webp");
  });
  await check("phone: a document keeps its name", async () => {
    const message = await sent(async () => {
      await attachFile("Document", { name: "order.txt", mimeType: "text/plain", buffer: Buffer.from("two cakes") });
      await send();
    });
    assert.equal(message.document.filename, "order.txt");
  });
  await check("phone: a recorded voice message is Opus in an Ogg file, and plays", async () => {
    const message = await sent(async () => {
      await page.getByRole("button", { name: "Record voice message" }).click();
      await page.getByText(/Recording 0:01/).waitFor();
      await page.getByRole("button", { name: "Finish recording" }).click();
      await send();
    });
    assert.deepEqual([message.audio.voice, message.audio.mime_type], [true, "audio/ogg; codecs=opus"]);
    const file = await fetch(`${ready.whatsapp}/simulator/media/${message.audio.id}`);
    const bytes = Buffer.from(await file.arrayBuffer());
    assert.deepEqual([bytes.toString("latin1", 0, 4), bytes.toString("latin1", 28, 36)], ["OggS", "OpusHead"]);
    await page.waitForFunction(() => [...document.querySelectorAll("audio")].some((audio) => audio.duration > 0.5));
  });
  await check("phone: a location and a contact are sent", async () => {
    const place = await sent(async () => {
      await attach("Location");
      await dialog.getByLabel("Name").fill("Home");
      await send();
    });
    assert.deepEqual([place.location.name, typeof place.location.latitude], ["Home", "number"]);
    const person = await sent(async () => {
      await attach("Contact");
      await dialog.getByLabel("Name of the contact").fill("Ali Baba");
      await dialog.getByLabel("Number of the contact").fill("+20 100 111 2222");
      await send();
    });
    assert.equal(person.contacts[0].phones[0].wa_id, "201001112222");
  });
  await check("phone: a tapped button answers its message", async () => {
    const buttons = [{ type: "reply", reply: { id: "yes", title: "Yes, please" } }];
    await answer("interactive", { type: "button", body: { text: "At seven?" }, action: { buttons } });
    const message = await sent(() => log.getByRole("button", { name: "Yes, please" }).click());
    assert.deepEqual(message.interactive.button_reply, { id: "yes", title: "Yes, please" });
    assert.ok(message.context.id);
  });
  await check("phone: a row of a list is chosen", async () => {
    const rows = [{ id: "s", title: "Small", description: "For two" }];
    const action = { button: "Sizes", sections: [{ title: "Round", rows }] };
    await answer("interactive", { type: "list", body: { text: "Which size?" }, action });
    const message = await sent(async () => {
      await log.getByRole("button", { name: "Sizes" }).click();
      await dialog.getByRole("radio", { name: "Small" }).check();
      await send();
    });
    assert.deepEqual(message.interactive.list_reply, rows[0]);
  });
  await check("phone: a template's quick reply sends its payload", async () => {
    const components = [
      { type: "BODY", text: "Hello {{1}}, your cake is ready.", example: { body_text: [["Rana"]] } },
      { type: "BUTTONS", buttons: [{ type: "QUICK_REPLY", text: "On my way" }] },
    ];
    const template = { name: "cake_ready", language: "en_US", category: "UTILITY", components };
    await graph(`${ready.wabaId}/message_templates`, template);
    const parameters = [
      { type: "body", parameters: [{ type: "text", text: NAME }] },
      { type: "button", sub_type: "quick_reply", index: "0", parameters: [{ type: "payload", payload: "way-7" }] },
    ];
    await answer("template", { name: "cake_ready", language: { code: "en_US" }, components: parameters });
    await log.getByText("Hello Rana, your cake is ready.").waitFor();
    const message = await sent(() => log.getByRole("button", { name: "On my way" }).click());
    assert.deepEqual(message.button, { payload: "way-7", text: "On my way" });
  });
  await check("phone: a call rings until the customer hangs up", async () => {
    await graph(`${ready.phoneNumberId}/settings`, { calling: { status: "ENABLED" } });
    await page.getByRole("button", { name: "Call the business" }).click();
    await log.getByText("Ringing…").waitFor();
    await log.getByRole("button", { name: "Hang up" }).click();
    await log.getByText("Not answered").waitFor();
  });
  await check("phone: messages wait while it is offline", async () => {
    if (!(await page.getByRole("switch", { name: "Online" }).isVisible())) {
      await page.getByRole("button", { name: "Phone settings" }).click();
    }
    await page.getByRole("switch", { name: "Online" }).click();
    await page.getByText("This phone is offline.").waitFor();
    await answer("text", { body: "Are you there?" });
    await page.getByText("1 message hasn't reached this phone.").waitFor();
    assert.equal(await log.getByText("Are you there?").count(), 0);
    await page.getByRole("button", { name: "Go online" }).click();
    await log.getByText("Are you there?").waitFor();
  });
  await check("phone: a message can look 25 hours old", async () => {
    await page.getByLabel("Time of new messages").selectOption("25 hours ago");
    const message = await sent(async () => {
      await page.getByRole("textbox", { name: "Message", exact: true }).fill("From yesterday");
      await page.getByRole("button", { name: "Send", exact: true }).click();
    });
    const hours = (Date.now() - new Date(message.at).getTime()) / 3_600_000;
    assert.ok(hours > 24.9 && hours < 25.1, `${hours} hours`);
  });
  await check("phone: the faults are shown and cleared", async () => {
    await page.getByRole("button", { name: "Faults", exact: true }).click();
    await page.getByRole("switch", { name: "Duplicate webhooks" }).click();
    await page.getByText("1 fault is active:").waitFor();
    assert.equal((await simulator("faults")).webhooks.duplicates, 1);
    await page.getByRole("button", { name: "Clear all faults" }).first().click();
    await page.getByText("1 fault is active:").waitFor({ state: "detached" });
    assert.equal((await simulator("faults")).webhooks.duplicates, 0);
  });
  await check("phone: a code of another number is refused with a sentence", async () => {
    // Chromium reports the response 400 as an error of the console.
    await browser.expecting(/ 400 /, async () => {
      await page.getByRole("button", { name: "Scan QR code" }).click();
      await dialog.getByLabel("QR code text").fill("https://wa.me/15550000000?text=x");
      await dialog.getByRole("button", { name: "Scan", exact: true }).click();
      await dialog.getByText("qr does not contain a simulated number").waitFor();
    });
  });
  await page.context().close();
}

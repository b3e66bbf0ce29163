// Files of messages: what a customer's phone sends is shown, played, and downloaded in the console, and what the agent sends
// arrives at the phone.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { Agent } from "./agent.mjs";
import { addressOf, graph, simulator, until } from "./calls.mjs";
import { OWNER_ID } from "./conversation.mjs";
import { Phone } from "./phone.mjs";
import { check, settings } from "./report.mjs";

const { ready } = settings;
/** A customer who sends and gets files. */
export const NUMBER = "201002220000";
export const NAME = "Hana";
const SIZE = { width: 640, height: 480 };

/** Returns files that a page draws and records: browsers have the encoders. */
async function makeFiles(page) {
  const files = await page.evaluate(async ({ width, height }) => {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    const draw = (step) => {
      const sky = context.createLinearGradient(0, 0, 0, height);
      sky.addColorStop(0, "#7fb2dd");
      sky.addColorStop(1, "#f6d9a8");
      context.fillStyle = sky;
      context.fillRect(0, 0, width, height);
      context.fillStyle = "#c98a4b";
      context.fillRect(0, height * 0.7, width, height);
      context.fillStyle = "#fff3d6";
      context.beginPath();
      context.arc(width * (0.3 + step * 0.4), height * 0.35, 50, 0, 7);
      context.fill();
    };
    draw(0);
    const blob = (type) => new Promise((resolve) => canvas.toBlob(resolve, type, 0.9));
    const images = [await blob("image/png"), await blob("image/jpeg"), await blob("image/webp")];
    const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: "video/mp4" });
    const parts = [];
    recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
    const stopped = new Promise((resolve) => recorder.addEventListener("stop", resolve));
    recorder.start();
    const start = performance.now();
    while (performance.now() - start < 1_500) {
      await new Promise(requestAnimationFrame);
      draw((performance.now() - start) / 1_500);
    }
    recorder.stop();
    await stopped;
    const binary = async (part) => [...new Uint8Array(await part.arrayBuffer())].map((byte) => String.fromCharCode(byte)).join("");
    return Promise.all([...images, new Blob(parts)].map(async (part) => btoa(await binary(part))));
  }, SIZE);
  const [png, jpeg, webp, mp4] = files.map((file) => Buffer.from(file, "base64"));
  return {
    png: { name: "sunset.png", mimeType: "image/png", buffer: png },
    jpeg: { name: "garden.jpg", mimeType: "image/jpeg", buffer: jpeg },
    webp: { name: "smile.webp", mimeType: "image/webp", buffer: webp },
    mp4: { name: "walk.mp4", mimeType: "video/mp4", buffer: mp4 },
    pdf: { name: "فاتورة 2041.pdf", mimeType: "application/pdf", buffer: Buffer.from("%PDF-1.4\n%%EOF\n") },
    text: { name: "order 2041.txt", mimeType: "text/plain", buffer: Buffer.from("two cakes") },
  };
}

/** Returns whether an image was loaded. */
const isLoaded = (image, size) => until(async () => (await image.evaluate((element) => element.naturalWidth)) === size || undefined);

/** Starts a player with the keyboard, and waits until it plays. */
async function play(player) {
  await until(async () => (await player.evaluate((element) => element.readyState > 0 && element.duration > 0.3)) || undefined);
  await player.focus();
  await player.page().keyboard.press("Space");
  await until(async () => (await player.evaluate((element) => element.currentTime > 0.1)) || undefined);
}

/** A customer sends files, and the agent sees them. */
async function receive(agent, phone, files) {
  const { messages, page } = agent;
  const image = (caption) => agent.message(caption).locator("img");
  await check("media: a customer's photo is shown, and opens in full size", async () => {
    await phone.attach("Photo or video", files.png, "Is this the place?");
    await agent.open(NAME);
    await isLoaded(image("Is this the place?"), SIZE.width);
    const opened = page.context().waitForEvent("page");
    // The browser asks the bucket for an icon.
    await agent.browser.expecting(/favicon/, async () => {
      await agent.message("Is this the place?").getByRole("link").click();
      const tab = await opened;
      await tab.waitForLoadState();
      assert.equal(await tab.locator("img").evaluate((element) => element.naturalWidth), SIZE.width);
      await tab.close();
    });
  });
  await check("media: a file that is being received has a placeholder until it arrives", async () => {
    await simulator("faults", { media: { downloads: { delay: 4_000, times: 1 } } });
    await phone.attach("Photo or video", files.jpeg, "Or this one");
    await agent.message("Or this one").getByText("Receiving the file…").waitFor();
    await isLoaded(image("Or this one"), SIZE.width);
    assert.equal(await messages.getByText("Receiving the file…").count(), 0);
  });
  await check("media: a file that WhatsApp doesn't have is explained", async () => {
    const gone = { id: "1234567890", mime_type: "image/jpeg", caption: "Too late" };
    await simulator("messages", { from: "201002220001", name: "Dina", type: "image", image: gone });
    await agent.open("Dina");
    await agent.message("Too late").getByText("WhatsApp no longer has this file. Ask for it again.").waitFor();
    await agent.open(NAME);
  });
  await check("media: a sticker is shown", async () => {
    await phone.attach("Sticker", files.png);
    await isLoaded(messages.getByRole("img", { name: "Sticker, received" }), 512);
  });
  await check("media: a voice message plays", async () => {
    await phone.record();
    await play(messages.locator("audio"));
  });
  await check("media: a video plays", async () => {
    await phone.attach("Photo or video", files.mp4, "The garden");
    const video = agent.message("The garden").locator("video");
    await play(video);
    assert.equal(await video.evaluate((element) => element.videoWidth), SIZE.width);
  });
  await check("media: a document is downloaded with its name", async () => {
    await phone.attach("Document", files.text);
    const download = page.context().waitForEvent("download");
    await messages.getByRole("link", { name: files.text.name }).click();
    const file = await download;
    assert.equal(file.suggestedFilename(), files.text.name);
    assert.deepEqual(await readFile(await file.path()), files.text.buffer);
  });
  await check("media: a URL that has expired is replaced once", async () => {
    let failures = 0;
    let reads = 0;
    page.on("request", (request) => (reads += /\/api\/messages\/[^/]+$/.test(new URL(request.url()).pathname)));
    await page.route(`${ready.s3}/**`, async (route) => {
      failures += 1;
      await route.fulfill({ status: 403 });
    }, { times: 1 });
    await agent.browser.expecting(/ 403 /, async () => {
      await phone.attach("Photo or video", files.png, "With a new URL");
      await isLoaded(image("With a new URL"), SIZE.width);
    });
    assert.deepEqual([failures, reads], [1, 1]);
  });
  await check("media: a file that can't be loaded is offered as a download", async () => {
    await page.route(`${ready.s3}/**`, (route) => route.fulfill({ status: 403 }));
    await agent.browser.expecting(/ 403 /, async () => {
      await phone.attach("Photo or video", files.png, "Not to be seen");
      await agent.message("Not to be seen").getByText("This file can't be shown here.").waitFor();
    });
    await page.unroute(`${ready.s3}/**`);
    await agent.message("Not to be seen").getByRole("button", { name: "Try again" }).click();
    await isLoaded(image("Not to be seen"), SIZE.width);
  });
}

/** Delays uploads while an action runs, which gets the function that lets them continue. */
async function holdingUploads(page, action) {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const hold = async (route) => {
    await held;
    await route.continue().catch(() => {});
  };
  await page.route(`${ready.s3}/**`, hold);
  await action(release).finally(release);
  await page.unroute(`${ready.s3}/**`, hold);
}

/** Gives files to an element, as if the user dropped or pasted them. */
async function give(element, event, { name, mimeType, buffer }) {
  await element.evaluate((target, [event, name, type, base64]) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type }));
    const init = { bubbles: true, cancelable: true };
    if (event === "paste") target.dispatchEvent(new ClipboardEvent("paste", { ...init, clipboardData: data }));
    else for (const step of ["dragover", "drop"]) target.dispatchEvent(new DragEvent(step, { ...init, dataTransfer: data }));
  }, [event, name, mimeType, buffer.toString("base64")]);
}

/** The agent sends files, and the customer's phone gets them. */
async function send(agent, phone, files) {
  const { messages, page } = agent;
  const dialog = page.getByRole("dialog", { name: "Send an attachment" });
  const progress = messages.getByRole("progressbar", { name: "Uploading the file" });
  const submit = () => dialog.getByRole("button", { name: "Send", exact: true }).click();
  const choose = async (file, where = dialog) => {
    const chooser = page.waitForEvent("filechooser");
    await where.getByLabel("Choose a file").click();
    await (await chooser).setFiles(file);
    await where.locator(".media-name").getByText(file.name).waitFor();
  };
  const attach = async (file, caption) => {
    await page.getByRole("button", { name: "Attach a file, location, or contact" }).click();
    await choose(file);
    if (caption) await dialog.getByLabel("Caption").fill(caption);
  };
  await check("media: an image is shown while it is uploaded, and arrives at the phone", async () => {
    await holdingUploads(page, async (release) => {
      await attach(files.jpeg, "Our garden");
      await isLoaded(dialog.locator("img"), SIZE.width);
      await submit();
      await progress.waitFor();
      await isLoaded(agent.message("Our garden").locator("img"), SIZE.width);
      await agent.message("Our garden").getByText("Uploading the file").waitFor();
      release();
      await agent.waitForStatus("Our garden", "Read");
    });
    assert.equal(await progress.count(), 0);
    await isLoaded(phone.message("Our garden").locator("img"), SIZE.width);
    await page.reload();
    await isLoaded(agent.message("Our garden").locator("img"), SIZE.width);
  });
  await check("media: a document keeps its name", async () => {
    await attach(files.pdf);
    assert.ok(await dialog.getByRole("radio", { name: "Document" }).isChecked());
    await submit();
    await agent.waitForStatus(files.pdf.name, "Read");
    await phone.message(files.pdf.name).waitFor();
  });
  await check("media: the progress of a large upload is shown", async () => {
    const devtools = await page.context().newCDPSession(page);
    const throttle = (uploadThroughput) =>
      devtools.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput });
    await devtools.send("Network.enable");
    await throttle(4_000_000);
    const buffer = Buffer.concat([files.pdf.buffer, Buffer.alloc(12_000_000)]);
    await attach({ ...files.pdf, name: "catalog.pdf", buffer });
    await submit();
    await page.waitForFunction(() => [...document.querySelectorAll("progress")].some(({ value }) => value > 0.1 && value < 0.9));
    await throttle(-1);
    await agent.waitForStatus("catalog.pdf", "Read");
    const { messages: received } = await simulator(`phones/${NUMBER}/messages`);
    const { document } = received.findLast(({ type }) => type === "document");
    const file = await fetch(`${ready.whatsapp}/simulator/media/${document.id}`);
    assert.deepEqual([document.filename, (await file.arrayBuffer()).byteLength], ["catalog.pdf", buffer.length]);
  });
  await check("media: a video that is dropped on the chat arrives", async () => {
    await give(page.getByRole("region", { name: "Messages of this chat" }), "drop", files.mp4);
    await dialog.getByText(files.mp4.name).waitFor();
    await dialog.getByLabel("Caption").fill("The way to us");
    await submit();
    await agent.waitForStatus("The way to us", "Read");
    await phone.message("The way to us").locator("video").waitFor();
  });
  await check("media: an image that is pasted arrives", async () => {
    await give(agent.field, "paste", files.png);
    await dialog.getByLabel("Caption").fill("Pasted");
    await submit();
    await agent.waitForStatus("Pasted", "Read");
    await isLoaded(phone.message("Pasted").locator("img"), SIZE.width);
  });
  await check("media: an upload is canceled", async () => {
    await holdingUploads(page, async () => {
      await attach(files.png, "Not to be sent");
      await submit();
      await messages.getByRole("button", { name: "Cancel" }).click();
      await agent.message("Not to be sent").waitFor({ state: "detached" });
    });
  });
  await check("media: an upload that fails is explained, and sent again once", async () => {
    await page.route(`${ready.s3}/**`, (route) => route.abort(), { times: 1 });
    const sent = [];
    page.on("request", (request) => request.url().endsWith("/api/messages/send") && sent.push(request.headers()["idempotency-key"]));
    await agent.browser.expecting(/ERR_FAILED/, async () => {
      await attach(files.png, "The second try");
      await submit();
      await messages.getByText("The upload failed. Check your connection and send the file again.").waitFor();
    });
    await messages.getByRole("button", { name: "Send again" }).click();
    await agent.waitForStatus("The second try", "Read");
    assert.equal(sent.length, 1);
    assert.equal(await phone.message("Not to be sent").count(), 0);
  });
  await check("media: a file that WhatsApp doesn't deliver is refused with the reason", async () => {
    await agent.browser.expecting(/ 400 .*\/api\/media$/, async () => {
      await attach({ name: "backup.zip", mimeType: "application/zip", buffer: Buffer.from("PK") });
      await submit();
      await dialog.getByText("WhatsApp doesn't deliver files of this mimeType.").waitFor();
      await dialog.getByRole("button", { name: "Remove backup.zip" }).click();
      await choose({ ...files.png, name: "large.png", buffer: Buffer.alloc(5 * 1024 * 1024 + 1) });
      await submit();
      await dialog.getByText("WhatsApp delivers files of type image/png with up to 5242880").waitFor();
    });
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  });
  await check("media: the header of a template is an image of this device", async () => {
    const components = [
      { type: "HEADER", format: "IMAGE", example: { header_handle: ["4::aW"] } },
      { type: "BODY", text: "The garden is open until nine." },
    ];
    await graph(`${ready.wabaId}/message_templates`, { name: "garden_open", language: "en_US", category: "UTILITY", components });
    const template = page.getByRole("dialog", { name: /^Send a template/ });
    await page.getByRole("button", { name: "Send a template" }).click();
    await template.getByRole("button", { name: "Read the templates again" }).click();
    await template.getByRole("button", { name: /garden_open/ }).click();
    const submit = () => template.getByRole("button", { name: "Send template" }).click();
    await submit();
    await template.getByText("Choose a file.", { exact: true }).waitFor();
    await choose(files.pdf, template);
    await submit();
    await template.getByText("WhatsApp doesn't deliver this file here. Choose another one: JPEG or PNG, up to 5 MB.").waitFor();
    await template.getByRole("button", { name: `Remove ${files.pdf.name}` }).click();
    await choose(files.jpeg, template);
    await holdingUploads(page, async (release) => {
      await submit();
      await template.getByRole("progressbar", { name: "Uploading the file" }).waitFor();
      release();
      await agent.waitForStatus("The garden is open until nine.", "Read");
    });
    await isLoaded(agent.message("The garden is open until nine.").locator("img"), SIZE.width);
    const { messages: received } = await simulator(`phones/${NUMBER}/messages`);
    const [header] = received.findLast(({ type }) => type === "template").template.components;
    const file = await fetch(`${ready.whatsapp}/simulator/media/${header.parameters[0].image.id}`);
    assert.deepEqual(Buffer.from(await file.arrayBuffer()), files.jpeg.buffer);
  });
}

/** Checks the files of messages. */
export async function media(browser) {
  const phone = new Phone(await browser.open({ permissions: ["microphone"] }));
  const agent = new Agent(await browser.open(), browser);
  let files;
  await check("media: a customer writes", async () => {
    await phone.page.goto(ready.phone);
    await phone.add(`+${NUMBER}`, NAME);
    await phone.write("Hello");
    files = await makeFiles(phone.page);
    await agent.enter(await addressOf(OWNER_ID));
    await agent.chat(NAME).waitFor();
  });
  if (files) {
    await receive(agent, phone, files);
    await send(agent, phone, files);
  }
  await phone.page.context().close();
  await agent.page.context().close();
}

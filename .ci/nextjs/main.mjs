// Drives Chromium through the example for Next.js. `.ci/verify-nextjs` runs it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Browser, DESKTOP, NARROW } from "../console/browser.mjs";
import { simulator, until } from "../console/calls.mjs";
import { check, setOnFailure, settings } from "../console/report.mjs";
import { cutOff, violations } from "../console/screens.mjs";

const { app, commands, environment, ready } = settings;
const PHONE = "201001234567";
const MAX_BYTES = 100 * 1024;
/** A green square as PNG, in Base64. */
const PHOTO = [
  "iVBORw0KGgoAAAANSUhEUgAAAGAAAABgCAIAAABt+uBvAAAAjklEQVR42u3QMQ0AAAgDsDnAKSf6ccDJ1aQKmprmEAWCBAkSJEiQIEEIEiRIkCBB",
  "ggQhSJAgQYIECRKEIEGCBAkSJEiQIAQJEiRIkCBBghAkSJAgQYIECUKQIEGCBAkSJEgQggQJEiRIkCBBCBIkSJAgQYIEIUiQIEGCBAkSJAhBggQJ",
  "EiRIkCAECRL0ZwHVQS3/MIXk3AAAAABJRU5ErkJggg==",
].join("");
const HAS_KEY = /qk_[0-9a-f]{8}/;

/** Runs a command of the README. */
const run = (command) => promisify(execFile)("bash", ["-euo", "pipefail", "-c", command], { env: environment });

/** Lets the phone of the customer report a tick. */
const tick = (status) => simulator(`phones/${PHONE}/ticks`, { status });

/** Sends a request to the app as another client than its pages. */
const request = (path, { headers = {}, ...options } = {}) =>
  fetch(`${app}${path}`, { ...options, headers: { "content-type": "application/json", ...headers } });

/** Returns the status and the JSON of a response. */
const read = async (response) => ({ status: response.status, json: await response.json() });

/** Checks the page that is shown, light and dark, and with little width. */
async function checkPage(page, name) {
  await check(`${name}: accessible, light and dark, and fits into 320 pixels`, async () => {
    for (const colorScheme of ["dark", "light"]) {
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await violations(page), [], colorScheme);
    }
    await page.setViewportSize(NARROW);
    assert.deepEqual(await violations(page), [], "narrow");
    assert.deepEqual(await page.evaluate(cutOff), []);
    await page.setViewportSize(DESKTOP);
  });
}

async function saveScreenshot(page, name, size, colorScheme = "light") {
  await check(`screenshot: ${name}`, async () => {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme });
    await page.evaluate(() => document.activeElement?.blur());
    const image = await page.screenshot({ animations: "disabled", caret: "hide" });
    assert.ok(image.length <= MAX_BYTES, `${image.length} bytes`);
    for (const folder of [settings.output, settings.images].filter(Boolean)) {
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, `${name}.png`), image);
    }
    await page.setViewportSize(DESKTOP);
    await page.emulateMedia({ colorScheme: "light" });
  });
}

/** What the server does without a user, without a deployment, and with requests that no page makes. */
async function checkServer(browser) {
  const page = await browser.open();
  await check("without a login: nobody is signed in, and nothing is forwarded", async () => {
    await page.goto(settings.signedOut);
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    const { status, json } = await read(await fetch(`${settings.signedOut}/api/chats`));
    assert.deepEqual([status, json.code], [401, "signed_out"]);
  });
  await check("without a deployment: the page says so, and offers to try again", async () => {
    await browser.expecting(/ 502 /, async () => {
      await page.goto(settings.unreachable);
      await page.getByRole("alert").getByText("The messages can't be reached at the moment.").waitFor();
      const answered = page.waitForResponse(/session\/create/);
      const logged = page.waitForEvent("console");
      await page.getByRole("button", { name: "Try again" }).click();
      assert.equal((await answered).status(), 502);
      await logged;
    });
  });
  await page.context().close();
  await check("route: other paths and methods aren't forwarded", async () => {
    for (const [method, path] of [
      ["GET", "/api/keys"],
      ["GET", "/api/sessions"],
      ["GET", "/api/chats/..%2fkeys"],
      ["GET", "/api/chats/%2e%2e/keys"],
      ["POST", "/api/chats"],
    ]) {
      const { status, json } = await read(await request(path, { method }));
      assert.deepEqual([status, json.code], [404, "path_not_found"], `${method} ${path}`);
    }
    assert.equal((await request("/api/session", { method: "DELETE" })).status, 405);
  });
  await check("route: requests of other sites are refused", async () => {
    const headers = { "sec-fetch-site": "cross-site" };
    const { status, json } = await read(await request("/api/messages/send", { method: "POST", body: "{}", headers }));
    assert.deepEqual([status, json.code], [403, "cross_site"]);
  });
  await check("route: another user's session is refused", async () => {
    const body = JSON.stringify({ userId: "eve" });
    const { status, json } = await read(await request("/api/session/create", { method: "POST", body }));
    assert.deepEqual([status, json.code], [403, "other_owner"]);
  });
}

/** The QR code, until a phone has scanned it. */
async function connect(page) {
  await check("connect: the page creates a session, and shows its QR code", async () => {
    // The first code expires soon.
    const code = /\/api\/qr/;
    const shorten = async (route) => {
      const response = await route.fetch();
      const qr_image = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>";
      const json = { ...(await response.json()), qr_image, qr_expires_at: new Date().toISOString() };
      await route.fulfill({ response, json });
    };
    await page.route(code, shorten, { times: 1 });
    await page.goto(app);
    await page.locator("img[src^='data:image/svg+xml']").waitFor();
  });
  await check("connect: the next code replaces an expired one without a reload", async () => {
    await page.locator("img[src^='data:image/png;base64,']").waitFor();
    await page.getByRole("img", { name: "QR code" }).waitFor();
    await page.getByText(/A new code replaces it at \d/).waitFor();
  });
  await checkPage(page, "connect");
  await check("connect: after a phone has scanned the code, the chats are shown", async () => {
    await run(commands.scan);
    await page.getByRole("heading", { name: "Chats" }).waitFor();
    await page.getByText("No chats yet.").waitFor();
  });
}

/** A conversation, which a customer begins. */
async function converse(page) {
  const chat = page.getByRole("navigation", { name: "Chats" }).getByRole("link").filter({ hasText: "Mona" });
  const log = page.getByRole("log", { name: "Messages" });
  const message = (text) => log.getByRole("listitem").filter({ hasText: text });
  const status = (text, name) => message(text).getByRole("img", { name, exact: true }).waitFor();
  const field = page.getByRole("textbox", { name: "Message" });

  await check("chats: a customer's message appears without a reload", async () => {
    await run(commands.write);
    await chat.getByText("Do you deliver?").waitFor();
    await chat.getByText("1 unread").waitFor();
  });
  await checkPage(page, "chats");
  await check("thread: the chat opens with the keyboard, and is marked as read", async () => {
    await chat.focus();
    await page.keyboard.press("Enter");
    await message("Do you deliver?").waitFor();
    await chat.getByText("1 unread").waitFor({ state: "detached" });
    await until(async () => (await simulator("receipts")).receipts.length || undefined);
  });
  await check("thread: an answer is pending, sent, delivered, and read", async () => {
    await simulator(`phones/${PHONE}`, { automaticTicks: "sent" }, "PATCH");
    let release;
    const held = new Promise((resolve) => (release = resolve));
    await page.route(/\/api\/changes/, async (route) => (await held, route.continue()), { times: 1 });
    await field.fill("Yes, until ten.");
    await field.press("Enter");
    await status("Yes, until ten.", "Pending").finally(release);
    await status("Yes, until ten.", "Sent");
    await tick("delivered");
    await status("Yes, until ten.", "Delivered");
    await tick("read");
    await status("Yes, until ten.", "Read");
    assert.equal(await field.inputValue(), "");
    await chat.getByText("Yes, until ten.").waitFor();
  });
  await check("thread: an answer that was lost on the way back is sent once", async () => {
    await page.route(/\/api\/messages\/send/, async (route) => (await route.fetch(), route.abort()), { times: 1 });
    await page.getByRole("textbox").fill("Shall I reserve one?");
    await page.getByRole("button", { name: "Send" }).click();
    await status("Shall I reserve one?", "Sent");
    const { messages } = await simulator("messages");
    assert.equal(messages.filter(({ body }) => body.text?.body === "Shall I reserve one?").length, 1);
    assert.equal(await message("Shall I reserve one?").count(), 1);
  });
  await check("thread: a message that Qasid refuses stays in the field, with the reason", async () => {
    await field.fill("x".repeat(4097));
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("alert").getByText(/4,?096/).waitFor();
    assert.equal((await field.inputValue()).length, 4097);
  });
  await check("thread: an empty message isn't sent", async () => {
    const sends = [];
    page.on("request", (sent) => sent.url().endsWith("/messages/send") && sends.push(sent));
    await field.fill("  ");
    await page.getByRole("button", { name: "Send" }).click();
    await field.fill("One moment.");
    await page.getByRole("button", { name: "Send" }).click();
    await status("One moment.", "Sent");
    assert.equal(sends.length, 1);
  });
  await check("thread: a message that WhatsApp refuses shows why", async () => {
    await simulator("faults", { sends: { errorCode: 131026, times: 1 } });
    await field.fill("Are you there?");
    await field.press("Enter");
    await status("Are you there?", "Not sent");
    await message("Are you there?").getByText("131026").waitFor();
  });
  await check("thread: messages during a lost connection appear after it", async () => {
    await page.context().setOffline(true);
    await page.getByRole("alert").getByText("No connection").waitFor();
    await simulator("messages", { from: PHONE, text: "Please reserve two." });
    await page.context().setOffline(false);
    await message("Please reserve two.").waitFor();
    await page.getByRole("alert").getByText("No connection").waitFor({ state: "detached" });
  });
  await checkPage(page, "thread");
  await saveScreenshot(page, "nextjs-thread", { width: 960, height: 560 });
  await saveScreenshot(page, "nextjs-narrow", { width: 375, height: 560 }, "dark");
  await check("thread: a customer's photo is shown", async () => {
    await simulator("messages", { from: PHONE, type: "image", image: { data: PHOTO, mime_type: "image/png" } });
    const photo = page.locator(".messages img");
    await photo.waitFor();
    await until(async () => (await photo.evaluate(({ naturalWidth }) => naturalWidth)) || undefined);
  });
  await checkPage(page, "photo");
  await check("thread: older messages are read on request", async () => {
    const messages = Array.from({ length: 60 }, (_, index) => ({ from: PHONE, text: `Item ${index + 1}.` }));
    await simulator("messages", { messages });
    await message("Item 60.").waitFor();
    await page.reload();
    await message("Item 60.").waitFor();
    assert.equal(await message("Do you deliver?").count(), 0);
    await page.getByRole("button", { name: "Older messages" }).click();
    await message("Do you deliver?").waitFor();
  });
  await check("thread: a chat that doesn't exist is an error", async () => {
    await page.goto(`${app}/chats/00000000-0000-4000-8000-000000000000`);
    await page.getByRole("alert").getByText(/\w/).waitFor();
  });
  await check("thread: at little width, a link leads back to the chats", async () => {
    await page.setViewportSize(NARROW);
    await page.getByRole("main").getByRole("link", { name: "Chats" }).click();
    await chat.waitFor();
    await page.setViewportSize(DESKTOP);
  });
}

const browser = await Browser.launch();
setOnFailure((name) => browser.saveFailure(name));
try {
  await checkServer(browser);
  const page = await browser.open();
  const bodies = [];
  page.on("response", (response) => bodies.push(response.text().catch(() => "")));
  await connect(page);
  // Chromium reports refused requests and lost connections as errors of the console.
  await browser.expecting(/ERR_INTERNET_DISCONNECTED|ERR_FAILED| 40[04] .*\/api\//, () => converse(page));
  await check("no response to the browser has a key", async () => {
    const texts = await Promise.all(bodies);
    assert.ok(texts.length > 20);
    assert.deepEqual(texts.filter((text) => HAS_KEY.test(text) || text.includes(ready.apiKey)), []);
  });
  await check("no exception or error in the browser's console", () => {
    assert.deepEqual([...new Set(browser.problems)], []);
  });
} finally {
  await browser.close();
}

// The size of the console, the time until it shows the inbox, and how a long thread scrolls.

import assert from "node:assert/strict";
import { Agent } from "./agent.mjs";
import { addressOf, api, simulator, until } from "./calls.mjs";
import { OWNER_ID } from "./conversation.mjs";
import { check, measured } from "./report.mjs";

const MAX_BYTES = 80 * 1024;
const MAX_REQUESTS = 20;

/** Checks what the browser loads until it shows the inbox for the first time. */
export async function size(browser) {
  const address = await addressOf(OWNER_ID);
  const page = await browser.open();
  const responses = new Map();
  const devtools = await page.context().newCDPSession(page);
  devtools.on("Network.responseReceived", ({ requestId, response }) => responses.set(requestId, { url: response.url, bytes: 0 }));
  devtools.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    if (responses.has(requestId)) responses.get(requestId).bytes = encodedDataLength;
  });
  await devtools.send("Network.enable");
  await page.goto(address);
  await page.getByRole("list", { name: "Chats" }).getByRole("link").first().waitFor();
  const milliseconds = await page.evaluate(() => Math.round(performance.now()));
  const files = [...responses.values()].filter(({ url }) => !new URL(url).pathname.startsWith("/api/"));
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  measured(`the inbox was shown ${milliseconds} ms after the navigation: ${files.length} requests, ${bytes} bytes`);
  await check(`size: at most ${MAX_REQUESTS} requests until the inbox`, () => {
    assert.ok(files.length > 0 && files.length <= MAX_REQUESTS, files.map(({ url }) => url).join(" "));
  });
  await check(`size: at most ${MAX_BYTES / 1024} KB until the inbox`, () => {
    assert.ok(bytes > 0 && bytes <= MAX_BYTES, `${bytes} bytes`);
  });
  await page.context().close();
}

const MESSAGES = 1_000;
/** A frame at 60 per second, in milliseconds. */
const FRAME = 1000 / 60;

/** Scrolls up in a page until its log shows a text, and returns the times between frames in milliseconds. */
async function scrollTo(page, text) {
  return page.getByRole("region", { name: "Messages of this chat" }).evaluate(async (scroller, [text, timeout]) => {
    const frames = [];
    const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const start = await nextFrame();
    let last = start;
    while (!scroller.textContent.includes(text)) {
      if (last - start > timeout) throw new Error(`${text} isn't shown after ${frames.length} frames`);
      scroller.scrollBy(0, -60);
      const now = await nextFrame();
      frames.push(now - last);
      last = now;
    }
    return frames;
  }, [text, 60_000]);
}

/** Fills a chat with many messages, and checks that all of them can be scrolled to. */
export async function scrolling(browser) {
  const agent = new Agent(await browser.open());
  const messages = Array.from({ length: MESSAGES }, (_, index) => {
    const words = "and a few more words ".repeat(index % 7);
    return { from: "201006666666", name: "Rania", text: `Message ${index + 1} of the order, ${words}end` };
  });
  await check(`scrolling: a chat of ${MESSAGES} messages opens at its end`, async () => {
    await simulator("messages", { messages });
    await until(async () => {
      const { sessions } = await api("sessions?limit=100");
      const [session] = sessions.filter((one) => one.owner_id === OWNER_ID);
      const { chats } = await api(`chats?sessionId=${session.id}&limit=100`);
      return chats.find((chat) => chat.name === "Rania" && chat.unread_count >= MESSAGES);
    }, 60_000);
    await agent.enter(await addressOf(OWNER_ID));
    await agent.open("Rania");
    await agent.message(`Message ${MESSAGES} of`).waitFor();
  });
  await check("scrolling: older messages are loaded until the first one is shown", async () => {
    const frames = await scrollTo(agent.page, "Message 1 of the order");
    const sorted = frames.toSorted((a, b) => a - b);
    const dropped = frames.reduce((sum, frame) => sum + Math.max(0, Math.round(frame / FRAME) - 1), 0);
    const nodes = await agent.messages.evaluate((log) => log.querySelectorAll("*").length);
    measured(
      `scrolling through ${MESSAGES} messages: ${frames.length} frames, p95 ${sorted[Math.floor(sorted.length * 0.95)].toFixed(1)} ms, ` +
        `longest ${sorted.at(-1).toFixed(1)} ms, ${dropped} dropped, ${nodes} elements at the end`,
    );
    await agent.message("Message 1 of").waitFor();
  });
  await agent.page.context().close();
}

// A session from an empty table on: pairing, a conversation, and what surrounds it, with the console and the page of the
// simulated phones side by side.

import assert from "node:assert/strict";
import { Agent } from "./agent.mjs";
import { simulator } from "./calls.mjs";
import { Phone } from "./phone.mjs";
import { check } from "./report.mjs";
import { faults, keys, rules, webhooks } from "./surroundings.mjs";

/** The owner of the session. */
export const OWNER_ID = "owner-1";
/** A customer whose phone the page of the phones creates. */
export const CUSTOMER = "Omar";
export const CUSTOMER_NUMBER = "4915123456789";
/** The text of a message to this customer whose trace has every kind of step. */
export const TRACED = "Did this arrive?";
/** A customer whose window closes while the agent looks at it. */
const LATE = { from: "201005550000", name: "Laila" };

/** Creates a session and connects it. Returns the pages of the agent and of the phones. */
async function pair(browser) {
  const page = await browser.open();
  const agent = new Agent(page);
  let phone;
  await check("pairing: an empty table offers to create a session", async () => {
    await agent.enter();
    await agent.main.getByLabel("User ID").fill(OWNER_ID);
    await agent.main.getByRole("button", { name: "Create session" }).click();
  });
  await check("pairing: the QR code and its countdown are shown", async () => {
    await agent.main.getByRole("img", { name: "QR code" }).waitFor();
    await agent.main.getByText(/New code in .*\d:\d\d/).waitFor();
  });
  await check("pairing: the phone scans with one click", async () => {
    const opened = page.context().waitForEvent("page");
    await agent.main.getByRole("link", { name: "Scan with the simulated phone" }).click();
    const tab = await opened;
    await tab.getByRole("dialog").waitFor();
    // Continues in a window of its own, because Chromium rarely draws the tabs behind another one.
    phone = new Phone(await browser.open());
    await phone.page.goto(tab.url());
    await tab.close();
    await phone.page.getByRole("dialog").getByRole("button", { name: "Scan", exact: true }).click();
    await phone.page.getByText("The phone scanned the code and sent its text.").waitFor();
  });
  await check("pairing: the console shows the connection without a reload", async () => {
    await agent.main.getByRole("heading", { name: "Connected to WhatsApp" }).waitFor();
  });
  return { agent, phone };
}

/** A customer writes, and the agent answers. */
async function converse(agent, phone) {
  await check("conversation: a customer's first message appears in the inbox", async () => {
    await agent.show("Inbox");
    await phone.select(CUSTOMER);
    await phone.write("Do you deliver?");
    await agent.chat(CUSTOMER).getByText("Do you deliver?").waitFor();
    await agent.chat(CUSTOMER).getByText("1 unread message").waitFor();
  });
  await check("conversation: opening the chat reads it, and the customer sees that", async () => {
    await agent.open(CUSTOMER);
    await phone.message("Do you deliver?").getByRole("img", { name: "Read" }).waitFor();
  });
  await check("conversation: the agent's message is shown before the API has stored it", async () => {
    let release;
    const held = new Promise((resolve) => (release = resolve));
    const hold = async (route) => {
      await held;
      await route.continue();
    };
    await agent.page.route("**/api/messages/send", hold, { times: 1 });
    await phone.setTicks("Sent: every tick waits for you");
    await agent.write("Yes, to all of Cairo.");
    await agent.waitForStatus("Yes, to all of Cairo.", "Waiting to be sent").finally(release);
  });
  await check("conversation: the ticks go from sent to delivered to read", async () => {
    await agent.waitForStatus("Yes, to all of Cairo.", "Sent");
    await phone.page.getByRole("button", { name: "Deliver", exact: true }).first().click();
    await agent.waitForStatus("Yes, to all of Cairo.", "Delivered");
    await phone.setTicks("Read at once: the chat is open");
    await agent.waitForStatus("Yes, to all of Cairo.", "Read");
  });
  await check("conversation: the customer's reaction appears", async () => {
    await phone.react("Yes, to all of Cairo.", "👍");
    await agent.message("Yes, to all of Cairo.").getByText("Reactions: 👍").waitFor();
  });
  await check("conversation: the customer's edit appears", async () => {
    await phone.write("How much is it?");
    await agent.message("How much is it?").waitFor();
    await phone.edit("How much is it?", "How much is delivery?");
    await agent.message("How much is delivery?").getByText("Edited").waitFor();
  });
  await check("conversation: the customer's deletion appears", async () => {
    await phone.write("Never mind");
    await agent.message("Never mind").waitFor();
    await phone.delete("Never mind");
    await agent.message("Deleted by the sender").waitFor();
    assert.equal(await agent.messages.getByText("Never mind").count(), 0);
  });
  await check("conversation: the agent replies with a quote", async () => {
    await agent.choose("How much is delivery?", "Reply");
    await agent.write("It's free today.");
    const bubble = phone.message("It's free today.");
    await bubble.getByRole("button").filter({ hasText: "How much is delivery?" }).waitFor();
  });
}

/** Shows in a page of its own how the window of a customer closes. */
async function openLateChat(late) {
  await check("window: a chat with a few seconds left can be written to", async () => {
    const timestamp = Math.floor(Date.now() / 1000) - 24 * 3600 + 15;
    await simulator("messages", { ...LATE, text: "Is my order ready?", timestamp: String(timestamp) });
    await late.enter();
    await late.open(LATE.name);
    await late.field.waitFor();
  });
}

async function sendTemplate(late, phone) {
  await check("window: when it has closed, the template picker replaces the composer", async () => {
    await late.page.getByText("The customer service window closed").waitFor({ timeout: 20_000 });
    assert.equal(await late.field.count(), 0);
    await late.page.getByRole("button", { name: /hello_world/ }).waitFor();
  });
  await check("window: the agent sends a template", async () => {
    await late.page.getByRole("button", { name: /hello_world/ }).click();
    await late.page.getByRole("dialog").getByRole("button", { name: "Send" }).click();
    await phone.select(LATE.name);
    await phone.message("Hello World").waitFor();
    await late.waitForStatus("Hello World", "Read");
  });
  await check("window: the customer's answer opens it again", async () => {
    await phone.write("Thank you");
    await late.message("Thank you").waitFor();
    await late.field.waitFor();
  });
}

/** Makes the run from an empty table on. */
export async function conversation(browser) {
  const { agent, phone } = await pair(browser);
  if (!phone) return;
  await converse(agent, phone);
  const late = new Agent(await browser.open());
  await openLateChat(late);
  await webhooks(agent, phone);
  await faults(agent, phone);
  await sendTemplate(late, phone);
  await late.page.context().close();
  await rules(agent, phone);
  await keys(agent);
  await phone.page.context().close();
  await agent.page.context().close();
}

// What surrounds a conversation: webhooks, faults and the trace of a message, auto-reply rules, and keys.

import assert from "node:assert/strict";
import { api, simulator, until } from "./calls.mjs";
import { CUSTOMER, OWNER_ID, TRACED } from "./conversation.mjs";
import { check, settings } from "./report.mjs";

const { ready } = settings;
const RECEIVER = `${ready.whatsapp}/simulator/receiver`;

/** Creates a webhook, whose receiver fails at first. */
export async function webhooks(agent, phone) {
  const { main, page } = agent;
  const editor = main.getByRole("form");
  await check("webhooks: the agent creates one", async () => {
    await agent.show("Webhooks");
    await main.getByRole("link", { name: "New webhook" }).click();
    await editor.getByLabel("URL").fill(`${RECEIVER}?status=500`);
    await editor.getByLabel("Events").fill("message.received");
    await editor.getByRole("button", { name: "Create" }).click();
    await page.getByRole("dialog", { name: "Webhook created" }).getByText("whsec_").first().waitFor();
    await page.keyboard.press("Escape");
    await main.getByText("Nothing sent yet").waitFor();
  });
  await check("webhooks: a failed delivery is listed with the receiver's answer", async () => {
    await phone.write("Is anyone there?");
    const { sessions } = await api("sessions");
    const { webhooks } = await api(`webhooks?sessionId=${sessions.find((session) => session.owner_id === OWNER_ID).id}`);
    await until(async () => (await api(`webhooks/${webhooks[0].id}/attempts`)).attempts[0]);
    await main.getByRole("link", { name: `Open ${RECEIVER}` }).click();
    const delivery = main.getByRole("listitem").filter({ hasText: "message.received" });
    await delivery.getByText("message.received").click();
    await delivery.getByText("500").first().waitFor();
  });
  await check("webhooks: once the receiver works, the delivery succeeds", async () => {
    await main.getByRole("button", { name: "Edit" }).click();
    await editor.getByLabel("URL").fill(RECEIVER);
    await editor.getByRole("button", { name: "Save" }).click();
    await main.getByRole("heading", { name: RECEIVER, exact: true }).waitFor();
    await main.getByRole("button", { name: "Deliver again" }).click();
    await main.getByRole("listitem").getByText("Delivered later").waitFor();
    const received = await simulator("receiver");
    assert.ok(received.webhooks.some(({ body }) => body.data?.message?.body === "Is anyone there?"));
  });
}

/** Lets sends fail, and looks at the traces of the messages. */
export async function faults(agent, phone) {
  const { trace } = agent;
  await check("trace: a lost answer leaves the outcome unknown until a status settles it", async () => {
    await agent.show("Inbox");
    await agent.open(CUSTOMER);
    await phone.fail("Answer lost after acceptance");
    await phone.page.getByRole("switch", { name: "Webhooks held back" }).check();
    await agent.write(TRACED);
    await agent.waitForStatus(TRACED, "WhatsApp didn't confirm that it accepted the message");
    await agent.choose(TRACED, "Details");
    await trace.getByText("No answer", { exact: true }).waitFor();
    await phone.clearFaults();
    await agent.waitForStatus(TRACED, "Read");
    await trace.getByRole("listitem").filter({ hasText: "Read" }).first().waitFor();
    assert.equal(await phone.message(TRACED).count(), 1);
  });
  await check("trace: Escape closes it", async () => {
    await agent.page.keyboard.press("Escape");
    await trace.waitFor({ state: "hidden" });
  });
  await check("trace: a closed window is explained with WhatsApp's code", async () => {
    await phone.fail("24-hour window closed 131047");
    await agent.write("Are you still there?");
    await agent.waitForStatus("Are you still there?", "Not sent");
    await agent.choose("Are you still there?", "Details");
    await trace.getByText("131047").first().waitFor();
    await trace.getByRole("listitem").filter({ hasText: "Accepted by WhatsApp" }).waitFor();
    await trace.getByRole("button", { name: "Close" }).click();
  });
}

/** Creates an auto-reply rule, which answers a new customer. */
export async function rules(agent, phone) {
  const { main } = agent;
  await check("auto-replies: the agent creates a rule", async () => {
    await agent.show("Auto-replies");
    await main.getByRole("link", { name: "New rule" }).click();
    const editor = main.getByRole("form");
    await editor.getByLabel("Name").fill("Prices");
    await editor.getByLabel("Keywords").fill("price");
    await editor.getByLabel("Reply", { exact: true }).fill("Our prices start at 10 EGP.");
    await editor.getByRole("button", { name: "Save" }).click();
    await main.getByRole("heading", { name: "Prices" }).waitFor();
  });
  await check("auto-replies: the dry run shows which rule answers", async () => {
    const dryRun = main.getByRole("region", { name: "Dry run" });
    await dryRun.getByLabel("Message of a contact").fill("price");
    await dryRun.getByRole("button", { name: "Try" }).click();
    await dryRun.getByText(/^“\W?Prices\W?” answers$/).waitFor();
    await dryRun.getByLabel("Message of a contact").fill("hello");
    await dryRun.getByRole("button", { name: "Try" }).click();
    await dryRun.getByText("No rule answers.").waitFor();
  });
  await check("auto-replies: the rule answers a customer", async () => {
    await phone.add("201003333333", "Sara");
    await phone.write("price");
    await phone.message("Our prices start at 10 EGP.").waitFor();
    await agent.show("Inbox");
    await agent.open("Sara");
    await agent.message("Our prices start at 10 EGP.").getByText("Auto-reply").waitFor();
  });
}

/** Creates the key of another owner, and signs in with it. */
export async function keys(agent) {
  const { main, page } = agent;
  await api("session/create", { userId: "owner-2" });
  let key;
  await check("keys: the admin creates a key of another owner", async () => {
    await agent.show("Keys", "API keys");
    await main.getByRole("button", { name: "Create a key" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").fill("Support");
    await dialog.getByLabel("Owner (user ID)").fill("owner-2");
    for (const scope of ["sessions", "messages:read", "messages:send"]) {
      await dialog.getByRole("checkbox", { name: scope, exact: true }).check();
    }
    await dialog.getByRole("button", { name: "Create a key" }).click();
    const secret = page.getByRole("dialog").getByLabel("API key");
    await secret.waitFor();
    key = await secret.inputValue();
    await page.getByRole("button", { name: "I've copied it" }).click();
    await main.getByRole("rowheader", { name: "Support" }).waitFor();
  });
  await check("keys: its owner sees their own session only", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("API key or token").fill(key);
    await page.getByRole("button", { name: "Sign in" }).click();
    const navigation = page.getByRole("navigation");
    await navigation.getByLabel("Session").waitFor();
    assert.deepEqual(await navigation.getByLabel("Session").getByRole("option").allTextContents(), ["owner-2"]);
    assert.equal(await navigation.getByRole("link", { name: "Keys" }).count(), 0);
    await navigation.getByRole("link", { name: "Inbox" }).click();
    await main.getByText("No open chats").waitFor();
  });
  await check("keys: signing out", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("API key or token").waitFor();
  });
}

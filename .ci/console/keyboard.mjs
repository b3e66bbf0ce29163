// The main flow of an agent without a mouse.

import assert from "node:assert/strict";
import { Agent } from "./agent.mjs";
import { addressOf, until } from "./calls.mjs";
import { OWNER_ID } from "./conversation.mjs";
import { check } from "./report.mjs";

/** The most presses of Tab to reach an element. */
const MAX_TABS = 60;

const isFocused = (locator) => locator.evaluate((element) => element === document.activeElement);

/** Presses a key until an element has the focus. */
async function pressUntil(page, key, target) {
  for (let count = 0; count < MAX_TABS; count += 1) {
    if ((await target.count()) > 0 && (await isFocused(target))) return;
    await page.keyboard.press(key);
  }
  throw new Error(`${MAX_TABS} presses of ${key} didn't reach ${target}`);
}

/** Opens a chat, answers, and looks at the trace of the answer with the keyboard only. */
export async function keyboard(browser, customer) {
  const agent = new Agent(await browser.open());
  const { page } = agent;
  const press = (key) => page.keyboard.press(key);
  await check("keyboard: the first Tab offers to skip the navigation", async () => {
    await agent.enter(await addressOf(OWNER_ID));
    await agent.chat(customer).waitFor();
    await press("Tab");
    assert.ok(await isFocused(page.getByRole("link", { name: "Skip to the content" })));
    await press("Enter");
    assert.ok(await isFocused(agent.main));
  });
  await check("keyboard: a chat opens with the arrow keys and Enter", async () => {
    const chats = page.getByRole("list", { name: "Chats" });
    await pressUntil(page, "Tab", chats.locator("a[tabindex='0']"));
    await pressUntil(page, "ArrowDown", agent.chat(customer));
    await press("Enter");
    await agent.messages.waitFor();
  });
  await check("keyboard: a message is written and sent", async () => {
    await pressUntil(page, "Tab", agent.field);
    await page.keyboard.type("Sent without a mouse");
    await press("Enter");
    await agent.waitForStatus("Sent without a mouse", "Read");
    assert.ok(await isFocused(agent.field));
  });
  await check("keyboard: the trace opens from the message's menu", async () => {
    await pressUntil(page, "Shift+Tab", page.getByRole("region", { name: "Messages of this chat" }));
    await press("ArrowUp");
    assert.ok(await isFocused(agent.message("Sent without a mouse")));
    await press("Enter");
    await pressUntil(page, "ArrowDown", page.getByRole("menuitem", { name: "Details" }));
    await press("Enter");
    await agent.trace.getByRole("heading", { name: "Message details" }).waitFor();
  });
  await check("keyboard: Escape closes the trace, and the focus returns to the message", async () => {
    await press("Escape");
    await agent.trace.waitFor({ state: "hidden" });
    const row = agent.message("Sent without a mouse");
    await until(async () => (await row.evaluate((element) => element.contains(document.activeElement))) || undefined);
  });
  await check("keyboard: Escape closes a dialog, and the focus returns to its button", async () => {
    const button = page.getByRole("button", { name: "Send a template" });
    await pressUntil(page, "Tab", button);
    await press("Enter");
    const dialog = page.getByRole("dialog", { name: "Send a template" });
    await dialog.waitFor();
    assert.ok(await dialog.evaluate((element) => element.contains(document.activeElement)));
    await press("Escape");
    await dialog.waitFor({ state: "hidden" });
    await until(async () => (await isFocused(button)) || undefined);
  });
  await page.context().close();
}

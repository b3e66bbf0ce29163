// The console, as an agent uses it.

import { settings } from "./report.mjs";

/** A page that shows the console in English. */
export class Agent {
  constructor(page, browser) {
    this.page = page;
    this.browser = browser;
    this.main = page.getByRole("main");
    this.messages = page.getByRole("log", { name: "Messages" });
    this.trace = page.getByRole("complementary", { name: "Message details" });
    this.field = page.getByRole("textbox", { name: "Message", exact: true });
  }

  /** Opens the console, by default at the address that the local run prints. */
  async enter(address = settings.ready.console) {
    await this.page.goto(address);
  }

  /** Shows a screen by its name in the navigation. */
  async show(screen, heading = screen) {
    await this.page.getByRole("navigation").getByRole("link", { name: screen, exact: true }).click();
    await this.main.getByRole("heading", { level: 1, name: heading }).waitFor();
  }

  /** Returns the row of a chat in the inbox. */
  chat(name) {
    return this.page.getByRole("list", { name: "Chats" }).getByRole("link").filter({ hasText: name });
  }

  async open(name) {
    await this.chat(name).click();
    await this.messages.waitFor();
  }

  /** Returns the row of the message with a text. The arrow keys focus rows. */
  message(text) {
    return this.messages.locator('[tabindex="-1"]').filter({ hasText: text }).last();
  }

  /** Waits until the message with a text has a status, such as `Read`. */
  async waitForStatus(text, status) {
    await this.message(text).getByText(status, { exact: true }).waitFor();
  }

  async write(text) {
    await this.field.fill(text);
    await this.page.getByRole("button", { name: "Send", exact: true }).click();
  }

  /** Chooses an item of the menu of the message with a text. */
  async choose(text, item) {
    const message = this.message(text);
    await message.hover();
    await message.getByRole("button", { name: "Message actions" }).click();
    await this.page.getByRole("menuitem", { name: item }).click();
  }
}

// The page of the simulated phones, as a customer uses it.

/** A phone. `page` shows the page of the simulated phones. */
export class Phone {
  constructor(page) {
    this.page = page;
    this.messages = page.getByRole("log", { name: "Messages" });
    this.field = page.getByRole("textbox", { name: "Message", exact: true });
  }

  /** Returns the bubble with a text. */
  message(text) {
    return this.messages.getByRole("group").filter({ hasText: text }).last();
  }

  /** Shows the phone of a customer. */
  async select(name) {
    await this.page.getByRole("tab", { name }).click();
  }

  async write(text) {
    await this.field.fill(text);
    await this.page.getByRole("button", { name: "Send", exact: true }).click();
    await this.message(text).waitFor();
  }

  /** Sends a file. `item` is that of the attachment menu. */
  async attach(item, file, caption) {
    const chooser = this.page.waitForEvent("filechooser");
    await this.page.getByRole("button", { name: "Attach", exact: true }).click();
    await this.page.getByRole("menuitem", { name: item }).click();
    await (await chooser).setFiles(file);
    const dialog = this.page.getByRole("dialog");
    if (caption) await dialog.getByLabel("Caption").fill(caption);
    await dialog.getByRole("button", { name: "Send", exact: true }).click();
    await dialog.waitFor({ state: "detached" });
  }

  /** Records and sends a voice message. */
  async record() {
    await this.page.getByRole("button", { name: "Record voice message" }).click();
    await this.page.getByText(/Recording 0:01/).waitFor();
    await this.page.getByRole("button", { name: "Finish recording" }).click();
    await this.page.getByRole("dialog").getByRole("button", { name: "Send", exact: true }).click();
  }

  /** Opens the menu of the message with a text. */
  async #choose(text, item) {
    const entry = this.messages.locator("> *").filter({ hasText: text }).last();
    await entry.getByRole("button", { name: "Message options" }).click();
    await this.page.getByRole("menuitem", { name: item }).click();
  }

  async react(text, emoji) {
    await this.#choose(text, `React with ${emoji}`);
  }

  async edit(text, changed) {
    await this.#choose(text, "Edit");
    await this.page.getByText("Editing the message").waitFor();
    await this.field.fill(changed);
    await this.page.getByRole("button", { name: "Send", exact: true }).click();
    await this.message(changed).waitFor();
  }

  async delete(text) {
    await this.#choose(text, "Delete for everyone");
    await this.messages.getByText("You deleted this message").waitFor();
  }

  /** Opens the drawer of settings or faults. */
  async open(panel) {
    // The name of the tab ends with the number of active faults.
    const tab = this.page.getByRole("tab", { name: new RegExp(`^${panel}`) });
    if (!(await tab.isVisible())) await this.page.getByRole("button", { name: panel, exact: true }).click();
    await tab.click();
  }

  /** Sets how far messages of the business get by themselves. */
  async setTicks(ticks) {
    await this.open("Phone settings");
    await this.page.getByRole("radio", { name: ticks }).check();
  }

  /** Makes WhatsApp fail with the next message of the business. */
  async fail(fault) {
    await this.open("Faults");
    await this.page.getByRole("radio", { name: fault }).check();
  }

  /** Ends all faults. */
  async clearFaults() {
    await this.open("Faults");
    await this.page.getByRole("tabpanel", { name: /^Faults/ }).getByRole("button", { name: "Clear all faults" }).click();
  }

  /** Adds the phone of another customer and shows it. */
  async add(number, name) {
    await this.page.getByRole("button", { name: "Add phone" }).click();
    const dialog = this.page.getByRole("dialog");
    await dialog.getByLabel("Number").fill(number);
    await dialog.getByLabel("Name").fill(name);
    await dialog.getByRole("button", { name: "Add", exact: true }).click();
    await this.page.getByRole("tab", { name, selected: true }).waitFor();
  }
}

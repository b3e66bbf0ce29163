// Chromium, and pages that record what goes wrong in them.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { settings } from "./report.mjs";

/** The longest wait for an element or a condition, in milliseconds. */
export const TIMEOUT = 10_000;
export const DESKTOP = { width: 1280, height: 800 };
export const NARROW = { width: 320, height: 640 };

/** A browser. `problems` has the errors of all its pages. */
export class Browser {
  problems = [];
  #browser;
  #expected = [];

  static async launch() {
    const browser = new Browser();
    browser.#browser = await chromium.launch({
      executablePath: settings.chromium,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-sync",
        "--disable-component-update",
        "--no-first-run",
        // A microphone that beeps.
        "--use-fake-device-for-media-stream",
      ],
    });
    return browser;
  }

  /** Opens an empty window with its own storage. `options` are those of Playwright's contexts. */
  async open(options = {}) {
    const context = await this.#browser.newContext({
      locale: "en-US",
      timezoneId: "UTC",
      viewport: DESKTOP,
      colorScheme: "light",
      reducedMotion: "reduce",
      ...options,
    });
    context.setDefaultTimeout(TIMEOUT);
    await context.exposeBinding("reportViolation", (_, violation) => this.#add(violation));
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        window.reportViolation(`CSP violation of ${event.violatedDirective}: ${event.blockedURI} ${event.sample}`);
      });
    });
    context.on("weberror", (error) => this.#add(`exception: ${error.error().message}`));
    context.on("console", (message) => {
      if (message.type() === "error") this.#add(`console error: ${message.text()} ${message.location().url}`);
    });
    return context.newPage();
  }

  /** Ignores errors that match a pattern while an action runs. */
  async expecting(pattern, action) {
    this.#expected.push(pattern);
    await action();
    this.#expected.pop();
  }

  #add(problem) {
    if (!this.#expected.some((pattern) => pattern.test(problem))) this.problems.push(problem);
  }

  /** Saves what all pages show. */
  async saveFailure(name) {
    const folder = join(settings.output, "failures");
    await mkdir(folder, { recursive: true });
    const pages = this.#browser.contexts().flatMap((context) => context.pages());
    for (const [index, page] of pages.entries()) {
      const file = join(folder, `${name.replaceAll(/\W+/g, "-")}-${index + 1}.png`);
      await page.screenshot({ path: file }).catch(() => {});
    }
  }

  async close() {
    await this.#browser.close();
  }
}

// Screenshots of the console and of the phones, for the documentation.

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { check, settings } from "./report.mjs";
import { phoneViews, views } from "./views.mjs";

const MAX_BYTES = 200 * 1024;
const WIDE = { width: 1200, height: 720 };
const NARROW = { width: 375, height: 720 };

/** The name of the file, the view, and how it is shown. */
const SCREENSHOTS = [
  { file: "inbox-light", view: "English chat", size: WIDE },
  { file: "inbox-dark", view: "English chat", size: WIDE, options: { colorScheme: "dark" } },
  { file: "inbox-arabic", view: "Arabic chat", size: WIDE, options: { locale: "ar-EG" } },
  { file: "inbox-narrow", view: "English chat", size: NARROW },
  { file: "connect", view: "pairing", size: WIDE },
  { file: "trace", view: "message details", size: WIDE },
  { file: "overview", view: "overview", size: WIDE },
  { file: "phone", view: "phone", size: WIDE },
];

/** Saves a small image of a page. */
async function save(page, path) {
  const devtools = await page.context().newCDPSession(page);
  const { data } = await devtools.send("Page.captureScreenshot", { format: "webp", quality: 85 });
  const image = Buffer.from(data, "base64");
  assert.ok(image.length <= MAX_BYTES, `${path} has ${image.length} bytes`);
  await mkdir(settings.images, { recursive: true });
  await writeFile(path, image);
}

/** Takes the screenshots. `ids` are those of the views. */
export async function screenshots(browser, ids) {
  const [consoleViews, phones] = [views(ids), phoneViews()];
  const signedIn = consoleViews.find(({ name }) => name === "inbox");
  for (const { file, view, size, options } of SCREENSHOTS) {
    await check(`screenshot: ${file}`, async () => {
      const page = await browser.open(options);
      const isPhone = phones.some(({ name }) => name === view);
      if (!isPhone) await signedIn.open(page);
      await [...consoleViews, ...phones].find(({ name }) => name === view).open(page);
      await page.setViewportSize(size);
      await page.screenshot({ path: join(settings.output, `${file}.png`), animations: "disabled", caret: "hide" });
      if (settings.images) await save(page, join(settings.images, `${file}.webp`));
      await page.context().close();
    });
  }
}

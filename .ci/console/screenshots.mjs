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

/** Takes the screenshots. `ids` are those of the views. */
export async function screenshots(browser, ids) {
  const [consoleViews, phones] = [views(ids), phoneViews()];
  const folders = [settings.output, settings.images].filter(Boolean);
  for (const folder of folders) await mkdir(folder, { recursive: true });
  const signedIn = consoleViews.find(({ name }) => name === "inbox");
  for (const { file, view, size, options } of SCREENSHOTS) {
    await check(`screenshot: ${file}`, async () => {
      const page = await browser.open(options);
      const isPhone = phones.some(({ name }) => name === view);
      if (!isPhone) await signedIn.open(page);
      await [...consoleViews, ...phones].find(({ name }) => name === view).open(page);
      await page.setViewportSize(size);
      const image = await page.screenshot({ animations: "disabled", caret: "hide" });
      assert.ok(image.length <= MAX_BYTES, `${image.length} bytes`);
      for (const folder of folders) await writeFile(join(folder, `${file}.png`), image);
      await page.context().close();
    });
  }
}

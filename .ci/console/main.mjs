// Drives Chromium through the console and the page of the simulated phones. `.ci/verify-console` runs it.

import assert from "node:assert/strict";
import { Browser } from "./browser.mjs";
import { conversation, CUSTOMER } from "./conversation.mjs";
import { customer } from "./customer.mjs";
import { keyboard } from "./keyboard.mjs";
import { media } from "./media.mjs";
import { check, setOnFailure } from "./report.mjs";
import { checkViews } from "./screens.mjs";
import { screenshots } from "./screenshots.mjs";
import { signIn } from "./sign_in.mjs";
import { scrolling, size } from "./speed.mjs";
import { findIds, phoneViews, views } from "./views.mjs";

const browser = await Browser.launch();
setOnFailure((name) => browser.saveFailure(name));
try {
  await signIn(browser);
  await conversation(browser);
  await customer(browser);
  await media(browser);
  await size(browser);
  await keyboard(browser, CUSTOMER);
  const ids = await findIds();
  await checkViews(browser, views(ids));
  await checkViews(browser, phoneViews());
  await screenshots(browser, ids);
  await scrolling(browser);
  await check("no CSP violation, exception, or error in the browser's console", () => {
    assert.deepEqual([...new Set(browser.problems)], []);
  });
} finally {
  await browser.close();
}

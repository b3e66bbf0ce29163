// Drives Chromium through the console and the page of the simulated phone. `.ci/verify-console` runs it.

import assert from "node:assert/strict";
import { Browser } from "./browser.mjs";
import { customer } from "./customer.mjs";
import { check, setOnFailure } from "./report.mjs";
import { signIn } from "./sign_in.mjs";

const browser = await Browser.launch();
setOnFailure((name) => browser.saveFailure(name));
try {
  await signIn(browser);
  await customer(browser);
  await check("no CSP violation, exception, or error in the browser's console", () => {
    assert.deepEqual([...new Set(browser.problems)], []);
  });
} finally {
  await browser.close();
}

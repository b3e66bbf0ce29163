// Signing in and out, and the frame around the screens.

import assert from "node:assert/strict";
import { check, settings } from "./report.mjs";

const { ready } = settings;

/** Checks signing in and out with an empty table. */
export async function signIn(browser) {
  const page = await browser.open();
  await check("sign-in: the address that `local` prints signs in and hides the key", async () => {
    await page.goto(ready.console);
    await page.getByRole("navigation").getByRole("link", { name: "Inbox" }).waitFor();
    assert.equal(new URL(page.url()).hash, "#/");
  });
  await check("sign-in: a reload stays signed in", async () => {
    await page.reload();
    await page.getByRole("navigation").getByRole("link", { name: "Inbox" }).waitFor();
  });
  await check("sign-in: signing out forgets the key", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("API key or token").waitFor();
    await page.reload();
    await page.getByLabel("API key or token").waitFor();
  });
  await check("sign-in: a wrong key is refused", async () => {
    // Chromium reports the response as an error of the console.
    await browser.expecting(/ 40[13] .*\/api\/me$/, async () => {
      await page.getByLabel("API key or token").fill(`qk_${"0".repeat(64)}`);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByText("This key or token isn't valid.").waitFor();
    });
  });
  await check("sign-in: a pasted key signs in", async () => {
    await page.getByLabel("API key or token").fill(ready.apiKey);
    await page.getByLabel("API key or token").press("Enter");
    await page.getByRole("navigation").getByRole("link", { name: "Inbox" }).waitFor();
  });
  await check("frame: the language changes to Arabic and back", async () => {
    await page.getByRole("button", { name: "العربية" }).click();
    await page.getByRole("link", { name: "الوارد" }).waitFor();
    assert.equal(await page.locator("html").getAttribute("dir"), "rtl");
    await page.getByRole("button", { name: "English" }).click();
    await page.getByRole("link", { name: "Inbox" }).waitFor();
    assert.equal(await page.locator("html").getAttribute("dir"), "ltr");
  });
  await page.context().close();
}

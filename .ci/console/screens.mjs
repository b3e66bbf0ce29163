// Checks every screen in English and Arabic, light and dark, wide and narrow.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { DESKTOP, NARROW } from "./browser.mjs";
import { check } from "./report.mjs";

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** How the screens are shown. `locale` selects the language. */
const VARIANTS = [
  { name: "English, light", locale: "en-US", colorScheme: "light" },
  { name: "English, dark", locale: "en-US", colorScheme: "dark" },
  { name: "Arabic, light", locale: "ar-EG", colorScheme: "light" },
  { name: "Arabic, dark", locale: "ar-EG", colorScheme: "dark" },
];

/** Returns the violations of the accessibility rules that the page shows. */
export async function violations(page) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  const found = await page.evaluate(
    async (tags) => (await window.axe.run({ runOnly: tags, resultTypes: ["violations"] })).violations,
    TAGS,
  );
  return found.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(" ")} (${node.any.map((any) => any.message).join(" ")})`));
}

/** Returns the elements that scroll horizontally, except for code and tabs, and those that an edge of the window cuts off. */
export async function cutOff() {
  // The page arranges itself after the window has changed.
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const right = document.documentElement.clientWidth;
  const overflow = (element) => getComputedStyle(element).overflowX;
  const isTooWide = (element) =>
    element.scrollWidth > element.clientWidth + 1 &&
    (element === document.scrollingElement || ["auto", "scroll"].includes(overflow(element))) &&
    !element.matches("pre, [role=tablist]");
  const isCut = (element) => {
    const box = element.getBoundingClientRect();
    if (box.width === 0 || box.height === 0 || !element.checkVisibility({ visibilityProperty: true })) return false;
    return (box.left < -1 && box.right > 1) || (box.left < right - 1 && box.right > right + 1);
  };
  const isClipped = (element) => {
    for (let parent = element.parentElement; parent; parent = parent.parentElement) {
      if (overflow(parent) !== "visible" && !isCut(parent)) return true;
    }
    return false;
  };
  const found = [...document.querySelectorAll("*")].filter((element) => isTooWide(element) || (isCut(element) && !isClipped(element)));
  return found.slice(0, 3).map((element) => `${element.tagName.toLowerCase()}.${element.className}`);
}

/** Checks views in all variants. A view has a `name`, and `open` shows it in a page, after the views before it. */
export async function checkViews(browser, views) {
  const pages = await Promise.all(VARIANTS.map(({ locale, colorScheme }) => browser.open({ locale, colorScheme })));
  const each = async (action) => {
    const found = await Promise.all(pages.map(action));
    assert.deepEqual(found.flatMap((problems, index) => problems.map((one) => `${VARIANTS[index].name}: ${one}`)), []);
  };
  for (const { name, open } of views) {
    let isOpen = false;
    await check(`accessibility: ${name}`, async () => {
      await Promise.all(pages.map((page) => page.setViewportSize(DESKTOP)));
      await Promise.all(pages.map(open));
      isOpen = true;
      await each(violations);
    });
    await check(`320 pixels wide: ${name}`, async () => {
      assert.ok(isOpen, "it couldn't be opened");
      await each(async (page) => {
        await page.setViewportSize(NARROW);
        return page.evaluate(cutOff);
      });
    });
  }
  await Promise.all(pages.map((page) => page.context().close()));
}

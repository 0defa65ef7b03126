/** Who can use it: axe-core finds nothing serious, and a keyboard is enough. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { DESKTOP, PHONE, checkPage } from "./browser.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");

/** Lists what axe-core finds, as far as it is serious. */
async function faults(tab) {
  // Brought to their end, not waited for: one that a browser without a window never paints would never end.
  await tab.evaluate(() => document.getAnimations().filter((running) => running.effect.getTiming().iterations === 1).forEach((running) => running.finish()));
  await tab.evaluate(AXE);
  const { violations } = await tab.evaluate(() => globalThis.axe.run());
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(", ")}`);
}

for (const window of [DESKTOP, PHONE]) {
  for (const colorScheme of ["light", "dark"]) {
    checkPage({ window, colorScheme }, `axe-core finds nothing serious, ${colorScheme} at ${window.width} pixels`, async ({ page }) => {
      const { tab } = page;
      await page.open();
      await tab.locator(".example").first().waitFor();
      assert.deepEqual(await faults(tab), [], "the beginning");
      await page.ask("add buy milk and call mom");
      await page.ask("make 1 high priority");
      await page.ask("done 2");
      await page.ask("what is on my list");
      await tab.locator(".steps summary").first().click();
      await tab.getByRole("button", { name: "Good answer" }).first().click();
      assert.deepEqual(await faults(tab), [], "a conversation");
      if (window === PHONE) await tab.getByRole("button", { name: "Conversations" }).click();
      await tab.getByRole("button", { name: /^Delete “/ }).click();
      assert.deepEqual(await faults(tab), [], "a dialog");
    });
  }
}

checkPage({}, "a keyboard is enough, and drawers and dialogs give it back", async ({ page }) => {
  const { tab } = page;
  const focused = () => tab.evaluate(() => document.activeElement.id || document.activeElement.getAttribute("aria-label"));
  await page.open();
  assert.equal(await focused(), "message");
  await tab.keyboard.type("add tea");
  await tab.keyboard.press("Enter");
  await page.answers("Added “tea”");
  await page.rest();
  assert.equal(await focused(), "message");
  await tab.setViewportSize(PHONE);
  // The panels hear of it a moment later, and close.
  await tab.locator("#tasks-panel[inert]").waitFor({ state: "attached" });
  await tab.locator("#threads-panel[inert]").waitFor({ state: "attached" });
  await tab.locator("#toggle-tasks").focus();
  await tab.keyboard.press("Enter");
  assert.equal(await focused(), "close-tasks");
  for (let presses = 0; presses < 8; presses += 1) {
    await tab.keyboard.press("Tab");
    assert.equal(await tab.evaluate(() => document.activeElement.closest(".chat, .threads")), null, "what is covered is out of reach");
  }
  await tab.locator("#close-tasks").focus();
  await tab.keyboard.press("Escape");
  assert.equal(await focused(), "toggle-tasks");
});

checkPage({ settings: { DEMO_DELTA_MS: "200" } }, "who stops an answer with the keyboard can type on at once", async ({ page }) => {
  const { tab } = page;
  await page.open();
  await page.send("hello");
  await page.answers("I am a");
  await tab.keyboard.press("Tab");
  await tab.keyboard.press("Enter");
  await tab.getByText("This answer was stopped.").waitFor();
  await page.rest();
  await tab.keyboard.type("add tea");
  assert.equal(await tab.locator("#message").inputValue(), "add tea");
});

/** Lists what is smaller than a finger, in either direction. */
function smallTargets(tab) {
  const small = (node) => {
    const { width, height } = node.getBoundingClientRect();
    return width > 2 && Math.min(width, height) < 43.5;
  };
  const find = `[...document.querySelectorAll("button, summary, textarea, .task-list label, .add-task input")]`;
  return tab.evaluate(`${find}.filter((node) => node.checkVisibility({ visibilityProperty: true })).filter(${small}).map((node) => node.outerHTML.slice(0, 80))`);
}

checkPage({ window: PHONE, isMobile: true, hasTouch: true }, "what is touched is as large as a finger", async ({ page }) => {
  const { tab } = page;
  await page.open();
  assert.deepEqual(await smallTargets(tab), [], "the beginning");
  await page.ask("add tea and rice");
  await page.ask("done 1");
  await page.ask("what is on my list");
  assert.deepEqual(await smallTargets(tab), [], "a conversation");
  for (const name of ["Tasks", "Conversations"]) {
    await tab.getByRole("button", { name, exact: true }).click();
    await tab.locator("#veil").waitFor();
    assert.deepEqual(await smallTargets(tab), [], name);
    await tab.keyboard.press("Escape");
  }
});

/** Talking: a message, its answer, the tools in between, and the next message. */

import assert from "node:assert/strict";
import { DESKTOP, PHONE, checkPage } from "./browser.mjs";

const SLOW = { DEMO_DELTA_MS: "200" };

for (const window of [DESKTOP, PHONE]) {
  const at = `at ${window.width} pixels`;

  checkPage({ window }, `a message is answered, its tool step unfolds, and a second turn goes on, ${at}`, async ({ page }) => {
    await page.open();
    await page.tab.getByRole("button", { name: /^Add milk and bread/ }).click();
    await page.answers("All done! Added “milk” and “bread”.");
    await page.rest();
    const steps = page.tab.locator(".steps");
    assert.equal(await steps.locator("li").first().isVisible(), false);
    await steps.locator("summary").click();
    assert.match(await steps.innerText(), /^Add task × 2\s+Add task\s+Task created: milk[^]*Task created: bread/);
    await page.ask("what is on my list");
    await page.tab.locator(".widget", { hasText: "2. bread" }).waitFor();
    await page.rest();
    const said = await page.said();
    assert.deepEqual([said.length, said[0], said[2]], [3, "Add milk and bread", "what is on my list"], "the list is shown once");
    assert.equal(await page.tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, "it fits");
  });
}

checkPage({}, "a step that failed does not look done, and the answer does not talk of tools", async ({ page }) => {
  await page.open();
  await page.ask("add tea and delete 9");
  await page.tab.locator(".steps summary").click();
  const steps = await page.tab.locator(".steps li").evaluateAll((nodes) => nodes.map((node) => [node.className, node.querySelector("strong").textContent]));
  assert.deepEqual(steps, [["", "Add task"], ["failed", "Delete task failed"]]);
  const [, answer] = await page.said();
  assert.equal(answer, "Added “tea”.\nSorry, there is no task 9. Ask “what is on my list” to see them all.");
});

checkPage({ settings: SLOW }, "words are shown as they come, and Stop keeps what was said", async ({ page }) => {
  await page.open();
  await page.send("hello");
  await page.tab.locator(".prose", { hasText: /\w+ \w+ / }).waitFor();
  await page.tab.getByRole("button", { name: "Stop answering" }).click();
  await page.tab.getByText("This answer was stopped.").waitFor();
  await page.rest();
  const [, kept] = await page.said();
  assert.match(kept, /^\w+/);
  await page.tab.reload();
  await page.tab.getByText("This answer was stopped.").waitFor();
  const [, stored] = await page.said();
  assert.equal(stored, kept);
  const cut = page.tab.locator(".cut:visible", { hasText: "This answer was not finished." });
  assert.equal(await cut.count(), 0, "that it is cut is said once");
  await page.ask("add tea");
  await cut.waitFor();
  await page.tab.reload();
  await page.answers("Added “tea”");
  assert.equal(await cut.count(), 1);
});

checkPage({}, "Enter within a composition is no message, and Shift and Enter is a new line", async ({ page }) => {
  await page.open();
  const field = page.tab.locator("#message");
  await field.fill("add tea");
  await field.evaluate((node) => node.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true })));
  await field.press("Shift+Enter");
  assert.deepEqual([await field.inputValue(), await page.said()], ["add tea\n", []]);
});

checkPage({}, "an answer can be copied", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.open();
  await page.ask("add tea");
  await page.tab.getByRole("button", { name: "Copy answer" }).click();
  await page.tab.getByRole("button", { name: "Copied" }).waitFor();
  assert.match(await page.tab.evaluate(() => navigator.clipboard.readText()), /^Done! Added “tea”\./);
});

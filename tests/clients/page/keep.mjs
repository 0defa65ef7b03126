/** What is kept: conversations, and the list of tasks. */

import assert from "node:assert/strict";
import { DESKTOP, PHONE, checkPage } from "./browser.mjs";

checkPage({}, "a conversation is renamed, found again after a reload, and deleted", async ({ page }) => {
  await page.open();
  await page.ask("add tea");
  await page.tab.getByRole("button", { name: "Rename “add tea”" }).click();
  await page.tab.getByLabel("Name", { exact: true }).fill("Kitchen");
  await page.tab.keyboard.press("Enter");
  await page.tab.getByRole("heading", { name: "Kitchen" }).waitFor();
  await page.tab.reload();
  await page.tab.getByRole("heading", { name: "Kitchen" }).waitFor();
  await page.answers("Added “tea”");
  await page.tab.getByRole("button", { name: "Delete “Kitchen”" }).click();
  await page.tab.getByRole("button", { name: "Delete", exact: true }).click();
  await page.tab.getByText("Your conversations will be here.").waitFor();
  assert.deepEqual([new URL(page.tab.url()).hash, await page.said()], ["", []]);
});

checkPage({}, "the way back leads to the conversation before", async ({ page }) => {
  await page.open();
  await page.ask("add tea");
  await page.tab.getByRole("button", { name: "New conversation" }).click();
  await page.ask("add rice");
  await page.tab.goBack();
  await page.answers("Added “tea”");
  assert.equal((await page.said())[0], "add tea");
});

checkPage({}, "an address whose conversation is gone says so, and a new one can begin", async ({ page }) => {
  page.expect(/status of 404/);
  await page.open("/?user=ada#thr_019a0000000070008000000000000001");
  await page.tab.getByText("There is no such conversation. It may be deleted.").waitFor();
  assert.equal(new URL(page.tab.url()).hash, "");
  await page.ask("add tea");
  await page.answers("Added “tea”");
  assert.equal(await page.tab.locator(".notice").count(), 0);
});

checkPage({}, "tasks that are added elsewhere are there when one comes back to the page", async ({ page, context }) => {
  await page.open();
  await page.tab.getByText("Nothing to do yet.").waitFor();
  await context.request.post(`${page.origin}/api/ada/tasks`, { data: { title: "tea" } });
  await page.tab.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await page.tab.getByLabel("tea", { exact: true }).waitFor();
});

for (const window of [DESKTOP, PHONE]) {
  checkPage({ window }, `the list follows the chat, and a task is checked by hand, at ${window.width} pixels`, async ({ page, service }) => {
    await page.open();
    await page.ask("add buy milk and call mom");
    if (window === PHONE) await page.tab.getByRole("button", { name: "Tasks", exact: true }).click();
    await page.tab.getByLabel("call mom", { exact: true }).waitFor();
    assert.deepEqual(await page.openTasks(), ["buy milk", "call mom"]);
    await page.tab.getByLabel("buy milk", { exact: true }).check();
    await page.tab.getByText("Done (1)").waitFor();
    assert.deepEqual(await page.openTasks(), ["call mom"]);
    const tasks = await service.rows("/tasks");
    assert.deepEqual(tasks.map(({ title, status }) => [title, status]), [["buy milk", "completed"], ["call mom", "pending"]]);
  });
}

checkPage({}, "a task is added by hand, and the chat completes it by a button of its list", async ({ page }) => {
  await page.open();
  await page.tab.getByLabel("New task", { exact: true }).fill("water the plants");
  await page.tab.keyboard.press("Enter");
  await page.tab.getByLabel("water the plants", { exact: true }).waitFor();
  await page.ask("what is on my list");
  await page.tab.getByRole("button", { name: "Complete" }).click();
  await page.tab.getByText("All done.").waitFor();
  await page.tab.locator(".widget .done", { hasText: "1. water the plants" }).waitFor();
});

checkPage({}, "what a user thinks of an answer is kept, also over a reload, and a keyboard is enough for it", async ({ page, service }) => {
  await page.open();
  await page.ask("add tea");
  const thumb = (name, isPressed) => page.tab.getByRole("button", { name, pressed: isPressed });
  // It shows at once, before the service has it.
  const kept = (act) => Promise.all([page.tab.waitForResponse((answer) => answer.request().postData()?.includes("items.feedback")), act()]);
  await thumb("Bad answer", false).waitFor();
  await kept(() => thumb("Good answer", false).click());
  await thumb("Good answer", true).waitFor();
  await page.tab.reload();
  await thumb("Good answer", true).waitFor();
  await thumb("Bad answer", false).focus();
  await kept(() => page.tab.keyboard.press("Enter"));
  await thumb("Bad answer", true).waitFor();
  await thumb("Good answer", false).waitFor();
  assert.equal(await page.tab.evaluate(() => document.activeElement.getAttribute("aria-label")), "Bad answer");
  const [{ id }] = await service.rows("/conversations");
  const stored = await service.rows(`/conversations/${id}/messages?roles=assistant&order=desc`);
  assert.deepEqual(stored.map(({ feedback }) => feedback), ["negative", null]);
});

checkPage({}, "what cannot be kept of an answer's judgement is not shown as if it were", async ({ page, service }) => {
  page.expect(/net::ERR_CONNECTION_REFUSED/);
  await page.open();
  await page.ask("add tea");
  await service.kill();
  await page.tab.getByRole("button", { name: "Good answer" }).click();
  await page.tab.getByText("What you think of this answer could not be kept.").waitFor();
  await page.tab.getByRole("button", { name: "Good answer", pressed: false }).waitFor();
});

checkPage({}, "another user has conversations and tasks of their own", async ({ page }) => {
  await page.open();
  await page.ask("add tea");
  await page.tab.getByRole("button", { name: /^User\s+ada\s*Switch$/ }).click();
  await page.tab.getByLabel("User", { exact: true }).fill("grace");
  await page.tab.keyboard.press("Enter");
  await page.tab.getByText("Your conversations will be here.").waitFor();
  await page.tab.getByText("Nothing to do yet.").waitFor();
  assert.equal(new URL(page.tab.url()).search, "?user=grace");
});

/** What goes wrong on the way: a failing model, a reload, a service that dies. */

import assert from "node:assert/strict";
import { checkPage } from "./browser.mjs";
import { Provider } from "./provider.mjs";

const SLOW = { DEMO_DELTA_MS: "250" };

/** What Chromium says of itself while nobody listens. */
const NOBODY_LISTENS = /net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)/;

const provider = new Provider();
await provider.start();

checkPage({ settings: provider.settings }, "an error is shown in plain words, stays over a reload, and Retry answers", async ({ page }) => {
  provider.then(500);
  provider.then("Good morning.");
  await page.open();
  await page.send("hello");
  const error = page.tab.getByRole("alert");
  await error.waitFor();
  assert.match(await error.innerText(), /^[A-Z][^{}]*\.\s+Your message is kept\.\s+Retry$/);
  await page.tab.reload();
  await error.waitFor();
  await page.tab.getByRole("region", { name: "Messages" }).getByRole("button", { name: "Retry" }).click();
  await page.answers("Good morning.");
  await page.rest();
  assert.deepEqual([await page.said(), await error.count()], [["hello", "Good morning."], 0]);
});

checkPage({ settings: { DEMO_DELTA_MS: "500" } }, "a reload in mid-answer finds the answer and brings it to its end", async ({ page, service }) => {
  await page.open();
  await page.send("add buy milk and call mom");
  await page.tab.locator(".prose", { hasText: /All done! / }).waitFor();
  await page.tab.reload();
  await page.tab.locator("#stop").waitFor();
  await page.tab.locator(".prose", { hasText: /All done! / }).waitFor();
  assert.equal(await page.tab.locator("#stop").isVisible(), true, "it is still being written");
  await page.rest();
  const [{ id }] = await service.rows("/conversations");
  const stored = await service.rows(`/conversations/${id}/messages?roles=user,assistant`);
  assert.deepEqual(await page.said(), stored.map((message) => message.content).filter((content) => content !== ""));
  assert.deepEqual(await page.tab.locator(".steps summary").allInnerTexts(), ["Add task × 2"]);
});

checkPage({ settings: provider.settings }, "a notice stays where it was said, over a reload in mid-answer and one behind it", async ({ page }) => {
  provider.then({ text: "Half a plan", finish: "length", afterMs: 1500 });
  await page.open();
  await page.send("plan my week");
  await page.answers("Half a plan");
  await page.tab.reload();
  const notice = page.tab.locator(".notice.warning", { hasText: "The reply hit a length limit" });
  await notice.waitFor();
  await page.rest();
  assert.equal(await notice.count(), 1);
  provider.then("More of it.");
  await page.ask("go on");
  await page.tab.reload();
  await page.answers("More of it.");
  assert.equal(await notice.count(), 0, "the turn after it has none");
  await page.tab.getByRole("button", { name: "New conversation" }).click();
  provider.then({ text: "A short plan", finish: "length" });
  await page.ask("plan my day");
  await notice.waitFor();
  await page.tab.reload();
  await notice.waitFor();
  const kinds = await page.tab.locator("#log > *").evaluateAll((nodes) => nodes.map((node) => node.classList[0]));
  assert.deepEqual(kinds, ["question", "answer", "notice"]);
});

checkPage({ settings: { ...provider.settings, LLM_RETRIES: "1" } }, "that a busy model is asked again is a line that passes", async ({ page }) => {
  provider.then({ againAfter: 2 });
  provider.then("Good morning.");
  await page.open();
  await page.send("hello");
  await page.tab.locator(".progress", { hasText: "The AI service is busy; trying again." }).waitFor();
  await page.answers("Good morning.");
  await page.rest();
  const kinds = () => page.tab.locator("#log > *").evaluateAll((nodes) => nodes.map((node) => node.classList[0]));
  assert.deepEqual(await kinds(), ["question", "answer"]);
  await page.tab.reload();
  await page.answers("Good morning.");
  assert.deepEqual(await kinds(), ["question", "answer"], "nor does a reload bring it back");
});

checkPage({ settings: SLOW }, "a service that is killed in mid-answer and starts again is found, and the answer begins anew", async ({ page, service }) => {
  page.expect(NOBODY_LISTENS);
  await page.open();
  await page.send("hello");
  await page.tab.locator(".prose", { hasText: /\w+ \w+ / }).waitFor();
  await service.kill();
  await page.tab.getByText("The connection was lost. Trying again…").waitFor();
  await service.start();
  await page.rest();
  const [{ id }] = await service.rows("/conversations");
  const stored = await service.rows(`/conversations/${id}/messages`);
  assert.deepEqual(await page.said(), stored.map((message) => message.content));
  assert.deepEqual([stored.length, await page.tab.getByRole("alert").count()], [2, 0]);
});

const INTERRUPT = { ...SLOW, RUN_RECOVERY: "interrupt" };

checkPage({ settings: INTERRUPT }, "Retry can be pressed when the turn that failed is over, and not while its end is still being read", async ({ page, service }) => {
  page.expect(NOBODY_LISTENS);
  await page.open();
  await page.send("hello");
  const answer = page.tab.locator(".prose", { hasText: /\w+ \w+ / });
  await answer.waitFor();
  await page.tab.reload();
  await answer.waitFor();
  let letEndBeRead;
  const mayBeRead = new Promise((resolve) => (letEndBeRead = resolve));
  await page.tab.route("**/runs/*", async (route) => {
    await mayBeRead;
    await route.continue();
  });
  await service.kill();
  await service.start();
  const retry = page.tab.getByRole("alert").getByRole("button", { name: "Retry" });
  await retry.waitFor();
  assert.equal(await retry.isDisabled(), true);
  letEndBeRead();
  await retry.click();
  await page.rest();
  assert.deepEqual([(await page.said()).length, await page.tab.getByRole("alert").count()], [2, 0]);
});

checkPage({ settings: INTERRUPT }, "an answer that does not go on after a restart is said to be interrupted, and Retry answers", async ({ page, service }) => {
  page.expect(NOBODY_LISTENS);
  await page.open();
  await page.send("hello");
  await page.tab.locator(".prose", { hasText: /\w+ \w+ / }).waitFor();
  await service.kill();
  await page.tab.getByText("The connection was lost. Trying again…").waitFor();
  await service.start();
  await page.tab.getByRole("alert").waitFor();
  await page.tab.getByRole("region", { name: "Messages" }).getByRole("button", { name: "Retry" }).click();
  await page.rest();
  assert.equal(await page.tab.getByRole("alert").count(), 0);
  const [question, answer, ...more] = await page.said();
  assert.deepEqual([question, more], ["hello", []]);
  assert.match(answer, /\.$/);
});

checkPage({}, "a message that nobody took is kept, and Retry sends it", async ({ page, service }) => {
  page.expect(NOBODY_LISTENS);
  await page.open();
  await service.kill();
  await page.send("add tea");
  await page.tab.getByRole("alert").getByText("The service does not answer.").waitFor();
  await page.tab.getByRole("alert").getByText("Your message is not sent yet.").waitFor();
  await service.start();
  await page.tab.getByRole("region", { name: "Messages" }).getByRole("button", { name: "Retry" }).click();
  await page.answers("Added “tea”");
  await page.rest();
  assert.deepEqual(await page.openTasks(), ["tea"]);
});

checkPage({ settings: provider.settings }, "what a model says cannot become markup, nor load anything", async ({ page }) => {
  provider.then("<img src=x onerror=alert(1)> ![a](https://elsewhere.test/a.png) [b](javascript:alert(1)) <script>alert(1)</script>");
  await page.open();
  await page.ask("hello");
  await page.answers("<script>alert(1)</script>");
  const answer = page.tab.locator(".prose");
  assert.equal(await answer.locator("img, script, iframe").count(), 0);
  const links = await answer.locator("a").evaluateAll((found) => found.map((link) => [link.href, link.rel]));
  assert.deepEqual(links, [["https://elsewhere.test/a.png", "noopener noreferrer nofollow"]]);
});

/** Who is let in: the token, and what the page tells the browser to forbid. */

import assert from "node:assert/strict";
import { checkPage } from "./browser.mjs";
import { WITH_TOKENS, token } from "./service.mjs";

checkPage({ settings: WITH_TOKENS }, "where tokens are wanted the page asks for one and keeps it for the tab alone", async ({ page }) => {
  page.expect(/status of 401/);
  await page.open("/");
  const field = page.tab.getByLabel("Token", { exact: true });
  await field.fill(token("ada", -600));
  await page.tab.keyboard.press("Enter");
  await page.tab.getByText("The token was not accepted.").waitFor();
  await field.fill(token("ada", 600));
  await page.tab.keyboard.press("Enter");
  await page.ask("add tea");
  await page.answers("Task created: tea");
  await page.tab.getByRole("button", { name: "Signed in as ada; use another token" }).waitFor();
  await page.tab.reload();
  await page.answers("Task created: tea");
  assert.deepEqual(await page.tab.evaluate(() => Object.keys(localStorage)), []);
});

checkPage({}, "scripts in the page that are not its own are refused by the browser", async ({ page }) => {
  page.expect(/Content Security Policy|Trusted(HTML|Script)/);
  await page.open();
  const ran = await page.tab.evaluate(() => {
    const script = document.createElement("script");
    try {
      script.textContent = "globalThis.ran = true";
      document.head.append(script);
      document.body.innerHTML = "<b>x</b>";
    } catch {
      return "refused";
    }
    return String(globalThis.ran);
  });
  assert.equal(ran, "refused");
});

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
  await page.answers("Added “tea”");
  await page.tab.getByRole("button", { name: /^Signed in as\s+ada\s*Change$/ }).waitFor();
  await page.tab.reload();
  await page.answers("Added “tea”");
  assert.deepEqual(await page.tab.evaluate(() => Object.keys(localStorage)), []);
});

checkPage({}, "the page with the hosted component says whose it is, and loads nothing before the user wants it", async ({ page }) => {
  await page.tab.goto(`${page.origin}/chatkit-demo`);
  await page.tab.getByText("loads it from cdn.platform.openai.com").waitFor();
  const load = page.tab.getByRole("button", { name: "Load it from OpenAI" });
  page.isClean();
  page.expect(/cdn\.platform\.openai\.com|ERR_/);
  await page.tab.route("https://cdn.platform.openai.com/**", (route) => route.abort());
  await load.click();
  await page.tab.getByText("It could not be loaded. Are you online?").waitFor();
  assert.equal(await load.isEnabled(), true);
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

/**
 * Takes the pictures of the page that the documentation shows, so that they can be taken again when it changes.
 *
 * usage: with Debian's fonts-inter, after run.sh, `node target/clients/page/judge/pictures.mjs target/debug/parlor docs/pictures`
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { DESKTOP, PHONE, Page, browser, withPictureFonts } from "./browser.mjs";
import { Provider } from "./provider.mjs";
import { Service } from "./service.mjs";

const [binary, folder] = process.argv.slice(2).map((path) => resolve(path));

withPictureFonts();

/** Shows a service with these settings, lets something happen, and takes the picture. */
async function picture(name, settings, options, act) {
  const place = mkdtempSync(join(tmpdir(), "parlor-"));
  const service = new Service(binary, place, settings);
  const context = await (await browser()).newContext({ viewport: DESKTOP, reducedMotion: "reduce", ...options });
  await service.start();
  const page = new Page(await context.newPage(), service);
  await page.open("/?user=local");
  await act(page);
  await page.rest();
  await page.tab.evaluate(() => document.fonts.ready);
  await page.tab.screenshot({ path: join(folder, `${name}.png`) });
  await context.close();
  await service.kill();
  rmSync(place, { recursive: true });
}

const provider = new Provider();
await provider.start();
const words = `Here is a plan for Saturday:

1. **Morning**: buy milk and bread, before the shop is full.
2. **Noon**: call mom. She said *after twelve*.
3. **Evening**: water the plants.

| Task | Priority | Minutes |
|---|---|---:|
| Buy milk | high | 20 |
| Call mom | medium | 30 |
| Water the plants | low | 5 |

To see in a terminal what is left of it:

\`\`\`sh
curl 'localhost:8000/api/local/tasks?status=pending'
\`\`\``;

await picture("empty", {}, {}, (page) => page.tab.locator(".example").first().waitFor());
await picture("tools", {}, {}, async (page) => {
  await page.ask("Add buy milk, call mom and water the plants");
  await page.ask("done 2");
  await page.tab.locator(".steps summary").first().click();
  await page.tab.locator("#message").focus();
});
await picture("dark", provider.settings, { colorScheme: "dark" }, async (page) => {
  for (const [title, priority] of [["Buy milk", "high"], ["Call mom", "medium"], ["Water the plants", "low"]]) {
    const body = JSON.stringify({ title, priority });
    await fetch(`${page.origin}/api/local/tasks`, { method: "POST", headers: { "content-type": "application/json" }, body });
  }
  await page.tab.reload();
  await page.tab.getByLabel("Water the plants").waitFor();
  provider.then(words);
  await page.ask("Make me a plan for Saturday");
});
await picture("phone", {}, { viewport: PHONE, deviceScaleFactor: 2, isMobile: true, hasTouch: true }, async (page) => {
  await page.ask("Add buy milk and call mom");
  await page.ask("what is on my list");
});
await picture("error", provider.settings, {}, async (page) => {
  provider.then("Good morning! What is to be done today?");
  await page.ask("Good morning");
  provider.then(500);
  await page.send("Put the tax return on my list");
  await page.tab.getByRole("alert").waitFor();
});
process.exit(0);

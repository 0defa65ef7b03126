/**
 * Records a turn of the page with the demo, as pictures whose names are their times in milliseconds. From them
 * docs/pictures/animate.py makes the moving picture of the README.
 *
 * usage: with Debian's fonts-inter, after run.sh, `node target/clients/page/judge/recording.mjs target/debug/parlor FOLDER`
 */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Page, browser, withPictureFonts } from "./browser.mjs";
import { Service } from "./service.mjs";

const [binary, folder] = process.argv.slice(2).map((path) => resolve(path));

/** How long a picture stays at least, and how long a reader gets where nothing moves. */
const FRAME_MS = 90;
const REST_MS = 1200;

withPictureFonts();
const place = mkdtempSync(join(tmpdir(), "parlor-"));
const service = new Service(binary, place, { DEMO_DELTA_MS: "90" });
await service.start();
const context = await (await browser()).newContext({ viewport: { width: 1120, height: 620 }, colorScheme: "light" });
const page = new Page(await context.newPage(), service);
await page.open("/?user=local");
await page.tab.evaluate(() => document.fonts.ready);
mkdirSync(folder, { recursive: true });

let isOver = false;
const began = Date.now();
const camera = (async () => {
  while (!isOver) {
    const at = Date.now() - began;
    await page.tab.screenshot({ path: join(folder, `${String(at).padStart(6, "0")}.png`) });
    await setTimeout(Math.max(0, FRAME_MS - (Date.now() - began - at)));
  }
})();

/** Writes as a person does, and waits for the answer. */
async function say(text) {
  await page.tab.locator("#message").pressSequentially(text, { delay: 45 });
  await setTimeout(250);
  await page.tab.press("#message", "Enter");
  await page.rest();
  await setTimeout(REST_MS);
}

await setTimeout(500);
await say("add buy milk and call mom");
await say("what is on my list");
await page.tab.getByRole("button", { name: "Complete" }).first().click();
await page.tab.locator(".widget .done").waitFor();
await setTimeout(REST_MS * 1.5);
isOver = true;
await camera;
await context.close();
await service.kill();
rmSync(place, { recursive: true });
process.exit(0);

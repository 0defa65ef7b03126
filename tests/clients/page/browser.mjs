/** A browser on the page. It watches what nobody may see: errors of the console, and requests that leave the service. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { check } from "./judge.mjs";
import { Service } from "./service.mjs";

export const DESKTOP = { width: 1440, height: 900 };
export const PHONE = { width: 375, height: 720 };

/** How long the page may take for anything, in milliseconds. */
const PATIENCE = 15_000;

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

let shared;

/** Lets pictures look alike on every machine: the page takes the system's font, and here that is Debian's fonts-inter. */
export function withPictureFonts() {
  const found = execFileSync("fc-match", ["Inter"], { encoding: "utf8" });
  assert.match(found, /Inter/, "pictures want the package fonts-inter");
  process.env.FONTCONFIG_FILE = join(import.meta.dirname, "fonts.conf");
}

/** One browser for all checks; each has a profile of its own in it. */
export function browser() {
  shared ??= chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
  return shared;
}

/** Finds a port that stays the same when the service starts again. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Declares a fact about the page of a service with these settings, seen in a window like this. */
export function checkPage({ settings = {}, window = DESKTOP, ...options }, fact, act) {
  check(fact, async (binary) => {
    const folder = mkdtempSync(join(tmpdir(), "parlor-"));
    const service = new Service(binary, folder, { PORT: String(await freePort()), ...settings });
    const context = await (await browser()).newContext({ viewport: window, ...options });
    try {
      await service.start();
      const page = new Page(await context.newPage(), service);
      await act({ page, service, context });
      page.isClean();
    } finally {
      await context.close();
      await service.kill();
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

/** What a user does with the page and sees on it. */
export class Page {
  #wrongs = [];
  #expected = [];

  constructor(tab, service) {
    this.tab = tab;
    this.service = service;
    tab.setDefaultTimeout(PATIENCE);
    tab.on("pageerror", (error) => this.#wrongs.push(`error: ${error.stack}`));
    tab.on("console", (line) => ["error", "warning"].includes(line.type()) && this.#wrongs.push(line.text()));
    tab.on("request", (request) => {
      const { origin } = new URL(request.url());
      if (origin !== this.origin) this.#wrongs.push(`a request to ${origin}`);
    });
  }

  get origin() {
    return `http://127.0.0.1:${this.service.port}`;
  }

  /** Lets lines like this one of the console pass. */
  expect(line) {
    this.#expected.push(line);
  }

  isClean() {
    assert.deepEqual(this.#wrongs.filter((wrong) => !this.#expected.some((line) => line.test(wrong))), []);
  }

  async open(address = "/?user=ada") {
    await this.tab.goto(this.origin + address);
    await this.tab.locator("#threads > *, dialog[open]").first().waitFor({ state: "attached" });
  }

  async send(text) {
    await this.tab.fill("#message", text);
    await this.tab.press("#message", "Enter");
  }

  /** Sends a message and waits for the end of the answer. */
  async ask(text) {
    await this.send(text);
    await this.rest();
  }

  /** Waits until nothing is being written, after something was. */
  async rest() {
    await this.tab.locator("#stop").waitFor({ state: "hidden" });
  }

  /** Waits until an answer holds this. */
  async answers(text) {
    await this.tab.locator(".answer", { hasText: text }).last().waitFor();
  }

  /** Reads what is said, in order. */
  async said() {
    const texts = await this.tab.locator(".bubble, .prose").allInnerTexts();
    return texts.map((text) => text.trim());
  }

  /** Reads the tasks beside the chat that are open. */
  openTasks() {
    return this.tab.locator("#tasks > .task-list .text").allInnerTexts();
  }
}

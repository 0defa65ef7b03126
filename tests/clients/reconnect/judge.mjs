/** Runs checks and tells how each ended: a sentence for each, and at the end how many passed. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Proxy } from "./proxy.mjs";
import { Service } from "./service.mjs";

/** No check takes longer. */
const LIMIT_MS = 60_000;

const checks = [];

/** Declares a fact about the loop, and how it is checked. */
export function check(fact, act) {
    checks.push([fact, act]);
}

/** Declares a fact whose check needs a service with these settings and a bad network before it. */
export function checkWith(settings, fact, act) {
    check(fact, async (binary) => {
        const folder = mkdtempSync(join(tmpdir(), "parlor-"));
        const service = new Service(binary, folder, settings);
        const network = new Proxy(service);
        try {
            await service.start();
            await network.start();
            await act({ service, network });
        } finally {
            network.stop();
            await service.kill();
            rmSync(folder, { recursive: true, force: true });
        }
    });
}

/** Runs all checks against the binary that the command line names, and exits with 1 if one fails. */
export async function judge() {
    const [binary, only] = process.argv.slice(2);
    const chosen = checks.filter(([fact]) => only === undefined || fact.includes(only));
    let failed = 0;
    for (const [fact, act] of chosen) {
        const began = performance.now();
        try {
            await within(LIMIT_MS, act(binary));
            console.log(`  passed  ${fact}`);
        } catch (error) {
            failed += 1;
            console.log(`  FAILED  ${fact}\n          ${error?.stack ?? error}`);
        }
        if (process.env.TIMES) console.log(`          ${Math.round(performance.now() - began)} ms`);
    }
    console.log(`${chosen.length - failed} passed, ${failed} failed`);
    process.exit(failed === 0 ? 0 : 1);
}

async function within(ms, work) {
    let timer;
    const limit = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`it took longer than ${ms} ms`)), ms);
    });
    await Promise.race([work, limit]).finally(() => clearTimeout(timer));
}

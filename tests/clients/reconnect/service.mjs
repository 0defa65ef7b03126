/** The service as a process on SQLite: started, ended in both ways, and read without the loop that is judged. */

import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** With this secret the service wants tokens. */
const SECRET = "a secret that is known to this judge and to nobody else";

export const WITH_TOKENS = { AUTH_MODE: "jwt", JWT_SECRET: SECRET };

/** Makes a token that ends so many seconds from now. */
export function token(user, seconds) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = { sub: user, exp: Math.floor(Date.now() / 1000) + seconds };
    const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
    return `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
}

/** What runs; nothing of it outlives the judge. */
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));
process.once("SIGTERM", () => process.exit(1));

export class Service {
    /** The port that it listens on; it is another one after each start. */
    port = 0;
    #child;

    constructor(binary, folder, settings) {
        this.binary = binary;
        this.folder = folder;
        this.settings = settings;
        this.log = join(folder, "service.log");
    }

    /** Starts it and waits until it serves. */
    async start() {
        const env = {
            PATH: "/usr/bin:/bin",
            DATABASE_URL: `sqlite://${this.folder}/parlor.db`,
            PORT: "0",
            DEMO_DELTA_MS: "10",
            ...this.settings,
        };
        const stdio = ["ignore", "pipe", openSync(this.log, "a")];
        this.#child = spawn(this.binary, [], { cwd: this.folder, env, stdio });
        running.add(this.#child);
        for await (const line of createInterface({ input: this.#child.stdout })) {
            const hello = /^Parlor serves on http:\/\/127\.0\.0\.1:(\d+)$/.exec(line);
            if (hello === null) break;
            this.port = Number(hello[1]);
            return;
        }
        throw new Error(`the service did not start: ${readFileSync(this.log, "utf8").slice(-500)}`);
    }

    /** Ends it at once, as the system does when memory is short. */
    async kill() {
        await this.#end("SIGKILL");
    }

    /** Asks it to end; running turns get their grace. */
    async terminate() {
        await this.#end("SIGTERM");
    }

    async #end(signal) {
        const child = this.#child;
        if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, "exit");
        child.kill(signal);
        await ended;
        running.delete(child);
    }

    /** Sends a request past the loop and its proxy. */
    request(path, { user = "ada", ...init } = {}) {
        return fetch(`http://127.0.0.1:${this.port}/api/${user}${path}`, init);
    }

    /** Reads all rows of a page, which is never full here. */
    async rows(path) {
        const page = await (await this.request(path)).json();
        return page.data;
    }

    /** Reads a run's events from its start in one piece, by splitting text and no more. */
    async told(run) {
        const text = await (await this.request(`/runs/${run}/events`)).text();
        const frames = text.split("\n\n").filter((frame) => frame.startsWith("id: "));
        return frames.map((frame) => {
            const [id, event, data] = frame.split("\n").map((line) => line.slice(line.indexOf(": ") + 2));
            return { id: Number(id), name: event, data: JSON.parse(data) };
        });
    }

    /** Posts a message and returns once the service has it. */
    async say(question) {
        const headers = { "content-type": "application/json" };
        const answer = await this.request("/chat", { method: "POST", headers, body: JSON.stringify(question) });
        return { run: answer.headers.get("x-run-id"), conversation: answer.headers.get("x-conversation-id"), answer };
    }
}

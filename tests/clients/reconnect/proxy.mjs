/**
 * A bad network: stands between the loop and the service, and does to each connection what it was told to.
 *
 * A connection carries one request, so that the n-th fate is the n-th request's.
 */

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** Fates of a connection. */
export const pass = { bytes: Infinity };
/** Breaks off after so many bytes of the answer: with 0 as soon as an answer is there. */
export const cut = (bytes) => ({ bytes, then: "cut" });
/** The same, as a crashed machine does it: what is under way may be lost too. */
export const reset = (bytes) => ({ bytes, then: "reset" });
/** Says no more after so many bytes, and does not hang up either. */
export const stall = (bytes) => ({ bytes, then: "stall" });
/** Answers in the service's place. */
export const say = (status, headers = {}, body = "") => ({ answer: { status, headers, body } });

export class Proxy {
    /** What every connection gets whose fate was not told. */
    otherwise = pass;
    /** The requests so far: `{ method, path, headers, at }`. */
    requests = [];
    /** Called with each request before it is passed on. */
    onRequest = async () => {};
    #fates = [];
    #sockets = new Set();
    #server;

    constructor(service) {
        this.service = service;
    }

    async start() {
        this.#server = createServer((client) => this.#connection(client)).listen(0, "127.0.0.1");
        await once(this.#server, "listening");
        this.url = `http://127.0.0.1:${this.#server.address().port}`;
    }

    stop() {
        this.#server.close();
        for (const socket of this.#sockets) socket.destroy();
    }

    /** Tells what becomes of the next connections. */
    next(...fates) {
        this.#fates.push(...fates);
    }

    #keep(socket) {
        this.#sockets.add(socket);
        socket.on("close", () => this.#sockets.delete(socket));
        socket.on("error", () => socket.destroy());
    }

    #connection(client) {
        this.#keep(client);
        client.once("data", async (first) => {
            client.pause();
            // Header lines are ASCII, and a question's head and body fit into what comes first.
            const head = first.toString("latin1").replace(/\r\nconnection: [^\r]*/i, "\r\nconnection: close");
            this.requests.push(parsed(head));
            const fate = this.#fates.shift() ?? this.otherwise;
            await this.onRequest(this.requests.length);
            if (fate.answer !== undefined) client.end(rendered(fate.answer));
            else this.#forward(client, Buffer.from(head, "latin1"), fate);
        });
    }

    #forward(client, head, fate) {
        let left = fate.bytes;
        const service = connect(this.service.port, "127.0.0.1");
        this.#keep(service);
        service.on("close", () => {
            if (fate.then === "reset" && left <= 0) client.resetAndDestroy();
            else if (fate.then !== "stall") client.end();
        });
        client.on("close", () => service.destroy());
        service.on("error", () => client.destroy());
        service.write(head);
        client.on("data", (bytes) => service.write(bytes));
        client.resume();
        service.on("data", (bytes) => {
            client.write(bytes.subarray(0, Math.min(left, bytes.length)));
            left -= bytes.length;
            if (left <= 0) service.destroy();
        });
    }
}

function parsed(head) {
    const [[line], ...fields] = head.split("\r\n\r\n", 1)[0].split("\r\n").map((row) => row.split(": "));
    const [method, path] = line.split(" ");
    return { method, path, headers: Object.fromEntries(fields), at: performance.now() };
}

function rendered({ status, headers, body }) {
    const all = { "connection": "close", "content-length": Buffer.byteLength(body), ...headers };
    const fields = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    return `HTTP/1.1 ${status} so\r\n${fields.join("")}\r\n${body}`;
}

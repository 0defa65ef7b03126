/**
 * Reads server-sent events from bytes as they arrive, cut anywhere: in a character, in a line, between CR and LF.
 *
 * The browser's EventSource knows all this too, but can neither post nor send a token.
 */

export interface Frame {
    /** The last id so far: an event without one keeps that of the one before. */
    id: string;
    event: string;
    data: string;
}

export class Frames {
    /** How long the service wants a client to wait before it comes back. */
    retryMs?: number;
    readonly #decoder = new TextDecoder();
    #rest = "";
    #id = "";
    #event = "";
    #data: string[] = [];

    /** Returns the events that these bytes complete. One that is never completed is never returned. */
    push(bytes: Uint8Array): Frame[] {
        const text = this.#rest + this.#decoder.decode(bytes, { stream: true });
        // A CR at the very end stays: it may be half of a CRLF.
        const lines = text.split(/\r\n|\n|\r(?!$)/);
        this.#rest = lines.pop() ?? "";
        return lines.map((line) => this.#take(line)).filter((frame) => frame !== undefined);
    }

    #take(line: string): Frame | undefined {
        if (line === "") return this.#complete();
        const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
        if (name === "data") this.#data.push(value);
        if (name === "event") this.#event = value;
        if (name === "id" && !value.includes("\0")) this.#id = value;
        if (name === "retry" && /^\d+$/.test(value)) this.retryMs = Number(value);
        return undefined; // A comment has no name, and other names have no meaning.
    }

    #complete(): Frame | undefined {
        const frame = { id: this.#id, event: this.#event, data: this.#data.join("\n") };
        const isEmpty = this.#data.length === 0;
        this.#event = "";
        this.#data = [];
        return isEmpty ? undefined : frame;
    }
}

/**
 * A turn with Parlor, from the message to its end, whatever the network does in between.
 *
 * It has no dependencies and runs in browsers and in Node.js 20 or newer. ../clients.md tells the rules it follows.
 */

import { ENDS, NAMES, type TurnEvent } from "./events.js";
import { type Frame, Frames } from "./sse.js";

export { Texts, type TurnEvent } from "./events.js";

/** Where the service is, and for whom. */
export interface Service {
    /** Such as `https://parlor.example.org`, without a slash at its end. */
    url: string;
    user: string;
    /** Returns the bearer token. `isRefused` says that the service has just refused the last one: get a new one. */
    token?: (isRefused: boolean) => Promise<string>;
}

/** The question, as the service wants it. */
export interface Question {
    message: string;
    conversation_id?: string;
    provider?: string;
    model?: string;
    timezone?: string;
    metadata?: Record<string, string>;
}

/** What must outlive the page or the app until the turn has ended. It is plain JSON. */
export interface Saved {
    /** The Idempotency-Key: a new one for each question, the same one for each try. */
    readonly key: string;
    /** Sent again as it is. A conversation that the first try began is not added here. */
    readonly question: Question;
    /** Known as soon as the service has the message. From then on nothing is posted any more. */
    runId?: string;
    conversationId?: string;
    /** The last event that was heard of the run. */
    lastEventId: number;
}

export interface Options {
    /** Ends the following at once. The run goes on; to end it, cancel it. */
    signal?: AbortSignal;
    /** How many times in a row nothing may come of a try. */
    tries?: number;
    longestPauseMs?: number;
    /** The service breaks every silence after 15 s, so a longer one means that the connection is dead. */
    longestSilenceMs?: number;
}

/** The service said no, and would say so again. */
export class Refused extends Error {
    constructor(readonly status: number, readonly code: string, detail: string, readonly activeRunId?: string) {
        super(detail);
    }
}

/** Begins a turn. Keep what it returns, then hand it to `turn`. */
export function ask(question: Question): Saved {
    return { key: crypto.randomUUID(), question, lastEventId: 0 };
}

/**
 * Sends the question if the service does not have it yet, then tells what happens, each event once, up to the end.
 * `saved` is brought up to date before each event. What was saved once can be given to it again at any time.
 *
 * While another run has the conversation, that run is told, with its own `runId`; then the question is sent again.
 */
export async function* turn(service: Service, saved: Saved, options: Options = {}): AsyncGenerator<TurnEvent, void> {
    const line = new Line(service, options);
    for (;;) {
        try {
            const answer = await line.send(saved.runId === undefined ? post(saved) : events(saved.runId, saved));
            if (answer.status === 204) return; // The end was heard before.
            learn(saved, answer.headers);
            for await (const frame of line.listen(answer)) {
                // Ids are compared, not counted: there may be gaps.
                if (!(Number(frame.id) > saved.lastEventId)) continue;
                const event = known(frame, saved);
                saved.lastEventId = Number(frame.id);
                line.heard();
                if (event === undefined) continue;
                yield event;
                if (ENDS.includes(event.name)) return;
            }
            line.lost(new Error("the answer ended before its run"));
        } catch (error) {
            const active = error instanceof Refused && saved.runId === undefined ? error.activeRunId : undefined;
            if (active === undefined) line.lost(error);
            else yield* turn(service, { ...saved, runId: active, lastEventId: 0 }, options);
        }
        await line.pause();
    }
}

/** A run as `GET /runs/{id}` tells it. */
export interface Run {
    id: string;
    conversation_id: string;
    status: "running" | "completed" | "failed" | "cancelled" | "awaiting_approval";
    error: null | { code: string; message: string; retryable: boolean };
}

/** Waits for the end of a run without a stream, for places that have none. The messages are then read as a page. */
export async function poll(service: Service, runId: string, everyMs = 2000, options: Options = {}): Promise<Run> {
    const line = new Line(service, options);
    for (;;) {
        try {
            const run = await line.read<Run>({ path: `/runs/${runId}` });
            if (run.status !== "running") return run;
            line.heard();
            await sleep(everyMs, options.signal);
        } catch (error) {
            line.lost(error);
            await line.pause();
        }
    }
}

interface Request {
    path: string;
    method?: string;
    headers?: Record<string, string>;
    body?: string;
}

function learn(saved: Saved, headers: Headers): void {
    const [run, conversation] = [headers.get("x-run-id"), headers.get("x-conversation-id")];
    if (run !== null) saved.runId = run;
    if (conversation !== null) saved.conversationId = conversation;
}

/** Reads an event, unless it is one of a newer service. */
function known({ id, event, data }: Frame, { runId = "" }: Saved): TurnEvent | undefined {
    if (!NAMES.includes(event)) return undefined;
    return { name: event, id: Number(id), runId, data: JSON.parse(data) } as TurnEvent;
}

function post({ key, question }: Saved): Request {
    const headers = { "content-type": "application/json", "accept": "text/event-stream", "idempotency-key": key };
    return { path: "/chat", method: "POST", headers, body: JSON.stringify(question) };
}

function events(runId: string, { lastEventId }: Saved): Request {
    return { path: `/runs/${runId}/events`, headers: { "last-event-id": String(lastEventId) } };
}

/** The way to the service: tokens, silences, and how long to wait before the next try. */
class Line {
    #cut = new AbortController();
    #failures = 0;
    #pauseMs = 1000;
    #notBeforeMs = 0;
    #isTokenRefused = false;

    constructor(readonly service: Service, readonly options: Options) {}

    /** Sends a request once, or twice if the token was too old. Returns an answer that can be read. */
    async send(request: Request): Promise<Response> {
        this.#cut = new AbortController();
        const answer = await this.#within(() => this.#fetch(request));
        if (answer.ok) {
            this.#isTokenRefused = false;
            return answer;
        }
        const text = await this.#within(() => answer.text());
        if (answer.status === 401 && this.service.token !== undefined && !this.#isTokenRefused) {
            this.#isTokenRefused = true;
            return this.send(request);
        }
        if (answer.status === 429 || answer.status >= 500) {
            this.#notBeforeMs = retryAfterMs(answer.headers.get("retry-after"));
            throw new Error(`the service answered ${answer.status}`);
        }
        throw refusal(answer.status, text);
    }

    /** Reads a small answer whole. */
    async read<T>(request: Request): Promise<T> {
        const answer = await this.send(request);
        return (await this.#within(() => answer.json())) as T;
    }

    /** Tells the events of an answer until it ends or breaks off. */
    async *listen(answer: Response): AsyncGenerator<Frame, void> {
        const reader = answer.body?.getReader();
        const frames = new Frames();
        try {
            while (reader !== undefined) {
                const { done, value } = await this.#within(() => reader.read());
                if (done) return;
                yield* frames.push(value);
                this.#pauseMs = frames.retryMs ?? this.#pauseMs;
            }
        } finally {
            this.#cut.abort();
        }
    }

    /** Notes that the service is well. */
    heard(): void {
        this.#failures = 0;
    }

    /** Notes that nothing came of a try; throws if another one would be in vain. */
    lost(error: unknown): void {
        this.#cut.abort();
        this.options.signal?.throwIfAborted();
        if (error instanceof Refused || this.#failures >= (this.options.tries ?? 20)) throw error;
    }

    /** Waits before the next try: longer from failure to failure, and not as long as everybody else. */
    async pause(): Promise<void> {
        const most = Math.min(this.options.longestPauseMs ?? 30_000, this.#pauseMs * 2 ** this.#failures);
        const pauseMs = this.#notBeforeMs + Math.random() * most;
        this.#failures += 1;
        this.#notBeforeMs = 0;
        await sleep(pauseMs, this.options.signal);
    }

    async #fetch({ path, ...request }: Request): Promise<Response> {
        const { url, user, token } = this.service;
        const headers = new Headers(request.headers);
        if (token !== undefined) headers.set("authorization", `Bearer ${await token(this.#isTokenRefused)}`);
        const address = `${url}/api/${encodeURIComponent(user)}${path}`;
        return fetch(address, { ...request, headers, signal: this.#cut.signal });
    }

    /** Waits for the network, but not for ever, and not for longer than the caller wants. */
    async #within<T>(work: () => Promise<T>): Promise<T> {
        const { signal, longestSilenceMs = 45_000 } = this.options;
        signal?.throwIfAborted();
        const stop = () => this.#cut.abort();
        const timer = setTimeout(stop, longestSilenceMs);
        signal?.addEventListener("abort", stop);
        try {
            return await work();
        } finally {
            clearTimeout(timer);
            signal?.removeEventListener("abort", stop);
        }
    }
}

function refusal(status: number, text: string): Refused {
    try {
        const { code, detail, active_run_id } = JSON.parse(text);
        return new Refused(status, String(code), String(detail), active_run_id);
    } catch {
        return new Refused(status, "unknown", `the service answered ${status}`);
    }
}

/** Reads Retry-After: seconds, or a date as some proxies send it. */
function retryAfterMs(header: string | null): number {
    if (header === null) return 0;
    const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
    return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
        const wake = () => {
            clearTimeout(timer);
            signal?.removeEventListener("abort", wake);
            if (signal?.aborted) reject(signal.reason);
            else resolve();
        };
        const timer = setTimeout(wake, ms);
        signal?.addEventListener("abort", wake);
        if (signal?.aborted) wake();
    });
}

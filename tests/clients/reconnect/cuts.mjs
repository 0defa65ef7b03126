/** The loop against a network that breaks: nothing is missing at the end, and nothing is there twice. */

import assert from "node:assert/strict";
import { checkWith } from "./judge.mjs";
import { cut, reset, say, stall } from "./proxy.mjs";
import { Texts, ask, turn } from "./turn.js";

/** As the app would wait, but not as long. */
export const QUICK = { longestPauseMs: 20 };

/** What the loop takes for the longest silence of a connection that lives. */
const SILENCE_MS = 45_000;

const QUESTION = { message: "add Grüße an 🐢 and naïve café" };

/** Follows a turn to its end and returns what an app would have. */
export async function follow(network, saved, options = {}, service = {}) {
    const heard = [];
    const texts = new Texts();
    for await (const event of turn({ url: network.url, user: "ada", ...service }, saved, { ...QUICK, ...options })) {
        heard.push(event);
        texts.take(event);
    }
    return { heard, texts: [...texts.shown.values()], end: heard.at(-1) };
}

/** What was heard, as the service tells it to somebody who was never cut off. */
export const plain = (heard) => heard.map(({ id, name, data }) => ({ id, name, data }));

/** The texts of the assistant in storage. */
export async function stored(service, conversation) {
    const rows = await service.rows(`/conversations/${conversation}/messages?roles=assistant&limit=100`);
    return rows.map((row) => row.content).filter((content) => content !== "");
}

/** A turn was heard whole: as the service tells it in one piece, with ids without gap, its text as it is stored. */
export async function assertWhole(service, saved, { heard, texts }) {
    assert.deepEqual(plain(heard), await service.told(saved.runId));
    assert.deepEqual(heard.map((event) => event.id), heard.map((_, index) => index + 1));
    assert.deepEqual(texts, await stored(service, saved.conversationId));
}

/** Numbers from 0 to 1 that look random and are the same in every run. */
function* numbers(state) {
    for (;;) yield (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

checkWith({}, "A turn that nothing disturbs is told whole, over one connection.", async ({ service, network }) => {
    const saved = ask(QUESTION);
    const turned = await follow(network, saved);
    await assertWhole(service, saved, turned);
    assert.equal(turned.end.name, "run.completed");
    assert.match(turned.texts[0], /Grüße an 🐢.*naïve café/s);
    assert.equal(network.requests.length, 1);
});

checkWith({}, "Cut off once, at any of twenty points, it is told whole all the same.", async ({ service, network }) => {
    await follow(network, ask(QUESTION));
    const length = (await (await service.request("/chat", posted())).text()).length + 500;
    const random = numbers(42);
    for (let round = 0; round < 20; round++) {
        const point = Math.floor(random.next().value * length);
        const saved = ask(QUESTION);
        const before = network.requests.length;
        network.next(round % 2 === 0 ? cut(point) : reset(point));
        const turned = await follow(network, saved);
        await assertWhole(service, saved, turned);
        assert.equal(network.requests.length, before + 2, `cut at ${point} of ${length}`);
    }
});

checkWith({}, "With every connection cut after a little it is told whole, in many pieces.", async ({ service, network }) => {
    const saved = ask(QUESTION);
    const random = numbers(7);
    network.next(...Array.from({ length: 200 }, () => cut(750 + Math.floor(random.next().value * 400))));
    await assertWhole(service, saved, await follow(network, saved, { tries: 5 }));
    assert.ok(network.requests.length > 8, `${network.requests.length} connections`);
    const asked = network.requests.flatMap(({ headers }) => headers["last-event-id"] ?? []).map(Number);
    assert.deepEqual(asked, asked.toSorted((a, b) => a - b), "it never asked for less than before");
    assert.ok(asked.at(-1) > 10, `it asked behind ${asked}`);
});

checkWith({}, "A question whose answer is lost before its headers is asked once.", async ({ service, network }) => {
    const saved = ask(QUESTION);
    network.next(cut(0), cut(0), cut(60));
    await assertWhole(service, saved, await follow(network, saved));
    const posts = network.requests.filter(({ method }) => method === "POST");
    assert.deepEqual(posts.map(({ headers }) => headers["idempotency-key"]), Array(4).fill(saved.key));
    const conversations = await service.rows("/conversations");
    assert.deepEqual(conversations.map(({ id }) => id), [saved.conversationId]);
    const questions = await service.rows(`/conversations/${saved.conversationId}/messages?roles=user`);
    assert.deepEqual(questions.map(({ content }) => content), [QUESTION.message]);
});

checkWith({}, "A connection that falls silent without a word is given up.", async ({ service, network }) => {
    const saved = ask(QUESTION);
    network.next(stall(0), stall(1500));
    await assertWhole(service, saved, await follow(network, saved, { longestSilenceMs: 400 }));
    assert.equal(network.requests.length, 3);
});

const SILENT = { HEARTBEAT: "0.1", DEMO_DELTA_MS: "500" };

checkWith(SILENT, "A silence that the service breaks is borne.", async ({ service, network }) => {
    const saved = ask({ message: "list" });
    await assertWhole(service, saved, await follow(network, saved, { longestSilenceMs: 400 }));
    assert.equal(network.requests.length, 1);
});

checkWith({}, "The pauses grow from failure to failure, up to their limit.", async ({ network }) => {
    network.otherwise = say(500);
    const paused = await pauses(() => follow(network, ask(QUESTION), { tries: 7, longestPauseMs: 30_000 }));
    assert.deepEqual(paused, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
});

checkWith({}, "They begin with what the service asks for.", async ({ network }) => {
    network.next(say(200, { "x-run-id": "r" }, "retry: 50\n\n"));
    network.otherwise = say(500);
    const paused = await pauses(() => follow(network, ask(QUESTION), { tries: 3, longestPauseMs: 30_000 }));
    assert.deepEqual(paused, [50, 100, 200]);
});

/** Returns the longest pauses that the loop may make until it gives up. They are judged without waiting for them. */
async function pauses(act) {
    const paused = [];
    const { setTimeout: setTimer } = globalThis;
    const { random } = Math;
    const shorten = (ms) => (ms === SILENCE_MS ? ms : (paused.push(ms), 0));
    globalThis.setTimeout = (wake, ms, ...rest) => setTimer(wake, shorten(ms), ...rest);
    Math.random = () => 1;
    try {
        await assert.rejects(act(), /answered 500/);
        return paused;
    } finally {
        globalThis.setTimeout = setTimer;
        Math.random = random;
    }
}

function posted() {
    const headers = { "content-type": "application/json" };
    return { method: "POST", headers, body: JSON.stringify(QUESTION) };
}

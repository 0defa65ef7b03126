/** Judges the Kotlin loop as the TypeScript one is judged: as a process of its own, in the same bad network. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { checkWith, judge } from "../judge.mjs";
import { cut, reset, say, stall } from "../proxy.mjs";
import { WITH_TOKENS, token } from "../service.mjs";

const JAR = process.env.KOTLIN_LOOP;
const QUESTION = { message: "add Grüße an 🐢 and naïve café" };
const STORY = { message: "what can you do" };

/** Follows a turn to its end and returns what was heard of it; `onWord` is called with each line that a word brings. */
async function follow(network, { question = QUESTION, user = "ada", closeAfter = 0, tokens = [], onWord } = {}) {
    const words = [network.url, user, JSON.stringify(question), String(closeAfter), ...tokens];
    const child = spawn("java", ["-Dstdout.encoding=UTF-8", "-Dfile.encoding=UTF-8", "-jar", JAR, ...words]);
    const complaint = text(child.stderr);
    const heard = [];
    const ended = once(child, "close");
    for await (const line of createInterface({ input: child.stdout })) {
        const [id, name, run, data] = line.split("\t");
        heard.push({ id: Number(id), name, run, data: JSON.parse(data) });
        if (name === "message.delta") onWord?.();
    }
    const [code] = await ended;
    assert.equal(code, 0, await complaint);
    const saved = heard.pop();
    return { heard, run: saved.run, lastEventId: saved.id };
}

const plain = (heard) => heard.map(({ id, name, data }) => ({ id, name, data }));

async function assertWhole(service, { heard, run }) {
    assert.deepEqual(plain(heard), await service.told(run));
}

checkWith({}, "A turn that nothing disturbs is told whole.", async ({ service, network }) => {
    await assertWhole(service, await follow(network));
    assert.equal(network.requests.length, 1);
});

checkWith({}, "Cut off at any of twelve points, it is told whole all the same.", async ({ service, network }) => {
    for (let round = 0; round < 12; round++) {
        network.next((round % 2 === 0 ? cut : reset)(60 + round * 330));
        await assertWhole(service, await follow(network));
    }
});

checkWith({}, "With every connection cut after a little it is told whole.", async ({ service, network }) => {
    network.next(...Array.from({ length: 100 }, (_, index) => cut(600 + 37 * (index % 9))));
    await assertWhole(service, await follow(network));
    assert.ok(network.requests.length > 8);
});

checkWith({}, "A question whose answer is lost is asked once, and silence is given up.", async ({ service, network }) => {
    network.next(cut(0), stall(0), stall(1500));
    await assertWhole(service, await follow(network));
    const keys = network.requests.flatMap(({ headers }) => headers["Idempotency-Key"] ?? []);
    assert.deepEqual(keys, Array(3).fill(keys[0]));
    assert.equal((await service.rows("/conversations")).length, 1);
});

checkWith({ DEMO_DELTA_MS: "100" }, "A service that is killed and comes back tells its end.", async ({ service, network }) => {
    let replaced;
    const replace = () => (replaced ??= service.kill().then(() => service.start()));
    const { heard, run } = await follow(network, { question: STORY, onWord: replace });
    await replaced;
    const { status, last_event_id } = await (await service.request(`/runs/${run}`)).json();
    assert.ok(["failed", "completed"].includes(status), status);
    assert.deepEqual([heard.at(-1).name, heard.at(-1).id], [`run.${status}`, last_event_id]);
});

checkWith({ DEMO_DELTA_MS: "30" }, "A conversation that is busy is followed first.", async ({ service, network }) => {
    const other = await service.say(STORY);
    await other.answer.body.cancel();
    const { heard, run } = await follow(network, { question: { message: "list", conversation_id: other.conversation } });
    for (const each of [other.run, run]) {
        assert.deepEqual(plain(heard.filter((event) => event.run === each)), await service.told(each));
    }
});

checkWith(WITH_TOKENS, "A token that ends in mid-turn is replaced.", async ({ network }) => {
    const user = "auth0|ada";
    network.next(cut(1500));
    const { heard } = await follow(network, { user, tokens: [600, -600, 600].map((left) => token(user, left)) });
    assert.equal(heard.at(-1).name, "run.completed");
});

checkWith({}, "Told to wait, it waits, be it in seconds or as a date.", async ({ service, network }) => {
    const date = new Date(Date.now() + 4000).toUTCString();
    network.next(say(429, { "retry-after": "1" }), say(503, { "retry-after": date }));
    await assertWhole(service, await follow(network));
    const [first, second, third] = network.requests.map(({ at }) => at);
    assert.ok(second - first >= 990 && performance.timeOrigin + third >= Date.parse(date) - 10);
});

checkWith({ DEMO_DELTA_MS: "100" }, "A turn that is closed ends at once, and its run goes on.", async ({ service, network }) => {
    const { heard, run, lastEventId } = await follow(network, { question: STORY, closeAfter: 5 });
    assert.ok(heard.length <= 7 && lastEventId === heard.at(-1).id, `${heard.length} events`);
    assert.equal((await (await service.request(`/runs/${run}`)).json()).status, "running");
});

checkWith({}, "What is refused for good is not asked again.", async ({ network }) => {
    const gone = { message: "hi", conversation_id: "01a1f7f2-045b-7000-8000-000000000000" };
    await assert.rejects(follow(network, { question: gone }), /not_found/);
    assert.equal(network.requests.length, 1);
});

await judge();

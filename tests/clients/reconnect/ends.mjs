/** The loop against a service that stops, refuses or forgets. */

import assert from "node:assert/strict";
import { QUICK, assertWhole, follow, plain, stored } from "./cuts.mjs";
import { checkWith } from "./judge.mjs";
import { cut, pass, say } from "./proxy.mjs";
import { WITH_TOKENS, token } from "./service.mjs";
import { Refused, Texts, ask, poll, turn } from "./turn.js";

const SLOW = { DEMO_DELTA_MS: "100" };
const UNHURRIED = { DEMO_DELTA_MS: "30" };
const STORY = { message: "what can you do" };

/** Follows a turn and acts once, when so many words of it were heard. */
async function followUntil(network, saved, words, act, options) {
    const heard = [];
    const texts = new Texts();
    for await (const event of turn({ url: network.url, user: "ada" }, saved, { ...QUICK, tries: 200, ...options })) {
        heard.push(event);
        texts.take(event);
        if (heard.filter(({ name }) => name === "message.delta").length === words) {
            words = -1;
            await act(texts);
        }
    }
    return { heard, texts: [...texts.shown.values()], end: heard.at(-1) };
}

for (const [words, fact] of [
    [15, "A service that is killed in mid-answer and comes back finishes the turn."],
    [1, "Words of a message that the service had not even saved are taken off the screen."],
]) {
    checkWith(SLOW, fact, async ({ service, network }) => {
        const saved = ask(STORY);
        const { heard, texts, end } = await followUntil(network, saved, words, async () => {
            await service.kill();
            setTimeout(() => service.start(), 100);
        });
        const run = await (await service.request(`/runs/${saved.runId}`)).json();
        assert.deepEqual([end.name, run.status, run.attempt], ["run.completed", "completed", 2]);
        assert.deepEqual(texts, await stored(service, saved.conversationId));
        const ids = heard.map(({ id }) => id);
        assert.deepEqual(ids, [...new Set(ids)].sort((a, b) => a - b), "each once, in their order");
        assert.ok(end.id > 10_000_000, "the end is that of another attempt");
    });
}

checkWith(SLOW, "A service that is replaced finishes its turn and takes the next one later.", async ({ service, network }) => {
    const [running, next] = [ask(STORY), ask({ message: "list" })];
    let stopped, second;
    const first = await followUntil(network, running, 1, async () => {
        stopped = service.terminate().then(() => service.start());
        while ((await fetch(`http://127.0.0.1:${service.port}/health/ready`)).status === 200);
        second = follow(network, next, { tries: 200 });
    });
    assert.equal(first.end.name, "run.completed");
    await stopped;
    assert.equal((await second).end.name, "run.completed");
    const [refused, again] = network.requests.filter(({ headers }) => headers["idempotency-key"] === next.key);
    assert.ok(again.at - refused.at >= 1990, `it came back after ${again.at - refused.at} ms and was told 2 s`);
});

checkWith({}, "Told to wait, it waits, be it in seconds or as a date.", async ({ service, network }) => {
    const saved = ask({ message: "list" });
    const date = new Date(Date.now() + 3000).toUTCString();
    network.next(say(429, { "retry-after": "1" }), say(503, { "retry-after": date }));
    await assertWhole(service, saved, await follow(network, saved));
    const [first, second, third] = network.requests.map(({ at }) => at);
    assert.ok(second - first >= 990, `${second - first} ms`);
    assert.ok(performance.timeOrigin + third >= Date.parse(date) - 10, "not before the date");
});

checkWith(WITH_TOKENS, "A token that ends in mid-turn is replaced, and the turn goes on.", async ({ service, network }) => {
    const user = "auth0|ada";
    const asked = [];
    // As an app whose token has become too old since it fetched it.
    const ages = [600, -600, 600];
    const source = async (isRefused) => {
        asked.push(isRefused);
        return token(user, ages.shift() ?? 600);
    };
    const saved = ask({ message: "list" });
    network.next(cut(1500));
    const { heard } = await follow(network, saved, {}, { user, token: source });
    assert.deepEqual(asked, [false, false, true]);
    const headers = { authorization: `Bearer ${token(user, 600)}` };
    const run = await (await service.request(`/runs/${saved.runId}`, { user, headers })).json();
    assert.deepEqual([heard.at(-1).id, run.status], [run.last_event_id, "completed"]);
    assert.deepEqual(heard.map(({ id }) => id), heard.map((_, index) => index + 1));
});

checkWith(WITH_TOKENS, "A service that refuses the new token too is believed.", async ({ network }) => {
    const source = async () => token("ada", -600);
    await assert.rejects(follow(network, ask(STORY), {}, { token: source }), (error) => {
        assert.ok(error instanceof Refused);
        return error.status === 401 && error.code === "unauthenticated";
    });
    assert.equal(network.requests.length, 2);
});

checkWith(UNHURRIED, "A conversation that is busy is followed first, then the question is asked.", async ({ service, network }) => {
    const other = await service.say(STORY);
    await other.answer.body.cancel();
    const saved = ask({ message: "list", conversation_id: other.conversation });
    const { heard } = await follow(network, saved);
    const of = (run) => plain(heard.filter(({ runId }) => runId === run));
    assert.deepEqual(of(other.run), await service.told(other.run));
    assert.deepEqual(of(saved.runId), await service.told(saved.runId));
    assert.notEqual(other.run, saved.runId);
    const questions = await service.rows(`/conversations/${other.conversation}/messages?roles=user`);
    assert.deepEqual(questions.map(({ content }) => content), [STORY.message, "list"]);
});

checkWith(UNHURRIED, "An app that was closed goes on from what it saved, to the end and no further.", async ({ service, network }) => {
    const closing = new AbortController();
    const before = ask(STORY);
    const heard = [];
    const leaving = async () => {
        for await (const event of turn({ url: network.url, user: "ada" }, before, { signal: closing.signal })) {
            heard.push(event);
            if (heard.length === 5) closing.abort(new Error("closed"));
        }
    };
    await assert.rejects(leaving(), /closed/);
    const saved = JSON.parse(JSON.stringify(before));
    const rest = await follow(network, saved);
    assert.deepEqual(plain([...heard, ...rest.heard]), await service.told(saved.runId));
    assert.deepEqual((await follow(network, saved)).heard, []);
});

checkWith({ LIVE_LOG: "0" }, "After the sweep whole messages stand for the words.", async ({ service, network }) => {
    const saved = ask({ message: "add milk" });
    const live = await follow(network, saved);
    const later = await follow(network, { ...saved, lastEventId: 0 });
    const lasting = live.heard.filter(({ name }) => !["message.delta", "notice"].includes(name));
    assert.deepEqual(plain(later.heard), plain(lasting));
    assert.deepEqual(later.texts, live.texts);
    const halfway = live.heard.find(({ name }) => name === "message.delta").id;
    const rest = await follow(network, { ...saved, lastEventId: halfway });
    assert.deepEqual(rest.texts, await stored(service, saved.conversationId));
});

checkWith({}, "Where there is no stream, polling finds the end.", async ({ service, network }) => {
    const { run, conversation, answer } = await service.say(STORY);
    await answer.body.cancel();
    network.next(cut(0), say(503));
    const ended = await poll({ url: network.url, user: "ada" }, run, 20, QUICK);
    assert.equal(ended.status, "completed");
    assert.equal(ended.conversation_id, conversation);
    assert.equal((await stored(service, conversation)).length, 1);
});

checkWith({}, "Out of tries it says so, and what was saved is good for later.", async ({ service, network }) => {
    const saved = ask(STORY);
    network.otherwise = cut(0);
    await assert.rejects(follow(network, saved, { tries: 3 }));
    assert.equal(network.requests.length, 4);
    network.otherwise = pass;
    await assertWhole(service, saved, await follow(network, saved));
});

checkWith({}, "What is refused for good is not asked again.", async ({ service, network }) => {
    const gone = "01a1f7f2-045b-7000-8000-000000000000";
    for (const [saved, status, code] of [
        [ask({ message: "hi", conversation_id: gone }), 404, "not_found"],
        [{ ...ask(STORY), runId: gone }, 404, "not_found"],
        [ask({ message: " " }), 422, "invalid_request"],
    ]) {
        const before = network.requests.length;
        await assert.rejects(follow(network, saved), { status, code });
        assert.equal(network.requests.length, before + 1);
    }
    const saved = ask(STORY);
    await follow(network, saved);
    const changed = { ...ask({ message: "list" }), key: saved.key };
    await assert.rejects(follow(network, changed), { status: 422, code: "idempotency_key_reused" });
    await service.request(`/conversations/${saved.conversationId}`, { method: "DELETE" });
    await assert.rejects(follow(network, { ...saved, lastEventId: 0 }), { status: 404 });
});

checkWith({}, "What comes twice counts once, what is unknown is left out, what is taken back is gone.", async ({ network }) => {
    const frame = (id, name, data) => `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
    const body = [
        frame(1, "run.created", { run_id: "r", colour: "blue" }),
        "id: 2\nevent: reasoning.delta\ndata: not even JSON\n\n",
        frame(3, "message.delta", { message_id: "a", delta: "Half" }),
        frame(3, "message.delta", { message_id: "a", delta: "Half" }),
        frame(10_000_001, "message.discarded", { message_id: "a" }),
        frame(10_000_002, "message.delta", { message_id: "b", delta: "Who" }),
        frame(10_000_003, "message.completed", { message_id: "b", content: "Whole.", incomplete: false }),
        frame(10_000_004, "run.completed", { run_id: "r", usage: {} }),
        "data: [DONE]\n\n",
    ];
    network.next(say(200, { "x-run-id": "r", "content-type": "text/event-stream" }, body.join("")));
    const texts = new Texts();
    const shown = [];
    for await (const event of turn({ url: network.url, user: "ada" }, ask(STORY), QUICK)) {
        texts.take(event);
        shown.push([event.id, ...texts.shown.values()]);
    }
    const ids = [10_000_001, 10_000_002, 10_000_003, 10_000_004];
    assert.deepEqual(shown, [[1], [3, "Half"], [ids[0]], [ids[1], "Who"], [ids[2], "Whole."], [ids[3], "Whole."]]);
});

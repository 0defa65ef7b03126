/** What a run's native events become on the page, without a browser: the two parts that know neither network nor DOM. */

import assert from "node:assert/strict";
import { check } from "./judge.mjs";
import { Translator } from "./web/native.js";
import { Thread } from "./web/thread.js";

const ID = "019a0000-0000-7000-8000-000000000001";

/** Shows events in a thread and returns the kinds of what is shown after each. */
function kinds(events) {
  const [thread, translator] = [new Thread(), new Translator()];
  return events.map(([name, data]) => {
    for (const told of translator.translate({ name, data })) thread.apply(told);
    return thread.items.map((item) => item.type);
  });
}

check("a pause before the model is asked again is a line that passes, other notices stay", () => {
  const shown = kinds([
    ["notice", { code: "provider_fallback", message: "Another one answers." }],
    ["notice", { code: "model_retrying", message: "Busy; trying again." }],
    ["message.delta", { message_id: ID, delta: "Hi" }],
    ["notice", { code: "a_new_code", message: "Something else." }],
  ]);
  assert.deepEqual(shown, [
    ["notice"],
    ["notice", "progress"],
    ["notice", "assistant_message"],
    ["notice", "assistant_message", "notice"],
  ]);
});

check("text that is withdrawn leaves the page, and the answer that follows stands in its place", () => {
  const next = ID.replace("1", "2");
  const shown = kinds([
    ["message.delta", { message_id: ID, delta: "Once" }],
    ["message.discarded", { message_id: ID }],
    ["message.discarded", { message_id: "019a0000-0000-7000-8000-000000000009" }],
    ["message.delta", { message_id: next, delta: "Twice" }],
    ["message.completed", { message_id: next, content: "Twice." }],
  ]);
  assert.deepEqual(shown, [["assistant_message"], [], [], ["assistant_message"], ["assistant_message"]]);
});

check("calls fold to what was done, in the service's words, and one that failed says so", () => {
  const [thread, translator] = [new Thread(), new Translator()];
  const call = (call_id, name, status) => [
    ["tool.started", { message_id: ID, call_id, name, arguments: {} }],
    ["tool.completed", { message_id: ID, call_id, name, status, result: {} }],
  ];
  const events = [...call("a", "add_task", "ok"), ...call("b", "delete_task", "error"), ...call("c", "add_task", "ok"), ["run.completed", {}]];
  for (const [name, data] of events) for (const told of translator.translate({ name, data })) thread.apply(told);
  const [{ workflow }] = thread.items;
  assert.equal(workflow.summary.title, "Add task × 2, Delete task");
  assert.deepEqual(workflow.tasks.map((task) => task.icon), ["check-circle", "info", "check-circle"]);
});

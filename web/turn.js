/**
 * One conversation and its turns: sent, told, stopped, retried, and found again after a reload or a cut. The page shows
 * one of these at a time; leaving it hangs up, and the turn goes on without us.
 */

import { Refused } from "./api.js";
import { Notices, Translator, key, uuid } from "./native.js";
import { STOPPED, Thread } from "./thread.js";

/** How long to wait before asking again, in milliseconds: each time longer, and in the end every five seconds. */
const PAUSES = [300, 600, 1200, 2500, 5000];

/** After this many tries, about two minutes, the user is asked instead. */
const MOST_TRIES = 28;

const LOST = "The connection was lost. Trying again…";

export class Conversation extends EventTarget {
  thread = new Thread();
  /** Whether an answer is being written. */
  isBusy = false;
  isStopping = false;
  #api;
  #left = new AbortController();

  constructor(api) {
    super();
    this.#api = api;
  }

  /** Shows a stored thread, and follows its turn if one is under way. Throws if there is none such. */
  async open(id) {
    this.thread = await this.#stored(id);
    const run = await this.#lastRun();
    const notices = await this.#notices(run);
    this.#changed();
    if (run?.status === "running") this.#during(() => this.#attach(run.id));
    else this.#showEnd(run, notices);
  }

  /** Sends a message. */
  send(text) {
    this.thread.say(text);
    const input = { content: [{ type: "input_text", text }], attachments: [], quoted_text: "", inference_options: {} };
    const [type, params] = this.thread.id === null
      ? ["threads.create", { input }]
      : ["threads.add_user_message", { thread_id: this.thread.id, input }];
    return this.#during(() => this.#tell(type, params));
  }

  /** Answers the last question again; sends it again if the service never had it. */
  retry(again) {
    const unsent = this.thread.items.find((item) => item.isSending);
    if (again === "send" && unsent !== undefined) return this.send(this.thread.textOf(unsent));
    if (again === "open") return this.#during(() => this.#recover());
    const question = this.thread.lastQuestion();
    if (question === undefined) return undefined;
    this.thread.rewind();
    return this.#during(() => this.#tell("threads.retry_after_item", { thread_id: this.thread.id, item_id: question.id }));
  }

  /** Presses a button of a widget. */
  act(item, action) {
    const params = { thread_id: this.thread.id, item_id: item.id, action: { type: action.type, payload: action.payload } };
    return this.#during(() => this.#tell("threads.custom_action", params));
  }

  /** Keeps what the user thinks of an answer. It shows at once; if it cannot be kept, it is taken back. */
  async judge(item, kind) {
    this.thread.judge(item.id, kind);
    this.#changed();
    try {
      await this.#api.operate("items.feedback", { thread_id: this.thread.id, item_ids: [item.id], kind });
    } catch {
      this.thread.judge(item.id, item.feedback);
      this.thread.note("What you think of this answer could not be kept.", "warning");
      this.#changed();
    }
  }

  /** Stops the answer, as soon as it is known where it is written. The stream that tells it ends by itself. */
  async stop() {
    this.isStopping = true;
    this.#changed();
    if (this.thread.id !== null) await this.#cancel();
  }

  async #cancel() {
    try {
      const { active_run_id } = await this.#conversation();
      if (active_run_id !== null) await this.#api.rest("POST", `/runs/${active_run_id}/cancel`);
    } catch (error) {
      this.isStopping = false;
      this.thread.note(error instanceof Refused ? error.message : "The service does not answer, so the answer was not stopped.", "warning");
      this.#changed();
    }
  }

  /** Hangs up. */
  leave() {
    this.#left.abort();
  }

  /** Does something during which no message can be sent. */
  async #during(work) {
    this.isBusy = true;
    this.#changed();
    try {
      await work();
    } catch (error) {
      if (this.#left.signal.aborted) return;
      if (!(error instanceof Refused)) throw error;
      this.thread.fail(error.message, this.thread.hasUnsent() ? "send" : "answer");
    } finally {
      this.isBusy = this.isStopping = false;
      this.#changed();
      if (!this.#left.signal.aborted) this.#emit("over");
    }
  }

  /** Tells what the service says of an operation. A stream that is cut is found again. */
  async #tell(type, params) {
    try {
      for await (const event of this.#api.events(type, params, this.#left.signal)) this.#take(event);
    } catch (error) {
      if (error instanceof Refused || this.#left.signal.aborted) throw error;
      if (this.thread.hasUnsent()) this.thread.fail("The service does not answer.", "send");
      else await this.#recover();
    }
  }

  /** Waits until the service is back, and shows what became of the turn. */
  async #recover() {
    this.thread.wait(LOST);
    this.#changed();
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      await this.#pause(tries);
      try {
        const run = await this.#lastRun();
        await (run?.status === "running" ? this.#attach(run.id) : this.#reload(run));
        return;
      } catch (error) {
        if (this.#left.signal.aborted || (error instanceof Refused && error.status < 500)) throw error;
      }
    }
    this.thread.fail("The service cannot be reached.", "open");
  }

  /** Follows a run from its beginning. What is shown of it already is told again, so nothing comes twice. */
  async #attach(run) {
    const translator = new Translator();
    let after = null;
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      try {
        for await (const event of this.#api.follow(run, after, this.#left.signal)) {
          tries = 0;
          if (event.id !== null) after = event.id;
          if (event.name === "run.created") this.#begin(event.data);
          for (const told of translator.translate(event)) this.#take(told);
        }
        return await this.#reload(await this.#lastRun());
      } catch (error) {
        if (this.#left.signal.aborted || (error instanceof Refused && error.status < 500)) throw error;
        this.thread.wait(LOST);
        this.#changed();
        await this.#pause(tries);
      }
    }
    this.thread.fail("The service cannot be reached.", "open");
  }

  #begin({ user_message_id }) {
    this.thread.rewind(key("msg", user_message_id));
    this.#changed();
  }

  /** Shows the thread as it is stored, and how its last run ended. */
  async #reload(run) {
    const notices = await this.#notices(run);
    const { items, title } = await this.#stored(this.thread.id);
    Object.assign(this.thread, { items, title });
    this.#showEnd(run, notices);
    this.#emit("named");
    this.#emit("tasks");
  }

  /** Reads a whole thread, page by page. */
  async #stored(id) {
    const thread = await this.#api.operate("threads.get_by_id", { thread_id: id });
    let page = thread.items;
    const items = [...page.data];
    while (page.has_more && page.data.length > 0) {
      page = await this.#api.operate("items.list", { thread_id: id, order: "asc", after: items.at(-1).id });
      items.push(...page.data);
    }
    const marks = await this.#marks(id).catch(() => new Map());
    const data = items.map((item) => (marks.has(item.id) ? { ...item, ...marks.get(item.id) } : item));
    return Thread.stored({ ...thread, items: { data } });
  }

  /** Reads what a thread does not say of its answers, by their ids: what the user thinks of them, and which were cut short. */
  async #marks(id) {
    const marks = new Map();
    let cursor = "";
    do {
      const path = `/conversations/${uuid(id)}/messages?roles=assistant&limit=100${cursor}`;
      const { data, next_cursor } = await (await this.#api.rest("GET", path)).json();
      for (const { id, feedback, incomplete } of data) if (feedback || incomplete) marks.set(key("msg", id), { feedback, isCut: incomplete });
      cursor = next_cursor === null ? null : `&cursor=${encodeURIComponent(next_cursor)}`;
    } while (cursor !== null);
    return marks;
  }

  /** Finds the notices of a run that is over. They are not stored: after a while there are none. */
  async #notices(run) {
    const notices = new Notices();
    if (run === null || run.status === "running") return notices.found;
    try {
      for await (const event of this.#api.follow(run.id, null, this.#left.signal)) notices.take(event);
    } catch {
      // The answer is there without them.
    }
    return notices.found;
  }

  #showEnd(run, notices) {
    for (const { behind, message, level } of notices) this.thread.noteBehind(behind, message, level);
    if (run?.status === "failed") this.thread.fail(run.error.message, run.error.retryable ? "answer" : null);
    if (run?.status === "cancelled") this.thread.note(STOPPED);
    this.#changed();
  }

  /** Finds the newest run: the one under way, or that of the last message. */
  async #lastRun() {
    const { active_run_id } = await this.#conversation();
    const id = active_run_id ?? (await this.#lastMessage())?.run_id;
    return id === undefined ? null : (await this.#api.rest("GET", `/runs/${id}`)).json();
  }

  async #lastMessage() {
    const path = `/conversations/${uuid(this.thread.id)}/messages?order=desc&limit=1`;
    return (await (await this.#api.rest("GET", path)).json()).data[0];
  }

  async #conversation() {
    return (await this.#api.rest("GET", `/conversations/${uuid(this.thread.id)}`)).json();
  }

  #take(event) {
    this.thread.apply(event);
    if (event.type === "thread.created" || event.type === "thread.updated") this.#emit("named");
    if (event.type === "thread.created" && this.isStopping) this.#cancel();
    if (event.type === "client_effect" && event.name === "tasks_changed") this.#emit("tasks");
    this.#changed();
  }

  #pause(tries) {
    const ms = PAUSES[Math.min(tries, PAUSES.length - 1)];
    return new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      this.#left.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(this.#left.signal.reason);
      }, { once: true });
    });
  }

  #emit(name) {
    this.dispatchEvent(new Event(name));
  }

  #changed() {
    this.#emit("change");
  }
}

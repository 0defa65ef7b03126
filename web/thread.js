/**
 * A conversation as it is shown: events in, a list of items out. It knows neither network nor DOM.
 */

/** Makes an item of our own, which is shown and not stored. */
let made = 0;
const own = (type, fields) => ({ id: `own_${(made += 1)}`, type, ...fields });

/** What is said behind an answer that the user has stopped. */
export const STOPPED = "This answer was stopped.";

export class Thread {
  id = null;
  title = null;
  createdAt = null;
  /** Items in the order in which they are shown. */
  items = [];

  /** Takes a thread as it is stored. */
  static stored({ id, title, created_at, items }) {
    return Object.assign(new Thread(), { id, title: title ?? null, createdAt: created_at, items: items.data });
  }

  /** Shows what the user says before the service has it. */
  say(text) {
    this.#markCut();
    this.#clear("error", "notice");
    this.#put({ id: "sending", type: "user_message", content: [{ type: "input_text", text }], isSending: true });
  }

  /** Shows that something went wrong. `again` says what Retry does: `send` it anew, or `answer` what is stored. */
  fail(message, again = null) {
    this.#clear("error", "progress");
    this.#put(own("error", { message, again }));
  }

  /** Shows something that the user should know. */
  note(message, level = "info") {
    this.#clear("progress");
    this.#put(own("notice", { message, level }));
  }

  /** Shows what is being waited for, until anything comes. */
  wait(text) {
    this.#clear("progress");
    this.#put(own("progress", { text }));
  }

  /** Shows something that the user should know where it was said: behind an item, or else behind the last question. */
  noteBehind(id, message, level) {
    const place = this.items.findIndex((item) => item.id === id);
    const behind = place < 0 ? this.items.findLastIndex((item) => item.type === "user_message") : place;
    // Several at one place keep their order.
    let at = behind + 1;
    while (this.items[at]?.type === "notice") at += 1;
    this.items = this.items.toSpliced(at, 0, own("notice", { message, level }));
  }

  /** Shows what the user thinks of an answer: `positive`, `negative`, or nothing. */
  judge(id, feedback) {
    const item = this.items.find((item) => item.id === id);
    if (item !== undefined) this.#put({ ...item, feedback });
  }

  /** Drops what stands behind the user's last message, or behind this one, because it is told again. */
  rewind(message = null) {
    const last = this.items.findLastIndex((item) => item.type === "user_message" && (message === null || item.id === message));
    if (last >= 0) this.items = this.items.slice(0, last + 1);
  }

  /** Takes an event of the ChatKit protocol. Unknown ones are passed over. */
  apply(event) {
    switch (event.type) {
      case "thread.created":
      case "thread.updated":
        this.id = event.thread.id;
        this.createdAt = event.thread.created_at;
        this.title = event.thread.title ?? this.title;
        return;
      case "thread.item.added":
        this.#clear("progress");
        this.#put({ ...event.item, isOpen: true });
        return;
      case "thread.item.done":
      case "thread.item.replaced":
        this.#clear("progress");
        if (event.item.type === "user_message") this.#drop("sending");
        this.#put(event.item);
        return;
      case "thread.item.removed":
        this.#drop(event.item_id);
        return;
      case "thread.item.updated":
        this.#update(event.item_id, event.update);
        return;
      case "progress_update":
        this.wait(event.text);
        return;
      case "notice":
        this.note(event.message, event.level);
        return;
      case "error":
        this.fail(event.message ?? "Something went wrong while the answer was written.", this.#again(event.allow_retry));
        return;
    }
  }

  /** Returns the text of an item, or of the last answer: words, or a list. */
  textOf(item = this.items.findLast((item) => item.type === "assistant_message" || item.type === "widget")) {
    return item?.content?.map((part) => part.text).join("") ?? item?.copy_text ?? "";
  }

  /** Tells whether the user's last message has not reached the service yet. */
  hasUnsent() {
    return this.items.some((item) => item.isSending);
  }

  /** Returns the user's last message that the service has. */
  lastQuestion() {
    return this.items.findLast((item) => item.type === "user_message" && !item.isSending);
  }

  /** Marks an answer that was cut short, before what says so is dropped: it must not look whole. */
  #markCut() {
    const at = this.items.findLastIndex((item) => item.type === "error" || item.message === STOPPED);
    const before = this.items[at - 1];
    if (before?.type === "assistant_message") this.#put({ ...before, isCut: true });
  }

  #again(allowRetry) {
    if (this.hasUnsent()) return "send";
    return allowRetry ? "answer" : null;
  }

  #update(id, update) {
    const item = this.items.find((item) => item.id === id);
    if (item === undefined) return;
    const kind = update.type;
    if (kind === "assistant_message.content_part.text_delta") {
      const text = (item.content[update.content_index]?.text ?? "") + update.delta;
      this.#put({ ...item, content: item.content.with(update.content_index, { type: "output_text", text }) });
    } else if (kind.startsWith("assistant_message.content_part.") && update.content !== undefined) {
      const content = [...item.content];
      content[update.content_index] = update.content;
      this.#put({ ...item, content });
    } else if (kind.startsWith("workflow.task.")) {
      const tasks = [...item.workflow.tasks];
      tasks[update.task_index] = update.task;
      this.#put({ ...item, workflow: { ...item.workflow, tasks } });
    }
  }

  /** Puts an item in its place, or at the end. Items are replaced, never changed: a view compares them. */
  #put(item) {
    const place = this.items.findIndex((known) => known.id === item.id);
    this.items = place < 0 ? [...this.items, item] : this.items.with(place, item);
  }

  #drop(id) {
    this.items = this.items.filter((item) => item.id !== id);
  }

  #clear(...types) {
    this.items = this.items.filter((item) => !types.includes(item.type));
  }
}

/**
 * A run's native events as those of ChatKit: after a reload the page follows the run itself, which ChatKit has no
 * operation for. Ids are made as the service makes them, so both streams show the same items.
 */

import { STOPPED } from "./thread.js";

/** Writes an id as ChatKit has it: a prefix and the UUID without hyphens. */
export const key = (prefix, uuid) => `${prefix}_${uuid.replaceAll("-", "")}`;

/** Reads the UUID out of such an id. */
export function uuid(id) {
  const hex = id.slice(id.indexOf("_") + 1);
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The notices of what is missing from an answer. */
const WARNINGS = ["reply_truncated", "max_turns_reached", "tools_unavailable"];

/** The most kinds of steps that the line names to which a group folds. */
const NAMED = 3;

/** Finds the notices among a run's events, each with the item that it stands behind; null while there is none. */
export class Notices {
  found = [];
  #translator = new Translator();
  #behind = null;

  take(event) {
    for (const told of this.#translator.translate(event)) {
      if (told.item !== undefined) this.#behind = told.item.id;
      else if (told.type === "notice" && event.name === "notice") this.found.push({ ...told, behind: this.#behind });
    }
  }
}

/** Translates the events of one run, in their order. */
export class Translator {
  #writing = null;
  #group = null;
  #calls = [];

  /** Returns the events of ChatKit that say the same. */
  translate({ name, data }) {
    switch (name) {
      case "message.delta":
        return this.#delta(data);
      case "message.completed":
        return this.#completed(data);
      case "message.discarded":
        return [{ type: "thread.item.removed", item_id: key("msg", data.message_id) }];
      case "tool.started":
        return this.#call(data, "loading", "bolt", JSON.stringify(data.arguments));
      case "tool.completed":
        return [...this.#call(data, "complete", data.status === "ok" ? "check-circle" : "info", shown(data.result)), { type: "client_effect", name: "tasks_changed", data: {} }];
      case "notice":
        return [notice(data)];
      case "run.failed":
        return [...this.#close(), { type: "error", message: data.message, allow_retry: data.retryable }];
      case "run.cancelled":
        return [...this.#close(), { type: "notice", level: "info", message: STOPPED }];
      case "run.completed":
      case "run.awaiting_approval":
        return this.#close();
      default:
        return [];
    }
  }

  #delta({ message_id, delta }) {
    const id = key("msg", message_id);
    const before = this.#writing === id ? [] : [...this.#close(), { type: "thread.item.added", item: message(id, "") }];
    this.#writing = id;
    const update = { type: "assistant_message.content_part.text_delta", content_index: 0, delta };
    return [...before, { type: "thread.item.updated", item_id: id, update }];
  }

  #completed({ message_id, content }) {
    const id = key("msg", message_id);
    const before = this.#writing === id ? [] : this.#close();
    this.#writing = null;
    return [...before, { type: "thread.item.done", item: message(id, content) }];
  }

  /** Puts a call among its group: the calls between two texts. */
  #call({ message_id, call_id, name }, status_indicator, icon, content) {
    this.#writing = null;
    this.#group ??= { id: key("wf", message_id), tasks: [] };
    let place = this.#calls.indexOf(call_id);
    if (place < 0) place = this.#calls.push(call_id) - 1;
    const words = name.replace(/[_-]/g, " ");
    const title = words.slice(0, 1).toUpperCase() + words.slice(1);
    this.#group.tasks = [...this.#group.tasks];
    this.#group.tasks[place] = { type: "custom", title, icon, content, status_indicator };
    return [{ type: "thread.item.added", item: this.#workflow(null) }];
  }

  #close() {
    if (this.#group === null) return [];
    const item = this.#workflow({ title: summary(this.#group.tasks) });
    this.#group = null;
    this.#calls = [];
    return [{ type: "thread.item.done", item }];
  }

  #workflow(summary) {
    const { id, tasks } = this.#group;
    return { id, type: "workflow", workflow: { type: "custom", tasks, summary, expanded: summary === null } };
  }
}

/** Says what was done, as the service does: `Add task × 2, List tasks`. */
function summary(tasks) {
  const counts = new Map();
  for (const { title } of tasks) counts.set(title, (counts.get(title) ?? 0) + 1);
  const kinds = [...counts].map(([title, count]) => (count === 1 ? title : `${title} × ${count}`));
  return [...kinds.slice(0, NAMED), ...(kinds.length > NAMED ? ["…"] : [])].join(", ");
}

/** A pause before a model is asked again passes by itself; all else that is told stays. */
function notice({ code, message }) {
  if (code === "model_retrying") return { type: "progress_update", text: message };
  return { type: "notice", level: WARNINGS.includes(code) ? "warning" : "info", message };
}

function message(id, text) {
  return { id, type: "assistant_message", content: [{ type: "output_text", text }] };
}

function shown(result) {
  return typeof result === "string" ? result : JSON.stringify(result, null, 2);
}

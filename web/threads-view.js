/** Shows the list of conversations, with what can be done to each. */

import { el, iconButton } from "./dom.js";

const DAY = 24 * 60 * 60 * 1000;

export class ThreadsView {
  #into;
  #on;
  #current = null;
  #threads = [];

  /** `on` is what can be done: `open(id)`, `rename(thread)`, `remove(thread)`, `more()`. */
  constructor(into, on) {
    this.#into = into;
    this.#on = on;
  }

  /** Shows these conversations, newest first. */
  show(threads, hasMore) {
    this.#threads = threads;
    const groups = Map.groupBy(threads, (thread) => day(thread.created_at));
    const parts = [...groups].map(([name, found]) => this.#group(name, found));
    if (threads.length === 0) parts.push(el("p", { class: "hint" }, "Your conversations will be here."));
    if (hasMore) parts.push(el("button", { class: "quiet more", type: "button", onclick: this.#on.more }, "Show older"));
    this.#into.replaceChildren(...parts);
    this.mark(this.#current);
  }

  /** Shows that they could not be read. */
  sorry(again) {
    const retry = el("button", { class: "quiet small", type: "button", onclick: again }, "Retry");
    this.#into.replaceChildren(el("p", { class: "hint" }, "The conversations could not be read."), retry);
  }

  /** Marks the conversation that is shown. */
  mark(id) {
    this.#current = id;
    for (const button of this.#into.querySelectorAll("[data-id]")) {
      if (button.dataset.id === id) button.setAttribute("aria-current", "page");
      else button.removeAttribute("aria-current");
    }
  }

  /** Puts the keyboard on a conversation, or on the first. */
  focus(id) {
    const buttons = [...this.#into.querySelectorAll("[data-id]")];
    (buttons.find((button) => button.dataset.id === id) ?? buttons[0])?.focus();
  }

  #group(name, threads) {
    const id = `group-${name.toLowerCase().replaceAll(" ", "-")}`;
    return el("section", { "aria-labelledby": id }, el("h2", { id, class: "group" }, name),
      el("ul", {}, ...threads.map((thread) => this.#row(thread))));
  }

  #row(thread) {
    const title = thread.title ?? "New conversation";
    const open = el("button", { class: "thread", type: "button", "data-id": thread.id, title, onclick: () => this.#on.open(thread.id) }, title);
    const edit = iconButton("edit", `Rename “${title}”`, () => this.#on.rename(thread));
    const remove = iconButton("trash", `Delete “${title}”`, () => this.#on.remove(thread));
    return el("li", {}, open, el("span", { class: "row-actions" }, edit, remove));
  }
}

function day(time) {
  const midnight = new Date().setHours(0, 0, 0, 0);
  const made = new Date(time).getTime();
  if (made >= midnight) return "Today";
  if (made >= midnight - DAY) return "Yesterday";
  return made >= midnight - 7 * DAY ? "Last week" : "Earlier";
}

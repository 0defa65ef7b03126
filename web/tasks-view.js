/** The task list beside the chat: read again whenever a turn has changed it, and changed by hand. */

import { announce, el, icon } from "./dom.js";

/** More are not shown; the chat can list them. */
const SHOWN = 100;

export class TasksView {
  #into;
  #api;
  #tasks = [];
  #isDoneOpen = false;
  #reading = 0;

  constructor(into, form, api) {
    this.#into = into;
    this.#api = api;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#add(form.querySelector("input"));
    });
  }

  /** Reads the list and shows it. Of two answers the one asked for later counts. */
  async refresh() {
    const reading = (this.#reading += 1);
    try {
      const { data, next_cursor } = await (await this.#api.rest("GET", `/tasks?limit=${SHOWN}`)).json();
      if (reading !== this.#reading) return;
      this.#tasks = data;
      this.#draw(next_cursor !== null);
    } catch {
      if (reading === this.#reading) this.#sorry();
    }
  }

  async #add(field) {
    const title = field.value.trim();
    if (title === "") return;
    if (await this.#change("POST", "/tasks", { title }, `Added: ${title}`)) field.value = "";
  }

  #check(task) {
    const status = task.status === "completed" ? "pending" : "completed";
    const said = status === "completed" ? `Done: ${task.title}` : `Open again: ${task.title}`;
    return this.#change("PATCH", `/tasks/${task.number}`, { status }, said);
  }

  async #change(method, path, body, said) {
    let isDone = true;
    try {
      await this.#api.rest(method, path, body);
      announce(said);
    } catch {
      isDone = false;
      announce("The task list could not be changed.");
    }
    const focused = document.activeElement?.dataset?.number;
    await this.refresh();
    if (focused !== undefined) this.#into.querySelector(`[data-number="${CSS.escape(focused)}"]`)?.focus();
    return isDone;
  }

  #draw(hasMore) {
    const open = this.#tasks.filter((task) => task.status !== "completed");
    const done = this.#tasks.filter((task) => task.status === "completed");
    const parts = [];
    if (open.length > 0) parts.push(el("ul", { class: "task-list" }, ...open.map((task) => this.#row(task))));
    else parts.push(el("p", { class: "hint" }, done.length > 0 ? "All done." : "Nothing to do yet. Add a task here, or say it in the chat."));
    if (done.length > 0) parts.push(this.#done(done));
    if (hasMore) parts.push(el("p", { class: "hint" }, `These are the first ${SHOWN}.`));
    this.#into.replaceChildren(...parts);
  }

  #done(tasks) {
    const remember = (event) => (this.#isDoneOpen = event.currentTarget.open);
    return el("details", { class: "done-tasks", open: this.#isDoneOpen, ontoggle: remember },
      el("summary", {}, icon("chevron"), `Done (${tasks.length})`),
      el("ul", { class: "task-list" }, ...tasks.map((task) => this.#row(task))));
  }

  #row(task) {
    const isDone = task.status === "completed";
    const box = el("input", { type: "checkbox", checked: isDone, "data-number": task.number, onchange: () => this.#check(task) });
    const badge = isDone || task.priority === "medium" ? null
      : el("span", { class: `badge ${task.priority === "high" ? "danger" : "secondary"}` }, task.priority);
    const text = el("span", { class: isDone ? "text done" : "text" }, task.title);
    return el("li", {}, el("label", {}, box, text), badge, el("span", { class: "number", title: `In the chat: “done ${task.number}”` }, `#${task.number}`));
  }

  #sorry() {
    const retry = el("button", { class: "quiet small", type: "button", onclick: () => this.refresh() }, "Retry");
    this.#into.replaceChildren(el("p", { class: "hint" }, "The task list does not answer."), retry);
  }
}

/**
 * Shows the items of a conversation. An item that did not change keeps its element, so nothing flickers, and what the
 * user has unfolded or selected stays so.
 */

import { el, icon } from "./dom.js";
import { copyButton, draw } from "./markdown-view.js";
import { widget } from "./widget-view.js";

/** Prompts for a beginning. The demo understands them too. */
const EXAMPLES = [
  ["Add milk and bread", "Two tasks in one sentence"],
  ["Add rent as high priority", "One that cannot wait"],
  ["What is on my list?", "Your tasks, to tick off"],
];

/** This near to the end, in pixels, the list keeps to it. */
const NEAR = 80;

export class MessagesView {
  #log;
  #toEnd;
  #on;
  #shown = new Map();
  #keepsToEnd = true;

  /** `on` is what can be done: `send(text)`, `retry(again)`, `act(item, action)`, `judge(item, kind)`. */
  constructor(log, toEnd, on) {
    this.#log = log;
    this.#toEnd = toEnd;
    this.#on = on;
    log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    log.addEventListener("toggle", () => this.#scrolled(), { capture: true });
    toEnd.append(icon("down"));
    toEnd.addEventListener("click", () => this.follow());
  }

  /** Scrolls to the end and stays there. */
  follow() {
    this.#keepsToEnd = true;
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#scrolled();
  }

  /** Shows another conversation. */
  clear() {
    this.#shown.clear();
    this.#log.replaceChildren();
    this.#keepsToEnd = true;
  }

  /** Shows a conversation as it is now. */
  show({ thread, isBusy }, isLoading) {
    this.#log.setAttribute("aria-busy", String(isBusy));
    const isEmpty = thread.items.length === 0;
    this.#log.classList.toggle("empty", isEmpty);
    const items = isEmpty ? [{ id: "own_empty", type: isLoading ? "loading" : "empty" }] : thread.items;
    const waits = isBusy && isSilent(thread.items.at(-1));
    this.#place(waits ? [...items, { id: "own_dots", type: "dots" }] : items);
    // One turn at a time: what begins one can be pressed when the one before is over.
    for (const button of this.#log.querySelectorAll(".error button, .widget button")) button.disabled = isBusy;
    if (this.#keepsToEnd && !isEmpty) this.#log.scrollTop = this.#log.scrollHeight;
    else this.#scrolled();
  }

  #place(items) {
    const wanted = new Set(items.map((item) => item.id));
    for (const [id, { node }] of this.#shown) {
      if (wanted.has(id)) continue;
      node.remove();
      this.#shown.delete(id);
    }
    const nodes = items.map((item) => this.#node(item));
    let before = this.#log.firstChild;
    for (const node of nodes) {
      if (node === before) before = node.nextSibling;
      else this.#log.insertBefore(node, before);
    }
  }

  #node(item) {
    const known = this.#shown.get(item.id);
    if (known !== undefined && (known.item === item || item.id.startsWith("own_"))) return known.node;
    const node = known !== undefined && this.#redraw(known.node, item) ? known.node : this.#make(item);
    if (node !== known?.node) known?.node.remove();
    this.#shown.set(item.id, { item, node });
    return node;
  }

  /** Draws an item in the element that it has; returns false for kinds that are made anew. */
  #redraw(node, item) {
    if (item.type === "assistant_message") drawAnswer(node, item);
    else if (item.type === "workflow") drawSteps(node, item.workflow);
    else return false;
    return true;
  }

  #make(item) {
    switch (item.type) {
      case "user_message":
        return question(item);
      case "assistant_message":
        return drawAnswer(answer(this.#on.judge), item);
      case "workflow":
        return drawSteps(el("details", { class: "steps" }), item.workflow);
      case "widget":
        return el("div", { class: "widget" }, widget(item.widget, item.copy_text, (action) => this.#on.act(item, action)));
      case "notice":
        return el("p", { class: `notice ${item.level}`, role: "note" }, icon(item.level === "info" ? "info" : "alert"), item.message);
      case "error":
        return this.#error(item);
      case "progress":
        return el("p", { class: "progress" }, el("span", { class: "spinner" }), item.text);
      case "dots":
        return el("div", { class: "dots", role: "img", "aria-label": "Answering" }, el("i"), el("i"), el("i"));
      case "loading":
        return el("div", { class: "skeleton", role: "img", "aria-label": "Loading" }, el("i"), el("i"), el("i"));
      case "empty":
        return this.#welcome();
      default:
        return el("div", { hidden: true });
    }
  }

  #error({ message, again }) {
    const retry = again === null ? null
      : el("button", { class: "quiet", type: "button", onclick: () => this.#on.retry(again) }, icon("retry"), "Retry");
    const kept = again === null ? null : el("small", {}, again === "send" ? "Your message is not sent yet." : "Your message is kept.");
    return el("div", { class: "error", role: "alert" }, icon("alert"), el("p", {}, message, kept), retry);
  }

  #welcome() {
    const examples = EXAMPLES.map(([text, about]) =>
      el("button", { class: "example", type: "button", onclick: () => this.#on.send(text) }, el("span", {}, text), el("small", {}, about)));
    return el("div", { class: "welcome" },
      el("img", { src: "web/icon.svg", alt: "", width: "48", height: "48" }),
      el("h2", {}, "What would you like to get done?"),
      el("p", {}, "Say it in a sentence. Your task list keeps up."),
      el("div", { class: "examples" }, ...examples));
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    this.#keepsToEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    this.#toEnd.hidden = this.#keepsToEnd;
  }
}

/** Tells whether nothing is seen to happen behind this item. */
function isSilent(last) {
  if (last === undefined || last.type === "user_message" || last.type === "notice") return true;
  return last.type === "workflow" && !last.workflow.tasks.some((task) => task.status_indicator === "loading");
}

function question(item) {
  const text = item.content.map((part) => part.text).join("");
  return el("article", { class: item.isSending ? "question sending" : "question", "aria-label": "You" }, el("div", { class: "bubble" }, text));
}

function answer(judge) {
  const node = el("article", { class: "answer", "aria-label": "Parlor" }, el("div", { class: "prose" }), el("p", { class: "cut" }, "This answer was not finished."));
  const thumb = (kind, sign, label) =>
    el("button", { class: "word-button thumb", type: "button", "aria-label": label, title: label, "data-kind": kind,
      onclick: () => node.item.feedback !== kind && judge(node.item, kind) }, icon(sign));
  const thumbs = [thumb("positive", "good", "Good answer"), thumb("negative", "bad", "Bad answer")];
  node.append(el("div", { class: "actions" }, copyButton("Copy answer", () => node.text, "Copy"), ...thumbs));
  return node;
}

function drawAnswer(node, item) {
  node.text = item.content.map((part) => part.text).join("");
  node.item = item;
  node.hidden = node.text === "";
  node.querySelector(".cut").hidden = item.isCut !== true;
  for (const thumb of node.querySelectorAll(".thumb")) {
    thumb.setAttribute("aria-pressed", String(item.feedback === thumb.dataset.kind));
    // What is not stored yet cannot be judged.
    thumb.hidden = item.isOpen === true;
  }
  draw(node.firstChild, node.text);
  return node;
}

/** Draws a group of steps. It is unfolded while it goes on, and afterwards only if the user wants it. */
function drawSteps(node, { tasks, summary, expanded, type }) {
  const isLoading = tasks.some((task) => task.status_indicator === "loading");
  const title = summary?.title ?? (type === "reasoning" ? "Thinking" : "Working");
  const sign = isLoading ? el("span", { class: "spinner" }) : icon(tasks.some(hasFailed) ? "alert" : "tool");
  const hadFocus = node.contains(document.activeElement);
  node.open = node.hasAttribute("data-touched") ? node.open : expanded === true;
  const head = el("summary", { onclick: () => node.setAttribute("data-touched", "") }, sign, el("span", {}, title), icon("chevron"));
  node.replaceChildren(head, el("ol", {}, ...tasks.map(step)));
  if (hadFocus) head.focus();
  return node;
}

function step(task) {
  const { title, content, status_indicator, type } = task;
  const isLoading = status_indicator === "loading";
  const sign = isLoading ? el("span", { class: "spinner", role: "img", "aria-label": "running" }) : icon(hasFailed(task) ? "alert" : "check");
  const text = fenced(content ?? "");
  const body = el("div", { class: isJson(text) ? "step-body json" : "step-body" });
  draw(body, type === "thought" ? content : text);
  const name = el("strong", {}, title ?? "Thought", hasFailed(task) ? el("span", { class: "unseen" }, " failed") : null);
  return el("li", { class: hasFailed(task) ? "failed" : null }, sign, el("div", {}, name, body));
}

/** Tells whether a step did not do what it was to: the service says so by its icon. */
function hasFailed(task) {
  return task.icon === "info";
}

/** Tells whether a fenced text is for programs and not a sentence. */
function isJson(text) {
  return /^`+\n\s*[[{]/.test(text);
}

/** What a tool says is shown as it is, never as markup: the service fences it, a native event does not. */
function fenced(text) {
  return /^(`{3,})\n[^]*\n\1$/.test(text) ? text : `${"`".repeat(12)}\n${text}\n${"`".repeat(12)}`;
}

/**
 * Shows Markdown as it is written. Blocks that did not change keep their nodes, so a selection in them survives and
 * only the last one is drawn again with each word.
 */

import { blocks } from "./markdown.js";
import { el, icon } from "./dom.js";

/** Draws a text into an element that is drawn only by this function. */
export function draw(into, text) {
  const wanted = blocks(text);
  const known = into.sources ?? [];
  let same = 0;
  while (same < wanted.length && same < known.length && wanted[same].source === known[same]) same += 1;
  while (into.childNodes.length > same) into.lastChild.remove();
  into.append(...wanted.slice(same).map(node));
  into.sources = wanted.map((block) => block.source);
}

function node(block) {
  if (typeof block === "string") return document.createTextNode(block);
  const children = block.children.map(block.tag === "pre" ? String : node);
  switch (block.tag) {
    case "pre":
      return codeBlock(block.language, children[0]);
    case "a":
      return el("a", { href: block.href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
    case "ol":
      return el("ol", { start: block.start === 1 ? null : block.start }, ...children);
    case "li":
      return item(block, children);
    case "table":
      return el("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Table" }, el("table", {}, ...children));
    case "th":
    case "td":
      return el(block.tag, { class: block.side }, ...children);
    case "h1":
    case "h2":
      return el("h3", {}, ...children);
    default:
      return el(block.tag, {}, ...children);
  }
}

/** A box shows how things were when it was written; the task list is where it is checked. */
function item({ box }, children) {
  if (box === null) return el("li", {}, ...children);
  const mark = el("span", { class: box ? "box checked" : "box", role: "img", "aria-label": box ? "done" : "open" }, box ? icon("check") : "");
  return el("li", { class: "boxed" }, mark, ...children);
}

function codeBlock(language, text) {
  const copy = copyButton("Copy code", () => text);
  const head = el("div", { class: "code-head" }, el("span", {}, language || "text"), copy);
  return el("div", { class: "code" }, head, el("pre", { tabindex: "0" }, el("code", {}, text)));
}

/** Makes a button that copies a text and says so. `word` is what is seen beside its icon. */
export function copyButton(label, text, word = null) {
  const button = el("button", { class: word === null ? "icon-button small" : "word-button", type: "button", "aria-label": label, title: label }, icon("copy"), word);
  button.addEventListener("click", async () => {
    const done = await navigator.clipboard.writeText(text()).then(() => true, () => false);
    button.firstChild.replaceWith(icon(done ? "check" : "alert"));
    button.setAttribute("aria-label", done ? "Copied" : "Could not copy");
    setTimeout(() => {
      button.firstChild.replaceWith(icon("copy"));
      button.setAttribute("aria-label", label);
    }, 1500);
  });
  return button;
}

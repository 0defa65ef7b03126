/**
 * Shows a widget of ChatKit, as far as the service sends them: the task list with its buttons. One that has parts we do
 * not know is shown as its text.
 */

import { el } from "./dom.js";

/** Shows a widget; `act` is called with the action of a button. */
export function widget(root, text, act) {
  const shown = component(root, act);
  return shown ?? el("p", { class: "plain" }, text ?? "");
}

function component(part, act) {
  switch (part.type) {
    case "ListView":
      return around(el("ul", { class: "list-view" }), part, act);
    case "ListViewItem":
      return around(el("li", {}), part, act);
    case "Text":
      return el("span", { class: part.lineThrough ? "text done" : "text" }, part.value);
    case "Badge":
      return el("span", { class: `badge ${["danger", "info", "secondary"].includes(part.color) ? part.color : ""}` }, part.label);
    case "Spacer":
      return el("span", { class: "spacer" });
    case "Button":
      return button(part, act);
    default:
      return null;
  }
}

function around(node, part, act) {
  const children = (part.children ?? []).map((child) => component(child, act));
  if (children.includes(null)) return null;
  node.append(...children);
  return node;
}

function button({ label, onClickAction }, act) {
  return el("button", { class: "quiet small", type: "button", onclick: () => act(onClickAction) }, label);
}

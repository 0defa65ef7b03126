/**
 * Makes elements. Text goes in as text nodes only, so nothing that a model or a tool says can become markup.
 */

const SVG = "http://www.w3.org/2000/svg";

/** Our icons: strokes on a grid of 24. */
const ICONS = {
  menu: "M4 6h16M4 12h16M4 18h10",
  close: "m6 6 12 12M18 6 6 18",
  tasks: "m4 6 1.5 1.5L8 5M4 13l1.5 1.5L8 12M4 20l1.5 1.5L8 19M12 6.5h8M12 13.5h8M12 20.5h8",
  send: "M12 19V5m-6 6 6-6 6 6",
  stop: "M8 8h8v8H8z",
  down: "M12 5v14m6-6-6 6-6-6",
  plus: "M12 5v14M5 12h14",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  check: "m5 12.5 4.5 4.5L19 7",
  alert: "M12 8v5M12 16.5v.01M12 3 2.5 20h19z",
  info: "M12 11v6M12 7.5v.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z",
  retry: "M20 12a8 8 0 1 1-2.5-5.8M20 3v4.5h-4.5",
  tool: "M13 3 5 14h6l-1 7 8-11h-6z",
  chevron: "m9 6 6 6-6 6",
  good: "M4 11h3v9H4zM7 11l4-7c1.5 0 2.4 1 2 2.6L12.4 10H19a1.6 1.6 0 0 1 1.5 2l-1.8 6.6a2 2 0 0 1-1.9 1.4H7",
  bad: "M4 13h3V4H4zM7 13l4 7c1.5 0 2.4-1 2-2.6L12.4 14H19a1.6 1.6 0 0 0 1.5-2l-1.8-6.6a2 2 0 0 0-1.9-1.4H7",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5c1-4 4-6 7.5-6s6.5 2 7.5 6",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M19 5l-1.4 1.4M6.4 17.6 5 19",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  auto: "M4 5h16v11H4zM9 20h6M12 16v4",
};

/** Finds an element of the page. */
export const byId = (id) => document.getElementById(id);

/** Makes an element. `on*` are listeners, `true` is an empty attribute, null and false are left out. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Draws an icon. It says nothing to a screen reader: what carries it has a name. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Makes a button that is only an icon. */
export function iconButton(name, label, onclick, extra = {}) {
  return el("button", { class: "icon-button", type: "button", "aria-label": label, title: label, onclick, ...extra }, icon(name));
}

/** Says something to a screen reader, once it is at leisure. */
export function announce(text) {
  byId("status").textContent = text;
}

/** The frame around the chat: the panels on the sides, which are drawers where there is no room, and the colours. */

import { byId, icon } from "./dom.js";

const THEME = "parlor.theme";
const THEMES = { auto: "moon", light: "sun", dark: "moon" };

/** Makes the panels work. Only one drawer is open at a time. */
export function panels() {
  const drawers = [
    { panel: byId("threads-panel"), opener: byId("open-threads"), closer: byId("close-threads"), sign: "menu", isDrawer: matchMedia("(max-width: 760px)") },
    { panel: byId("tasks-panel"), opener: byId("toggle-tasks"), closer: byId("close-tasks"), sign: "tasks", isDrawer: matchMedia("(max-width: 1100px)") },
  ];
  const fold = (drawer, isOpen) => {
    drawer.panel.classList.toggle("open", isOpen);
    drawer.panel.inert = drawer.isDrawer.matches && !isOpen;
    drawer.opener.setAttribute("aria-expanded", String(isOpen));
    const isCovered = drawers.some(({ panel, isDrawer }) => isDrawer.matches && panel.classList.contains("open"));
    byId("veil").hidden = !isCovered;
    document.querySelector(".chat").inert = isCovered;
  };
  const close = (drawer) => {
    const hadFocus = drawer.panel.contains(document.activeElement);
    fold(drawer, false);
    if (hadFocus) drawer.opener.focus();
  };
  const closeAll = () => drawers.filter(({ panel, isDrawer }) => isDrawer.matches && panel.classList.contains("open")).forEach(close);
  for (const drawer of drawers) {
    drawer.opener.append(icon(drawer.sign));
    drawer.closer.append(icon("close"));
    drawer.opener.addEventListener("click", () => {
      fold(drawer, true);
      drawer.closer.focus();
    });
    drawer.closer.addEventListener("click", () => close(drawer));
    drawer.isDrawer.addEventListener("change", () => fold(drawer, false));
    fold(drawer, false);
  }
  byId("veil").addEventListener("click", closeAll);
  addEventListener("keydown", (event) => event.key === "Escape" && closeAll());
  return { closeAll };
}

/** Makes the button work that changes the colours: as the system has them, light, dark. */
export function theme() {
  const button = byId("theme");
  const names = Object.keys(THEMES);
  let current = names.includes(localStorage.getItem(THEME)) ? localStorage.getItem(THEME) : "auto";
  const show = () => {
    document.documentElement.dataset.theme = current;
    const sign = current === "auto" ? "auto" : THEMES[current];
    button.replaceChildren(icon(sign));
    const said = current === "auto" ? "as the system has them" : current;
    button.setAttribute("aria-label", `Colours: ${said}`);
    button.title = `Colours: ${said}`;
  };
  button.addEventListener("click", () => {
    current = names[(names.indexOf(current) + 1) % names.length];
    localStorage.setItem(THEME, current);
    show();
  });
  show();
}

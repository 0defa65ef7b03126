/** The field for messages. Enter sends, but not while an input method composes a word. */

import { byId, icon } from "./dom.js";

export class Composer {
  #field = byId("message");
  #send = byId("send");
  #stop = byId("stop");
  #isBusy = false;

  /** `on` is what can be done: `send(text)`, `stop()`. */
  constructor(on) {
    this.#send.append(icon("send"));
    this.#stop.append(icon("stop"));
    this.#field.addEventListener("input", () => this.#fit());
    this.#field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
      event.preventDefault();
      byId("composer").requestSubmit();
    });
    this.#stop.addEventListener("click", () => on.stop());
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#field.value.trim();
      if (text === "" || this.#isBusy) return;
      this.#field.value = "";
      this.#fit();
      on.send(text);
    });
  }

  /** Shows whether an answer is being written. What is typed meanwhile stays. */
  show({ isBusy, isStopping }) {
    const hadFocus = document.activeElement === this.#stop;
    this.#isBusy = isBusy;
    this.#send.hidden = isBusy;
    this.#stop.hidden = !isBusy;
    this.#stop.disabled = isStopping;
    // What is disabled or hidden cannot keep the focus, and a keyboard would be nowhere.
    if (hadFocus && (isStopping || !isBusy)) this.focus();
  }

  focus() {
    this.#field.focus();
  }

  #fit() {
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
    this.#send.disabled = this.#field.value.trim() === "";
  }
}

/** Safari says that the Enter which ends a composition is none of it, but keeps its old code. */
function isComposing(event) {
  return event.isComposing || event.keyCode === 229;
}

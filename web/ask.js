/** Asks the user one thing, in a dialog: a name, a token, or whether it is meant. */

import { byId } from "./dom.js";

/**
 * Asks, and resolves with what was typed, or with null if the user thinks better of it. `check` returns what is wrong
 * with an answer. Without a `label` there is nothing to type; a question that is `required` cannot be left.
 */
export function ask({ title, text, label, value = "", ok, check = () => null, secret = false, danger = false, required = false }) {
  const [dialog, form, input] = [byId("ask"), byId("ask-form"), byId("ask-input")];
  byId("ask-title").textContent = title;
  byId("ask-text").textContent = text;
  byId("ask-label").textContent = label ?? "";
  byId("ask-field").hidden = label === undefined;
  byId("ask-ok").textContent = ok;
  byId("ask-ok").classList.toggle("danger", danger);
  byId("ask-cancel").hidden = required;
  input.type = secret ? "password" : "text";
  input.value = value;
  input.setCustomValidity("");
  dialog.showModal();
  input.select();
  return new Promise((resolve) => {
    const done = new AbortController();
    const on = (target, name, act) => target.addEventListener(name, act, { signal: done.signal });
    const end = (answer) => {
      done.abort();
      dialog.close();
      resolve(answer);
    };
    on(form, "submit", (event) => {
      event.preventDefault();
      const fault = label === undefined ? null : check(input.value.trim());
      input.setCustomValidity(fault ?? "");
      if (form.reportValidity()) end(input.value.trim());
    });
    on(input, "input", () => input.setCustomValidity(""));
    on(byId("ask-cancel"), "click", () => end(null));
    on(dialog, "cancel", (event) => {
      event.preventDefault();
      if (!required) end(null);
    });
    on(dialog, "click", (event) => {
      if (event.target === dialog && !required) end(null);
    });
  });
}

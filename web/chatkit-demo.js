/** Loads the component that OpenAI hosts, once the user has said so, and points it at this service. */

import { Identity } from "./identity.js";

const COMPONENT = "https://cdn.platform.openai.com/deployments/chatkit/chatkit.js";

/** How long the component may take to be there, in milliseconds. */
const PATIENCE = 15_000;

const said = document.getElementById("said");
const button = document.getElementById("load");
const identity = new Identity();

button.addEventListener("click", async () => {
  button.disabled = true;
  said.textContent = "Loading…";
  try {
    await load();
    await within(customElements.whenDefined("openai-chatkit"));
    show();
    said.textContent = "";
    button.hidden = true;
  } catch {
    said.textContent = "It could not be loaded. Are you online?";
    button.disabled = false;
  }
});

function load() {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = COMPONENT;
    script.onload = resolve;
    script.onerror = reject;
    document.head.append(script);
  });
}

function within(work) {
  return Promise.race([work, new Promise((_, reject) => setTimeout(reject, PATIENCE))]);
}

/** On a machine's own address the component asks OpenAI nothing about the key, so any text will do. */
function show() {
  const component = document.createElement("openai-chatkit");
  component.setOptions({
    api: {
      url: new URL("chatkit", location.href).href,
      domainKey: "local-dev",
      fetch: (input, init) => fetch(input, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), ...identity.headers() } }),
    },
  });
  document.getElementById("place").append(component);
}

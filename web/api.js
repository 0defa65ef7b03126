/**
 * Speaks to the service: the operations of `/chatkit`, and of the REST routes what ChatKit has no word for, which is
 * cancelling a turn, following it again, and the task list.
 */

import { frames } from "./sse.js";

/** A request that the service has refused, in words for the user. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export class Api {
  #identity;
  #askForToken;
  #asking = null;

  /** `askForToken` is called when the service wants one; it resolves once the identity has a new one. */
  constructor(identity, askForToken) {
    this.#identity = identity;
    this.#askForToken = askForToken;
  }

  /** Does an operation that answers with JSON. */
  async operate(type, params) {
    return (await this.#chatkit(type, params)).json();
  }

  /** Does an operation that answers with events, and yields them. Hanging up leaves the turn going. */
  async *events(type, params, signal) {
    const headers = { accept: "text/event-stream", "x-parlor-on-disconnect": "continue" };
    const response = await this.#chatkit(type, params, { headers, signal });
    for await (const { data } of frames(response)) yield JSON.parse(data);
  }

  /** Yields the events of a run behind an id, in their native form; nothing if its end was seen. */
  async *follow(run, after, signal) {
    const headers = after === null ? {} : { "last-event-id": after };
    const response = await this.rest("GET", `/runs/${run}/events`, undefined, { headers, signal });
    if (response.status === 204) return;
    for await (const { id, event, data } of frames(response)) {
      if (data !== "[DONE]") yield { id, name: event, data: JSON.parse(data) };
    }
  }

  /** Sends a request to a route of this user's. */
  rest(method, path, body, more = {}) {
    return this.#send(() => `api/${encodeURIComponent(this.#identity.user)}${path}`, { method, body, ...more });
  }

  /** Tells whether the built-in demo answers here instead of a model. */
  async isDemo() {
    const ready = await (await fetch("health/ready")).json();
    return ready.parts.model.detail.startsWith("demo ");
  }

  #chatkit(type, params, more = {}) {
    return this.#send(() => "chatkit", { method: "POST", body: { type, params }, ...more });
  }

  async #send(path, { method, body, headers = {}, signal }) {
    for (;;) {
      const sent = { ...headers, ...this.#identity.headers() };
      if (body !== undefined) sent["content-type"] = "application/json";
      const response = await fetch(path(), { method, headers: sent, body: JSON.stringify(body), signal });
      if (response.status === 401) await this.#freshToken();
      else if (response.ok) return response;
      else throw new Refused(response.status, await reason(response));
    }
  }

  /** Several requests may find at once that a token is missing; the user is asked once. */
  #freshToken() {
    this.#asking ??= this.#askForToken().finally(() => (this.#asking = null));
    return this.#asking;
  }
}

async function reason(response) {
  const problem = await response.json().catch(() => ({}));
  const text = problem.detail ?? `the service answered ${response.status}`;
  return `${text[0].toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;
}

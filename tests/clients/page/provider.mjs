/** A model provider that says what it is told to, or fails. */

import { createServer } from "node:http";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";

export class Provider {
  #replies = [];
  #server = createServer((request, response) => this.#answer(request, response));

  async start() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Settings that make a service ask here. A call that failed is not made again. */
  get settings() {
    const { port } = this.#server.address();
    return { LLM_PROVIDER: "custom", LLM_BASE_URL: `http://127.0.0.1:${port}`, LLM_API_KEY: "k", LLM_MODEL: "m", LLM_RETRIES: "0" };
  }

  /**
   * Puts a reply behind those that wait: a text, one that ends in another way or late, a status to fail with, or a wish
   * to be asked again after so many seconds.
   */
  then(reply) {
    this.#replies.push(reply);
  }

  async #answer(request, response) {
    request.resume();
    const reply = this.#replies.shift() ?? 500;
    if (typeof reply === "number") {
      response.writeHead(reply, { "content-type": "application/json" }).end('{"error":{"message":"no"}}');
      return;
    }
    if (reply.againAfter !== undefined) {
      response.writeHead(429, { "content-type": "application/json", "retry-after": String(reply.againAfter) }).end("{}");
      return;
    }
    const { text, finish = "stop", afterMs = 0 } = typeof reply === "string" ? { text: reply } : reply;
    response.writeHead(200, { "content-type": "text/event-stream" });
    const chunk = (delta, finish_reason) =>
      response.write(`data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
    chunk({ role: "assistant", content: text }, null);
    await setTimeout(afterMs);
    chunk({}, finish);
    response.end("data: [DONE]\n\n");
  }
}

/**
 * Reads server-sent events out of a response. `EventSource` cannot post, send a token, or tell a cut from an end.
 */

/** Yields `{id, event, data}` for each event; comments and `retry` are left out. Throws when the connection is cut. */
export async function* frames(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n\n");
      rest = lines.pop();
      for (const frame of lines) {
        const read = parse(frame);
        if (read.data !== "") yield read;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Reads one frame: its lines without the empty one that ends it. */
export function parse(frame) {
  const read = { id: null, event: "message", data: "" };
  const data = [];
  for (const line of frame.split("\n")) {
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") data.push(value);
    else if (name === "id") read.id = value;
    else if (name === "event") read.event = value;
  }
  read.data = data.join("\n");
  return read;
}

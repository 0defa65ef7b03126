/** The reader of server-sent events, against what the standard says and this service never sends. */

import assert from "node:assert/strict";
import { check } from "./judge.mjs";
import { Frames } from "./sse.js";

const STREAM =
    "\uFEFF: a comment\nretry: 250\nid: 1\nevent: a\ndata: Grüße 🐢\n\n" +
    "id: 2\r\nevent: b\r\ndata: one\r\ndata:two\r\ndata\r\n\r\n" +
    "data:  three\n\nid: 3\nevent: c\n\nevent\ndata: [DONE]\rretry: soon\rid: 4\0\r\rother: x\ndata: never ended\n";

const FRAMES = [
    { id: "1", event: "a", data: "Grüße 🐢" },
    { id: "2", event: "b", data: "one\ntwo\n" },
    { id: "2", event: "", data: " three" },
    { id: "3", event: "", data: "[DONE]" },
];

function read(pieces) {
    const frames = new Frames();
    return { frames: pieces.flatMap((piece) => frames.push(piece)), retryMs: frames.retryMs };
}

check("Frames are read as the standard wants it, wherever the bytes are cut.", async () => {
    const bytes = new TextEncoder().encode(STREAM);
    const expected = { frames: FRAMES, retryMs: 250 };
    assert.deepEqual(read([bytes]), expected);
    assert.deepEqual(read([...bytes].map((byte) => Uint8Array.of(byte))), expected, "byte by byte");
    for (let at = 0; at <= bytes.length; at++) {
        assert.deepEqual(read([bytes.subarray(0, at), bytes.subarray(at)]), expected, `cut at ${at}`);
    }
});

"""What the types of openai-chatkit accept, and the order that the web component relies on."""

import json
from datetime import datetime
from typing import Any

from chatkit.types import Page, SyncCustomActionResponse, Thread, ThreadItem, ThreadStreamEvent
from pydantic import TypeAdapter

EVENT = TypeAdapter(ThreadStreamEvent)
THREAD = TypeAdapter(Thread)
THREADS = TypeAdapter(Page[Thread])
ITEMS = TypeAdapter(Page[ThreadItem])
ACTED = TypeAdapter(SyncCustomActionResponse)

PART = "assistant_message.content_part"


def fitting(adapter: TypeAdapter[Any], text: str) -> Any:
    """Reads JSON that fits a type of openai-chatkit and holds nothing that the type does not know."""
    value = json.loads(text)
    known = adapter.dump_python(adapter.validate_json(text), mode="json", by_alias=True)
    strangers(value, known, "$")
    return value


def strangers(value: Any, known: Any, path: str) -> None:
    """Finds a field that the type has dropped, and times that a browser would misread."""
    if isinstance(value, dict):
        for name, inner in value.items():
            assert isinstance(known, dict) and name in known, f"{path}.{name} is unknown to the types"
            strangers(inner, known[name], f"{path}.{name}")
            if name == "created_at":
                assert inner.endswith("Z") and datetime.fromisoformat(inner), f"{path}.{name} is {inner}"
    elif isinstance(value, list):
        assert len(value) == len(known), f"{path} loses elements"
        for index, inner in enumerate(value):
            strangers(inner, known[index], f"{path}[{index}]")


def frames(stream: str) -> list[dict[str, Any]]:
    """Reads a stream to its end: `data:` and one line of JSON, or a comment, and nothing else."""
    assert stream.endswith("\n\n"), f"the stream is torn: {stream[-80:]!r}"
    events = []
    for frame in stream.removesuffix("\n\n").split("\n\n"):
        if frame.startswith(": ") and "\n" not in frame:
            continue
        assert frame.startswith("data: ") and "\n" not in frame, f"no frame of ChatKit: {frame!r}"
        events.append(fitting(EVENT, frame.removeprefix("data: ")))
    return events


class Order:
    """Holds the events of one stream to the order of the protocol."""

    def __init__(self, opening: list[str]) -> None:
        self.opening = opening
        self.open: dict[str, Any] | None = None
        self.text = ""
        self.has_part = False
        self.done: list[dict[str, Any]] = []

    def hold(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Checks a whole stream; returns the items that it has finished."""
        kinds = [event["type"] for event in events]
        assert kinds[: len(self.opening)] == self.opening, f"the stream begins with {kinds[:4]}"
        assert "thread.created" not in kinds[1:], "a thread begins twice"
        assert "error" not in kinds[:-1], "something follows an error"
        for event in events:
            self.take(event)
        assert self.open is None or kinds[-1] == "error", f"{self.open['id']} is never finished"
        ids = [item["id"] for item in self.done]
        assert len(ids) == len(set(ids)), f"an id is used twice: {ids}"
        return self.done

    def take(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "thread.item.added":
                assert self.open is None, "an item begins before the last one is finished"
                assert event["item"]["type"] != "user_message"
                self.open, self.text, self.has_part = event["item"], "", False
            case "thread.item.updated":
                assert self.open is not None and self.open["id"] == event["item_id"], "an item that is not open changes"
                self.update(event["update"])
            case "thread.item.removed":
                assert self.open is not None and self.open["id"] == event["item_id"]
                self.open = None
            case "thread.item.done":
                self.finish(event["item"])

    def update(self, update: dict[str, Any]) -> None:
        match update["type"]:
            case "assistant_message.content_part.added":
                assert not self.has_part
                self.has_part = True
            case "assistant_message.content_part.text_delta":
                assert self.has_part, "text comes before its part"
                self.text += update["delta"]
            case "assistant_message.content_part.done":
                assert update["content"]["text"] == self.text, "the part is not what was written"
            case "workflow.task.added":
                assert update["task_index"] == len(self.open["workflow"]["tasks"])
                self.open["workflow"]["tasks"].append(update["task"])
            case "workflow.task.updated":
                self.open["workflow"]["tasks"][update["task_index"]] = update["task"]

    def finish(self, item: dict[str, Any]) -> None:
        if self.open is not None:
            assert self.open["id"] == item["id"], "another item is finished than was begun"
            if item["type"] == "assistant_message":
                assert item["content"][0]["text"] == self.text, "the message is not what was written"
            if item["type"] == "workflow":
                assert item["workflow"]["tasks"][0]["type"] == self.open["workflow"]["tasks"][0]["type"]
                assert all(task["status_indicator"] == "complete" for task in item["workflow"]["tasks"])
        if item["type"] == "assistant_message":
            assert item["content"][0]["annotations"] == [], "the component wants annotations"
        self.open = None
        self.done.append(item)

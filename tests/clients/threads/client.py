"""A client that sends what the web component sends and holds every answer to the types and the order."""

import json
from typing import Any

from chatkit.types import ChatKitReq
from pydantic import TypeAdapter

import rules
from service import Service

REQUEST = TypeAdapter(ChatKitReq)

CREATED = ["thread.created", "thread.item.done", "stream_options"]
ADDED = CREATED[1:]
ANSWERED = CREATED[2:]


class Client:
    """One user's client."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def send(self, operation: str, params: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
        body = json.dumps({"type": operation, "params": params})
        REQUEST.validate_json(body)
        return self.service.post(body.encode(), headers)

    def ask(self, operation: str, adapter: TypeAdapter[Any] | None, **params: Any) -> Any:
        """Sends an operation with one answer."""
        answer = self.send(operation, params)
        text = answer.read().decode()
        assert answer.status == 200, f"{operation}: {answer.status} {text}"
        assert answer.headers["content-type"].startswith("application/json")
        return json.loads(text) if adapter is None else rules.fitting(adapter, text)

    def refused(self, operation: str, status: int, **params: Any) -> None:
        """Sends an operation that is refused, with a message for the page."""
        answer = self.send(operation, params)
        body = json.loads(answer.read())
        assert answer.status == status, f"{operation}: {answer.status} {body}"
        assert body["message"], "a refusal has a message"

    def events(self, operation: str, **params: Any) -> list[dict[str, Any]]:
        """Sends an operation that is answered with a stream, and reads it to the end."""
        answer = self.send(operation, params, {"accept": "text/event-stream"})
        text = answer.read().decode()
        assert answer.status == 200, f"{operation}: {answer.status} {text}"
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "no-transform" in answer.headers["cache-control"] and answer.headers["x-accel-buffering"] == "no"
        return rules.frames(text)

    def create(self, text: str) -> tuple[str, list[dict[str, Any]]]:
        """Begins a thread; returns its id and its items."""
        events = self.events("threads.create", input=said(text))
        return events[0]["thread"]["id"], rules.Order(CREATED).hold(events)

    def add(self, thread: str, text: str) -> list[dict[str, Any]]:
        events = self.events("threads.add_user_message", thread_id=thread, input=said(text))
        return rules.Order(ADDED).hold(events)

    def retry(self, thread: str, item: str) -> list[dict[str, Any]]:
        events = self.events("threads.retry_after_item", thread_id=thread, item_id=item)
        assert events[-1]["type"] != "error", f"the retry failed: {events[-1]}"
        return rules.Order(ANSWERED).hold(events)

    def fails(self, thread: str, text: str) -> dict[str, Any]:
        """Says something that fails; returns the error that the stream ends with."""
        events = self.events("threads.add_user_message", thread_id=thread, input=said(text))
        rules.Order(ADDED).hold(events)
        assert events[-1]["type"] == "error", f"a stream that failed ends with {events[-1]['type']}"
        return events[-1]

    def items(self, thread: str) -> list[dict[str, Any]]:
        """Reads a thread as the component does: opened, then paged on behind the last item."""
        page = self.ask("threads.get_by_id", rules.THREAD, thread_id=thread)["items"]
        items = page["data"]
        while page["has_more"]:
            after = items[-1]["id"]
            page = self.ask("items.list", rules.ITEMS, thread_id=thread, limit=9999, order="asc", after=after)
            items += page["data"]
        return items


def said(text: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"content": content, "quoted_text": "", "attachments": [], "inference_options": {}}

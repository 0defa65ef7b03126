"""Takes out of generated requests what the description cannot judge, so that all other checks stay as strict as they are.

Some values have the right form and are refused all the same, because only the service that runs knows which exist. A
request that holds one says nothing about the rest of it."""

import re
from collections.abc import Callable, MutableMapping
from itertools import count
from typing import Any

import schemathesis
from schemathesis import Case, HookContext

numbers = count(1)

# The operations of ChatKit.
OPERATIONS = [
    *(f"threads.{name}" for name in ["create", "add_user_message", "add_client_tool_output", "add_structured_input"]),
    *(f"threads.{name}" for name in ["retry_after_item", "custom_action", "sync_custom_action", "get_by_id"]),
    *(f"threads.{name}" for name in ["list", "update", "delete"]),
    *["items.list", "items.feedback", "attachments.create", "attachments.delete", "input.transcribe"],
]


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """Leaves such values out, unless they are wrong in their form already."""
    operation = case.operation.definition.raw["operationId"]
    if operation.startswith("list_"):
        # A cursor is opaque; one that no page gave is refused.
        drop(case.query, "cursor", lambda cursor: isinstance(cursor, str))
    if operation == "run_events":
        # A number that the run has not told yet is refused.
        drop(case.query, "after", is_number)
        drop(case.headers, "Last-Event-ID", is_number)
    if operation == "retry" and isinstance(case.body, dict):
        drop(case.body, "provider", is_text)
        drop(case.body, "model", is_text)
    if operation.startswith("chatkit") and isinstance(case.body, dict):
        # What each operation takes is judged by the types of ChatKit, not here.
        if case.body.get("type") in OPERATIONS and isinstance(case.body.get("params", {}), dict):
            case.body = {"type": "threads.list", "params": {}}
    if operation == "chat" and isinstance(case.body, dict):
        # Only models of the list that the service was started with are accepted.
        drop(case.body, "provider", is_text)
        drop(case.body, "model", is_text)
        # The names of time zones are a list that lives elsewhere.
        drop(case.body, "timezone", is_zone)
    if operation in ("chat", "retry"):
        # A key that came with another request is refused.
        refresh(case.headers, "Idempotency-Key")


def drop(values: MutableMapping[str, Any] | None, name: str, is_formed: Callable[[Any], bool]) -> None:
    """Takes a value out, if it has the right form."""
    if values and name in values and is_formed(values[name]):
        del values[name]


def refresh(headers: MutableMapping[str, Any] | None, name: str) -> None:
    """Replaces a key of the right form by one that nobody used."""
    if headers and name in headers and is_key(headers[name]):
        headers[name] = f"key {next(numbers)}"


def is_key(value: Any) -> bool:
    return 1 <= len(str(value)) <= 255 and str(value).isascii() and str(value).isprintable()


def is_number(value: Any) -> bool:
    return str(value).isdecimal() and int(value) > 0


def is_zone(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[A-Za-z0-9_+/-]+", value) is not None


def is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value

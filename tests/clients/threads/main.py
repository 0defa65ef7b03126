"""The types of openai-chatkit judge every operation of ChatKit against the running service."""

import json
import time
from pathlib import Path

import rules
from client import ADDED, ANSWERED, CREATED, Client, said
from judge import main
from service import DIALECTS, LIMIT_SECONDS, service


def three_turns(client: Client, first: str, then: list[str]) -> tuple[str, list[dict]]:
    """Says several things in a thread, which must then show what the streams have told."""
    thread, told = client.create(first)
    for text in then:
        told += client.add(thread, text)
    assert client.items(thread) == told, "a reload shows something else than the streams have told"
    return thread, told


async def the_demo_is_talked_to(binary: str, folder: Path) -> None:
    """Four turns with the demo fit the types and the order, and a reload shows the same items."""
    with service(binary, folder, "demo") as running:
        client = Client(running)
        _, told = three_turns(client, "add buy milk, call mom", ["show my tasks", "done 1", "hello"])
        kinds = [item["type"] for item in told]
        assert kinds.count("workflow") == 3 and kinds.count("widget") == 1, f"shown are {kinds}"


async def every_provider_is_talked_to(binary: str, folder: Path) -> None:
    """Four turns with calls in the dialect of each provider fit the types and the order, and a reload shows the same."""
    for dialect in DIALECTS:
        place = folder / dialect
        place.mkdir()
        with service(binary, place, dialect, REASONING_DELTAS="false") as running:
            _, told = three_turns(Client(running), "buy milk", ["and again", "and again", "and once more"])
            kinds = [item["type"] for item in told]
            assert kinds == ["user_message", "workflow", "assistant_message"] * 4, f"{dialect} shows {kinds}"


async def thoughts_are_shown(binary: str, folder: Path) -> None:
    """What a model thinks is a workflow that fits the types, and is gone after a reload."""
    with service(binary, folder, "openrouter", REASONING_DELTAS="true") as running:
        client = Client(running)
        thread, told = client.create("buy milk")
        thoughts = [item for item in told if item["type"] == "workflow" and item["workflow"]["type"] == "reasoning"]
        assert thoughts, "no thought was shown"
        assert client.items(thread) == [item for item in told if item not in thoughts]


async def failures_are_told(binary: str, folder: Path) -> None:
    """A provider that fails in any way ends the stream with an error, after what was written; a retry then answers."""
    failures = ["d_midstream_error.sse", "e_truncated_no_done.sse", 500, 401, 429]
    for dialect in DIALECTS:
        place = folder / dialect
        place.mkdir()
        with service(binary, place, dialect) as running:
            client = Client(running)
            thread, told = client.create("buy milk")
            for failure in failures:
                running.provider.failure = failure
                error = client.fails(thread, "and again")
                assert error["code"] == "custom" and error["message"], f"{dialect}, {failure}: {error}"
                assert error["allow_retry"] is (failure != 401), f"{dialect}, {failure}: {error}"
                shown = client.items(thread)
                message = [item for item in shown if item["type"] == "user_message"][-1]
                assert shown[: len(told)] == told, "what was there before has changed"
                told += [message, *client.retry(thread, message["id"])]
                assert client.items(thread) == told, f"{dialect}, {failure}: a reload shows something else"


async def threads_are_kept(binary: str, folder: Path) -> None:
    """Threads are listed in pages, renamed and deleted; items are paged in both directions."""
    with service(binary, folder, "demo") as running:
        client = Client(running)
        made = [client.create(f"add task {number}")[0] for number in range(3)]
        listed = client.ask("threads.list", rules.THREADS, limit=9999, order="desc")
        assert [thread["id"] for thread in listed["data"]] == made[::-1] and not listed["has_more"]
        page = client.ask("threads.list", rules.THREADS, limit=2, order="asc")
        assert page["has_more"] and page["after"] == made[1]
        rest = client.ask("threads.list", rules.THREADS, limit=2, order="asc", after=made[1])
        assert [thread["id"] for thread in rest["data"]] == made[2:]
        assert client.ask("threads.update", rules.THREAD, thread_id=made[0], title="Mine")["title"] == "Mine"
        whole = client.items(made[0])
        for order, expected in [("asc", whole), ("desc", whole[::-1])]:
            paged, after = [], {}
            while True:
                page = client.ask("items.list", rules.ITEMS, thread_id=made[0], limit=1, order=order, **after)
                paged += page["data"]
                if not page["has_more"]:
                    break
                after = {"after": paged[-1]["id"]}
            assert paged == expected, f"{order} pages lose or repeat items"
        kinds = {"positive", "negative"}
        ids = [item["id"] for item in whole]
        assert all(client.ask("items.feedback", None, thread_id=made[0], item_ids=ids, kind=kind) == {} for kind in kinds)
        assert client.ask("threads.delete", None, thread_id=made[0]) == {}
        client.refused("threads.get_by_id", 404, thread_id=made[0])


async def buttons_work(binary: str, folder: Path) -> None:
    """The list of tasks is a widget; its button completes a task, with events and at once, and a reload shows it."""
    with service(binary, folder, "demo") as running:
        client = Client(running)
        thread, _ = client.create("add milk, bread")
        widget = client.add(thread, "show my tasks")[2]
        buttons = [part for row in widget["widget"]["children"] for part in row["children"] if part["type"] == "Button"]
        actions = [{"type": action["type"], "payload": action["payload"]} for action in
                   (button["onClickAction"] for button in buttons)]
        place = {"thread_id": thread, "item_id": widget["id"]}
        events = client.events("threads.custom_action", **place, action=actions[0])
        rules.Order(ANSWERED).hold(events)
        assert [event["type"] for event in events[1:]] == ["thread.item.replaced", "client_effect"]
        answer = client.ask("threads.sync_custom_action", rules.ACTED, **place, action=actions[1])
        assert '"Button"' not in json.dumps(answer), "both tasks are completed"
        assert answer["updated_item"] in client.items(thread), "a reload shows the list as it was"
        unknown = {"type": "task.sell", "payload": {}}
        assert [event["type"] for event in client.events("threads.custom_action", **place, action=unknown)] == ["error"]
        client.refused("threads.sync_custom_action", 400, **place, action=unknown)


async def what_is_not_offered_is_said(binary: str, folder: Path) -> None:
    """What is not offered is refused with a message, or told in a stream where the user should read it."""
    with service(binary, folder, "demo") as running:
        client = Client(running)
        thread, told = client.create("hello")
        client.refused("attachments.create", 400, name="a.png", size=1, mime_type="image/png")
        client.refused("attachments.delete", 400, attachment_id="atc_1")
        client.refused("input.transcribe", 400, audio_base64="", mime_type="audio/webm")
        answers = {"status": "skipped", "answers": {}}
        for operation, params in [
            ("threads.add_client_tool_output", {"result": {"ok": True}}),
            ("threads.add_structured_input", {"item_id": "si_1", "input": answers}),
            ("threads.retry_after_item", {"item_id": "msg_ffffffff"}),
            ("threads.add_user_message", {"input": said("hi") | {"attachments": ["atc_1"]}}),
        ]:
            events = client.events(operation, thread_id=thread, **params)
            assert [event["type"] for event in events] == ["error"], f"{operation}: {events}"
        for body in [b"{", b"{}", b'{"type":"threads.nope","params":{}}']:
            refused = running.post(body)
            assert refused.status == 400 and json.loads(refused.read())["message"], body
        assert client.items(thread) == told, "something was changed"


async def stop_is_a_connection_that_drops(binary: str, folder: Path) -> None:
    """A connection that drops stops the turn; what was shown stays, under its id, and the thread goes on."""
    with service(binary, folder, "demo", DEMO_DELTA_MS="250") as running:
        client = Client(running)
        answer = client.send("threads.create", {"input": said("hello")})
        shown = ""
        while shown.count("text_delta") < 3:
            shown += answer.readline().decode()
        answer.close()
        events = rules.frames(shown.rstrip("\n") + "\n\n")
        assert [event["type"] for event in events[:3]] == CREATED
        begun = next(event["item"]["id"] for event in events if event["type"] == "thread.item.added")
        items = kept(client, events[0]["thread"]["id"])
        text = "".join(event["update"].get("delta", "") for event in events if event["type"] == "thread.item.updated")
        assert items[1]["id"] == begun and items[1]["content"][0]["text"].startswith(text)
        events = client.events("threads.add_user_message", thread_id=events[0]["thread"]["id"], input=said("hi"))
        rules.Order(ADDED).hold(events)


def kept(client: Client, thread: str) -> list[dict]:
    """Waits until the stopped turn is stored."""
    until = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < until:
        items = client.items(thread)
        if len(items) == 2:
            return items
        time.sleep(0.05)
    raise AssertionError("what was shown is not kept")


if __name__ == "__main__":
    main(
        [
            the_demo_is_talked_to,
            every_provider_is_talked_to,
            thoughts_are_shown,
            failures_are_told,
            threads_are_kept,
            buttons_work,
            what_is_not_offered_is_said,
            stop_is_a_connection_that_drops,
        ]
    )

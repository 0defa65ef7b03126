"""Talks to the service in front of a real model server, and tells what came of it: a transcript, a sentence for
each check, and at the end how many passed.

usage: conversation.py <the parlor binary>"""

import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from stage import CONTEXT, Event, Stage, data_of

# A check is given the stage; its docstring is the fact that it checks. The checks follow on each other.
Check = Callable[[Stage], None]


def ended(events: list[Event]) -> str:
    """Returns how a run ended: the name of its last event, and the code of a failure."""
    name, data = events[-1]
    return f"{name} {data['code']}" if "code" in data else name


def expect(found: object, wanted: object) -> None:
    """Fails the check unless both are the same."""
    if found != wanted:
        raise AssertionError(f"expected {wanted!r}, found {found!r}")


def titles(stage: Stage) -> list[str]:
    """Returns the titles of the user's tasks."""
    return [task["title"] for task in stage.get("tasks")["data"]]


def conversation_of(events: list[Event]) -> str:
    """Returns the conversation that a run belongs to."""
    return data_of(events, "run.created")[0]["conversation_id"]


def a_task_is_added(stage: Stage) -> None:
    """The model calls a tool, and the task is there."""
    events = stage.turn("Add a task: buy milk")
    stage.conversation = conversation_of(events)
    expect(ended(events), "run.completed")
    started = [(call["name"], call["arguments"]) for call in data_of(events, "tool.started")]
    expect(started, [("add_task", {"title": "buy milk"})])
    expect([call["status"] for call in data_of(events, "tool.completed")], ["ok"])
    expect(titles(stage), ["buy milk"])
    stage.first = events


def the_words_and_the_cost_come_from_the_server(stage: Stage) -> None:
    """The reply comes in pieces that are its text, and what it cost is what the server counted."""
    deltas = [delta["delta"] for delta in data_of(stage.first, "message.delta")]
    expect(len(deltas) > 1, True)
    expect("".join(deltas), data_of(stage.first, "message.completed")[-1]["content"])
    usage = stage.first[-1][1]["usage"]
    expect((usage["model_calls"], usage["estimated"]), (2, False))
    expect(usage["total_tokens"], usage["input_tokens"] + usage["output_tokens"])
    expect(usage["input_tokens"] > 0 and usage["output_tokens"] > 0, True)


def a_question_is_answered(stage: Stage) -> None:
    """The server takes its own call and the answer to it back as history, and answers in plain text."""
    events = stage.turn("Why is the sky blue?", conversation_id=stage.conversation)
    expect(ended(events), "run.completed")
    expect(data_of(events, "tool.started"), [])
    expect(len(data_of(events, "message.delta")) > 5, True)


def another_task_is_added(stage: Stage) -> None:
    """A later turn of the same conversation calls a tool again."""
    events = stage.turn("Add a task: feed the cat", conversation_id=stage.conversation)
    expect(ended(events), "run.completed")
    expect(titles(stage), ["buy milk", "feed the cat"])
    messages = stage.get(f"conversations/{stage.conversation}/messages?limit=100")["data"]
    roles = [message["role"] for message in messages]
    acts = ["user", "assistant", "tool", "assistant"]
    expect(roles, [*acts, "user", "assistant", *acts])


def a_long_reply_is_cut(stage: Stage) -> None:
    """A reply that the server cuts at its limit is kept as incomplete and says so."""
    events = stage.turn("Write a poem about the sea.")
    expect(ended(events), "run.completed")
    expect([notice["code"] for notice in data_of(events, "notice")], ["reply_truncated"])
    expect(data_of(events, "message.completed")[-1]["incomplete"], True)


def too_much_is_told(stage: Stage) -> None:
    """A message that is longer than the server's context fails as just that."""
    events = stage.turn("word " * (CONTEXT + 500))
    expect(ended(events), "run.failed model_context_overflow")


def a_crash_costs_one_reply(stage: Stage) -> None:
    """A server that is killed in the middle of a reply fails that run, and what was said is kept."""
    print("    user       Write a poem about the sea.   (the server is killed after three words)", flush=True)
    events = []
    for event in stage.stream("Write a poem about the sea.", conversation_id=stage.conversation):
        events.append(event)
        if event[0] == "message.delta" and len(data_of(events, "message.delta")) == 3:
            stage.kill_model()
    expect(ended(events), "run.failed model_stream_lost")
    said = "".join(delta["delta"] for delta in data_of(events, "message.delta"))
    newest = stage.get(f"conversations/{stage.conversation}/messages?order=desc&limit=1")["data"][0]
    print(f"    kept       {newest['content']!r}")
    expect((newest["role"], newest["content"], newest["incomplete"]), ("assistant", said, True))


def nobody_answers(stage: Stage) -> None:
    """While the server is gone a turn fails soon and says that the model is out of reach."""
    begun = time.monotonic()
    events = stage.turn("Why is the sky blue?", conversation_id=stage.conversation)
    expect(ended(events), "run.failed model_upstream")
    expect(time.monotonic() - begun < 30, True)


def the_next_turn_works(stage: Stage) -> None:
    """Once the server is back the conversation goes on, without a restart of the service."""
    stage.start_model()
    events = stage.turn("Why is the sky blue?", conversation_id=stage.conversation)
    expect(ended(events), "run.completed")
    expect(data_of(events, "message.completed") != [], True)


CHECKS: list[Check] = [
    a_task_is_added,
    the_words_and_the_cost_come_from_the_server,
    a_question_is_answered,
    another_task_is_added,
    a_long_reply_is_cut,
    too_much_is_told,
    a_crash_costs_one_reply,
    nobody_answers,
    the_next_turn_works,
]


def passes(check: Check, stage: Stage) -> bool:
    """Makes one check and tells how it ended."""
    try:
        check(stage)
    except Exception as error:  # Whatever goes wrong is the verdict; the next check may still say something.
        print(f"  FAILED  {check.__doc__}\n          {type(error).__name__}: {error}", flush=True)
        return False
    print(f"  passed  {check.__doc__}", flush=True)
    return True


def main() -> None:
    """Makes the checks, and exits with 1 if one fails; then the logs are shown."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} <the parlor binary>")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))  # So that both processes end as well.
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(sys.argv[1]).resolve(), Path(folder))
        try:
            failed = sum(not passes(check, stage) for check in CHECKS)
        finally:
            stage.stop()
        if failed:
            print((Path(folder) / "parlor.log").read_text()[-6000:])
    print(f"{len(CHECKS) - failed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

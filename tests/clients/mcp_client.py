"""The official MCP client for Python judges the task server over stdio, in both eras of the protocol.

Our own tests use the library that the server is built with; two ends of one library may share a mistake."""

import asyncio
import subprocess
import uuid
from functools import partial
from pathlib import Path
from typing import Any

from judge import CALL_KEY, LIMIT_SECONDS, TOOLS, USER_KEY, environment, main
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters
from mcp.types import CallToolResult, Tool

# How a client opens the session, and the protocol that must come of it.
ERAS = {"legacy": "2025-11-25", "auto": "2026-07-28"}


def alone(binary: str, folder: Path, mode: str = "auto") -> Client:
    """A server for one user, as any host would start it."""
    return client(binary, folder, [], environment(folder, "ada"), mode)


async def supervised(binary: str, folder: Path, mode: str = "auto") -> Client:
    """A server that serves whom the host names. It expects tables, which a server alone makes at its start."""
    async with alone(binary, folder):
        pass
    return client(binary, folder, ["--supervised"], environment(folder, None), mode)


def client(binary: str, folder: Path, arguments: list[str], variables: dict[str, str], mode: str) -> Client:
    server = StdioServerParameters(command=binary, args=arguments, env=variables, cwd=folder)
    return Client(server, mode=mode, read_timeout_seconds=LIMIT_SECONDS / 2)


def text(result: CallToolResult) -> str:
    assert len(result.content) == 1, f"an answer is one block of text: {result}"
    return result.content[0].text


def task(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, f"the call is refused: {text(result)}"
    return result.structured_content["task"]


def assert_refused(result: CallToolResult, code: str) -> None:
    assert result.is_error, f"the call should be refused with {code}: {result}"
    refusal = result.structured_content
    assert refusal["code"] == code, f"the refusal should be {code}: {refusal}"
    assert refusal["message"] == text(result), f"the text and the JSON of a refusal differ: {result}"


async def titles(session: Client, user: str) -> list[str]:
    listed = await session.call_tool("list_tasks", {}, meta={USER_KEY: user})
    return [task["title"] for task in listed.structured_content["tasks"]]


async def the_session_opens_in_both_eras(binary: str, folder: Path) -> None:
    """A session opens with the handshake of 2025-11-25 and with the discovery of 2026-07-28."""
    for mode, protocol in ERAS.items():
        async with alone(binary, folder, mode) as session:
            assert session.protocol_version == protocol, f"{mode} came to {session.protocol_version}"
            name = session.server_info and session.server_info.name
            assert name == "task-management-server", f"the server calls itself {name}"
            assert session.instructions, "the server gives no instructions"


async def the_six_tools_are_listed(binary: str, folder: Path) -> None:
    """The six tools are listed, described, with the schemas of what they take and answer, and take no user."""
    for mode in ERAS:
        async with alone(binary, folder, mode) as session:
            tools = (await session.list_tools()).tools
            assert [tool.name for tool in tools] == TOOLS, f"listed are {tools}"
            for tool in tools:
                assert_described(tool)


def assert_described(tool: Tool) -> None:
    assert tool.title and tool.description and tool.annotations, f"{tool.name} is not described"
    assert tool.input_schema["additionalProperties"] is False, f"{tool.name} takes anything"
    assert not any("user" in name for name in tool.input_schema["properties"]), f"{tool.name} takes a user"
    assert tool.output_schema and tool.output_schema["type"] == "object", f"{tool.name} says not what it answers"
    reads = tool.name == "list_tasks"
    assert tool.annotations.read_only_hint is reads, f"the hint that {tool.name} only reads is wrong"


async def every_tool_is_called(binary: str, folder: Path) -> None:
    """Every tool does its work, says it in a sentence, and gives the same as JSON that fits its schema."""
    for mode in ERAS:
        # The client itself holds every structured answer to the published schema.
        async with await supervised(binary, folder, mode) as session:
            call = partial(session.call_tool, meta={USER_KEY: mode})
            added = await call("add_task", {"title": "Buy milk", "priority": "high"})
            assert text(added) == "Task created: Buy milk (Priority: high)", text(added)
            assert task(added)["number"] == 1, f"the first task should have number 1: {task(added)}"
            low = task(await call("set_priority", {"number": 1, "priority": "low"}))
            assert low["priority"] == "low", f"the priority should be low: {low}"
            oat = task(await call("update_task", {"title_contains": "milk", "description": "oat"}))
            assert oat["description"] == "oat", f"the description should be oat: {oat}"
            done = task(await call("complete_task", {"number": 1}))
            assert done["completed_at"], f"the task should be completed: {done}"
            listed = await call("list_tasks", {"status": "completed"})
            assert text(listed) == "Your tasks:\n1. [x] Buy milk (Priority: low)", text(listed)
            assert listed.structured_content["tasks"] == [done], "the list should show the task as it is"
            gone = await call("delete_task", {"number": 1})
            assert text(gone) == "Task deleted: Buy milk", text(gone)
            assert await titles(session, mode) == [], "a deleted task is still listed"


async def refusals_are_results(binary: str, folder: Path) -> None:
    """A refusal is a result with isError, a code and a sentence; an unknown tool is an error."""
    for mode in ERAS:
        async with alone(binary, folder, mode) as session:
            assert_refused(await session.call_tool("complete_task", {"number": 99}), "task_not_found")
            assert_refused(await session.call_tool("add_task", {"title": ""}), "invalid_arguments")
            assert_refused(await session.call_tool("add_task", {"title": "x", "user": "bob"}), "invalid_arguments")
            try:
                answer = await session.call_tool("drop_tables", {})
            except MCPError:
                continue
            raise AssertionError(f"a tool that is not there answers {answer}")


async def supervised_calls_name_a_user(binary: str, folder: Path) -> None:
    """Under supervision each call is for the user in its meta, and a call for nobody is refused and does nothing."""
    for mode in ERAS:
        ada, bob = f"ada-{mode}", f"bob-{mode}"
        async with await supervised(binary, folder, mode) as session:
            assert_refused(await session.call_tool("add_task", {"title": "of nobody"}), "no_identity")
            for user in (ada, bob):
                await session.call_tool("add_task", {"title": f"of {user}"}, meta={USER_KEY: user})
            for user in (ada, bob):
                seen = await titles(session, user)
                assert seen == [f"of {user}"], f"{user} sees {seen}"


async def alone_it_serves_one_user(binary: str, folder: Path) -> None:
    """Alone it serves the user of TASK_USER_ID without being told, and refuses a call for another."""
    async with alone(binary, folder) as session:
        await session.call_tool("add_task", {"title": "mine"})
        assert await titles(session, "ada") == ["mine"], "the user of the variable does not see the task"
        foreign = await session.call_tool("list_tasks", {}, meta={USER_KEY: "bob"})
        assert_refused(foreign, "no_identity")


async def alone_it_needs_a_user(binary: str, folder: Path) -> None:
    """Alone and without TASK_USER_ID it ends with exit code 2 and names the variable."""
    end = await asyncio.to_thread(
        subprocess.run,
        [binary],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=folder,
        env=environment(folder, None),
        text=True,
        timeout=LIMIT_SECONDS / 2,
    )
    assert end.returncode == 2, f"the exit code is {end.returncode}: {end.stderr}"
    assert "TASK_USER_ID" in end.stderr, f"the variable is not named: {end.stderr}"
    assert end.stdout == "", f"standard output belongs to the protocol: {end.stdout}"


async def a_keyed_call_has_one_effect(binary: str, folder: Path) -> None:
    """A call that is repeated under its key, even at the same moment, has one effect and the same answer."""
    async with await supervised(binary, folder) as session:
        meta = {USER_KEY: "ada", CALL_KEY: str(uuid.uuid4())}
        once, again = await asyncio.gather(
            *(session.call_tool("add_task", {"title": "once"}, meta=meta) for _ in range(2))
        )
        assert task(once) == task(again), f"the answers differ: {task(once)} and {task(again)}"
        assert await titles(session, "ada") == ["once"], "the call had its effect twice"
        other = await session.call_tool("add_task", {"title": "other"}, meta=meta)
        assert_refused(other, "call_key_reused")


async def calls_at_once_are_all_answered(binary: str, folder: Path) -> None:
    """Twenty calls at once over one connection are all answered, each with a number of its own."""
    async with alone(binary, folder) as session:
        calls = (session.call_tool("add_task", {"title": f"task {i}"}) for i in range(20))
        numbers = sorted(task(result)["number"] for result in await asyncio.gather(*calls))
        assert numbers == list(range(1, 21)), f"the numbers are {numbers}"


if __name__ == "__main__":
    main(
        [
            the_session_opens_in_both_eras,
            the_six_tools_are_listed,
            every_tool_is_called,
            refusals_are_results,
            supervised_calls_name_a_user,
            alone_it_serves_one_user,
            alone_it_needs_a_user,
            a_keyed_call_has_one_effect,
            calls_at_once_are_all_answered,
        ]
    )

"""The Agents SDK judges the task server: it lists and calls it as an agent would, without a model or a network.

It rewrites our schemas for models that take only strict ones, and sends `null` for what a model leaves out."""

import json
from pathlib import Path
from typing import Any

from agents import Agent, FunctionTool, RunContextWrapper, set_tracing_disabled
from agents.mcp import MCPServerStdio, MCPToolMetaContext, MCPUtil
from agents.tool_context import ToolContext
from judge import LIMIT_SECONDS, TOOLS, USER_KEY, environment, main


def server(binary: str, folder: Path, arguments: list[str], user: str | None, **options: Any) -> MCPServerStdio:
    params = {"command": binary, "args": arguments, "env": environment(folder, user), "cwd": folder}
    return MCPServerStdio(params, client_session_timeout_seconds=LIMIT_SECONDS / 2, **options)


async def function_tools(tasks: MCPServerStdio) -> dict[str, FunctionTool]:
    """The tools as the SDK hands them to a model."""
    context, agent = RunContextWrapper(context=None), Agent(name="judge", mcp_servers=[tasks])
    tools = await MCPUtil.get_all_function_tools([tasks], True, context, agent)
    return {tool.name: tool for tool in tools}


async def invoke(tool: FunctionTool, arguments: dict[str, Any]) -> str:
    """Calls a tool as the SDK does when a model has asked for it, and returns what the model would read."""
    written = json.dumps(arguments)
    context = ToolContext(context=None, tool_name=tool.name, tool_call_id="call_1", tool_arguments=written)
    output = await tool.on_invoke_tool(context, written)
    return output["text"] if isinstance(output, dict) else str(output)


async def the_server_is_listed_and_called(binary: str, folder: Path) -> None:
    """MCPServerStdio connects, lists the six tools and calls one."""
    async with server(binary, folder, [], "ada") as tasks:
        listed = [tool.name for tool in await tasks.list_tools()]
        assert listed == TOOLS, f"listed are {listed}"
        added = await tasks.call_tool("add_task", {"title": "Buy milk"})
        assert not added.is_error, f"the call is refused: {added}"
        assert added.structured_content["task"]["number"] == 1, f"the answer has no task: {added}"
        missing = await tasks.call_tool("delete_task", {"number": 99})
        assert missing.is_error, f"a task that is not there is deleted: {missing}"
        assert missing.structured_content["code"] == "task_not_found", f"the code is another: {missing}"


async def the_schemas_can_be_made_strict(binary: str, folder: Path) -> None:
    """Every tool becomes a function with a strict schema; the SDK makes none of one that it does not understand."""
    async with server(binary, folder, [], "ada") as tasks:
        tools = await function_tools(tasks)
        assert list(tools) == TOOLS, f"the functions are {list(tools)}"
        for tool in tools.values():
            assert tool.strict_json_schema, f"{tool.name} has a schema that cannot be made strict"


async def a_model_reads_sentences(binary: str, folder: Path) -> None:
    """What a model reads of each tool is its sentence, also when it is refused."""
    async with server(binary, folder, [], "ada") as tasks:
        tools = await function_tools(tasks)
        for name, arguments, sentence in [
            ("add_task", {"title": "Buy milk", "priority": "high"}, "Task created: Buy milk (Priority: high)"),
            ("set_priority", {"number": 1, "priority": "low"}, "Priority changed: Buy milk (Priority: low)"),
            ("update_task", {"number": 1, "title": "Buy oil"}, "Task updated: Buy oil (Priority: low, pending)"),
            ("complete_task", {"title_contains": "oil"}, "Task completed: Buy oil"),
            ("list_tasks", {}, "Your tasks:\n1. [x] Buy oil (Priority: low)"),
            ("delete_task", {"number": 1}, "Task deleted: Buy oil"),
            ("list_tasks", {}, "No tasks found."),
        ]:
            said = await invoke(tools[name], arguments)
            assert said == sentence, f"{name} says: {said}"
        refused = await invoke(tools["complete_task"], {"number": 99})
        assert "99" in refused, f"the model does not learn what was wrong: {refused}"


async def null_counts_as_left_out(binary: str, folder: Path) -> None:
    """A strict model names every field; null in the optional ones is as good as leaving them out."""
    async with server(binary, folder, [], "ada") as tasks:
        tools = await function_tools(tasks)
        for name, arguments in [
            ("add_task", {"title": "Buy milk"}),
            ("list_tasks", {}),
            ("update_task", {"number": 1, "priority": "low"}),
            ("set_priority", {"number": 1, "priority": "high"}),
            ("complete_task", {"number": 1}),
            ("delete_task", {"title_contains": "milk"}),
        ]:
            fields = dict.fromkeys(tools[name].params_json_schema["properties"])
            result = await tasks.call_tool(name, fields | arguments)
            assert not result.is_error, f"{name} refuses null: {result.content}"


def for_bob(_context: MCPToolMetaContext) -> dict[str, Any]:
    return {USER_KEY: "bob"}


async def the_host_names_the_user(binary: str, folder: Path) -> None:
    """Under supervision the SDK's meta resolver names the user, and without it every call is refused."""
    async with server(binary, folder, [], "ada"):
        pass  # The tables are made by a server alone.
    async with server(binary, folder, ["--supervised"], None) as tasks:
        nobody = await tasks.call_tool("list_tasks", {})
        assert nobody.is_error, f"a call for nobody is answered: {nobody}"
        assert nobody.structured_content["code"] == "no_identity", f"the code is another: {nobody}"
    async with server(binary, folder, ["--supervised"], None, tool_meta_resolver=for_bob) as tasks:
        said = await invoke((await function_tools(tasks))["add_task"], {"title": "of bob"})
        assert said == "Task created: of bob (Priority: medium)", f"the call is refused: {said}"
        listed = await tasks.call_tool("list_tasks", {}, meta={USER_KEY: "bob"})
        assert listed.structured_content["total"] == 1, f"the task is somebody else's: {listed}"


if __name__ == "__main__":
    set_tracing_disabled(True)
    main(
        [
            the_server_is_listed_and_called,
            the_schemas_can_be_made_strict,
            a_model_reads_sentences,
            null_counts_as_left_out,
            the_host_names_the_user,
        ]
    )

"""Tells how a client found the task server: a sentence for each check, and at the end how many passed.

Both Python clients are judged alike, so that `run.sh` can add up what they say."""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

# No check takes longer; each of them starts a process or two and makes a handful of calls.
LIMIT_SECONDS = 30

TOOLS = ["add_task", "list_tasks", "complete_task", "delete_task", "update_task", "set_priority"]

# The names under which a host says for whom a call is made, and which call it is.
USER_KEY = "dev.parlor/user-id"
CALL_KEY = "dev.parlor/call-key"

# A check is given the binary of the task server and an empty folder; its docstring is the fact that it checks.
Check = Callable[[str, Path], Awaitable[None]]


def environment(folder: Path, user: str | None) -> dict[str, str]:
    """Says where the tasks are and whose they are; the log is left out, because only the protocol is judged."""
    variables = {"TASKS_DATABASE_URL": f"sqlite://{folder}/tasks.db", "RUST_LOG": "off"}
    return variables if user is None else variables | {"TASK_USER_ID": user}


def main(checks: list[Check]) -> None:
    """Runs the checks against the binary that the command line names, and exits with 1 if one fails."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} <the parlor-tasks binary>")
    binary = str(Path(sys.argv[1]).resolve())
    failed = sum(not passes(check, binary) for check in checks)
    print(f"{len(checks) - failed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


def passes(check: Check, binary: str) -> bool:
    """Runs one check within its limit and tells how it ended."""
    fact = (check.__doc__ or check.__name__).strip()
    with tempfile.TemporaryDirectory() as folder:
        try:
            asyncio.run(asyncio.wait_for(check(binary, Path(folder)), LIMIT_SECONDS))
        except Exception as error:  # Whatever a client throws is its verdict.
            print(f"  FAILED  {fact}\n          {reasons(error)}", flush=True)
            return False
    print(f"  passed  {fact}", flush=True)
    return True


def reasons(error: BaseException) -> str:
    """Names what went wrong; the clients bury it in groups of exceptions."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(reasons(inner) for inner in error.exceptions)
    return f"{type(error).__name__}: {error}" if not isinstance(error, AssertionError) else str(error)

"""Starts the model server and the service, asks the service and reads what it streams.

Both are real processes on loopback; what they say goes to log files in a folder of their own."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent

# The most tokens that the server takes; small, so that it can be exceeded.
CONTEXT = 2048

# How long a process may take to answer for the first time, and how long a single turn may take.
START_SECONDS = 90
TURN_SECONDS = 180

# One event of a run: its name and its data.
Event = tuple[str, dict]


def free_port() -> int:
    """Finds a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Stage:
    """The two processes and the folder that they write into."""

    def __init__(self, parlor: Path, folder: Path) -> None:
        self.folder = folder
        self.model_port = free_port()
        self.port = free_port()
        self.processes: dict[str, subprocess.Popen] = {}
        # What a check leaves to the next ones: the conversation, and the events of its first turn.
        self.conversation = ""
        self.first: list[Event] = []
        try:
            self.start_model()
            self._start("parlor", [str(parlor), "serve"], self.port, "/health/ready", self._settings())
        except BaseException:
            self.stop()
            raise

    def _settings(self) -> dict[str, str]:
        """Says how the service is set up: nothing of the caller's own settings reaches it."""
        instructions = self.folder / "instructions.txt"
        instructions.write_text("You manage the user's tasks.")
        return {
            "PORT": str(self.port),
            "DATABASE_URL": f"sqlite://{self.folder}/parlor.db",
            "LLM_PROVIDER": "custom",
            "LLM_BASE_URL": f"http://127.0.0.1:{self.model_port}/v1",
            "LLM_MODEL": "smollm2-135m-instruct",
            "LLM_FIRST_TOKEN_TIMEOUT": str(TURN_SECONDS),
            "LLM_IDLE_TIMEOUT": str(TURN_SECONDS),
            "AGENT_INSTRUCTIONS_FILE": str(instructions),
        }

    def _start(self, name: str, command: list[str], port: int, ready: str, settings: dict[str, str]) -> None:
        """Starts a program and returns once it answers."""
        surroundings = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"} | settings
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=surroundings, stdout=log, stderr=log)
        self.processes[name] = process
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{ready}", timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"{name} does not start: {(self.folder / f'{name}.log').read_text()[-2000:]}")

    def start_model(self) -> None:
        """Starts the model server, always at the same address."""
        command = [sys.executable, str(HERE / "server.py"), str(self.model_port), str(CONTEXT)]
        self._start("model", command, self.model_port, "/health", {})

    def kill_model(self) -> None:
        """Ends the model server as a crash would."""
        self.processes["model"].kill()
        self.processes["model"].wait()

    def stop(self) -> None:
        """Ends both processes, the service as its operator would."""
        if service := self.processes.get("parlor"):
            service.terminate()
        for process in self.processes.values():
            try:
                process.wait(30 if process is service else 0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def get(self, path: str) -> dict:
        """Reads a resource of the user."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/local/{path}", timeout=30) as answer:
            return json.load(answer)

    def stream(self, message: str, **more: object) -> Iterator[Event]:
        """Posts a message and yields the events of its run as they come."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/local/chat",
            json.dumps({"message": message, "stream": True} | more).encode(),
            {"Content-Type": "application/json"},
        )
        name = ""
        with urllib.request.urlopen(request, timeout=TURN_SECONDS) as answer:
            for line in answer:
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "data" and value != "[DONE]":
                    yield name, json.loads(value)

    def turn(self, message: str, **more: object) -> list[Event]:
        """Posts a message, shows what is said, and returns the events of its run."""
        print(f"    user       {message if len(message) < 80 else message[:77] + '...'}", flush=True)
        events = list(self.stream(message, **more))
        show(events)
        return events


def data_of(events: list[Event], name: str) -> list[dict]:
    """Returns the data of every event of that name."""
    return [data for given, data in events if given == name]


def show(events: list[Event]) -> None:
    """Prints a run as a transcript."""
    deltas = len(data_of(events, "message.delta"))
    for name, data in events:
        match name:
            case "tool.started":
                print(f"    calls      {data['name']} {json.dumps(data['arguments'])}")
            case "tool.completed":
                print(f"    tool       {data['status']}: {json.dumps(data['result'])[:90]}")
            case "message.completed":
                print(f"    assistant  {data['content'][:300]!r}")
            case "notice":
                print(f"    notice     {data['code']}")
            case "run.completed" | "run.failed":
                usage = data["usage"]
                told = f"{usage['input_tokens']}+{usage['output_tokens']} tokens in {usage['model_calls']} calls"
                print(f"    {name}  {data.get('code', '')} {deltas} deltas, {told}, estimated: {usage['estimated']}")
    sys.stdout.flush()

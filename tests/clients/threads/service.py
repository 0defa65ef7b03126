"""The service as a process, a provider that says what is scripted, and a client that reads every frame."""

import json
import os
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parents[2] / "fixtures" / "sse"

# What each provider says when it calls a tool, and what when it has the answer.
DIALECTS = {
    "openai": ("b_one_tool_call_split.sse", "a_text.sse"),
    "gemini": ("b_one_tool_call.sse", "a_text.sse"),
    "groq": ("b_one_tool_call.sse", "a_text.sse"),
    "openrouter": ("b_one_tool_call_split.sse", "a_text.sse"),
}

# No answer may take longer.
LIMIT_SECONDS = 20


class Provider(ThreadingHTTPServer):
    """A provider. It calls a tool after each message of the user and speaks after each result, or fails as told."""

    daemon_threads = True

    def __init__(self, dialect: str) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.dialect = dialect
        # A recorded failure, or a status that is answered; then all is well again.
        self.failure: str | int | None = None

    def reply(self, body: dict[str, Any]) -> str | int:
        failure, self.failure = self.failure, None
        if isinstance(failure, int):
            return failure
        calls, speaks = DIALECTS[self.dialect]
        is_answered = body["messages"][-1]["role"] == "tool"
        name = failure or (speaks if is_answered else calls)
        return (FIXTURES / self.dialect / name).read_text()


class Answer(BaseHTTPRequestHandler):
    """One answer of the provider."""

    server: Provider

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        reply = self.server.reply(body)
        if isinstance(reply, int):
            self.send_response(reply)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(reply.encode())

    def log_message(self, *_: object) -> None:
        pass


class Service:
    """The service under test."""

    def __init__(self, base: str, provider: Provider | None) -> None:
        self.base = base
        self.provider = provider

    def post(self, body: bytes, headers: dict[str, str] | None = None) -> Any:
        """Sends a body to the endpoint; the response is open and still to be read."""
        headers = {"content-type": "application/json"} | (headers or {})
        request = urllib.request.Request(f"{self.base}/chatkit", body, headers)
        try:
            return urllib.request.urlopen(request, timeout=LIMIT_SECONDS)
        except urllib.error.HTTPError as refused:
            return refused


@contextmanager
def service(binary: str, folder: Path, dialect: str, **settings: str) -> Iterator[Service]:
    """Starts the service with a scripted provider, or with its own demo, and stops both."""
    provider = Provider(dialect) if dialect in DIALECTS else None
    variables = {
        "DATABASE_URL": f"sqlite://{folder}/parlor.db", "PORT": "0", "LLM_PROVIDER": dialect, "LLM_RETRIES": "0",
        "DEMO_DELTA_MS": "1", "PATH": os.environ["PATH"],
    } | settings
    if provider:
        threading.Thread(target=provider.serve_forever, daemon=True).start()
        variables[f"{dialect.upper()}_API_KEY"] = "sk-test"
        variables[f"{dialect.upper()}_BASE_URL"] = f"http://127.0.0.1:{provider.server_address[1]}/v1"
    with open(folder / "service.log", "ab") as log:
        process = subprocess.Popen([binary], cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        hello = process.stdout.readline()
        assert hello.startswith("Parlor serves on http://"), (folder / "service.log").read_text()[-500:]
        yield Service(hello.split()[-1], provider)
    finally:
        process.terminate()
        process.wait(timeout=LIMIT_SECONDS)
        if provider:
            provider.shutdown()

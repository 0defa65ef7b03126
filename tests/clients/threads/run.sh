#!/usr/bin/env bash
# Has the types of openai-chatkit and the order that the web component relies on judge every operation of ChatKit
# against the running service. What it needs is installed below the target folder, never into the tree.
#
# usage: run.sh [the parlor binary]; without one, the debug build that `cargo test` leaves behind
set -euo pipefail
cd "$(dirname "$0")/../../.."
target="${CARGO_TARGET_DIR:-target}"
binary="${1:-$target/debug/parlor}"
pins=tests/clients/threads/requirements.txt
venv="$target/clients/threads/venv"

if ! cmp -s "$pins" "$venv/installed" || ! "$venv/bin/python" --version > /dev/null 2>&1; then
    rm -rf "$venv"
    mkdir -p "$(dirname "$venv")"
    python3 -m venv "$venv"
    timeout 300 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$pins"
    cp "$pins" "$venv/installed"
fi
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/clients
timeout 300 "$venv/bin/python" tests/clients/threads/main.py "$binary"

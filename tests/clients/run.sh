#!/usr/bin/env bash
# Has clients that are not ours judge the task server over stdio: the official MCP client for Python, the
# Agents SDK and the MCP Inspector. What they need is installed below the target folder, never into the tree.
#
# usage: run.sh [the parlor-tasks binary]; without one, the debug build that `cargo test` leaves behind
set -euo pipefail
cd "$(dirname "$0")/../.."
target="${CARGO_TARGET_DIR:-target}"
binary="${1:-$target/debug/parlor-tasks}"
workshop="$target/clients"

# No client takes longer with everything installed; each has a limit of its own for every call.
limit=120

passed=0
failed=0

# Ends the run with a sentence that says what is missing.
fail() {
    echo "clients: $*" >&2
    exit 1
}

# Makes the venv with the pinned clients, unless it is there.
python_clients() {
    local pins=tests/clients/requirements.txt venv="$workshop/venv"
    cmp -s "$pins" "$venv/installed" && "$venv/bin/python" --version > /dev/null 2>&1 && return
    rm -rf "$venv"
    python3 -m venv "$venv" || fail "there is no venv to install the Python clients into"
    timeout 300 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$pins" ||
        fail "the Python clients cannot be installed"
    cp "$pins" "$venv/installed"
}

# Runs a client, shows what it found and adds it up. One that does not come to its closing line has failed.
judge() {
    local said status=0
    echo "$1"
    said=$(timeout "$limit" "${@:2}") || status=$?
    if [[ ${said##*$'\n'} =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        echo "${said%$'\n'*}"
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
    else
        [ -z "$said" ] || echo "$said"
        echo "  FAILED  It did not come to an end: exit code $status."
        failed=$((failed + 1))
    fi
}

[ -x "$binary" ] || fail "$binary is missing; \`cargo test\` builds it"
command -v python3 > /dev/null || fail "python3 is missing"
command -v npm > /dev/null || fail "npm is missing"
mkdir -p "$workshop"
python_clients
export PYTHONDONTWRITEBYTECODE=1
judge "The MCP client for Python" "$workshop/venv/bin/python" tests/clients/mcp_client.py "$binary"
judge "The Agents SDK" "$workshop/venv/bin/python" tests/clients/agents_client.py "$binary"
limit=420 # It installs itself when it is cold.
judge "The MCP Inspector" bash tests/clients/inspector/run.sh "$binary" "$workshop/inspector"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

#!/usr/bin/env bash
# Has tools that are not ours judge the API: a validator reads its description, Schemathesis asks the service thousands
# of questions that follow from it, and a TypeScript client that is generated from it is compiled and used.
# What they need is installed below the target folder, never into the tree.
#
# usage: run.sh [the parlor binary]; without one, the debug build that `cargo test` leaves behind
set -euo pipefail
cd "$(dirname "$0")/../../.."
root=$PWD
target=$(realpath "${CARGO_TARGET_DIR:-target}")
binary=$(realpath "${1:-$target/debug/parlor}")
workshop="$target/clients"
venv="$workshop/api"
node_home="$workshop/typescript"
folder=$(mktemp -d)
service=""

# The same seed asks the same questions, as far as they fit into the seconds.
seed="${SCHEMATHESIS_SEED:-20261120}"
seconds_none="${SCHEMATHESIS_SECONDS:-60}"
seconds_jwt=30

export JWT_SECRET="a secret for the clients of this test, and for nothing else"

passed=0
failed=0

# Ends the run with a sentence that says what is missing.
fail() {
    echo "api: $*" >&2
    exit 1
}

# Stops the service that is running, if one is.
stop() {
    [ -z "$service" ] || kill "$service" 2> /dev/null || true
    [ -z "$service" ] || wait "$service" 2> /dev/null || true
    service=""
}
trap 'stop; rm -rf "$folder"' EXIT

# Makes the venv with the pinned tools, unless it is there.
python_tools() {
    local pins=tests/clients/api/requirements.txt
    cmp -s "$pins" "$venv/installed" && "$venv/bin/python" --version > /dev/null 2>&1 && return
    rm -rf "$venv"
    python3 -m venv "$venv" || fail "there is no venv to install the Python tools into"
    timeout 300 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$pins" ||
        fail "the Python tools cannot be installed"
    cp "$pins" "$venv/installed"
}

# Installs what the lockfile of the TypeScript client names, unless it is there. No package runs a script.
node_tools() {
    local here=tests/clients/typescript
    cmp -s "$here/package-lock.json" "$node_home/installed" && return
    mkdir -p "$node_home"
    cp "$here/package.json" "$here/package-lock.json" "$node_home/"
    (cd "$node_home" && timeout 300 npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2 ||
        fail "the TypeScript tools cannot be installed"
    cp "$here/package-lock.json" "$node_home/installed"
}

# Starts a service of its own with the settings that follow, on a port that is free, and waits until it is ready.
start() {
    stop
    rm -rf "$folder/home"
    mkdir "$folder/home"
    env -C "$folder/home" RUST_LOG=warn DEMO_DELTA_MS=0 PORT=0 "$@" "$binary" serve > "$folder/said" 2> "$folder/log" &
    service=$!
    for _ in $(seq 100); do
        export address; address=$(sed -n 's/^Parlor serves on //p' "$folder/said")
        [ -n "$address" ] && curl -sf --max-time 5 "$address/health/ready" > /dev/null && return
        kill -0 "$service" 2> /dev/null || break
        sleep 0.1
    done
    fail "the service does not become ready: $(tail -n 5 "$folder/log")"
}

# Says how a check ended; of one that failed also what its tool said.
check() {
    local status=0
    timeout 180 "${@:2}" > "$folder/output" 2>&1 || status=$?
    if [ "$status" -eq 0 ]; then
        echo "  passed  $1"
        passed=$((passed + 1))
    else
        echo "  FAILED  $1"
        sed 's/^/          /' "$folder/output" | head -c 20000
        echo "          exit code $status; the service says: $(tail -n 5 "$folder/log" 2> /dev/null)"
        failed=$((failed + 1))
    fi
}

# Asks the service what follows from the description, with the settings of a file. What it remembers from run to run
# stays in the folder, or the same seed would ask other questions.
schemathesis() {
    cd "$folder"
    PYTHONPATH="$root/tests/clients/api" "$venv/bin/schemathesis" --config-file "$root/tests/clients/api/$1.toml" run \
        "$root/docs/openapi.json" --url "$address" --seed "$seed" --max-time "$2" --no-color "${@:3}"
}

# Makes the types from the description and compiles the client with them.
typescript() {
    cp tests/clients/typescript/{client.ts,tsconfig.json} "$node_home/"
    "$node_home/node_modules/.bin/openapi-typescript" docs/openapi.json -o "$node_home/api.d.ts" &&
        (cd "$node_home" && node node_modules/typescript-7/bin/tsc --project . --strict)
}

[ -x "$binary" ] || fail "$binary is missing; \`cargo test\` builds it"
for tool in python3 npm node curl; do
    command -v "$tool" > /dev/null || fail "$tool is missing"
done
mkdir -p "$workshop"
python_tools
node_tools
export PYTHONDONTWRITEBYTECODE=1
export -f schemathesis typescript
export root venv node_home folder seed

echo "The description"
check "openapi-spec-validator finds nothing wrong." "$venv/bin/openapi-spec-validator" docs/openapi.json
check "A TypeScript client compiles with the types that are made from it." bash -c typescript

start
echo "Schemathesis, seed $seed"
check "A service that knows no users does what the description says, for $seconds_none s." \
    bash -c "schemathesis none $seconds_none"
grep -E "generated" "$folder/output" || true
echo "The TypeScript client"
check "It lists, creates, chats and reads typed events." node "$node_home/built/client.js" "$address"
[ "$failed" -ne 0 ] || grep "^  " "$folder/output" || true

start AUTH_MODE=jwt
token=$(env -C "$folder/home" AUTH_MODE=jwt "$binary" token local)
echo "Schemathesis with a token, seed $seed"
check "A service that wants tokens does too, and lets nobody in without one, for $seconds_jwt s." \
    bash -c "schemathesis jwt $seconds_jwt --header 'Authorization: Bearer $token'"
grep -E "generated" "$folder/output" || true

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

#!/usr/bin/env bash
# Builds the image and tries it: deploy/image.sh [PROFILE], `dist` unless told otherwise.
# The second half of the Dockerfile is built as it stands, by podman. The tree that goes in is made by the script that
# the first half would run, so that no base image has to be fetched. Wants root, a Debian and a Postgres at
# TEST_DATABASE_URL; leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${1:-dist}
postgres=${TEST_DATABASE_URL:-postgres://postgres@127.0.0.1:5432/postgres}
database=parlor_image_$$
folder=$(mktemp -d)
image=parlor-tried
export DEBIAN_FRONTEND=noninteractive

fail() {
    echo "image: $*" >&2
    exit 1
}

# Podman with a store of its own. What it would set by default (control groups, high limits) a sandbox may not allow.
engine() {
    podman --root "$folder/store" --runroot "$folder/run" --cgroup-manager cgroupfs --runtime runc \
        --log-level fatal "$@"
}

# Starts the image as it should be run in earnest: nothing can be written but /data. Options first, then `--`, then
# arguments of the program.
start() {
    local name=$1 options=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    engine run --detach --name "$name" --read-only --cap-drop ALL --security-opt no-new-privileges \
        --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "${options[@]}" "$image" "${@:2}" > /dev/null
}

finish() {
    local status=$?
    [ "$status" -eq 0 ] || engine logs tried 2>&1 | tail -n 20 >&2 || true
    engine rm --all --force --volumes > /dev/null 2>&1 || true
    psql "$postgres" -Atqc "SET client_min_messages = error" -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" || true
    umount --quiet --recursive "$folder/store/overlay" 2> /dev/null || true
    rm -rf "$folder"
    exit "$status"
}

# Installs what is missing, by the program or file that shows it.
tools() {
    local wanted=() pair
    for pair in podman:podman runc:runc curl:curl psql:postgresql-client /usr/bin/tini-static:tini \
        /etc/ssl/certs/ca-certificates.crt:ca-certificates; do
        command -v "${pair%:*}" > /dev/null || [ -e "${pair%:*}" ] || wanted+=("${pair#*:}")
    done
    [ ${#wanted[@]} -gt 0 ] || return 0
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "${wanted[@]}" > /dev/null \
        || fail "${wanted[*]} cannot be installed"
}

# Asks until a command succeeds; the limit only matters when something is broken.
until_it_is() {
    local what=$1 tries=0
    shift
    until "$@" > /dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 150 ] || fail "not within 30 s: $what"
        sleep 0.2
    done
    echo "  $what"
}

# Prints a field of the container, such as `.State.Pid`.
state() { engine inspect --format "{{$1}}" tried; }

# Talks to the service from inside its network; the image itself has no curl.
ask() {
    nsenter --target "$(state .State.Pid)" --net curl --silent --show-error --fail --max-time 20 "$@"
}

# Says a sentence on a port, and looks for some words in the answer.
say() {
    local answer
    answer=$(ask "localhost:$1/api/local/chat" -H 'content-type: application/json' -H 'accept: text/plain' \
        -d "{\"message\":\"$2\"}")
    [[ $answer == *"$3"* ]] || fail "to '$2' it says '$answer'"
}

# Prints the processes of the container: the id out here, the state, the command. One that asks for health comes and goes.
processes() { engine top tried hpid state args | awk 'NR > 1 && !/parlor health/'; }
task_server() { processes | awk '/mcp-server/ && $2 != "Z" { print $1 }'; }
another_than() { local now; now=$(task_server) && [ -n "$now" ] && [ "$now" != "$1" ]; }
is_without_zombies() { [ -z "$(processes | awk '$2 == "Z"')" ]; }

# Ends the service and looks at how it went.
stop() {
    local main
    main=$(state .State.Pid)
    engine stop --time 60 tried > /dev/null
    [ "$(state .State.ExitCode)" = 0 ] || fail "it ended with $(state .State.ExitCode)"
    [ ! -e "/proc/$main" ] || fail "the init is still there"
    engine rm tried > /dev/null
    echo "  ends with 0 and leaves no process"
}

build() {
    deploy/rootfs.sh "$folder/tree/rootfs" "$profile"
    engine build --quiet --format docker --tag "$image" --build-context "build=$folder/tree" . > /dev/null
    echo "image: $(engine inspect --type image --format '{{.Size}}' "$image") bytes"
}

refuses_to_be_open() {
    local code=0
    engine run --rm --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --network none "$image" \
        2> "$folder/said" || code=$?
    [ "$code" = 2 ] && grep -q ALLOW_INSECURE_NO_AUTH "$folder/said" || fail "it started open to all: $code"
    echo "  without settings it refuses to be open to all"
}

with_sqlite() {
    start tried --network none --volume data:/data --env ALLOW_INSECURE_NO_AUTH=true
    until_it_is "is healthy, with SQLite" engine healthcheck run tried
    [ "$(processes | wc -l)" = 3 ] || fail "these run: $(processes)"
    [ "$(engine top tried huser capeff | tail -n +2 | sort -u | xargs)" = "10001 none" ] || fail "it may too much"
    say 8000 "add buy milk" "buy milk"
    echo "  answers a turn"
    local killed
    killed=$(task_server)
    kill -9 "$killed"
    until_it_is "a killed task server is started again" another_than "$killed"
    until_it_is "and does not stay as a zombie" is_without_zombies
    stop
    start tried --network none --volume data:/data --env ALLOW_INSECURE_NO_AUTH=true
    until_it_is "is healthy again" engine healthcheck run tried
    say 8000 "what is on my list" "buy milk"
    echo "  and knows what it knew"
    stop
}

with_postgres() {
    psql "$postgres" -Atqc "CREATE DATABASE $database"
    local place=${postgres#*@} login=${postgres%@*} port=18000
    place=${place%%/*}
    while (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do port=$((port + 1)); done
    start tried --network host --add-host "postgres:${place%:*}" --tmpfs /data --env HOST=127.0.0.1 \
        --env "PORT=$port" --env "DATABASE_URL=$login@postgres:${place##*:}/$database"
    until_it_is "is healthy, with Postgres, found by name" engine healthcheck run tried
    say "$port" "add buy milk" "buy milk"
    echo "  answers a turn"
    stop
}

[ "$(id -u)" = 0 ] || fail "wants root"
trap finish EXIT
tools
build
refuses_to_be_open
with_sqlite
with_postgres
echo "image: tried"

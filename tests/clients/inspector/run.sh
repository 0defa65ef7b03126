#!/usr/bin/env bash
# The MCP Inspector judges the task server: its strict look at our schemas must find nothing, and its calls must arrive.
# It is built on the TypeScript SDK and so stands for the many hosts that are.
#
# usage: run.sh <the parlor-tasks binary> <a folder to install into>
set -euo pipefail
binary=$(realpath "$1")
home="$2"
here=$(cd "$(dirname "$0")" && pwd)

# The exit code with which the Inspector tells of a result with isError.
is_error=5

passed=0
failed=0

# Installs what the lockfile names, unless that is there. No package runs a script, and Node.js comes as a package too,
# because the Inspector needs a newer one than Debian has.
install() {
    cmp -s "$here/package-lock.json" "$home/installed" && return
    mkdir -p "$home"
    cp "$here/package.json" "$here/package-lock.json" "$home/"
    (cd "$home" && timeout 300 npm ci --ignore-scripts --engine-strict=false --no-audit --no-fund --loglevel=error) >&2
    cp "$here/package-lock.json" "$home/installed"
}

# Runs the Inspector in an era of the protocol with the arguments that follow; leaves what it said and its exit code.
inspect() {
    local era="$1"
    status=0
    timeout 30 "$node" "$home/node_modules/.bin/mcp-inspector" --cli "$binary" "${launch[@]}" --cwd "$folder" \
        -e "TASKS_DATABASE_URL=sqlite://$folder/tasks.db" -e RUST_LOG=off --protocol-era "$era" --format json "${@:2}" \
        < /dev/null > "$folder/said" 2> "$folder/complaints" || status=$?
}

# Tells whether the Inspector ended with an exit code and its output holds every text that follows.
said() {
    [ "$status" -eq "$1" ] || return
    for text in "${@:2}"; do
        grep -qF -- "$text" "$folder/said" || return
    done
}

lists() {
    inspect "$1" --method tools/list --strict
    said 0 '"add_task"' '"list_tasks"' '"complete_task"' '"delete_task"' '"update_task"' '"set_priority"' &&
        [ ! -s "$folder/complaints" ]
}

calls() {
    inspect "$1" --method tools/call --tool-name add_task --tool-arg "title=Buy milk"
    said 0 '"Task created: Buy milk (Priority: medium)"' '"title":"Buy milk"' '"isError":false'
}

is_refused() {
    inspect "$1" --method tools/call --tool-name complete_task --tool-args-json '{"number":99}'
    said "$is_error" '"code":"task_not_found"' '"message":"there is no task 99' '"isError":true'
}

names_a_user() {
    inspect "$1" --method tools/call --tool-name add_task --tool-arg "title=Buy oil"
    said "$is_error" '"code":"no_identity"' || return
    inspect "$1" --method tools/call --tool-name add_task --tool-arg "title=Buy oil" \
        --tool-metadata "dev.parlor/user-id=$1"
    said 0 '"number":1,' '"isError":false'
}

# Says how a check ended; of one that failed also what the Inspector said last.
check() {
    if "${@:2}"; then
        echo "  passed  $1"
        passed=$((passed + 1))
    else
        echo "  FAILED  $1"
        echo "          exit code $status: $(head -c 1000 "$folder/complaints")"
        failed=$((failed + 1))
    fi
}

install
node=$(compgen -G "$home/node_modules/node-linux-*/bin/node" || command -v node)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for era in legacy modern; do
    launch=(-e TASK_USER_ID=ada)
    check "In the $era era --strict finds nothing to say against the six tools." lists "$era"
    check "In the $era era a call does its work and its answer fits the published schema." calls "$era"
    check "In the $era era a refusal arrives as the server wrote it." is_refused "$era"
    launch=(--supervised)
    check "In the $era era a call under supervision is for the user in its metadata, and for nobody without." \
        names_a_user "$era"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

#!/usr/bin/env bash
# Judges the Kotlin loop of docs/clients in the same bad network. It is not a step of CI: it wants Java 17 or newer,
# and a compiler of 90 MB. Run it after a change of Turn.kt.
#
# usage: run.sh [the parlor binary]; without one, the debug build that `cargo test` leaves behind
set -euo pipefail
cd "$(dirname "$0")/../../../.."
target="${CARGO_TARGET_DIR:-target}"
binary=$(realpath "${1:-$target/debug/parlor}")
workshop="$target/clients/kotlin"
here=tests/clients/reconnect/kotlin
compiler="kotlin-compiler@2.4.20"

command -v java > /dev/null || { echo "clients: java is missing" >&2; exit 1; }
mkdir -p "$workshop"
[ -d "$workshop/node_modules/${compiler%@*}" ] ||
    timeout 300 npm install --prefix "$workshop" --ignore-scripts --no-audit --no-fund --loglevel=error "$compiler" >&2
timeout 300 bash "$workshop/node_modules/kotlin-compiler/bin/kotlinc" "$here/Main.kt" docs/clients/Turn.kt \
    -include-runtime -d "$workshop/loop.jar"
KOTLIN_LOOP=$(realpath "$workshop/loop.jar") timeout 300 node "$here/main.mjs" "$binary"

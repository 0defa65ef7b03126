#!/usr/bin/env bash
# Measures the service beside the floor, a handler that only passes a provider's bytes through, and prints a table.
# Everything is started here, on free ports of the loopback, and ended here; files lie in folders that are removed.
#
# usage: run.sh [--rounds N] [--seconds N] [--only FIGURE,...] [--places N,...] [--json FILE]
#        figures: plain, open, tool, paced, start, history, memory, goodput, streams; all if none is named
#        PROFILE=dist run.sh ...: the program as the image has it, for which the goals on memory are; else `release`
#        run.sh pure: what the pure parts cost, by criterion
set -euo pipefail
cd "$(dirname "$0")"
target="${CARGO_TARGET_DIR:-$PWD/../target}"

if [ "${1:-}" = pure ]; then
    exec cargo run --release --locked --target-dir "$target/benches" --example pure -- --bench "${@:2}"
fi

profile="${PROFILE:-release}"
cargo build --profile "$profile" --locked --manifest-path ../Cargo.toml --target-dir "$target" --bin parlor
cargo build --release --locked --target-dir "$target/benches"

# A stream is two connections of the service.
ulimit -n "$(ulimit -Hn)"
exec "$target/benches/release/parlor-benches" run --service "$target/$profile/parlor" "$@"

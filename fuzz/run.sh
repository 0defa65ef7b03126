#!/usr/bin/env bash
# Fuzzes the reader of model replies with libFuzzer, beginning with small replies and with recorded ones. Works with
# the Rust of the repository, without nightly. What it learns stays below the target folder; so does an input that fails.
#
# A machine that tries too few replies in that time has not tried: fewer than 100,000 are a failure.
#
# usage: run.sh [seconds]; 60 without a number
set -euo pipefail
cd "$(dirname "$0")"
seconds="${1:-60}"
fewest=100000
target="${CARGO_TARGET_DIR:-$PWD/../target}/fuzz"

# The flags are for the last crate alone, which the reader's files are part of: the fuzzer is to find its way through
# them, not through the JSON parser. Only coverage is built in; the sanitizers want nightly.
cargo rustc --release --locked --target-dir "$target" -- -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares

mkdir -p "$target/corpus" "$target/failures"
reader=("$target/release/reader" -artifact_prefix="$target/failures/" -timeout=10 -rss_limit_mb=512)
echo "the seeds, each blown up beyond the limits:"
BLOWN_UP=1 "${reader[@]}" -runs=0 -verbosity=0 seeds ../tests/fixtures/sse
echo "any bytes, for $seconds seconds:"
"${reader[@]}" -dict=sse.dict -max_total_time="$seconds" -max_len=1024 -print_final_stats=1 -verbosity=0 \
    "$target/corpus" seeds ../tests/fixtures/sse 2>&1 | tee "$target/log"

tried=$(sed -n 's/^stat::number_of_executed_units: *//p' "$target/log")
if [ "${tried:-0}" -lt "$fewest" ]; then
    echo "fuzz: only ${tried:-0} replies were tried; $fewest are wanted" >&2
    exit 1
fi

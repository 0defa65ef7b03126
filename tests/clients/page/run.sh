#!/usr/bin/env bash
# Judges the page at `/` in a real browser, as people use it: Debian's Chromium, driven through playwright-core. What
# axe-core finds fault with fails too.
#
# usage: run.sh [the parlor binary [a part of a check's sentence]]; without one, the debug build of `cargo test`
set -euo pipefail
cd "$(dirname "$0")/../../.."
target="${CARGO_TARGET_DIR:-target}"
binary=$(realpath "${1:-$target/debug/parlor}")
workshop="$target/clients/page"
here=tests/clients/page

# Installs what the lockfile names, unless that is there. No package runs a script.
install() {
    cmp -s "$here/package-lock.json" "$workshop/installed" && return
    cp "$here/package.json" "$here/package-lock.json" "$workshop/"
    (cd "$workshop" && timeout 300 npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2
    cp "$here/package-lock.json" "$workshop/installed"
}

mkdir -p "$workshop"
install
rm -rf "$workshop/judge"
mkdir "$workshop/judge"
cp "$here"/*.mjs "$here/fonts.conf" tests/clients/reconnect/{judge,proxy,service}.mjs "$workshop/judge/"
cp -r web "$workshop/judge/"
timeout 600 node "$workshop/judge/main.mjs" "$binary" "${@:2}"

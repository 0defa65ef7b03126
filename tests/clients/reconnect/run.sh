#!/usr/bin/env bash
# Judges the reconnect loop of docs/clients: it is compiled as an app would, and then has to bring turns of a real
# service to their end through a network that breaks. So does the example that docs/clients.md shows: it must compile.
#
# usage: run.sh [the parlor binary]; without one, the debug build that `cargo test` leaves behind
set -euo pipefail
cd "$(dirname "$0")/../../.."
target="${CARGO_TARGET_DIR:-target}"
binary=$(realpath "${1:-$target/debug/parlor}")
workshop="$target/clients/reconnect"
here=tests/clients/reconnect

# Installs what the lockfile names, unless that is there. No package runs a script, and Node.js comes as a package too,
# so that the loop is judged on the oldest one that it is meant for.
install() {
    cmp -s "$here/package-lock.json" "$workshop/installed" && return
    cp "$here/package.json" "$here/package-lock.json" "$workshop/"
    (cd "$workshop" && timeout 300 npm ci --ignore-scripts --engine-strict=false --no-audit --no-fund --loglevel=error) >&2
    cp "$here/package-lock.json" "$workshop/installed"
}

# Compiles the loop and the example of the document, which imports it from beside itself.
compile() {
    rm -rf "$workshop/source" "$workshop/built"
    mkdir -p "$workshop/source"
    cp -r docs/clients "$workshop/source/"
    sed -n '/^```ts$/,/^```$/{/^```/d;p}' docs/clients.md > "$workshop/source/example.ts"
    sed 's|"include": .*|"include": ["**/*.ts"]|' docs/clients/tsconfig.json > "$workshop/source/tsconfig.json"
    (cd "$workshop" && timeout 120 "$node" node_modules/typescript/bin/tsc -p source --outDir built)
    cp "$here"/*.mjs "$workshop/built/clients/"
    cp "$here/package.json" "$workshop/built/"
}

mkdir -p "$workshop"
install
node=$(compgen -G "$workshop/node_modules/node-linux-*/bin/node" || command -v node)
node=$(realpath "$node")
compile
timeout 300 "$node" "$workshop/built/clients/main.mjs" "$binary"

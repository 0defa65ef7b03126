#!/usr/bin/env bash
# Makes the files that the image consists of: deploy/rootfs.sh FOLDER [PROFILE]. FOLDER/system becomes its root,
# FOLDER/data the folder that belongs to its user.
# The Dockerfile runs it, and deploy/image.sh where there is no engine to run the Dockerfile's first half.
# Wants cargo, a C compiler, tini and ca-certificates.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${1:?"which folder?"}
profile=${2:-dist}
system=$folder/system
# The user of the image; the Dockerfile names the same number.
user=10001

fail() {
    echo "rootfs: $*" >&2
    exit 1
}

# Builds the program with the C library inside. Only the last step, linking, differs from any other build. Relocations are
# packed: 1.5 MB less to map at the start. A C library before 2.36 cannot read them, but none but this one has to.
program() {
    cargo rustc --package parlor --bin parlor --profile "$profile" --locked -- \
        -C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs
    local built=${CARGO_TARGET_DIR:-target}/$profile/parlor
    [ "$profile" != dev ] || built=${CARGO_TARGET_DIR:-target}/debug/parlor
    install -D -m 755 "$built" "$system/usr/bin/parlor"
    ! grep --quiet --text PARLOR_FAILPOINTS "$built" || fail "$built can be held by a test"
    chroot "$system" /usr/bin/parlor --version || fail "$built does not start where there is no library"
}

# Prints each package that the program is built from, as `name version licence`.
packages() {
    cargo tree --package parlor --edges normal,build --prefix none --format '{p}|{l}' --locked \
        | sed 's/ (\*)$//; s/ (proc-macro)//' | grep -v '^parlor' | sed 's/^\([^ ]*\) v\([^ |]*\)[^|]*|/\1 \2 /' | sort -u
}

# Lays down what the licences ask for: who wrote what is inside, and under which terms. A text that many packages
# share is there once.
notices() {
    local doc=$system/usr/share/doc/parlor registry=${CARGO_HOME:-$HOME/.cargo}/registry/src
    mkdir -p "$doc/texts"
    cp LICENSE "$doc/LICENSE"
    cp /usr/share/doc/libc6/copyright "$doc/glibc"
    cp /usr/share/doc/tini/copyright "$doc/tini"
    local name version licence text sum
    while read -r name version licence; do
        echo "$name $version: $licence"
        find "$registry"/*/"$name-$version" -maxdepth 1 -type f \
            '(' -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' -o -iname 'copyright*' ')' | sort \
            | while read -r text; do
                sum=$(sha256sum "$text" | cut -c 1-16)
                install -m 644 "$text" "$doc/texts/$sum"
                echo "    texts/$sum  $(basename "$text")"
            done
    done < <(packages) > "$doc/PACKAGES"
    [ "$(wc -l < "$doc/PACKAGES")" -gt 100 ] || fail "the list of packages is not believable"
}

rm -rf "$folder"
mkdir -p "$folder/data" "$system"/etc
mkdir -m 1777 "$system/tmp"
program
notices
install -D -m 755 /usr/bin/tini-static "$system/usr/bin/tini"
install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$system/etc/ssl/certs/ca-certificates.crt"
echo "parlor:x:$user:$user::/data:/nonexistent" > "$system/etc/passwd"
echo "parlor:x:$user:" > "$system/etc/group"
# Names are looked up in /etc/hosts, then by DNS; both parts are in the program, as long as nothing else is asked for.
echo "hosts: files dns" > "$system/etc/nsswitch.conf"
echo "rootfs: $(stat --format %s "$system/usr/bin/parlor") bytes of program, $(du --summarize --bytes "$system" | cut -f 1) in all"

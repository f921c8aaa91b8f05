#!/bin/sh
# Builds credb, makes a vault in a temporary place, takes over the predecessor's sample
# configuration, and shows what is in the vault then. Leaves nothing behind but the build.
#
#   CREDB   a program that is built already, to be used instead
set -eu
cd "$(dirname "$0")/.."

[ -n "${CREDB:-}" ] || cargo build --quiet --locked
credb() {
    printf '\n$ credb %s\n' "$*"
    if [ -n "${CREDB:-}" ]; then "$CREDB" "$@"; else cargo run --quiet --locked -- "$@"; fi
}

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 130' INT TERM
# A vault and a key file of its own: nothing of this machine is read or changed.
export CREDB_VAULT="$place/demo.redb" CREDB_KEY_FILE="$place/demo.key" CREDB_NO_INPUT=1

credb init
credb migrate tests/data/vya_backupbd.json
credb list
credb get mysql-1
credb get mysql-1 --field password

#!/usr/bin/env bash
# Runs every fuzz target for a while. Needs a nightly Rust and cargo-fuzz, which is built into
# .cache on the first run.
#
# SECONDS_EACH=n   per target (default 60)
# TARGETS="a b"    only these
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF=fuzz
cd "$ROOT"

mapfile -t folders < <(find . \( -name target -o -name .cache -o -name .git \) -prune -o -path '*/fuzz/Cargo.toml' -print | sort)
((${#folders[@]})) || die "there is no fuzz/Cargo.toml in this checkout, so nothing to fuzz"
rustc +nightly --version >/dev/null 2>&1 || die "fuzzing needs a nightly Rust" "rustup toolchain install nightly"
if ! have cargo-fuzz && [[ ! -x $CACHE/cargo/bin/cargo-fuzz ]]; then
    say "building cargo-fuzz (minutes, once)"
    retry 3 cargo install --locked --root "$CACHE/cargo" cargo-fuzz
fi
PATH=$PATH:$CACHE/cargo/bin

for manifest in "${folders[@]}"; do
    parent=$(dirname -- "$(dirname -- "$manifest")")
    targets=${TARGETS:-$(cd "$parent" && cargo +nightly fuzz list)}
    for target in $targets; do
        say "== $parent: $target (${SECONDS_EACH:-60} s)"
        (cd "$parent" && cargo +nightly fuzz run "$target" -- -max_total_time="${SECONDS_EACH:-60}")
    done
done

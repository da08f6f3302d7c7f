#!/usr/bin/env bash
# Licences, advisories and sources of all dependencies, with cargo-deny (built into .cache once).
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF=deny
cd "$ROOT"
if ! have cargo-deny && [[ ! -x $CACHE/cargo/bin/cargo-deny ]]; then
    say "building cargo-deny (minutes, once)"
    retry 3 cargo install --locked --root "$CACHE/cargo" cargo-deny
fi
PATH=$PATH:$CACHE/cargo/bin exec cargo-deny check "$@"

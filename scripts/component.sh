#!/usr/bin/env bash
# Builds the component behind the contract in wit/, in two variants:
#
#   dist/endcap.component.wasm      world `builtin`: imports clocks and randomness, which every WASI 0.2 host has
#   dist/endcap-nn.component.wasm   world `nn`: imports wasi:nn as well
#
# Beside each lies its world as text, what `wasm-tools component wit` prints.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF=component
load_env
cd "$ROOT"

TARGET=wasm32-unknown-unknown
mkdir -p "$DIST"
cargo build --release --locked -p endcap-componentize
# variant NAME FEATURES...: features change the module, so each is turned into a component before the next is built.
variant() {
    local out=$DIST/$1.component.wasm
    shift
    guest_cargo build --release --locked --target "$TARGET" -p endcap-component "$@"
    target/release/endcap-componentize "target/guest/$TARGET/release/endcap_component.wasm" "$out" >&2
}
variant endcap
variant endcap-nn --features nn

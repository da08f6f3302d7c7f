#!/usr/bin/env bash
# Builds the wasi-nn plugin for WasmEdge, dist/plugins/libwasmedgePluginWasiNN.so, and the guest that
# tries it, dist/nn-probe.wasm and dist/nn-probe-aot.wasm. Then WasmEdge must list the plugin.
#
# FEATURES="cuda"|"vulkan"   with a GPU back-end of llama.cpp, whose SDK must be here
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF=plugin
load_env
cd "$ROOT"

NAME=libwasmedgePluginWasiNN.so
features=()
[[ -z ${FEATURES:-} ]] || features=(--features "$FEATURES")
cargo build --release --locked -p endcap-wasmedge-plugin "${features[@]}"
mkdir -p "$DIST/plugins"
cp -- "target/release/$NAME" "$DIST/plugins/$NAME.part"
# Line tables are for our own backtraces; without them the file is a seventh. The exported symbol stays.
if have strip; then strip --strip-unneeded -- "$DIST/plugins/$NAME.part"; fi
mv -- "$DIST/plugins/$NAME.part" "$DIST/plugins/$NAME"

listed=$(WASMEDGE_PLUGIN_PATH="$DIST/plugins" "$WASMEDGE" --version 2>&1)
[[ $listed == *'(plugin "wasi_nn")'* ]] || die "WasmEdge does not load the plugin: $listed"

TARGET=wasm32-wasip1
guest_cargo build --release --locked --target "$TARGET" -p endcap-nn-probe
built=$ROOT/target/guest/$TARGET/release/endcap-nn-probe.wasm
if ! cmp -s -- "$built" "$DIST/nn-probe.wasm" || [[ ! -s $DIST/nn-probe-aot.wasm ]]; then
    cp -- "$built" "$DIST/nn-probe.wasm"
    "$WASMEDGE" compile --generic-binary "$DIST/nn-probe.wasm" "$DIST/nn-probe-aot.wasm.part" >&2
    # See guest.sh: compiled code that WasmEdge refuses would run interpreted, and be timed as such.
    ran=$(WASMEDGE_PLUGIN_PATH="$DIST/plugins" "$WASMEDGE" "$DIST/nn-probe-aot.wasm.part" 2>&1 || true)
    [[ $ran != *"not matching"* && $ran != *"interpreter mode"* ]] || die "WasmEdge refuses the compiled probe: $ran"
    mv -- "$DIST/nn-probe-aot.wasm.part" "$DIST/nn-probe-aot.wasm"
fi

say "dist/plugins/$NAME: $(($(wc -c <"$DIST/plugins/$NAME") / 1000000)) MB. To use it:"
say "  WASMEDGE_PLUGIN_PATH=$DIST/plugins $WASMEDGE --nn-preload rank:onnx:cpu:/path/rank.onnx guest.wasm"

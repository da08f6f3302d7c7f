#!/usr/bin/env bash
# Builds the service for WASI: dist/app.wasm, and dist/app-aot.wasm, the same compiled ahead of
# time by the very WasmEdge that runs it (another version's code would run interpreted).
#
# AOT_LEVEL=0|1|2|3|s|z   WasmEdge's optimization level (default: its own, 3)
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF=guest
load_env
cd "$ROOT"

TARGET=wasm32-wasip1
guest_cargo build --release --locked --target "$TARGET" -p endcap-service

mkdir -p "$DIST"
built=$ROOT/target/guest/$TARGET/release/endcap-service.wasm
cmp -s -- "$built" "$DIST/app.wasm" || { cp -- "$built" "$DIST/app.wasm.part" && mv -- "$DIST/app.wasm.part" "$DIST/app.wasm"; }

# --generic-binary: code for any x86-64, as an image needs it, a few percent slower than this CPU's.
compile=(compile --generic-binary)
[[ -z ${AOT_LEVEL:-} ]] || compile+=(--optimize "$AOT_LEVEL")
wasmedge_version=$("$WASMEDGE" --version | head -n 1 | grep -oE '[0-9]+\.[0-9]+\.[0-9]+')
key="$(sha256 "$DIST/app.wasm") $wasmedge_version ${compile[*]}"
if [[ -s $DIST/app-aot.wasm && $(cat "$DIST/app-aot.key" 2>/dev/null) == "$key" ]]; then
    say "dist/app-aot.wasm is up to date"
else
    begun=$(now_ms)
    say "compiling dist/app.wasm ahead of time (WasmEdge $wasmedge_version)"
    rm -f -- "$DIST/app-aot.key"
    "$WASMEDGE" "${compile[@]}" "$DIST/app.wasm" "$DIST/app-aot.wasm.part" >&2
    # WasmEdge falls back to its interpreter, eighty times slower, where it cannot load compiled code: its loader
    # counts ELF symbols that begin with f or t as functions and types, so a call of libm's fmaxf or floor from
    # the guest spoils the count. It says so in one line of its log.
    loaded=$("$WASMEDGE" --env MODEL_PATH=/absent "$DIST/app-aot.wasm.part" 2>&1 || true)
    [[ $loaded == *MODEL_PATH* ]] || die "the compiled service does not start: $loaded"
    [[ $loaded != *"not matching"* && $loaded != *"interpreter mode"* ]] ||
        die "WasmEdge refuses the compiled code and would interpret it: $loaded" \
            "look for new libm calls: nm on the object, symbols that begin with f or t"
    mv -- "$DIST/app-aot.wasm.part" "$DIST/app-aot.wasm"
    printf '%s\n' "$key" >"$DIST/app-aot.key"
    say "dist/app-aot.wasm: $(seconds_since "$begun") s"
fi

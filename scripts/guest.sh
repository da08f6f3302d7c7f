#!/usr/bin/env bash
# Builds the service for WASI: dist/app.wasm, and dist/app-aot.wasm, the same compiled ahead of
# time by the very WasmEdge that runs it (another version's code would run interpreted). Likewise
# dist/endcap-lines.wasm, the API on standard input and output, for hosts without sockets.
#
# AOT_LEVEL=0|1|2|3|s|z   WasmEdge's optimization level (default: its own, 3)
# SERVICE_ONLY=1          without endcap-lines
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF=guest
load_env
cd "$ROOT"

TARGET=wasm32-wasip1
guest_cargo build --release --locked --target "$TARGET" -p endcap-service

mkdir -p "$DIST"
wasmedge_version=$("$WASMEDGE" --version | head -n 1 | grep -oE '[0-9]+\.[0-9]+\.[0-9]+')
# --generic-binary: code for any x86-64, as an image needs it, a few percent slower than this CPU's.
compile=(compile --generic-binary)
[[ -z ${AOT_LEVEL:-} ]] || compile+=(--optimize "$AOT_LEVEL")

# program BUILT NAME: dist/NAME.wasm and dist/NAME-aot.wasm, each only where it changed.
program() {
    local built=$ROOT/target/guest/$TARGET/release/$1.wasm plain=$DIST/$2.wasm aot=$DIST/$2-aot.wasm
    local key begun loaded
    cmp -s -- "$built" "$plain" || { cp -- "$built" "$plain.part" && mv -- "$plain.part" "$plain"; }
    key="$(sha256 "$plain") $wasmedge_version ${compile[*]}"
    if [[ -s $aot && $(cat "$DIST/$2-aot.key" 2>/dev/null) == "$key" ]]; then
        say "dist/$2-aot.wasm is up to date"
        return
    fi
    begun=$(now_ms)
    say "compiling dist/$2.wasm ahead of time (WasmEdge $wasmedge_version)"
    rm -f -- "$DIST/$2-aot.key"
    "$WASMEDGE" "${compile[@]}" "$plain" "$aot.part" >&2
    # WasmEdge falls back to its interpreter, eighty times slower, where it cannot load compiled code: its loader
    # counts ELF symbols that begin with f or t as functions and types, so a call of libm's fmaxf or floor from
    # the guest spoils the count. It says so in one line of its log.
    loaded=$("$WASMEDGE" --env MODEL_PATH=/absent "$aot.part" 2>&1 || true)
    [[ $loaded == *MODEL_PATH* ]] || die "the compiled $2 does not start: $loaded"
    [[ $loaded != *"not matching"* && $loaded != *"interpreter mode"* ]] ||
        die "WasmEdge refuses the compiled code and would interpret it: $loaded" \
            "look for new libm calls: nm on the object, symbols that begin with f or t"
    mv -- "$aot.part" "$aot"
    printf '%s\n' "$key" >"$DIST/$2-aot.key"
    say "dist/$2-aot.wasm: $(seconds_since "$begun") s"
}
program endcap-service app
[[ -n ${SERVICE_ONLY:-} ]] || program endcap-lines endcap-lines

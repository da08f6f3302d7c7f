#!/usr/bin/env bash
# bench.sh core|http|start|ratio|encoder|engines|calls|vmis: the benchmarks, programs of the crate endcap-benches (vmis: the
# pipeline's own evaluation, against published figures).
#
# ARGS=...   handed to the program (for core: a filter on benchmark names)
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF=bench
load_env
test_env
cd "$ROOT"
read -r -a args <<<"${ARGS:-}"

build() { cargo build --release --locked -p endcap-benches --bin "$1"; }

case ${1:-} in
    core)
        exec cargo bench --locked -p endcap-benches -- "${args[@]}"
        ;;
    http)
        build bench-http
        exec "$ROOT/target/release/bench-http" "${args[@]}"
        ;;
    start)
        # It loads libwasmedge into its own process, to time the module's start and not a process's.
        build bench-start
        exec "$WASMEDGE_LD" "$ROOT/target/release/bench-start" "${args[@]}"
        ;;
    ratio)
        # The same loop three times: for this machine, and for WASI compiled both as an image needs it
        # and for this very processor.
        cargo build --release --locked -p endcap-core-loop
        guest_cargo build --release --locked --target wasm32-wasip1 -p endcap-core-loop
        loop=$ROOT/target/guest/wasm32-wasip1/release/core-loop.wasm
        out=$ROOT/target/bench
        mkdir -p "$out"
        "$WASMEDGE" compile --generic-binary "$loop" "$out/core-loop-generic.wasm" >&2
        "$WASMEDGE" compile "$loop" "$out/core-loop-this-cpu.wasm" >&2
        build bench-ratio
        exec "$ROOT/target/release/bench-ratio" --native "$ROOT/target/release/core-loop" \
            --aot "generic=$out/core-loop-generic.wasm" --aot "this-cpu=$out/core-loop-this-cpu.wasm" "${args[@]}"
        ;;
    encoder)
        cargo build --release --locked -p endcap-core-loop
        guest_cargo build --release --locked --target wasm32-wasip1 -p endcap-core-loop
        loop=$ROOT/target/guest/wasm32-wasip1/release/encoder-loop.wasm
        out=$ROOT/target/bench
        mkdir -p "$out"
        "$WASMEDGE" compile --generic-binary "$loop" "$out/encoder-loop-generic.wasm" >&2
        "$WASMEDGE" compile "$loop" "$out/encoder-loop-this-cpu.wasm" >&2
        build bench-encoder
        exec "$ROOT/target/release/bench-encoder" --native "$ROOT/target/release/encoder-loop" \
            --aot "generic=$out/encoder-loop-generic.wasm" --aot "this-cpu=$out/encoder-loop-this-cpu.wasm" "${args[@]}"
        ;;
    engines)
        runtime=$(find "$CACHE/python" -name 'libonnxruntime.so.*' -print -quit)
        [[ -n $runtime ]] || die "ONNX Runtime is not here" "run: make setup-tests"
        build bench-engines
        exec "$ROOT/target/release/bench-engines" --onnx-runtime "$runtime" "${args[@]}"
        ;;
    calls)
        cargo build --release --locked -p endcap-wasmedge-plugin --example call-cost
        exec "$ROOT/target/release/examples/call-cost" "${args[@]}"
        ;;
    vmis)
        cargo build --release --locked -p endcap-models
        exec "$ROOT/target/release/endcap-model" evaluate --protocol serenade --data "$ENDCAP_DATA/serenade" \
            --split valid,test --methods knn --expect-mrr20 valid=0.3197,test=0.3401 "${args[@]}"
        ;;
    *) die "unknown benchmark '${1:-}'" "one of: core http start ratio encoder engines calls vmis" ;;
esac

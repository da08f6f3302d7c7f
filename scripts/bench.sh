#!/usr/bin/env bash
# bench.sh core|http|start|ratio|encoder|engines|calls|vmis|quality: the benchmarks, programs of the crate endcap-benches (vmis: the
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

# compare LOOP BENCH: a loop of endcap-core-loop three times, for this machine and for WASI compiled both
# as an image needs it and for this very processor; then the bench that runs them in turns.
compare() {
    local loop=$ROOT/target/guest/wasm32-wasip1/release/$1.wasm out=$ROOT/target/bench
    cargo build --release --locked -p endcap-core-loop
    guest_cargo build --release --locked --target wasm32-wasip1 -p endcap-core-loop
    mkdir -p "$out"
    "$WASMEDGE" compile --generic-binary "$loop" "$out/$1-generic.wasm" >&2
    "$WASMEDGE" compile "$loop" "$out/$1-this-cpu.wasm" >&2
    build "$2"
    exec "$ROOT/target/release/$2" --native "$ROOT/target/release/$1" \
        --aot "generic=$out/$1-generic.wasm" --aot "this-cpu=$out/$1-this-cpu.wasm" "${args[@]}"
}

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
    ratio) compare core-loop bench-ratio ;;
    encoder) compare encoder-loop bench-encoder ;;
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
            --split valid,test --methods knn --blend-default --expect-mrr20 valid=0.3197,test=0.3401 "${args[@]}"
        ;;
    quality)
        cargo build --release --locked -p endcap-models
        exec "$ROOT/target/release/endcap-model" evaluate --protocol uci-shuffled \
            --data "$ENDCAP_DATA/online_retail/unisrec_protocol/or_5core_shuffled_seed42.txt.gz" --encoder --seeds 3 "${args[@]}"
        ;;
    *) die "unknown benchmark '${1:-}'" "one of: core http start ratio encoder engines calls vmis quality" ;;
esac

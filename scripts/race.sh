#!/usr/bin/env bash
# Looks for data races: the tests of endcap-nn with several threads, under ThreadSanitizer. Needs a nightly Rust.
#
# tract and endcap-nn are compiled with its instrumentation (minutes, once); llama.cpp is left out, as C++ would need a
# compiler's own. The standard library has none: what it does about threads is hidden, which shows as races that are
# none. So endcap-nn locks with parking_lot, and the one place of the test harness is named below.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF=race
cd "$ROOT/host-shim/nn"
rustc +nightly --version >/dev/null 2>&1 || die "ThreadSanitizer needs a nightly Rust" "rustup toolchain install nightly"
suppressions=$(mktemp)
trap 'rm -f "$suppressions"' EXIT
# A result that the harness sends from a test's thread to its own.
echo 'race:test::event::CompletedTest' >"$suppressions"
export RUSTFLAGS='-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer'
export TSAN_OPTIONS="suppressions=$suppressions"
# `--target`, so that build scripts and macros are compiled without.
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
run() {
    cargo +nightly test --release --locked --no-default-features --target "$host" --target-dir "$ROOT/target/race" \
        --test onnx_calls -- --nocapture --exact "$@"
}
# One by one: the standard library's locks are hidden, so what is made once for the process is made by one thread first.
run contexts_on_eight_threads_compute_what_one_computes
run threads_that_ask_for_a_name_at_once_share_one_graph
say "no data race"

#!/usr/bin/env bash
# From a clone to recommendations: set-up, build, a shop's log, a model, the service, answers.
#
# DATA=file            a log of one's own (else one is simulated)   MAP=column mapping for it
# CATALOG=file         its catalogue, optional
# LISTEN=host:port     where the service listens (default 127.0.0.1:8080)
# ONCE=1               drain the service at the end instead of leaving it in the foreground
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF=demo

# Loading a model takes well under a second; a machine busy with builds may take longer.
READY_SECONDS=30
REPLAYED_USERS=3

listen=${LISTEN:-127.0.0.1:8080}
check_address LISTEN "$listen"
data=${DATA:+$(absolute "$DATA")}
catalog=${CATALOG:+$(absolute "$CATALOG")}
[[ -z $data || -r $data ]] || die "DATA=$DATA: there is no such file, or it cannot be read"
[[ -z $catalog || -r $catalog ]] || die "CATALOG=$CATALOG: there is no such file, or it cannot be read"
if accepts "$listen"; then
    die "$listen is taken: something listens there already" "choose another port: make demo LISTEN=${listen%:*}:8090"
fi
cd "$ROOT"

demo=$DIST/demo
model=$ROOT/target/release/endcap-model
log=$demo/service.log

# --- steps, timed -------------------------------------------------------------------------

names=() seconds=()
# step NAME COMMAND...
step() {
    local name=$1 begun
    shift
    begun=$(now_ms)
    say "== $name"
    "$@" || die "step '$name' failed: $*" "what it printed stands above"
    names+=("$name")
    seconds+=("$(seconds_since "$begun")")
}

service=''
# However this script ends, the service ends first: run.sh drains it on TERM.
# shellcheck disable=SC2329 # called by the traps
end_service() {
    trap '' HUP INT TERM
    [[ -n $service ]] || return 0
    kill -TERM "$service" 2>/dev/null || true
    local status=0
    wait "$service" || status=$?
    service=''
    return "$status"
}
trap 'end_service || true' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Without what the demo asks nothing of (models/Cargo.toml: features), which is most of a first build, unless another
# target has built that already.
pipeline() {
    # Where libclang lies, as in the other builds of llama.cpp: cargo would compile it again for anything else.
    load_env
    local features=() built
    for built in tract_onnx llama_cpp_sys_2; do
        compgen -G "$ROOT/target/release/deps/lib$built-*.rlib" >/dev/null || features=(--no-default-features)
    done
    cargo build --release --locked -p endcap-models "${features[@]}"
}

shop() {
    if [[ -n $data ]]; then
        "$model" import "$data" ${MAP:+--map "$MAP"} ${catalog:+--catalog "$catalog"} --out "$demo/dataset"
    else
        "$model" import "$demo/shop/events.csv.gz" --catalog "$demo/shop/items.csv" --out "$demo/dataset"
    fi
}

start_service() {
    # The service's own lines go to a file: they would run into the demo's.
    MODEL=$demo/model.wasm LISTEN=$listen "$ROOT/scripts/run.sh" >"$log" 2>&1 &
    service=$!
    local deadline=$((SECONDS + READY_SECONDS)) answer
    while ((SECONDS < deadline)); do
        if ! kill -0 "$service" 2>/dev/null; then
            cat "$log" >&2
            wait "$service" || true
            service=''
            return 1
        fi
        answer=$(http_status "$listen" /readyz)
        [[ $answer != 200 ]] || return 0
        sleep 0.05
    done
    cat "$log" >&2
    say "no 200 from http://$listen/readyz within $READY_SECONDS s (last answer: '${answer:-none}')"
    return 1
}

step "set up the tools" "$ROOT/scripts/setup.sh"
step "build the pipeline" pipeline
step "build the service" "$ROOT/scripts/guest.sh"
mkdir -p "$demo"
rm -rf -- "$demo/dataset" "$demo/trained" "$demo/model.wasm"
# A simulated shop from an earlier run may be what DATA names.
[[ -n $data ]] || rm -rf -- "$demo/shop"
[[ -n $data ]] || step "simulate a shop" "$model" simulate --out "$demo/shop"
step "import its log" shop
step "train" "$model" train "$demo/dataset" --out "$demo/trained"
step "pack model.wasm" "$model" pack "$demo/trained" --out "$demo/model.wasm"
step "start the service" start_service
step "ask for $REPLAYED_USERS users" \
    "$model" ask --url "http://$(connect_url "$listen")" --replay "$demo/dataset" --users "$REPLAYED_USERS"

printf '\n%-24s %8s\n' step seconds
for i in "${!names[@]}"; do printf '%-24s %8s\n' "${names[i]}" "${seconds[i]}"; done
printf '\n'

if [[ -n ${ONCE:-} && $ONCE != 0 ]]; then
    end_service || die "the service did not end well after the drain" "its log: $log"
    say "done; the service has drained and ended"
    exit 0
fi
say "the service answers on http://$(connect_url "$listen"), its log is $log; Ctrl-C drains and ends it"
status=0
wait "$service" || status=$?
service=''
((status == 0)) || { tail -n 20 "$log" >&2; die "the service ended with status $status" "its log: $log"; }

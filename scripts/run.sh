#!/usr/bin/env bash
# Runs the service under WasmEdge in the foreground until Ctrl-C or TERM, which drain it: WASI
# has no signals, so the service learns of the end over HTTP, finishes what it has and exits.
#
# MODEL=file           the model                        (default dist/model.wasm)
# LISTEN=host:port     where it serves                  (default 127.0.0.1:8080)
# APP=file             the program                      (default dist/app-aot.wasm)
# ENDCAP_*             settings of the service, handed on
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF=run
load_env

# How long a drain may take before the process is ended from outside: the grace that the service
# gives open requests, and as much again as a busy machine may need.
DRAIN_SECONDS=15
for wait in "${ENDCAP_DRAIN_MS:-}" "${ENDCAP_DRAIN_DELAY_MS:-}"; do
    if [[ $wait =~ ^[0-9]{1,7}$ ]]; then DRAIN_SECONDS=$((DRAIN_SECONDS + 10#$wait / 1000)); fi
done

model=$(absolute "${MODEL:-$DIST/model.wasm}")
app=$(absolute "${APP:-$DIST/app-aot.wasm}")
export ENDCAP_LISTEN=${LISTEN:-${ENDCAP_LISTEN:-127.0.0.1:8080}}
export ENDCAP_ADMIN_LISTEN=${ENDCAP_ADMIN_LISTEN:-127.0.0.1:8081}
check_address LISTEN "$ENDCAP_LISTEN"
check_address ENDCAP_ADMIN_LISTEN "$ENDCAP_ADMIN_LISTEN"
[[ $ENDCAP_LISTEN != "$ENDCAP_ADMIN_LISTEN" ]] || die "LISTEN and ENDCAP_ADMIN_LISTEN are both $ENDCAP_LISTEN; they must differ"
[[ -r $model ]] || die "there is no model at $model" "make one with 'make demo', or name one: make run MODEL=file"
[[ -r $app ]] || die "there is no program at $app" "build it: make guest"
model_dir=$(cd -- "$(dirname -- "$model")" && pwd -P)
# WasmEdge's --dir takes guest:host:mode and has no way to write a colon in a path.
[[ $model_dir != *:* ]] || die "the model's folder has a colon in its path, which WasmEdge cannot map: $model_dir"
for name in LISTEN ENDCAP_ADMIN_LISTEN; do
    address=$ENDCAP_LISTEN
    [[ $name == LISTEN ]] || address=$ENDCAP_ADMIN_LISTEN
    if accepts "$address"; then
        die "$address is taken: something listens there already" "choose another: $name=${address%:*}:PORT"
    fi
done

# The folder is the guest's root, so that a path reads as in a container: /model.wasm.
command=("$WASMEDGE" --dir "/:$model_dir:readonly" --env "MODEL_PATH=/$(basename -- "$model")")
for name in $(compgen -A export ENDCAP_); do
    case $name in
        # Settings of these scripts and of the tests: the service would refuse them as unknown.
        ENDCAP_SETUP_* | ENDCAP_DEBIAN_MIRROR | ENDCAP_DATA | ENDCAP_WASMEDGE | ENDCAP_APP | ENDCAP_APP_PLAIN) ;;
        *) command+=(--env "$name=${!name}") ;;
    esac
done

# In a session of its own, so that the terminal's Ctrl-C reaches this script only; and where
# this can be arranged, ended with it, should the script itself be killed.
guard=(setsid)
if setpriv --pdeathsig KILL true 2>/dev/null; then guard+=(setpriv --pdeathsig KILL); fi
have setsid || guard=()

service=''
wanted_end=''
# shellcheck disable=SC2329 # called by the trap
drain() {
    trap '' HUP INT TERM
    wanted_end=yes
    service=${service:-${!:-}} # the signal may come before the assignment below
    [[ -n $service ]] || exit 0
    say "draining (GET /drain on $ENDCAP_ADMIN_LISTEN)"
    local status seconds=$DRAIN_SECONDS
    status=$(http_status "$ENDCAP_ADMIN_LISTEN" /drain)
    [[ $status == 2* ]] || seconds=1 # it may have ended before it answered
    local deadline=$((SECONDS + seconds))
    while kill -0 "$service" 2>/dev/null && ((SECONDS <= deadline)); do sleep 0.05; done
    if kill -0 "$service" 2>/dev/null; then
        say "the service did not end by itself (drain answered '${status:-nothing}'): ended from outside"
        wanted_end=forced
        kill -KILL "$service" 2>/dev/null || true
    fi
}
trap drain HUP INT TERM

say "serving $model on $ENDCAP_LISTEN, admin on $ENDCAP_ADMIN_LISTEN; Ctrl-C drains and ends it"
"${guard[@]}" "${command[@]}" "$app" &
service=$!
# A trap interrupts 'wait', which then has to be asked again for the real status.
status=0
wait "$service" || status=$?
if [[ -n $wanted_end ]]; then
    status=0
    wait "$service" 2>/dev/null || status=$?
    [[ $wanted_end == yes ]] || exit 1
    say "ended (status $status)"
elif ((status != 0)); then
    say "the service ended by itself with status $status"
fi
exit "$status"

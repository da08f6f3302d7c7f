# Shared by every script here: sourced, never run.
# shellcheck shell=bash

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
CACHE=$ROOT/.cache
DIST=$ROOT/dist
export ROOT CACHE DIST

# Progress goes to stderr, so that what a script answers on stdout stays clean.
say() { printf '%s: %s\n' "${SELF:-endcap}" "$*" >&2; }

# die WHAT [HOW TO MEND]...: every line after the first says what to do about it.
die() {
    printf '%s: error: %s\n' "${SELF:-endcap}" "$1" >&2
    shift
    local line
    for line in "$@"; do printf '    %s\n' "$line" >&2; done
    exit 1
}

have() { command -v -- "$1" >/dev/null 2>&1; }

# need COMMAND WHY HOW-TO-GET-IT
need() { have "$1" || die "'$1' is not on PATH; it is needed $2" "$3"; }

# retry TIMES COMMAND...: for downloads; waits a little longer each time.
retry() {
    local times=$1 try
    shift
    for ((try = 1; ; try++)); do
        if "$@"; then return 0; fi
        if ((try >= times)); then return 1; fi
        say "that failed (try $try of $times); again in $((try * 3)) s: $*"
        sleep $((try * 3))
    done
}

# Milliseconds since the epoch, and a difference of two as seconds with two decimals.
# (EPOCHREALTIME's decimal sign follows the locale: it is cut out, whatever it is.)
now_ms() { local t=${EPOCHREALTIME/[^0-9]/}; printf '%s' "${t%???}"; }
seconds_since() { local d=$(($(now_ms) - $1)); printf '%d.%02d' $((d / 1000)) $((d % 1000 / 10)); }

# Where set-up put the tools, as variables. Fails with the way out where it has not run.
load_env() {
    [[ -r $CACHE/env.sh ]] || die "$CACHE/env.sh is missing: the tools are not set up" "run: make setup"
    # shellcheck source=/dev/null
    . "$CACHE/env.sh"
}

# absolute PATH: also for a file that is not there yet, unlike realpath -e.
absolute() { case $1 in /*) printf '%s' "$1" ;; *) printf '%s/%s' "$PWD" "$1" ;; esac; }

# sha256 FILE: only the sum.
sha256() { if have sha256sum; then sha256sum -- "$1"; else shasum -a 256 -- "$1"; fi | cut -d ' ' -f 1; }

# --- a service that listens on HOST:PORT --------------------------------------------------

# An address to connect to, from one to listen on: HOST and PORT apart, any-address as loopback.
connect_host() {
    local host=${1%:*}
    host=${host#[}
    case ${host%]} in 0.0.0.0 | '') echo 127.0.0.1 ;; ::) echo ::1 ;; *) echo "${host%]}" ;; esac
}

# check_address NAME VALUE
check_address() {
    if ! [[ $2 =~ ^.*:([0-9]{1,5})$ ]] || ((10#${BASH_REMATCH[1]} < 1 || 10#${BASH_REMATCH[1]} > 65535)); then
        die "$1 is '$2'; it must be HOST:PORT, for example 127.0.0.1:8080"
    fi
}

# accepts ADDRESS: does anyone accept connections there? (bash's own sockets: no curl needed)
accepts() {
    # shellcheck disable=SC2016 # expanded by that bash
    timeout 2 bash -c 'exec 3<>"/dev/tcp/$1/$2"' - "$(connect_host "$1")" "${1##*:}" 2>/dev/null
}

# http_status ADDRESS PATH: the status of one GET, empty where there is no answer within 2 s.
http_status() {
    # shellcheck disable=SC2016 # expanded by that bash
    timeout 2 bash -c '
        exec 3<>"/dev/tcp/$1/$2" || exit 1
        printf "GET %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n\r\n" "$3" "$1" "$2" >&3
        read -r _ status _ <&3 && printf %s "$status"
    ' - "$(connect_host "$1")" "${1##*:}" "$2" 2>/dev/null || true
}

# connect_url ADDRESS: the part of a URL that names it.
connect_url() {
    local host
    host=$(connect_host "$1")
    case $host in *:*) host="[$host]" ;; esac
    printf '%s:%s' "$host" "${1##*:}"
}

# What tests and benches need to find things, all absolute. After load_env.
test_env() {
    local data=${ENDCAP_DATA:-$ROOT/../shared/data}
    # A folder that is not there keeps its name, for the message of whoever misses it.
    ENDCAP_DATA=$(cd -- "$data" 2>/dev/null && pwd -P) || ENDCAP_DATA=$(absolute "$data")
    export ENDCAP_DATA
    export ENDCAP_WASMEDGE=$WASMEDGE
    export ENDCAP_APP=$DIST/app-aot.wasm
    export ENDCAP_APP_PLAIN=$DIST/app.wasm
    export ENDCAP_LINES=$DIST/endcap-lines-aot.wasm
    export ENDCAP_LINES_PLAIN=$DIST/endcap-lines.wasm
    export ENDCAP_COMPONENT=$DIST/endcap.component.wasm
    export ENDCAP_COMPONENT_NN=$DIST/endcap-nn.component.wasm
    export ENDCAP_WASMEDGE_PLUGIN=$DIST/plugins/libwasmedgePluginWasiNN.so
    export ENDCAP_NN_PROBE=$DIST/nn-probe-aot.wasm
    export ENDCAP_PYTHON=$CACHE/python/bin/python
    export ENDCAP_NODE_MODULES=$CACHE/node/node_modules
    export ENDCAP_CHROMIUM=$CACHE/bin/chromium
    export ENDCAP_SMOLLM2=$CACHE/smollm2/model.gguf
    export ENDCAP_MINILM=$CACHE/minilm/model.gguf
}

# guest_cargo COMMAND ARGS...: cargo for WASI, the one place for its settings (after load_env).
guest_cargo() {
    local -a settings=(
        # Apart from the host's target folder: another compiler may build here, and two cargos
        # would wait for each other's lock.
        CARGO_TARGET_DIR="$ROOT/target/guest"
        # Every WasmEdge since 0.9 has 128-bit SIMD.
        CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS="-C target-feature=+simd128"
        CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="-C target-feature=+simd128"
        # Line tables are for the host's backtraces; nothing reads DWARF here. Names stay: traps show them.
        CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_STRIP=debuginfo)
    [[ -z ${GUEST_RUSTC:-} ]] || settings+=(RUSTC="$GUEST_RUSTC")
    env "${settings[@]}" cargo "$@"
}

# go_build FOLDER PACKAGE OUT [FLAGS...]: a program of the module in a folder, static, so that it also runs inside
# another root. Sources and objects stay in .cache/go for the next.
go_build() {
    local folder=$1 package=$2 out=$3
    shift 3
    GOMODCACHE=$CACHE/go/mod GOCACHE=$CACHE/go/build GOFLAGS=-modcacherw CGO_ENABLED=0 \
        retry 3 timeout 1500 go -C "$folder" build -trimpath "$@" -o "$out" "$package" >&2
}

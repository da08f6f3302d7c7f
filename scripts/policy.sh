#!/usr/bin/env bash
# The admission policies in k3s-manifests/policy:
#
#   setup             gator and opa into .cache/go/bin (no-op the second time)
#   generate          templates/ and messages.md from rego/ and suites/
#   check             that nothing generated is stale and no rule is without a case; needs no tools but Python
#   test [FILE...]    check; opa fmt, check and test with full coverage; gator on the suites, the messages, and the
#                     rendered overlays (those FILEs, else all of scripts/manifests.sh build)
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF=policy
POLICY=$ROOT/k3s-manifests/policy
GO_BIN=$CACHE/go/bin
GATOR=$GO_BIN/gator
OPA=$GO_BIN/opa
STAMP=$CACHE/policy.stamp
MESSAGES=$POLICY/messages.md

policy() { python3 "$POLICY/tools/policy.py" "$@"; }

# --- tools ------------------------------------------------------------------------------------

# Debian and the Go archive put it where not every PATH looks.
find_go() {
    if have go; then command -v go; elif [[ -x /usr/local/go/bin/go ]]; then echo /usr/local/go/bin/go; else return 1; fi
}

# By a module of our own: Gatekeeper's has a `replace`, which `go install gator@version` refuses.
# Versions are in tools/go.mod, sums in tools/go.sum.
build_tools() {
    local go=$1
    cd -- "$POLICY/tools"
    GOBIN=$GO_BIN GOMODCACHE=$CACHE/go/mod GOCACHE=$CACHE/go/build GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0 \
        GOFLAGS="-mod=readonly -modcacherw ${GOFLAGS:-}" "$go" install -trimpath -ldflags='-s -w' \
        github.com/open-policy-agent/gatekeeper/v3/cmd/gator github.com/open-policy-agent/opa >&2
}

setup() {
    local key go begun
    key="v1 $(sha256 "$POLICY/tools/go.mod") $(sha256 "$POLICY/tools/go.sum")"
    if [[ $(cat "$STAMP" 2>/dev/null) == "$key" && -x $GATOR && -x $OPA ]]; then
        say "done already"
        return
    fi
    go=$(find_go) || die "there is no Go to build gator and opa with" "install Go 1.21 or newer (Debian: apt-get install golang-go)"
    begun=$(now_ms)
    say "building gator and opa (once, minutes; 127 modules, 130 MB to fetch, 1.7 GB in .cache/go)"
    rm -f "$STAMP"
    retry 3 build_tools "$go" || die "gator and opa could not be built (see above)" "check the network (the Go module proxy), then: scripts/policy.sh setup"
    "$OPA" version >&2
    "$GATOR" --version >&2
    printf '%s\n' "$key" >"$STAMP"
    say "done in $(seconds_since "$begun") s"
}

# --- tests ------------------------------------------------------------------------------------

passed=0
failed=0

# count GOOD BAD NAME
count() {
    passed=$((passed + $1))
    failed=$((failed + $2))
    say "== $3: $1 passed, $2 failed"
}

# one NAME COMMAND...: a check that is one.
one() {
    local name=$1
    shift
    if "$@"; then count 1 0 "$name"; else count 0 1 "$name"; fi
}

# opa fmt names files that it would change, and succeeds.
formatted() {
    local files
    files=$("$OPA" fmt --list "$POLICY/rego") || return 1
    [[ -z $files ]] || { printf '%s\n    scripts/policy.sh generate formats them\n' "$files"; return 1; }
}

# number PATTERN: the sum of the numbers after it, at the start of lines; 0 where there is none.
number() { sed -nE "s/^$1 *([0-9]+).*/\1/p" | awk '{ n += $1 } END { print n + 0 }'; }

unit_tests() {
    local out good bad
    out=$("$OPA" test --ignore '.*' "$POLICY/rego" 2>&1) || true
    good=$(number PASS: <<<"$out")
    bad=$(($(number FAIL: <<<"$out") + $(number ERROR: <<<"$out")))
    # What does not compile prints neither.
    ((good + bad > 0)) || bad=1
    ((bad == 0)) || printf '%s\n' "$out"
    count "$good" "$bad" "opa test"
}

# Not a line of the rules may be without a test.
covered() {
    local out
    out=$("$OPA" test --coverage --threshold 100 --format json "$POLICY/rego" 2>&1) && return
    grep -E 'coverage|threshold' <<<"$out" | tail -n 3
    return 1
}

suites() {
    local out good bad
    out=$(cd -- "$POLICY" && "$GATOR" verify --verbose ./suites/... 2>&1) || true
    # Cases, and constraints that have to be refused, which have no cases.
    good=$(grep -cE '^ +--- PASS|^--- PASS: invalid' <<<"$out") || true
    bad=$(grep -cE '^ +--- FAIL|^--- FAIL: invalid' <<<"$out") || true
    if ((bad == 0)) && { ((good == 0)) || ! grep -qx PASS <<<"$out"; }; then bad=1; fi
    ((bad == 0)) || grep -vE -- '--- PASS|=== RUN' <<<"$out"
    count "$good" "$bad" "gator verify"
}

current_messages() {
    local out
    out=$(policy messages "$GATOR") || { printf '%s\n' "$out"; return 1; }
    diff -u -- "$MESSAGES" - <<<"$out" || { say "messages differ; if they should: scripts/policy.sh generate"; return 1; }
}

overlays() {
    local out
    out=$(policy overlays "$GATOR" "$@" 2>&1) || true
    printf '%s\n' "$out"
    if [[ $out =~ overlays:\ ([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
        count "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "rendered overlays"
    else
        count 0 1 "rendered overlays"
    fi
}

run_tests() {
    local file files=()
    setup
    if (($# == 0)); then
        "$ROOT/scripts/manifests.sh" build
        for file in "$DIST"/manifests/*.yaml; do
            # The policies themselves are rendered too.
            [[ ${file##*/} == policy* ]] || files+=("$file")
        done
    else
        for file in "$@"; do
            [[ -r $file ]] || die "$file cannot be read"
            files+=("$(absolute "$file")")
        done
    fi
    one "generated files and completeness" policy check
    one "opa fmt" formatted
    one "opa check" "$OPA" check --strict "$POLICY/rego"
    unit_tests
    one "opa coverage of 100 %" covered
    suites
    one "messages.md" current_messages
    overlays "${files[@]}"
    printf '%d passed, %d failed\n' "$passed" "$failed"
    ((failed == 0))
}

generate() {
    setup
    "$OPA" fmt --write "$POLICY/rego"
    policy generate
    # Apart, so that a failure leaves the old ones.
    policy messages "$GATOR" >"$MESSAGES.part"
    mv -- "$MESSAGES.part" "$MESSAGES"
}

need python3 "to make and check the templates" "install Python 3.11 or newer"
case ${1:-} in
    setup | generate) "$1" ;;
    check) policy check ;;
    test) run_tests "${@:2}" ;;
    *) die "usage: scripts/policy.sh setup | generate | check | test [FILE...]" ;;
esac

#!/usr/bin/env bash
# The crates depend on each other in one direction only; this says which crate may use which.
# What tests and benchmarks use (dev-dependencies) is free.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF=check-deps
need python3 "to read cargo's metadata" "install Python 3 (any version since 3.6)"

cargo metadata --format-version 1 --no-deps --locked --manifest-path "$ROOT/Cargo.toml" | python3 -c '
import json, sys

# A crate that is not here yet is not an error; one of ours without a line here is.
ALLOWED = {
    "endcap-core": set(),
    "endcap-nn": {"endcap-unify"},
    "endcap-service": {"endcap-core"},
    "endcap-component": {"endcap-core", "endcap-service"},
    "endcap-componentize": set(),
    "endcap-models": {"endcap-core", "endcap-nn", "endcap-unify"},
    "endcap-host": {"endcap-nn"},
    "endcap-wasmedge-plugin": {"endcap-nn"},
    "endcap-nn-probe": set(),
    "endcap-unify": set(),
    "endcap-core-loop": {"endcap-core"},
    "endcap-e2e": {"endcap-models"},
    "endcap-benches": {"endcap-core", "endcap-models", "endcap-nn", "endcap-host", "endcap-service"},
}

packages = json.load(sys.stdin)["packages"]
ours = {p["name"] for p in packages}
bad = []
for p in packages:
    name = p["name"]
    if name not in ALLOWED:
        bad.append(f"{name}: not in the table of scripts/check-deps.sh; say there what it may depend on")
        continue
    used = {d["name"] for d in p["dependencies"] if d["kind"] != "dev"} & ours
    for other in sorted(used - ALLOWED[name]):
        bad.append(f"{name} depends on {other}; allowed: {sorted(ALLOWED[name]) or None}")
print("\n".join(bad), file=sys.stderr, end="\n" if bad else "")
sys.exit(1 if bad else 0)
'

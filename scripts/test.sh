#!/usr/bin/env bash
# Runs the tests. They find through the environment what they cannot build themselves.
#
# ENDCAP_DATA=folder   the public data sets (default: ../shared/data beside the checkout); where
#                      they are absent a test says so and passes, unless CI is set: then it fails.
# ARGS=...             handed to cargo test
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF='test'
load_env
test_env
cd "$ROOT"
read -r -a args <<<"${ARGS:-}"
# The release profile for everything: what the tests build, the tools and benches use, and back.
exec cargo test --workspace --locked --release "${args[@]}"

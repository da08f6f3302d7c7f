#!/usr/bin/env bash
# Checks k3s-manifests/monitoring.
#
#   monitoring.sh test     without traffic: nothing stale, rules and their tests, configurations, dashboards, runbook,
#                          and that every metric that a query names exists
#   monitoring.sh live     two services under load and a real Prometheus: every query, none empty
#   monitoring.sh model    where the model with a ranker is, made here, once
#   monitoring.sh render   the same, and a picture of each dashboard in dist/monitoring (not by Grafana)
#
# PROMETHEUS=program PROMTOOL=program   (default: those that setup-cluster.sh put into .cache/bin)
# MODEL=file                            a model with a ranker (default: one made here, once)
# SECONDS_OF_TRAFFIC=75                 live: for so long
# CONTAINER_METRICS=host:port           live: a cAdvisor to scrape as well
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF=monitoring

HERE=$ROOT/k3s-manifests/monitoring
# Folders have a file more where Python keeps what it compiled.
export PYTHONDONTWRITEBYTECODE=1
PROMETHEUS=${PROMETHEUS:-$CACHE/bin/prometheus}
PROMTOOL=${PROMTOOL:-$CACHE/bin/promtool}
MATPLOTLIB_PY=3.10.0

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

passed=0 failed=0
# check NAME COMMAND...: its output is shown where it fails, or is worth a line.
check() {
    local name=$1 out
    shift
    if out=$("$@" 2>&1); then
        passed=$((passed + 1))
        printf 'ok      %s%s\n' "$name" "${out:+: ${out//$'\n'/; }}"
    else
        failed=$((failed + 1))
        printf 'FAILED  %s\n%s\n' "$name" "${out//$'\n'/$'\n'        }"
    fi
}

need_tools() {
    local tool
    for tool in "$@"; do
        [[ -x $tool ]] || die "$tool is not there" "fetch it: scripts/setup-cluster.sh"
    done
    need python3 "to check dashboards and rules" "install Python 3.9 or newer"
    load_env
    for tool in "$DIST/app-aot.wasm" "$DIST/app.wasm"; do
        [[ -r $tool ]] || die "$tool is not there" "build it: make guest"
    done
}

# --- test ---------------------------------------------------------------------------------

# quietly COMMAND...: what it says matters where it fails.
quietly() { "$@" >"$work/said" 2>&1 || { cat "$work/said"; return 1; }; }

rules() {
    quietly "$PROMTOOL" check rules --lint=all --lint-fatal "$1" || return 1
    grep -o '[0-9]* rules found' "$work/said"
}
rule_tests() {
    quietly "$PROMTOOL" test rules "$1" || return 1
    printf '%s cases' "$(grep -cE '^ *- (expr|alertname): ' "$1")"
}
# A configuration names files of the machine that it is for: they stand in for themselves here.
configuration() {
    local dir=$work/etc
    mkdir -p "$dir"
    cp -r -- "$HERE/rules" "$dir/"
    : >"$dir/token"
    printf '%s\n' "$CERTIFICATE" >"$dir/server-ca.crt"
    sed "s#/etc/prometheus/endcap#$dir#" "$1" >"$work/prometheus.yml"
    quietly "$PROMTOOL" check config --lint=all --lint-fatal "$work/prometheus.yml"
}
CERTIFICATE='-----BEGIN CERTIFICATE-----
-----END CERTIFICATE-----'

json() { python3 -m json.tool "$1" /dev/null; }

kustomizations() {
    local tool=$CACHE/go/bin/kustomize folder
    for folder in operator prometheus dashboards; do
        "$tool" build "$HERE/$folder" >"$work/$folder.yaml" || return 1
    done
    # The sidecar looks for this label; a ConfigMap holds at most 1 MiB, and kubectl's own copy of it 256 KiB.
    grep -q 'grafana_dashboard: "1"' "$work/dashboards.yaml" || { echo "the dashboards' label is missing"; return 1; }
    (($(wc -c <"$work/dashboards.yaml") < 262144)) || { echo "the dashboards are too large for kubectl apply"; return 1; }
    # What the operator gets are the very rules: the same groups, whatever the indentation.
    diff <(grep -hoE '(record|alert): .*' "$HERE"/rules/*.yaml) <(grep -oE '(record|alert): .*' "$work/operator.yaml")
}

free_port() { python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# What /metrics answers, of the very program: names, not values, so any model does.
live_metrics() {
    local model address service status=0
    # The smallest file that is a model is a test's own.
    model=$(absolute "${MODEL:-$ROOT/guest/core/tests/golden/v1.model.wasm}")
    address=127.0.0.1:$(free_port)
    "$WASMEDGE" --dir "/:$(dirname -- "$model"):readonly" --env "MODEL_PATH=/$(basename -- "$model")" \
        --env "ENDCAP_LISTEN=$address" "$DIST/app-aot.wasm" >"$work/service.log" 2>&1 &
    service=$!
    for ((i = 0; i < 100; i++)); do
        [[ $(http_status "$address" /readyz) != 200 ]] || break
        sleep 0.1
    done
    python3 -c 'import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1]).read().decode())' \
        "http://$address/metrics" >"$work/metrics.txt" 2>>"$work/service.log" || status=1
    kill "$service" 2>/dev/null || true
    wait "$service" 2>/dev/null || true
    ((status == 0)) || cat "$work/service.log"
    return "$status"
}

run_test() {
    need_tools "$PROMTOOL"
    local file
    check "generated files are fresh" "$HERE/generate.py" --check
    for file in "$HERE"/rules/*.yaml; do check "rules: ${file##*/}" rules "$file"; done
    for file in "$HERE"/rules/tests/*.yaml; do check "rule tests: ${file##*/}" rule_tests "$file"; done
    check "every rule is tested, every alert firing and not firing" "$HERE/check.py" tested
    check "every alert has severity, words and its part of the runbook" "$HERE/check.py" alerts
    for file in "$HERE"/prometheus/*.yml; do check "configuration: ${file##*/}" configuration "$file"; done
    for file in "$HERE"/dashboards/*.json; do check "JSON: ${file##*/}" json "$file"; done
    check "dashboards: places, units, legends, variables" "$HERE/check.py" dashboards
    if [[ -x $CACHE/go/bin/kustomize ]]; then
        check "kustomizations" kustomizations
    elif [[ ${CI:-} == true ]]; then
        check "kustomizations: kustomize is not in .cache/go/bin" false
    else
        say "kustomizations not built: kustomize is not in .cache/go/bin"
    fi
    check "the service answers /metrics" live_metrics
    check "every metric of every query exists" "$HERE/check.py" metrics "$work/metrics.txt"
    printf '%d passed, %d failed\n' "$passed" "$failed"
    ((failed == 0))
}

# --- live ---------------------------------------------------------------------------------

# A simulated shop's model with a ranker, so that inference has something to do. Made by the project's own tools.
make_model() {
    local dir=$CACHE/monitoring tool=$ROOT/target/release/endcap-model python=$CACHE/python/bin/python
    [[ ! -s $dir/model.wasm ]] || { printf '%s' "$dir/model.wasm"; return; }
    [[ -x $tool ]] || die "$tool is not there" "build it: make tools, or name a model with a ranker: MODEL=file"
    [[ -x $python ]] || die "$python is not there" "fetch it: make setup-tests, or name a model with a ranker: MODEL=file"
    rm -rf -- "$dir"
    mkdir -p "$dir"
    {
        "$tool" simulate --out "$dir/shop"
        "$tool" import "$dir/shop/events.csv.gz" --catalog "$dir/shop/items.csv" --out "$dir/dataset"
        "$tool" train "$dir/dataset" --out "$dir/trained"
        "$python" - "$dir/rank.onnx" <<'PY'
import sys
import numpy
from onnx import TensorProto, helper, numpy_helper, save

weights = numpy_helper.from_array(numpy.array([[1.0], [0.7], [0.3]], dtype=numpy.float32), "weights")
features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 3])
score = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 1])
graph = helper.make_graph([helper.make_node("MatMul", ["features", "weights"], ["score"])], "rank", [features], [score], [weights])
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), sys.argv[1])
PY
        "$tool" pack "$dir/trained" --ranker "$dir/rank.onnx" --ranker-features session,together,blended --out "$dir/model.wasm.part"
    } >&2
    mv -- "$dir/model.wasm.part" "$dir/model.wasm"
    printf '%s' "$dir/model.wasm"
}

run_live() {
    need_tools "$PROMETHEUS" "$PROMTOOL"
    local plugin=$DIST/plugins/libwasmedgePluginWasiNN.so
    [[ -r $plugin ]] || die "$plugin is not there" "build it: make plugin"
    MODEL=$(if [[ -n ${MODEL:-} ]]; then absolute "$MODEL"; else make_model; fi)
    [[ -r $MODEL ]] || die "there is no model at $MODEL"
    export MODEL PROMETHEUS APP=$DIST/app-aot.wasm APP_PLAIN=$DIST/app.wasm PLUGIN=$plugin
    "$HERE/live.py" "$@"
}

run_render() {
    local out=$DIST/monitoring venv=$CACHE/monitoring-python
    if [[ ! -x $venv/bin/python ]] || ! "$venv/bin/python" -c 'import matplotlib' 2>/dev/null; then
        say "matplotlib $MATPLOTLIB_PY from PyPI"
        python3 -m venv "$venv" >&2
        retry 3 timeout 300 "$venv/bin/pip" install -q --disable-pip-version-check "matplotlib==$MATPLOTLIB_PY" >&2
    fi
    mkdir -p "$out"
    run_live "$out/record.json"
    "$venv/bin/python" "$HERE/render.py" "$out/record.json" "$out"
}

case ${1:-} in
    test) run_test ;;
    live) run_live ;;
    model) make_model ;;
    render) run_render ;;
    *) die "'${1:-}' is none of test, live, model, render" "scripts/monitoring.sh test" ;;
esac

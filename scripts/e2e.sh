#!/usr/bin/env bash
# Runs the manifests' pods for real: containerd 1.7.24, crun with WasmEdge 0.14.1, the kubelet of Kubernetes 1.30.4, the
# image of `make image`, the plugin of `make plugin`; under load, through a kill, an update and deletions. Takes a minute
# or two once everything is built. Needs root, and changes nothing of the machine: all of it is in namespaces of its own.
#
#   e2e.sh           the pods, by a kubelet without an API server
#   e2e.sh cluster   a whole cluster of one node: kubectl apply -k, updates, quota, evictions, volumes, autoscaling
#
# OVERLAY=name     which manifests (default base; dist/manifests/NAME.yaml); not for `cluster`, which tries all
# KEEP=1           keep the node's files when all went well (they are kept where something failed)
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF=e2e
load_env
cd "$ROOT"
what=${1:-pods}
[[ $what == pods || $what == cluster ]] || die "'$what' is not known" "run: scripts/e2e.sh, or scripts/e2e.sh cluster"

[[ $(id -u) == 0 ]] || die "containers need root here" "run: sudo make e2e, or look at single parts with make image and make manifests"
need unshare "to give the containers a machine of their own" "install util-linux"
need ip "for the network of that machine" "install iproute2"
overlay=${OVERLAY:-base}
manifests=$DIST/manifests/$overlay.yaml
[[ -r $manifests ]] || die "there is no $manifests" "run: make manifests; or choose another OVERLAY"
name=registry.example/endcap/service
scripts/manifests.sh node-bundle

cargo build --release --locked -p endcap-e2e -p endcap-models
# A model whose ranker runs as ONNX, in the plugin.
ranked=$(scripts/monitoring.sh model)
work=$ROOT/target/e2e/$what
mkdir -p "$work"
# A node of an earlier run, of which nothing can be mounted any more: its namespace is gone.
rm -rf --one-file-system "$work/node" "$work/logs"
mkdir -p "$work/node" "$work/logs"

model=$DIST/model.wasm
[[ -r $model ]] || model=$DIST/demo/model.wasm
# A second image of other bytes: what a new version is to containerd and to a Deployment.
target/release/endcap-model image --app dist/app-aot.wasm --model "$ranked" --out "$work/next.tar" \
    --reference "$name:next" --image-version next --json >"$work/next.json"
# As WasmEdge 0.15 or newer would compile it: 0.14.1 interprets it.
target/release/endcap-e2e other-aot dist/app-aot.wasm "$work/other-aot.wasm"
target/release/endcap-model image --app "$work/other-aot.wasm" --model "$model" --out "$work/other-aot.tar" \
    --reference "$name:other-aot" --interpreted --json >"$work/other-aot.json"
# The image's files, for a run without a container.
mkdir -p "$work/files"
cp -- dist/app-aot.wasm "$work/files/app.wasm"
cp -- "$model" "$work/files/model.wasm"
cc -Os -static -s -o "$work/pause" k3s-manifests/e2e/pause.c
target/release/endcap-e2e pause "$work/pause" "$work/pause.tar"
target/release/endcap-e2e empty "$work/empty.tar"
digest() { sed -n 's/^ *"digest": "\(.*\)",\{0,1\}$/\1/p' "$1"; }

say "a machine of its own; logs in target/e2e/$what/logs"
begun=$(now_ms)
status=0
# in_node COMMAND...: with the node's root made, as the first process of its own namespaces.
in_node() {
    timeout --kill-after=10 900 unshare --mount --net --pid --fork --kill-child --mount-proc \
        scripts/cluster/enter.sh "$work/node" "$ROOT/target/release/endcap-e2e" "$@" || status=$?
}
common=(--root "$work/node/root" --logs "$work/logs" --base "$name" --pause "$work/pause.tar")
if [[ $what == pods ]]; then
    export NODE_PROGRAMS=kubelet
    in_node run "${common[@]}" --manifests "$manifests" --empty "$work/empty.tar" \
        --image "$DIST/image.tar" --digest "$(digest "$DIST/image.json")" \
        --next-image "$work/next.tar" --next-digest "$(digest "$work/next.json")" \
        --other-aot-image "$work/other-aot.tar" --other-aot-digest "$(digest "$work/other-aot.json")" \
        --component "$DIST/component.tar" --component-digest "$(digest "$DIST/component.json")" \
        --wasmedge "$WASMEDGE" --files "$work/files" \
        --kubelet /usr/local/bin/kubelet --runtime "$DIST/node/containerd.tmpl" --haproxy "$CACHE/bin/haproxy"
else
    export NODE_PROGRAMS='kubelet control-plane kube-state-metrics metrics-server prometheus-adapter gatekeeper'
    mkdir -p "$work/bin"
    ln -sf "$CACHE/go/bin/control-plane" "$work/bin/kubectl"
    # The ranked one first: what the pods do with it is looked at before the update.
    in_node cluster "${common[@]}" --image "$work/next.tar" --digest "$(digest "$work/next.json")" \
        --next-image "$DIST/image.tar" --next-digest "$(digest "$DIST/image.json")" \
        --manifests k3s-manifests --rendered "$manifests" \
        --created "$(target/release/endcap-model inspect --json "$ranked" | sed -n 's/^  "created": "\(.*\)",\{0,1\}$/\1/p')" \
        --gatekeeper "$CACHE/go/mod/github.com/open-policy-agent/gatekeeper/v3@v3.16.3/deploy/gatekeeper.yaml" \
        --overlays "$work/overlays" --kubectl "$work/bin/kubectl"
fi
if ((status != 0)); then
    for log in "$work"/logs/*.log; do
        printf '\n--- the end of %s\n' "${log#"$ROOT/"}" >&2
        tail -n 15 "$log" >&2
    done
    die "the end-to-end checks failed (status $status)" "the node's logs are in target/e2e/$what/logs, its files in target/e2e/$what/node"
fi
[[ -n ${KEEP:-} ]] || rm -rf --one-file-system "$work/node"
say "all of it passed in $(seconds_since "$begun") s"

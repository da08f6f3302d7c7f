#!/usr/bin/env bash
# Fetches what the image, the end-to-end checks on containerd and the monitoring's checks need, into .cache, without
# root and without changing the system:
#
#   containerd 1.7.24, CNI plugins, HAProxy,
#   docker-registry, skopeo, wrk, Prometheus, promtool     Debian's (suite trixie), as a root folder that a
#                                                          private namespace can enter
#   the kubelet of Kubernetes 1.30.4                       built by Go from its module
#
# No-op the second time.
# The wrappers' lines are written, not run, here:
# shellcheck disable=SC2016
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=debian.sh
. "$ROOT/scripts/debian.sh"
SELF=setup-cluster
trap 'say "stopped at line $LINENO: $BASH_COMMAND"' ERR

# Raise this when anything below changes what lands in .cache.
VERSION=3
# The 1.7 line of K3s 1.30.4+k3s1; crun and WasmEdge come with what node/setup-node.sh installs.
CONTAINERD_VERSION=1.7.24
KUBELET=$ROOT/k3s-manifests/e2e/kubelet
NAME=trixie-cluster
CLUSTER=$CACHE/debian/$NAME
STAMP=$CACHE/cluster.stamp
GO_BIN=$CACHE/go/bin

key="v$VERSION $ROOT"
kubelet_key=$(cat "$KUBELET"/go.mod "$KUBELET"/main.go | sha256sum | cut -d ' ' -f 1)
if [[ $(cat "$STAMP" 2>/dev/null) == "$key" && -x $BIN/prometheus && -x $CLUSTER/usr/bin/containerd &&
    $(cat "$GO_BIN/kubelet.key" 2>/dev/null) == "$kubelet_key" && -x $GO_BIN/kubelet ]]; then
    say "done already"
    exit 0
fi
can_debian || die "apt-get, dpkg-deb or tar is missing; containerd, crun and the rest come from Debian's packages"
need go "to build the kubelet" "install Go 1.22 or newer (Debian: apt-get install golang-go)"
rm -f "$STAMP"
begun=$(now_ms)

cluster-packages() {
    suite_download "$NAME" "containerd=$CONTAINERD_VERSION*" \
        containernetworking-plugins haproxy docker-registry skopeo prometheus promtool wrk dash -- base-files
}
# What maintainer scripts would have done: the links of a merged /usr come with base-files, the rest is few folders.
cluster-packages-finish() {
    local root=$1 link
    for link in bin sbin lib lib64; do
        [[ -e $root/$link ]] || ln -s "usr/$link" "$root/$link"
    done
    # The node's own programs are started by scripts.
    [[ -e $root/usr/bin/sh ]] || ln -s dash "$root/usr/bin/sh"
    mkdir -p "$root"/{proc,sys,dev,run,tmp,etc,var/lib,opt}
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n' >"$root/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
}
fetch "$NAME" cluster-packages

mkdir -p "$BIN"
for tool in prometheus promtool haproxy skopeo docker-registry; do
    program=''
    for folder in usr/bin usr/sbin; do
        if [[ -x $CLUSTER/$folder/$tool ]]; then program=$folder/$tool; fi
    done
    [[ -n $program ]] || die "Debian's packages hold no $tool" "start over: make distclean"
    mapfile -t lines < <(in_root_lines "$NAME" "\"\$r/$program\"")
    wrapper "$tool" "${lines[@]}"
done

if [[ $(cat "$GO_BIN/kubelet.key" 2>/dev/null) != "$kubelet_key" ]]; then
    say "building the kubelet from its module (minutes)"
    rm -f "$GO_BIN/kubelet.key"
    # The linker's check came after this release, which uses what it forbids. No line tables: 40 MB less.
    go_build "$KUBELET" "$GO_BIN/kubelet" -ldflags '-s -w -checklinkname=0' ||
        die "the kubelet could not be built" "check the network (the Go module proxy), then: make setup-cluster"
    printf '%s\n' "$kubelet_key" >"$GO_BIN/kubelet.key"
fi
printf '%s\n' "$key" >"$STAMP"
say "done in $(seconds_since "$begun") s"

#!/usr/bin/env bash
# setup-cluster.sh [server]: fetches what the image, the end-to-end checks on containerd and the monitoring's checks
# need, into .cache, without root and without changing the system:
#
#   containerd 1.7.24, CNI plugins, HAProxy,
#   docker-registry, skopeo, wrk, Prometheus, promtool     Debian's (suite trixie), as a root folder that a
#                                                          private namespace can enter
#   etcd, iptables, OpenSSL                                for a whole cluster
#   the kubelet of Kubernetes 1.30.4                       built by Go from its module
#   with `server`, for a whole cluster:
#   API server, controllers, scheduler, kube-proxy, kubectl  from the same module, as one program
#   metrics-server, prometheus-adapter, kube-state-metrics,
#   Gatekeeper                                               from theirs
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
VERSION=4
# The 1.7 line of K3s 1.30.4+k3s1; crun and WasmEdge come with what node/setup-node.sh installs.
CONTAINERD_VERSION=1.7.24
SOURCES=$ROOT/k3s-manifests/e2e
NAME=trixie-cluster
CLUSTER=$CACHE/debian/$NAME
STAMP=$CACHE/cluster.stamp
GO_BIN=$CACHE/go/bin

programs=(kubelet)
case ${1:-} in
    '') ;;
    server) programs+=(control-plane kube-state-metrics metrics-server prometheus-adapter gatekeeper) ;;
    *) die "'$1' is not known" "run: scripts/setup-cluster.sh, or scripts/setup-cluster.sh server" ;;
esac
# source_of PROGRAM: its module's folder and its package.
source_of() {
    case $1 in
        kubelet | control-plane) printf '%s ./%s\n' "$SOURCES/kubernetes" "$1" ;;
        kube-state-metrics) printf '%s k8s.io/kube-state-metrics/v2\n' "$SOURCES/addons" ;;
        metrics-server) printf '%s sigs.k8s.io/metrics-server/cmd/metrics-server\n' "$SOURCES/addons" ;;
        gatekeeper) printf '%s github.com/open-policy-agent/gatekeeper/v3\n' "$SOURCES/gatekeeper" ;;
        prometheus-adapter) printf '%s sigs.k8s.io/prometheus-adapter/cmd/adapter\n' "$SOURCES/addons" ;;
    esac
}
KUBERNETES_VERSION=1.30.4
# The linker's check came after this release, which uses what it forbids. No line tables: 40 MB less. The version is set
# from outside in Kubernetes' own builds too.
version=k8s.io/component-base/version
LINKED="-s -w -checklinkname=0 -X $version.gitVersion=v$KUBERNETES_VERSION -X $version.gitMajor=1 -X $version.gitMinor=30"
# program_key PROGRAM: changes with everything that it is built from.
program_key() {
    local folder package
    read -r folder package < <(source_of "$1")
    { cat "$folder/go.mod" && printf '%s\n' "$LINKED" && if [[ $package == ./* ]]; then cat "$folder/$package"/*.go; fi; } | sha256sum | cut -d ' ' -f 1
}
missing=()
for program in "${programs[@]}"; do
    if [[ ! -x $GO_BIN/$program || $(cat "$GO_BIN/$program.key" 2>/dev/null) != $(program_key "$program") ]]; then
        missing+=("$program")
    fi
done

key="v$VERSION $ROOT"
if [[ $(cat "$STAMP" 2>/dev/null) == "$key" && -x $BIN/prometheus && -x $CLUSTER/usr/bin/containerd &&
    ${#missing[@]} == 0 ]]; then
    say "done already"
    exit 0
fi
can_debian || die "apt-get, dpkg-deb or tar is missing; containerd, crun and the rest come from Debian's packages"
need go "to build Kubernetes' programs" "install Go 1.22 or newer (Debian: apt-get install golang-go)"
rm -f "$STAMP"
begun=$(now_ms)

cluster-packages() {
    suite_download "$NAME" "containerd=$CONTAINERD_VERSION*" \
        containernetworking-plugins haproxy docker-registry skopeo prometheus promtool wrk dash \
        etcd-server iptables openssl -- base-files
}
# What maintainer scripts would have done: the links of a merged /usr come with base-files, the rest is few folders.
cluster-packages-finish() {
    local root=$1 link
    for link in bin sbin lib lib64; do
        [[ -e $root/$link ]] || ln -s "usr/$link" "$root/$link"
    done
    # The node's own programs are started by scripts.
    [[ -e $root/usr/bin/sh ]] || ln -s dash "$root/usr/bin/sh"
    for link in iptables ip6tables iptables-save ip6tables-save iptables-restore ip6tables-restore; do
        ln -s xtables-nft-multi "$root/usr/sbin/$link"
    done
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

for program in "${missing[@]}"; do
    read -r folder package < <(source_of "$program")
    say "building $program from its module (minutes the first time)"
    rm -f "$GO_BIN/$program.key"
    go_build "$folder" "$package" "$GO_BIN/$program" -ldflags "$LINKED" ||
        die "$program could not be built" "check the network (the Go module proxy), then: make setup-cluster"
    program_key "$program" >"$GO_BIN/$program.key"
done
printf '%s\n' "$key" >"$STAMP"
say "done in $(seconds_since "$begun") s"

#!/usr/bin/env bash
# enter.sh FOLDER COMMAND...: a machine of its own for containers, and COMMAND in it.
#
# Runs as root in new mount, network and process namespaces (scripts/e2e.sh makes them), so that nothing of it is seen
# outside and all of it ends with its first process. The machine's root file system is Debian's packages of
# .cache/debian/trixie-cluster under a layer in FOLDER that takes what is written; COMMAND itself runs outside that root,
# with the checkout's tools, and finds its path in NODE_ROOT.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib.sh"
SELF=node
folder=$1
shift

# Nothing mounted here shows outside.
mount --make-rprivate /
mkdir -p "$folder"/{upper,work,root,containerd}
mount -t overlay overlay -o "lowerdir=$CACHE/debian/trixie-cluster,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
NODE_ROOT=$folder/root
export NODE_ROOT
mount -t proc proc "$NODE_ROOT/proc"
mount -t sysfs sysfs "$NODE_ROOT/sys"
mount --rbind /dev "$NODE_ROOT/dev"
mount -t tmpfs -o mode=755 tmpfs "$NODE_ROOT/run"
mount -t tmpfs tmpfs "$NODE_ROOT/tmp"
# Snapshots are overlays themselves, which cannot lie on one.
printf "127.0.0.1 localhost\n" >"$NODE_ROOT/etc/hosts"
: >"$NODE_ROOT/etc/resolv.conf"
mkdir -p "$NODE_ROOT/var/lib/containerd"
mount --bind "$folder/containerd" "$NODE_ROOT/var/lib/containerd"

# crun wants version 1 or 2 of cgroups, not both at once as some machines mount them.
controllers=$(awk '!/^#/ && $2 != 0 && $4 == 1 { print $1 }' /proc/cgroups)
if [[ -n $controllers ]]; then
    mount -t tmpfs -o mode=755 tmpfs "$NODE_ROOT/sys/fs/cgroup"
    for controller in $controllers; do
        mkdir "$NODE_ROOT/sys/fs/cgroup/$controller"
        mount -t cgroup -o "$controller" cgroup "$NODE_ROOT/sys/fs/cgroup/$controller" ||
            rmdir "$NODE_ROOT/sys/fs/cgroup/$controller"
    done
else
    mount -t cgroup2 cgroup2 "$NODE_ROOT/sys/fs/cgroup"
fi
# What an operator does on a node; and programs that K3s has inside, named by NODE_PROGRAMS.
"$DIST/node/setup-node.sh" install --root "$NODE_ROOT" --from "$DIST/node/bundle"
mkdir -p "$NODE_ROOT/usr/local/bin"
for program in ${NODE_PROGRAMS:-kubelet}; do
    cp -- "$CACHE/go/bin/$program" "$NODE_ROOT/usr/local/bin/"
    if [[ $program == control-plane ]]; then
        for part in kube-apiserver kube-controller-manager kube-scheduler kube-proxy; do
            ln -sf control-plane "$NODE_ROOT/usr/local/bin/$part"
        done
    fi
done
ip link set lo up
# A kubelet takes the address of the default route for the node's.
ip link add node0 type bridge
ip address add 10.89.0.1/24 dev node0
ip link set node0 up
ip route add default dev node0
exec "$@"

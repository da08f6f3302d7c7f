#!/usr/bin/env bash
# Makes a K3s node able to run the service: crun with WasmEdge, the wasi-nn plugin, containerd's handler.
#
#   fetch DIR                                    Debian's packages, for a node without network
#   bundle DIR --plugin FILE [--from DIR]        from packages (or an unpacked root) to one folder that runs anywhere
#   install [--from BUNDLE | --plugin FILE] [--handler NAME] [--shim FILE] [--restart]
#   check                                        what is missing, and how to mend it; exit code 1 where something is
#   uninstall [--restart]
#
#   --root DIR       the node's root, where that is not /
#   --data-dir DIR   K3s's, where it is not /var/lib/rancher/k3s
#
# Everything lies in /opt/endcap/wasmedge, with its own C library: the node's distribution does not matter, nothing of
# it is changed, and K3s does not take this crun for one of its own (containerd.tmpl says why that matters).
set -euo pipefail
# Pods read these files as a user of their own.
umask 022

CRUN=1.21
WASMEDGE=0.14.1
SUITE=trixie
K3S=v1.30.4+k3s1
PLUGIN=libwasmedgePluginWasiNN.so
HOME_DIR=/opt/endcap/wasmedge
SHIM=/opt/kwasm/bin/containerd-shim-wasmedge-v1
HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)

say() { printf 'setup-node: %s\n' "$*" >&2; }
die() {
    printf 'setup-node: error: %s\n' "$1" >&2
    shift
    local line
    for line in "$@"; do printf '    %s\n' "$line" >&2; done
    exit 1
}
usage() { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
have() { command -v -- "$1" >/dev/null 2>&1; }

# --- what was asked for -------------------------------------------------------------------

command=${1:-}
[[ -n $command ]] || usage
shift
target='' from='' plugin='' handler=crun shim='' root='' data_dir=/var/lib/rancher/k3s restart=
while (($#)); do
    case $1 in
        --from | --plugin | --handler | --shim | --root | --data-dir)
            (($# > 1)) || die "$1 takes a value"
            case $1 in
                --from) from=$2 ;;
                --plugin) plugin=$2 ;;
                --handler) handler=$2 ;;
                --shim) shim=$2 ;;
                --root) root=${2%/} ;;
                --data-dir) data_dir=$2 ;;
            esac
            shift 2
            ;;
        --restart) restart=1; shift ;;
        -*) die "unknown option $1" "setup-node.sh without arguments lists them" ;;
        *) [[ -z $target ]] || die "one folder only: $target, $1"; target=$1; shift ;;
    esac
done
[[ $handler =~ ^[a-z0-9][a-z0-9-]*$ ]] || die "--handler is '$handler'; allowed are small letters, digits and -"
case $(uname -m) in
    x86_64) triplet=x86_64-linux-gnu loader=ld-linux-x86-64.so.2 ;;
    aarch64) triplet=aarch64-linux-gnu loader=ld-linux-aarch64.so.1 ;;
    *) die "this is $(uname -m); Debian's WasmEdge is set up here for x86_64 and aarch64" ;;
esac
home=$root$HOME_DIR
template=$root$data_dir/agent/etc/containerd/config.toml.tmpl

scratch=
scratch() { [[ -n $scratch ]] || { scratch=$(mktemp -d); trap 'rm -rf -- "$scratch"' EXIT; }; }

# --- packages -----------------------------------------------------------------------------

# The mirror that this machine's apt has already.
mirror() {
    if [[ -n ${ENDCAP_DEBIAN_MIRROR:-} ]]; then printf '%s' "$ENDCAP_DEBIAN_MIRROR"; return; fi
    { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null || true; } |
        awk '/^(URIs:|deb[ \t])/ { for (i = 2; i <= NF; i++) if ($i ~ /^[a-z+]+:.*\/debian\/?$/) { print $i; exit } }' |
        grep .
}

# fetch DIR: both packages with all that they need, down to the C library. apt checks them against the signed index.
fetch() {
    local out=$1 uri keys state
    have apt-get || die "there is no apt-get here to fetch Debian's packages with" \
        "run \`setup-node.sh fetch DIR\` or \`bundle\` on a Debian machine, and install here with --from"
    uri=$(mirror) || die "apt has no Debian mirror here" "set ENDCAP_DEBIAN_MIRROR to the URI of one (it ends in /debian)"
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    [[ -r $keys ]] || die "Debian's archive keys are missing" "install the package debian-archive-keyring"
    scratch
    state=$scratch/apt
    mkdir -p "$out" "$state"/{lists/partial,archives/partial,sources}
    : >"$state/status"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$uri" "$SUITE" "$keys" \
        >"$state/sources/debian.sources"
    # The machine's own settings (a proxy) hold, its hooks do not.
    cat >"$state/apt.conf" <<CONF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
Dir::State "$state";
Dir::State::Lists "$state/lists";
Dir::State::status "$state/status";
Dir::Cache "$state";
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$state/sources";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Retries "3";
APT::Sandbox::User "root";
CONF
    say "fetching crun $CRUN and WasmEdge $WASMEDGE of Debian $SUITE"
    APT_CONFIG=$state/apt.conf apt-get update -q --error-on=any >&2
    APT_CONFIG=$state/apt.conf apt-get install -q -y --download-only --no-install-recommends \
        "crun=$CRUN-*" "wasmedge=$WASMEDGE+*" >&2
    rm -f -- "$out"/*.deb
    cp -- "$state"/archives/*.deb "$out/"
    say "$out: $(find "$out" -name '*.deb' | wc -l) packages, $(du -sm "$out" | cut -f 1) MB"
}

unpack() {
    if have dpkg-deb; then
        dpkg-deb --fsys-tarfile "$1"
    elif have ar && have xz; then
        ar p "$1" data.tar.xz | xz -dc
    else
        die "neither dpkg-deb nor ar and xz are here to unpack packages with" "make the bundle on a Debian machine"
    fi | tar -x -C "$2" --no-same-owner --exclude='./usr/share/*'
}

# needed TREE FILE: the libraries that a file is loaded with, as paths.
needed() {
    local tree=$1 libraries=$1/usr/lib/$triplet list
    list=$("$libraries/$loader" --library-path "$libraries" --list "$2" 2>&1) || die "$2 cannot be loaded: $list"
    [[ $list != *'not found'* ]] || die "$2 needs what the packages do not have:" "$(grep 'not found' <<<"$list")"
    awk '$2 == "=>" && $3 ~ /^\// { print $3 }' <<<"$list"
}

# wrapper NAME DIR: starts a program of the bundle, wherever that lies, with the bundle's libraries.
wrapper() {
    cat >"$2/bin/$1" <<EOT
#!/bin/sh
# $1 of Debian $SUITE with its own C library: the node's does not matter.
here=\${0%/*}/..
exec "\$here/lib/$loader" --library-path "\$here/lib" --argv0 $1 "\$here/libexec/$1" "\$@"
EOT
    chmod 755 "$2/bin/$1"
}

# bundle DIR: one folder with programs, libraries, plugin and sums.
bundle() {
    local out=$1 tree=$from part=$1.part file
    [[ -n $plugin && -r $plugin ]] ||
        die "--plugin names no file that can be read: '$plugin'" \
        "it is $PLUGIN: \`make plugin\` builds it"
    scratch
    if [[ -z $tree ]]; then
        fetch "$scratch/debs"
        tree=$scratch/debs
    fi
    if [[ ! -e $tree/usr/bin/crun ]]; then
        compgen -G "$tree/*.deb" >/dev/null || die "$tree holds neither packages (*.deb) nor usr/bin/crun"
        mkdir -p "$scratch/tree"
        for file in "$tree"/*.deb; do unpack "$file" "$scratch/tree"; done
        tree=$scratch/tree
    fi
    for file in usr/bin/crun usr/bin/wasmedge "usr/lib/$triplet/libwasmedge.so.0" "usr/lib/$triplet/$loader"; do
        [[ -e $tree/$file ]] ||
            die "$file is not among the packages" "crun $CRUN and wasmedge $WASMEDGE with all that they need"
    done
    rm -rf -- "$part"
    mkdir -p "$part"/{bin,libexec,lib,plugins}
    cp -- "$tree/usr/bin/crun" "$tree/usr/bin/wasmedge" "$part/libexec/"
    cp -L -- "$tree/usr/lib/$triplet/$loader" "$tree/usr/lib/$triplet/libwasmedge.so.0" "$part/lib/"
    cp -- "$plugin" "$part/plugins/$PLUGIN"
    wrapper crun "$part"
    wrapper wasmedge "$part"
    {
        needed "$tree" "$part/libexec/crun"
        needed "$tree" "$part/libexec/wasmedge"
        # crun opens it when it runs, so it is in no list.
        needed "$tree" "$part/lib/libwasmedge.so.0"
        needed "$tree" "$part/plugins/$PLUGIN"
    } >"$scratch/needed"
    sort -u "$scratch/needed" | while IFS= read -r file; do cp -L -- "$file" "$part/lib/"; done
    chmod -R u=rwX,go=rX "$part"
    chmod 755 "$part/lib/$loader"
    versions "$part"
    (cd -- "$part" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum) >"$scratch/sums"
    mv -- "$scratch/sums" "$part/SHA256SUMS"
    chmod 644 "$part/SHA256SUMS"
    rm -rf -- "$out"
    mv -- "$part" "$out"
    say "$out: crun $CRUN, WasmEdge $WASMEDGE and the plugin, $(du -sm "$out" | cut -f 1) MB"
}

# versions DIR: do the programs of a bundle run, and are they what is pinned? Dies with the reason.
versions() {
    local text
    text=$("$1/bin/crun" --version 2>&1) || die "crun does not run: $text"
    [[ $text == "crun version $CRUN"$'\n'* ]] || die "this is not crun $CRUN but ${text%%$'\n'*}"
    [[ $text == *'+WASM:wasmedge'* ]] || die "this crun has no WasmEdge: ${text##*$'\n'}"
    text=$(WASMEDGE_PLUGIN_PATH=$1/plugins "$1/bin/wasmedge" --version 2>&1) || die "WasmEdge does not run: $text"
    [[ $text == *" $WASMEDGE"* ]] || die "this is not WasmEdge $WASMEDGE but ${text%%$'\n'*}"
    [[ $text == *'(plugin "wasi_nn")'* ]] || die "WasmEdge $WASMEDGE does not take the plugin: $text"
}

# sums DIR: the files that differ from what the bundle was made with, or are missing.
sums() {
    local out
    out=$(cd -- "$1" && LC_ALL=C sha256sum -c SHA256SUMS 2>/dev/null) || { sed -n 's/: FAILED.*//p' <<<"$out"; return 1; }
}

# --- containerd's template ----------------------------------------------------------------

BEGIN='# endcap: begin'
END='# endcap: end'

# The template without our part, as it was.
template_without() { sed "/^$BEGIN/,/^$END/d" "$1"; }

write_template() {
    local old=''
    mkdir -p "$(dirname -- "$template")"
    if [[ -e $template ]]; then old=$(template_without "$template"); fi
    if [[ -z $old ]]; then
        old='{{ template "base" . }}'
    elif [[ $old != *'template "base"'* && $old != *'version = 2'* ]]; then
        die "$template is neither based on K3s's own nor of containerd's version 2" \
            "K3s $K3S has containerd 1.7: version = 2"
    fi
    {
        printf '%s\n' "$old"
        sed "s/@HANDLER@/$handler/g" "$HERE/containerd.tmpl"
    } >"$template.part"
    if cmp -s -- "$template.part" "$template"; then
        rm -- "$template.part"
        return 1
    fi
    mv -- "$template.part" "$template"
}

# The handler that the template has, empty where it has none of ours.
template_handler() {
    [[ -r $template ]] || return 0
    sed -n "/^$BEGIN/,/^$END/s/.*ExtraRuntimes \"\([a-z0-9-]*\)\".*/\1/p" "$template"
}

restart_k3s() {
    if [[ -z $restart ]]; then
        say "restart K3s to have containerd read it: systemctl restart k3s (on agents: k3s-agent)"
        return
    fi
    local run=() service
    # In a pod of the node set-up: by the node's own init, whose processes hostPID shows.
    if [[ -n $root ]]; then run=(nsenter --target 1 --mount --); fi
    for service in k3s k3s-agent; do
        if "${run[@]}" systemctl is-active --quiet "$service"; then
            say "restarting $service (running pods stay)"
            "${run[@]}" systemctl restart "$service"
            return
        fi
    done
    die "neither k3s nor k3s-agent runs here as a service" "restart K3s by hand"
}

# --- commands -----------------------------------------------------------------------------

install_node() {
    local source=$from broken
    [[ -z $shim || -r $shim ]] || die "--shim names no file that can be read: '$shim'"
    if [[ -z $source ]]; then
        scratch
        bundle "$scratch/bundle"
        source=$scratch/bundle
    fi
    [[ -r $source/SHA256SUMS ]] ||
        die "$source is no bundle: it has no SHA256SUMS" "make one: setup-node.sh bundle DIR --plugin FILE"
    broken=$(sums "$source") || die "the bundle is damaged:" "$broken"
    mkdir -p "$(dirname -- "$home")"
    if cmp -s -- "$source/SHA256SUMS" "$home/SHA256SUMS" && sums "$home" >/dev/null; then
        say "$home is there already"
    else
        rm -rf -- "$home.part" "$home.old"
        cp -r -- "$source" "$home.part"
        # Moved as a whole: a pod that starts meanwhile finds the old one or the new one.
        if [[ -e $home ]]; then mv -- "$home" "$home.old"; fi
        mv -- "$home.part" "$home"
        rm -rf -- "$home.old"
        say "$home: written"
    fi
    versions "$home"
    if [[ -n $shim ]]; then
        if have ldd && ldd "$shim" | grep 'not found' >&2; then
            die "$shim does not run on this node" "install what it needs (libwasmedge0 $WASMEDGE)"
        fi
        mkdir -p "$(dirname -- "$root$SHIM")"
        install -m 755 -- "$shim" "$root$SHIM"
        : >"$root$SHIM.by-endcap"
        say "$SHIM: K3s gives it the handler wasmedge"
    fi
    if write_template || [[ -n $shim ]]; then
        say "$template: handler $handler"
        restart_k3s
    else
        say "$template has it already"
    fi
}

uninstall_node() {
    rm -rf -- "$home" "$home.part" "$home.old"
    rmdir -- "$(dirname -- "$home")" 2>/dev/null || true
    # An operator's own stays.
    if [[ -e $root$SHIM.by-endcap ]]; then rm -f -- "$root$SHIM" "$root$SHIM.by-endcap"; fi
    if [[ -e $template ]]; then
        local old
        old=$(template_without "$template")
        if [[ -z $old || $old == '{{ template "base" . }}' ]]; then
            rm -- "$template"
        else
            printf '%s\n' "$old" >"$template"
        fi
        restart_k3s
    fi
    say "removed. Take the label away too: kubectl label node NAME endcap.io/wasm-"
}

missing=0
good() { printf 'ok       %s\n' "$1"; }
# miss WHAT HOW-TO-MEND
miss() { printf 'MISSING  %s\n         mend: %s\n' "$1" "$2"; missing=$((missing + 1)); }

check_node() {
    local out again="setup-node.sh install" found='' folder config handler
    if [[ ! -r $home/SHA256SUMS ]]; then
        miss "$HOME_DIR: nothing is installed" "$again --from BUNDLE"
    elif ! out=$(sums "$home"); then
        miss "$HOME_DIR: files that are changed or missing: $(head -n 3 <<<"$out" | paste -sd ' ')" \
            "$again --from BUNDLE"
    elif ! out=$( (versions "$home") 2>&1); then
        miss "$HOME_DIR: ${out#setup-node: error: }" "make the bundle anew with the pinned packages and this release's plugin"
    else
        good "$HOME_DIR: crun $CRUN with WasmEdge $WASMEDGE, and the plugin"
    fi
    handler=$(template_handler)
    if [[ -z $handler ]]; then
        miss "$template: no handler for this crun" "$again --from BUNDLE"
    else
        good "$template: handler $handler"
        for folder in /usr/sbin /usr/bin /usr/local/bin /usr/local/sbin; do
            if [[ $handler == crun && -e $root$folder/crun ]]; then found=$folder/crun; fi
        done
        if [[ -n $found ]]; then
            miss "K3s takes $found for the handler crun, which then passes no annotations and runs no Wasm" \
                "remove that crun; or $again --handler endcap-crun on all nodes, and patch RuntimeClass wasmedge to it"
        fi
        config=${template%.tmpl}
        if [[ ! -r $config ]]; then
            miss "$config: K3s has not started yet on this node" "start K3s"
        elif ! grep -qF '"/opt/endcap/wasmedge/bin/crun"' "$config" || [[ $template -nt $config ]]; then
            miss "$config: K3s has not read the template yet" "systemctl restart k3s (on agents: k3s-agent)"
        else
            good "$config: K3s has read it"
        fi
    fi
    if [[ -e $root$SHIM ]]; then
        if have ldd && out=$(ldd "$root$SHIM" 2>&1 | grep 'not found'); then
            miss "$SHIM lacks$(awk '{ printf " " $1 }' <<<"$out")" "install libwasmedge0 $WASMEDGE on this node"
        else
            good "$SHIM: handler wasmedge"
        fi
    fi
    # These ask the machine itself.
    if [[ -z $root ]]; then
        if [[ -d /sys/fs/cgroup/unified && ! -e /sys/fs/cgroup/cgroup.controllers ]]; then
            miss "the cgroups are hybrid, which crun refuses" "start the kernel with systemd.unified_cgroup_hierarchy=1"
        fi
        if ! have k3s; then
            miss "K3s is not installed" "install K3s $K3S"
        elif [[ $(k3s --version) != *"$K3S"* ]]; then
            miss "K3s is $(k3s --version | awk 'NR == 1 { print $3 }'), the set-up is for $K3S" \
                "install $K3S; from 1.31.6 on containerd 2 reads config-v3.toml.tmpl, which this does not write"
        fi
    fi
    ((missing == 0)) || { printf '%d to mend\n' "$missing"; return 1; }
    printf 'all there. Let pods in: kubectl label node NAME endcap.io/wasm=true\n'
}

case $command in
    fetch | bundle)
        [[ -n $target ]] || die "$command takes a folder to write to"
        "$command" "$target"
        ;;
    install | check | uninstall)
        [[ -z $target ]] || die "$command takes no '$target'"
        "${command}_node"
        ;;
    *) usage ;;
esac

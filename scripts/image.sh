#!/usr/bin/env bash
# Builds the OCI image of a shop: dist/image.tar, FROM scratch, without a daemon; dist/image.cdx.json, what it is made of;
# and dist/component.tar, the component as a Wasm OCI artifact. The same sources and model give the same digests.
#
# MODEL=file         the model                       (default dist/model.wasm, else the one of make demo)
# IMAGE=name         what the node calls the image   (default registry.example/endcap/service)
# TAG=tag            its tag                         (default: the version)
# PUSH=name          also push the image there: a registry's host and path; DESTINATION_TLS=false for one without TLS
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
SELF=image
load_env
cd "$ROOT"

model=${MODEL:-$DIST/model.wasm}
if [[ -z ${MODEL:-} && ! -r $model ]]; then model=$DIST/demo/model.wasm; fi
[[ -r $model ]] || die "there is no model at $model" "make one with 'make demo', or name one: make image MODEL=file"
name=${IMAGE:-registry.example/endcap/service}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
tag=${TAG:-$version}

cargo build --release --locked -p endcap-models
# The commit's time and name, where there is one: a clock's would make two builds of one commit differ.
created=1970-01-01T00:00:00Z
revision=''
if git rev-parse --git-dir >/dev/null 2>&1; then
    created=$(TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd)
    revision=$(git rev-parse HEAD)
fi
about=(--image-version "$version" --revision "$revision" --created "$created")

mkdir -p "$DIST"
crates=$DIST/app.crates
cargo tree --locked -p endcap-service -e normal --target wasm32-wasip1 --prefix none --format $'{p}\t{l}' >"$crates"
say "the image $name:$tag"
target/release/endcap-model image --app dist/app-aot.wasm --model "$model" --out dist/image.tar \
    --reference "$name:$tag" --sbom dist/image.cdx.json --crates "$crates" --json "${about[@]}" >dist/image.json
target/release/endcap-model image --component dist/endcap.component.wasm --out dist/component.tar \
    --reference "$name-component:$tag" --json "${about[@]}" >dist/component.json
rm -f -- "$crates"

# field FILE NAME: of a flat JSON object that the program above prints.
field() { sed -n "s/^ *\"$2\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" "$1"; }
digest=$(field dist/image.json digest)
printf '%s@%s\n' "$name" "$digest"
say "$(field dist/image.json bytes) bytes to fetch, in dist/image.tar; made of: dist/image.cdx.json"
say "the component: $name-component@$(field dist/component.json digest), in dist/component.tar"
say "to a node:   k3s ctr images import --base-name $name --digests image.tar"
say "to the pods: (cd k3s-manifests/base && kustomize edit set image endcap-service=$name@$digest)"
say "             and the model's size and date into base/deployment.yaml, by which policies and alerts go:"
target/release/endcap-model inspect --json "$model" |
    sed -n 's/^  "created": "\(.*\)",\{0,1\}$/             endcap.io\/model-created: "\1"/p' >&2
printf '             endcap.io/model-bytes: "%s"\n' "$(wc -c <"$model")" >&2
if [[ -n ${PUSH:-} ]]; then
    [[ -x $CACHE/bin/skopeo ]] || die "skopeo is not set up" "run: make setup-cluster"
    say "pushing to $PUSH:$tag"
    "$CACHE/bin/skopeo" --insecure-policy copy --dest-tls-verify="${DESTINATION_TLS:-true}" --preserve-digests \
        "oci-archive:dist/image.tar" "docker://$PUSH:$tag" >&2
fi

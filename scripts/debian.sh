# Debian packages without root: fetched with apt's own checks, unpacked below .cache/debian, run through wrappers in
# .cache/bin. Sourced by set-up scripts, which set VERSION: raising it renews what they unpacked.
#
# Where a function takes a SUITE, SUITE-PURPOSE is a second root of that suite with packages of its own.
# shellcheck shell=bash
# The wrappers' lines are written, not run, here:
# shellcheck disable=SC2016

BIN=$CACHE/bin

can_debian() { have apt-get && have dpkg-deb && have tar; }

# The mirror that this machine's apt uses already: it is the one that is reachable from here.
debian_mirror() {
    if [[ -n ${ENDCAP_DEBIAN_MIRROR:-} ]]; then
        printf '%s' "$ENDCAP_DEBIAN_MIRROR"
        return
    fi
    local Dir_Etc='' list parts
    eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    local files=()
    for Dir_Etc in "$list" "$parts"*.list "$parts"*.sources; do
        [[ -r $Dir_Etc ]] && files+=("$Dir_Etc")
    done
    ((${#files[@]})) || return 1
    # Both formats: 'URIs: A B', and 'deb [options] A suite component'. Of all words, the first
    # that is a URI ending in /debian; security and other archives end differently.
    awk '/^(URIs:|deb[ \t])/ { for (i = 2; i <= NF; i++) if ($i ~ /^[a-z+]+:.*\/debian\/?$/) { print $i; exit } }' \
        "${files[@]}" | grep . || return 1
}

keyring() {
    local file
    for file in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
        if [[ -r $file ]]; then
            printf '%s' "$file"
            return
        fi
    done
    return 1
}

# suite_apt SUITE COMMAND...: apt-get/apt-cache with their own lists, an empty package state
# (so that a closure lists everything down to the C library) and that one suite. The
# machine's own settings (proxy, mirror log-in) still hold, its hooks do not.
suite_apt() {
    local suite=$1 tool=$2
    shift 2
    "$tool" -c "$CACHE/apt/$suite/apt.conf" "$@"
}

suite_prepare() {
    local suite=$1 dir=$CACHE/apt/$1 mirror keys
    mirror=$(debian_mirror) || die "no Debian mirror is configured for apt on this machine" \
        "set ENDCAP_DEBIAN_MIRROR to the URI of one (it ends in /debian)"
    keys=$(keyring) || die "Debian's archive keys are missing, so packages cannot be verified" \
        "install the package debian-archive-keyring"
    # Packages of an earlier try may be of versions that this list no longer has.
    rm -rf "$dir/debs"
    mkdir -p "$dir"/{lists/partial,archives/partial,sources,debs}
    : >"$dir/status"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
        "$mirror" "${suite%%-*}" "$keys" >"$dir/sources/$suite.sources"
    # The download user is switched off because it could not enter a checkout in a private home.
    cat >"$dir/apt.conf" <<CONF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "$dir";
Dir::State::Lists "$dir/lists";
Dir::State::status "$dir/status";
Dir::Cache "$dir";
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$dir/sources";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled "false";
Acquire::Retries "3";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
APT::Sandbox::User "root";
APT::Get::AllowUnauthenticated "false";
CONF
    say "package list of Debian $suite"
    suite_apt "$suite" apt-get update -q --error-on=any >&2
}

# suite_download SUITE CLOSED... -- ALONE...: the first with all that they depend on, the
# others by themselves, as what they need is in the first part or is the machine's own
# (a second gcc would double the download). apt checks every file against the signed index.
suite_download() {
    local suite=$1 closed=() wanted
    shift
    while [[ $# -gt 0 && $1 != -- ]]; do closed+=("$1"); shift; done
    shift
    local uris
    uris=$(suite_apt "$suite" apt-get install --print-uris -qq -y --no-install-recommends "${closed[@]}") || return 1
    # A line is: 'URI' name_version_arch.deb size hash. Names are enough: the index is fixed.
    mapfile -t wanted < <(awk '{ split($2, part, "_"); print part[1] }' <<<"$uris")
    wanted+=("$@")
    say "${#wanted[@]} packages of Debian $suite, $(awk '{ s += $3 } END { printf "%d", s / 1e6 }' <<<"$uris") MB and a little more"
    (cd "$CACHE/apt/$suite/debs" && suite_apt "$suite" apt-get download -q "${wanted[@]}" >&2)
}

# suite_unpack SUITE: into a folder beside its final name, moved there only when whole.
suite_unpack() {
    local suite=$1 part=$CACHE/debian/$1.part deb
    rm -rf "$part"
    mkdir -p "$part"
    for deb in "$CACHE/apt/$suite/debs"/*.deb; do
        say "unpacking $(basename "$deb")"
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$part" --no-same-owner \
            --exclude='./usr/share/doc' --exclude='./usr/share/man' --exclude='./usr/share/locale' \
            --exclude='*/wasm32-wasip2' --exclude='*/gconv'
    done
}

# fetch SUITE PACKAGES-FUNCTION: the whole way, or nothing where it is there already.
fetch() {
    local suite=$1 packages=$2 root=$CACHE/debian/$1
    if [[ $(cat "$root/.endcap" 2>/dev/null) == "v$VERSION" ]]; then
        say "Debian $suite's packages are in .cache already"
        return
    fi
    local begun
    begun=$(now_ms)
    rm -rf "$root" "$CACHE/apt/$suite"
    # Once more from the list on: a mirror that is just being renewed serves a list and files
    # that do not match.
    # shellcheck disable=SC2329 # called by retry
    fetch_once() { suite_prepare "$suite" && "$packages"; }
    retry 3 fetch_once || die "Debian $suite's packages could not be fetched (see above)" \
        "check the network and the mirror in apt's sources, or set ENDCAP_DEBIAN_MIRROR, then: make setup"
    suite_unpack "$suite"
    "$packages-finish" "$root.part"
    printf 'v%s\n' "$VERSION" >"$root.part/.endcap"
    mv "$root.part" "$root"
    (cd "$CACHE/apt/$suite/debs" && for deb in *.deb; do printf '%s\n' "$deb"; done) >"$root/.packages"
    rm -rf "$CACHE/apt/$suite"
    say "Debian $suite's packages are in .cache/debian/$suite ($(seconds_since "$begun") s)"
}

# The loader and the library folder inside a root, relative to it.
loader_of() { (cd "$1" && find usr/lib -maxdepth 2 -name 'ld-linux-*.so.*' -print -quit); }

# --- wrappers -----------------------------------------------------------------------------

# Each finds its own place, so that a moved checkout keeps working, and without starting a
# process, as WasmEdge's start is measured through one.
wrapper_head() {
    printf '%s\n' '#!/bin/sh' "# Written by scripts/setup.sh." \
        'self=$0; [ -L "$self" ] && self=$(readlink -f -- "$self")' \
        'here=${self%/*}; case $here in /*) ;; *) here=$PWD/$here ;; esac'
}
# wrapper NAME LINES...
wrapper() {
    local file=$BIN/$1
    shift
    { wrapper_head && printf '%s\n' "$@"; } >"$file.part"
    chmod +x "$file.part"
    mv "$file.part" "$file"
}
# in_root SUITE PROGRAM [ARGUMENTS]: a wrapper's exec line. $r is the root, $lib its libraries.
in_root_lines() {
    local suite=$1 program=$2 loader libs
    loader=$(loader_of "$CACHE/debian/$suite")
    [[ -n $loader ]] || die "no dynamic loader in $CACHE/debian/$suite" "start over: make distclean setup"
    libs="\$r/${loader%/*}"
    # A private libLLVM stands beside its tools.
    [[ -n ${3:-} ]] && libs+=":\$r/$3"
    printf 'r=$here/../debian/%s\n' "$suite"
    printf 'exec "$r/%s" --library-path "%s" %s "$@"\n' "$loader" "$libs" "$program"
}

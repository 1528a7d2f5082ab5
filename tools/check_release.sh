#!/usr/bin/env bash
# Builds the sdist and the wheel, installs the sdist with the lowest versions of its dependencies
# that setup.cfg allows and the wheel with the newest, each in an environment of its own, and runs
# the examples that come with the program there, without a network.
#
#   tools/check_release.sh
#
# PYTHON    the Python to try it with (default: python3)
# KEEP      a folder for the sdist and the wheel
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
work=$(mktemp -d "${TMPDIR:-/tmp}/phasenet-keras-release.XXXXXX")
trap 'rm -rf "$work"' EXIT

say() { printf '\n== %s\n' "$*"; }
fail() {
  printf '\nfailed: %s\n' "$*" >&2
  exit 1
}

say "sdist and wheel"
"$PYTHON" -m venv "$work/build"
"$work/build/bin/pip" install --quiet build
# From a copy of what git knows: nothing that lies about gets in.
git archive --prefix=source/ HEAD | tar -x -C "$work"
"$work/build/bin/python" -m build --outdir "$work/dist" "$work/source" > "$work/build.log" 2>&1 \
  || { tail -n 30 "$work/build.log" >&2; fail "build"; }
sdist=$(echo "$work"/dist/*.tar.gz) wheel=$(echo "$work"/dist/*.whl)
du -k "$sdist" "$wheel" | awk '{ n = split($2, part, "/"); printf "%s: %.2f MB\n", part[n], $1 / 1e3 }'

# Usage: try WHAT FILE [PIP OPTION...]
try() {
  local what=$1 file=$2 venv="$work/$1"
  shift 2
  say "$what"
  "$PYTHON" -m venv "$venv"
  "$venv/bin/pip" install --quiet "$@" "$file"
  "$venv/bin/pip" check
  "$venv/bin/pip" list 2> /dev/null | grep -E -i '^(tensorflow|keras|numpy|scipy|obspy|pandas|h5py) '
  # Away from the source, with an empty cache; a download would end at a closed port.
  (
    cd "$work"
    export PHASENET_KERAS_CACHE="$work/cache-$what" https_proxy=http://127.0.0.1:9 http_proxy=http://127.0.0.1:9
    unset PYTHONPATH PHASENET_KERAS_PRESETS
    "$venv/bin/phasenet-keras" demo --output "demo-$what"
    "$venv/bin/phasenet-keras" presets
    for preset in regional near-surface; do
      "$venv/bin/phasenet-keras" presets --check "$preset"
    done
    "$venv/bin/python" -c "
from importlib.resources import files
assert files('phasenet_keras').joinpath('py.typed').is_file(), 'no py.typed'"
  )
  for file in record.png line.png record.csv line.csv; do
    [ -s "$work/demo-$what/$file" ] || fail "no $file"
  done
}

"$PYTHON" tools/lowest_requirements.py setup.cfg > "$work/lowest.txt"
try lowest "$sdist" --constraint "$work/lowest.txt"
try newest "$wheel" --upgrade
[ -z "${KEEP:-}" ] || { mkdir -p "$KEEP"; cp "$sdist" "$wheel" "$KEEP"; }
say "done"

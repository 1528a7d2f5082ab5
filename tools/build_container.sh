#!/usr/bin/env bash
# Builds the container image and runs it, with buildah and podman and without a daemon or an image
# registry: the base image is a Debian made here. For a Debian or Ubuntu machine, as root.
#
#   tools/build_container.sh
#
# PHASENET_KERAS_CACHE    cache folder with the official weights (ncedc/); with it, the image picks
#                         with them, too
# TENSORFLOW              build argument (default: the Dockerfile's)
# BUILD_OPTIONS           more options for `buildah bud`, separated by blanks; for a package index of
#                         your own, e.g. "-v $HOME/.config/pip/pip.conf:/etc/pip.conf:ro"
# KEEP_IMAGE=1            leave the image, localhost/phasenet-keras
set -euo pipefail
cd "$(dirname "$0")/.."

NEEDED_GB=10
BASE=localhost/ci-python-base
IMAGE=localhost/phasenet-keras
SUITE=trixie
PACKAGES=(buildah podman runc debootstrap)

say() { printf '\n== %s\n' "$*"; }
skip() {
  printf '\nskipped: %s\n' "$*"
  exit 0
}
fail() {
  printf '\nfailed: %s\n' "$*" >&2
  exit 1
}

[ "$(id -u)" -eq 0 ] || skip "the container was neither built nor run: this needs root"
command -v apt-get > /dev/null || skip "the container was neither built nor run: no apt-get here"
for folder in "${TMPDIR:-/tmp}" /var; do
  free_gb=$(($(df --output=avail --block-size=1G "$folder" | tail -n 1)))
  [ "$free_gb" -ge "$NEEDED_GB" ] \
    || skip "the container was neither built nor run: $free_gb GB free in $folder, $NEEDED_GB needed"
done

missing=()
for package in "${PACKAGES[@]}"; do
  command -v "$package" > /dev/null || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  say "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/phasenet-keras-container.XXXXXX")
name=phasenet-keras-$$ # of the container that runs
builder=
cleanup() {
  podman rm --force --ignore "$name" > /dev/null 2>&1 || true
  [ -z "$builder" ] || buildah rm "$builder" > /dev/null 2>&1 || true
  if [ "${KEEP_IMAGE:-0}" != 1 ]; then
    buildah rmi --force "$IMAGE" > /dev/null 2>&1 || true
  fi
  buildah rmi "$BASE" > /dev/null 2>&1 || true
  rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

mirror_of_apt() {
  local found
  # shellcheck disable=SC2016 # apt fills these in, not the shell
  found=$(apt-get indextargets --format '$(LABEL) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' \
    | awk '$1 == "Debian" && $2 == "main" { print $3; exit }')
  printf '%s\n' "${found:-http://deb.debian.org/debian}"
}

make_base() {
  say "base image: $SUITE from $(mirror_of_apt)"
  debootstrap --variant=minbase \
    --include=python3,python3-venv,python3-pip,ca-certificates \
    "$SUITE" "$work/rootfs" "$(mirror_of_apt)" > "$work/debootstrap.log" 2>&1 \
    || { tail -n 20 "$work/debootstrap.log" >&2; fail "debootstrap"; }
  rm -rf "$work/rootfs/var/cache/apt/archives" "$work/rootfs/var/lib/apt/lists"
  tar -C "$work/rootfs" -cf "$work/base.tar" .
  rm -rf --one-file-system "$work/rootfs"
  builder=$(buildah from scratch)
  buildah add "$builder" "$work/base.tar" / > /dev/null
  rm "$work/base.tar"
  buildah config \
    --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$builder"
  buildah commit --quiet "$builder" "$BASE" > /dev/null
  buildah rm "$builder" > /dev/null
  builder=
}

build_image() {
  say "image"
  local options=() more=()
  [ -z "${TENSORFLOW:-}" ] || options+=(--build-arg "TENSORFLOW=$TENSORFLOW")
  read -r -a more <<< "${BUILD_OPTIONS:-}"
  buildah bud --isolation chroot --format docker --layers=false \
    --build-arg BASE_IMAGE="$BASE" \
    --build-arg VERSION="$(sed -n 's/^__version__ = "\(.*\)"/\1/p' phasenet_keras/__init__.py)" \
    --build-arg REVISION="$(git rev-parse HEAD 2> /dev/null || echo unknown)" \
    -v /etc/ssl/certs:/etc/ssl/certs:ro \
    "${options[@]}" "${more[@]}" -t "$IMAGE" . > "$work/build.log" 2>&1 \
    || { tail -n 40 "$work/build.log" >&2; fail "build"; }
}

PODMAN=(podman --runtime /usr/sbin/runc --cgroup-manager cgroupfs)
RUN=("${PODMAN[@]}" run --rm --name "$name"
  --network=host --read-only --tmpfs /tmp
  --ulimit nofile=4096:4096 --ulimit nproc=4096:4096)

# Usage: in_image [OPTION...] IMAGE [ARGUMENT...], with the scratch folder under /data
in_image() {
  "${RUN[@]}" -v "$work/data:/data" "${cache_volume[@]}" "$@"
}
python_in_image() {
  in_image --interactive --entrypoint python3 "$IMAGE" "$@"
}

check_what_is_inside() {
  say "user, root file system, TensorFlow, verbs that need no weights"
  python_in_image - << 'PYTHON'
import errno
import os
from importlib.metadata import packages_distributions, version

assert os.getuid() == 10001, os.getuid()
for place in ("/x", "/etc/x", "/opt/venv/x"):
    try:
        open(place, "w")
    except OSError as error:
        assert error.errno in (errno.EROFS, errno.EACCES), error
    else:
        raise AssertionError(f"{place} can be written")
[root] = [line.split() for line in open("/proc/mounts") if line.split()[1] == "/"]
assert "ro" in root[3].split(","), root
# Exactly one distribution gives the package: not tensorflow beside tensorflow-cpu.
[tensorflow] = set(packages_distributions()["tensorflow"])
print(f"user {os.getuid()}, / read-only, {tensorflow} {version(tensorflow)}")
PYTHON
  "${RUN[@]}" "$IMAGE" --version
  "${RUN[@]}" "$IMAGE" --help > "$work/help.txt"
  grep -q "phasenet-keras pick" "$work/help.txt" || fail "--help"
  "${RUN[@]}" "$IMAGE" presets
}

# ObsPy's example, and a day of noise at each of 8 stations.
make_data() {
  python_in_image - << 'PYTHON'
import numpy as np
import obspy

obspy.read().write("/data/example.mseed", "MSEED")
noise = np.random.default_rng(1).integers(-300, 300, 8_640_000, dtype=np.int32)
for letter in "ABCDEFGH":
    header = {"network": "XX", "station": letter, "channel": "HHZ", "sampling_rate": 100.0}
    obspy.Trace(noise, header).write(f"/data/day{letter}.mseed", "MSEED", encoding="STEIM2")
PYTHON
}

check_demo() {
  say "the two examples that come with the program, without a network"
  in_image "$IMAGE" demo --output /data/demo
  local file
  for file in record.png line.png record.csv line.csv; do
    [ -s "$work/data/demo/$file" ] || fail "no demo/$file"
  done
}

# Usage: check_example [OPTION...]: both phases of ObsPy's example and a figure
check_example() {
  rm -rf "$work/data/picks.csv" "$work/data/figures"
  in_image "$IMAGE" pick /data/example.mseed "$@" --output /data/picks.csv --plot /data/figures
  cut -d , -f 1,4-6 "$work/data/picks.csv"
  local phase
  for phase in P S; do
    grep -q ",$phase,example.mseed," "$work/data/picks.csv" || fail "no $phase"
  done
  [ -n "$(find "$work/data/figures" -name '*.png' -size +0)" ] || fail "no figure"
}

check_picks() {
  say "ObsPy's example with the preset that is chosen"
  check_example
  if [ "${#cache_volume[@]}" -eq 0 ]; then
    say "not done: the official weights (PHASENET_KERAS_CACHE names no folder of them)"
    return
  fi
  say "ObsPy's example with the official weights"
  in_image "$IMAGE" presets --check ncedc
  check_example --preset ncedc
}

check_keras() {
  say "the same by Keras"
  check_example --engine keras
}

# Usage: check_stop WHAT SECONDS_BEFORE LIMIT_S STATUS, with the engine that takes long to start
check_stop() {
  local what=$1 before=$2 limit=$3 wanted=$4 process status=0 start took_ms
  in_image "$IMAGE" pick /data/day?.mseed --engine keras --p-threshold 1 --s-threshold 1 \
    --output /data/stopped.csv > "$work/stop.log" 2>&1 &
  process=$!
  sleep "$before"
  start=$(date +%s%N)
  "${PODMAN[@]}" stop --time 60 "$name" > /dev/null 2>&1 || true
  wait "$process" || status=$?
  took_ms=$((($(date +%s%N) - start) / 1000000))
  printf 'SIGTERM while %s: ended in %s ms, status %s\n' "$what" "$took_ms" "$status"
  if [ "$status" -ne "$wanted" ] || [ "$took_ms" -gt "$((limit * 1000))" ]; then
    cat "$work/stop.log" >&2
    fail "expected status $wanted within $limit s"
  fi
}

check_sigterm() {
  say "SIGTERM"
  check_stop "starting" 2 5 143
  [ ! -e "$work/data/stopped.csv" ] || fail "there are picks from before the start"
  # In the midst of picking, the station at hand is finished and the picks are written.
  check_stop "picking days of noise" "$1" 10 130
  [ -s "$work/data/stopped.csv" ] || fail "the picks were lost"
}

mkdir -m 777 "$work/data"
cache_volume=()
if [ -n "${PHASENET_KERAS_CACHE:-}" ]; then
  cp -r "$PHASENET_KERAS_CACHE" "$work/cache"
  chmod -R a+rwX "$work/cache"
  cache_volume=(-v "$work/cache:/cache")
fi

begin=$SECONDS
make_base
base_s=$((SECONDS - begin))
build_image
build_s=$((SECONDS - begin - base_s))
check_what_is_inside
make_data
check_demo
check_picks
begin=$SECONDS
check_keras
pick_s=$((SECONDS - begin))
check_sigterm "$((pick_s + 3))"
say "done: base image in $base_s s, image in $build_s s,\
 $(podman image inspect --format '{{.Size}}' "$IMAGE" | awk '{ printf "%.2f GB", $1 / 1e9 }')"

# Sourced by samples/quickstart.sh and tests/run.sh: the Debian and Ubuntu packages that PocketPoet
# needs, and how to install those that are missing.

build_packages=(
  gcc libc6-dev cmake ninja-build pkg-config
  libavformat-dev libavcodec-dev libavutil-dev libswscale-dev # video files
  libpng-dev libzstd-dev libjansson-dev                       # pictures, compression, JSON
  libdnnl-dev                                                 # oneDNN: convolutions and matrices
)

# g++ makes host code of CUDA kernels, clang checks what gcc does not; ffmpeg and gnuplot make inputs and pictures, and
# scripts read JSON with jq.
test_packages=(g++ clang clang-format clang-tidy binutils ffmpeg gnuplot-nox jq)

# What fuzz targets are linked with; not every release has packages of these names.
fuzz_packages=(libclang-rt-dev libomp-dev)

say() {
  printf '%s\n' "$*" >&2
}

# run_logged LOG COMMAND...: silent, unless the command fails.
run_logged() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 </dev/null || {
    tail -n 40 "$log" >&2
    say "failed: $*"
    return 1
  }
}

apt_install() {
  local root=()
  [ "$(id -u)" = 0 ] || root=(sudo)
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@"
}

# Package lists may be absent or stale, so a failed installation is tried again with fresh ones.
fetch_packages() {
  apt_install install --yes --no-install-recommends "$@" ||
    { apt_install update && apt_install install --yes --no-install-recommends "$@"; }
}

# install_packages PACKAGE...: nothing happens, and nothing is printed, when all are there.
install_packages() {
  local package log missing=()
  if ! command -v dpkg-query >/dev/null; then
    say "this is not Debian or Ubuntu: please see to these packages yourself: $*"
    return 0
  fi
  for package; do
    grep -qx installed <<<"$(dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null)" ||
      missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    say "please install these packages as root first: ${missing[*]}"
    return 1
  fi
  say "installing ${missing[*]}"
  log=$(mktemp)
  run_logged "$log" fetch_packages "${missing[@]}" || return 1
  rm -f "$log"
}

# build_preset NAME [TARGET]: configures and builds build/NAME of the repository this file is in.
build_preset() {
  local name=$1 target=${2:-all} folder
  folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  mkdir -p "$folder/build"
  (cd "$folder" &&
    run_logged "build/$name.log" cmake --preset "$name" &&
    run_logged "build/$name.log" cmake --build --preset "$name" --target "$target")
}

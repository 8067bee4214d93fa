#!/bin/bash
# tests/run.sh [CTEST OPTION...]
# Installs missing packages (as root or with sudo), builds with warnings as errors, and runs the
# tests: first those that are quick enough under the address and undefined-behaviour sanitizers, then
# the CUDA kernels as host code, then all in the development build. Options go to the second ctest, e.g. -R unit.codec.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$repository/samples/packages.sh"

install_packages "${build_packages[@]}" "${test_packages[@]}"
install_packages "${fuzz_packages[@]}" || say "without ${fuzz_packages[*]} the fuzz targets are skipped"
cd "$repository"
say "building with sanitizers"
build_preset asan
ctest --preset asan -LE 'style|cuda'
say "building the CUDA kernels as host code"
build_preset simt simt
ctest --preset simt
say "building"
build_preset dev
ctest --preset dev "$@"

#!/bin/bash
# build.sh ROOT [NVCC [HOST_COMPILER [ARCHS]]]: the plug-in and the tests for a card compile without a warning. Takes minutes,
# so it runs only when POET_NVCC is set, as .ci/run does.
set -euo pipefail
root=$1 nvcc=${2:-nvcc}

[ -n "${POET_NVCC:-}" ] || { echo "skipped: POET_NVCC is not set"; exit 77; }
command -v "$nvcc" >/dev/null || { echo "skipped: there is no $nvcc"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cmake -S "$root" -B "$scratch" --preset cuda -DCMAKE_CUDA_COMPILER="$(command -v "$nvcc")" \
  ${3:+-DCMAKE_CUDA_HOST_COMPILER="$3"} ${4:+-DPOET_CUDA_ARCHS="$4"}
cmake --build "$scratch" --target poet_cuda_plugin gpu_tests -j2 | tee "$scratch/log"
if grep -i warning "$scratch/log"; then exit 1; fi
test -f "$scratch/pocketpoet-cuda.so"

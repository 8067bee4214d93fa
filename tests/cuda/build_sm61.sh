#!/bin/bash
# build_sm61.sh ROOT: the same with a toolkit that still knows a GTX 1080: one at $POET_CUDA118, or one that the script of
# the shared folder puts together.
set -euo pipefail
root=$1 toolkit=${POET_CUDA118:-}

[ -n "${POET_NVCC:-}" ] || { echo "skipped: POET_NVCC is not set"; exit 77; }
command -v g++-11 >/dev/null || { echo "skipped: CUDA 11.8 needs g++-11"; exit 77; }
if [ -z "$toolkit" ]; then
  [ -x "$root/../shared/design/cuda118.sh" ] || { echo "skipped: there is no CUDA 11.8 at POET_CUDA118"; exit 77; }
  toolkit=$(mktemp -d)
  trap 'rm -rf "$toolkit"' EXIT
  "$root/../shared/design/cuda118.sh" "$toolkit" || { echo "skipped: CUDA 11.8 cannot be had here"; exit 77; }
fi
"$(dirname "$0")/build.sh" "$root" "$toolkit/bin/nvcc" g++-11 61

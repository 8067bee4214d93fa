#!/bin/bash
# build_sm61.sh ROOT: the same with a toolkit that still knows a GTX 1080.
set -euo pipefail
root=$1

[ -n "${POET_NVCC:-}" ] || { echo "skipped: POET_NVCC is not set"; exit 77; }
. "$(dirname "$0")/toolkit.sh"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
old_toolkit "$root" "$scratch"
"$(dirname "$0")/build.sh" "$root" "$toolkit/bin/nvcc" g++-11 61

#!/bin/bash
# kernels.sh ROOT FOLDER CARD: nvcc's PTX of every kernel for sm_CARD into FOLDER, and kernels.so with nvcc's host code.
# Takes a minute, so it runs only when POET_NVCC is set, as .ci/run does.
set -euo pipefail
root=$1 folder=$2 card=$3 nvcc=nvcc options=()

rm -rf "$folder"
[ -n "${POET_NVCC:-}" ] || { echo "skipped: POET_NVCC is not set"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if [ "$card" -lt 75 ]; then
  . "$(dirname "$0")/../toolkit.sh"
  old_toolkit "$root" "$scratch"
  nvcc=$toolkit/bin/nvcc options=(-ccbin g++-11)
fi
command -v "$nvcc" >/dev/null || { echo "skipped: there is no $nvcc"; exit 77; }

# One compilation gives both, so that the names of kernels in one are those of the other.
for file in "$root"/cuda/kernels/*.cu; do
  name=$(basename "$file" .cu)
  "$nvcc" "${options[@]}" -std=c++17 -O2 -I"$root" -gencode "arch=compute_$card,code=compute_$card" \
    --keep --keep-dir "$scratch" -Xcompiler -fPIC -c "$file" -o "$scratch/$name.o"
done
mkdir -p "$folder"
g++ -shared "$scratch"/*.o -o "$folder/kernels.so"
mv "$scratch"/*.ptx "$folder"
ls "$folder"

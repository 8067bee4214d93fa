#!/bin/bash
# kernels.sh ROOT FOLDER CARD [NVCC [OPTION...]]: nvcc's PTX of every kernel into FOLDER, and kernels.so with its host code.
set -euo pipefail
root=$1 folder=$2 card=$3 nvcc=${4:-nvcc}
shift $(($# < 4 ? $# : 4))

compile() { # FILE [OPTION...]
  local name
  name=$(basename "$1" .cu)
  "$nvcc" "${@:2}" -std=c++17 -O2 -I"$root" -gencode "arch=compute_$card,code=compute_$card" --keep --keep-dir "$folder" \
    -Xcompiler -fPIC -c "$1" -o "$folder/$name.o"
}

mkdir -p "$folder"
export -f compile
export root folder card nvcc
printf '%s\n' "$root"/cuda/kernels/*.cu | xargs -P 2 -I{} bash -c 'compile "$@"' compile {} "$@"
g++ -shared "$folder"/*.o -o "$folder/kernels.so"

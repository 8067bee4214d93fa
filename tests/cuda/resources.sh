#!/bin/bash
# resources.sh ROOT [--write]: what ptxas gives each kernel on each card (registers, static shared memory) is as in the table
# resources_VERSION.txt beside this script, VERSION being that of the toolkit, and nothing lies in local memory: no register is
# spilled, and no array kept there because an index of it is not known when it is compiled. --write makes the table
# anew. Toolkits: nvcc on PATH, and the one at POET_CUDA118 for cards before sm_75; without a table of its version a toolkit
# is skipped. Takes minutes, so it runs only when POET_NVCC is set, as .ci/run does.
set -euo pipefail
cd "$1"
mode=${2:-} folder=tests/cuda compared=0

[ -n "${POET_NVCC:-}" ] || { echo "skipped: POET_NVCC is not set"; exit 77; }

# measure CARDS NVCC [OPTION...]: a line for each kernel and card.
measure() {
  local cards=$1 nvcc=$2 listed targets=() card file
  shift 2
  listed=$("$nvcc" --list-gpu-arch)
  for card in $cards; do
    ! grep -qx "compute_$card" <<<"$listed" || targets+=(-gencode "arch=compute_$card,code=sm_$card")
  done
  for file in cuda/kernels/*.cu; do
    "$nvcc" "$@" -std=c++17 -O2 "${targets[@]}" -Xptxas -v -I. -c "$file" -o /dev/null 2>&1 | c++filt |
      awk -v file="$(basename "$file" .cu)" '
        /Compiling entry function/ { split($0, part, "\047"); kernel = part[2]; card = part[4] }
        /bytes spill/ { match($0, /[0-9]+ bytes stack frame/); local = substr($0, RSTART) + 0
                        match($0, /[0-9]+ bytes spill stores/); local += substr($0, RSTART) + 0
                        match($0, /[0-9]+ bytes spill loads/); local += substr($0, RSTART) + 0 }
        /Used [0-9]+ registers/ {
          shared = match($0, /[0-9]+ bytes smem/) ? substr($0, RSTART) + 0 : 0
          match($0, /Used [0-9]+/)
          sub(/^void /, "", kernel); sub(/\(.*/, "", kernel); gsub(/ /, "", kernel)
          print file, kernel, card, substr($0, RSTART + 5) + 0, shared, local }'
  done | LC_ALL=C sort
}

# check CARDS NVCC [OPTION...]
check() {
  local version table now
  command -v "$2" >/dev/null || { echo "skipped: there is no $2"; return; }
  version=$("$2" --version | grep -oE 'release [0-9.]+' | grep -oE '[0-9.]+')
  table=$folder/resources_$version.txt
  [ -f "$table" ] || [ "$mode" = --write ] || { echo "skipped: there is no table for CUDA $version"; return; }
  now=$(echo "# file kernel card registers shared local"; measure "$@")
  [ "$mode" != --write ] || echo "$now" >"$table"
  diff "$table" <(echo "$now")
  if grep -v '^#' "$table" | grep -v ' 0$'; then echo "these use local memory"; return 1; fi
  compared=1
}

check "75 80 86 89 90 100 120" nvcc
[ -z "${POET_CUDA118:-}" ] || check 61 "$POET_CUDA118/bin/nvcc" -ccbin g++-11
[ $compared = 1 ] || exit 77

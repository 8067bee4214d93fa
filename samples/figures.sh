#!/bin/bash
# samples/figures.sh [OUT.md]
# Measures the sample model and this machine, and writes docs/figures.md. Takes some minutes; run it when nothing else runs.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$repository/samples/packages.sh"
out=${1:-$repository/docs/figures.md}
build_preset release pocketpoet
poet=$repository/build/release/pocketpoet

section() {
  printf '\n## %s\n\n    %s\n\n```json\n' "$1" "pocketpoet ${*:2}"
  "$poet" "${@:2}" --json --quiet
  printf '```\n'
}

{
  printf '# Figures\n\nWritten by `samples/figures.sh` on %s, 2 threads, pocketpoet %s.\n' \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$("$poet" --version | cut -d' ' -f2)"
  section "The sample model on held-out clips" eval synth:shapes --model shapes --threads 2
  section "Speed, 320 tokens a clip" bench --threads 2
  section "Speed, 1,280 tokens a clip" bench --threads 2 --tokens 1280 --batch 4 --only decode
} >"$out.tmp"
mv "$out.tmp" "$out"
echo "figures: $out"

#!/bin/bash
# samples/roofline.sh POCKETPOET GFLOPS GB
# The roofline of writing clips with the sample model on a card with these peaks (10^9 FLOP/s, 10^9 bytes/s), as tables for
# docs/cuda.md. POCKETPOET is of a build with POET_SIMT, whose device plans as a card does. Everything is counted; nothing is
# run. Wants jq.
set -euo pipefail
poet=$1 gflops=$2 gb=$3

# count STREAMS [WEIGHTS]
count() {
  POET_CUDA_WEIGHTS=${2:-f32} "$poet" bench --only kernels --count --device simt --streams "$1" --peak-gflops "$gflops" \
    --peak-gb "$gb" --json --quiet
}

# rate STREAMS WEIGHTS: clips a second.
rate() {
  count "$1" "$2" | jq -r '.streams / .least_seconds * 10 | round / 10'
}

one=$(count 1) many=$(count 64)

echo "| operation | calls | 1 stream: MB, MFLOP | ms at least | 64 streams: MB, MFLOP | ms at least |"
echo "| --- | --- | --- | --- | --- | --- |"
jq -rn --argjson one "$one" --argjson many "$many" '
  def short: if . >= 100 then round elif . >= 1 then (. * 10 | round / 10) else (. * 1000 | round / 1000) end;
  def figures: "\(.mb | short), \(.mflop | short) | \(.least_ms | short)";
  [$one.kernels, $many.kernels] | transpose | sort_by(-.[0].least_ms) | .[] |
  "| `\(.[0].operation)` | \(.[0].calls) | \(.[0] | figures) | \(.[1] | figures) |"'
echo
echo "| streams | calls a clip | s a batch, at least | clips a second, *predicted, not measured* | with weights in f16 | in int8 |"
echo "| --- | --- | --- | --- | --- | --- |"
for streams in 1 8 64; do
  count $streams | jq -r '"| \(.streams) | \(.calls / .streams | round) | \(.least_seconds * 1000 | round / 1000) | " +
    "\(.streams / .least_seconds * 10 | round / 10) |"' | tr '\n' ' '
  echo "$(rate $streams f16) | $(rate $streams int8) |"
done

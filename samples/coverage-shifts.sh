#!/bin/bash
# samples/coverage-shifts.sh [FOLDER...]
# Whether figures of eval coverage tell how much PSNR is lost: the sample model's tokenizer on held-out, mixed, unseen and
# rescaled built-in clips, and on the videos of each FOLDER at three sizes, at most CLIPS (100) of each; then Spearman's rank
# correlation of each figure with the loss. TOKENIZER names another tokenizer, beside what training saw (its .coverage.json) or else
# training clips of synth:shapes. Some minutes.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$repository/samples/packages.sh"
install_packages "${build_packages[@]}" jq
build_preset release pocketpoet
poet=$repository/build/release/pocketpoet
tokenizer=${TOKENIZER:-$repository/samples/models/shapes/tokenizer.safetensors}
clips=${CLIPS:-100}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

reference=${tokenizer%.safetensors}.coverage.json
if [ ! -e "$reference" ]; then
  reference=$work/reference.json
  "$poet" eval coverage synth:shapes --clips 40000 -t "$tokenizer" --save-reference "$reference" --quiet >/dev/null
fi

figures=(out_of_codebook shift under_100 distance_p50 distance_p90 distance_p99)

# shift_of NAME CLIPS [OPTION...]: one row of figures.
shift_of() {
  local name=$1
  shift
  "$poet" eval coverage "$@" -t "$tokenizer" -r "$reference" --count "$clips" --quiet --json |
    jq -r --arg name "$name" '[$name, .clips, .psnr, .psnr_loss, .out_of_codebook] +
      (.level0 | [.shift, .under_100, .distance_p50, .distance_p90, .distance_p99]) | @tsv' | tee -a "$work/rows" |
    awk -F'\t' '{ printf "| %s | %d | %.2f | %.2f | %.1f%% | %.2f | %.1f%% | %.1f | %.1f | %.1f |\n",
      $1, $2, $3, $4, 100 * $5, $6, 100 * $7, $8, $9, $10 }'
}

# spearman COLUMN: of that column with the loss; equal values share the mean of their ranks.
spearman() {
  awk -F'\t' -v column="$1" '
    function ranks(value, rank,    i, j, below, equal) {
      for (i = 1; i <= n; i++) {
        below = equal = 0
        for (j = 1; j <= n; j++) {
          below += value[j] < value[i]
          equal += value[j] == value[i]
        }
        rank[i] = below + (equal + 1) / 2
      }
    }
    { a[++n] = $4 + 0; b[n] = $column + 0 }
    END {
      ranks(a, x)
      ranks(b, y)
      for (i = 1; i <= n; i++) {
        dx = x[i] - (n + 1) / 2
        dy = y[i] - (n + 1) / 2
        xy += dx * dy
        xx += dx * dx
        yy += dy * dy
      }
      printf "%.2f", xy / sqrt(xx * yy)
    }' "$work/rows"
}

echo "| clips | n | PSNR, dB | lost, dB | out of codebook | shift, bits | tokens of rare codes | p50 | p90 | p99 |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
for split in seen unseen; do
  shift_of "shapes, held-out, $split" synth:shapes --split heldout-$split
done
for sets in digits1 digits2 street shapes,street shapes,digits digits,street; do
  shift_of "$sets" synth:$sets
done
for size in 32 48 96 128; do
  for set in shapes digits street; do
    shift_of "$set at $size" synth:$set --size $size
  done
done
for folder in "$@"; do
  for size in 32 64 128; do
    shift_of "$(basename "$folder") at $size" "$folder" --size $size
  done
done

printf '\n| figure | rank correlation with the PSNR lost, %d shifts |\n| --- | --- |\n' "$(wc -l <"$work/rows")"
for i in "${!figures[@]}"; do
  echo "| ${figures[i]} | $(spearman $((i + 5))) |"
done

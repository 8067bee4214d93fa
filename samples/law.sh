#!/bin/bash
# samples/law.sh [WORK_FOLDER]
# How the best number of codes grows with the generator and with the clips it has: a grid codes x parameters x clips of generators
# on built-in shapes of 32 x 32 pixels and 9 frames, all trained for the same number of steps on the tokens of one tokenizer
# for each K. Best is the K of the least
#
#   frechet     Fréchet distance of clips that the generator writes for held-out captions, on the features of a reader: what
#               comes out, of tokenizer and generator together
#   normalised  bits of a held-out clip above those of a model that knows only how often a code is used: the loss that Tao et
#               al. (2024, arXiv 2407.13623) compare vocabularies by. A text has the same content in any vocabulary; a clip has
#               more in more codes, so this one is for comparison alone
#
# found on a parabola through the least and its neighbours, in log K. Then log K = a log P + b log C + c by least squares, with
# P the parameters that are no rows of a code and C the clips; Tao et al. have a = 0.83. Where the least is at the edge of the
# grid there is no best K, and the point is left out. Interrupted at any moment, the same command goes on. A night on two cores;
# CODES, MODELS (width x layers), CLIPS, TOKENIZER_STEPS, READER_STEPS, GENERATOR_STEPS and MEASURE (held-out clips) make it
# another grid. Needs jq and gnuplot.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$repository/samples/packages.sh"
. "$repository/samples/recipe.sh"
install_packages "${build_packages[@]}" jq gnuplot-nox
build_preset release pocketpoet
poet=$repository/build/release/pocketpoet
work=${1:-$repository/build/law}
read -ra codes <<<"${CODES:-64 128 256 512 1024 2048}"
read -ra models <<<"${MODELS:-64x2 96x3 160x4 256x6}"
read -ra clips <<<"${CLIPS:-500 2000 8000}"
measure=${MEASURE:-256}
data=(synth:shapes --size 32 --frames 9 --clips 20000 --heldout-clips "$measure")
mkdir -p "$work/cells"

# kept FILE COMMAND...: what the command prints, in a file that is there when all of it is.
kept() {
  local file=$1
  shift
  [ -e "$file" ] && return
  "$@" >"$file.tmp"
  mv "$file.tmp" "$file"
}

# ---- the grid ----

stage "$work/reader.safetensors" "$poet" train-reader "${data[@]}" -o "$work/reader.safetensors" \
  --steps "${READER_STEPS:-2000}"

# cell K WIDTHxLAYERS CLIPS: a generator, what eval says of it, and its tensors.
cell() {
  local k=$1 width=${2%x*} layers=${2#*x} n=$3 name=$1-$2-$3 tokens=$work/$1-$3.ptok tokenizer=$work/tokenizer-$1.safetensors
  local model=$work/cells/$name
  [ ! -e "$model.json" ] || return 0
  mkdir -p "$model"
  stage "$tokens" "$poet" encode "${data[@]}" -t "$tokenizer" -o "$tokens" --count "$n"
  stage "$model/generator.safetensors" "$poet" train-generator "$tokens" -t "$tokenizer" \
    -o "$model/generator.safetensors" --steps "${GENERATOR_STEPS:-2500}" --batch 8 --text 24 \
    --width "$width" --layers "$layers" --heads $((width / 32)) --slot-width $((width * 3 / 4)) --slot-heads $((width / 32))
  cp "$tokenizer" "$model/tokenizer.safetensors"
  kept "$model/eval.json" "$poet" eval "${data[@]}" --model "$model" --json --count "$measure" --captions 0 \
    --distribution "$measure" --features "$work/reader.safetensors"
  kept "$model/tensors.json" "$poet" inspect "$model/generator.safetensors" --details --json
  kept "$model.json" jq -n --argjson codes "$k" --argjson clips "$n" --arg model "$2" \
    --slurpfile eval "$model/eval.json" --slurpfile tensors "$model/tensors.json" '
    def by_code: test("^(code|slots[.]before|slots[.]head|vectors)($|[.])");
    def product: reduce .[] as $d (1; . * $d);
    ($tensors[0]."generator.config" | .grid_t * .grid_h * .grid_w) as $tokens |
    {$codes, $clips, $model,
     parameters: ([$tensors[0].tensors[] | select(.name | by_code | not) | .shape | product] | add),
     psnr: $eval[0].psnr, bits: $eval[0].bits_per_clip,
     normalised: ($eval[0].bits_per_clip - $tokens * ($eval[0].perplexity | log2)),
     frechet: $eval[0].distribution.generated.frechet}'
  rm -r "$model"
}

for k in "${codes[@]}"; do
  stage "$work/tokenizer-$k.safetensors" "$poet" train-tokenizer "${data[@]}" -o "$work/tokenizer-$k.safetensors" \
    --codes "$k" --batch 16 --steps "${TOKENIZER_STEPS:-3000}"
done
for n in "${clips[@]}"; do
  for model in "${models[@]}"; do
    for k in "${codes[@]}"; do
      cell "$k" "$model" "$n"
    done
  done
done

# ---- the fit ----

jq -sr 'sort_by(.clips, .parameters, .codes)[] |
  [.clips, .model, .parameters, .codes, .psnr, .bits, .normalised, .frechet] | @tsv' "$work"/cells/*.json >"$work/law.tsv"

# best COLUMN: "log2 P, log2 C, log2 K" of each generator and number of clips; the parameters are means over K.
best() {
  awk -F'\t' -v column="$1" '
    function least(    i, at, a, b, c, l, m, r) {
      at = 1
      for (i = 2; i <= n; i++)
        if (y[i] < y[at])
          at = i
      if (n && at > 1 && at < n) {
        l = x[at - 1] - x[at]; r = x[at + 1] - x[at]
        a = (y[at - 1] - y[at]) / l; b = (y[at + 1] - y[at]) / r
        m = b > a ? (b * l - a * r) / (2 * (b - a)) : 0
        printf "%.6f %.6f %.6f\n", log(sum / n) / log(2), log(clips) / log(2), x[at] + m
      } else if (n)
        printf "# %d clips, %s: the least is at the edge, at %d codes\n", clips, model, 2 ^ x[at] + 0.5
      n = sum = 0
    }
    $1 != clips || $2 != model { least(); clips = $1; model = $2 }
    { x[++n] = log($4) / log(2); y[n] = $column + 0; sum += $3 }
    END { least() }' "$work/law.tsv"
}

# fit_law NAME: the exponents, with their standard errors.
fit_law() {
  local points=$work/best-$1.txt count distinct
  sed -n "s/^#/$1:/p" "$points"
  count=$(awk '!/^#/' "$points" | wc -l)
  distinct=$(awk '!/^#/ { print $2 }' "$points" | sort -u | wc -l)
  if [ "$count" -lt $((distinct > 1 ? 4 : 3)) ]; then
    echo "$1: too few generators have their best K inside the grid for a fit"
    return
  fi
  gnuplot <<PLOT
set fit quiet nolog errorvariables
a = 0.8; b = 0.1; c = -5
f(p, n) = a * p + b * n + c
$([ "$distinct" -gt 1 ] && echo "fit f(x, y) '$points' using 1:2:3 via a, b, c" || echo "b = 0; g(p) = a * p + c; fit g(x) '$points' using 1:3 via a, c")
if (!exists("b_err")) b_err = 0
set print "-"
print sprintf("$1: best K grows as parameters^%.2f (standard error %.2f) and clips^%.2f (%.2f); Tao et al.: parameters^0.83", \
  a, a_err, b, b_err)
PLOT
}

best 8 >"$work/best-frechet.txt"
best 7 >"$work/best-normalised.txt"
for criterion in frechet normalised; do
  fit_law $criterion
done | tee "$work/law.txt"

# A curve for each generator at each number of clips.
curves=()
for n in "${clips[@]}"; do
  for model in "${models[@]}"; do
    awk -F'\t' -v n="$n" -v model="$model" '$1 == n && $2 == model' "$work/law.tsv" >"$work/curve-$model-$n.tsv"
    curves+=("$model-$n")
  done
done
plot_curves() {
  local separator=plot
  for curve in "${curves[@]}"; do
    printf "%s '%s/curve-%s.tsv' using 4:%d with linespoints title '%s, %s clips'" "$separator" "$work" "$curve" "$1" \
      "${curve%-*}" "${curve#*-}"
    separator=,
  done
  echo
}
gnuplot <<PLOT
set terminal svg size 1200,520 background "white" font "sans,11"
set output "$work/law.svg"
set multiplot layout 1,2
set grid
set key outside below
set logscale x 2
set xlabel "K"
set title "Fréchet distance of generated clips, features of a reader"
$(plot_curves 8)
set title "bits per clip above the codes' own entropy"
$(plot_curves 7)
PLOT
echo "figures: $work/law.tsv, fit: $work/law.txt, curves: $work/law.svg"

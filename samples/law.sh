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
# and law.awk fits log K = a log P + b log C + c, with P the parameters that are no rows of a code and C the clips; Tao et al.
# have a = 0.83. The cheapest cells come first, and all of seed 1 before any of seed 2. Interrupted at any moment, the same
# command goes on; however it ends, it prints the fit of the cells there are. With MINUTES it ends by itself after so many, 0
# for the fit alone. CELLS=FILE.tsv takes over the cells of an earlier run, lines of its law.tsv. CODES, MODELS (width x
# layers), CLIPS, SEEDS, PATCH, TOKENIZER_STEPS, READER_STEPS, GENERATOR_STEPS and MEASURE (held-out clips) make it another
# grid. Needs jq and gnuplot.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$repository/samples/packages.sh"
. "$repository/samples/recipe.sh"
build_program jq gnuplot-nox
work=${1:-$repository/build/law}
read -ra codes <<<"${CODES:-16 32 64 128 256 512 1024}"
read -ra models <<<"${MODELS:-16x1 96x2 256x5}"
read -ra clips <<<"${CLIPS:-500 2000 8000}"
measure=${MEASURE:-256}
data=(synth:shapes --size 32 --frames 9 --clips 20000 --heldout-clips "$measure")
mkdir -p "$work/cells"

# poet ARGUMENTS...: the program. When the time is up it is stopped as by Ctrl-C, saves where it is, and the script ends.
deadline=${MINUTES:+$((SECONDS + 60 * MINUTES))}
poet() {
  local status=0 left=$((deadline - SECONDS))
  if [ -z "$deadline" ]; then
    "$program" "$@"
    return
  fi
  if [ "$left" -gt 0 ]; then
    timeout --foreground --signal=INT "$left" "$program" "$@" || status=$?
  fi
  if [ "$left" -le 0 ] || [ "$status" = 124 ]; then
    say "the time is up; the same command goes on"
    exit 0
  fi
  return "$status"
}

# ---- the fit ----

# A curve for each generator at each number of clips, through the means over seeds: against K column $1 of law.tsv.
plot_curves() {
  local model n separator=plot
  for n in "${clips[@]}"; do
    for model in "${models[@]}"; do
      awk -F'\t' -v n="$n" -v model="$model" -v column="$1" '
        $1 == n && $2 == model { sum[$4] += $column; count[$4]++ }
        END { for (k in sum) print k, sum[k] / count[k] | "sort -n" }' "$work/law.tsv" >"$work/curve-$model-$n-$1.txt"
      [ -s "$work/curve-$model-$n-$1.txt" ] || continue
      printf "%s '%s/curve-%s.txt' with linespoints title '%s, %s clips'" "$separator" "$work" "$model-$n-$1" "$model" "$n"
      separator=,
    done
  done
  echo
}

plot_law() {
  gnuplot <<PLOT
set terminal svg size 1200,520 background "white" font "sans,11"
set output "$work/law.svg"
set multiplot layout 1,2
set grid
set key outside below
set logscale x 2
set xlabel "K"
set title "bits per clip above the codes' own entropy"
$(plot_curves 8)
set logscale y 2
set title "Fréchet distance of generated clips, features of a reader"
$(plot_curves 9)
PLOT
}

fit_law() {
  local cells=("$work"/cells/*.json)
  if [ ! -e "${cells[0]}" ]; then
    say "there is no cell yet"
    return
  fi
  jq -sr 'sort_by(.clips, .parameters, .codes, .seed)[] |
    [.clips, .model, .parameters, .codes, .seed, .psnr, .bits, .normalised, .frechet] | @tsv' "${cells[@]}" >"$work/law.tsv"
  {
    awk -v column=9 -v scale=log -v name=frechet -f "$repository/samples/law.awk" "$work/law.tsv"
    awk -v column=8 -v name=normalised -f "$repository/samples/law.awk" "$work/law.tsv"
  } | tee "$work/law.txt"
  plot_law
  echo "figures: $work/law.tsv, fit: $work/law.txt, curves: $work/law.svg"
}
exec 3>&1 # stdout, whatever a command that is stopped had it redirected to
trap 'fit_law >&3' EXIT

# ---- the grid ----

# take_over FILE: each of its lines becomes a cell that is done.
take_over() {
  local n model parameters k seed psnr bits normalised frechet
  while IFS=$'\t' read -r n model parameters k seed psnr bits normalised frechet; do
    kept "$work/cells/$k-$model-$n-s$seed.json" jq -n --arg model "$model" \
      "{codes: $k, clips: $n, \$model, seed: $seed, parameters: $parameters, psnr: $psnr, bits: $bits,
        normalised: $normalised, frechet: $frechet}"
  done <"$1"
}

# cell K WIDTHxLAYERS CLIPS SEED: a generator, what eval says of it, and its tensors.
cell() {
  local k=$1 width=${2%x*} layers=${2#*x} n=$3 seed=$4 name=$1-$2-$3-s$4
  local tokens=$work/$k-$n.ptok tokenizer=$work/tokenizer-$k.safetensors model=$work/cells/$name
  local heads=$((width < 32 ? 1 : width / 32))
  [ ! -e "$model.json" ] || return 0
  mkdir -p "$model"
  stage "$tokenizer" poet train-tokenizer "${data[@]}" -o "$tokenizer" --codes "$k" --patch "${PATCH:-8}" --batch 16 \
    --steps "${TOKENIZER_STEPS:-1000}"
  stage "$tokens" poet encode "${data[@]}" -t "$tokenizer" -o "$tokens" --count "$n"
  stage "$model/generator.safetensors" poet train-generator "$tokens" -t "$tokenizer" -o "$model/generator.safetensors" \
    --steps "${GENERATOR_STEPS:-1500}" --batch 8 --text 24 --seed "$seed" --width "$width" --layers "$layers" \
    --heads "$heads" --slot-width $((width * 3 / 4)) --slot-heads "$heads"
  cp "$tokenizer" "$model/tokenizer.safetensors"
  kept "$model/eval.json" poet eval "${data[@]}" --model "$model" --json --count "$measure" --captions 0 \
    --distribution "$measure" --features "$work/reader.safetensors"
  kept "$model/tensors.json" poet inspect "$model/generator.safetensors" --details --json
  kept "$model.json" jq -n --argjson codes "$k" --argjson clips "$n" --arg model "$2" --argjson seed "$seed" \
    --slurpfile eval "$model/eval.json" --slurpfile tensors "$model/tensors.json" '
    def by_code: test("^(code|slots[.]before|slots[.]head|vectors)($|[.])");
    def product: reduce .[] as $d (1; . * $d);
    ($tensors[0]."generator.config" | .grid_t * .grid_h * .grid_w) as $tokens |
    {$codes, $clips, $model, $seed,
     parameters: ([$tensors[0].tensors[] | select(.name | by_code | not) | .shape | product] | add),
     psnr: $eval[0].psnr, bits: $eval[0].bits_per_clip,
     normalised: ($eval[0].bits_per_clip - $tokens * ($eval[0].perplexity | log2)),
     frechet: $eval[0].distribution.generated.frechet}'
  rm -r "$model"
}

[ -z "${CELLS:-}" ] || take_over "$CELLS"
stage "$work/reader.safetensors" poet train-reader "${data[@]}" -o "$work/reader.safetensors" \
  --steps "${READER_STEPS:-1000}"
for seed in $(seq "${SEEDS:-2}"); do
  for model in "${models[@]}"; do
    for n in "${clips[@]}"; do
      for k in "${codes[@]}"; do
        cell "$k" "$model" "$n" "$seed"
      done
    done
  done
done

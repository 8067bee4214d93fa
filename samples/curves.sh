#!/bin/bash
# samples/curves.sh WORK_FOLDER OUT.png
# Draws the training curves that train.sh left in WORK_FOLDER: reconstruction and bits per clip on held-out clips. Runs of the
# generator from one another's weights stand one behind the other.
set -euo pipefail
work=$1 out=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# column FILE KEY: "step value" of every line that has the key.
column() {
  sed -nE "s/.*\"step\": ([0-9]+).*\"$2\": ([-0-9.e+]+).*/\1 \2/p" "$1"
}

# generator_column KEY: the same of all runs, in steps from the first.
generator_column() {
  local file before=0
  for file in "$work"/generator-*.jsonl; do
    column "$file" "$1" | awk -v before="$before" '{ print $1 + before, $2 }'
    before=$((before + $(column "$file" loss | tail -n 1 | cut -d' ' -f1)))
  done
}

column "$work/tokenizer.jsonl" psnr >"$tmp/psnr"
generator_column loss >"$tmp/loss"
generator_column bits_per_clip >"$tmp/bits"
gnuplot <<PLOT
set terminal pngcairo size 960,320 font "sans,10"
set output "$out"
set multiplot layout 1,3
set grid
unset key
set xlabel "thousands of steps"
set title "tokenizer: held-out PSNR, dB"
plot "$tmp/psnr" using (\$1 / 1000):2 with linespoints pointtype 7
set title "generator: training loss, nats a code"
plot "$tmp/loss" using (\$1 / 1000):2 with lines
set title "generator: held-out bits per clip"
plot "$tmp/bits" using (\$1 / 1000):2 with linespoints pointtype 7
PLOT

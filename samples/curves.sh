#!/bin/bash
# samples/curves.sh WORK_FOLDER OUT.png
# Draws the training curves that train.sh left in WORK_FOLDER: reconstruction and bits per clip on held-out clips.
set -euo pipefail
work=$1 out=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# column FILE KEY: "step value" of every line that has the key.
column() {
  sed -nE "s/.*\"step\": ([0-9]+).*\"$2\": ([-0-9.e+]+).*/\1 \2/p" "$1"
}

column "$work/tokenizer.jsonl" psnr >"$tmp/psnr"
column "$work/generator.jsonl" loss >"$tmp/loss"
column "$work/generator.jsonl" bits_per_clip >"$tmp/bits"
gnuplot <<PLOT
set terminal pngcairo size 960,320 font "sans,10"
set output "$out"
set multiplot layout 1,3
set grid
unset key
set xlabel "steps"
set title "tokenizer: held-out PSNR, dB"
plot "$tmp/psnr" with linespoints pointtype 7
set title "generator: training loss, nats a code"
plot "$tmp/loss" with lines
set title "generator: held-out bits per clip"
plot "$tmp/bits" with linespoints pointtype 7
PLOT

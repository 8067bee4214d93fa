#!/bin/bash
# samples/train.sh [MODEL_FOLDER [WORK_FOLDER]]
# Trains the sample model from nothing: tokenizer, tokens, a generator of pictures, and from it the one of clips; and their
# training curves. Interrupted at any moment, the same command goes on. Defaults: samples/models/shapes and
# build/train-shapes.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$repository/samples/packages.sh"
. "$repository/samples/recipe.sh"

build_program gnuplot-nox

tokenizer_options=(--crop 32 --batch 16 --average 0.998 --steps 6000 --report-every 1000)
network_options=(--width 192 --layers 4 --slot-width 128 --text 24)
rate_options=(--rate 0.008 --muon-rate 0.015 --average 0.998)
picture_count=160000
picture_encoding=(--frames 1) # the first is drawn alone
picture_options=("${network_options[@]}" "${rate_options[@]}" --batch 32 --steps 6500 --report-every 500)
clip_count=160000
generator_options=(--rate 0.005 --muon-rate 0.012 --average 0.998 --batch 8 --steps 5600 --report-every 500)
longer_runs=("--rate 0.005 --muon-rate 0.012 --average 0.998 --batch 16 --steps 6500 --report-every 500"
  "--rate 0.004 --muon-rate 0.01 --average 0.998 --batch 16 --steps 10000 --report-every 500")
train_model "${1:-$repository/samples/models/shapes}" "${2:-$repository/build/train-shapes}" \
  synth:shapes --clips 200000

#!/bin/bash
# samples/train.sh [MODEL_FOLDER [WORK_FOLDER]]
# Trains the sample model from nothing: tokenizer, tokens, generator, and their training curves. Interrupted at any moment,
# the same command goes on. Defaults: samples/models/shapes and build/train-shapes.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$repository/samples/packages.sh"
. "$repository/samples/recipe.sh"

install_packages "${build_packages[@]}" gnuplot-nox
build_preset release pocketpoet

tokenizer_options=(--patch 4 --codes 1024 --width 64 --muon-rate 0.02 --crop 32 --batch 16 --steps 5000
  --average 0.998 --report-every 1000)
encode_options=(--count 40000)
generator_options=(--group 4 --width 192 --layers 4 --slot-width 128 --text 24 --batch 8 --steps 7000 --average 0.998
  --report-every 1000)
train_model "${1:-$repository/samples/models/shapes}" "${2:-$repository/build/train-shapes}" \
  synth:shapes --clips 400000

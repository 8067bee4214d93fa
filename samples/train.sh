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

tokenizer_options=(--patch 8 --codes 1024 --width 64 --frame-norms --encoder-time 3 --steps 3000 --average 0.998
  --report-every 500)
encode_options=(--count 12000)
generator_options=(--no-around --no-keep --width 192 --layers 4 --slot-width 128 --batch 8 --steps 4200
  --average 0.998 --report-every 700)
train_model "${1:-$repository/samples/models/shapes}" "${2:-$repository/build/train-shapes}" \
  synth:shapes --clips 40000

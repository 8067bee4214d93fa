#!/bin/bash
# samples/train.sh [MODEL_FOLDER [WORK_FOLDER]]
# Trains the sample model from nothing: tokenizer, tokens, generator, and their training curves. Interrupted at any moment,
# the same command goes on. Defaults: samples/models/shapes and build/train-shapes.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$repository/samples/packages.sh"
model=${1:-$repository/samples/models/shapes}
work=${2:-$repository/build/train-shapes}

install_packages "${build_packages[@]}" gnuplot-nox
build_preset release pocketpoet
poet=$repository/build/release/pocketpoet
mkdir -p "$model" "$work"

# stage FILE COMMAND...: skipped when the file is there already.
stage() {
  local file=$1
  shift
  [ -e "$file" ] || "$@"
}

data=(synth:shapes --clips 40000)
stage "$work/tokenizer.safetensors" "$poet" train-tokenizer "${data[@]}" -o "$work/tokenizer.safetensors" \
  --patch 8 --codes 1024 --width 64 --steps 3000 --average 0.998 \
  --report-every 500 --metrics "$work/tokenizer.jsonl"
stage "$work/train.ptok" "$poet" encode "${data[@]}" -t "$work/tokenizer.safetensors" -o "$work/train.ptok" \
  --count 12000
stage "$work/heldout.ptok" "$poet" encode "${data[@]}" -t "$work/tokenizer.safetensors" -o "$work/heldout.ptok" \
  --split heldout-seen
stage "$work/generator.safetensors" "$poet" train-generator "$work/train.ptok" -t "$work/tokenizer.safetensors" \
  --heldout "$work/heldout.ptok" -o "$work/generator.safetensors" --batch 8 --steps 4200 --average 0.998 \
  --width 192 --layers 4 --slot-width 128 --report-every 700 --metrics "$work/generator.jsonl"
cp "$work/tokenizer.safetensors" "$work/generator.safetensors" "$model/"
"$repository/samples/curves.sh" "$work" "$model/curves.png"
echo "model: $model"

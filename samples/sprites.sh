#!/bin/bash
# samples/sprites.sh FOLDER [MODEL_FOLDER [WORK_FOLDER]]
# Trains a model of animated game characters, by the recipe of train.sh, on a folder of captioned clips like those of the
# Liberated Pixel Cup. CREDITS.md, AUTHORS.txt and the licence of the folder go along with the model. Interrupted at any
# moment, the same command goes on. Defaults: samples/models/sprites and build/train-sprites.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$repository/samples/packages.sh"
. "$repository/samples/recipe.sh"

folder=${1:?"usage: samples/sprites.sh FOLDER [MODEL_FOLDER [WORK_FOLDER]]"}
model=${2:-$repository/samples/models/sprites}
work=${3:-$repository/build/train-sprites}

build_program gnuplot-nox
mkdir -p "$work"
stage "$work/clips/manifest.json" "$program" import "$folder" -o "$work/clips" --size 64x64 --frames 17

tokenizer_options=(--crop 32 --batch 16 --average 0.998 --steps 14000 --report-every 2000)
network_options=(--width 256 --layers 4 --slot-width 128 --text 40)
rate_options=(--rate 0.008 --muon-rate 0.015 --average 0.998)
picture_count=0
picture_encoding=(--pictures 17) # clips are few, and their frames all differ
picture_options=("${network_options[@]}" "${rate_options[@]}" --batch 32 --steps 2000 --report-every 500)
clip_count=0
generator_options=(--rate 0.005 --muon-rate 0.012 --average 0.998 --batch 8 --steps 5000 --report-every 500)
train_model "$model" "$work" "$work/clips"
for text in CREDITS.md AUTHORS.txt gpl-3.0.txt; do
  [ ! -e "$folder/$text" ] || cp "$folder/$text" "$model/"
done
[ ! -e "$folder/CREDITS.md" ] ||
  printf '\n%s\n' 'Beside the model, LICENSE is cc-by-sa-3.0.txt; the other files that are named here are with the clips.' \
    >>"$model/CREDITS.md"
[ ! -e "$folder/cc-by-sa-3.0.txt" ] || cp "$folder/cc-by-sa-3.0.txt" "$model/LICENSE"

#!/bin/bash
# make.sh PROGRAM: trains the two tiny models of this folder, and has golden.py compute what they must give. Wants numpy.
set -euo pipefail

program=$(realpath "$1")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

# Steps enough that no matrix is near its silent start: what is close to zero hides mistakes. Width 16 is what the
# fast convolution wants at least; its weights are stored by halves to keep the files small.
data=(synth:shapes --size 32 --frames 9 --clips 200 --heldout-clips 8)
"$program" train-tokenizer "${data[@]}" --patch 4 --codes 32 --dim 4 --width 16 --encoder-blocks 1 --decoder-blocks 1 \
  --precision f32 --steps 200 --warmup 20 --rate 0.003 --weights bf16 -o tokenizer.safetensors
"$program" encode "${data[@]}" -t tokenizer.safetensors -o train.ptok
"$program" train-generator train.ptok -t tokenizer.safetensors --vocabulary 300 --text 24 --width 16 --layers 2 \
  --heads 2 --slot-width 16 --slot-layers 1 --slot-heads 2 --precision f32 --steps 300 --warmup 30 --rate 0.01 --weights f32 \
  -o generator.safetensors
python3 "$here/golden.py" "$scratch"
cp tokenizer.safetensors generator.safetensors expected.safetensors "$here"

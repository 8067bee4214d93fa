#!/bin/bash
# lpc.sh PROGRAM PEER.py CLIPS WORK [PYTHON]: real clips beside PyTorch, about nine hours on two quiet cores. CLIPS is a folder
# with captions.jsonl that has the splits train and dev. Every measurement is a file in WORK: one that is there is not made
# again, so that an interrupted run goes on. Ends with the table. PYTHON must have torch and numpy.
set -euo pipefail

program=$(realpath "$1")
peer=$(realpath "$2")
clips=$(realpath "$3")
work=$4
python=${5:-python3}
mkdir -p "$work"
cd "$work"

# once FILE COMMAND...: its output becomes the file, whole or not at all.
once() {
  local file=$1
  shift
  [ -e "$file" ] || { "$@" >"$file.part" && mv "$file.part" "$file"; }
}

# steps_for MINUTES COMMAND...: how many steps the command's training makes in that time, by a hundred of them.
steps_for() {
  local minutes=$1
  shift
  rm -f trial.jsonl trial.safetensors
  "$@" -o trial.safetensors --metrics trial.jsonl --steps 100 --log-every 100 --quiet >&2
  jq -s --argjson minutes "$minutes" '(map(.steps_per_s // empty) | last) * 60 * $minutes | floor' trial.jsonl
}

# train MINUTES NAME COMMAND...: trains NAME.safetensors for about that time, with ten reports in NAME.jsonl.
train() {
  local minutes=$1 name=$2 steps
  shift 2
  [ ! -e "$name.safetensors" ] || return 0
  once "$name.steps" steps_for "$minutes" "$@"
  steps=$(cat "$name.steps")
  "$@" -o "$name.safetensors" --metrics "$name.jsonl" --steps "$steps" --report-every $((steps / 10)) --quiet
}

tokenizer=("$program" train-tokenizer clips --threads 2 --muon-rate 0.02 --average 0.998 --batch 4)
last() { jq -s "map(.$1 // empty) | last" "$2.jsonl"; }

peer_tokenizer() { # PATCH: dB after 15 minutes, the better of both precisions where the processor has both
  local dtype types=f32
  ! grep -q 'avx512_bf16\|amx_bf16' /proc/cpuinfo || types="f32 bf16"
  for dtype in $types; do
    "$python" "$peer" tokenizer train.npy dev.npy --codes 1024 --patch "$1" --batch 4 --seconds 900 --dtype "$dtype" --threads 2
  done | sed -n 's/^final.*held-out \([0-9.]*\) dB.*/\1/p' | sort -g | tail -1
}

[ -e clips ] || "$program" import "$clips" -o clips --size 64x64 --frames 17 --quiet
for split in train dev; do
  [ -e $split.npy ] || "$python" "$(dirname "$peer")/clips_to_npy.py" "$clips/captions.jsonl" $split $split.npy
done

for patch in 4 8; do
  once peer-$patch.txt peer_tokenizer $patch
  train 12 patch-$patch "${tokenizer[@]}" --patch $patch
done
train 60 hour "${tokenizer[@]}" --patch 4 --batch 16 --crop 32
for k in 64 256 1024 4096; do
  train 15 codes-$k "${tokenizer[@]}" --patch 4 --codes $k
done
[ -e train.ptok ] || "$program" encode clips -t hour.safetensors -o train.ptok --quiet
[ -e heldout.ptok ] || "$program" encode clips -t hour.safetensors -o heldout.ptok --split heldout-unseen --quiet
train 20 generator "$program" train-generator train.ptok -t hour.safetensors --heldout heldout.ptok --threads 2 \
  --group 4 --width 256 --layers 4 --slot-width 128 --text 40 --batch 8 --average 0.998

echo "| what | figure |"
echo "| --- | --- |"
for patch in 4 8; do
  bar=$(cat peer-$patch.txt)
  reached=$(jq -s --argjson bar "$bar" 'map(select(.psnr and .psnr >= $bar)) | first | .seconds // "not reached"' patch-$patch.jsonl)
  echo "| patch $patch: PSNR of the peer after 15 minutes | $bar dB |"
  echo "| patch $patch: reached by ours after (a report each 72 s) | $reached s; $(last psnr patch-$patch) dB after $(last seconds patch-$patch) s |"
done
echo "| patch 4 after an hour | $(last psnr hour) dB |"
for k in 64 256 1024 4096; do
  echo "| $k codes, 15 minutes: PSNR; codes used | $(last psnr codes-$k) dB; $(last codes_used codes-$k) |"
done
echo "| generator after 20 minutes, 1,280 tokens of the tokenizer of an hour | $(last bits_per_clip generator) bits a clip |"

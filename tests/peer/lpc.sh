#!/bin/bash
# lpc.sh PROGRAM PEER.py CLIPS WORK [STAGE...]: real clips beside PyTorch, five hours on two quiet cores. CLIPS is a folder with
# captions.jsonl that has the splits train and dev. Every measurement is a file in WORK: one that is there is not made again, so
# that an interrupted run goes on. Ends with the table of what is there. Stages, all of them by default:
#
#   patch-4, patch-8   how long until the PSNR that the peer has after 15 minutes (half an hour each)
#   hour               PSNR after an hour
#   codes              what a fourfold codebook gains, from 64 to 4,096 (an hour)
#   shrink             1,024 codes shrunk to 128 beside 128 codes trained as long (half an hour; the 1,024 are of codes)
#   generator          bits of a clip after 20 minutes
#
# Both sides measure PSNR on the first 128 held-out clips. $PYTHON (python3) must have torch and numpy.
set -euo pipefail

program=$(realpath "$1")
peer=$(realpath "$2")
clips=$(realpath "$3")
work=$4
shift 4
stages=" ${*:-patch-4 patch-8 hour codes shrink generator} "
python=${PYTHON:-python3}
sample=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../samples/models/sprites/tokenizer.safetensors")
mkdir -p "$work"
cd "$work"

wanted() {
  [[ $stages == *" $1 "* ]]
}

# once FILE COMMAND...: its output becomes the file, whole or not at all.
once() {
  local file=$1
  shift
  [ ! -e "$file" ] || return 0
  "$@" >"$file.part"
  mv "$file.part" "$file"
}

# steps_for MINUTES COMMAND...: how many steps the command's training makes in that time, by two hundred of them.
steps_for() {
  local minutes=$1
  shift
  rm -f trial.jsonl trial.safetensors trial.safetensors.checkpoint
  "$@" -o trial.safetensors --metrics trial.jsonl --steps 200 --log-every 100 --quiet >&2
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

tokenizer=("$program" train-tokenizer clips --threads 2 --muon-rate 0.02 --average 0.998)
generator=("$program" train-generator --threads 2 -t "$sample" --width 256 --layers 4 --slot-width 128 --text 40
  --average 0.998)

peer_tokenizer() { # PATCH: dB after 15 minutes, the better of both precisions where the processor has both
  local dtype types=f32
  ! grep -q 'avx512_bf16\|amx_bf16' /proc/cpuinfo || types="f32 bf16"
  for dtype in $types; do
    "$python" "$peer" tokenizer train.npy dev.npy --codes 1024 --patch "$1" --batch 4 --seconds 900 --dtype "$dtype" --threads 2
  done | sed -n 's/^final.*held-out \([0-9.]*\) dB.*/\1/p' | sort -g | tail -1
}

# encode NAME SPLIT [OPTION...]: tokens by the tokenizer of the sample model of characters.
encode() {
  local name=$1 split=$2
  shift 2
  [ -e "$name.ptok" ] || "$program" encode clips -t "$sample" -o "$name.ptok" --split "$split" --quiet "$@"
}

# train_codes K
train_codes() {
  train 15 "codes-$1" "${tokenizer[@]}" --codes "$1" --batch 8 --crop 32 --dim 32
}

# shrink [OPTION...]: what the 1,024 codes come to as 128.
shrink() {
  "$program" codebook shrink clips -t codes-1024.safetensors -k 128 -o shrunk --count 0 --heldout clips --measure 128 \
    --threads 2 --quiet --json "$@"
  rm -r shrunk-128
}

# ---- the stages ----

[ -e clips/manifest.json ] || "$program" import "$clips" -o clips --size 64x64 --frames 17 --quiet
for patch in 4 8; do
  wanted patch-$patch || continue
  for split in train dev; do
    [ -e $split.npy ] || "$python" "$(dirname "$peer")/clips_to_npy.py" "$clips/captions.jsonl" $split part.npy
    [ -e $split.npy ] || mv part.npy $split.npy
  done
  once peer-$patch.txt peer_tokenizer $patch
  train 12 patch-$patch "${tokenizer[@]}" --patch $patch --batch 8 --crop 32 --dim 32
done
if wanted hour; then
  train 60 hour "${tokenizer[@]}" --batch 8 --crop 32 --dim 32 --width 96 --encoder-blocks 2 --encoder-time 3
fi
if wanted codes; then
  for k in 64 256 1024 4096; do
    train_codes $k
  done
fi
if wanted shrink; then
  train_codes 1024
  train_codes 128
  once shrunk.json shrink
  once shrunk-finetuned.json shrink --finetune 5
fi
if wanted generator; then
  encode pictures train --pictures 17
  encode pictures-heldout heldout-seen --pictures 17
  encode tokens train
  encode tokens-heldout heldout-seen
  train 6 pictures "${generator[@]}" pictures.ptok --heldout pictures-heldout.ptok --rate 0.008 --muon-rate 0.015 \
    --batch 32
  train 14 generator "${generator[@]}" tokens.ptok --heldout tokens-heldout.ptok --rate 0.005 --muon-rate 0.012 \
    --batch 8 --from pictures.safetensors
fi

# ---- the table ----

# last KEY NAME: the key's last value in NAME.jsonl.
last() {
  jq -s "map(.$1 // empty) | last" "$2.jsonl"
}

# made NAME: whether NAME.safetensors is there, whole.
made() {
  [ -e "$1.safetensors" ]
}

# The reports with the seconds of the whole training: those of a run that goes on begin at 0.
timed='reduce .[] as $r ({before: 0, seconds: 0, rows: []};
  ($r.seconds // .seconds) as $now | (if $now < .seconds then .before += .seconds else . end) | .seconds = $now |
  .rows += [$r + {elapsed: (.before + $now | round)}]) | .rows'

# elapsed NAME: how long its training took.
elapsed() {
  jq -s "$timed | last.elapsed" "$1.jsonl"
}

# reached PATCH: the first report that has the peer's PSNR.
reached() {
  jq -s --argjson bar "$(cat "peer-$1.txt")" "$timed"' | map(select(.psnr and .psnr >= $bar)) | first |
    if . then "\(.elapsed) s" else "not reached" end' -r "patch-$1.jsonl"
}

echo "| what | figure |"
echo "| --- | --- |"
for patch in 4 8; do
  made patch-$patch || continue
  echo "| patch $patch: PSNR of the peer after 15 minutes | $(cat peer-$patch.txt) dB |"
  echo "| patch $patch: reached by ours after (a report each 72 s) | $(reached $patch) |"
  echo "| patch $patch: ours after $(elapsed patch-$patch) s | $(last psnr patch-$patch) dB |"
done
! made hour || echo "| patch 4 after $(elapsed hour) s | $(last psnr hour) dB |"
for k in 64 128 256 1024 4096; do
  ! made codes-$k || echo "| $k codes, 15 minutes: PSNR; codes used | $(last psnr codes-$k) dB; $(last codes_used codes-$k) |"
done
shrunk='.sizes["128"] | "\(.psnr) dB, remapped \(.psnr_remapped)"'
[ ! -e shrunk.json ] || echo "| 1,024 codes shrunk to 128 | $(jq -r "$shrunk" shrunk.json) |"
[ ! -e shrunk-finetuned.json ] || echo "| and their decoder trained for 5 minutes | $(jq -r "$shrunk" shrunk-finetuned.json) |"
! made generator || echo "| generator after 20 minutes, 1,280 codes a clip | $(last bits_per_clip generator) bits a clip |"

#!/bin/bash
# samples/vertical.sh [WORK_FOLDER]
# What a model loses and gains when it is made for one part of what it knows: a general model of several sets of clips is
# trained, shrunk to the codes that DOMAIN needs, and trained on there; both are measured on every part. The table is in
# WORK_FOLDER/vertical.md (default: build/vertical). Interrupted at any moment, the same command goes on.
#
#   GENERAL   what the general model is of (default: synth:digits,shapes,street)
#   DOMAIN    what is shrunk for (synth:street)
#   PARTS     where both are measured, words between blanks (synth:digits synth:shapes synth:street)
#   CODES, KEPT, FINETUNE_STEPS    codes before and after (1024, 128), and steps of fine-tuning (400)
#   CLIPS     options of the clips (--clips 60000)
#   TOKENIZER_OPTIONS, PICTURE_OPTIONS, GENERATOR_OPTIONS    of the trainings; the generator learns pictures before clips
#   TRAIN_CLIPS     clips the generator learns, and of as many a picture (30000)
#   MEASURE, CAPTIONS, SPEED       held-out clips, clips written for captions of a kind, seconds of sampling
#   READER_STEPS    of a reader for each part that is a folder; 0: none, and no captions there (0)
#
# For a folder of one's own, imported first (64 x 64 pixels, 17 frames):
#
#   GENERAL=synth:digits,shapes,street+my-data DOMAIN=my-data PARTS="synth:digits synth:shapes synth:street my-data" \
#     samples/vertical.sh
#
# Needs jq and gnuplot.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$repository/samples/packages.sh"
. "$repository/samples/recipe.sh"
build_program jq gnuplot-nox
work=${1:-$repository/build/vertical}
general_data=${GENERAL:-synth:digits,shapes,street}
domain=${DOMAIN:-synth:street}
read -ra parts <<<"${PARTS:-synth:digits synth:shapes synth:street}"
read -ra clip_options <<<"${CLIPS:---clips 60000}"
codes=${CODES:-1024}
few=${KEPT:-128}
measure=${MEASURE:-256}
small=$work/small-$few
mkdir -p "$work"

# ---- the models ----

read -ra tokenizer_options <<<"${TOKENIZER_OPTIONS:---crop 32 --batch 16 --average 0.998 --steps 6000 --report-every 1000}"
read -ra picture_options <<<"${PICTURE_OPTIONS:---width 192 --layers 4 --slot-width 128 --text 40 --rate 0.008 \
--muon-rate 0.015 --average 0.998 --batch 32 --steps 1500 --report-every 500}"
read -ra generator_options <<<"${GENERATOR_OPTIONS:---rate 0.005 --muon-rate 0.012 --average 0.998 --batch 8 --steps 6000 \
--report-every 1000}"
tokenizer_options+=(--codes "$codes")
clip_count=${TRAIN_CLIPS:-30000}
picture_count=$clip_count picture_encoding=(--pictures 1)
train_model "$work/general" "$work/train" "$general_data" "${clip_options[@]}"
kept "$work/shrink.json" "$program" codebook shrink "$general_data" "${clip_options[@]}" --domain "$domain" \
  --model "$work/general" -k "$few" -o "$work/small" --finetune-steps "${FINETUNE_STEPS:-400}" --json

# ---- the figures ----

# reader_options I: for a part that is a folder, a reader of its attributes.
reader_options() {
  reader=()
  [[ ${parts[$1]} != synth:* ]] || return 0
  [ "${READER_STEPS:-0}" -gt 0 ] || return 0
  stage "$work/reader-$1.safetensors" "$program" train-reader "${parts[$1]}" -o "$work/reader-$1.safetensors" \
    --steps "$READER_STEPS"
  reader=(--reader "$work/reader-$1.safetensors")
}

for i in "${!parts[@]}"; do
  reader_options "$i"
  for model in general small; do
    folder=$work/$model
    [ $model = general ] || folder=$small
    kept "$work/$model-$i.json" "$program" eval "${parts[i]}" "${clip_options[@]}" --model "$folder" --json \
      --count "$measure" --captions "${CAPTIONS:-200}" --speed "${SPEED:-5}" "${reader[@]}"
  done
done

# ---- the table ----

# row NAME FILTER FILE FILE: what the jq filter makes of each model's figures.
row() {
  printf '| %s | %s | %s |\n' "$1" "$(jq -r "$helpers $2" "$3")" "$(jq -r "$helpers $2" "$4")"
}
helpers='
def figure(n): if . == null then "not measured" else . * pow(10; n) | round / pow(10; n) | tostring end;
def percent: if . == null then "not measured" else (. * 100 | figure(1)) + "%" end;
'

# lost I: whether a part has lost more than 1 dB.
lost() {
  jq -ne --slurpfile a "$work/general-$1.json" --slurpfile b "$work/small-$1.json" '$a[0].psnr - $b[0].psnr > 1' >/dev/null
}

megabytes() {
  stat -c %s "$1" | awk '{ printf "%.2f MB", $1 / 1e6 }'
}

# join NAME...: with commas, or "no part".
join() {
  local list
  printf -v list '%s, ' "${@:-no part}"
  echo "${list%, }"
}

table() {
  local i part gone=()
  printf '| | general, %d codes | for `%s`, %d codes |\n| --- | --- | --- |\n' "$codes" "$domain" "$few"
  for i in "${!parts[@]}"; do
    part=${parts[i]}
    set -- "$work/general-$i.json" "$work/small-$i.json"
    row "\`$part\`: PSNR, dB" '.psnr | figure(2)' "$@"
    row "bits per clip" '.bits_per_clip | figure(0)' "$@"
    row "captions right, seen" '.caption_accuracy.seen.accuracy | percent' "$@"
    row "captions right, held-out" '.caption_accuracy | (.heldout // .generated).accuracy | percent' "$@"
    row "codes written a second" '.speed.codes_per_second | figure(0)' "$@"
    row "softmax's share of a training step" '.speed.softmax_share | percent' "$@"
    row "joules a clip, processor" '.speed.joules_per_clip | figure(2)' "$@"
    row "joules a clip, card" '.speed.device_joules_per_clip | figure(2)' "$@"
    ! lost "$i" || gone+=("\`$part\`")
  done
  for file in tokenizer generator; do
    printf '| %s | %s | %s |\n' "$file" "$(megabytes "$work/general/$file.safetensors")" \
      "$(megabytes "$small/$file.safetensors")"
  done
  jq -r --arg domain "$domain" --arg few "$few" "$helpers"'
    "\n`\($domain)` uses \(.domain_codes_used) of the \(.codes) codes; \(.data_tokens_dropped | percent) of the tokens of all " +
    "sets are of others, and its \($few) most used codes cover \(.sizes[$few].most_used_share | percent) of its own."' \
    "$work/shrink.json"
  printf 'What it can no longer do: PSNR falls by more than 1 dB on %s.\n' "$(join "${gone[@]}")"
}

table >"$work/vertical.md.tmp"
mv "$work/vertical.md.tmp" "$work/vertical.md"
cat "$work/vertical.md"

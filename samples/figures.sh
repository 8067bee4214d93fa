#!/bin/bash
# samples/figures.sh [OUT.md [FOLDER [WORK_FOLDER]]]
# Measures the sample models and this machine, and writes docs/figures.md. Takes some minutes, and a quarter of an hour more
# where FOLDER has the captioned clips of the model of characters, as for sprites.sh: a reader of their attributes is trained
# first, in WORK_FOLDER (default: build/figures). Run it when nothing else runs.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$repository/samples/packages.sh"
. "$repository/samples/recipe.sh"
out=$(realpath "${1:-$repository/docs/figures.md}")
folder=${2:-} work=${3:-$repository/build/figures}
build_program jq

# table TITLE FILTER COMMAND...: rows "what | figure" that the jq filter makes of the command's JSON.
table() {
  printf '\n## %s\n\n    pocketpoet %s\n\n| what | figure |\n| --- | --- |\n' "$1" "${*:3}"
  "$program" "${@:3}" --json --quiet | jq -r "$helpers $2 | \"| \" + .[0] + \" | \" + .[1] + \" |\""
}

helpers='
def round_to(n): . * pow(10; n) | round / pow(10; n) | tostring;
def percent: . * 100 | round_to(1);
def share: "\(.accuracy | percent)% (\(.interval[0] | percent) to \(.interval[1] | percent)), \(.clips) clips";
def scores(name): [name + ", every attribute", (. | share)],
  (.attributes | to_entries[] | [name + ", " + .key, (.value | share)]);
'
model_rows='
  ["held-out PSNR", "\(.psnr | round_to(2)) ± \(.psnr_interval | round_to(2)) dB, \(.clips) clips"],
  ["SSIM", (.ssim | round_to(3))],
  ["codes in use, perplexity", "\(.codes_used) of \(.codes), \(.perplexity | round_to(1))"],
  ["bits per clip", "\(.bits_per_clip | round_to(0)) ± \(.bits_per_clip_interval | round_to(0))"],
'
eval_rows=$model_rows'
  (.caption_accuracy |
    (.seen | scores("written, seen combinations")), (.heldout | scores("written, held-out combinations")),
    (.reader | to_entries[] | .key as $split | .value | to_entries[] |
      ["the reader on \(.key) clips, \($split)", (.value | share)]))'
sprite_rows=$model_rows'
  (.caption_accuracy | to_entries[] | select(.value | type == "object") | .key as $set | .value | scores("\($set) clips"))'
bench_rows='to_entries[] | select(.value | type == "number") | [.key, (.value | round_to(2))]'

# process_time PROMPT: seconds of the program from its start to the clip, five times.
process_time() {
  local begin end clip
  clip=$(mktemp --suffix .mp4)
  printf '\n## From the command to the clip\n\n    pocketpoet generate "%s" --threads 2 -o clip.mp4\n\n' "$1"
  printf '| what | figure |\n| --- | --- |\n'
  for _ in 1 2 3 4 5; do
    begin=${EPOCHREALTIME/,/.}
    "$program" generate "$1" --threads 2 --quiet -o "$clip" >/dev/null
    end=${EPOCHREALTIME/,/.}
    awk -v begin="$begin" -v end="$end" 'BEGIN { print end - begin }'
  done | sort -n | awk '{ s[NR] = $1 } END { printf "| the whole process, median of %d | %.2f s (%.2f to %.2f) |\n", NR, s[(NR + 1) / 2], s[1], s[NR] }'
  rm -f "$clip"
}

# The clips of FOLDER and a reader of them, made once.
make_reader() {
  mkdir -p "$work"
  stage "$work/clips/manifest.json" "$program" import "$folder" -o "$work/clips" --size 64x64 --frames 17
  stage "$work/reader.safetensors" "$program" train-reader "$work/clips" -o "$work/reader.safetensors" --steps 4000 \
    --attributes subject,action,direction,background
}

[ -z "$folder" ] || make_reader >&2
{
  printf '# Figures\n\nWritten by `samples/figures.sh` on %s, 2 threads, pocketpoet %s. Intervals are of 95%%.\n' \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$("$program" --version | cut -d' ' -f2)"
  table "The sample model on held-out clips" "$eval_rows" eval synth:shapes --model shapes --threads 2
  process_time "a small red circle moves left quickly"
  table "Speed, 320 codes a clip" "$bench_rows" bench --threads 2
  table "Speed, 1,280 codes a clip" "$bench_rows" bench --threads 2 --tokens 1280 --batch 4 --only decode
  [ -z "$folder" ] || { cd "$work"; table "The model of characters on held-out clips" "$sprite_rows" eval clips \
    --model sprites --threads 2 --reader reader.safetensors --captions 500 --count 64; }
} >"$out.tmp"
mv "$out.tmp" "$out"
echo "figures: $out"

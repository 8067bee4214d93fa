#!/bin/bash
# full_disk.sh PROGRAM: writing ends in the middle, as on a full disk (here by a limit on the size of files): every
# command that writes names the file, fails, and leaves nothing half written.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

mkdir model
works train-tokenizer "${data[@]}" "${small[@]}" --steps 2 -o model/tokenizer.safetensors
works encode "${data[@]}" -t model/tokenizer.safetensors -o train.ptok
works train-generator train.ptok -t model/tokenizer.safetensors "${tiny[@]}" --steps 2 -o model/generator.safetensors
works synth shapes -n 12 -o clips

# full FILE ARGUMENTS...: with files of at most 1 kB, one sentence about FILE, and no file more or less than before but $kept.
kept=
full() {
  local file=$1 before status=0
  shift
  before=$(find . | sort)
  said=$( (trap '' XFSZ && ulimit -f 1 && exec "$program" "$@") 2>&1 >/dev/null | cat; exit "${PIPESTATUS[0]}") || status=$?
  [ "$status" = 1 ] || fail "pocketpoet $*: status $status: $said"
  [[ $said == *"pocketpoet: "*"$file"*": cannot be written: "* ]] || fail "pocketpoet $*: does not name $file: $said"
  [ "$(grep -c "^pocketpoet: " <<<"$said")" = 1 ] || fail "pocketpoet $*: said more than one sentence: $said"
  [ "$before" = "$(find . | sort | grep -vxF "$kept")" ] ||
    fail "pocketpoet $*: left files behind: $(find . | sort | comm -13 <(echo "$before") -)"
}

full "data/shard-" import clips -o data
kept=./x.ptok.partial
full "x.ptok" encode "${data[@]}" -t model/tokenizer.safetensors -o x.ptok
[[ $said == *" clips are kept in x.ptok.partial, and the same command goes on" && -s x.ptok.partial ]] ||
  fail "encode keeps nothing of what it has done: $said"
kept=
works encode "${data[@]}" -t model/tokenizer.safetensors -o x.ptok
[[ $stderr == *"encode goes on behind "*" of 40 clips"* ]] || fail "encode began anew: $stderr"
cmp train.ptok x.ptok || fail "the tokens differ once there was room"
[ ! -e x.ptok.partial ] || fail "a journal is left"
full "x.ptok" encode clips/train/000000.mp4 -t model/tokenizer.safetensors -o x.ptok --size 512
for extension in mp4 mov webm gif; do
  full "x.$extension" generate "a red circle" --model ./model --enlarge 8 -o "x.$extension"
done
full "x.json" generate "a red circle" --model ./model -o x.png
full "sheet.png" generate "a red circle" --model ./model --sheet sheet.png --sheet-enlarge 4
full "x.mp4" decode train.ptok -t model/tokenizer.safetensors --enlarge 8 -o x.mp4
full "sheet.png" synth shapes --sheet sheet.png
full "x.safetensors.checkpoint" train-tokenizer "${data[@]}" "${small[@]}" --steps 2 -o x.safetensors
full "x.safetensors.checkpoint" train-generator train.ptok -t model/tokenizer.safetensors "${tiny[@]}" --steps 2 \
  -o x.safetensors
touch x.jsonl
full "x.jsonl" train-tokenizer "${data[@]}" "${small[@]}" --steps 40 --log-every 1 --metrics x.jsonl -o x.safetensors
full "less-4.tmp/model/tokenizer.safetensors" codebook shrink "${data[@]}" --model ./model -k 4 -o less --fit-clips 0
mkdir -p set/train
touch set/synth.json # tells the next synth what to go on with
full "set/train/000000.mp4" synth shapes -n 3 -o set

# What was there before stays as it was.
cp train.ptok there.ptok
kept=./there.ptok.partial
full "there.ptok" encode "${data[@]}" -t model/tokenizer.safetensors -o there.ptok
cmp train.ptok there.ptok || fail "an old token file was damaged"

exit $((failures > 0))

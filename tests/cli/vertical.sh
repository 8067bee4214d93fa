#!/bin/bash
# vertical.sh PROGRAM ROOT: samples/vertical.sh at toy size, on built-in clips and a folder; killed, it goes on.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"
root=$2
for tool in jq gnuplot; do
  command -v $tool >/dev/null || { echo "there is no $tool"; exit 77; }
done

works synth street -o clips -n 12 --heldout 8 --size 32 --frames 5
works import clips -o folder --size 32 --frames 5

export POCKETPOET=$program GENERAL=synth:digits,shapes+folder DOMAIN=folder PARTS="synth:digits folder" CODES=32 KEPT=4 \
  CLIPS="--size 32 --frames 5 --clips 30 --heldout-clips 8" TRAIN_CLIPS=30 FINETUNE_STEPS=2 READER_STEPS=2 \
  TOKENIZER_OPTIONS="--patch 8 --dim 6 --width 8 --decoder-blocks 1 --steps 6 --log-every 2" \
  PICTURE_OPTIONS="${tiny[*]} --steps 2 --log-every 2" GENERATOR_OPTIONS="--steps 4 --log-every 2" MEASURE=4 CAPTIONS=2 SPEED=0.05

setsid "$root/samples/vertical.sh" made >/dev/null 2>&1 &
pid=$!
await $pid [ -e made/train/clips.ptok ] || true
{
  kill -9 -- "-$pid" || fail "vertical.sh ended before it could be killed"
  wait "$pid" || true
} 2>/dev/null
before=$(stat -c '%i %y' made/train/tokenizer.safetensors made/train/clips.ptok)
"$root/samples/vertical.sh" made >said 2>&1 || fail "vertical.sh: $(cat said)"
[ "$before" = "$(stat -c '%i %y' made/train/tokenizer.safetensors made/train/clips.ptok)" ] || fail "a stage was done again"

table=$(cat made/vertical.md)
[[ $table == "| | general, 32 codes | for \`folder\`, 4 codes |"* ]] || fail "the table: $table"
for row in '`synth:digits`: PSNR, dB' '`folder`: PSNR, dB' "bits per clip" "captions right, held-out" \
  "codes written a second" "softmax's share of a training step"; do
  grep -qE "^\| $row \| [0-9.]+%? \| [0-9.]+%? \|" made/vertical.md || fail "no figures of '$row': $table"
done
# A folder has no seen combinations; 32 codes and 4 are not equally long.
[ "$(grep -c "^| captions right, seen | [0-9]" made/vertical.md)" = 1 ] || fail "captions right, seen: $table"
[ "$(sed -n 's/^| generator | \(.*\) MB | .*/\1/p' made/vertical.md)" != "$(sed -n 's/^| generator | .* | \(.*\) MB |/\1/p' made/vertical.md)" ] ||
  fail "both generators are equally long: $table"
[[ $table == *'`folder` uses '*' of the 32 codes; '*"What it can no longer do"* ]] || fail "what is dropped: $table"
works inspect made/small-4/tokenizer.safetensors --json
[[ $stdout == *'"codes": 4'* ]] || fail "the shrunk tokenizer: $stdout"

made=$(stat -c '%n %i %y' made/*.json made/small-4/*)
"$root/samples/vertical.sh" made >/dev/null 2>&1 || fail "vertical.sh once more"
[ "$made" = "$(stat -c '%n %i %y' made/*.json made/small-4/*)" ] || fail "what is done was done again"

exit $((failures > 0))

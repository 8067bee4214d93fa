#!/bin/bash
# permissions.sh PROGRAM: folders and files that the user may not write or read: one sentence that names them, status 1, and nothing
# left behind. Root may do everything, so it asks as a user who is not.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

mkdir model
tokenizer=model/tokenizer.safetensors
works train-tokenizer "${data[@]}" "${small[@]}" --steps 2 -o $tokenizer
works encode "${data[@]}" -t $tokenizer -o train.ptok
works train-generator train.ptok -t $tokenizer "${tiny[@]}" --steps 2 -o model/generator.safetensors
works codebook shrink train.ptok --model ./model -k 8 -o small
works synth shapes -n 8 --size 32 --frames 5 -o clips
works import clips -o data --size 32 --frames 5
echo "a red circle" >prompts.txt

if [ "$(id -u)" = 0 ]; then
  command -v setpriv >/dev/null || exit 77
  as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
  chmod 755 .
  cp "$program" program # where it lies, others may not look
  chmod 755 program
  program=$PWD/program
fi
works info

# ---- a folder that takes no files ----

mkdir sealed out
chmod 555 sealed
chmod 777 out
cannot="cannot be created: Permission denied"
refuses 1 "sealed/x.ptok: $cannot" encode "${data[@]}" -t $tokenizer -o sealed/x.ptok
refuses 1 "sealed/x.ptok: $cannot" codebook remap train.ptok -m small-8/remap.safetensors -o sealed/x.ptok
for extension in mp4 webm gif png; do
  refuses 1 "sealed/x.$extension: $cannot" decode train.ptok -t $tokenizer -o sealed/x.$extension
  refuses 1 "sealed/x.$extension: $cannot" generate "a red circle" --model ./model -o sealed/x.$extension
done
refuses 1 "sealed/sheet.png: $cannot" generate "a red circle" --model ./model --sheet sealed/sheet.png
refuses 1 "sealed/sheet.png: $cannot" synth shapes --sheet sealed/sheet.png
refuses 1 "sealed/x.safetensors: $cannot" train-tokenizer "${data[@]}" "${small[@]}" -o sealed/x.safetensors
refuses 1 "sealed/x.safetensors: $cannot" train-generator train.ptok -t $tokenizer -o sealed/x.safetensors
refuses 1 "sealed/x.safetensors: $cannot" train-reader data -o sealed/x.safetensors
refuses 1 "sealed/x.jsonl: $cannot" train-tokenizer "${data[@]}" "${small[@]}" -o out/x.safetensors --metrics sealed/x.jsonl
refuses 1 "sealed/x-4: cannot be written: Permission denied" codebook shrink train.ptok --model ./model -k 4 -o sealed/x
refuses 1 "sealed/data" import clips -o sealed/data
refuses 1 "sealed" import clips -o sealed
refuses 1 "sealed/set" synth shapes -n 2 -o sealed/set
refuses 1 "sealed/sweep" eval sweep "${data[0]}" -o sealed/sweep
refuses 1 "sealed/report" eval coverage "${data[@]}" --model ./model -p sealed/report

# ---- files and folders that may not be read ----

mkdir hidden closed
cp -r clips data model train.ptok prompts.txt hidden
find hidden -type f -exec chmod 000 {} +
may_not="cannot be opened: Permission denied"
for model in model/tokenizer.safetensors model/generator.safetensors; do
  refuses 1 "hidden/$model: $may_not" info hidden/$model
done
refuses 1 "hidden/model/tokenizer.safetensors: $may_not" encode "${data[@]}" -t hidden/model/tokenizer.safetensors -o out/x.ptok
refuses 1 "hidden/model/tokenizer.safetensors: $may_not" generate "a red circle" --model ./hidden/model -o out/x.mp4
refuses 1 "hidden/train.ptok: $may_not" decode hidden/train.ptok -t $tokenizer -o out/x.mp4
refuses 1 "hidden/train.ptok: $may_not" train-generator hidden/train.ptok -t $tokenizer -o out/x.safetensors
refuses 1 "hidden/prompts.txt: $may_not" generate --prompts hidden/prompts.txt --model ./model -o out/x.mp4
refuses 1 "hidden/data/manifest.json: $may_not" train-tokenizer hidden/data -o out/x.safetensors
refuses 1 "hidden/clips/train/000000.mp4" encode hidden/clips/train/000000.mp4 -t $tokenizer -o out/x.ptok
refuses 1 "hidden/clips/captions.jsonl: $may_not" import hidden/clips -o out/data
chmod 644 hidden/data/manifest.json
shard=$(basename data/shard-*)
refuses 1 "hidden/data/$shard: $may_not" encode hidden/data -t $tokenizer -o out/x.ptok
chmod 644 hidden/clips/captions.jsonl # now its clips are named, each, and none is left
run import hidden/clips -o out/data
[ "$status" = 1 ] && [[ $stderr == *"hidden/clips/train/000000.mp4"*"Permission denied"* ]] || fail "hidden clips: status $status: $stderr"
[ -z "$(ls out)" ] || fail "hidden clips left $(ls out)"

chmod 000 closed
for command in "import closed -o out/data" "encode closed -t $tokenizer -o out/x.ptok" "info closed" \
  "eval closed --model ./model" "generate circle --model ./closed -o out/x.mp4" "train-tokenizer closed -o out/x.safetensors"; do
  # shellcheck disable=SC2086 # words of a command
  refuses 1 "closed" $command
done
chmod 755 closed

# ---- a folder that is closed while a run is at work in it: what it wants to keep cannot be written ----

# close_while FILE ARGUMENTS...: the folder "out" takes no more files once FILE is there.
close_while() {
  local file=$1
  shift
  "${as[@]}" "$program" "$@" --quiet >/dev/null 2>said &
  pid=$!
  await $pid [ -e "$file" ] || fail "pocketpoet $*: made no $file: $(cat said)"
  chmod 555 out
  status=0
  wait $pid || status=$?
  chmod 777 out
}

close_while out/x.safetensors.checkpoint train-tokenizer "${data[@]}" "${small[@]}" --steps 1000000 --save-every 1 -o out/x.safetensors
[ "$status" = 1 ] && [[ $(cat said) == "pocketpoet: saving: out/x.safetensors.checkpoint: cannot be "*": Permission denied" ]] ||
  fail "a checkpoint: status $status: $(cat said)"
[ "$(ls out | grep -v '[0-9].tmp$')" = x.safetensors.checkpoint ] || fail "left behind: $(ls out)"
chmod 000 out/x.safetensors.checkpoint
refuses 1 "out/x.safetensors.checkpoint: $may_not" train-tokenizer "${data[@]}" "${small[@]}" -o out/x.safetensors

# A journal of someone else, whom nobody may look at, or may only look at.
for mode in 000 444; do
  rm -f out/*
  cp train.ptok out/x.ptok.partial
  chmod $mode out/x.ptok.partial
  refuses 1 "out/x.ptok.partial: $may_not" encode "${data[@]}" -t $tokenizer -o out/x.ptok
done

exit $((failures > 0))

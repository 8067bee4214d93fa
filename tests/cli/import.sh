#!/bin/bash
# import.sh PROGRAM: from a folder of clips to a dataset; what is left out is named and counted.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

works synth shapes -o clips -n 4 --heldout 1 --size 32 --frames 5
refuses 1 "clips/captions.jsonl" import clips --size 32 --frames 5 -o clips/captions.jsonl
cp clips/train/000000.mp4 clips/stray.mp4
head -c 700 clips/train/000000.mp4 >clips/cut.mp4
touch clips/empty.mp4
cat >>clips/captions.jsonl <<'END'
{"file": "cut.mp4", "caption": "a cut file"}
{"file": "empty.mp4", "caption": "an empty file"}
{"file": "missing.mp4", "caption": "no file"}
not JSON
END

works import clips -o data --size 32 --frames 5 --json
[[ $stdout == *'"videos": 6'*'"clips": 6'*'"heldout": 2'* ]] || fail "import: $stdout"
for file in stray.mp4 cut.mp4 empty.mp4 missing.mp4 captions.jsonl; do
  [[ $stderr == *"$file"* ]] || fail "import does not name $file: $stderr"
done
works inspect data --details --json
[[ $stdout == *'"kind": "dataset"'*'"train": 4'*'"heldout-seen": 2'* ]] || fail "inspect: $stdout"
works import clips -o data --size 32 --frames 5
[[ $stderr == *"holds these clips already"* ]] || fail "a second import said: $stderr"

# Mixed with built-in clips, in turn, each until it has no more.
mixed=("synth:shapes,digits1+data" --size 32 --frames 5 --clips 3 --heldout-clips 2)
works train-tokenizer "${mixed[@]}" "${small[@]}" --steps 1 -o tokenizer.safetensors
works encode "${mixed[@]}" -t tokenizer.safetensors -o mixed.ptok
works encode "${mixed[@]}" -t tokenizer.safetensors -o heldout.ptok --split heldout-seen --json
[[ $stdout == *'"clips": 4'* ]] || fail "held-out clips of a mixture: $stdout"
works inspect mixed.ptok --json
[[ $stdout == *'"clips": 7'* ]] || fail "clips of a mixture: $stdout"
works eval "${mixed[@]}" -t tokenizer.safetensors --captions 2 --json
[[ $stdout != *caption_accuracy* ]] || fail "captions of a mixture were read: $stdout"
cp -r data data+more
works encode data+more -t tokenizer.safetensors -o more.ptok --json
[[ $stdout == *'"clips": 4'* ]] || fail "a folder with a plus in its name: $stdout"
refuses 1 "synth:shapes+data: clips of 5 frames of 64x64 and of 5 of 32x32 cannot be mixed" \
  encode synth:shapes+data --frames 5 -t tokenizer.safetensors -o unlike.ptok
refuses 1 "nowhere" encode synth:shapes+nowhere --frames 5 -t tokenizer.safetensors -o unlike.ptok
many=$(printf '+data%.0s' $(seq 17))
refuses 2 "more than 16 sets of clips" encode "${many:1}" -t tokenizer.safetensors -o unlike.ptok

# With stderr closed the messages go nowhere, least of all into a shard.
"$program" import clips -o unheard --size 32 --frames 5 >/dev/null 2>&- || fail "import without stderr: status $?"
works inspect unheard --details

# One flipped byte in a shard.
shard=$(find data -name '*.shard' -o -name 'shard*' | head -n 1)
printf '\xff\xff\xff\xff' | dd of="$shard" bs=1 seek=100 conv=notrunc status=none
refuses 1 "$(basename "$shard")" inspect data --details

mkdir nothing
refuses 2 "import wants FOLDER|VIDEO" import -o x
refuses 2 "import wants --output FOLDER" import clips
refuses 2 "--heldout: 1.5 is not between 0 and 0.9" import clips -o x --heldout 1.5
refuses 2 "--fit: 'fill' is not one of crop, pad, stretch" import clips -o x --fit fill
refuses 2 "--size: '64 x 64' is not a size like 64x64" import clips -o x --size '64 x 64'
refuses 1 "missing" import missing -o x

mkdir useless
touch useless/empty.mp4
echo "nothing to see" >useless/empty.txt
run import useless -o left/by/import
[ "$status" = 1 ] && [[ $stderr == *"useless: no captioned clip in it can be used"* ]] || fail "no clip: $status: $stderr"
[ ! -e left ] || fail "an import without clips left $(find left)"

# One video, with its caption beside it; other captions and videos of the folder are not looked at.
works synth shapes -o alone -n 2 --heldout 1 --size 32 --frames 5
cd alone/train
echo "a thing that moves" >000001.txt
echo '{"file": "000000.mp4", "caption": "another"}' >captions.jsonl
works import 000001.mp4 -o ../one --size 32 --frames 5 --json
[[ $stdout == *'"videos": 1,'*'"clips": 1,'* ]] || fail "import of a video: $stdout"
grep -q '"a thing that moves"' ../one/manifest.json || fail "its caption: $(cat ../one/manifest.json)"
refuses 1 "000000.mp4: has no caption" import 000000.mp4 -o ../none --size 32 --frames 5
printf '\xff' >000001.txt
refuses 1 "000001.mp4: its caption is not UTF-8" import 000001.mp4 -o ../none --size 32 --frames 5
[ ! -e ../none ] || fail "an import without clips left $(find ../none)"
cd ../..

exit $((failures > 0))

#!/bin/bash
# pipeline.sh PROGRAM: from drawn clips to a tokenizer, tokens, a generator and a clip of a sentence; and what each
# command refuses.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

mkdir model

works train-tokenizer "${data[@]}" "${small[@]}" --steps 6 -o model/tokenizer.safetensors --metrics t.jsonl --log-every 2
[ "$(wc -l <t.jsonl)" = 3 ] || fail "metrics: $(cat t.jsonl)"
grep -q '"psnr"' t.jsonl || fail "the last line of the metrics has no figure of held-out clips"
[ ! -e model/tokenizer.safetensors.checkpoint ] || fail "a finished run left its checkpoint behind"
works encode "${data[@]}" -t model/tokenizer.safetensors -o train.ptok
works encode "${data[@]}" -t model/tokenizer.safetensors -o heldout.ptok --split heldout-seen --count 5 --json
[[ $stdout == *'"clips": 5'* ]] || fail "encode --count 5: $stdout"
works decode train.ptok -t model/tokenizer.safetensors -i 3 -o back.mp4
works inspect back.mp4 --json
[[ $stdout == *'codes: 32'*'tokenizer: model/tokenizer.safetensors'*'prompt: '* ]] || fail "what decode tells of a clip: $stdout"
works decode train.ptok -t model/tokenizer.safetensors -i 3 -o small.mp4 --crf 50
[ "$(stat -c %s small.mp4)" -lt "$(stat -c %s back.mp4)" ] || fail "decode --crf 50 is no smaller"
# A picture of one pixel in a format that does not tell how many frames there are.
printf 'BM\72\0\0\0\0\0\0\0\66\0\0\0\50\0\0\0\1\0\0\0\1\0\0\0\1\0\30\0%024d\1\2\3\0' 0 | tr 0 '\0' >one.bmp
works inspect one.bmp
[[ $stdout == *"size: 1, 1"* && $stdout != *"frames: 0"* ]] || fail "inspect one.bmp: $stdout"
works train-generator train.ptok -t model/tokenizer.safetensors --heldout heldout.ptok "${tiny[@]}" --steps 4 \
  -o model/generator.safetensors
[[ $stderr == *bits_per_clip* ]] || fail "train-generator tells no bits per clip: $stderr"

works train-generator heldout.ptok -t model/tokenizer.safetensors --from model/generator.safetensors --steps 2 \
  -o further.safetensors --batch 2
cmp -s further.safetensors model/generator.safetensors && fail "train-generator --from changes nothing"
works inspect further.safetensors

# The same clip alone and in a batch; other seeds, other clips.
works generate "a red circle" --model ./model -o alone.png --enlarge 1 --seed 5
printf '\xef\xbb\xbfa blue star\r\n \r\na red circle\na green ring\n' >prompts.txt
works generate --prompts prompts.txt --model ./model -o batch.png --enlarge 1 --seed 4 --sheet sheet.png --json
[[ $stdout == *'"prompt": "a blue star",'* ]] || fail "a prompt is not what its line says: $stdout"
for file in batch-0001.png batch-0002.png batch-0003.png sheet.png; do
  [ -s "$file" ] || fail "generate --prompts made no $file"
done
# Their texts differ in nothing but the file's own name, so the pictures can be compared as files.
cmp -s alone.png batch-0002.png || fail "a clip depends on its batch"
works generate "a red circle" --model ./model -o other.png --enlarge 1 --seed 6
! cmp -s alone.png other.png || fail "the seed changes nothing"
works generate -p "a red circle" --model ./model -o named.png --enlarge 1 --seed 5
cmp -s alone.png named.png || fail "--prompt is not PROMPT"
works generate --prompt "a red circle" --model ./model -o fine.mp4
works generate --prompt "a red circle" --model ./model -o coarse.mp4 --crf 50
[ "$(stat -c %s coarse.mp4)" -lt "$(stat -c %s fine.mp4)" ] || fail "generate --crf 50 is no smaller"

# Ctrl-C: how many clips are there, and how to write the rest.
printf 'a red circle\n%.0s' $(seq 300) >many.txt
"$program" generate --prompts many.txt --model ./model -o many.gif --seed 7 --batch 2 --quiet 2>said &
pid=$!
await $pid [ -e many-0002.gif ] && kill -INT $pid
wait $pid && fail "an interrupted generate said that it was done"
written=$(find . -name 'many-*.gif' | wc -l)
grep -q "stopped after $written of 300 clips of many.txt; .* from prompt $((written + 1)) on, with --seed $((7 + written))" said ||
  fail "generate after Ctrl-C, $written clips: $(cat said)"
works generate "" --model ./model -o empty.gif --seed 18446744073709551615 --json
[[ $stdout == *'"seed": "18446744073709551615"'* ]] || fail "the largest seed: $stdout"
for file in other.png empty.gif; do
  works inspect $file --json
  for tag in '"frames"' '"prompt": ' '"seed": ' '"model": "./model"' '"codes": "32"'; do
    [[ $stdout == *"$tag"* ]] || fail "inspect $file shows no $tag: $stdout"
  done
done
works generate "$(printf 'x%.0s' $(seq 5000))" --model ./model -o long.mp4
[[ $stderr == *"longer than the model reads"* ]] || fail "a cut prompt is not mentioned: $stderr"
works eval "${data[@]}" --model ./model --count 3 --captions 2 --json
for key in psnr ssim codes codes_used perplexity bits_per_clip caption_accuracy seen heldout reader; do
  [[ $stdout == *"\"$key\""* ]] || fail "eval --json has no $key: $stdout"
done

works eval "${data[@]}" --model ./model --count 1 --captions 1 --json
[[ $stdout == *'"bits_per_clip_interval": null'* ]] || fail "one clip has an interval: $stdout"
export TMPDIR=nowhere
refuses 1 "nowhere/pocketpoet-bench-" bench --model ./model --only generate
unset TMPDIR

# A reader that is learned from a dataset's clips, and with it the captions of the dataset.
works synth shapes -o clips -n 20 --heldout 2 --size 32 --frames 5
# The first of four held-out captions leaves the colour open.
awk '/heldout/ && !done { done = sub(/"colour"/, "\"tint\"") } 1' clips/captions.jsonl >captions && mv captions clips/captions.jsonl
works import clips -o imported --size 32 --frames 5
works encode imported -t model/tokenizer.safetensors -o pictures.ptok --pictures 3 --json
[[ $stdout == *'"clips": 60'* ]] || fail "encode --pictures 3 of 20 clips: $stdout"
works encode imported -t model/tokenizer.safetensors -o one.ptok --pictures 1 --json
works decode pictures.ptok -t model/tokenizer.safetensors -i 3 -o frame.png
works decode one.ptok -t model/tokenizer.safetensors -i 1 -o same.png
works decode pictures.ptok -t model/tokenizer.safetensors -i 5 -o later.png
cmp -s frame.png same.png || fail "encode --pictures: the first picture depends on how many there are"
cmp -s frame.png later.png && fail "encode --pictures: all pictures of a clip are the same"

quick=(--width 8 --batch 4 --steps 3)
works train-reader imported -o reader.safetensors "${quick[@]}" -a colour,background --metrics r.jsonl --json
[[ $stdout == *'"heldout"'*'"clips": 4'*'"colour"'*'"clips": 3'*'"background"'*'"clips": 4'* ]] || fail "train-reader --json: $stdout"
[[ $stdout != *'"shape"'* ]] || fail "train-reader reads what was not asked for: $stdout"
grep -q '"accuracy"' r.jsonl || fail "the metrics of train-reader: $(cat r.jsonl)"
[ ! -e reader.safetensors.checkpoint ] || fail "a finished train-reader left its checkpoint behind"
works train-reader imported -o all.safetensors "${quick[@]}"
[[ $stdout == *shape:*motion:* && $stdout != *set:* ]] || fail "train-reader without --attributes: $stdout"
works eval imported --model ./model --count 2 --reader reader.safetensors --captions 6 --reader-attributes colour --json
[[ $stdout == *'"caption_accuracy"'*'"together"'*'"captions": 4'*'"real"'*'"reconstructed"'*'"generated"'* ]] ||
  fail "eval --reader: $stdout"
# Captions 0 1 2 3 0 1.
[[ ${stdout#*'"generated"'} == *'"clips": 4'*'"colour"'*'"clips": 4'*'"background"'*'"clips": 6'* ]] ||
  fail "eval --reader: $stdout"
[[ $stderr == *"2 clips are written with other seeds"* ]] || fail "eval --reader said: $stderr"
works eval "${data[@]}" --tokenizer model/tokenizer.safetensors --count 3 --captions 2 --json
[[ $stdout == *'"psnr"'* && $stdout == *'"reconstructed"'* && $stdout != *bits_per_clip* ]] ||
  fail "eval --tokenizer: $stdout"
works eval imported --model ./model --count 2 --json
[[ $stdout != *caption_accuracy* ]] || fail "eval of a dataset without a reader: $stdout"

# A video of one's own.
works encode back.mp4 -t model/tokenizer.safetensors -o one.ptok
works decode one.ptok -t model/tokenizer.safetensors -o one.webm
works encode back.mp4 -t model/tokenizer.safetensors -o scaled.ptok --size 26x16 --fps 4 --fit pad
works inspect scaled.ptok --details --json
[[ ${stdout//[[:space:]]/} == *'"fps":4.0,'*'"grid":[1,2,3]'* ]] || fail "encode --size --fps: $stdout"
mkdir pictures
printf 'a red circle\n%.0s' 1 2 3 4 5 6 >six.txt
works generate --prompts six.txt --model ./model -o pictures/f.png --enlarge 1
works encode pictures -t model/tokenizer.safetensors -o pictures.ptok
works encode pictures/f-%04d.png -t model/tokenizer.safetensors -o pattern.ptok
works decode pictures.ptok -t model/tokenizer.safetensors -o pictures.gif
works decode pattern.ptok -t model/tokenizer.safetensors -o pattern.gif
cmp pictures.gif pattern.gif || fail "a folder of pictures and their pattern differ"
works inspect pattern.ptok --details --json
[[ ${stdout//[[:space:]]/} == *'"grid":[2,8,12]'* ]] || fail "encode of six pictures: $stdout"
refuses 2 "--pictures is for datasets" encode pictures -t model/tokenizer.safetensors -o x.ptok --pictures 2
refuses 2 "--fps and --fit are for a video" encode "${data[@]}" -t model/tokenizer.safetensors -o x.ptok --fit pad

# ---- what is refused ----

refuses 2 "wants a PROMPT" generate --model ./model -o x.mp4
refuses 2 "wants --output" generate "a red circle" --model ./model
refuses 2 "not both" generate "a red circle" --prompts prompts.txt --model ./model -o x.mp4
refuses 2 "one PROMPT" generate "a red circle" --prompt "a red circle" --model ./model -o x.mp4
refuses 2 "not valid UTF-8 at byte 2" generate "$(printf 'a \xff\xfe')" --model ./model -o x.mp4
head -c 100001 /dev/zero | tr '\0' x >long.txt
refuses 2 "100001 bytes" generate --prompts long.txt --model ./model -o x.mp4
refuses 2 "--temperature: -1" generate "a" --model ./model -o x.mp4 --temperature -1
refuses 2 "--top-p: 'nan'" generate "a" --model ./model -o x.mp4 --top-p nan
refuses 1 "missing.txt" generate --prompts missing.txt --model ./model -o x.mp4
refuses 1 "no-such-model" generate "a" --model no-such-model -o x.mp4
refuses 2 "must end in .mp4" generate "a" --model ./model -o model
mkdir folder.mp4
refuses 1 "folder.mp4: is a directory" generate "a" --model ./model -o folder.mp4
refuses 1 "nowhere/x.mp4" generate "a" --model ./model -o nowhere/x.mp4

# A flipped byte, a cut file, a tokenizer of another training, tokens of another tokenizer.
mkdir broken mixed
cp model/generator.safetensors broken/
cp model/tokenizer.safetensors broken/
printf '\x55' | dd of=broken/tokenizer.safetensors bs=1 seek=9000 conv=notrunc status=none
refuses 1 "broken/tokenizer.safetensors: is damaged" generate "a" --model ./broken -o x.mp4
head -c 5000 model/tokenizer.safetensors >broken/tokenizer.safetensors
refuses 1 "broken/tokenizer.safetensors" generate "a" --model ./broken -o x.mp4
cp model/generator.safetensors mixed/
works train-tokenizer "${data[@]}" "${small[@]}" --steps 1 --seed 9 -o mixed/tokenizer.safetensors
refuses 1 "another tokenizer" generate "a" --model ./mixed -o x.mp4
refuses 1 "train.ptok" decode train.ptok -t mixed/tokenizer.safetensors -o x.mp4
refuses 1 "train.ptok" train-generator train.ptok -t mixed/tokenizer.safetensors -o x.safetensors
refuses 2 "no number 40" decode train.ptok -t model/tokenizer.safetensors -i 40 -o x.mp4
refuses 1 "is not a tokenizer" decode train.ptok -t model/generator.safetensors -o x.mp4
refuses 1 "prompts.txt" encode prompts.txt -t model/tokenizer.safetensors -o x.ptok
refuses 1 "prompts.txt" decode prompts.txt -t model/tokenizer.safetensors -o x.mp4
refuses 2 "1+4n" train-tokenizer synth:shapes --frames 6 -o x.safetensors
refuses 2 "multiples of 8" train-tokenizer synth:shapes --size 36 --patch 8 -o x.safetensors
refuses 2 "neither 4 nor 8" train-tokenizer synth:shapes --patch 5 -o x.safetensors
refuses 2 "--fsq-levels" train-tokenizer synth:shapes --quantizer fsq -o x.safetensors
refuses 2 "power of two" train-tokenizer synth:shapes --quantizer lfq --codes 1000 -o x.safetensors
refuses 2 "--codes: 1 is not between" train-tokenizer synth:shapes --codes 1 -o x.safetensors
refuses 2 "wants --output" train-tokenizer synth:shapes
refuses 1 "model" train-tokenizer synth:shapes -o model
works train-reader synth:shapes --size 16 --frames 5 --clips 20 --heldout-clips 2 -o small.safetensors "${quick[@]}"
refuses 1 "small.safetensors: clips of 5 frames of 32x32, but the reader is for 5 of 16x16" eval imported \
  --model ./model --reader small.safetensors
refuses 1 "model/tokenizer.safetensors: is not a reader of attributes" eval imported --model ./model \
  --reader model/tokenizer.safetensors
refuses 1 "is not a tokenizer" decode train.ptok -t reader.safetensors -o x.mp4
refuses 2 "knows no attribute \"size\"" eval imported --model ./model --reader reader.safetensors --reader-attributes size
refuses 2 "--reader wants a model with a generator" eval imported --tokenizer model/tokenizer.safetensors \
  --reader reader.safetensors
refuses 2 "wants --reader" eval imported --model ./model --reader-attributes colour
refuses 2 "--reader is for a dataset's folder" eval "${data[@]}" --model ./model --reader reader.safetensors
refuses 2 "wants --output" train-reader imported
refuses 2 "attribute \"weight\" has 0 values" train-reader imported -a colour,weight -o x.safetensors
refuses 2 "1+4n" train-reader synth:shapes --frames 6 --clips 9 -o x.safetensors
refuses 2 "does not divide into groups of 3x3" train-generator train.ptok -t model/tokenizer.safetensors -g 3 \
  -o x.safetensors

exit $((failures > 0))

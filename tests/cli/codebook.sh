#!/bin/bash
# codebook.sh PROGRAM: a tokenizer and its generator shrunk, tokens remapped, and what these commands refuse.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

mkdir model

works train-tokenizer "${data[@]}" "${small[@]}" --steps 6 -o model/tokenizer.safetensors
works encode "${data[@]}" -t model/tokenizer.safetensors -o train.ptok
works train-generator train.ptok -t model/tokenizer.safetensors "${tiny[@]}" --steps 20 -o model/generator.safetensors

# ---- help ----

works codebook --help
[[ $stdout == "usage: pocketpoet codebook COMMAND"* ]] || fail "codebook --help: $stdout"
for command in shrink inspect recommend remap; do
  [[ $stdout == *"  $command "* ]] || fail "codebook --help does not name $command"
done
for command in shrink inspect recommend remap; do
  works codebook $command --help
  page=$stdout
  [[ $page == "usage: pocketpoet codebook $command "*examples:* ]] || fail "codebook $command --help: $page"
  awk 'length > 80 { exit 1 }' <<<"$page" || fail "codebook $command --help is wider than 80 columns"
  works help codebook $command
  [ "$page" = "$stdout" ] || fail "help codebook $command differs from its --help"
  while read -r example; do
    eval "works ${example#pocketpoet } --help"
  done < <(sed -n 's/^  \(pocketpoet .*\)/\1/p' <<<"$page")
done

# ---- inspect ----

works codebook inspect train.ptok --model ./model --picture codes.png --json
for key in codes used dead perplexity samples_min samples_p10 samples_median samples_gini under_100 under_1300; do
  [[ $stdout == *"\"$key\""* ]] || fail "codebook inspect has no $key: $stdout"
done
# 40 clips of 2 x 4 x 4 codes.
[[ $stdout == *'"clips": 40'*'"tokens": 1280'* ]] || fail "codebook inspect: $stdout"
tokens=$stdout
works inspect codes.png
# 32 patches of 32 pixels in rows of six, with a line between.
[[ $stdout == *"size: 197, 197"* ]] || fail "the picture of the codes: $stdout"
works codebook inspect "${data[@]}" -t model/tokenizer.safetensors --json
[ "${tokens#*clips}" = "${stdout#*clips}" ] || fail "tokens and clips differ: $tokens $stdout"

# ---- shrink: every method; the folder is a model like any other ----

echo "as you like" >model/LICENSE
echo "after a drawing by nobody" >model/CREDITS.md
works codebook shrink train.ptok --model ./model -k 16,6 -o small --heldout "${data[@]}" --measure 4 --json
for key in '"16"' '"6"' distortion nats_before nats_fitted nats_least psnr psnr_remapped bits_per_clip bits_per_clip_exact; do
  [[ $stdout == *"$key"* ]] || fail "codebook shrink says no $key: $stdout"
done
for k in 16 6; do
  for file in tokenizer generator remap; do
    [ -s small-$k/$file.safetensors ] || fail "codebook shrink made no small-$k/$file.safetensors"
  done
  works info ./small-$k
  [[ $stdout == *"a drawing by nobody"*"as you like"* ]] || fail "the licence and the credits were dropped: $stdout"
  works inspect small-$k/tokenizer.safetensors --json
  [[ $stdout == *"\"codes\": $k"* ]] || fail "the smaller tokenizer: $stdout"
  works codebook remap train.ptok -m small-$k/remap.safetensors -o train-$k.ptok --json
  [[ $stdout == *'"clips": 40'*"\"codes\": $k"* ]] || fail "codebook remap: $stdout"
  works decode train-$k.ptok -t small-$k/tokenizer.safetensors -i 3 -o back.png
  works generate "a red circle" --model ./small-$k -o clip.png
  works eval "${data[@]}" --model ./small-$k --count 2 --captions 0
  refuses 1 "'eval coverage TRAINING-CLIPS -t small-$k/tokenizer.safetensors --save-reference small-$k/tokenizer.coverage.json'" \
    eval coverage "${data[@]}" -t small-$k/tokenizer.safetensors
  works train-generator train-$k.ptok -t small-$k/tokenizer.safetensors "${tiny[@]}" --steps 2 -o again.safetensors
done
# The same again is the same to the byte; one size more changes nothing.
works codebook shrink train.ptok --model ./model -k 6 -o again
for file in tokenizer generator remap; do
  cmp -s small-6/$file.safetensors again-6/$file.safetensors || fail "$file.safetensors differs in a second run"
done
# A model that was there goes as a whole; what was put beside it stays.
echo mine >again-6/notes.txt
works codebook shrink train.ptok -t model/tokenizer.safetensors -k 6 -o again --method random
[ ! -e again-6/generator.safetensors ] && [ -e again-6/notes.txt ] || fail "beside another tokenizer: $(ls again-6)"
# A remapped file can be remapped again, by the map of the smaller codebook.
works codebook shrink train-16.ptok --model ./small-16 -k 5 -o twice
works codebook remap train-16.ptok -m twice-5/remap.safetensors -o twice.ptok
works decode twice.ptok -t twice-5/tokenizer.safetensors -o back.png

for method in kmeans least-used random nested; do
  works codebook shrink "${data[@]}" -t model/tokenizer.safetensors -k 8 -o $method --method $method --distance vectors
  works codebook remap train.ptok -m $method-8/remap.safetensors -o $method.ptok
  works decode $method.ptok -t $method-8/tokenizer.safetensors -o back.png
  [ ! -e $method-8/generator.safetensors ] || fail "a generator from nothing"
  # Shrunk for clips with pixels, it has a reference: of these clips, of which one latent in a hundred is above the limit.
  works eval coverage "${data[@]}" -t $method-8/tokenizer.safetensors --split train --json
  [[ $stdout =~ '"clips": 40'.*'"out_of_codebook": 0.0'(09|1).*'"psnr_loss": 0.0' ]] || fail "the reference of $method-8: $stdout"
done

# With pixels the decoder's last layer is fitted; from codes, or when nobody wants it, it stays.
works codebook shrink "${data[@]}" -t model/tokenizer.safetensors -k 6 -o fitted --json
[[ $stdout == *'"decoder_clips": 40'*'"decoder_mse_before": '*'"decoder_mse_fitted": '* ]] || fail "codebook shrink says nothing of the fit: $stdout"
before=$(sed -n 's/.*"decoder_mse_before": \([0-9.]*\).*/\1/p' <<<"$stdout")
after=$(sed -n 's/.*"decoder_mse_fitted": \([0-9.]*\).*/\1/p' <<<"$stdout")
awk -v before="$before" -v after="$after" 'BEGIN { exit !(after > 0 && after < before) }' || fail "the fit made it worse: $stdout"
works codebook shrink "${data[@]}" -t model/tokenizer.safetensors -k 6 -o kept --fit-decoder 0 --json
[[ $stdout != *decoder_mse* ]] || fail "--fit-decoder 0: $stdout"
works codebook shrink train.ptok -t model/tokenizer.safetensors -k 6 -o coded
cmp -s kept-6/tokenizer.safetensors coded-6/tokenizer.safetensors || fail "a decoder was fitted on codes"
cmp -s kept-6/tokenizer.safetensors fitted-6/tokenizer.safetensors && fail "the decoder was not fitted"

# For a part of what the model was made for: what that never uses is gone, and how much of the rest that was is said.
domain=(synth:shapes --size 32 --frames 5 --clips 3 --heldout-clips 8)
works encode "${domain[@]}" -t model/tokenizer.safetensors -o domain.ptok
works codebook inspect domain.ptok -t model/tokenizer.safetensors --json
used=$(sed -n 's/.*"used": \([0-9]*\).*/\1/p' <<<"$stdout")
[ "$used" -gt 4 ] && [ "$used" -lt 32 ] || fail "the domain uses $used of 32 codes"
works codebook shrink train.ptok --model ./model --domain domain.ptok -k "$used,4" -o part --json
[[ $stdout == *"\"domain_codes_used\": $used"*'"data_tokens_dropped": 0.'*'"most_used_share": 1.0'*'"most_used_share": 0.'* ]] ||
  fail "a domain: $stdout"
# Every code of the domain is a code of its own there.
works codebook remap domain.ptok -m part-$used/remap.safetensors -o part.ptok
works codebook inspect part.ptok -t part-$used/tokenizer.safetensors --json
[[ $stdout == *"\"used\": $used"* ]] || fail "codes of the domain were merged: $stdout"
refuses 2 "domain.ptok uses $used codes, and no others are kept: $((used + 1)) is too many" \
  codebook shrink train.ptok --model ./model --domain domain.ptok -k 4,$((used + 1)) -o x --quiet

# Training on: by steps it is the same twice; interrupted, it goes on.
works codebook shrink "${data[@]}" --model ./model -k 6 -o tuned --finetune-steps 4 --json
[[ $stdout == *'"decoder_steps": 4'*'"generator_steps": 4'* ]] || fail "fine-tuning: $stdout"
works eval coverage "${data[@]}" -t tuned-6/tokenizer.safetensors --split train --json
[[ $stdout == *'"out_of_codebook": 0.01'*'"psnr_loss": 0.0'* ]] || fail "the reference of a decoder that was trained on: $stdout"
works codebook shrink "${data[@]}" --model ./model -k 6,5 -o tuned-again --finetune-steps 4
for file in tokenizer generator remap; do
  cmp -s tuned-6/$file.safetensors tuned-again-6/$file.safetensors || fail "$file.safetensors: tuned twice, it differs"
done
cmp -s small-6/tokenizer.safetensors tuned-6/tokenizer.safetensors && fail "the decoder was not trained"
[ -z "$(find . -name '*.checkpoint' -o -name '*.tmp')" ] || fail "a checkpoint was left behind"
works codebook remap train.ptok -m tuned-6/remap.safetensors -o tuned.ptok
works generate "a red circle" --model ./tuned-6 -o clip.png
"$program" codebook shrink "${data[@]}" --model ./model -k 6 -o stopped --finetune-steps 100000 2>said &
pid=$!
await $pid grep -qs "parameters; memory: " said # said before the first step
await $pid catches_interrupt $pid
kill -INT $pid
wait $pid && fail "an interrupted fine-tuning said that it was done"
[ -s stopped-6.tmp/tokenizer.checkpoint ] || fail "an interrupted fine-tuning saved nothing"
[ ! -e stopped-6 ] || fail "a model that is not whole has a name"
before=$(find stopped-6.tmp | sort)
run codebook shrink "${data[@]}" --model ./model -k 6 -o stopped --finetune-steps 100000 --method kmeans --quiet
[[ $status = 1 && $stderr == *"use the same options, or another output"* ]] || fail "another start went on: $stderr"
[ "$before" = "$(find . -path './stopped-6*' | sort | sed 's,^./,,')" ] || fail "a refusal changed the folder: $(find . -path './stopped-6*')"
# Killed without warning, again and again, until it is done: the folder is there as a whole or not at all, and the training ends as if
# it had been left alone. What was in a folder that is made anew stays.
mkdir tuned-killed-6
touch tuned-killed-6/notes
tune=(codebook shrink "${data[@]}" --model ./model -k 6 -o tuned-killed --finetune-steps 4 --quiet)
for delay in 1 2 3 4 5 6; do
  "$program" "${tune[@]}" >/dev/null 2>&1 &
  pid=$!
  await $pid [ -e tuned-killed-6.tmp/model ] || true
  sleep "0.$delay"
  kill -9 $pid 2>/dev/null || true
  wait $pid 2>/dev/null || true
  [ ! -e tuned-killed-6/tokenizer.safetensors ] || [ -s tuned-killed-6/generator.safetensors ] || fail "half a model: $(ls tuned-killed-6)"
done
works "${tune[@]}"
for file in tokenizer generator remap; do
  cmp -s tuned-6/$file.safetensors tuned-killed-6/$file.safetensors || fail "$file.safetensors of a killed run differs"
done
[ -e tuned-killed-6/notes ] && [ ! -e tuned-killed-6.tmp ] || fail "a folder that was there: $(find . -path './tuned-killed*')"
# Bits of clips that are encoded anew are those that eval finds.
works codebook shrink "${data[@]}" --model ./model -k 6 -o bits --heldout "${data[@]}" --measure 4 --json
bits=$(sed -n 's/.*"bits_per_clip_anew": \([0-9.]*\).*/\1/p' <<<"$stdout")
works eval "${data[@]}" --model ./bits-6 --count 4 --captions 0 --json
[ -n "$bits" ] && [[ $stdout == *"\"bits_per_clip\": $bits"* ]] || fail "bits of clips encoded anew: $bits: $stdout"
# A token file has no pixels.
works codebook shrink train.ptok --model ./model -k 6 -o blind --finetune-steps 2 --json
[[ $stdout != *decoder_steps* && $stdout == *'"generator_steps": 2'* ]] || fail "a decoder trained on codes: $stdout"
[[ $stderr == *"train.ptok: has codes, no pixels: the decoder stays as it is"* ]] || fail "no pixels: $stderr"
refuses 2 "has codes, no pixels that a decoder could be trained on" \
  codebook shrink train.ptok -t model/tokenizer.safetensors -k 6 -o x --finetune-steps 2
refuses 2 "give one of them" codebook shrink train.ptok --model ./model -k 6 -o x --finetune 1 --finetune-steps 2

# A codebook whose first rows are one for every K.
works train-tokenizer "${data[@]}" "${small[@]}" --nested --steps 3 -o nested.safetensors
works codebook shrink "${data[@]}" -t nested.safetensors -k 8,4 -o rows --method nested
refuses 2 "have no rows of a codebook to be nested" train-tokenizer "${data[@]}" "${small[@]}" --nested --steps 3 \
  --quantizer fsq --fsq-levels 4,4 -o x.safetensors

# Residual levels, each with a map of its own.
works train-tokenizer "${data[@]}" "${small[@]}" --levels 2 --steps 3 -o residual.safetensors
works encode "${data[@]}" -t residual.safetensors -o residual.ptok
works codebook shrink residual.ptok -t residual.safetensors -k 8 -o residual
works codebook remap residual.ptok -m residual-8/remap.safetensors -o smaller.ptok
works decode smaller.ptok -t residual-8/tokenizer.safetensors -o back.png
works codebook inspect residual.ptok -t residual.safetensors --picture residual.png
[[ $stdout == *level0:*level1:* ]] || fail "codebook inspect shows no second level: $stdout"

# ---- recommend ----

# 40 training clips of 2 x 4 x 4 codes: 1,280 tokens, 40 for each of 32 codes, 80 for each of 16.
works codebook recommend "${data[@]}" -t model/tokenizer.safetensors --json
for text in '"recommended"' '"because"' '"rule": "the fewest codes that lose at most 0.5 dB' '"clips": 40' '"heldout_clips": 8' \
  "these are too few clips: not even 16 codes have 1300 tokens each" "rough guess" '"bits_per_clip": 160.0' '"bits_per_clip": 128.0' \
  '"samples_per_code": 40.0' '"samples_per_code": 80.0'; do
  [[ $stdout == *"$text"* ]] || fail "codebook recommend says no $text: $stdout"
done
[[ $stdout != *law_codes* ]] || fail "a law for no generator: $stdout"
works codebook recommend "${data[@]}" -t model/tokenizer.safetensors --loss 100 --samples 80 --json
[[ $stdout == *'"recommended": 16'*'"because": "16 codes, the fewest that were tried'* && $stdout != *"too few"* ]] ||
  fail "the fewest codes: $stdout"
works codebook recommend "${data[@]}" -t model/tokenizer.safetensors --loss 0 --samples 40 --json
[[ $stdout == *'"recommended": 32'*'"because": "32 codes lose 0.00 dB'* ]] || fail "all codes: $stdout"
works codebook recommend "${data[@]}" -t model/tokenizer.safetensors --loss 0 --samples 41 --json
[[ $stdout == *'"recommended": 16'*'41 tokens a code to no more than 16 codes'*'32 codes would be needed'* ]] ||
  fail "codes bounded by samples: $stdout"
# Rows of the default width, 256: 6,144 words of 512 are 12,288.
works codebook recommend "${data[@]}" -t model/tokenizer.safetensors --parameters 33e6 --json
[[ $stdout == *'"law_codes": 12288.0'*'"of_law": 0.0026041'* ]] || fail "the law of vocabularies: $stdout"
[[ $stdout == *"would give the generator 12288 codes, more than twice as many"* ]] || fail "no note on the law: $stdout"
# Rows of 256 numbers: 12,288 (N / 33 million)^0.83 is 24 at 18,100.
works codebook recommend "${data[@]}" -t model/tokenizer.safetensors --parameters 18100 --json
[[ $stdout == *'"law_codes": 24.'* && $stdout != *"would give the generator"* ]] || fail "a note on a law that is near: $stdout"
# Clips that lose much more than those of the training, which the reference beside the tokenizer knows.
works eval coverage "${data[@]}" -t model/tokenizer.safetensors --save-reference model/tokenizer.coverage.json
works codebook recommend "${data[@]}" -t model/tokenizer.safetensors --json
[[ $stdout != *"draws these clips badly"* ]] || fail "a note on clips like those of the training: $stdout"
works codebook recommend synth:digits1 "${data[@]:1}" -t model/tokenizer.safetensors --json
[[ $stdout == *"draws these clips badly"* ]] || fail "no note on clips that are drawn badly: $stdout"
rm model/tokenizer.coverage.json
works codebook recommend "${data[@]}" --model ./model
[[ $stdout == *"recommended: "*"parameters: "*"tokens/code"*"of law"* ]] || fail "codebook recommend as text: $stdout"
with_model=$(grep law_codes <<<"$stdout")
works codebook recommend "${data[@]}" -t model/tokenizer.safetensors -g model/generator.safetensors
[ "$with_model" = "$(grep law_codes <<<"$stdout")" ] || fail "--model and --generator differ: $with_model: $stdout"
# A folder of videos without any captions; and clips that are all on one side: 24 and 6 of 30.
works synth shapes -o videos -n 30 --heldout 1 --size 32 --frames 5
works import videos/train -o one-side --size 32 --frames 5 --heldout 0 --uncaptioned
works codebook recommend one-side -t model/tokenizer.safetensors --json
[[ $stdout == *'"clips": 24'*'"heldout_clips": 6'*"every fifth clip was kept apart"* ]] || fail "clips of one side: $stdout"
works codebook recommend videos/train -t model/tokenizer.safetensors --size 32 --frames 5 --json
[[ $stdout == *'"recommended"'* && $stdout != *"every fifth"* ]] || fail "a folder of videos: $stdout"
# Shrinking takes a folder as it is, too, for all that it reads.
works codebook shrink videos/train -t model/tokenizer.safetensors -k 8 -o raw --heldout videos/train --measure 3 --size 32 --frames 5 --json
# What is measured is none of what it is shrunk for: of 30 videos some are held out.
[[ $stdout == *'"psnr"'* && $stdout != *'"clips": 30'* ]] || fail "shrunk for a folder of videos: $stdout"
works codebook shrink videos/train -t model/tokenizer.safetensors -k 8 -o raw --heldout synth:shapes --measure 3 --size 32 --frames 5 --json
[[ $stdout == *'"clips": 30'*'"psnr"'* ]] || fail "shrunk for a whole folder of videos: $stdout"
works codebook shrink train.ptok -t model/tokenizer.safetensors --domain videos/train -k 4 -o raw --size 32 --frames 5 --json
[[ $stdout == *'"domain": "videos/train"'*'"clips": 30'* ]] || fail "a folder of videos as the domain: $stdout"
cp videos/train/000003.mp4 alone.mp4
works codebook shrink alone.mp4 -t model/tokenizer.safetensors -k 8 -o raw --size 32 --frames 5 --json
[[ $stdout == *'"clips": 1,'* ]] || fail "shrunk for a video: $stdout"
refuses 2 "alone.mp4: has no held-out clips to measure" \
  codebook shrink alone.mp4 -t model/tokenizer.safetensors -k 8 -o x --heldout alone.mp4 --size 32 --frames 5 --quiet
refuses 2 "--codes: 8 is there twice" codebook shrink train.ptok -t model/tokenizer.safetensors -k 8,4,8 -o x
refuses 2 "--codes: '' is not a list of numbers" codebook shrink train.ptok -t model/tokenizer.safetensors -k "" -o x
works codebook inspect videos/train -t model/tokenizer.safetensors --size 32 --frames 5 --json
[[ $stdout == *'"clips": 30'* ]] || fail "codebook inspect of a folder of videos: $stdout"
refuses 1 "holds no imported dataset (no manifest.json); 'pocketpoet import' makes one" eval videos/train --model ./model
refuses 2 "videos/train: has no captions that a generator could be trained on" \
  codebook shrink videos/train --model ./model -k 8 -o x --size 32 --frames 5 --finetune-steps 1 --quiet

# ---- what is refused ----

# Without held-out clips nothing can be measured on them; a tokenizer can be trained.
refuses 2 "one-side: has no held-out clips to measure" eval one-side -t model/tokenizer.safetensors
refuses 2 "one-side: has no held-out clips to measure" \
  codebook shrink one-side -t model/tokenizer.safetensors -k 8 -o x --heldout one-side --quiet
refuses 2 "one-side: has no held-out clips" codebook shrink one-side --model ./model -k 8 -o x --heldout one-side --quiet
works train-tokenizer one-side "${small[@]}" --steps 1 -o one-side.safetensors --metrics one-side.jsonl
[[ $(cat one-side.jsonl) == *'"loss"'* && $(cat one-side.jsonl) != *psnr* ]] || fail "held-out figures of no clips: $(cat one-side.jsonl)"
refuses 2 "codebook wants a command" codebook
refuses 2 "there is no command 'codebook shrnk'; did you mean 'codebook shrink'?" codebook shrnk
refuses 2 "there is no command 'codebook zzz'; 'pocketpoet codebook --help' lists them" codebook zzz
refuses 2 "wants --codes LIST and --output NAME" codebook shrink train.ptok --model ./model -k 8
refuses 2 "codebook shrink wants DATA|FILE.ptok" codebook shrink
for list in 8,x 8, ,8 8.5 "8 4"; do
  refuses 2 "--codes" codebook shrink train.ptok --model ./model -k "$list" -o x
done
refuses 2 "--codes: 33 is not between 2 and the 32 codes" codebook shrink train.ptok --model ./model -k 33 -o x
for k in 0 -5 99999999999999999999; do
  refuses 2 "--codes: $k is not between 2 and the 32 codes" codebook shrink train.ptok --model ./model -k $k -o x
done
refuses 2 "--model and --tokenizer: give one of them" \
  codebook shrink train.ptok --model ./model -t model/tokenizer.safetensors -k 8 -o x
refuses 2 "--codes: 1 is not between" codebook shrink train.ptok --model ./model -k 8,1 -o x
refuses 1 "train-16.ptok" codebook shrink train-16.ptok --model ./model -k 8 -o x
refuses 1 "train-16.ptok" codebook inspect train-16.ptok --model ./model
refuses 1 "train-16.ptok" codebook remap train-16.ptok -m small-6/remap.safetensors -o x.ptok
refuses 1 "model/tokenizer.safetensors: is not a remap file" codebook remap train.ptok -m model/tokenizer.safetensors -o x.ptok
refuses 1 "no-such-file" codebook remap train.ptok -m no-such-file -o x.ptok
refuses 1 "no-such-model" codebook inspect train.ptok --model no-such-model
refuses 2 "must end in .png" codebook inspect train.ptok --model ./model --picture codes.jpg
refuses 2 "wants --map FILE and --output" codebook remap train.ptok -o x.ptok
head -c 300 small-6/remap.safetensors >cut.safetensors
refuses 1 "cut.safetensors" codebook remap train.ptok -m cut.safetensors -o x.ptok
cp small-6/remap.safetensors broken.safetensors
printf '\x55' | dd of=broken.safetensors bs=1 seek=$(($(stat -c %s broken.safetensors) - 9)) conv=notrunc status=none
refuses 1 "broken.safetensors: is damaged" codebook remap train.ptok -m broken.safetensors -o x.ptok
works train-tokenizer "${data[@]}" "${small[@]}" --quantizer fsq --fsq-levels 4,4 --steps 1 -o fsq.safetensors
refuses 1 "fsq.safetensors: has FSQ or LFQ, and so no codebook" codebook shrink "${data[@]}" -t fsq.safetensors -k 4 -o x

refuses 1 "fsq.safetensors: has FSQ or LFQ, and so no codebook" codebook recommend "${data[@]}" -t fsq.safetensors
refuses 2 "give one of them" codebook recommend "${data[@]}" --model ./model -g model/generator.safetensors --parameters 1e6
refuses 2 "--loss: -1 is not between" codebook recommend "${data[@]}" --model ./model --loss -1
refuses 2 "codebook recommend wants CLIPS" codebook recommend
refuses 1 "no-such-folder" codebook recommend no-such-folder --model ./model
mkdir single
cp videos/train/000000.mp4 single
refuses 2 "single: has 1 clips, too few" codebook recommend single -t model/tokenizer.safetensors --size 32 --frames 5

exit $((failures > 0))

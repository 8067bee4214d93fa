#!/bin/bash
# coverage.sh PROGRAM: what training saw of a codebook, other clips beside it, and what eval coverage refuses.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

mkdir model
tokenizer=model/tokenizer.safetensors
works train-tokenizer "${data[@]}" "${small[@]}" --steps 6 -o $tokenizer

# ---- help ----

works eval coverage --help
page=$stdout
[[ $page == "usage: pocketpoet eval coverage "*examples:* ]] || fail "eval coverage --help: $page"
awk 'length > 80 { exit 1 }' <<<"$page" || fail "eval coverage --help is wider than 80 columns"
works help eval coverage
[ "$page" = "$stdout" ] || fail "help eval coverage differs from its --help"
while read -r example; do
  eval "works ${example#pocketpoet } --help"
done < <(sed -n 's/^  \(pocketpoet .*\)/\1/p' <<<"$page")

# ---- the reference ----

refuses 1 "model/tokenizer.coverage.json: there is no such file; 'eval coverage TRAINING-CLIPS -t $tokenizer --save-reference model/tokenizer.coverage.json'" \
  eval coverage "${data[@]}" -t $tokenizer
works eval coverage "${data[@]}" -t $tokenizer --save-reference model/tokenizer.coverage.json --json
# 40 clips of 2 x 4 x 4 codes.
[[ $stdout == *'"clips": 40'*'"tokens": 1280'*'"level0"'*'"median"'*'"p99"'* ]] || fail "--save-reference: $stdout"

# ---- clips ----

# Training beside itself: nothing is new, and 13 of 1,280 latents are above the 99th percentile.
works eval coverage "${data[@]}" -t $tokenizer --split train --json
for figure in '"clips": 40' '"out_of_codebook": 0.0101' '"psnr_loss": 0.0' '"unseen": 0.0' '"shift": 0.0' '"distance_p50": 1'; do
  [[ $stdout == *"$figure"* ]] || fail "training beside itself has no $figure: $stdout"
done
works eval coverage "${data[@]}" --model ./model --worst 3 --pictures worst --clips-out clips.jsonl --json
for key in psnr psnr_interval ssim psnr_loss out_of_codebook used perplexity unseen under_100 shift distance_p50 distance_p90 \
  distance_p99 rarefaction worst picture; do
  [[ $stdout == *"\"$key\""* ]] || fail "eval coverage has no $key: $stdout"
done
[ "$(grep -c '"out_of_codebook"' clips.jsonl)" = 8 ] || fail "--clips-out: $(cat clips.jsonl)"
[[ $(cat clips.jsonl) == *'"clip": "heldout-seen/7"'* ]] || fail "--clips-out names no heldout-seen/7: $(cat clips.jsonl)"
[ "$(ls worst)" = "$(printf 'worst-0%d.png\n' 1 2 3)" ] || fail "--pictures drew $(ls worst)"
works inspect worst/worst-01.png
# Two times of 32 pixels, four to one, and a gap; three rows.
[[ $stdout == *"size: 258, 388"* ]] || fail "the picture: $stdout"
# What lies near the codes may still be another thing.
works eval coverage synth:digits1 "${data[@]:1}" -t $tokenizer --json
[[ $stdout == *'"notes": ['*"the rate alone does not vouch for them"* ]] || fail "no note on other clips of a low rate: $stdout"
works eval coverage "${data[@]}" -t $tokenizer --split train --json
[[ $stdout == *'"notes": []'* ]] || fail "a note on training itself: $stdout"
# The worst are those of the highest rate, of the greatest distances, of the least PSNR.
works eval coverage "${data[@]}" --model ./model --worst 8 --json
worst=$(sed -n '/"worst"/,$s/.*"clip": "\(.*\)".*/\1/p' <<<"$stdout")
number='": \([-0-9.e]*\)'
expected=$(sed "s/.*\"clip\": \"\([^\"]*\)\", \"out_of_codebook$number, \"psnr$number.*\"distance_p99$number.*/\1 \2 \4 \3/" clips.jsonl |
  sort -k2,2gr -k3,3gr -k4,4g | cut -d' ' -f1)
[ "$worst" = "$expected" ] || fail "the worst clips: $worst, not $expected"
works eval coverage "${data[@]}" -t $tokenizer
[[ $stdout == *"  rarefaction:"*"tokens  codes  training"* ]] || fail "a table without titles: $stdout"
works eval coverage "${data[@]}" -t $tokenizer --count 3
[[ $stdout == *"clips: 3"*"worst:"*"heldout-seen/"* ]] || fail "eval coverage as text: $stdout"

# ---- a folder of videos as it is: broken ones are named and left out, captions are not needed, nothing is left ----

works synth digits -o videos -n 4 --heldout 1 --size 32 --frames 10
rm videos/captions.jsonl
head -c 700 videos/train/000000.mp4 >videos/cut.mp4
echo "this is a text" >videos/text.mp4
touch videos/empty.mp4
mkdir scratch
TMPDIR=$PWD/scratch works eval coverage videos -t $tokenizer --size 32 --frames 5 --clips-out videos.jsonl --json
[ "$(wc -l <videos.jsonl)" -ge 8 ] || fail "eval coverage of a folder: $stdout"
grep -q '"clip": "train/000000.mp4, frame 5"' videos.jsonl || fail "a clip has no name: $(cat videos.jsonl)"
for file in cut.mp4 text.mp4 empty.mp4; do
  [[ $stderr == *"$file"*skipped* ]] || fail "eval coverage does not name $file: $stderr"
  ! grep -q $file videos.jsonl || fail "$file has figures: $(cat videos.jsonl)"
done
[ -z "$(ls scratch)" ] || fail "eval coverage left $(ls scratch)"
# One video; and one that is none, or is a token file.
TMPDIR=$PWD/scratch works eval coverage videos/train/000000.mp4 -t $tokenizer --size 32 --frames 5 --clips-out video.jsonl --json
[[ $stdout == *'"clips": 2'* && $(cat video.jsonl) == *'"clip": "000000.mp4, frame 5"'* ]] || fail "eval coverage of a video: $stdout"
TMPDIR=$PWD/scratch refuses 1 "videos/text.mp4: " eval coverage videos/text.mp4 -t $tokenizer --size 32 --frames 5
[ -z "$(ls scratch)" ] || fail "eval coverage left $(ls scratch)"
# Captions with a split leave no video out.
printf '{"file": "train/00000%d.mp4", "caption": "a digit", "split": "test"}\n' 0 1 2 3 >videos/captions.jsonl
clips=$(wc -l <videos.jsonl)
works eval coverage videos -t $tokenizer --size 32 --frames 5 --json
[[ $stdout == *"\"clips\": $clips,"* ]] || fail "captions change what is looked at: $stdout"

# ---- the limit ----

run eval coverage videos -t $tokenizer --size 32 --frames 5 --max-ooc 0 --json --quiet
[ "$status" = 3 ] || fail "--max-ooc 0: status $status: $stderr"
[[ $stdout == "{"*'"out_of_codebook"'*"}" ]] || fail "--max-ooc 0 printed no result: $stdout"
[[ $stderr == *"pocketpoet: videos: "*"% of the latents are out of the codebook, more than the 0% of --max-ooc" ]] ||
  fail "--max-ooc 0 said: $stderr"
works eval coverage videos -t $tokenizer --size 32 --frames 5 --max-ooc 1

# ---- residual levels ----

works train-tokenizer "${data[@]}" "${small[@]}" --levels 2 --steps 3 -o residual.safetensors
works eval coverage "${data[@]}" -t residual.safetensors --save-reference residual.coverage.json
works eval coverage "${data[@]}" -t residual.safetensors
[[ $stdout == *level0:*out_of_codebook:*level1:*out_of_codebook:* ]] || fail "eval coverage shows no second level: $stdout"

# ---- what is refused ----

refuses 1 "residual.coverage.json: is the reference of another tokenizer than model/tokenizer.safetensors" \
  eval coverage "${data[@]}" -t $tokenizer -r residual.coverage.json
head -c 500 residual.coverage.json >cut.json
refuses 1 "cut.json: is not JSON" eval coverage "${data[@]}" -t $tokenizer -r cut.json
echo '{}' >other.json
refuses 1 "other.json: is not a reference" eval coverage "${data[@]}" -t $tokenizer -r other.json
refuses 1 "no-such-file" eval coverage "${data[@]}" -t $tokenizer -r no-such-file
refuses 1 "no-such-file" eval coverage "${data[@]}" -t no-such-file
refuses 1 "no-such-folder" eval coverage no-such-folder -t $tokenizer
refuses 2 "eval coverage wants CLIPS" eval coverage
refuses 2 "--max-ooc: 1.5 is not between" eval coverage videos -t $tokenizer --max-ooc 1.5
refuses 2 "--split: 'dev' is not one of" eval coverage videos -t $tokenizer --split dev
refuses 2 "must end in .json" eval coverage "${data[@]}" -t $tokenizer --save-reference x.txt
refuses 2 "must end in .jsonl" eval coverage "${data[@]}" -t $tokenizer --clips-out x.txt
refuses 2 "--save-reference looks at training clips alone" eval coverage "${data[@]}" -t $tokenizer --save-reference x.json \
  --max-ooc 0.1
refuses 2 "multiples of 8" eval coverage synth:shapes -t $tokenizer --size 30
mkdir useless
touch useless/empty.mp4
run eval coverage useless -t $tokenizer
[ "$status" = 1 ] && [[ $stderr == *"empty.mp4"*"pocketpoet: useless: no clip in it can be used" ]] || fail "no clip: $status: $stderr"
works import videos -o imported --size 32 --frames 5 --heldout 0
refuses 2 "imported: has no clips in the split heldout-unseen" eval coverage imported -t $tokenizer --split heldout-unseen
works train-tokenizer "${data[@]}" "${small[@]}" --quantizer fsq --fsq-levels 4,4 --steps 1 -o fsq.safetensors
refuses 1 "fsq.safetensors: a tokenizer with FSQ or LFQ has no codebook" eval coverage "${data[@]}" -t fsq.safetensors

exit $((failures > 0))

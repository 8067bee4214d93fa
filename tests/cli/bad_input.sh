#!/bin/bash
# bad_input.sh PROGRAM: whatever is put in front of a command, it ends with status 1 (2 for the command line) and one
# sentence that names the file, and leaves nothing behind.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"
export OMP_WAIT_POLICY=passive # nothing here is worth a restart with other settings

mkdir model
tokenizer=model/tokenizer.safetensors
works train-tokenizer "${data[@]}" "${small[@]}" --steps 2 -o $tokenizer
works encode "${data[@]}" -t $tokenizer -o train.ptok
works encode "${data[@]}" -t $tokenizer -o one.ptok -n 1
works train-generator train.ptok -t $tokenizer "${tiny[@]}" --steps 2 -o model/generator.safetensors
works synth shapes -n 8 --size 32 --frames 5 -o clips
works import clips -o data --size 32 --frames 5

# says STATUS TEXT ARGUMENTS...: as refuses, but without the look at the files; there are many of these, and
# nothing_new looks after some.
says() {
  local wanted=$1 text=$2 status=0 said
  shift 2
  said=$("$program" "$@" 2>&1 </dev/null) || status=$?
  [ "$status" = "$wanted" ] && [[ $said == "pocketpoet: "*"$text"* && $said != *$'\n'* ]] ||
    fail "pocketpoet $*: status $status: $said"
}

remember() {
  before=$(find . | sort)
}

nothing_new() {
  [ "$before" = "$(find . | sort)" ] || fail "left behind: $(find . | sort | comm -13 <(echo "$before") -)"
}

# ---- the wrong kind of thing ----

mkdir folder
touch empty.mp4
echo "this is a text" >text.mp4
head -c 700 clips/train/000000.mp4 >cut.mp4
printf '\x89PNG\r\n\x1a\n' >cut.png
head -c 3000 one.ptok >cut.ptok
truncate -s -1 cut.ptok
head -c 20000 $tokenizer >cut.safetensors
mkfifo pipe.mp4

remember
for file in missing folder empty.mp4 text.mp4 cut.mp4 cut.png cut.ptok cut.safetensors pipe.mp4 /dev/zero; do
  says 1 "$file" encode $file -t $tokenizer -o x.ptok
  says 1 "$file" decode $file -t $tokenizer -o x.mp4
  says 1 "$file" import $file -o x
  says 1 "$file" eval $file --model ./model
  says 1 "$file" inspect $file
  says 1 "$file" info $file
  says 1 "$file" generate "a red circle" --model $file -o x.mp4
  says 1 "$file" train-tokenizer $file -o x.safetensors
  says 1 "$file" train-generator $file -t $tokenizer -o x.safetensors
  says 1 "$file" train-generator train.ptok -t $file -o x.safetensors
  says 1 "$file" train-generator train.ptok -t $tokenizer --heldout $file -o x.safetensors
  says 1 "$file" encode "${data[@]}" -t $file -o x.ptok
  says 1 "$file" decode train.ptok -t $file -o x.mp4
done
for file in missing folder pipe.mp4 /dev/zero; do
  says 1 "$file" generate --prompts $file --model ./model -o x.mp4
done
nothing_new

# ---- a folder of clips with a picture in it ----

mkdir several
cp clips/train/000000.mp4 several/a.mp4
works decode one.ptok -t $tokenizer -o several/cover.png
rm several/cover.json
remember
for command in "encode several -t $tokenizer -o x.ptok" "inspect several"; do
  says 1 "several: holds no imported dataset" $command
done
mv several/a.mp4 a.mp4
echo '{"file": "gone.mp4", "caption": "a clip"}' >several/captions.jsonl
says 1 "several: holds no imported dataset" encode several -t $tokenizer -o x.ptok
rm several/captions.jsonl
works inspect several
mv a.mp4 several
nothing_new

# ---- another version, and what does not belong together ----

mkdir later
sed 's/"poet.format": "1"/"poet.format": "2"/' $tokenizer >later/tokenizer.safetensors
cp model/generator.safetensors later
refuses 1 "later/tokenizer.safetensors: is of format version 2" info later/tokenizer.safetensors
refuses 1 "later/tokenizer.safetensors: is of format version 2" generate "a red circle" --model ./later -o x.mp4
cp train.ptok later.ptok
printf '\x02' | dd of=later.ptok bs=1 seek=8 conv=notrunc status=none
refuses 1 "later.ptok: is a token file of version 2" decode later.ptok -t $tokenizer -o x.mp4
cp -r data later-data
sed -i 's/"version":1/"version":2/' later-data/manifest.json
refuses 1 "later-data/manifest.json: version 2" train-tokenizer later-data -o x.safetensors
works train-tokenizer "${data[@]}" "${small[@]}" --steps 1 --seed 9 -o other.safetensors
refuses 1 "train.ptok: holds codes of the tokenizer" decode train.ptok -t other.safetensors -o x.mp4
refuses 1 "train.ptok: holds codes of the tokenizer" train-generator train.ptok -t other.safetensors -o x.safetensors
refuses 1 "is not a tokenizer" encode "${data[@]}" -t model/generator.safetensors -o x.ptok

# ---- one flipped bit at twenty places ----

# flip FILE TO PLACE: a copy with one bit of the byte changed, PLACE twentieths into the file.
flip() {
  local size at byte
  size=$(stat -c %s "$1")
  at=$(($3 * (size - 1) / 19))
  byte=$(od -An -tu1 -j "$at" -N1 "$1")
  cp "$1" "$2"
  printf '%b' "\\x$(printf %02x $((byte ^ 16)))" | dd of="$2" bs=1 seek="$at" conv=notrunc status=none
}

shard=$(basename data/shard-*)
mkdir broken
cp $tokenizer broken
cp -r data broken-data
for name in broken.safetensors broken/generator.safetensors broken.ptok; do
  touch $name
done
remember
for place in $(seq 0 19); do
  flip $tokenizer broken.safetensors "$place"
  says 1 "broken.safetensors: " encode "${data[@]}" -t broken.safetensors -o x.ptok
  flip model/generator.safetensors broken/generator.safetensors "$place"
  says 1 "broken/generator.safetensors: " generate "a red circle" --model ./broken -o x.mp4
  flip one.ptok broken.ptok "$place"
  says 1 "broken.ptok: " decode broken.ptok -t $tokenizer -o x.mp4
  says 1 "broken.ptok: " inspect broken.ptok --details
  flip "data/$shard" "broken-data/$shard" "$place"
  says 1 "broken-data/$shard: " inspect broken-data --details
done
nothing_new

# ---- captions and prompts ----

mkdir captions
echo '{"file": "gone.mp4", "caption": "a clip that is not there"}' >captions/captions.jsonl
run import captions -o x
[ "$status" = 1 ] && [[ $stderr == *"captions/gone.mp4: there is no such file; skipped"*"pocketpoet: captions: no "* ]] ||
  fail "a caption without its clip: status $status: $stderr"
[ ! -e x ] || fail "an import without clips left a folder"
refuses 2 "generate: its argument is not valid UTF-8 at byte 2" generate "$(printf 'a \xc0\xaf')" --model ./model -o x.mp4
head -c 100001 /dev/zero | tr '\0' x >long.txt
refuses 2 "long.txt:1: the prompt has 100001 bytes" generate --prompts long.txt --model ./model -o x.mp4
refuses 2 "PROMPT: the prompt has 100001 bytes" generate "$(cat long.txt)" --model ./model -o x.mp4
printf 'good\n\nb\xc0d\n' >bad.txt
refuses 2 "bad.txt:3: the prompt is not valid UTF-8 at byte 1" generate --prompts bad.txt --model ./model -o x.mp4
truncate -s -1 long.txt
mkfifo prompts
printf 'a red circle\n' >prompts &
works generate --prompts prompts --model ./model -o piped.gif
[ -s piped-0001.gif ] || fail "prompts of a pipe: no piped-0001.gif"
wait
says 1 "/dev/zero: has more than the 67108864 bytes" generate --prompts /dev/zero --model ./model -o x.mp4
works generate --prompts long.txt --model ./model -o long.gif

# ---- absurd options ----

# Every option of every command that takes a number, a size or one of some words, each with the next of these.
absurd=(-5 nan 99999999999999999999 "" 1e999) next=0
remember
while read -r -a command; do
  while read -r option value; do
    word=${absurd[$((next++ % 5))]}
    case $value in
      LIST | TEXT | DATA | CELL) continue ;; # is read later; may be anything
      FILE* | FOLDER | NAME | TYPE) word="" ;;
    esac
    says 2 "$option" "${command[@]}" "$option=$word"
  done < <("$program" "${command[@]}" --help | grep -oE -- '--[a-z-]+ [A-Z][A-Za-z.]*' | sort -u)
done < <(commands && printf '%s\n' "codebook "{shrink,remap,inspect,recommend} "eval "{coverage,sweep})
[ "$next" -gt 100 ] || fail "only $next options were tried"
nothing_new
refuses 2 "--fsq-levels: '2,x' is not a list" train-tokenizer "${data[@]}" --quantizer fsq --fsq-levels 2,x -o x.safetensors
refuses 2 "a width must be a multiple of its heads" train-generator train.ptok -t $tokenizer --heads 5 -o x.safetensors
refuses 2 "does not divide into groups" train-generator train.ptok -t $tokenizer --group 16 -o x.safetensors
refuses 2 "33x33" train-tokenizer "${data[@]}" --crop 33 -o x.safetensors
refuses 2 "--index: train.ptok has 40 clips" decode train.ptok -t $tokenizer -i 40 -o x.mp4
while read -r -a option; do
  refuses 2 "${option[0]} is for datasets, and clips/train/000000.mp4 is a video" encode clips/train/000000.mp4 \
    -t $tokenizer "${option[@]}" -o x.ptok
done <<<"$(printf '%s\n' "--split heldout-seen" "--count 3" "--pictures 2" "--frames 5" "--clips 7" \
  "--heldout-clips 7" "--data-seed 2")"
works encode clips/train/000000.mp4 -t $tokenizer --split train --frames 17 --count 0 -o defaults.ptok
for quantizer in vq lfq; do
  refuses 2 "--fsq-levels: only --quantizer fsq has steps of channels, not $quantizer" \
    train-tokenizer "${data[@]}" --quantizer $quantizer --fsq-levels 8,5,5 -o x.safetensors
done
refuses 2 "no clips in the split" encode data -t $tokenizer --split heldout-unseen -o x.ptok
refuses 2 "has no set" synth "shapes,street" -o x

exit $((failures > 0))

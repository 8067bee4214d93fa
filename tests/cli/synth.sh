#!/bin/bash
# synth.sh PROGRAM: what synth writes, twice the same; what it refuses; and Ctrl-C.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

for set in shapes digits street; do
  works synth $set -o $set -n 3 --heldout 2 --size 32 --frames 5 --quiet
  [ "$stdout" = "clips: $set (7)" ] && [ -z "$stderr" ] || fail "$set: printed '$stdout', said '$stderr'"
  [ "$(wc -l <$set/captions.jsonl)" = 7 ] || fail "$set: not 7 captions"
  while read -r file; do
    [ -s "$set/$file" ] || fail "$set: no $file"
  done < <(sed 's/.*"file":"\([^"]*\)".*/\1/' $set/captions.jsonl)
  [ "$(find $set -type f | wc -l)" = 8 ] || fail "$set: more files than captions: $(find $set)"
done
works synth shapes -o again -n 3 --heldout 2 --size 32 --frames 5
diff -r shapes again || fail "the same command wrote other clips"
works synth shapes -o other -n 3 --heldout 2 --size 32 --frames 5 --seed 2
! diff -rq shapes/train other/train >/dev/null || fail "another seed drew the same clips"

works synth digits --sheet sheet.png -n 2 --json
[ -s sheet.png ] && [[ $stdout == *'"sheet": "sheet.png"'*'"captions"'*"the digit"* ]] || fail "sheet: $stdout"
works synth shapes -o gifs -n 1 --format gif
[ -s gifs/train/000000.gif ] || fail "no gif"
works inspect shapes/train/000000.mp4 --json
[[ $stdout == *'"frames": 5'*'"prompt": "'* ]] || fail "inspect: $stdout"

touch file
mkdir folder
refuses 2 "synth wants SET" synth -o x
refuses 2 "has no set \"shapse\"" synth shapse -o x
refuses 2 "synth wants --output FOLDER or --sheet FILE.png" synth shapes
refuses 2 "--count: 0 is not between" synth shapes -o x -n 0
refuses 2 "--size: a side of 8x8 is not between 16 and 1024" synth shapes -o x --size 8x8
refuses 2 "--frames: -1 is not between" synth shapes -o x --frames -1
refuses 2 "--fps: 'nan' is not a number" synth shapes -o x --fps nan
refuses 2 "--format: 'mp5' is not one of mp4, webm, gif, png; did you mean 'mp4'?" synth shapes -o x --format mp5
refuses 2 "--sheet: shows at most 64 clips" synth shapes --sheet x.png -n 65
refuses 2 "only the set digits" synth shapes -o x --mnist folder
refuses 2 "--digits: only the set digits" synth shapes -o x --digits 1
refuses 2 "--fps: a GIF has at most 50 frames per second, not 240" synth shapes -o x --format gif --fps 240
refuses 1 "folder: has no file images-idx3-ubyte" synth digits -o x --mnist folder
refuses 1 "shapes/captions.jsonl: is there already" synth shapes -o shapes
refuses 1 "file: exists and is not a directory" synth shapes -o file
mkdir folder.png
refuses 1 "folder.png: is a directory" synth shapes --sheet folder.png
refuses 2 "folder: the name must end in .png" synth shapes --sheet folder
refuses 2 "sheet.mp4: the name must end in .png" synth shapes --sheet sheet.mp4
refuses 1 "nowhere/x.png: cannot be created" synth shapes --sheet nowhere/x.png
refuses 1 "file: " synth shapes --sheet x.png -o file
refuses 1 "nowhere/x.png: cannot be created" synth shapes --sheet nowhere/x.png -o x
if [ "$(id -u)" != 0 ]; then
  chmod a-w folder
  refuses 1 "folder/x" synth shapes -o folder/x
fi

refuses 1 "missing: " inspect missing
refuses 1 "file: " inspect file
head -c 700 shapes/train/000000.mp4 >cut.mp4
refuses 1 "cut.mp4: " inspect cut.mp4
printf '\x10\0\0\0\0\0\0\0{"a":1}         ' >model.safetensors
refuses 1 "model.safetensors: " inspect model.safetensors
refuses 1 "nomodel: there is no such model" info nomodel

ten_clips() {
  [ -n "$(find "$1" -name '000009.*' ! -name '*.tmp' 2>/dev/null)" ]
}

# stop_synth SIGNAL FOLDER ARGUMENTS...: a run that is ended once it has written ten clips; sets $status.
stop_synth() {
  local signal=$1 folder=$2 child
  shift 2
  "$program" synth shapes -o "$folder" --size 32 --frames 5 --quiet "$@" >/dev/null 2>sentence &
  child=$!
  await $child ten_clips "$folder" || true
  kill "-$signal" $child
  status=0
  { wait $child || status=$?; } 2>/dev/null
}

# Ctrl-C: no captions.jsonl, a sentence how to go on, no *.tmp.
stop_synth INT stopped -n 120
[ $status = 1 ] && grep -q "pocketpoet: stopped after .* of 120 clips.* the same command goes on" sentence ||
  fail "Ctrl-C: status $status: $(cat sentence)"
[ ! -e stopped/captions.jsonl ] && [ -z "$(find . -name '*.tmp')" ] || fail "Ctrl-C left files: $(ls stopped)"

# The same command goes on: what is there stays, and the end is that of a run that was left alone.
touch -d 2001-01-01 stopped/train/*
kept=$(find stopped/train -type f | wc -l)
works synth shapes -o stopped --size 32 --frames 5 -n 120
[ "$(find stopped/train -type f ! -newermt 2001-01-02 | wc -l)" = "$kept" ] || fail "clips were drawn again"
works synth shapes -o whole --size 32 --frames 5 -n 120
diff -rq stopped whole || fail "a stopped run ends with other files"

# Another command keeps nothing of an unfinished folder, and nothing of a finished one.
stop_synth KILL killed -n 120 --format png
works synth shapes -o killed --size 32 --frames 5 -n 5 --format png --seed 2
works synth shapes -o fresh --size 32 --frames 5 -n 5 --format png --seed 2
for i in 0 1 2 3 4; do
  cmp "killed/train/00000$i.png" "fresh/train/00000$i.png" || fail "a clip of another run was kept"
done
stop_synth KILL fresh -n 120 --format png --overwrite
[ ! -e fresh/captions.jsonl ] || fail "captions.jsonl stands over clips that are being replaced"
works synth shapes -o fresh --size 32 --frames 5 -n 120 --format png
works synth shapes -o killed --size 32 --frames 5 -n 120 --format png --overwrite
rm -f fresh/*.tmp fresh/*/*.tmp killed/*.tmp killed/*/*.tmp
diff -rq fresh killed || fail "an overwriting run that was killed ends with other files"

# Nothing stays of clips that are replaced, in whatever format they were; what is not synth's does.
few=(--size 32 --frames 5 --heldout 2)
works synth shapes -o mixed -n 6 "${few[@]}"
touch mixed/train/notes.mp4 mixed/000000.mp4 outside.mp4
printf '%s\n' '{"file":"../outside.mp4"}' '{"file":"train/../000000.mp4"}' '{"file":"train/notes.mp4"}' 'no JSON' '[]' \
  '{"file":"train/000000.mp4/"}' '{"file":3}' "{\"file\":\"$PWD/outside.mp4\"}" >>mixed/captions.jsonl
works synth shapes -o mixed -n 7 "${few[@]}" --format png --overwrite
for file in mixed/train/notes.mp4 mixed/000000.mp4 outside.mp4; do
  [ -e $file ] || fail "--overwrite removed $file"
  rm -f $file
done
[ "$(find mixed -type f | wc -l)" = 23 ] || fail "--overwrite left files of the older run: $(find mixed)"
works synth shapes -o mixed -n 2 "${few[@]}" --heldout 0 --format gif --overwrite
[ "$(find mixed -type f | wc -l)" = 3 ] || fail "--overwrite left sheets of the older run: $(find mixed)"
stop_synth KILL changed -n 120 --format png
works synth shapes -o changed -n 2 --size 32 --frames 5
[ "$(find changed -type f ! -name '*.tmp' | wc -l)" = 3 ] || fail "sheets of a killed run were left: $(find changed)"

exit $((failures > 0))

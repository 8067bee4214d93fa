#!/bin/bash
# sweep.sh PROGRAM: a tiny sweep; one that is killed ends with the same cells; what eval sweep refuses.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

# ---- help ----

works eval sweep --help
page=$stdout
[[ $page == "usage: pocketpoet eval sweep "*examples:* ]] || fail "eval sweep --help: $page"
awk 'length > 80 { exit 1 }' <<<"$page" || fail "eval sweep --help is wider than 80 columns"
works help eval sweep
[ "$page" = "$stdout" ] || fail "help eval sweep differs from its --help"
while read -r example; do
  eval "works ${example#pocketpoet } --help"
done < <(sed -n 's/^  \(pocketpoet .*\)/\1/p' <<<"$page")

# ---- the cells ----

sweep=(eval sweep "${data[@]}" -o sweep --threads 1 --tokenizer-steps 3 --generator-steps 2 --finetune-steps 2 --feature-steps 2
  --tokenizer-options "--dim 6 --width 8 --decoder-blocks 1" --generator-options "${tiny[*]}"
  --train-clips 20 --count 4 --captions 2 --distribution 8 --speed 0.05)
small_grid=(-m retrained,merge,merge-finetuned,control,nested,residual,factorised -k 16,8)
works "${sweep[@]}" "${small_grid[@]}" --list --json
small_cells=(features retrained-16-s1 nested-16-s1 control-16-s1 factorised-16-s1 residual-16-s1 retrained-8-s1 merge-8-s1
  merge-finetuned-8-s1 nested-8-s1)
for cell in "${small_cells[@]}"; do
  [[ $stdout == *"\"cell\": \"$cell\""* ]] || fail "--list has no $cell: $stdout"
done
# What is shrunk has fewer codes than the greatest K, the control has them all, and 8 has no whole root.
for cell in merge-16-s1 merge-finetuned-16-s1 control-8-s1 residual-8-s1; do
  [[ $stdout != *"\"$cell\""* ]] || fail "--list has $cell: $stdout"
done
[[ $stdout != *'"done"'* ]] || fail "--list has a cell that is done: $stdout"
[ ! -e sweep ] || fail "--list made a folder"
# The bits of four codes on fewer than four levels of no more than 256 codes: three of 8, two of 8.
works "${sweep[@]}" -m fewer-tokens -k 256,64,32,16 --list
[ "$(grep -o 'fewer-tokens-[0-9]*' <<<"$stdout" | tr '\n' ' ')" = "fewer-tokens-64 fewer-tokens-16 " ] || fail "fewer-tokens: $stdout"
works "${sweep[@]}" -k 64 --list
[[ $stdout == *retrained-64-s1*fsq-64-s1*factorised-64-s1*residual-64-s1* ]] || fail "all methods: $stdout"
works "${sweep[@]}" -k 64 --generator-steps 0 --list
[[ $stdout == *fsq-64-s1* && $stdout != *factorised* ]] || fail "factorised is of generators: $stdout"
works "${sweep[@]}" -k 16,8 --finetune-steps 0 --list
[[ $stdout == *merge-8-s1* && $stdout != *finetuned* && $stdout != *control* ]] || fail "trained on for no steps: $stdout"
works "${sweep[@]}" -k 16,8 -m nested --list --json
[ "$(grep -o '"needs": "[^"]*"' <<<"$stdout" | tr '\n' ' ')" = '"needs": "" "needs": "" "needs": "nested-16-s1" ' ] ||
  fail "nested needs: $stdout"
works "${sweep[@]}" -k 8 -m fsq,random --seeds 2 --list
[[ $stdout == *"fsq-8-s1"*"fsq-8-s2"* && $stdout != *random* ]] || fail "seeds: $stdout"

# ---- a whole sweep, and one that is killed ----

# cells FOLDER: the results without what the machine decides.
cells() {
  for cell in "$1"/cells/*.json; do
    sed '/"machine": {/,/}/d' "$cell"
  done
}

# kill_when FILE ARGUMENTS...: the program, killed without warning as soon as there is such a file.
kill_when() {
  local file=$1
  shift
  "$program" "$@" >/dev/null 2>&1 &
  pid=$!
  await $pid [ -e "$file" ] || true
  {
    kill -9 "$pid" || fail "the sweep ended before it could be killed"
    wait "$pid" || true
  } 2>/dev/null
  [ -e "$file" ] || fail "there was no $file"
}

# A cell alone in a new folder: first the network that it is measured with.
works "${sweep[@]}" "${small_grid[@]}" -o alone --cell retrained-8-s1
[ "$(ls alone/cells)" = "$(printf '%s\n' features.json retrained-8-s1.json)" ] || fail "--cell made $(ls alone/cells)"

mkdir whole killed
cd whole
works "${sweep[@]}" "${small_grid[@]}"
[[ $stdout == *"cells: ${#small_cells[@]}"*"done: ${#small_cells[@]}"*"report: sweep/report.html"* ]] || fail "eval sweep: $stdout"
cd ..

cd killed
works "${sweep[@]}" "${small_grid[@]}" --next
[ "$(ls sweep/cells)" = features.json ] || fail "--next made $(ls sweep/cells)"
kill_when sweep/models/retrained-16-s1/tokenizer.json "${sweep[@]}" "${small_grid[@]}"
[ ! -e sweep/cells/retrained-16-s1.json ] || fail "the cell was done before the sweep was killed"
before=$(stat -c '%i %y' sweep/cells/features.json sweep/models/retrained-16-s1/tokenizer.json)
works "${sweep[@]}" "${small_grid[@]}" --cell merge-8-s1
[ "$(ls sweep/cells)" = "$(printf '%s\n' features.json merge-8-s1.json retrained-16-s1.json)" ] || fail "--cell made $(ls sweep/cells)"
works "${sweep[@]}" "${small_grid[@]}" --list
[[ $stdout == *"merge-8-s1  done  retrained-16-s1"* ]] || fail "--list: $stdout"
works "${sweep[@]}" "${small_grid[@]}"
[ "$before" = "$(stat -c '%i %y' sweep/cells/features.json sweep/models/retrained-16-s1/tokenizer.json)" ] ||
  fail "what was done was done again"
cd ..
diff <(cells whole/sweep) <(cells killed/sweep) || fail "the cells of a killed sweep differ"
[ "$(ls killed/sweep/models)" = "$(printf '%s\n' features nested-16-s1 retrained-16-s1)" ] ||
  fail "models that nothing needs are kept: $(ls killed/sweep/models)"

# ---- killed in the middle of a training ----

# A cell whose first command is a training of some seconds, which saves every second.
long=(eval sweep "${data[@]}" --threads 1 -m retrained -k 8 --tokenizer-steps 2000 --generator-steps 0 --feature-steps 0
  --tokenizer-options "--patch 8 --dim 6 --width 16 --decoder-blocks 1 --save-every 1" --train-clips 20 --count 4 --distribution 0)
works "${long[@]}" -o whole-long
[[ $stderr != *"goes on after step"* ]] || fail "a training that was not stopped: $stderr"
checkpoint=killed-long/models/retrained-8-s1/tokenizer.safetensors.checkpoint
kill_when $checkpoint "${long[@]}" -o killed-long
works "${long[@]}" -o killed-long
[[ $stderr =~ $checkpoint": goes on after step "[1-9][0-9]*" of 2000" ]] || fail "the killed training began anew: $stderr"
diff <(cells whole-long | sed 's/whole-long/killed-long/g') <(cells killed-long) || fail "the cell of a killed training differs"
works "${long[@]}" -o killed-long
[[ $stderr != *"cell retrained"* ]] || fail "a cell that is done is made again: $stderr"

# A cell that is being trained on after its codes were merged: the first file of the smaller model is there already.
finetuned=("${sweep[@]}" -m merge-finetuned -k 16,8 --feature-steps 0 --finetune-steps 60 --captions 0 --distribution 0)
works "${finetuned[@]}" -o whole-finetuned
kill_when killed-finetuned/models/merge-finetuned-8-s1/model-8/tokenizer.safetensors "${finetuned[@]}" -o killed-finetuned
[ ! -e killed-finetuned/cells/merge-finetuned-8-s1.json ] || fail "the cell was done before the sweep was killed"
works "${finetuned[@]}" -o killed-finetuned
diff <(cells whole-finetuned | sed 's/whole-finetuned/killed-finetuned/g') <(cells killed-finetuned) ||
  fail "the cell of a killed fine-tuning differs"

# ---- what comes of it ----

cd whole/sweep
[ "$(wc -l <sweep.jsonl)" = 9 ] || fail "sweep.jsonl has $(wc -l <sweep.jsonl) lines"
[ "$(wc -l <sweep.csv)" = 10 ] || fail "sweep.csv has $(wc -l <sweep.csv) lines"
[ "$(awk -F, '{ print NF }' sweep.csv | sort -u | wc -l)" = 1 ] || fail "sweep.csv has rows of different lengths"
cell=$(cat cells/merge-8-s1.json)
# 2 x 8 x 8 codes of 3 bits; residual: two levels of 4 codes have the 4 bits of 16.
[[ $cell == *'"tokens_per_clip": 128'*'"raw_bits_per_clip": 384.0'* ]] || fail "bits of merge-8-s1: $cell"
[[ $(cat cells/residual-16-s1.json) == *'"level_codes": 4,'*'"tokens_per_clip": 256'*'"raw_bits_per_clip": 512.0'* ]] ||
  fail "bits of residual-16-s1: $(cat cells/residual-16-s1.json)"
[[ $(cat cells/factorised-16-s1.json) == *'"level_codes": 4,'*'"levels": 2,'*"--fsq-levels 4,4 --levels 2"* ]] ||
  fail "factorised-16-s1: $(cat cells/factorised-16-s1.json)"
# Encoder and codebook stay, and so do the codes, whatever is trained on; the control's clips are decoded otherwise.
for key in codes_used perplexity samples_median; do
  for pair in "control-16-s1 retrained-16-s1" "merge-finetuned-8-s1 merge-8-s1"; do
    read -r trained plain <<<"$pair"
    [ "$(grep "\"$key\"" "cells/$trained.json")" = "$(grep "\"$key\"" "cells/$plain.json")" ] ||
      fail "$trained has other codes than $plain: $key"
    [ "$(grep '"psnr"' "cells/$trained.json")" != "$(grep '"psnr"' "cells/$plain.json")" ] || fail "$trained was not trained on"
  done
done
grep -q -- '--nested' cells/nested-16-s1.json || fail "nested-16-s1: $(cat cells/nested-16-s1.json)"
grep -q 'nested-16-s1/train.ptok .*--method nested' cells/nested-8-s1.json || fail "nested-8-s1: $(cat cells/nested-8-s1.json)"
for key in psnr ssim codes_used perplexity bits_per_clip samples_median under_100 caption_accuracy_seen \
  reconstructed_frechet generated_frechet generated_precision generated_recall generated_density generated_coverage \
  tokenizer_bytes generator_bytes codes_per_second softmax_share peak_memory seconds; do
  [[ $cell =~ \"$key\":\ [0-9.] ]] || fail "merge-8-s1 has no $key: $cell"
done
grep -q '<td>merge-8-s1</td>' report.html || fail "report.html has no row of merge-8-s1"
if command -v gnuplot >/dev/null; then
  [ "$(grep -c '<svg' report.html)" -ge 20 ] || fail "report.html has $(grep -c '<svg' report.html) plots"
fi
if grep -q '"joules_per_clip": null' cells/merge-8-s1.json; then
  grep -q 'Not measured: joules a clip. .* no counter' report.html || fail "report.html does not say why it has no joules"
fi
cd ..
PATH=/nonexistent "$program" "${sweep[@]}" "${small_grid[@]}" >/dev/null 2>said || fail "without gnuplot: $(cat said)"
grep -q "no plots: gnuplot is not installed" said || fail "without gnuplot: $(cat said)"
! grep -q '<svg' sweep/report.html || fail "a report without gnuplot has plots"
grep -q 'gnuplot, which draws them, did not run' sweep/report.html || fail "a report without gnuplot says nothing"

# ---- without generators ----

works "${sweep[@]}" "${small_grid[@]}" -m fsq,fewer-tokens -k 16,4 --generator-steps 0 --feature-steps 0 -o plain
[[ $stdout == *"cells: 3"*"done: 3"* ]] || fail "a sweep of tokenizers: $stdout"
[[ $(cat plain/cells/fewer-tokens-4-s1.json) == *'"level_codes": 16,'*'"levels": 2,'*'"patch": 8,'*'"raw_bits_per_clip": 256.0'* ]] ||
  fail "fewer-tokens-4-s1: $(cat plain/cells/fewer-tokens-4-s1.json)"
grep -q 'Not measured: bits per clip, generator. no generators' plain/report.html ||
  fail "the report of a sweep of tokenizers does not say what is missing"
cd ..

# ---- a cell that fails ----

# What is in the way is a folder where a file is to be.
failing=("${sweep[@]}" -m fsq -k 16,4 --generator-steps 0 --feature-steps 0 --distribution 0 -o failing)
mkdir -p failing/models/fsq-16-s1/tokenizer.safetensors
run "${failing[@]}" --next
[ "$status" = 1 ] && [[ $stderr == *"the sweep goes on"*"pocketpoet: 1 cell failed: fsq-16-s1"* ]] || fail "a cell that fails: $status: $stderr"
[ "$(ls failing/cells)" = fsq-4-s1.json ] || fail "--next stopped at a cell that fails: $(ls failing/cells)"
grep -q '<td>fsq-4-s1</td>' failing/report.html || fail "the report has no row of fsq-4-s1"
run "${failing[@]}" --next
[ "$status" = 1 ] && [[ $stderr == *"1 cell failed: fsq-16-s1"* ]] || fail "--next where no other cell is open: $status: $stderr"
rmdir failing/models/fsq-16-s1/tokenizer.safetensors
works "${failing[@]}" --next
[[ $stdout == *"done: 2"* ]] || fail "a cell that failed is not tried again: $stdout"

# ---- what is refused ----

cd whole
refuses 1 "sweep/sweep.json: the sweep there has another 'tokenizer_steps'" "${sweep[@]}" "${small_grid[@]}" --tokenizer-steps 4
refuses 1 "another 'greatest_codes'" "${sweep[@]}" -m merge -k 32,8
refuses 1 "another 'speed'" "${sweep[@]}" "${small_grid[@]}" --speed 0.06
sed 's/"device": "[a-z]*"/"device": "cuda"/' sweep/sweep.json >elsewhere.json
cp sweep/sweep.json own.json
cp elsewhere.json sweep/sweep.json
refuses 1 "another 'device'" "${sweep[@]}" "${small_grid[@]}"
cp own.json sweep/sweep.json
model=sweep/models/retrained-16-s1
refuses 2 "--features wants --distribution" eval "${data[@]}" -m $model --captions 0 --features sweep/models/features/reader.safetensors
refuses 2 "--distribution: 5 held-out clips are fewer than 6" eval "${data[@]}" -m $model --captions 0 --distribution 5
refuses 1 "$model/tokenizer.safetensors: is not a reader" eval "${data[@]}" -m $model --captions 0 --distribution 8 \
  --features $model/tokenizer.safetensors
works eval "${data[@]}" -m $model --captions 0 --distribution 8 --json
[[ $stdout == *'"features": "fresh"'*'"training"'*'"reconstructed"'*'"generated"'* ]] || fail "eval --distribution: $stdout"
refuses 2 "eval sweep wants DATA" eval sweep -o x
refuses 2 "eval sweep wants --output FOLDER" eval sweep "${data[@]}"
refuses 2 "--methods: there is no method 'mrege'" "${sweep[@]}" -m mrege
refuses 2 "--methods: there is no method ''" "${sweep[@]}" -m merge,
refuses 2 "--codes: '16,x' is not a list" "${sweep[@]}" -k 16,x
refuses 2 "--codes: '16,' is not a list" "${sweep[@]}" -k 16,
refuses 2 "--codes: 16 is there twice" "${sweep[@]}" -k 16,8,16
refuses 2 "leave no cell" "${sweep[@]}" -k 7 -m fsq
refuses 2 "the sweep has no cell 'merge-9-s1'" "${sweep[@]}" "${small_grid[@]}" --cell merge-9-s1
refuses 2 "--cell, --next and --list" "${sweep[@]}" --next --list
refuses 2 "--distribution: 5 clips are fewer than 6" "${sweep[@]}" --distribution 5
refuses 2 "--patch: 5 is neither" "${sweep[@]}" --patch 5
refuses 1 "no-such-folder: cannot be opened" eval sweep no-such-folder -o lost -k 16 -m fsq
refuses 2 "synth:shapes: frames of 30x30: both sides must be multiples of 4" eval sweep synth:shapes --size 30 -o lost
refuses 2 "has 5 held-out clips, fewer than the 6 that can be compared" "${sweep[@]}" --heldout-clips 5 -o lost
works synth shapes -o videos -n 4 --heldout 1 --size 32 --frames 5
works import videos/train -o one-side --size 32 --frames 5 --heldout 0 --uncaptioned
refuses 2 "one-side: has no held-out clips" eval sweep one-side -o lost

# One K alone, and parts of plots that have the same names.
if command -v gnuplot >/dev/null; then
  works "${sweep[@]}" -m fsq -k 16 --generator-steps 0 --feature-steps 0 --distribution 0 -o single
  [[ $(cat single/plots/gnuplot.printed) != *[Ww]arning* && $stderr != *[Ww]arning* ]] || fail "gnuplot: $stderr"
  [ -z "$(grep -o " id=['\"][^'\"]*" single/report.html | sort | uniq -d)" ] || fail "names that are twice in report.html"
  [ "$(grep -c "href='#plot0-gpPt" single/report.html)" -gt 0 ] || fail "points without their shapes"
fi

# Options that made nothing do not bind those that follow.
misspelt=("${sweep[@]}" -m fsq -k 16 --generator-steps 0 --feature-steps 0 --distribution 0 -o misspelt)
run "${misspelt[@]}" --tokenizer-options "--widht 8" --quiet
[ "$status" = 1 ] && [[ $stderr == *"did you mean"*"1 cell failed: fsq-16-s1"* ]] || fail "a wrong option of a command: $status: $stderr"
works "${misspelt[@]}"
grep -q '"tokenizer_options": "--dim 6 --width 8 --decoder-blocks 1"' misspelt/sweep.json || fail "sweep.json: $(cat misspelt/sweep.json)"
refuses 1 "another 'tokenizer_options'" "${misspelt[@]}" --tokenizer-options "--widht 8"

exit $((failures > 0))

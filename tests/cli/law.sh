#!/bin/bash
# law.sh PROGRAM ROOT: samples/law.awk finds the exponents that curves were made with; samples/law.sh at toy size is killed,
# goes on, and makes no cell twice.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"
root=$2
for tool in jq gnuplot; do
  command -v $tool >/dev/null || { echo "there is no $tool"; exit 77; }
done

# ---- the fit ----

# curves NOISE: cells of a grid whose best K is parameters^0.4 clips^0.2 2^-3.5, and 2 to the power of parabolas around it.
curves() {
  awk -v noise="$1" 'BEGIN {
    srand(3)
    OFS = "\t"
    split("56000 660000 5700000", parameters, " ")
    split("500 2000 8000", clips, " ")
    for (i = 1; i <= 3; i++)
      for (j = 1; j <= 3; j++)
        for (k = 4; k <= 10; k++) {
          least = 0.4 * log(parameters[i]) / log(2) + 0.2 * log(clips[j]) / log(2) - 3.5
          error = noise * (rand() + rand() + rand() - 1.5)
          print clips[j], "model" i, parameters[i], 2 ^ k, 1, 0, 0, 0, 2 ^ (3 + i - j + 0.1 * (k - least) ^ 2 + error)
        }
  }'
}
fit() {
  awk -v column=9 -v scale=log -v name=it -f "$root/samples/law.awk"
}
said=$(curves 0 | fit)
[[ $said == *"it: best K grows as parameters^0.40 (95% interval 0.40 to 0.40)"*"as clips^0.20 (95% interval 0.20 to 0.20)"* ]] ||
  fail "curves without noise: $said"
[[ $said == *"it: model1, 500 clips: best at 24 codes"* ]] || fail "the best K of a curve: $said"
said=$(curves 0.3 | fit)
read -r low high < <(sed -n 's/.*parameters.*interval \([0-9.-]*\) to \([0-9.-]*\)).*/\1 \2/p' <<<"$said")
awk -v low="${low:-9}" -v high="${high:-0}" 'BEGIN { exit !(low < 0.4 && high > 0.4 && high - low > 0.02 && high - low < 0.4) }' ||
  fail "curves with noise: $said"
said=$(curves 6 | fit)
[[ $said == *"no interval: in "* || $said == *"have no least"* ]] || fail "noise alone has an interval: $said"
# The best K of 0.056 M parameters is below 64 codes.
said=$(curves 0 | awk -F'\t' '$4 >= 64' | fit)
[[ $said == *"model1, 500 clips: best at 24 codes, outside the grid"*"parameters^0.40"* ]] || fail "the edge of the grid: $said"
said=$(curves 0 | grep -P '\tmodel1\t' | fit)
[[ $said == *"do not decide an exponent yet"* ]] || fail "one generator: $said"
said=$(curves 0 | grep -P '^500\t' | fit)
[[ $said == *"parameters^0.40"* && $said != *"as clips"* ]] || fail "one number of clips: $said"

# ---- the grid ----

export POCKETPOET=$program CODES="4 8 16" MODELS="16x1 32x1" CLIPS="20 40" SEEDS=1 TOKENIZER_STEPS=2 READER_STEPS=2 \
  GENERATOR_STEPS=2 MEASURE=8
law() {
  "$root/samples/law.sh" law >said 2>&1 || fail "law.sh: status $?: $(cat said)"
}
MINUTES=0 law
grep -q "the time is up" said && grep -q "there is no cell yet" said || fail "no time: $(cat said)"

setsid "$root/samples/law.sh" law >/dev/null 2>&1 &
pid=$!
two_cells() {
  [ "$(find law -name '*-s1.json' | wc -l)" -ge 2 ]
}
await $pid two_cells || true
{
  kill -9 -- "-$pid" || fail "law.sh ended before it could be killed"
  wait "$pid" || true
} 2>/dev/null
# The smallest generator is first.
ls law/cells/4-16x1-20-s1.json law/cells/8-16x1-20-s1.json >/dev/null || fail "the first cells: $(ls law/cells)"
before=$(stat -c '%n %i %y' law/cells/*.json)
MINUTES=0 law
grep -q "frechet: " said || fail "the fit of the cells there are: $(cat said)"
law
[ "$(wc -l <law/law.tsv)" = 12 ] || fail "law.tsv: $(cat law/law.tsv)"
[ "$before" = "$(cut -d' ' -f1 <<<"$before" | xargs stat -c '%n %i %y')" ] || fail "cells were made twice"
grep -q "frechet: 12 cells\|frechet: the curves of 12 cells" law/law.txt || fail "law.txt: $(cat law/law.txt)"
grep -q '<svg' law/law.svg || fail "there are no curves"
cells=$(stat -c '%n %i %y' law/cells/*.json)
law
[ "$cells" = "$(stat -c '%n %i %y' law/cells/*.json)" ] || fail "a grid that is done was made again"

head -5 law/law.tsv >taken.tsv
MINUTES=0 CELLS=taken.tsv "$root/samples/law.sh" other >said 2>&1 || fail "CELLS: status $?: $(cat said)"
cmp -s taken.tsv other/law.tsv || fail "cells that were taken over: $(diff taken.tsv other/law.tsv)"

exit $((failures > 0))

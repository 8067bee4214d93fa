#!/bin/bash
# recipe.sh PROGRAM ROOT: a model by samples/recipe.sh at toy size, pictures first and the generator in three runs; where a file is
# missing, stages go on from there to the same bits, and what is there is not made again.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"
root=$2
command -v gnuplot >/dev/null || { echo "there is no gnuplot"; exit 77; }

cat >train.sh <<'END'
set -euo pipefail
. "$repository/samples/recipe.sh"
tokenizer_options=(--patch 8 --codes 32 --dim 6 --width 8 --decoder-blocks 1 --batch 2 --steps 4)
network_options=(--width 32 --layers 1 --heads 2 --slot-width 16 --slot-heads 2 --slot-layers 1)
picture_count=20 picture_encoding=(--frames 1) picture_options=("${network_options[@]}" --batch 4 --steps 3)
clip_count=20
generator_options=(--batch 2 --steps 4 --report-every 2)
longer_runs=("--batch 2 --steps 5 --report-every 2" "--batch 3 --steps 4 --report-every 2")
train_model model work synth:shapes --size 32 --frames 5 --clips 40 --heldout-clips 8
END

train() {
  POCKETPOET=$program repository=$root bash train.sh >said 2>&1 || fail "$1: $(cat said)"
}

train "the whole"
for file in model/{tokenizer.safetensors,tokenizer.coverage.json,generator.safetensors,model-curves.png} work/generator-{1,2,3}.jsonl; do
  [ -s "$file" ] || fail "there is no $file"
done
cmp -s work/generator-3.safetensors model/generator.safetensors || fail "the model's generator is not that of the last run"
cmp -s work/generator-2.safetensors work/generator-3.safetensors && fail "the last run learned nothing"

cp model/generator.safetensors before
rm work/generator-2.safetensors work/generator-3.safetensors work/generator-[23].jsonl
made=$(stat -c '%n %i %y' work/{pictures,clips}*.ptok work/generator-1.safetensors)
train "from its second run on"
cmp -s before model/generator.safetensors || fail "the last two runs, made again, have other bits"
[ "$made" = "$(stat -c '%n %i %y' work/{pictures,clips}*.ptok work/generator-1.safetensors)" ] || fail "a stage was done again"

exit $((failures > 0))

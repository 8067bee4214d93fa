#!/bin/bash
# formats.sh PROGRAM SOURCES: every key that a command prints with --json has its row in docs/formats.md.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"
formats=$2/docs/formats.md
limit=300

# documented HEADING: the words between backticks of that section; of a.b both a and b.
documented() {
  awk -v heading="## $1" '$0 == heading { on = 1; next } /^## / { on = 0 } on' "$formats" | grep -o '`[^`]*`' | tr -d '`' | tr '., ' '\n'
}

# has_rows HEADING WHAT [KEY...]: the keys of $stdout, but for sizes and these, are among the words of that section, where * stands for any.
has_rows() {
  local words key word found
  words="$(documented "$1") ${*:3}"
  [ -n "$words" ] || fail "docs/formats.md has no section '$1'"
  set -f
  for key in $(grep -o '"[^"]*":' <<<"$stdout" | tr -d '":' | sort -u); do
    found=$([[ $key =~ ^[0-9]+$ ]] && echo yes || true)
    for word in $words; do
      [[ $key == $word ]] && found=yes
    done
    [ -n "$found" ] || fail "docs/formats.md, $1: no row of '$key', which $2 prints"
  done
  set +f
}

mkdir model
works train-tokenizer "${data[@]}" "${small[@]}" --steps 6 -o model/tokenizer.safetensors
works encode "${data[@]}" -t model/tokenizer.safetensors -o train.ptok
works train-generator train.ptok -t model/tokenizer.safetensors "${tiny[@]}" --steps 3 -o model/generator.safetensors

works codebook shrink "${data[@]}" --domain "${data[0]}" --model ./model -k 8 -o small --heldout "${data[0]}" --measure 4 \
  --finetune-steps 1 --json
has_rows '`codebook --json`' "codebook shrink"
works codebook remap train.ptok -m small-8/remap.safetensors -o small.ptok --json
has_rows '`codebook --json`' "codebook remap"
works codebook inspect train.ptok --model ./model --json
has_rows '`codebook --json`' "codebook inspect"
works codebook recommend "${data[@]}" --model ./model --json
has_rows '`codebook --json`' "codebook recommend"
works eval coverage "${data[@]}" --model ./model --save-reference model/tokenizer.coverage.json --json
has_rows '`eval coverage --json`' "eval coverage --save-reference"
works eval coverage "${data[@]}" --model ./model --pictures worst --json
has_rows '`eval coverage --json`' "eval coverage"
works eval sweep "${data[@]}" -o sweep --threads 1 -m merge-finetuned -k 16,8 --tokenizer-steps 3 --generator-steps 2 --finetune-steps 2 \
  --tokenizer-options "--patch 8 --dim 6 --width 8 --decoder-blocks 1" --generator-options "${tiny[*]}" --train-clips 20 --count 4 \
  --captions 2 --distribution 8 --speed 0.05
stdout=$(cat sweep/cells/merge-finetuned-8-s1.json)
has_rows '`eval sweep`' "a cell of eval sweep"

works eval "${data[@]}" --model ./model --count 4 --captions 2 --distribution 8 --speed 0.05 --json
has_rows '`eval --json`' "eval" background colour motion shape size speed
works bench --model ./model --only generate --seconds 0.1 --json
has_rows '`bench --json`' "bench --only generate"
for part in decode train-generator train-tokenizer; do
  works bench --model ./model --only $part --seconds 0.1 --width 64 --layers 1 --batch 1 --tokenizer-batch 1 --json
  has_rows '`bench --json`' "bench --only $part"
done
works bench --model ./model --only kernels --count --json
has_rows '`bench --json`' "bench --only kernels"
works train-reader "${data[@]}" -o reader.safetensors --steps 2 --batch 2 --width 8 --json
has_rows '`train-reader --json`' "train-reader" attributes interval accuracy clips background colour motion shape size speed

exit $((failures > 0))

# Sourced by the scripts that run the program, most of all those that train: from clips to a model, stage after stage. A stage whose file is there is done; one
# that was interrupted goes on from its checkpoint.

program=${POCKETPOET:-$repository/build/release/pocketpoet}
longer_runs=()

# build_program PACKAGE...: builds the program, with these packages beside those it needs, unless $POCKETPOET names one.
build_program() {
  [ -z "${POCKETPOET:-}" ] || return 0
  install_packages "${build_packages[@]}" "$@"
  build_preset release pocketpoet
}

# stage FILE COMMAND...
stage() {
  local file=$1
  shift
  [ -e "$file" ] || "$@"
}

# kept FILE COMMAND...: the same for what a command prints; the file is there when all of it is.
kept() {
  local file=$1
  shift
  [ ! -e "$file" ] || return 0
  "$@" >"$file.tmp"
  mv "$file.tmp" "$file"
}

# encode_clips NAME DATA [OPTION...]: the tokens of training clips and of held-out ones, NAME.ptok and NAME-heldout.ptok.
# count is how many, 0 for all; encode_options is for both.
encode_clips() {
  local name=$1
  shift
  stage "$work/$name.ptok" "$poet" encode "$@" -t "$tokenizer" -o "$work/$name.ptok" --count "$count" \
    "${encode_options[@]}"
  stage "$work/$name-heldout.ptok" "$poet" encode "$@" -t "$tokenizer" -o "$work/$name-heldout.ptok" \
    --split heldout-seen --count 400 "${encode_options[@]}"
}

# train_generator NAME TOKENS [OPTION...]: NAME.safetensors on the tokens of encode_clips.
train_generator() {
  local name=$1 tokens=$2
  shift 2
  stage "$work/$name.safetensors" "$poet" train-generator "$work/$tokens.ptok" -t "$tokenizer" \
    -o "$work/$name.safetensors" --heldout "$work/$tokens-heldout.ptok" --metrics "$work/$name.jsonl" "$@"
}

# train_model MODEL_FOLDER WORK_FOLDER DATA [OPTION...]: DATA and its options as for train-tokenizer. The arrays
# tokenizer_options, picture_options and generator_options say how, picture_count and clip_count on how many (0: all).
# Pictures, frames of clips (picture_encoding says which), are learned before clips: a step on them is cheap, and what a
# thing looks like is most of what there is to learn. No picture_options, no pictures. Each of longer_runs, options in a
# string, is a further training of the generator on clips, from what the one before it learned.
train_model() {
  local model=$1 work=$2 poet=$program
  local tokenizer=$work/tokenizer.safetensors count encode_options run=1 options words
  shift 2
  mkdir -p "$model" "$work"
  stage "$tokenizer" "$poet" train-tokenizer "$@" -o "$tokenizer" --metrics "$work/tokenizer.jsonl" \
    "${tokenizer_options[@]}"
  stage "$work/tokenizer.coverage.json" "$poet" eval coverage "$@" -t "$tokenizer" --count "$clip_count" \
    --save-reference "$work/tokenizer.coverage.json"
  if [ "${#picture_options[@]}" -gt 0 ]; then
    count=$picture_count encode_options=("${picture_encoding[@]}")
    encode_clips pictures "$@"
    train_generator pictures pictures "${picture_options[@]}"
    generator_options+=(--from "$work/pictures.safetensors")
  fi
  count=$clip_count encode_options=()
  encode_clips clips "$@"
  train_generator generator-1 clips "${generator_options[@]}"
  for options in "${longer_runs[@]}"; do
    read -ra words <<<"$options"
    train_generator "generator-$((run + 1))" clips --from "$work/generator-$run.safetensors" "${words[@]}"
    run=$((run + 1))
  done
  cp "$tokenizer" "$work/tokenizer.coverage.json" "$model/"
  cp "$work/generator-$run.safetensors" "$model/generator.safetensors"
  "$repository/samples/curves.sh" "$work" "$model/$(basename "$model")-curves.png"
  echo "model: $model"
}

# Sourced by train.sh and sprites.sh: from clips to a model, stage after stage. A stage whose file is there is done; one
# that was interrupted goes on from its checkpoint.

# stage FILE COMMAND...
stage() {
  local file=$1
  shift
  [ -e "$file" ] || "$@"
}

# train_model MODEL_FOLDER WORK_FOLDER DATA [OPTION...]: DATA and its options as for train-tokenizer. The arrays
# tokenizer_options, encode_options and generator_options say how.
train_model() {
  local model=$1 work=$2 poet=$repository/build/release/pocketpoet
  local tokenizer=$work/tokenizer.safetensors generator=$work/generator.safetensors
  local coverage=$work/tokenizer.coverage.json
  shift 2
  mkdir -p "$model" "$work"
  stage "$tokenizer" "$poet" train-tokenizer "$@" -o "$tokenizer" --metrics "$work/tokenizer.jsonl" \
    "${tokenizer_options[@]}"
  stage "$work/train.ptok" "$poet" encode "$@" -t "$tokenizer" -o "$work/train.ptok" "${encode_options[@]}"
  stage "$work/heldout.ptok" "$poet" encode "$@" -t "$tokenizer" -o "$work/heldout.ptok" --split heldout-seen \
    --count 400
  stage "$coverage" "$poet" eval coverage "$@" -t "$tokenizer" --save-reference "$coverage" --count 0 "${encode_options[@]}"
  stage "$generator" "$poet" train-generator "$work/train.ptok" -t "$tokenizer" -o "$generator" \
    --heldout "$work/heldout.ptok" --metrics "$work/generator.jsonl" "${generator_options[@]}"
  cp "$tokenizer" "$generator" "$coverage" "$model/"
  "$repository/samples/curves.sh" "$work" "$model/curves.png"
  echo "model: $model"
}

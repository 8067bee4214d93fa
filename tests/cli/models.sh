#!/bin/bash
# models.sh PROGRAM: where a model is looked for, and what is said when it is not there or broken.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

mkdir -p models/tiny models/notes data
touch models/tiny/tokenizer.safetensors models/single.safetensors models/notes/README.md
export POCKETPOET_MODELS=models

works info --json
for name in tiny single; do
  [[ $stdout == *"\"name\": \"$name\""* ]] || fail "info does not list $name: $stdout"
done
[[ $stdout != *notes* && $stdout != *README* ]] || fail "info lists what is no model: $stdout"

refuses 1 "models/tiny/tokenizer.safetensors: is too short for a model" info tiny
refuses 1 "models/single.safetensors: is too short for a model" info single
refuses 1 "models/single.safetensors: is too short for a model" info models/single.safetensors
refuses 1 "nothing: there is no such model; models" info nothing
refuses 1 "data: there is no such model; models" info data
refuses 1 "single, tiny" info ''
refuses 1 "there is no such model" info "$(head -c 5000 /dev/zero | tr '\0' m)"

exit $((failures > 0))

#!/bin/bash
# samples/pictures.sh: draws the pictures of the README with the sample models.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$repository/samples/packages.sh"
. "$repository/samples/recipe.sh"
build_program
poet=$program
"$poet" generate --prompts "$repository/samples/prompts.txt" --model shapes \
  --sheet "$repository/docs/shapes.png" --sheet-enlarge 1
"$poet" generate --prompts "$repository/samples/sprites-prompts.txt" --model sprites \
  --sheet "$repository/docs/sprites.png" --sheet-enlarge 2
for set in shapes digits street; do
  "$poet" synth "$set" --count 2 --sheet "$repository/docs/synth-$set.png" >/dev/null
done

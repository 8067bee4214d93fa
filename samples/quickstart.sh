#!/bin/bash
# samples/quickstart.sh "PROMPT" OUT.mp4 [OPTION...]
# From a fresh Debian or Ubuntu to a clip: installs missing packages (as root or with sudo), builds
# a release, and makes the clip and its contact sheet with the model that comes with PocketPoet.
# Further options are those of 'pocketpoet generate'.
set -euo pipefail

if [ $# -lt 2 ]; then
  sed -n '2,5s/^# \?//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
prompt=$1 clip=$2 sheet=${2%.*}.png
[ "$sheet" != "$clip" ] || sheet=${2%.*}-sheet.png
shift 2
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$repository/samples/packages.sh"
. "$repository/samples/recipe.sh"

[ -e "$program" ] || say "building (only this once)"
build_program
"$program" generate "$prompt" --output "$clip" --sheet "$sheet" "$@"

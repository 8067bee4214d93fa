#!/bin/bash
# sanitizer.sh CHECKCARD: compute-sanitizer's tools over operations on the card, one small case of each family. Skipped where
# there is no compute-sanitizer, or no card.
set -euo pipefail
check=$1

command -v compute-sanitizer >/dev/null || { echo "skipped: there is no compute-sanitizer"; exit 77; }
mapfile -t cases < <("$check" --list | awk -F: '!seen[$1]++')
"$check" "${cases[0]}" || exit $?
for tool in memcheck racecheck initcheck synccheck; do
  echo "$tool"
  compute-sanitizer --tool "$tool" --error-exitcode 1 "$check" "${cases[@]}"
done

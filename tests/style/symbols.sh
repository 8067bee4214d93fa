#!/bin/bash
# symbols.sh BUILD: every external symbol of the modules' libraries starts with poet_, so that they
# can be linked into any program.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

libraries=$(find . -name 'libpoet_*.a')
[ -n "$libraries" ] || { echo "no libpoet_*.a in $root"; exit 1; }
violations=$(for library in $libraries; do
  nm --extern-only --defined-only --format=posix "$library" |
    awk -v library="$library" 'NF >= 3 && $1 !~ /^poet_/ { print library ": external symbol " $1 }'
done)
finish "$violations" symbols

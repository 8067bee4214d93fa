#!/bin/bash
# tidy.sh ROOT BUILD: clang-tidy finds nothing. Takes minutes, so it runs only when POET_TIDY is
# set, as .ci/run does.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
build=$2

[ -n "${POET_TIDY:-}" ] || { echo "skipped: POET_TIDY is not set"; exit 77; }
clang-tidy --version 2>/dev/null | grep -q 'version 14' || { echo "skipped: needs clang-tidy 14"; exit 77; }
# *_cuda.c is compiled only where nvcc is.
violations=$(source_files | grep -E "^($modules)/.*\.c$" | grep -v '_cuda\.c$' |
  xargs -r -P "$(nproc)" -n 1 clang-tidy -p "$build" --quiet 2>/dev/null || true)
finish "$violations" tidy

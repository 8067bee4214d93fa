#!/bin/bash
# headers.sh ROOT: every header, public or private, compiles alone. Not so *_kernel.h, which are
# texts that a source includes once for each width of vector.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

compile_alone() {
  local flags=(-std=gnu11 -D_GNU_SOURCE -Wall -Wextra -I. -fsyntax-only)
  echo "#include \"$1\"" | ${CC:-cc} "${flags[@]}" -xc - 2>&1 || echo "$1 does not compile alone"
}
export -f compile_alone
violations=$(source_files | grep -E "^($modules)/.*\.h$" | grep -v '_kernel\.h$' |
  xargs -r -P "$(nproc)" -I{} bash -c 'compile_alone {}')
finish "$violations" headers

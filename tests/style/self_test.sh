#!/bin/bash
# self_test.sh: each check accepts a clean tree and finds the violation that is planted in it.
set -euo pipefail
checks=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

fail() {
  echo "$*"
  failures=$((failures + 1))
}

# A tree of two modules and no violation.
clean_tree() {
  rm -rf "$work/tree"
  mkdir -p "$work/tree/base" "$work/tree/codec"
  cd "$work/tree"
  cp "$checks/../../.clang-format" "$checks/../../.clang-tidy" .
  printf 'int poet_one(void);\n' >base/one.h
  printf '#include "base/one.h"\n\nint poet_one(void)\n{\n    return 1;\n}\n' >base/one.c
  printf '#include "base/one.h"\n#include <zstd.h>\n' >codec/two.h
  cc -c -I. base/one.c -o one.o
  ar rcs libpoet_base.a one.o
  printf '[{"directory": "%s", "file": "base/one.c", "command": "cc -I. -c base/one.c"}]' "$PWD" \
    >compile_commands.json
}

# accepts CHECK, rejects CHECK TEXT: the check's verdict on the tree as it is.
accepts() {
  POET_TIDY=1 "$checks/$1.sh" . . >output 2>&1 || [ $? = 77 ] || fail "$1 rejects a clean tree: $(cat output)"
}

rejects() {
  local status=0
  POET_TIDY=1 "$checks/$1.sh" . . >output 2>&1 || status=$?
  [ "$status" != 77 ] || return 0
  [ "$status" = 1 ] && grep -qF -e "$2" output || fail "$1 does not find '$2': status $status: $(cat output)"
}

for check in layers symbols format headers names words tidy; do
  clean_tree
  accepts "$check"
done

clean_tree
echo '#include "codec/two.h"' >>base/one.c
rejects layers 'base may not include codec'

clean_tree
echo '#include <zstd.h>' >>base/one.c
rejects layers '<zstd.h> belongs only into'

clean_tree
echo '#include "one.h"' >>base/one.c
rejects layers 'is not named from the root'

clean_tree
echo '#include "base/one_internal.h"' >>codec/two.h
rejects layers 'is private to base'

clean_tree
echo 'int stray; static int quiet;' | cc -xc -c - -o stray.o
ar rcs libpoet_base.a stray.o
rejects symbols 'external symbol stray'

clean_tree
echo 'int  poet_two( void );' >>base/one.h
rejects format 'base/one.h'

clean_tree
echo 'size_t poet_size(void);' >>base/one.h
rejects headers 'base/one.h does not compile alone'

clean_tree
cp base/one.c codec/one.c
rejects names 'has the name of base/one.c'

clean_tree
cp base/one.c codec/One.c
rejects names 'is not snake_case'

clean_tree
echo '/* TO''DO: more */' >>base/one.c
rejects words 'base/one.c:7'

clean_tree
echo 'const char *const path = "/ho''me/somebody/clips";' >>base/one.c
rejects words 'base/one.c:7'

clean_tree
printf 'int poet_one(void)\n{\n    int *p = 0;\n    return *p;\n}\n' >base/one.c
rejects tidy 'NullDereference'

[ "$failures" = 0 ] && echo "every check finds what was planted"
exit $((failures > 0))

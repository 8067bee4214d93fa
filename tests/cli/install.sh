#!/bin/bash
# install.sh BUILD [CFLAGS]: installs the build into a fresh prefix, then a program outside the tree
# is compiled against it with pkg-config, and again with find_package, and run.
set -euo pipefail
build=$1 flags=${2:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
cp -r "$here/install" "$work/outside"
cd "$work/outside"

check_output() {
  local got
  got=$("$@")
  [ "$got" = "a number from 0 to 1" ] || { echo "$1 printed '$got'"; exit 1; }
}

cmake --install "$build" --prefix "$prefix" >/dev/null
mkdir -p "$prefix/share/pocketpoet/models/probe"
touch "$prefix/share/pocketpoet/models/probe/tokenizer.safetensors"
"$prefix/bin/pocketpoet" info --json | grep -q '"name": "probe"' || { echo "models beside the program are not found"; exit 1; }

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name pocketpoet.pc)")
export PKG_CONFIG_PATH
[ "$(grep -c '^Libs:' "$PKG_CONFIG_PATH/pocketpoet.pc")" = 1 ] || { echo "pocketpoet.pc has several lines of Libs"; exit 1; }
# shellcheck disable=SC2046,SC2086
cc -std=c11 -Wall -Werror $flags outside.c $(pkg-config --cflags --libs pocketpoet) -o with-pkg-config
check_output ./with-pkg-config

cmake -S . -B build -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_FLAGS="$flags" >/dev/null
cmake --build build >/dev/null
check_output build/outside

# The installed headers find each other.
while read -r header; do
  echo "#include \"$header\""
done < <(cd "$prefix/include/pocketpoet" && find . -name '*.h') >all.c
echo 'int main(void) { return 0; }' >>all.c
# shellcheck disable=SC2046
cc -std=c11 -Wall -Werror $(pkg-config --cflags pocketpoet) -fsyntax-only all.c

if find "$prefix" -name '*_internal.h' | grep .; then
  echo "private headers are installed"
  exit 1
fi
if grep -rIl --exclude-dir=models -e "$build" "$prefix"; then
  echo "the files above name the build folder"
  exit 1
fi

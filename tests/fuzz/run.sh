#!/bin/bash
# run.sh SOURCE BUILD: configures SOURCE in BUILD with clang, builds the fuzz targets and runs each for a while.
# To fuzz for longer: BUILD/tests/fuzz/fuzz_NAME FOLDER tests/fuzz/corpus/NAME
set -euo pipefail
source=$1 build=$2

probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d && n > 9 ? 0 : 0; }' >"$probe/probe.c"
clang -fsanitize=fuzzer,address,undefined "$probe/probe.c" -o "$probe/probe" 2>/dev/null ||
  { echo "skipped: needs clang with libFuzzer"; exit 77; }

cmake -S "$source" -B "$build" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Dev -DPOET_FUZZ=ON >/dev/null ||
  { echo "skipped: clang cannot configure the tree, e.g. without libomp-dev"; exit 77; }
cmake --build "$build" --target fuzz
ctest --test-dir "$build" -R '^fuzz\.' -j 2 --output-on-failure

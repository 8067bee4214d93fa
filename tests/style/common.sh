# Sourced by the checks of this folder. Each is called as CHECK.sh ROOT, prints one line for each
# violation, and ends with status 1 when there was one.
set -euo pipefail
root=$(cd "$1" && pwd)
cd "$root"
modules='base|codec|compute|cuda|datasets|tokenizer|generator|eval|cli'

# The files of the tree under their relative names: what git tracks, or, where git does not know,
# what is there.
tree_files() {
  if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$root" ]; then
    git ls-files
  else
    find . \( -name '.git' -o -path './build*' -o -path ./shared \) -prune -o -type f -print | cut -c 3-
  fi | while read -r file; do [ ! -f "$file" ] || echo "$file"; done | sort
}

# C and CUDA sources and headers, tests included.
source_files() {
  tree_files | grep -E '\.(c|h|cu|cuh|def)$' || true
}

# finish VIOLATIONS WHAT: prints them and sets the exit status.
finish() {
  [ -z "$1" ] || {
    printf '%s\n' "$1"
    exit 1
  }
  echo "$2: no violation in $root"
}

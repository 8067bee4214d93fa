#!/bin/bash
# format.sh ROOT: sources are as clang-format 14 leaves them; other versions disagree in details.
# Tables (*.def) keep their columns.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

version=$(clang-format --version 2>/dev/null | grep -oE 'version [0-9]+' || true)
[ "$version" = "version 14" ] || { echo "skipped: needs clang-format 14"; exit 77; }
violations=$(source_files | grep -v '\.def$' | xargs -r clang-format --dry-run -Werror 2>&1 || true)
finish "$violations" format

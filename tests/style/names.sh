#!/bin/bash
# names.sh ROOT: source files have snake_case names that are unique in the tree, so that a name in a
# message or a debugger is enough to find one.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

violations=$(source_files | awk -F/ '
$NF !~ /^[a-z0-9_]+\.[a-z]+$/ { print $0 ": the name is not snake_case" }
$NF in seen { print $0 ": has the name of " seen[$NF] }
{ seen[$NF] = $0 }')
finish "$violations" names

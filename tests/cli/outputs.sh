#!/bin/bash
# outputs.sh PROGRAM: what cannot be written is found out before any work: here the inputs are missing, and it is the
# output that is complained about.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

mkdir folder folder.mp4 sealed
touch file
chmod a-w sealed

# unwritable EXTENSION ARGUMENTS...: the command with -o of several impossible names.
unwritable() {
  local extension=$1
  shift
  refuses 1 "nowhere/x.$extension: cannot be created" "$@" -o "nowhere/x.$extension"
  refuses 1 "file/x.$extension: cannot be created" "$@" -o "file/x.$extension"
  [ "$(id -u)" = 0 ] || refuses 1 "sealed/x.$extension: cannot be created" "$@" -o "sealed/x.$extension"
}

unwritable ptok encode missing -t missing.safetensors
refuses 1 "folder: is a directory" encode missing -t missing.safetensors -o folder
unwritable mp4 decode missing.ptok -t missing.safetensors
refuses 1 "folder.mp4: is a directory" decode missing.ptok -t missing.safetensors -o folder.mp4
refuses 2 "x.avi: the name must end in .mp4" decode missing.ptok -t missing.safetensors -o x.avi
unwritable webm generate "a red circle" --model missing
unwritable safetensors train-tokenizer missing
unwritable safetensors train-generator missing.ptok -t missing.safetensors
[ "$(id -u)" != 0 ] || echo "not tried as root: folders without permission"

exit $((failures > 0))

#!/bin/bash
# outputs.sh PROGRAM: what cannot be written is found out before any work: here the inputs are missing, and it is the
# output that is complained about.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

mkdir folder folder.mp4
touch file

# unwritable EXTENSION ARGUMENTS...: the command with -o of several impossible names.
unwritable() {
  local extension=$1
  shift
  refuses 1 "nowhere/x.$extension: cannot be created" "$@" -o "nowhere/x.$extension"
  refuses 1 "file/x.$extension: cannot be created" "$@" -o "file/x.$extension"
}

unwritable ptok encode missing -t missing.safetensors
refuses 1 "folder: is a directory" encode missing -t missing.safetensors -o folder
unwritable mp4 decode missing.ptok -t missing.safetensors
refuses 1 "folder.mp4: is a directory" decode missing.ptok -t missing.safetensors -o folder.mp4
refuses 2 "x.avi: the name must end in .mp4" decode missing.ptok -t missing.safetensors -o x.avi
unwritable webm generate "a red circle" --model missing
unwritable safetensors train-tokenizer missing
unwritable safetensors train-generator missing.ptok -t missing.safetensors
refuses 1 "nowhere/x.jsonl: cannot be created" train-tokenizer missing -o x.safetensors --metrics nowhere/x.jsonl
refuses 1 "file: exists and is not a directory" codebook shrink missing --model missing -k 4 -o file/x
refuses 1 "file: exists and is not a directory" eval coverage missing --model missing -p file

# What is read is not written over, and two outputs have two names.
ln -s file link
refuses 2 "--output and --tokenizer: file cannot be both" train-generator missing.ptok -t link -o file
refuses 2 "--output and --from: ./file cannot be both" train-generator missing.ptok -t missing --from file -o ./file
refuses 2 "--output: ./file is what encode reads" encode file -t missing.safetensors -o ./file
refuses 2 "--output and --sheet: x.png cannot be both" generate "a red circle" -o x.png --sheet x.png
refuses 2 "--output and --sheet: x.png cannot be both" generate "a red circle" -o x.png --sheet folder/../x.png
mkfifo pipe
for special in pipe /dev/null; do
  refuses 1 "$special: is a device or a pipe" train-tokenizer missing -o $special
done
refuses 2 "--output and --metrics: x.st cannot be both" train-tokenizer missing -o x.st --metrics x.st

exit $((failures > 0))

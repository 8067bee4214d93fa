#!/bin/bash
# memory.sh PROGRAM: no run takes more memory than it announces and the program itself has, and what the machine does not
# have is refused before it is tried.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

command -v python3 >/dev/null || exit 77
grep -aq __asan_init "$program" && exit 77 # its shadow is memory too

allowance=16 # MB, of FFmpeg, oneDNN's code and what malloc loses between blocks

# peak ARGUMENTS...: runs and sets $peak, the most it had resident, in MB; what it said goes to the file "said".
peak() {
  peak=$(python3 - "$program" "$@" <<'PYTHON'
import os, subprocess, sys
run = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open("said", "w"))
_, status, usage = os.wait4(run.pid, 0)
print(usage.ru_maxrss * 1024 / 1e6 if status == 0 else -1)
PYTHON
  )
  [ "$peak" != -1 ] || fail "pocketpoet $*: $(cat said)"
}

peak info
own=$peak

# keeps_word ARGUMENTS...: the peak is at most what was announced, and that is most of it.
keeps_word() {
  peak "$@"
  announced=$(sed -n 's/.*memory.*: \([0-9.]*\) MB$/\1/p' said)
  [ -n "$announced" ] || { fail "pocketpoet $*: announced nothing: $(cat said)"; return; }
  awk "BEGIN { exit !($peak <= $announced + $own + $allowance) }" ||
    fail "pocketpoet $*: $peak MB, announced $announced, the program $own"
  awk "BEGIN { exit !($announced > 2 * $allowance) }" || fail "pocketpoet $*: $announced MB show nothing"
}

one=(--threads 1 --steps 1)
keeps_word train-tokenizer synth:shapes --size 256x256 --frames 1 --batch 8 --patch 8 --width 8 "${one[@]}" -o large.safetensors
keeps_word train-tokenizer synth:shapes --size 32x32 --frames 5 --codes 65536 --patch 8 --width 8 --clips 40 "${one[@]}" -o many.safetensors
mkdir model
works train-tokenizer "${data[@]}" "${small[@]}" "${one[@]}" -o model/tokenizer.safetensors
works encode "${data[@]}" -t model/tokenizer.safetensors -o train.ptok
works encode "${data[@]}" -t model/tokenizer.safetensors -o heldout.ptok --split heldout-seen
keeps_word train-generator train.ptok -t model/tokenizer.safetensors --heldout heldout.ptok --width 512 --layers 2 "${one[@]}" \
  -o model/generator.safetensors
long=(synth:shapes --size 1024x1024 --frames 33 -n 1 -t large.safetensors --threads 1)
keeps_word encode "${long[@]}" -o large.ptok
keeps_word decode large.ptok -t large.safetensors --threads 1 -o large.mp4
keeps_word encode large.mp4 -t large.safetensors --threads 1 -o again.ptok
keeps_word generate "a red circle" --model ./model --threads 1 -o x.mp4 --enlarge 16
keeps_word generate "a red circle" --model ./model --threads 1 -o x.webm --enlarge 16

refuses 1 "a lower --batch" train-tokenizer synth:shapes --size 1024x1024 --batch 4096 -o x.safetensors
refuses 1 "a lower --batch" train-generator train.ptok -t model/tokenizer.safetensors --width 4096 --layers 64 --batch 4096 \
  -o x.safetensors
works generate "a red circle" --model ./model -o x.mp4 --quiet
[ -z "$stderr" ] || fail "generate --quiet said $stderr"

exit $((failures > 0))

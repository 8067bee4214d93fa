# Sourced by the scripts of this folder as support.sh PROGRAM: a scratch folder, and checks of exit
# status, sentence and left-over files.
set -euo pipefail
program=$(realpath "$1")
[ -x "$program" ] || { echo "there is no program $1"; exit 1; }
scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
cd "$scratch"
failures=0

# What makes the smallest model that goes through everything: clips, a tokenizer and a generator.
data=(synth:shapes --size 32 --frames 5 --clips 40 --heldout-clips 8)
small=(--patch 8 --codes 32 --dim 6 --width 8 --encoder-blocks 1 --decoder-blocks 1)
tiny=(--width 32 --layers 1 --heads 2 --slot-width 16 --slot-heads 2 --slot-layers 1)

fail() {
  echo "$*"
  failures=$((failures + 1))
}

# run ARGUMENTS...: sets $status; stdout and stderr go to files of those names beside the scratch
# folder's contents. It is ended after $limit seconds, which is for what hangs, not for what is slow. $as goes before the program.
limit=600
as=()
run() {
  status=0
  timeout $limit "${as[@]}" "$program" "$@" >"$scratch.stdout" 2>"$scratch.stderr" </dev/null || status=$?
  stdout=$(cat "$scratch.stdout") stderr=$(cat "$scratch.stderr")
  rm -f "$scratch.stdout" "$scratch.stderr"
}

# works ARGUMENTS...: status 0.
works() {
  run "$@"
  [ "$status" = 0 ] || fail "pocketpoet $*: status $status: $stderr"
}

# refuses STATUS TEXT ARGUMENTS...: that status, nothing on stdout, one sentence that contains TEXT,
# and no file more or less than before.
refuses() {
  local wanted=$1 text=$2 before
  shift 2
  before=$(find . | sort)
  run "$@"
  [ "$status" = "$wanted" ] || fail "pocketpoet $*: status $status, not $wanted: $stderr"
  [ -z "$stdout" ] || fail "pocketpoet $*: printed results: $stdout"
  [[ $stderr == "pocketpoet: "*"$text"* ]] || fail "pocketpoet $*: said '$stderr', not '$text'"
  [ "$(wc -l <<<"$stderr")" = 1 ] || fail "pocketpoet $*: said more than one sentence: $stderr"
  [ "$before" = "$(find . | sort)" ] || fail "pocketpoet $*: left files behind: $(find .)"
}

# await PID CONDITION...: until the condition, a command, holds; fails when the process has ended by then, or hangs.
await() {
  local pid=$1 i
  shift
  for ((i = 0; i < 50 * limit; i++)); do
    "$@" && return
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.02
  done
  "$@"
}

# catches_interrupt PID: Ctrl-C no longer ends the process at once.
catches_interrupt() {
  local caught
  caught=$(sed -n 's/^SigCgt:\s*//p' "/proc/$1/status" 2>/dev/null) && ((0x${caught:-0} & 1 << 1))
}

# The names of all commands, from the program's own help.
commands() {
  "$program" --help | sed -n '/^commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p'
}

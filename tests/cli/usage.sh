#!/bin/bash
# usage.sh PROGRAM SOURCES: help pages, exit statuses, and the sentences about slips of the hand.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"
model=$2/samples/models/shapes/generator.safetensors

run
[ "$status" = 2 ] && [[ $stderr == usage:* ]] || fail "no command: status $status: $stderr"
works --help
works help
works --version
[[ $stdout =~ ^pocketpoet\ [0-9]+\.[0-9]+\.[0-9]+ ]] || fail "--version printed '$stdout'"
[ "$(commands | wc -l)" -ge 1 ] || fail "no commands in --help"

refuses 2 "there is no command 'ifno'; did you mean 'info'?" ifno
refuses 2 "there is no command 'zzzzzz'" zzzzzz
refuses 2 "there is no command ''" ''
refuses 2 "there is no command 'zzzzzz'" help zzzzzz

for command in $(commands); do
  works "$command" --help
  page=$stdout
  works help "$command"
  [ "$page" = "$stdout" ] || fail "help $command differs from $command --help"
  [[ $page == "usage: pocketpoet $command "* ]] || fail "$command --help has no usage line"
  awk 'length > 80 { exit 1 }' <<<"$page" || fail "$command --help is wider than 80 columns"
  [[ $page == *examples:* ]] || fail "$command --help has no examples"

  # --help is answered after the rest of the line has been found good.
  while read -r example; do
    eval "works ${example#pocketpoet } --help"
  done < <(sed -n 's/^  \(pocketpoet .*\)/\1/p' <<<"$page")
done

refuses 2 "there is no option --hepl; did you mean --help?" info --hepl
refuses 2 "there is no option -Z" info -Z
refuses 2 "--threads wants a value, N" info --threads
refuses 2 "--threads: -3 is not between 0 and 1024" info --threads -3
refuses 2 "--threads: 99999999999999999999 is not between" info --threads=99999999999999999999
refuses 2 "--threads: '2.5' is not a whole number" info --threads 2.5
refuses 2 "--threads: '' is not a whole number" info --threads ''
refuses 2 "--quiet takes no value" info --quiet=yes

refuses 2 "'two' is one argument too many" info one two
works info --js
[[ $stdout == "{"* ]] || fail "info --json printed '$stdout'"
[ -z "$stderr" ] || fail "info --json said '$stderr'"

refuses 2 "inspect: its argument is not valid UTF-8 at byte 1" inspect $'x\xff.mp4'
refuses 2 "--model: the NAME is not valid UTF-8 at byte 0" generate "a red circle" --model $'\xff' -o x.mp4

# unread ARGUMENTS...: sets $status; stdout and stderr go to a pipe whose reader has left.
mkfifo pipe
unread() {
  exec 3<>pipe 4>pipe 3<&-
  status=0
  "$program" "$@" >&4 2>&4 || status=$?
  exec 4>&-
}

unread info
[ "$status" = 141 ] || fail "info without a reader: status $status"
# More than a buffer of it.
unread inspect "$model" --details --json
[ "$status" = 141 ] || fail "inspect without a reader: status $status"
status=0
sentence=$("$program" inspect "$model" --details --json 2>&1 >/dev/full) || status=$?
[ "$status" = 1 ] && [[ $sentence == *"standard output: cannot be written"* ]] || fail "a full disk, much to print: $status: $sentence"
unread synth shapes -n 2 -o drawn
[ "$status" = 141 ] && [ -s drawn/captions.jsonl ] || fail "synth without a reader: status $status"

status=0
sentence=$("$program" info --json 2>&1 >/dev/full) || status=$?
[ "$status" = 1 ] && [[ $sentence == *"standard output: cannot be written"* ]] || fail "full disk: $status: $sentence"

exit $((failures > 0))

#!/bin/bash
# resume.sh PROGRAM: training or encoding that is killed, or stopped by Ctrl-C, ends with the bytes of a run that was left alone.
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

data=(synth:shapes --size 32 --frames 5 --clips 40)
small=(--patch 8 --codes 32 --dim 6 --width 16 --encoder-blocks 1 --decoder-blocks 1 --threads 1)
tiny=(--width 32 --layers 1 --heads 2 --slot-width 16 --slot-heads 2 --slot-layers 1 --threads 1)

tokenizer=(train-tokenizer "${data[@]}" "${small[@]}" --steps 3000 --save-every 1)
works "${tokenizer[@]}" -o whole.safetensors

# await_checkpoint FILE: until the process $pid has saved it, after the file "before".
await_checkpoint() {
  await "$pid" [ "$1" -nt before ]
}

# Killed without warning as soon as it has saved a checkpoint, twice.
for round in 1 2; do
  touch before
  "$program" "${tokenizer[@]}" -o killed.safetensors --quiet >/dev/null 2>&1 &
  pid=$!
  await_checkpoint killed.safetensors.checkpoint || fail "round $round: the run ended before it could be killed"
  kill -9 "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
done
works "${tokenizer[@]}" -o killed.safetensors
cmp whole.safetensors killed.safetensors || fail "the tokenizer of a killed run differs"

# A terminal that is closed sends SIGHUP, and its shell another: the run saves and stops. nohup is asked for the opposite.
for ignored in "" nohup; do
  touch before
  $ignored "$program" "${tokenizer[@]}" --steps 1000000 -o hung-up.safetensors --quiet >/dev/null 2>said &
  pid=$!
  await_checkpoint hung-up.safetensors.checkpoint || true
  rm -f hung-up.safetensors.checkpoint
  kill -HUP "$pid"
  kill -HUP "$pid" 2>/dev/null || true
  if [ -n "$ignored" ]; then
    await_checkpoint hung-up.safetensors.checkpoint || true
    ! grep -q "stopping after this step" said || fail "nohup does not keep SIGHUP away"
    kill "$pid"
  fi
  status=0
  wait "$pid" || status=$?
  [ "$status" = 1 ] && grep -q "the same command goes on" said || fail "SIGHUP: status $status: $(cat said)"
  [ -e hung-up.safetensors.checkpoint ] || fail "SIGHUP left no checkpoint"
  rm hung-up.safetensors.checkpoint
done

# encode: killed without warning, three times and with other numbers of threads, and stopped by Ctrl-C.
works train-tokenizer "${data[@]}" "${small[@]}" --steps 1 --seed 9 -o other.safetensors
clips=(synth:shapes --size 32 --frames 5 --clips 8000 -t whole.safetensors)
works encode "${clips[@]}" -o whole.ptok
works encode "${clips[@]}" -o whole-pictures.ptok --pictures 3

grown() {
  [ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -gt "$2" ]
}

# end_encode SIGNAL FILE OPTIONS...: some time after it has done some more clips; sets $status.
end_encode() {
  local signal=$1 output=$2 size
  shift 2
  size=$(stat -c %s "$output.partial" 2>/dev/null || echo 0)
  "$program" encode "${clips[@]}" -o "$output" --quiet "$@" >/dev/null 2>said &
  pid=$!
  await "$pid" grown "$output.partial" "$size" || true
  sleep "0.0$((RANDOM % 10))"
  kill "-$signal" "$pid" 2>/dev/null || true
  status=0
  { wait "$pid" || status=$?; } 2>/dev/null
}

for pictures in "" -pictures; do
  options=(${pictures:+--pictures 3})
  for threads in 1 2 1; do
    end_encode KILL killed$pictures.ptok "${options[@]}" --threads $threads
    [ -s killed$pictures.ptok.partial ] || fail "encode ended before it could be killed"
  done
  works encode "${clips[@]}" "${options[@]}" -o killed$pictures.ptok
  [[ $stderr == *"encode goes on behind "* ]] || fail "encode began anew: $stderr"
  cmp whole$pictures.ptok killed$pictures.ptok || fail "the tokens of a killed run differ"
  [ ! -e killed$pictures.ptok.partial ] || fail "a journal is left"
done

end_encode INT stopped.ptok
if [ "$status" != 0 ]; then
  grep -q "^pocketpoet: stopped after .* of 8000 clips; .* are kept in stopped.ptok.partial, and the same command goes on$" said ||
    fail "Ctrl-C: status $status: $(cat said)"
  refuses 1 "stopped.ptok.partial: was begun with 8000 clips of train of the data" encode "${clips[@]}" -o stopped.ptok -n 7
  refuses 1 "stopped.ptok.partial: was begun with" encode "${clips[@]}" -o stopped.ptok --data-seed 2
  refuses 1 "stopped.ptok.partial: has clips in codes of the tokenizer" encode "${clips[@]}" -o stopped.ptok -t other.safetensors
fi
works encode "${clips[@]}" -o stopped.ptok
cmp whole.ptok stopped.ptok || fail "the tokens of a stopped run differ"

works encode "${data[@]}" -t whole.safetensors -o train.ptok
generator=(train-generator train.ptok -t whole.safetensors "${tiny[@]}" --steps 300)
works "${generator[@]}" -o whole-g.safetensors

# Ctrl-C: one sentence that says how to go on, and a checkpoint.
"$program" "${generator[@]}" -o stopped-g.safetensors --quiet >/dev/null 2>said &
pid=$!
await $pid catches_interrupt $pid || true
kill -INT "$pid" 2>/dev/null || true
status=0
wait "$pid" || status=$?
if [ "$status" != 0 ]; then # a very fast machine may have been done by then
  [ "$status" = 1 ] || fail "Ctrl-C: status $status"
  grep -q "the same command goes on" said || fail "Ctrl-C said: $(cat said)"
  [ -e stopped-g.safetensors.checkpoint ] || fail "Ctrl-C left no checkpoint"
  refuses 1 "use the same options" "${generator[@]}" --seed 8 -o stopped-g.safetensors
fi
works "${generator[@]}" -o stopped-g.safetensors
cmp whole-g.safetensors stopped-g.safetensors || fail "the generator of a stopped run differs"

# Killed without warning at any step after a checkpoint, three times, with two threads.
generator=(train-generator train.ptok -t whole.safetensors "${tiny[@]}" --threads 2 --steps 3000 --save-every 1)
works "${generator[@]}" -o two-g.safetensors
for round in 1 2 3; do
  touch before
  "$program" "${generator[@]}" -o killed-g.safetensors --quiet >/dev/null 2>&1 &
  pid=$!
  await_checkpoint killed-g.safetensors.checkpoint || fail "round $round: the generator was done before it could be killed"
  sleep "0.$((RANDOM % 10))"
  kill -9 "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
done
works "${generator[@]}" -o killed-g.safetensors
cmp two-g.safetensors killed-g.safetensors || fail "the generator of a killed run differs"
[ -z "$(find . -name '*.tmp')" ] || fail "killed runs left $(find . -name '*.tmp')"

exit $((failures > 0))

#!/bin/bash
# speed.sh PROGRAM PEER.py [PYTHON]: the table of docs/speed.md. Both sides in turn, 2 threads each, the peer in both of its
# precisions; its better one counts. PYTHON must have torch and numpy. Let nothing else run. SECONDS_EACH: of each
# measurement, 30 when not set.
set -euo pipefail

program=$(realpath "$1")
peer=$(realpath "$2")
python=${3:-python3}
seconds=${SECONDS_EACH:-30}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# peer WHAT UNIT [OPTION...]: the higher of the rates that it prints before UNIT.
peer() {
  local what=$1 unit=$2 dtype
  shift 2
  for dtype in f32 bf16; do
    "$python" "$peer" "$what" "$@" --threads 2 --dtype "$dtype" --seconds "$seconds"
  done | grep -o "[0-9.]* $unit" | sort -g | tail -1 | cut -d' ' -f1
}

ours() { jq ".$1" "$scratch/ours.json"; }

row() { # NAME PEER OURS UNIT
  awk -v name="$1" -v peer="$2" -v ours="$3" -v unit="$4" \
    'BEGIN { printf "| %s | %.4g %s | %.4g %s | %.1f |\n", name, peer, unit, ours, unit, ours / peer }'
}

# What its tokenizer trains on is of no matter to its speed, but it wants clips: noise.
"$python" - "$scratch" <<'END'
import sys, numpy as np
rng = np.random.default_rng(1)
for name, clips in (("train", 64), ("test", 8)):
    np.save(f"{sys.argv[1]}/{name}.npy", rng.integers(0, 256, (clips, 17, 64, 64, 3), dtype=np.uint8))
END

model=(--codes 1024 --tokens 320 --text 16 --dim 256 --layers 6)
sampling=$(peer decode tokens/s "${model[@]}" --batch 1)
"$program" bench --json --threads 2 --seconds "$seconds" >"$scratch/ours.json"
training=$(peer generator tokens/s "${model[@]}" --batch 16)
tokenizer=$(peer tokenizer clips/s "$scratch/train.npy" "$scratch/test.npy" --codes 1024 --patch 4 --batch 4)

echo "| what | PyTorch | PocketPoet | ratio |"
echo "| --- | --- | --- | --- |"
row "sampling, batch 1, 6 layers of 256, 320 codes: one code a group" "$sampling" "$(ours decode_flat_tokens_per_s)" codes/s
row "the same, groups of 2 x 2 codes" "$sampling" "$(ours decode_tokens_per_s)" codes/s
row "training 6 layers of 256, batch 16 (ours: groups of 2 x 2, Muon)" "$training" "$(ours train_generator_tokens_per_s)" codes/s
row "training the tokenizer, its network, 4 x 4 patches, batch 4" "$tokenizer" "$(ours train_tokenizer_clips_per_s)" clips/s

#!/bin/bash
# faults.sh CHECKPTX FOLDER: what checkptx says is worth something. FOLDER/sm_75 and FOLDER/sm_80 have nvcc's PTX for those cards;
# one instruction of it is changed at a time, as a wrong compiler or a wrong kernel would have it, and a case that passed must
# then fail.
set -euo pipefail
checkptx=$1 folders=$2 missed=0

for card in 75 80; do
  [ -e "$folders/sm_$card/kernels.so" ] || { echo "skipped: there is no PTX in $folders/sm_$card"; exit 77; }
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# For each card, lines of FILE KERNEL N FROM TO CASE: in the first kernel of FILE.ptx whose name matches, the N-th FROM
# becomes TO.
faults_75='
matmul Li64.*IfLb1EES[0-9]_IfLb0 1 bar.sync // matmul:m65k33n70
matmul Li64.*IfLb1EES[0-9]_IfLb0 2 bar.sync // matmul:m65k33n70
matmul Li64.*IfLb1EES[0-9]_IfLb0 9 fma.rn.f32 // matmul:m65k33n70
matmul few_rowsIfLi1E 1 shfl.sync.bfly shfl.sync.up matmul:m1k33n5y1
int8 int8_rows 1 dp4a.s32.s32 mad.lo.s32 int8
f16 to_f16 1 setp.lt.s32 setp.le.s32 f16
f16 f16_rowsILi8 2 fma.rn.f32 // f16
f16 f16_rowsILi8 1 shfl.sync.bfly shfl.sync.up f16
f16 tensor_tileILi64 1 bar.sync // f16_tile
f16 tensor_tileILi64 2 mma.sync // f16_tile
f16 tensor_tileILi64 4 setp.le.s32 setp.lt.s32 f16_tile
conv3d Li64.*seenIfLi1EE11 1 bar.sync // conv3d:b2t3h4w5c3o4k3s3z1
conv3d Li64.*seenIfLi1EE11 1 setp.gt.s32 setp.ge.s32 conv3d:b2t3h4w5c3o4k3s3z1
norm rms_normIf 1 rcp.rn sqrt.rn rms_norm:b2n5c17
norm group_normPK 1 bar.sync // group_norm:b2t3h3w5c6g3
attention attendILi32ELi32Eff 2 bar.sync // attention:b2t17h3d4p5
attention attendILi32ELi32Eff 1 max.f32 min.f32 attention:b2t17h3d4p5
attention attend_oneILi32Ef 1 fma.rn.f32 // attention_cached:b3t1h2d5p3s17f4
attention_bwd keys_bwdILi32ELi32Ef 1 sub.f32 add.f32 attention:b2t17h3d4p5
quantize nearest 1 setp.lt.f32 setp.gt.f32 nearest:n17k33c5
loss entropies 1 sub.f32 add.f32 cross_entropy:n17v33
loss per_row 1 bar.sync // cross_entropy:n17v33
sample sample 1 bar.sync // sample:n7v5
optim adamw 1 sqrt.rn.f32 abs.f32 adamw:n33
rotary rotary 1 sub.f32 add.f32 rotary:b2t5h2d6
layout transpose 1 bar.sync // transpose:r17c33
layout copy_runsIj 1 setp.ge setp.gt slice:b2n17c3a1f5l12
'

# For products of 16 terms on tensor cores, which an older card does not have.
faults_80='
matmul tensor_tileILi64.*ItLb1EES.*ItLb0 1 bar.sync // matmul:m65k257n33
matmul tensor_tileILi64.*ItLb1EES.*ItLb0 2 bar.sync // matmul:m65k257n33
matmul tensor_tileILi64.*ItLb1EES.*ItLb0 2 mma.sync // matmul:m65k257n33
matmul tensor_tileILi64.*ItLb1EES.*ItLb0 1 ld.shared.u32 ld.shared.s16 matmul:m65k257n33
matmul tensor_tileILi64.*ItLb1EES.*ItLb0 1 setp.le.s32 setp.lt.s32 matmul:m65k257n33
conv3d tensor_tileILi64.*seenItLi1EE 1 mma.sync // conv3d:b2t3h4w5c3o4k3s3z1
f16 tensor_tileILi64 1 mma.sync // f16_tile
f16 tensor_tileILi64 2 bar.sync // f16_tile
f16 tensor_tileILi64 1 ld.shared.u32 ld.shared.s16 f16_tile
'

# plant FILE KERNEL N FROM TO CASE
plant() {
  local file=$1.ptx out code=0
  rm -rf "$scratch/ptx"
  cp -r "$folder" "$scratch/ptx"
  awk -v kernel="$2" -v n="$3" -v from="$4" -v to="$5" '
    /\.entry/ { found = !done && $0 ~ kernel; done = done || found }
    found && (at = index($0, from)) && ++seen == n { $0 = substr($0, 1, at - 1) to substr($0, at + length(from)) }
    { print }' "$folder/$file" >"$scratch/ptx/$file"
  if cmp -s "$folder/$file" "$scratch/ptx/$file"; then echo "$1, $2: there is no $4 number $3"; missed=1; return; fi
  out=$("$checkptx" "$scratch/ptx" "$6") || code=$?
  if [ $code != 1 ] || ! grep -m1 '^FAILED' <<<"$out"; then
    echo "NOT NOTICED: $1, $2, $3: $4 -> $5, $6"
    missed=1
  fi
}

for card in 75 80; do
  folder=$folders/sm_$card faults=faults_$card
  mapfile -t cases < <(awk 'NF { print $6 }' <<<"${!faults}" | sort -u)
  "$checkptx" "$folder" "${cases[@]}"
  while read -r file kernel n from to case; do
    [ -z "$file" ] || plant "$file" "$kernel" "$n" "$from" "$to" "$case"
  done <<<"${!faults}"
done
exit $missed

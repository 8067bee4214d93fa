# Sourced. old_toolkit ROOT SCRATCH: sets $toolkit to the folder of a CUDA that still knows cards before sm_75: the one at $POET_CUDA118,
# or one that the script of the shared folder puts together in SCRATCH. Where there is neither, says so and ends as skipped.
old_toolkit() {
  toolkit=${POET_CUDA118:-}
  command -v g++-11 >/dev/null || { echo "skipped: CUDA 11.8 needs g++-11"; exit 77; }
  [ -z "$toolkit" ] || return 0
  [ -x "$1/../shared/design/cuda118.sh" ] || { echo "skipped: there is no CUDA 11.8 at POET_CUDA118"; exit 77; }
  toolkit=$2/toolkit
  "$1/../shared/design/cuda118.sh" "$toolkit" || { echo "skipped: CUDA 11.8 cannot be had here"; exit 77; }
}

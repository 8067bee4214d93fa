#!/bin/bash
# samples.sh ROOT: the scripts of samples/ with a program that is made up: an import that was killed is asked for again.
set -euo pipefail
root=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
export POCKETPOET=$scratch/program

# Notes its commands. Import is killed at first, with its folder begun; a training fails, and with it the script.
cat >program <<'END'
#!/bin/bash
echo "$1" >>log
[ "$1" = import ] || exit 1
arguments=$*
folder=${arguments#* -o }
folder=${folder%% *}
[ -d "$folder" ] && touch "$folder/manifest.json" && exit
mkdir -p "$folder"
kill -9 $$
END
chmod +x program

# imports_again WANTED SCRIPT ARGUMENTS...: the program's commands over three runs.
imports_again() {
  local wanted=$1 script=$2 run
  shift 2
  : >log
  for run in 1 2 3; do
    "$root/samples/$script" "$@" >said 2>&1 && { echo "$script: went on after a failure"; exit 1; }
  done
  [ "$(paste -sd ' ' log)" = "$wanted" ] || { echo "$script: $(paste -sd ' ' log): $(cat said)"; exit 1; }
}

imports_again "import import train-tokenizer train-tokenizer" sprites.sh clips model work
imports_again "import import train-reader train-reader" figures.sh figures.md clips figures

# A picture is not its own contact sheet.
sed -i '2s/.*/echo "$*" >>log/' program
: >log
for clip in out.png out.mp4; do
  "$root/samples/quickstart.sh" "a red circle" $clip >said 2>&1 || true
done
[ "$(cat log)" = "generate a red circle --output out.png --sheet out-sheet.png
generate a red circle --output out.mp4 --sheet out.png" ] || { echo "quickstart.sh: $(cat log)"; exit 1; }

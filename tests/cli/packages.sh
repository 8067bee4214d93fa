#!/bin/bash
# packages.sh: samples/packages.sh on machines that are made up of stubs: what it prints, and what
# it asks of the package manager.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
cd "$work"

stub() {
  cat >"bin/$1"
  chmod +x "bin/$1"
}

# expect NAME STATUS LOG: runs the installation of "one" and "two" with the stubs alone, and
# compares the exit status and the package manager's log.
expect() {
  local name=$1 wanted=$2 log=$3 status=0
  : >apt.log
  PATH=$work/bin bash -c ". '$repository/samples/packages.sh'; install_packages one two" >output 2>&1 ||
    status=$?
  [ "$status" = "$wanted" ] || { echo "$name: status $status: $(cat output)"; exit 1; }
  [ "$(cat apt.log)" = "$log" ] || { echo "$name: asked for: $(cat apt.log)"; exit 1; }
}

for tool in bash cat env grep mktemp rm tail; do
  ln -s "$(command -v $tool)" "bin/$tool"
done
stub id <<<'echo 0'
stub apt-get <<'END'
#!/bin/bash
echo "$DEBIAN_FRONTEND $*" >>apt.log
[ ! -e broken ] || { rm broken; echo "no such package"; exit 100; }
END

stub dpkg-query <<<'echo installed'
expect "nothing is missing" 0 ""
[ ! -s output ] || { echo "not silent: $(cat output)"; exit 1; }

stub dpkg-query <<<'[ "$4" = one ] && echo installed || echo not-installed'
expect "one is missing" 0 "noninteractive -qq install --yes --no-install-recommends two"

touch broken
expect "package lists are stale" 0 "noninteractive -qq install --yes --no-install-recommends two
noninteractive -qq update
noninteractive -qq install --yes --no-install-recommends two"

stub apt-get <<<'echo "cannot reach the server"; exit 100'
expect "no network" 1 ""
grep -q "cannot reach the server" output || { echo "the reason is hidden: $(cat output)"; exit 1; }

stub id <<<'echo 1000'
expect "neither root nor sudo" 1 ""
grep -q "please install these packages as root first: two" output

rm bin/dpkg-query
expect "not Debian" 0 ""
grep -q "this is not Debian" output

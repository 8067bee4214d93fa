#!/bin/bash
# layers.sh ROOT: who may include whom (docs/architecture.md), and where the headers of other
# libraries may be used.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

violations=$(source_files | grep -E "^($modules)/" |
  xargs -r grep -HnE '^[[:space:]]*#[[:space:]]*include' | awk -F: '
BEGIN {
    may["base"] = ""
    may["codec"] = "base"
    may["compute"] = "base"
    may["cuda"] = "compute base"
    may["datasets"] = "codec base"
    may["tokenizer"] = "compute base"
    may["generator"] = "tokenizer compute base"
    may["eval"] = "generator tokenizer codec datasets compute base"
    may["cli"] = "eval cuda generator tokenizer datasets codec compute base"

    # pattern of a system header -> folders that may use it
    only["^oneapi/|^dnnl"] = "compute/cpu"
    only["^libav|^libsw"] = "codec"
    only["^png\\.h"] = "codec"
    only["^zstd"] = "codec datasets"
    only["^jansson\\.h"] = "codec compute datasets tokenizer generator eval cli"
    only["^omp\\.h"] = "codec compute datasets tokenizer generator eval cli"
    only["^(cuda|cublas|curand|nv)"] = "cuda"
}

function allowed(list, path,    folders, n, i) {
    n = split(list, folders, " ")
    for (i = 1; i <= n; i++)
        if (index(path, folders[i] "/") == 1)
            return 1
    return 0
}

{
    file = $1
    module = file
    sub("/.*", "", module)
    place = file ":" $2 ": "
}

match($0, /"[^"]+"/) {
    header = substr($0, RSTART + 1, RLENGTH - 2)
    target = header
    sub("/.*", "", target)
    if (target == header)
        print place "\"" header "\" is not named from the root of the tree"
    else if (target != module && !allowed(may[module], target "/"))
        print place module " may not include " target " (\"" header "\")"
    else if (target != module && header ~ /_internal\.h$/)
        print place "\"" header "\" is private to " target
    next
}

match($0, /<[^>]+>/) {
    header = substr($0, RSTART + 1, RLENGTH - 2)
    for (pattern in only)
        if (header ~ pattern && !allowed(only[pattern], file))
            print place "<" header "> belongs only into " only[pattern]
}')
finish "$violations" layers

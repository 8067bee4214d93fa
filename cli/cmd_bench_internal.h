/* What the files of the command bench share. */
#ifndef POET_CLI_CMD_BENCH_INTERNAL_H
#define POET_CLI_CMD_BENCH_INTERNAL_H

#include "cli/command.h"

#include <jansson.h>

typedef struct cli_kernels {
    int streams;       /* clips at once */
    double gflops, gb; /* peaks of the device, in 10^9 a second; 0: what it says of itself */
    bool count;        /* nothing is run */
} cli_kernels;

/* Of writing clips with a model: a row for each operation into out, "kernels". */
poet_status cli_bench_kernels(cli_context *context, const char *model, const cli_kernels *options,
                              json_t *out);

#endif

/* Another program, run as a child process: its result in a file, what it took of the machine. */
#ifndef POET_CLI_CHILD_H
#define POET_CLI_CHILD_H

#include "base/task.h"

#include "base/status.h"

#include <stdint.h>

typedef struct cli_child {
    int exit_status;     /* 0: well; 128 + n: killed by signal n */
    double seconds;      /* from start to end */
    int64_t peak_memory; /* bytes, most ever resident */
} cli_child;

/* Runs argv (NULL at the end; argv[0] a path, or a name that is searched in $PATH) with its stdout in the file output, an
 * empty stdin and our stderr. It is killed when this process is, and asked to end (SIGTERM) when the task is stopped, which
 * is POET_ERR_INTERRUPTED once it has. POET_ERR_IO when it cannot be started; an exit status other than 0 is no error of this
 * function. */
poet_status cli_child_run(const char *const *argv, const char *output, const poet_task *task,
                          cli_child *out);

#endif

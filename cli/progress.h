/* The task observer of the command line: progress on stderr, and a polite Ctrl-C.
 *
 * On a terminal one line is redrawn ten times a second, with bar, rate and time left; elsewhere a
 * plain line comes every ten seconds. Each finished task leaves one line.
 *
 * The first SIGINT or SIGTERM makes stop() true from then on; the second ends the process at once.
 * Signals are caught only once a task has asked stop(): commands that never ask die of the first.
 * For one thread at a time. */
#ifndef POET_CLI_PROGRESS_H
#define POET_CLI_PROGRESS_H

#include "base/task.h"

#include <stdio.h>

typedef struct cli_progress {
    FILE *out;
    bool quiet;               /* only messages appear, as of skipped files */
    bool terminal;            /* redraw one line */
    bool drawn;               /* the line is on the screen */
    char what[64];            /* of the running task; "" before the first report */
    double began, began_done; /* seconds, and how far it was then: a resumed task starts high */
    double shown;             /* seconds of the last output */
} cli_progress;

void cli_progress_init(cli_progress *progress, FILE *out, bool quiet);

/* An observer that points to progress. */
poet_task cli_progress_task(cli_progress *progress);

/* Wipes a line that is still drawn; call before anything else is printed on the terminal. */
void cli_progress_clear(cli_progress *progress);

/* "0:07", "12:34", "3:05:00". */
void cli_format_time(double seconds, char *text, size_t room);

#endif

/* Long work: how far it is, and whether the user wants it to stop. Libraries report through this
 * and never print. */
#ifndef POET_BASE_TASK_H
#define POET_BASE_TASK_H

#include <stdbool.h>

/* One report of a long task. total = 0 when the end is not known. */
typedef struct poet_progress {
    const char *what; /* "train-tokenizer", "import", ... */
    double done, total;
    const char *unit; /* "steps", "clips", "tokens" */
    const char *note; /* short figures of the moment, e.g. "loss 0.0123"; may be NULL */
} poet_progress;

/* A task's observer; a zeroed struct is silent and never stops. */
typedef struct poet_task {
    void (*progress)(void *user, const poet_progress *progress);
    void (*info)(void *user, const char *sentence); /* how it is done: memory, where it goes on */
    void (*message)(void *user, const char *sentence); /* what is wrong: a file that was skipped */
    bool (*stop)(void *user); /* true: finish the current unit, save, return INTERRUPTED */
    void *user;
} poet_task;

void poet_task_progress(const poet_task *task, const poet_progress *progress);
void poet_task_info(const poet_task *task, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void poet_task_message(const poet_task *task, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool poet_task_stopped(const poet_task *task);

/* Seconds of a monotonic clock. */
double poet_seconds(void);

#endif

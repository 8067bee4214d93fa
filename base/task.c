#include "base/task.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

void poet_task_progress(const poet_task *task, const poet_progress *progress)
{
    if (task && task->progress)
        task->progress(task->user, progress);
}

static void say(const poet_task *task, void (*callback)(void *user, const char *sentence),
                const char *format, va_list args)
{
    char text[1200];
    vsnprintf(text, sizeof text, format, args);
    callback(task->user, text);
}

void poet_task_info(const poet_task *task, const char *format, ...)
{
    if (!task || !task->info)
        return;
    va_list args;
    va_start(args, format);
    say(task, task->info, format, args);
    va_end(args);
}

void poet_task_message(const poet_task *task, const char *format, ...)
{
    if (!task || !task->message)
        return;
    va_list args;
    va_start(args, format);
    say(task, task->message, format, args);
    va_end(args);
}

bool poet_task_stopped(const poet_task *task)
{
    return task && task->stop && task->stop(task->user);
}

double poet_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

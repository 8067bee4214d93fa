#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KIBIBYTE = 1024, CANNOT_START = 127, SIGNALLED = 128 };

static const struct timespec nap = {.tv_nsec = 20 * 1000 * 1000};

/* A group of its own: Ctrl-C on the terminal reaches the parent alone, which passes it on once. */
static void become(const char *const *argv, const char *output, pid_t parent)
{
    int in = open("/dev/null", O_RDONLY), out = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (in >= 0 && out >= 0 && getppid() == parent && dup2(in, STDIN_FILENO) >= 0 &&
        dup2(out, STDOUT_FILENO) >= 0)
        execvp(argv[0], (char *const *)argv);
    _exit(CANNOT_START);
}

/* Polls, since a signal may come between a look at the task and a call that would wait. */
static poet_status wait_for(pid_t pid, const poet_task *task, int *status, struct rusage *usage)
{
    bool told = false;
    for (;;) {
        pid_t ended = wait4(pid, status, WNOHANG, usage);
        bool crashed = ended == pid && WIFSIGNALED(*status) && WTERMSIG(*status) != SIGTERM;
        if (ended == pid)
            return told && !crashed
                       ? POET_FAIL(POET_ERR_INTERRUPTED, "stopped; the same command goes on")
                       : POET_OK;
        if (ended < 0 && errno != EINTR)
            return POET_FAIL(POET_ERR_IO, "a child process is lost: %s", strerror(errno));
        if (!told && poet_task_stopped(task)) {
            kill(pid, SIGTERM);
            told = true;
        }
        nanosleep(&nap, NULL);
    }
}

poet_status cli_child_run(const char *const *argv, const char *output, const poet_task *task,
                          cli_child *out)
{
    int status = 0;
    struct rusage usage = {.ru_maxrss = 0};
    double begin = poet_seconds();
    pid_t parent = getpid(), pid = fork();
    *out = (cli_child){0};
    if (pid < 0)
        return POET_FAIL(POET_ERR_IO, "%s: cannot be started: %s", argv[0], strerror(errno));
    if (pid == 0)
        become(argv, output, parent);
    POET_TRY(wait_for(pid, task, &status, &usage));
    out->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : SIGNALLED + WTERMSIG(status);
    out->seconds = poet_seconds() - begin;
    out->peak_memory = (int64_t)usage.ru_maxrss * KIBIBYTE;
    return out->exit_status == CANNOT_START
               ? POET_FAIL(POET_ERR_IO, "%s: cannot be started", argv[0])
               : POET_OK;
}

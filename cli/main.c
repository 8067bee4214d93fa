/* The command table: finds the command, runs it, and turns its status into a sentence and an exit
 * status. */
#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const cli_command commands[] = {
    {"generate", "write a short video of a sentence", cmd_generate},
    {"train-tokenizer", "learn a codebook, an encoder and a decoder from clips",
     cmd_train_tokenizer},
    {"train-generator", "learn to write codes after a sentence", cmd_train_generator},
    {"train-reader", "learn to tell the attributes of clips", cmd_train_reader},
    {"encode", "clips to a token file", cmd_encode},
    {"decode", "a clip of a token file to a video", cmd_decode},
    {"eval", "figures of a model on held-out clips", cmd_eval},
    {"codebook", "shrink a codebook and its generator; what it is used for", cmd_codebook},
    {"bench", "how fast this machine trains and writes", cmd_bench},
    {"info", "what this build and machine can do; what is inside a model", cmd_info},
    {"inspect", "what is inside a file: a model, tokens, a dataset, a video", cmd_inspect},
    {"import", "a folder of captioned videos becomes a dataset", cmd_import},
    {"synth", "draw captioned clips: shapes, digits, a street", cmd_synth},
};

/* Some 50 microseconds: longer than the wait from one kernel of sampling to the next, shorter than a time slice.
 * docs/speed.md has what other counts cost. */
#define SPIN_COUNT "4000"

enum { COMMANDS = sizeof commands / sizeof *commands };

static void print_usage(FILE *out)
{
    fprintf(out, "usage: pocketpoet COMMAND [options] [arguments]\n\n"
                 "Turns a sentence into a short video, and trains the models that do it.\n\n"
                 "commands:\n");
    cli_commands_help(commands, COMMANDS, out);
    fprintf(out,
            "\n'pocketpoet COMMAND --help' explains a command; --version prints the version.\n"
            "Exit status: 0 done, 1 failed or interrupted, 2 wrong usage, 3 a figure is beyond\n"
            "the limit that was asked for (--max-ooc).\n");
}

/* A file would be given the number of a standard stream that is closed, and what is meant for the stream would be written
 * into the file. Reading only: a result that nobody can see is still an error. */
static void reserve_streams(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static volatile sig_atomic_t pipe_broken;

static void on_pipe(int number)
{
    (void)number;
    pipe_broken = 1;
}

/* Who reads the progress may leave before the work is done: the work goes on. */
static void outlive_readers(void)
{
    struct sigaction action = {.sa_handler = on_pipe, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGPIPE, &action, NULL);
}

/* A full disk behind stdout shows only here. Where its reader has left, as in `| head -1`, the program ends as others do:
 * by the signal, without a word. */
static poet_status flush_results(void)
{
    errno = 0;
    bool failed = fflush(stdout) != 0 || ferror(stdout);
    if (failed && pipe_broken) {
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    if (failed)
        return POET_FAIL(POET_ERR_IO, "standard output: cannot be written: %s",
                         errno ? strerror(errno) : "an earlier write failed");
    return POET_OK;
}

static int exit_status(poet_status status)
{
    bool printed = !status || status == POET_ERR_LIMIT;
    poet_status flushed = printed ? flush_results() : POET_OK;
    if (flushed)
        status = flushed;
    if (!status)
        return 0;
    fprintf(stderr, "pocketpoet: %s\n", poet_error_message());
    return status == POET_ERR_ARG ? 2 : status == POET_ERR_LIMIT ? 3 : 1;
}

static int run_command(const char *name, int argc, char **argv)
{
    const cli_command *c = cli_command_find(commands, COMMANDS, "", name);
    if (!c)
        return exit_status(POET_ERR_ARG);
    cli_context context = {.verb = c->name};
    cli_progress_init(&context.progress, stderr, false);
    context.task = cli_progress_task(&context.progress);
    poet_status status = c->run(&context, argc, argv);
    cli_progress_clear(&context.progress);
    return exit_status(status);
}

/* `help`, `help COMMAND`, `help codebook shrink` and the options that stand alone. */
static int run_global(int argc, char **argv)
{
    if (strcmp(argv[1], "--version") == 0) {
        printf("pocketpoet %s\n", POET_VERSION);
        return exit_status(POET_OK);
    }
    if (argc > 2) {
        char help[] = "--help", *arguments[] = {argv[2], argc > 3 ? argv[3] : help, help, NULL};
        return run_command(argv[2], argc > 3 ? 3 : 2, arguments);
    }
    print_usage(stdout);
    return exit_status(POET_OK);
}

/* The OpenMP runtime lets idle threads spin for milliseconds before they sleep. On a machine that is busy with something
 * else they then take the core from the thread they wait for: training ran seven times slower beside a compilation. The
 * runtime reads its settings before main, so the program starts itself again with a setting of its own, unless the user
 * chose one. */
static void restart_with_patient_threads(char **argv)
{
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY"))
        return;
    if (setenv("GOMP_SPINCOUNT", SPIN_COUNT, 1) == 0)
        execv("/proc/self/exe", argv); /* where that fails, all goes on as it is */
}

/* What was freed goes back to the system: glibc keeps it once blocks of 32 MB have been freed, and then a run takes more than it
 * said it would. */
static void return_freed_memory(void)
{
#ifdef M_MMAP_THRESHOLD
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
}

int main(int argc, char **argv)
{
    static const char *const globals[] = {"help", "--help", "-h", "--version"};
    restart_with_patient_threads(argv);
    return_freed_memory();
    reserve_streams();
    outlive_readers();
    if (argc < 2) {
        print_usage(stderr);
        return 2;
    }
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if (strcmp(argv[1], globals[i]) == 0)
            return run_global(argc, argv);
    return run_command(argv[1], argc - 1, argv + 1);
}

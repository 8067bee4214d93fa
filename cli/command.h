/* What every command is given, and how it reads its command line.
 *
 * A command is `poet_status cmd_x(cli_context *context, int argc, char **argv)`, one row in main.c
 * and one file cmd_x.c: an option table, cli_parse, calls of the modules, results on stdout. It
 * returns the status of what it called; main prints the sentence once. Exit status: 0 done, 2 for
 * POET_ERR_ARG (the command line asks for something meaningless), 1 for everything else, Ctrl-C
 * included. */
#ifndef POET_CLI_COMMAND_H
#define POET_CLI_COMMAND_H

#include "base/task.h"
#include "cli/opts.h"
#include "cli/progress.h"

typedef struct cli_context {
    const char *verb;
    poet_task task; /* pass &context->task to whatever takes long */
    cli_progress progress;

    /* filled by cli_parse */
    int threads;        /* 0: as many as the machine has */
    const char *device; /* see device.h */
    bool device_told;   /* which it is has been said */
    bool quiet;
    bool json;
    char **operands;
    int n_operands;
} cli_context;

typedef poet_status (*cli_command_fn)(cli_context *context, int argc, char **argv);

/* A row of a table of commands: of the program's, or of one command's own (`codebook shrink`). */
typedef struct cli_command {
    const char *name, *help;
    cli_command_fn run;
} cli_command;

/* The row of that name, or NULL and a sentence with the likeliest slip. verb is the command whose table it is, "" for the
 * program's. */
const cli_command *cli_command_find(const cli_command *table, int n, const char *verb,
                                    const char *name);

/* "  name  help" for each row. */
void cli_commands_help(const cli_command *table, int n, FILE *out);

/* A command that is a table of commands: runs the row that argv[1] names, with the verb "codebook shrink";
 * --help prints the table. */
typedef struct cli_group {
    const char *description, *examples; /* as in cli_spec */
    const cli_command *table;
    int n;
} cli_group;

poet_status cli_group_run(cli_context *context, const cli_group *group, int argc, char **argv);

/* A command's face: everything its --help says. */
typedef struct cli_spec {
    const char *operands; /* as in the usage line: "PROMPT...", "[FILE]"; NULL: none */
    int min_operands, max_operands;
    const char *description; /* a paragraph or more, lines under 80 columns */
    const char *examples;    /* lines that work as they stand, without the leading "pocketpoet" */
    const cli_option *options;
    bool json;   /* has a --json form */
    bool device; /* opens a device, see device.h */
} cli_spec;

/* Defaults, then the command line; adds --threads, --device, --quiet, --json and --help, which prints the
 * page and ends the process. */
poet_status cli_parse(cli_context *context, const cli_spec *spec, int argc, char **argv);

poet_status cmd_import(cli_context *context, int argc, char **argv);
poet_status cmd_bench(cli_context *context, int argc, char **argv);
poet_status cmd_codebook(cli_context *context, int argc, char **argv);
poet_status cmd_decode(cli_context *context, int argc, char **argv);
poet_status cmd_encode(cli_context *context, int argc, char **argv);
poet_status cmd_eval(cli_context *context, int argc, char **argv);
poet_status cmd_generate(cli_context *context, int argc, char **argv);
poet_status cmd_info(cli_context *context, int argc, char **argv);
poet_status cmd_inspect(cli_context *context, int argc, char **argv);
poet_status cmd_synth(cli_context *context, int argc, char **argv);
poet_status cmd_train_generator(cli_context *context, int argc, char **argv);
poet_status cmd_train_reader(cli_context *context, int argc, char **argv);
poet_status cmd_train_tokenizer(cli_context *context, int argc, char **argv);

#endif

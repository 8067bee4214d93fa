#include "cli/command.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 64 };

static void print_examples(const char *examples)
{
    printf("\nexamples:\n");
    while (*examples) {
        int line = (int)strcspn(examples, "\n");
        printf("  pocketpoet %.*s\n", line, examples);
        examples += line;
        examples += *examples == '\n';
    }
}

static void print_help(const cli_context *context, const cli_spec *spec, const cli_option *options)
{
    printf("usage: pocketpoet %s [options]%s%s\n\n%s\n\noptions:\n", context->verb,
           spec->operands ? " " : "", spec->operands ? spec->operands : "", spec->description);
    cli_options_help(options, stdout);
    if (spec->examples)
        print_examples(spec->examples);
}

/* The command's own rows, then those that all commands share. */
static poet_status join_options(cli_context *context, const cli_spec *spec, bool *help,
                                cli_option *all)
{
    const cli_option common[] = {
        CLI_INT("threads", 0, &context->threads, 0, 1024, "N", "0",
                "processor threads; 0 means all"),
        CLI_FLAG("quiet", 'q', &context->quiet, "no progress, only results and errors"),
        CLI_FLAG("help", 'h', help, "this page"),
        CLI_FLAG("json", 0, &context->json, "print the result as one JSON object"),
        CLI_END,
    };
    int n = 0;
    for (const cli_option *o = spec->options; o && o->type; o++) {
        if (n + (int)(sizeof common / sizeof *common) > MAX_OPTIONS)
            return POET_FAIL(POET_ERR_ARG, "%s: has too many options", context->verb);
        all[n++] = *o;
    }
    for (const cli_option *o = common; o->type; o++)
        if (spec->json || strcmp(o->name, "json") != 0)
            all[n++] = *o;
    all[n] = (cli_option)CLI_END;
    return POET_OK;
}

static poet_status check_operands(const cli_context *context, const cli_spec *spec)
{
    if (context->n_operands < spec->min_operands)
        return POET_FAIL(POET_ERR_ARG, "%s wants %s; 'pocketpoet %s --help' explains",
                         context->verb, spec->operands, context->verb);
    if (context->n_operands > spec->max_operands)
        return POET_FAIL(POET_ERR_ARG, "%s: '%.80s' is one argument too many", context->verb,
                         context->operands[spec->max_operands]);
    return POET_OK;
}

poet_status cli_parse(cli_context *context, const cli_spec *spec, int argc, char **argv)
{
    cli_option options[MAX_OPTIONS + 1];
    bool help = false;
    int first;
    POET_TRY(join_options(context, spec, &help, options));
    POET_TRY(cli_options_defaults(options));
    POET_TRY(cli_options_parse(options, argc, argv, &first));
    if (help) {
        print_help(context, spec, options);
        exit(fflush(stdout) ? 1 : 0);
    }
    context->operands = argv + first;
    context->n_operands = argc - first;
    POET_TRY(check_operands(context, spec));
    context->progress.quiet = context->quiet;
    return POET_OK;
}

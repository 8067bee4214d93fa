#include "cli/command.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"

#include <stdio.h>
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
    size_t length = strlen(spec->description);
    bool ended = length > 0 && spec->description[length - 1] == '\n';
    printf("usage: pocketpoet %s [options]%s%s\n\n%s%s\noptions:\n", context->verb,
           spec->operands ? " " : "", spec->operands ? spec->operands : "", spec->description,
           ended ? "" : "\n");
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
        CLI_ROW("device", 0, CLI_TYPE_TEXT, text, &context->device, 1, 16, "NAME", "auto",
                "auto, cpu, cuda or cuda:N; auto is a GPU where there is one"),
        CLI_FLAG("quiet", 'q', &context->quiet,
                 "no progress, only results, errors and what was skipped"),
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
        if ((spec->json || strcmp(o->name, "json") != 0) &&
            (spec->device || strcmp(o->name, "device") != 0))
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
    for (int i = 0; i < context->n_operands; i++) {
        size_t bad;
        if (!poet_utf8_valid(context->operands[i], strlen(context->operands[i]), &bad))
            return POET_FAIL(POET_ERR_ARG, "%s: its argument is not valid UTF-8 at byte %zu",
                             context->verb, bad);
    }
    return POET_OK;
}

static const char *text_of(const cli_option *option)
{
    return option->type == CLI_TYPE_TEXT ? *option->target.text : NULL;
}

static bool same_file(const char *a, const char *b)
{
    return poet_is_file(a) && poet_path_same(a, b);
}

/* One name in two spellings, of a file that need not be there. */
static bool same_name(const char *a, const char *b)
{
    const char *slash_a = strrchr(a, '/'), *slash_b = strrchr(b, '/');
    if (strcmp(slash_a ? slash_a + 1 : a, slash_b ? slash_b + 1 : b) != 0)
        return false;
    char *folder_a = poet_path_folder(a), *folder_b = poet_path_folder(b);
    bool same = folder_a && folder_b && poet_path_same(folder_a, folder_b);
    poet_free(folder_a);
    poet_free(folder_b);
    return same;
}

static poet_status check_output(const cli_context *context, const cli_option *options,
                                const cli_option *output)
{
    const char *path = text_of(output);
    for (int i = 0; i < context->n_operands; i++)
        if (same_file(path, context->operands[i]))
            return POET_FAIL(POET_ERR_ARG, "--%s: %s is what %s reads; another name is wanted",
                             output->name, path, context->verb);
    for (const cli_option *o = options; o->type; o++) {
        const char *other = o == output ? NULL : text_of(o);
        if (other && (same_file(path, other) || (o->writes && same_name(path, other))))
            return POET_FAIL(POET_ERR_ARG, "--%s and --%s: %s cannot be both", output->name,
                             o->name, path);
    }
    return POET_OK;
}

static poet_status check_outputs(const cli_context *context, const cli_option *options)
{
    for (const cli_option *o = options; o->type; o++)
        if (o->writes && text_of(o))
            POET_TRY(check_output(context, options, o));
    for (const cli_option *o = options; o->type; o++)
        if (o->writes && text_of(o))
            poet_output_clean(text_of(o));
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
    POET_TRY(check_outputs(context, options));
    context->progress.quiet = context->quiet;
    return POET_OK;
}

/* ---- tables of commands ---- */

const cli_command *cli_command_find(const cli_command *table, int n, const char *verb,
                                    const char *name)
{
    enum { MAX_NAMES = 64 };

    const char *names[MAX_NAMES], *space = *verb ? " " : "";
    for (int i = 0; i < n && i < MAX_NAMES; i++) {
        if (strcmp(name, table[i].name) == 0)
            return &table[i];
        names[i] = table[i].name;
    }
    const char *near = cli_nearest(name, names, n < MAX_NAMES ? n : MAX_NAMES);
    if (near)
        POET_FAIL(POET_ERR_ARG, "there is no command '%s%s%.80s'; did you mean '%s%s%s'?", verb,
                  space, name, verb, space, near);
    else
        POET_FAIL(POET_ERR_ARG,
                  "there is no command '%s%s%.80s'; 'pocketpoet %s%s--help' lists them", verb,
                  space, name, verb, space);
    return NULL;
}

void cli_commands_help(const cli_command *table, int n, FILE *out)
{
    for (int i = 0; i < n; i++)
        fprintf(out, "  %-16s %s\n", table[i].name, table[i].help);
}

static void print_group(const cli_context *context, const cli_group *group)
{
    printf("usage: pocketpoet %s COMMAND [options] [arguments]\n\n%s\n\ncommands:\n", context->verb,
           group->description);
    cli_commands_help(group->table, group->n, stdout);
    print_examples(group->examples);
}

poet_status cli_group_run(cli_context *context, const cli_group *group, int argc, char **argv)
{
    char verb[64];
    if (argc < 2)
        return POET_FAIL(POET_ERR_ARG, "%s wants a command; 'pocketpoet %s --help' lists them",
                         context->verb, context->verb);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_group(context, group);
        return POET_OK;
    }
    const cli_command *c = cli_command_find(group->table, group->n, context->verb, argv[1]);
    if (!c)
        return POET_ERR_ARG;
    const char *own = context->verb;
    snprintf(verb, sizeof verb, "%s %s", own, c->name);
    context->verb = verb;
    poet_status status = c->run(context, argc - 1, argv + 1);
    context->verb = own;
    return status;
}

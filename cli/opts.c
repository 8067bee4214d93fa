#include "cli/opts.h"

#include "base/utf8.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_OPTIONS = 64,
    FIRST_LONG = 256, /* getopt's value of row 0; below are letters */
    HELP_COLUMN = 27,
    HELP_WIDTH = 80,
    MAX_WORD = 64,
};

/* ---- values ---- */

/* A whole number and nothing else; one that is too large becomes the largest there is, which no
 * range includes. */
static bool parse_whole(const char *text, long long *out)
{
    char *end;
    *out = strtoll(text, &end, 10);
    return end != text && *end == 0;
}

static bool parse_real(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == 0 && isfinite(*out);
}

static poet_status set_whole(const cli_option *o, const char *text)
{
    long long number;
    if (!parse_whole(text, &number))
        return POET_FAIL(POET_ERR_ARG, "--%s: '%.80s' is not a whole number", o->name, text);
    if ((double)number < o->min || (double)number > o->max)
        return POET_FAIL(POET_ERR_ARG, "--%s: %.80s is not between %.0f and %.0f", o->name, text,
                         o->min, o->max);
    if (o->type == CLI_TYPE_INT)
        *o->target.whole = (int)number;
    else
        *o->target.wide = number;
    return POET_OK;
}

static poet_status set_seed(const cli_option *o, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (end == text || *end || errno || strchr(text, '-'))
        return POET_FAIL(POET_ERR_ARG, "--%s: '%.80s' is not a whole number from 0 to 2^64-1",
                         o->name, text);
    *o->target.seed = number;
    return POET_OK;
}

static poet_status set_real(const cli_option *o, const char *text)
{
    double number;
    if (!parse_real(text, &number))
        return POET_FAIL(POET_ERR_ARG, "--%s: '%.80s' is not a number", o->name, text);
    if (number < o->min || number > o->max)
        return POET_FAIL(POET_ERR_ARG, "--%s: %.80s is not between %g and %g", o->name, text,
                         o->min, o->max);
    if (o->type == CLI_TYPE_FLOAT)
        *o->target.single = (float)number;
    else
        *o->target.real = number;
    return POET_OK;
}

static poet_status set_size(const cli_option *o, const char *text)
{
    long long w, h;
    char left[32];
    const char *cross = strchr(text, 'x');
    size_t n = cross ? (size_t)(cross - text) : strlen(text);
    snprintf(left, sizeof left, "%.*s", (int)(n < sizeof left ? n : sizeof left), text);
    if (!parse_whole(left, &w) || !parse_whole(cross ? cross + 1 : left, &h))
        return POET_FAIL(POET_ERR_ARG, "--%s: '%.80s' is not a size like 64x64", o->name, text);
    if ((double)w < o->min || (double)h < o->min || (double)w > o->max || (double)h > o->max)
        return POET_FAIL(POET_ERR_ARG, "--%s: a side of %.80s is not between %.0f and %.0f",
                         o->name, text, o->min, o->max);
    *o->target.size = (cli_size){.w = (int)w, .h = (int)h};
    return POET_OK;
}

/* Texts go into results and metadata, which are UTF-8. */
static poet_status set_text(const cli_option *o, const char *text)
{
    size_t bytes = strlen(text), bad;
    if ((double)bytes < o->min)
        return POET_FAIL(POET_ERR_ARG, "--%s: the %s is empty", o->name, o->value);
    if ((double)bytes > o->max)
        return POET_FAIL(POET_ERR_ARG, "--%s: %zu bytes are more than %.0f", o->name, bytes,
                         o->max);
    if (!poet_utf8_valid(text, bytes, &bad))
        return POET_FAIL(POET_ERR_ARG, "--%s: the %s is not valid UTF-8 at byte %zu", o->name,
                         o->value, bad);
    *o->target.text = text;
    return POET_OK;
}

static poet_status set_choice(const cli_option *o, const char *text)
{
    char all[512] = "";
    int n = 0;
    for (; o->choices[n]; n++) {
        if (strcmp(o->choices[n], text) == 0) {
            *o->target.whole = n;
            return POET_OK;
        }
        if (n)
            strncat(all, ", ", sizeof all - strlen(all) - 1);
        strncat(all, o->choices[n], sizeof all - strlen(all) - 1);
    }
    const char *near = cli_nearest(text, o->choices, n);
    if (near)
        return POET_FAIL(POET_ERR_ARG, "--%s: '%.80s' is not one of %s; did you mean '%s'?",
                         o->name, text, all, near);
    return POET_FAIL(POET_ERR_ARG, "--%s: '%.80s' is not one of %s", o->name, text, all);
}

poet_status cli_option_set(const cli_option *option, const char *value)
{
    switch (option->type) {
    case CLI_TYPE_FLAG: *option->target.flag = true; return POET_OK;
    case CLI_TYPE_INT:
    case CLI_TYPE_LONG: return set_whole(option, value);
    case CLI_TYPE_SEED: return set_seed(option, value);
    case CLI_TYPE_FLOAT:
    case CLI_TYPE_DOUBLE: return set_real(option, value);
    case CLI_TYPE_SIZE: return set_size(option, value);
    case CLI_TYPE_TEXT: return set_text(option, value);
    case CLI_TYPE_CHOICE: return set_choice(option, value);
    case CLI_TYPE_END: break;
    }
    return POET_FAIL(POET_ERR_ARG, "--%s: has no type", option->name);
}

poet_status cli_options_defaults(const cli_option *options)
{
    for (const cli_option *o = options; o->type; o++) {
        if (o->type == CLI_TYPE_FLAG)
            *o->target.flag = false;
        else if (o->fallback)
            POET_TRY(cli_option_set(o, o->fallback));
    }
    return POET_OK;
}

/* ---- the command line ---- */

/* getopt's two descriptions of the same table. */
typedef struct getopt_tables {
    struct option longs[MAX_OPTIONS + 1];
    char letters[2 * MAX_OPTIONS + 2];
} getopt_tables;

/* Two rows of one name or letter are a slip of ours, which every --help page would show. */
static poet_status check_names(const cli_option *options)
{
    for (const cli_option *a = options; a->type; a++)
        for (const cli_option *b = options; b < a; b++)
            if (strcmp(a->name, b->name) == 0 || (a->letter && a->letter == b->letter))
                return POET_FAIL(POET_ERR_ARG, "--%s and --%s have the same name or letter",
                                 b->name, a->name);
    return POET_OK;
}

static poet_status make_tables(const cli_option *options, getopt_tables *tables)
{
    int n = 0;
    char *letter = tables->letters;
    *letter++ = ':'; /* a missing value is reported as ':' */
    memset(tables->longs, 0, sizeof tables->longs);
    for (const cli_option *o = options; o->type; o++, n++) {
        if (n == MAX_OPTIONS)
            return POET_FAIL(POET_ERR_ARG, "more than %d options", MAX_OPTIONS);
        bool has_value = o->type != CLI_TYPE_FLAG;
        tables->longs[n] =
            (struct option){.name = o->name, .has_arg = has_value, .val = FIRST_LONG + n};
        if (o->letter)
            *letter++ = o->letter;
        if (o->letter && has_value)
            *letter++ = ':';
    }
    *letter = 0;
    return POET_OK;
}

/* The row of what getopt returned, or of optopt; NULL for an unknown one. */
static const cli_option *find_option(const cli_option *options, int key)
{
    for (int n = 0; options[n].type; n++)
        if (key == FIRST_LONG + n || (key && key == options[n].letter))
            return &options[n];
    return NULL;
}

static poet_status unknown_option(const cli_option *options, const char *typed)
{
    const char *names[MAX_OPTIONS], *near = NULL;
    int n = 0, matches = 0;
    char name[MAX_WORD];
    if (optopt && optopt < FIRST_LONG)
        return POET_FAIL(POET_ERR_ARG, "there is no option -%c; --help lists them", optopt);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(typed + 2, "="), typed + 2);
    for (const cli_option *o = options; o->type; o++) {
        names[n++] = o->name;
        matches += strncmp(o->name, name, strlen(name)) == 0;
    }
    if (optopt)
        return POET_FAIL(POET_ERR_ARG, "--%s takes no value", find_option(options, optopt)->name);
    if (matches > 1)
        return POET_FAIL(POET_ERR_ARG, "--%s could be any of %d options; --help lists them", name,
                         matches);
    near = cli_nearest(name, names, n);
    if (near)
        return POET_FAIL(POET_ERR_ARG, "there is no option --%s; did you mean --%s?", name, near);
    return POET_FAIL(POET_ERR_ARG, "there is no option --%s; --help lists them", name);
}

poet_status cli_options_parse(const cli_option *options, int argc, char **argv, int *first)
{
    getopt_tables tables;
    int key;
    POET_TRY(check_names(options));
    POET_TRY(make_tables(options, &tables));
    optind = 0; /* glibc: begin anew */
    opterr = 0;
    while ((key = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1) {
        const cli_option *option = find_option(options, key == ':' ? optopt : key);
        if (key == '?' || !option)
            return unknown_option(options, argv[optind - 1]);
        if (key == ':')
            return POET_FAIL(POET_ERR_ARG, "--%s wants a value, %s", option->name, option->value);
        POET_TRY(cli_option_set(option, optarg));
    }
    *first = optind;
    return POET_OK;
}

/* ---- help ---- */

/* Prints words from column `at` on, breaking lines at HELP_WIDTH and indenting to HELP_COLUMN. */
static void print_wrapped(FILE *out, const char *text, int at)
{
    if (at >= HELP_COLUMN) {
        fputc('\n', out);
        at = 0;
    }
    fprintf(out, "%*s", HELP_COLUMN - at, "");
    at = HELP_COLUMN;
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (at > HELP_COLUMN && at + 1 + word > HELP_WIDTH) {
            fprintf(out, "\n%*s", HELP_COLUMN, "");
            at = HELP_COLUMN;
        }
        at += fprintf(out, "%s%.*s", at > HELP_COLUMN ? " " : "", word, text);
        text += word + (text[word] == ' ');
    }
    fputc('\n', out);
}

static void describe_choices(const cli_option *o, char *text, size_t room)
{
    for (int i = 0; o->choices[i]; i++) {
        strncat(text, i ? ", " : ": ", room - strlen(text) - 1);
        strncat(text, o->choices[i], room - strlen(text) - 1);
    }
}

void cli_options_help(const cli_option *options, FILE *out)
{
    for (const cli_option *o = options; o->type; o++) {
        char text[1024];
        int at = o->letter ? fprintf(out, "  -%c, --%s", o->letter, o->name)
                           : fprintf(out, "      --%s", o->name);
        if (o->value)
            at += fprintf(out, " %s", o->value);
        snprintf(text, sizeof text, "%s", o->help);
        if (o->choices)
            describe_choices(o, text, sizeof text);
        if (o->fallback && *o->fallback) {
            size_t used = strlen(text);
            snprintf(text + used, sizeof text - used, " (default %s)", o->fallback);
        }
        print_wrapped(out, text, at);
    }
}

/* ---- slips ---- */

/* Damerau-Levenshtein distance, adjacent swaps counted once; words are cut at MAX_WORD. */
static int edit_distance(const char *a, const char *b)
{
    int rows[3][MAX_WORD + 1];
    int *before = rows[0], *last = rows[1], *now = rows[2];
    int n = (int)strnlen(a, MAX_WORD), m = (int)strnlen(b, MAX_WORD);
    memset(rows, 0, sizeof rows);
    for (int j = 0; j <= m; j++)
        last[j] = j;
    for (int i = 1; i <= n; i++) {
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            int best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        int *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[m];
}

const char *cli_nearest(const char *typed, const char *const *words, int n_words)
{
    const char *nearest = NULL;
    int best = 1 + (int)strnlen(typed, MAX_WORD) / 3;
    for (int i = 0; i < n_words; i++) {
        int distance = edit_distance(typed, words[i]);
        if (distance < best || (distance == best && !nearest)) {
            best = distance;
            nearest = words[i];
        }
    }
    return nearest;
}

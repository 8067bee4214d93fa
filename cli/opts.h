/* Options of a command: one table row gives parsing, validation, default and help.
 *
 *     int count;
 *     const char *folder;
 *     const cli_option options[] = {
 *         CLI_INT("count", 'n', &count, 1, 1000000, "N", "16", "how many clips to make"),
 *         CLI_PATH("output", 'o', &folder, "FOLDER", NULL, "where to put them"),
 *         CLI_END,
 *     };
 *
 * A default is written as the user would write it. A row whose default is NULL leaves its target as
 * it was. Numbers are parsed whole and checked against the row's range, never cut or wrapped. */
#ifndef POET_CLI_OPTS_H
#define POET_CLI_OPTS_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef enum cli_type {
    CLI_TYPE_END,
    CLI_TYPE_FLAG,
    CLI_TYPE_INT,
    CLI_TYPE_LONG,
    CLI_TYPE_SEED,
    CLI_TYPE_FLOAT,
    CLI_TYPE_DOUBLE,
    CLI_TYPE_SIZE,
    CLI_TYPE_TEXT,
    CLI_TYPE_CHOICE,
} cli_type;

/* Pixels. */
typedef struct cli_size {
    int w, h;
} cli_size;

typedef struct cli_option {
    const char *name; /* without the dashes */
    char letter;      /* its short form, or 0 */
    bool writes;      /* CLI_OUTPUT */
    cli_type type;

    union {
        bool *flag;
        int *whole;
        int64_t *wide;
        uint64_t *seed;
        float *single;
        double *real;
        cli_size *size;
        const char **text;
    } target;

    double min, max;            /* numbers and sides of a size; texts: bytes */
    const char *const *choices; /* CLI_CHOICE: the words, NULL at the end */
    const char *value;          /* what --help calls the value, e.g. "N" or "FILE" */
    const char *fallback;
    const char *help;
} cli_option;

#define CLI_ROW(name_, letter_, type_, member_, target_, min_, max_, value_, fallback_, help_)     \
    {                                                                                              \
        .name = (name_), .letter = (letter_), .type = (type_), .target.member_ = (target_),        \
        .min = (double)(min_), .max = (double)(max_), .value = (value_), .fallback = (fallback_),  \
        .help = (help_)                                                                            \
    }

#define CLI_FLAG(name, letter, target, help)                                                       \
    CLI_ROW(name, letter, CLI_TYPE_FLAG, flag, target, 0, 0, NULL, NULL, help)
#define CLI_INT(name, letter, target, min, max, value, fallback, help)                             \
    CLI_ROW(name, letter, CLI_TYPE_INT, whole, target, min, max, value, fallback, help)
#define CLI_LONG(name, letter, target, min, max, value, fallback, help)                            \
    CLI_ROW(name, letter, CLI_TYPE_LONG, wide, target, min, max, value, fallback, help)
#define CLI_SEED(name, letter, target, fallback, help)                                             \
    CLI_ROW(name, letter, CLI_TYPE_SEED, seed, target, 0, 0, "N", fallback, help)
#define CLI_FLOAT(name, letter, target, min, max, value, fallback, help)                           \
    CLI_ROW(name, letter, CLI_TYPE_FLOAT, single, target, min, max, value, fallback, help)
#define CLI_DOUBLE(name, letter, target, min, max, value, fallback, help)                          \
    CLI_ROW(name, letter, CLI_TYPE_DOUBLE, real, target, min, max, value, fallback, help)
/* WIDTHxHEIGHT, or one number for a square. */
#define CLI_SIZE(name, letter, target, min, max, fallback, help)                                   \
    CLI_ROW(name, letter, CLI_TYPE_SIZE, size, target, min, max, "WxH", fallback, help)
/* Any UTF-8, also an empty one; points into argv. */
#define CLI_TEXT(name, letter, target, value, fallback, help)                                      \
    CLI_ROW(name, letter, CLI_TYPE_TEXT, text, target, 0, 1 << 20, value, fallback, help)
/* A file or folder name. */
#define CLI_PATH(name, letter, target, value, fallback, help)                                      \
    CLI_ROW(name, letter, CLI_TYPE_TEXT, text, target, 1, 4095, value, fallback, help)
/* The same, of what the command writes: never what it reads, nor what another option writes. */
#define CLI_OUTPUT(name_, letter_, target_, value_, fallback_, help_)                              \
    {                                                                                              \
        .name = (name_), .letter = (letter_), .type = CLI_TYPE_TEXT, .target.text = (target_),     \
        .min = 1, .max = 4095, .value = (value_), .fallback = (fallback_), .help = (help_),        \
        .writes = true                                                                             \
    }
/* One of some words; the target gets its index. */
#define CLI_CHOICE(name_, letter_, target_, choices_, value_, fallback_, help_)                    \
    {                                                                                              \
        .name = (name_), .letter = (letter_), .type = CLI_TYPE_CHOICE, .target.whole = (target_),  \
        .choices = (choices_), .value = (value_), .fallback = (fallback_), .help = (help_)         \
    }
#define CLI_END                                                                                    \
    {                                                                                              \
        .type = CLI_TYPE_END                                                                       \
    }

/* Parses one value into the option's target. POET_ERR_ARG with a sentence that begins with the
 * option's name. */
poet_status cli_option_set(const cli_option *option, const char *value);

/* Sets every default; a default that its own row refuses is an error too. */
poet_status cli_options_defaults(const cli_option *options);

/* Parses argv[1..argc) with getopt_long: long names may be shortened while they are unambiguous,
 * and operands may stand anywhere. Afterwards the operands are argv[*first..argc). Misspelt names
 * get a suggestion. POET_ERR_ARG on the first error. */
poet_status cli_options_parse(const cli_option *options, int argc, char **argv, int *first);

/* The option rows of a --help page, wrapped at 80 columns. */
void cli_options_help(const cli_option *options, FILE *out);

/* The word nearest to what was typed, or NULL when none is near enough to be a likely slip. */
const char *cli_nearest(const char *typed, const char *const *words, int n_words);

#endif

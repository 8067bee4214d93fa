/* Option tables: every type, its limits, and the command line's order and slips. */
#include "cli/opts.h"
#include "tests/support/check.h"

#include <stdlib.h>

typedef struct values {
    bool loud;
    int count, kind;
    int64_t steps;
    uint64_t seed;
    float rate;
    double seconds;
    cli_size size;
    const char *text, *path;
} values;

enum { MAX_ARGUMENTS = 16 };

static const char *const kinds[] = {"digits", "shapes", "street", NULL};

/* Parses arguments that are separated by single spaces; *first is relative to argv. */
static poet_status parse(const char *line, values *v, char **argv, int *argc, int *first)
{
    static char buffer[512];
    const cli_option options[] = {
        CLI_FLAG("loud", 'l', &v->loud, "speak up"),
        CLI_INT("count", 'n', &v->count, 1, 1000, "N", "16", "how many"),
        CLI_CHOICE("kind", 'k', &v->kind, kinds, "KIND", "shapes", "which"),
        CLI_LONG("steps", 0, &v->steps, -5, 1e12, "N", "7", "how long"),
        CLI_SEED("seed", 's', &v->seed, "1", "which random numbers"),
        CLI_FLOAT("rate", 0, &v->rate, 0, 1, "X", "0.5", "how fast"),
        CLI_DOUBLE("seconds", 0, &v->seconds, 0.1, 1e6, "S", "1.5", "when"),
        CLI_SIZE("size", 0, &v->size, 8, 4096, "64x48", "how large"),
        CLI_TEXT("text", 0, &v->text, "TEXT", NULL, "what"),
        CLI_PATH("path", 'o', &v->path, "FILE", NULL, "where"),
        CLI_END,
    };
    char *rest = NULL;
    snprintf(buffer, sizeof buffer, "command %s", line);
    *argc = 0;
    for (char *word = strtok_r(buffer, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        argv[(*argc)++] = word;
    argv[*argc] = NULL;
    POET_TRY(cli_options_defaults(options));
    return cli_options_parse(options, *argc, argv, first);
}

static poet_status set(const char *line, values *v)
{
    char *argv[MAX_ARGUMENTS + 1];
    int argc, first;
    return parse(line, v, argv, &argc, &first);
}

static void test_defaults(void)
{
    values v = {.text = "kept"};
    CHECK_OK(set("", &v));
    CHECK(!v.loud);
    CHECK_INT(v.count, 16);
    CHECK_INT(v.kind, 1);
    CHECK_INT(v.steps, 7);
    CHECK_INT(v.seed, 1);
    CHECK_CLOSE(v.rate, 0.5, 0);
    CHECK_CLOSE(v.seconds, 1.5, 0);
    CHECK_INT(v.size.w, 64);
    CHECK_INT(v.size.h, 48);
    CHECK_STR(v.text, "kept");
}

static void test_values(void)
{
    values v = {0};
    CHECK_OK(
        set("--loud --count=3 -k street --steps -5 --seed 18446744073709551615 --rate 1e-3", &v));
    CHECK(v.loud);
    CHECK_INT(v.count, 3);
    CHECK_INT(v.kind, 2);
    CHECK_INT(v.steps, -5);
    CHECK(v.seed == UINT64_MAX);
    CHECK_CLOSE(v.rate, 1e-3, 1e-9);
    CHECK_OK(set("-ln7 --size 96 -o out.mp4 --text=a=b --cou 4", &v));
    CHECK_INT(v.count, 4);
    CHECK_INT(v.size.w, 96);
    CHECK_INT(v.size.h, 96);
    CHECK_STR(v.path, "out.mp4");
    CHECK_STR(v.text, "a=b");
}

static void test_refusals(void)
{
    static const struct refusal {
        const char *line, *sentence;
    } refusals[] = {
        {"--count 0", "--count: 0 is not between 1 and 1000"},
        {"--count 1001", "--count: 1001 is not between 1 and 1000"},
        {"--count 4294967297", "is not between 1 and 1000"},
        {"--count 1x", "--count: '1x' is not a whole number"},
        {"--seed -1", "--seed: '-1' is not a whole number from 0"},
        {"--seed 18446744073709551616", "is not a whole number from 0"},
        {"--rate nan", "--rate: 'nan' is not a number"},
        {"--rate inf", "--rate: 'inf' is not a number"},
        {"--rate 1.01", "--rate: 1.01 is not between 0 and 1"},
        {"--seconds -2", "--seconds: -2 is not between 0.1 and 1e+06"},
        {"--size 64x", "is not a size like 64x64"},
        {"--size x64", "is not a size like 64x64"},
        {"--size 64x64x3", "is not a size like 64x64"},
        {"--size 64x4", "a side of 64x4 is not between 8 and 4096"},
        {"--size 18446744073709551680", "a side of"},
        {"--kind shape", "'shape' is not one of digits, shapes, street; did you mean 'shapes'?"},
        {"--kind zebra", "'zebra' is not one of digits, shapes, street"},
        {"--path=", "--path: the FILE is empty"},
        {"--path x\xFF", "--path: the FILE is not valid UTF-8 at byte 1"},
        {"--cuont 3", "there is no option --cuont; did you mean --count?"},
        {"--s 3", "--s could be any of 4 options"},
        {"-x", "there is no option -x"},
        {"-lx", "there is no option -x"},
        {"--loud=3", "--loud takes no value"},
        {"--count", "--count wants a value, N"},
        {"-n", "--count wants a value, N"},
    };

    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        values v = {0};
        CHECK_FAILS(set(refusals[i].line, &v), POET_ERR_ARG, refusals[i].sentence);
    }
}

static void test_operands(void)
{
    values v = {0};
    char *argv[MAX_ARGUMENTS + 1];
    int argc, first;
    CHECK_OK(parse("one --count 2 two -l -- --three", &v, argv, &argc, &first));
    CHECK_INT(argc - first, 3);
    CHECK_STR(argv[first], "one");
    CHECK_STR(argv[first + 1], "two");
    CHECK_STR(argv[first + 2], "--three");
}

static void test_twins(void)
{
    bool one, two;
    char command[] = "command", *argv[] = {command, NULL};
    int first;
    const cli_option letters[] = {CLI_FLAG("one", 'o', &one, ""), CLI_FLAG("two", 'o', &two, ""),
                                  CLI_END};
    const cli_option names[] = {CLI_FLAG("one", 0, &one, ""), CLI_FLAG("one", 0, &two, ""),
                                CLI_END};
    CHECK_FAILS(cli_options_parse(letters, 1, argv, &first), POET_ERR_ARG, "--one and --two");
    CHECK_FAILS(cli_options_parse(names, 1, argv, &first), POET_ERR_ARG, "--one and --one");
}

static void test_nearest(void)
{
    static const char *const words[] = {"encode", "decode", "generate"};
    CHECK_STR(cli_nearest("genrate", words, 3), "generate");
    CHECK_STR(cli_nearest("dceode", words, 3), "decode");
    CHECK_STR(cli_nearest("encdoe", words, 3), "encode");
    CHECK(cli_nearest("xyz", words, 3) == NULL);
    CHECK(cli_nearest("", words, 3) == NULL);
}

int main(void)
{
    test_defaults();
    test_values();
    test_refusals();
    test_operands();
    test_twins();
    test_nearest();
    return CHECK_RESULT();
}

/* Progress lines, on a terminal and elsewhere. */
#include "cli/progress.h"
#include "tests/support/check.h"

static char text[4096];

/* Reports `done` of 10 clips to a fresh observer, n of them, and leaves the output in text. */
static void report(bool quiet, bool terminal, int n, const double *done)
{
    cli_progress progress;
    FILE *out = tmpfile();
    CHECK(out != NULL);
    if (!out)
        return;
    cli_progress_init(&progress, out, quiet);
    CHECK(!progress.terminal);
    progress.terminal = terminal;
    poet_task task = cli_progress_task(&progress);
    for (int i = 0; i < n; i++)
        poet_task_progress(&task, &(poet_progress){.what = "import",
                                                   .done = done[i],
                                                   .total = 10,
                                                   .unit = "clips",
                                                   .note = "2 skipped"});
    poet_task_info(&task, "memory: %d bytes", 7);
    poet_task_message(&task, "%s: is broken", "x.mp4");
    cli_progress_clear(&progress);
    rewind(out);
    text[fread(text, 1, sizeof text - 1, out)] = 0;
    fclose(out);
}

static void test_plain(void)
{
    report(false, false, 3, (double[]){0, 4, 10});
    CHECK(strncmp(text, "import: 10 clips in 0:00, ", 26) == 0);
    CHECK(strstr(text, " clips/s, 2 skipped\nmemory: 7 bytes\nx.mp4: is broken\n") != NULL);
    CHECK(strchr(text, '\r') == NULL);
}

static void test_nothing_to_do(void)
{
    report(false, false, 2, (double[]){10, 10});
    CHECK_STR(text, "memory: 7 bytes\nx.mp4: is broken\n");
}

static void test_quiet(void)
{
    report(true, false, 3, (double[]){0, 4, 10});
    CHECK_STR(text, "x.mp4: is broken\n");
}

static void test_terminal(void)
{
    report(false, true, 1, (double[]){5});
    static const char wanted[] = "\rimport [============            ] 5/10 clips  2 skipped\033[K";
    CHECK(strncmp(text, wanted, sizeof wanted - 1) == 0); /* nothing is known of the rate yet */
    CHECK(strstr(text, "\r\033[Kmemory: 7 bytes\nx.mp4: is broken\n") != NULL);
}

static void test_time(void)
{
    static const struct example {
        double seconds;
        const char *text;
    } examples[] = {{0, "0:00"}, {7.4, "0:07"}, {59.6, "1:00"}, {754, "12:34"}, {11100, "3:05:00"}};

    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        char out[32];
        cli_format_time(examples[i].seconds, out, sizeof out);
        CHECK_STR(out, examples[i].text);
    }
}

int main(void)
{
    test_plain();
    test_nothing_to_do();
    test_quiet();
    test_terminal();
    test_time();
    return CHECK_RESULT();
}

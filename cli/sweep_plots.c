/* The figures of a sweep, and their plots: a line for each method, means over seeds with their range. */
#include "cli/child.h"
#include "cli/sweep_report.h"

#include "base/file.h"

#include <limits.h>
#include <math.h>
#include <string.h>

static const char no_generator[] = "no generators were trained (--generator-steps 0)",
                  not_compared[] = "clips were not compared as sets (--distribution 0)",
                  none_compared[] =
                      "no generators were trained, or clips not compared (--distribution 0)",
                  not_timed[] = "no generators were trained, or none was timed (--speed 0)";

const sweep_figure sweep_figures[] = {
    {"psnr", "PSNR, dB", 2,
     "peak signal-to-noise ratio of held-out clips after encoding and decoding, the mean over "
     "clips",
     NULL},
    {"ssim", "SSIM", 4, "structural similarity (Wang et al. 2004) of the same", NULL},
    {"codes_used", "codes used", 0, "of all levels, by these clips", NULL},
    {"perplexity", "perplexity", 1, "exp of the entropy of their use", NULL},
    {"raw_bits_per_clip", "bits per clip, raw", 0, "tokens of a clip times log2 of the codes",
     NULL},
    {"bits_per_clip", "bits per clip, generator", 0,
     "what the generator needs for the codes of a held-out clip, given its caption; lower is "
     "better only between codebooks that keep as much",
     no_generator},
    {"caption_accuracy_seen", "captions right, seen", 3,
     "share of generated clips in which a reader finds all that the caption says, for combinations "
     "of attributes that training has",
     "no generators were trained, no captions asked for (--captions 0), or the clips are not built "
     "in: a dataset's held-out captions are not divided into seen and unseen combinations"},
    {"caption_accuracy_heldout", "captions right, held-out", 3,
     "the same for combinations that training does not have; of a dataset: for held-out captions",
     "no generators were trained, no captions asked for (--captions 0), or no reader was trained "
     "on a dataset's attributes (--feature-steps 0)"},
    {"reconstructed_frechet", "Fréchet distance, reconstructed", 4,
     "between Gaussians fitted to the features of reconstructed and of real held-out clips; the "
     "features are our own, so the figure is comparable within this report alone",
     not_compared},
    {"generated_frechet", "Fréchet distance, generated", 4,
     "the same of clips that the generator writes for the captions of the held-out ones",
     none_compared},
    {"generated_precision", "precision, generated", 3,
     "share of the generated clips that lie among real ones (Kynkäänniemi et al. 2019)",
     none_compared},
    {"generated_recall", "recall, generated", 3,
     "share of the real clips that lie among generated ones", none_compared},
    {"generated_density", "density, generated", 3,
     "precision that counts how many real neighbourhoods a clip lies in (Naeem et al. 2020); 1 "
     "where both are alike",
     none_compared},
    {"generated_coverage", "coverage, generated", 3,
     "share of the real clips with a generated one in their neighbourhood", none_compared},
    {"reconstructed_precision", "precision, reconstructed", 3, "as above, of reconstructions",
     not_compared},
    {"reconstructed_recall", "recall, reconstructed", 3, "as above, of reconstructions",
     not_compared},
    {"reconstructed_density", "density, reconstructed", 3, "as above, of reconstructions",
     not_compared},
    {"reconstructed_coverage", "coverage, reconstructed", 3, "as above, of reconstructions",
     not_compared},
    {"samples_median", "tokens a code, median", 0,
     "tokens of the training clips that a code has, of the first level", NULL},
    {"under_100", "codes below 100 tokens", 3, "share of the codes with fewer than 100", NULL},
    {"machine.codes_per_second", "codes written a second", 0,
     "sampling, one clip at a time, without guidance, all levels", not_timed},
    {"machine.softmax_share", "softmax's share of a step", 3,
     "of the time of a training step of the generator: its last layer and the cross-entropy, "
     "forward and backward",
     not_timed},
    {"generator_bytes", "generator, bytes", 0, "its file", no_generator},
    {"tokenizer_bytes", "tokenizer, bytes", 0, "its file", NULL},
    {"machine.peak_memory", "peak memory, bytes", 0,
     "the most that any command of the cell had resident; memory of a graphics card is not in it",
     NULL},
    {"machine.joules_per_clip", "joules a clip", 2,
     "of the processor's package while clips were written",
     "no generators were trained, none was timed (--speed 0), or the machine has no counter of "
     "energy that may be read"},
    {"machine.device_joules_per_clip", "joules a clip, card", 2,
     "of the graphics card while clips were written",
     "no generators were trained, none was timed (--speed 0), or clips were not written on a card "
     "that counts its energy"},
    {"machine.seconds", "seconds", 0,
     "of all commands of the cell; of a command that was stopped and went on, since it went on",
     NULL},
};
const int sweep_n_figures = sizeof sweep_figures / sizeof *sweep_figures;

/* A plot: y against x, both paths in a cell's object. */
typedef struct plot {
    const char *x, *x_title, *y, *y_title;
} plot;

static const plot across[] = {
    {"bits_per_clip", "bits per clip, generator", "psnr", "PSNR, dB"},
    {"bits_per_clip", "bits per clip, generator", "caption_accuracy_heldout",
     "captions right, held-out"},
    {"raw_bits_per_clip", "bits per clip, raw", "psnr", "PSNR, dB"},
};

enum { ACROSS = sizeof across / sizeof *across };

/* ---- points ---- */

typedef struct point {
    double x, y, low, high;
    int seeds;
} point;

bool sweep_figure_value(const sweep_row *row, const char *key, double *out)
{
    json_t *value = sweep_value(row->result, key);
    *out = json_number_value(value);
    return json_is_number(value) && isfinite(*out);
}

/* The cells of one method and K; false: they do not have the figures. */
static bool gather(const sweep_rows *rows, const plot *p, sweep_method method, int codes,
                   point *out)
{
    *out = (point){.low = INFINITY, .high = -INFINITY};
    for (int i = 0; i < rows->n; i++) {
        double x, y;
        const sweep_row *row = &rows->row[i];
        if (row->cell->method != method || row->cell->codes != codes ||
            !sweep_figure_value(row, p->x, &x) || !sweep_figure_value(row, p->y, &y))
            continue;
        out->seeds++;
        out->x += (x - out->x) / out->seeds;
        out->y += (y - out->y) / out->seeds;
        out->low = fmin(out->low, y);
        out->high = fmax(out->high, y);
    }
    return out->seeds > 0;
}

/* The range of an axis: gnuplot warns of one whose values are all alike, and is given one around them then. */
static void write_range(char axis, double low, double high, double from, double to, FILE *script)
{
    if (low < high)
        fprintf(script, "set autoscale %c\n", axis);
    else if (low == high)
        fprintf(script, "set %crange [%.9g:%.9g]\n", axis, from, to);
}

/* A block of lines "x y low high" for each method that has points, and the ranges. False: there is nothing to plot. */
static bool write_points(const sweep_plan *plan, const sweep_rows *rows, const plot *p,
                         FILE *script)
{
    double low = INFINITY, high = -INFINITY, left = INFINITY, right = -INFINITY;
    fprintf(script, "$points << EOD\n");
    for (int m = 0; m < SWEEP_METHODS; m++) {
        int own = 0;
        for (int i = 0; i < plan->n_sizes; i++) {
            point at;
            if (!gather(rows, p, (sweep_method)m, plan->sizes[i], &at))
                continue;
            fprintf(script, "%.9g %.9g %.9g %.9g\n", at.x, at.y, at.low, at.high);
            low = fmin(low, at.low);
            high = fmax(high, at.high);
            left = fmin(left, at.x);
            right = fmax(right, at.x);
            own++;
        }
        fprintf(script, own ? "\n\n" : "");
    }
    fprintf(script, "EOD\n");
    write_range('x', left, right, left / 2, 2 * right, script); /* its scale is logarithmic */
    write_range('y', low, high, low - 1, high + 1, script);
    return low <= high;
}

static void write_command(const sweep_plan *plan, const sweep_rows *rows, const plot *p,
                          FILE *script)
{
    int block = 0;
    for (int m = 0; m < SWEEP_METHODS; m++) {
        bool any = false;
        point at;
        for (int i = 0; i < plan->n_sizes; i++)
            any |= gather(rows, p, (sweep_method)m, plan->sizes[i], &at);
        if (!any)
            continue;
        fprintf(script, "%s $points index %d using 1:2:3:4 with yerrorlines linetype %d title '%s'",
                block ? "," : "plot", block, m + 1, sweep_methods[m].name);
        block++;
    }
    fprintf(script, "\n");
}

/* A string of gnuplot's that nothing in it ends, and the end of the line. */
static void write_quoted(const char *text, FILE *script)
{
    putc('\'', script);
    for (; *text; text++) {
        if (*text == '\'')
            putc('\'', script);
        putc(*text, script);
    }
    fprintf(script, "'\n");
}

/* False: there is nothing to plot. */
static bool write_plot(const sweep_plan *plan, const sweep_rows *rows, const plot *p, int number,
                       FILE *script)
{
    char path[PATH_MAX + 32];
    if (!write_points(plan, rows, p, script))
        return false;
    fprintf(script,
            "set terminal svg size 560,400 dynamic name 'plot%d' background 'white' font "
            "'sans,11'\nset output ",
            number);
    snprintf(path, sizeof path, "%s/plots/plot-%d.svg", plan->folder, number);
    write_quoted(path, script);
    fprintf(script, "set xlabel ");
    write_quoted(p->x_title, script);
    fprintf(script, "set title ");
    write_quoted(p->y_title, script);
    write_command(plan, rows, p, script);
    return true;
}

static int write_script(const sweep_plan *plan, const sweep_rows *rows, FILE *script)
{
    int n = 0;
    fprintf(script, "set encoding utf8\nset grid\nset key outside below\nset logscale x 2\n"
                    "set linetype 7 linecolor 'brown'\nset linetype 9 linecolor 'dark-pink'\n"
                    "set linetype 10 linecolor 'olive'\nset linetype 11 linecolor 'navy'\n"
                    "set linetype 12 linecolor 'gray50'\n");
    for (int i = 0; i < sweep_n_figures; i++) {
        plot p = {"codes", "K", sweep_figures[i].key, sweep_figures[i].title};
        n += write_plot(plan, rows, &p, n, script);
    }
    for (int i = 0; i < ACROSS; i++)
        n += write_plot(plan, rows, &across[i], n, script);
    return n;
}

poet_status sweep_plot(const sweep_plan *plan, const sweep_rows *rows, const poet_task *task,
                       int *n)
{
    char folder[PATH_MAX], path[PATH_MAX + 32], printed[PATH_MAX + 32];
    poet_output *script;
    cli_child child;
    snprintf(folder, sizeof folder, "%s/plots", plan->folder);
    snprintf(path, sizeof path, "%s/plots.gp", folder);
    snprintf(printed, sizeof printed, "%s/gnuplot.printed", folder);
    POET_TRY(poet_make_directory(folder));
    POET_TRY(poet_output_create(path, &script));
    *n = write_script(plan, rows, poet_output_stream(script));
    poet_status status = poet_output_commit(script);
    poet_output_destroy(script);
    POET_TRY(status);
    const char *const argv[] = {"gnuplot", path, NULL};
    status = cli_child_run(argv, printed, task, &child);
    if (status == POET_ERR_INTERRUPTED)
        return status;
    if (status || child.exit_status) {
        poet_task_message(task, "the report has no plots: gnuplot %s",
                          status ? "is not installed" : "failed");
        *n = 0;
    }
    return POET_OK;
}

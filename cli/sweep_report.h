/* What 'eval sweep' makes of the cells that are done: sweep.jsonl (a line for each), sweep.csv, and report.html, one file that
 * opens from disk, with plots by gnuplot. */
#ifndef POET_CLI_SWEEP_REPORT_H
#define POET_CLI_SWEEP_REPORT_H

#include "cli/sweep_run.h"

typedef struct sweep_row {
    const sweep_cell *cell;
    json_t *result;
} sweep_row;

/* The cells that are done, in the order of the plan, without the features. */
typedef struct sweep_rows {
    sweep_row *row;
    int n;
} sweep_rows;

/* Free also after a failure. */
poet_status sweep_rows_load(const sweep_plan *plan, sweep_rows *out);
void sweep_rows_free(sweep_rows *rows);

/* The three files, each by rename. Where gnuplot is missing the report has a sentence for the plots, and so has the task. */
poet_status sweep_write(const sweep_plan *plan, const sweep_rows *rows, const poet_task *task);

/* ---- sweep_plots.c ---- */

/* A figure of the cells: what its plot and its column are called, what it means, and why no cell may have it. */
typedef struct sweep_figure {
    const char *key; /* a path in a cell's object */
    const char *title;
    int digits; /* after the point, in the table */
    const char *meaning;
    const char *absent; /* NULL: every cell has it */
} sweep_figure;

extern const sweep_figure sweep_figures[];
extern const int sweep_n_figures;

/* The value of a figure in a cell; false: it has none. */
bool sweep_figure_value(const sweep_row *row, const char *key, double *out);

/* Draws each figure that cells have against K, and then against bits per clip, PSNR and caption accuracy: FOLDER/plots/plot-I.svg
 * for I below *n, which all are *named. *n is 0 without a gnuplot. */
poet_status sweep_plot(const sweep_plan *plan, const sweep_rows *rows, const poet_task *task,
                       int *n);

#endif

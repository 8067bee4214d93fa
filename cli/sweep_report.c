#include "cli/sweep_report.h"

#include "base/file.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PLOT = 1 << 22 };

/* ---- rows ---- */

poet_status sweep_rows_load(const sweep_plan *plan, sweep_rows *out)
{
    *out = (sweep_rows){.row = poet_calloc((size_t)plan->n_cells, sizeof *out->row)};
    if (!out->row)
        return POET_ERR_NOMEM;
    for (int i = 0; i < plan->n_cells; i++) {
        const sweep_cell *cell = &plan->cells[i];
        char path[PATH_MAX];
        if (cell->method == SWEEP_FEATURES || !sweep_cell_done(plan, cell))
            continue;
        sweep_cell_result(plan, cell, path, sizeof path);
        POET_TRY(sweep_load(path, &out->row[out->n].result));
        out->row[out->n++].cell = cell;
    }
    return POET_OK;
}

void sweep_rows_free(sweep_rows *rows)
{
    for (int i = 0; i < rows->n; i++)
        json_decref(rows->row[i].result);
    poet_free(rows->row);
    *rows = (sweep_rows){0};
}

/* ---- sweep.jsonl, sweep.csv ---- */

static void write_jsonl(const sweep_rows *rows, FILE *out)
{
    for (int i = 0; i < rows->n; i++) {
        json_dumpf(rows->row[i].result, out, JSON_COMPACT | JSON_REAL_PRECISION(9));
        putc('\n', out);
    }
}

static void write_field(json_t *value, FILE *out)
{
    if (json_is_string(value))
        fprintf(out, "%s", json_string_value(value));
    else if (json_is_integer(value))
        fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        fprintf(out, "%.9g", json_real_value(value));
}

/* Scalars of an object, and of the objects in it; prefix and names, or values. No value has a comma: texts are our own names. */
static void write_csv_line(json_t *object, const char *prefix, bool names, bool *first, FILE *out)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (json_is_object(value)) {
            write_csv_line(value, key, names, first, out);
            continue;
        }
        if (json_is_array(value))
            continue;
        fprintf(out, "%s", *first ? "" : ",");
        *first = false;
        if (names)
            fprintf(out, "%s%s%s", prefix, *prefix ? "." : "", key);
        else
            write_field(value, out);
    }
}

static void write_csv(const sweep_rows *rows, FILE *out)
{
    for (int i = -1; i < rows->n && rows->n; i++) {
        bool first = true;
        write_csv_line(rows->row[i < 0 ? 0 : i].result, "", i < 0, &first, out);
        putc('\n', out);
    }
}

/* ---- report.html ---- */

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Codebook "
    "sweep</title>\n<style>\nbody { font: 15px/1.45 sans-serif; max-width: 1180px; margin: 2em "
    "auto; "
    "padding: 0 1em; color: #222; }\ntable { border-collapse: collapse; font-size: 12px; }\n"
    "th, td { border: 1px solid #ccc; padding: 2px 6px; text-align: right; }\n"
    "th:first-child, td:first-child { text-align: left; }\n"
    ".plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(460px, 1fr)); }\n"
    ".wide { overflow-x: auto; }\ndt { font-weight: bold; }\npre { white-space: pre-wrap; "
    "font-size: "
    "12px; background: #f4f4f4; padding: 6px; }\n</style></head><body>\n<h1>Codebook sweep</h1>\n";

static void write_escaped(const char *text, FILE *out)
{
    for (; *text; text++)
        switch (*text) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        default: putc(*text, out);
        }
}

static void write_intro(const sweep_plan *plan, const sweep_rows *rows, FILE *out)
{
    const cli_data *d = &plan->data;
    int cells = plan->n_cells - (plan->feature_steps > 0);
    fprintf(out, "<p>Clips: <b>");
    write_escaped(plan->spec, out);
    fprintf(
        out,
        "</b> (built-in ones %d x %d pixels, %d frames, %lld for training, seed %llu). Cells done: "
        "%d of %d, with %d seed%s. Lines are means over seeds, bars go from the least to the "
        "greatest. Every method stands at the K whose bits its tokens have.</p>\n",
        d->size.w, d->size.h, d->frames, (long long)d->clips, (unsigned long long)d->seed, rows->n,
        cells, plan->seeds, plan->seeds > 1 ? "s" : "");
    fprintf(out, "<p>Tokenizers: patches of %d x %d pixels, %lld steps; options '", plan->patch,
            plan->patch, (long long)plan->tokenizer_steps);
    write_escaped(plan->tokenizer_options, out);
    if (plan->generator_steps) {
        fprintf(out, "'. Generators: %lld steps on %lld clips; options '",
                (long long)plan->generator_steps, (long long)plan->train_clips);
        write_escaped(plan->generator_options, out);
        fprintf(out, "'. Where it says so, both were trained on for %lld steps.</p>\n",
                (long long)plan->finetune_steps);
    } else {
        fprintf(out, "'. No generators were trained.</p>\n");
    }
    fprintf(out,
            "<p>Features of clips are what a network of %s gives before its last layer%s.</p>\n",
            plan->feature_steps ? "convolutions, trained to read the clips' attributes,"
                                : "convolutions with random weights",
            plan->feature_steps ? "" : " (Naeem et al. 2020)");
}

static void write_methods(const sweep_plan *plan, FILE *out)
{
    fprintf(out, "<h2>Methods</h2>\n<dl>\n");
    for (int m = 0; m < SWEEP_METHODS; m++)
        if (plan->method[m])
            fprintf(out, "<dt>%s</dt><dd>%s</dd>\n", sweep_methods[m].name, sweep_methods[m].help);
    fprintf(out, "</dl>\n");
}

/* gnuplot gives parts of every plot the same names, which are made different in one page. */
static void write_svg(const char *text, int number, FILE *out)
{
    static const char *const marks[] = {" id='", " id=\"", "href='#", "url(#"};
    while (*text) {
        size_t length = 0;
        for (size_t i = 0; i < sizeof marks / sizeof *marks && !length; i++)
            if (strncmp(text, marks[i], strlen(marks[i])) == 0)
                length = strlen(marks[i]);
        if (length)
            fprintf(out, "%.*splot%d-", (int)length, text, number);
        else
            putc(*text, out);
        text += length ? length : 1;
    }
    putc('\n', out);
}

static poet_status write_plots(const sweep_plan *plan, int n, FILE *out)
{
    fprintf(out, "<h2>Plots</h2>\n");
    if (!n)
        fprintf(out, "<p>There are none: gnuplot, which draws them, did not run.</p>\n");
    fprintf(out, "<div class=\"plots\">\n");
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX + 32];
        unsigned char *text;
        size_t size;
        snprintf(path, sizeof path, "%s/plots/plot-%d.svg", plan->folder, i);
        POET_TRY(poet_file_read(path, MAX_PLOT, &text, &size));
        const char *svg = strstr((const char *)text, "<svg"); /* without the XML declaration */
        write_svg(svg ? svg : "", i, out);
        poet_free(text);
    }
    fprintf(out, "</div>\n");
    return POET_OK;
}

static bool any_has(const sweep_rows *rows, const char *key)
{
    double value;
    bool any = false;
    for (int i = 0; i < rows->n; i++)
        any |= sweep_figure_value(&rows->row[i], key, &value);
    return any;
}

static void write_row(const sweep_row *row, const bool *column, FILE *out)
{
    fprintf(out, "<tr><td>%s</td><td>%d</td><td>%d</td><td>%.0f</td>", row->cell->name,
            row->cell->level_codes, row->cell->levels,
            json_number_value(json_object_get(row->result, "tokens_per_clip")));
    for (int f = 0; f < sweep_n_figures; f++) {
        double value;
        if (!column[f])
            continue;
        if (sweep_figure_value(row, sweep_figures[f].key, &value))
            fprintf(out, "<td>%.*f</td>", sweep_figures[f].digits, value);
        else
            fprintf(out, "<td></td>");
    }
    fprintf(out, "</tr>\n");
}

/* The figures that cells have, and why they do not have the others. */
static poet_status write_table(const sweep_rows *rows, FILE *out)
{
    bool *column = poet_calloc((size_t)sweep_n_figures, sizeof *column);
    if (!column)
        return POET_ERR_NOMEM;
    fprintf(out, "<h2>Cells</h2>\n<div class=\"wide\"><table>\n<tr><th>cell</th><th>codes of a "
                 "level</th><th>levels</th><th>tokens a clip</th>");
    for (int f = 0; f < sweep_n_figures; f++) {
        column[f] = any_has(rows, sweep_figures[f].key);
        if (column[f])
            fprintf(out, "<th>%s</th>", sweep_figures[f].title);
    }
    fprintf(out, "</tr>\n");
    for (int i = 0; i < rows->n; i++)
        write_row(&rows->row[i], column, out);
    fprintf(out, "</table></div>\n<p>All figures, with their intervals, are in sweep.csv and "
                 "sweep.jsonl.</p>\n<ul>\n");
    for (int f = 0; f < sweep_n_figures && rows->n; f++)
        if (!column[f])
            fprintf(out, "<li>Not measured: %s. %s.</li>\n", sweep_figures[f].title,
                    sweep_figures[f].absent ? sweep_figures[f].absent : "Cells do not have it");
    fprintf(out, "</ul>\n");
    poet_free(column);
    return POET_OK;
}

static void write_meanings(FILE *out)
{
    fprintf(out, "<h2>What the figures mean</h2>\n<dl>\n");
    for (int f = 0; f < sweep_n_figures; f++)
        fprintf(out, "<dt>%s</dt><dd>%s</dd>\n", sweep_figures[f].title, sweep_figures[f].meaning);
    fprintf(out, "</dl>\n");
}

/* The commands of the first cell of every method. */
static void write_commands(const sweep_rows *rows, FILE *out)
{
    bool shown[SWEEP_METHODS] = {false};
    fprintf(out,
            "<h2>Commands</h2>\n<p>A cell is made by these commands of pocketpoet; one cell of "
            "each method:</p>\n");
    for (int i = 0; i < rows->n; i++) {
        size_t line;
        json_t *text;
        const sweep_cell *cell = rows->row[i].cell;
        if (shown[cell->method])
            continue;
        shown[cell->method] = true;
        fprintf(out, "<h3>%s</h3>\n<pre>", cell->name);
        json_array_foreach(json_object_get(rows->row[i].result, "commands"), line, text)
        {
            write_escaped(json_string_value(text), out);
            putc('\n', out);
        }
        fprintf(out, "</pre>\n");
    }
}

static poet_status write_html(const sweep_plan *plan, const sweep_rows *rows, const poet_task *task,
                              FILE *out)
{
    int plots;
    POET_TRY(sweep_plot(plan, rows, task, &plots));
    fputs(head, out);
    write_intro(plan, rows, out);
    write_methods(plan, out);
    POET_TRY(write_plots(plan, plots, out));
    POET_TRY(write_table(rows, out));
    write_meanings(out);
    write_commands(rows, out);
    fprintf(out, "</body></html>\n");
    return POET_OK;
}

poet_status sweep_write(const sweep_plan *plan, const sweep_rows *rows, const poet_task *task)
{
    static const char *const names[] = {"sweep.jsonl", "sweep.csv", "report.html"};
    for (int i = 0; i < 3; i++) {
        char path[PATH_MAX];
        poet_output *output;
        snprintf(path, sizeof path, "%s/%s", plan->folder, names[i]);
        POET_TRY(poet_output_create(path, &output));
        FILE *out = poet_output_stream(output);
        poet_status status = POET_OK;
        if (i == 0)
            write_jsonl(rows, out);
        else if (i == 1)
            write_csv(rows, out);
        else
            status = write_html(plan, rows, task, out);
        if (!status)
            status = poet_output_commit(output);
        poet_output_destroy(output);
        POET_TRY(status);
    }
    return POET_OK;
}

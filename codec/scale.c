/* Separable resampling: each axis is a table of (first input, weights) per output. Rows pass the
 * horizontal filter when the vertical one first asks for them. */
#include "codec/scale_internal.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

typedef struct axis {
    int n;         /* outputs */
    int taps;      /* weights per output */
    int *first;    /* (n) */
    float *weight; /* (n, taps), each row sums to 1 */
} axis;

struct poet_scaler {
    int in_h, in_w, out_h, out_w;
    int top, left; /* of the picture inside the output, for POET_FIT_PAD */
    axis x, y;
    float *rows; /* (y.taps, x.n, 3): a ring of the rows after the horizontal pass; row j is in j %
                    taps */
    float *sum;  /* (x.n, 3) */
    uint8_t background[3];
};

/* The interval [from, to) of the input that an axis shows. */
typedef struct window {
    double from, to;
} window;

static double catmull_rom(double x)
{
    x = fabs(x);
    if (x < 1)
        return 1 + x * x * (1.5 * x - 2.5);
    return x < 2 ? 2 - x * (4 - x * (2.5 - 0.5 * x)) : 0;
}

/* Adds weight for the input j; inputs beyond the edge count for the edge. */
static void add_tap(const axis *a, int output, int j, int last, double weight)
{
    int clamped = j < 0 ? 0 : j > last ? last : j;
    a->weight[output * a->taps + (clamped - a->first[output])] += (float)weight;
}

static void fill_area(const axis *a, int i, double from, double to, int last)
{
    int begin = (int)fmax(0, floor(from)), end = (int)ceil(to - 1e-9);
    a->first[i] = begin > last ? last : begin;
    for (int j = begin; j < end; j++) {
        double overlap = fmin(to, j + 1.0) - fmax(from, j);
        add_tap(a, i, j, last, overlap / (to - from));
    }
}

static void fill_cubic(const axis *a, int i, double centre, int last)
{
    int begin = (int)floor(centre) - 1;
    a->first[i] = begin < 0 ? 0 : begin > last ? last : begin;
    for (int j = begin; j < begin + 4; j++)
        add_tap(a, i, j, last, catmull_rom(centre - j));
}

static void fill_nearest(const axis *a, int i, double centre, int last)
{
    int j = (int)floor(centre);
    a->first[i] = j < 0 ? 0 : j > last ? last : j;
    a->weight[i * a->taps] = 1;
}

static poet_status axis_create(int inputs, int outputs, window shown, poet_filter filter, axis *a)
{
    double step = (shown.to - shown.from) / outputs;
    a->n = outputs;
    a->taps = filter == POET_FILTER_NEAREST ? 1 : step > 1 ? (int)ceil(step) + 2 : 4;
    a->first = poet_calloc((size_t)outputs, sizeof *a->first);
    a->weight = poet_calloc((size_t)outputs * (size_t)a->taps, sizeof *a->weight);
    if (!a->first || !a->weight)
        return POET_ERR_NOMEM;
    for (int i = 0; i < outputs; i++) {
        double from = shown.from + i * step;
        if (filter == POET_FILTER_NEAREST)
            fill_nearest(a, i, from + step / 2, inputs - 1);
        else if (step >= 1)
            fill_area(a, i, from, from + step, inputs - 1);
        else
            fill_cubic(a, i, from + step / 2 - 0.5, inputs - 1);
    }
    return POET_OK;
}

static void axis_free(axis *a)
{
    poet_free(a->first);
    poet_free(a->weight);
}

/* What of the input is shown, and how large it is in the output. */
static void fit_windows(const poet_scaler *s, poet_fit fit, window *x, window *y, int *h, int *w)
{
    double scale_x = (double)s->out_w / s->in_w, scale_y = (double)s->out_h / s->in_h;
    *x = (window){0, s->in_w};
    *y = (window){0, s->in_h};
    *h = s->out_h;
    *w = s->out_w;
    if (fit == POET_FIT_CROP) {
        double scale = fmax(scale_x, scale_y);
        double shown_w = s->out_w / scale, shown_h = s->out_h / scale;
        *x = (window){(s->in_w - shown_w) / 2, (s->in_w + shown_w) / 2};
        *y = (window){(s->in_h - shown_h) / 2, (s->in_h + shown_h) / 2};
    } else if (fit == POET_FIT_PAD) {
        double scale = fmin(scale_x, scale_y);
        *w = (int)fmax(1, floor(s->in_w * scale + 0.5));
        *h = (int)fmax(1, floor(s->in_h * scale + 0.5));
    }
}

poet_status poet_scaler_create(int in_h, int in_w, int out_h, int out_w, poet_fit fit,
                               poet_filter filter, const uint8_t background[3], poet_scaler **out)
{
    *out = NULL;
    poet_scaler *s = poet_calloc(1, sizeof *s);
    if (!s)
        return POET_ERR_NOMEM;
    *s = (poet_scaler){.in_h = in_h, .in_w = in_w, .out_h = out_h, .out_w = out_w};
    memcpy(s->background, background, 3);
    window x, y;
    int h, w;
    fit_windows(s, fit, &x, &y, &h, &w);
    s->top = (out_h - h) / 2;
    s->left = (out_w - w) / 2;
    poet_status status = axis_create(in_w, w, x, filter, &s->x);
    if (!status)
        status = axis_create(in_h, h, y, filter, &s->y);
    s->rows = poet_calloc((size_t)s->y.taps * (size_t)w, 3 * sizeof *s->rows);
    s->sum = poet_alloc((size_t)w * 3 * sizeof *s->sum);
    if (status || !s->rows || !s->sum) {
        poet_scaler_destroy(s);
        return POET_ERR_NOMEM;
    }
    *out = s;
    return POET_OK;
}

void poet_scaler_destroy(poet_scaler *scaler)
{
    if (!scaler)
        return;
    axis_free(&scaler->x);
    axis_free(&scaler->y);
    poet_free(scaler->rows);
    poet_free(scaler->sum);
    poet_free(scaler);
}

static void scale_row(const axis *a, int in_w, const uint8_t *in, float *out)
{
    for (int i = 0; i < a->n; i++) {
        const float *weight = a->weight + i * a->taps;
        const uint8_t *pixel = in + (size_t)a->first[i] * 3;
        int taps = in_w - a->first[i] < a->taps ? in_w - a->first[i] : a->taps;
        float r = 0, g = 0, b = 0;
        for (int k = 0; k < taps; k++, pixel += 3) {
            r += weight[k] * pixel[0];
            g += weight[k] * pixel[1];
            b += weight[k] * pixel[2];
        }
        out[3 * i] = r;
        out[3 * i + 1] = g;
        out[3 * i + 2] = b;
    }
}

static void store_row(const float *in, int n, uint8_t *out)
{
    for (int i = 0; i < n; i++) {
        float v = in[i] + 0.5f;
        out[i] = v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)v;
    }
}

static void fill_background(const poet_scaler *s, uint8_t *out)
{
    for (size_t i = 0; i < (size_t)s->out_h * (size_t)s->out_w; i++)
        memcpy(out + 3 * i, s->background, 3);
}

static float *ring_row(const poet_scaler *s, int row)
{
    return s->rows + (size_t)(row % s->y.taps) * (size_t)s->x.n * 3;
}

/* Rows first .. first + taps - 1, as far as there are any; those before are not wanted any more. */
static void fill_ring(const poet_scaler *s, const uint8_t *in, int first, int *ready)
{
    int row = first > *ready ? first : *ready;
    for (; row < first + s->y.taps && row < s->in_h; row++)
        scale_row(&s->x, s->in_w, in + (size_t)row * (size_t)s->in_w * 3, ring_row(s, row));
    *ready = row;
}

void poet_scaler_run(poet_scaler *scaler, const uint8_t *in, uint8_t *out)
{
    const poet_scaler *s = scaler;
    if (s->x.n != s->out_w || s->y.n != s->out_h)
        fill_background(s, out);
    int values = 3 * s->x.n;
    int ready = 0; /* rows before this one have been through the horizontal pass */
    for (int i = 0; i < s->y.n; i++) {
        fill_ring(s, in, s->y.first[i], &ready);
        const float *weight = s->y.weight + i * s->y.taps;
        int first = s->y.first[i];
        memset(s->sum, 0, (size_t)values * sizeof *s->sum);
        for (int k = 0; k < s->y.taps && first + k < s->in_h; k++) {
            const float *row = ring_row(s, first + k);
            for (int v = 0; weight[k] != 0 && v < values; v++)
                s->sum[v] += weight[k] * row[v];
        }
        store_row(s->sum, values,
                  out + ((size_t)(s->top + i) * (size_t)s->out_w + (size_t)s->left) * 3);
    }
}

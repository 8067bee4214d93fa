/* Drawing a code per row: only what a filter has to know is ranked. Without top-k and top-p nothing
 * is; top-k takes a partition; top-p ranks the likeliest 64, then four times as many, and so on, until
 * their shares suffice. */
#include "base/rng.h"
#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/cpu_vec.h"

#include <math.h>
#include <stdlib.h>

enum { SETTINGS = 5, KEYS = 4 };

typedef struct sample_job {
    int64_t rows, v;
    bool guided;
    const float *logits, *settings;
    const int32_t *keys;
    int32_t *code;
    double *scratch; /* (rows, 2 V): a row's logits, shares and order */
} sample_job;

typedef struct sample_row {
    double *logit;
    float *p;       /* e^((logit - greatest) / temperature); 0 for what a filter dropped */
    int32_t *order; /* codes, the likeliest first as far as they have been ranked */
    int64_t v;
    int32_t likeliest;
} sample_row;

static sample_row row_of(const sample_job *j, int64_t b)
{
    sample_row r = {.logit = j->scratch + b * 2 * j->v, .v = j->v};
    r.p = (float *)(r.logit + j->v);
    r.order = (int32_t *)(r.p + j->v);
    return r;
}

static poet_status read_row(const sample_job *j, int64_t b, sample_row *r)
{
    const float *x = j->logits + b * j->v, *free = j->logits + (j->rows + b) * j->v;
    double guidance = (double)j->settings[b * SETTINGS];
    for (int64_t k = 0; k < j->v; k++) {
        double l = (double)x[k];
        if (j->guided)
            l = (double)free[k] + guidance * (l - (double)free[k]);
        if (isnan(l))
            return POET_FAIL(POET_ERR_ARG, "row %lld: the logit of code %lld is not a number",
                             (long long)b, (long long)k);
        r->logit[k] = l;
        if (l > r->logit[r->likeliest])
            r->likeliest = (int32_t)k;
    }
    return isfinite(r->logit[r->likeliest])
               ? POET_OK
               : POET_FAIL(POET_ERR_ARG, "row %lld: the largest logit is not finite", (long long)b);
}

/* Does code a rank before code b: likelier, or as likely and lower? */
static bool before(const sample_row *r, int32_t a, int32_t b)
{
    double x = r->logit[a], y = r->logit[b];
    return x > y || (x == y && a < b);
}

static void swap(int32_t *a, int32_t *b)
{
    int32_t c = *a;
    *a = *b;
    *b = c;
}

/* Arranges order[begin, end) so that its first n rank before the others (Hoare's selection). */
static void select_first(const sample_row *r, int64_t begin, int64_t end, int64_t n)
{
    int32_t *order = r->order;
    int64_t target = begin + n;
    while (end - begin > 1) {
        int64_t i = begin, store = begin;
        swap(&order[begin + (end - begin) / 2], &order[end - 1]);
        for (; i < end - 1; i++)
            if (before(r, order[i], order[end - 1]))
                swap(&order[i], &order[store++]);
        swap(&order[store], &order[end - 1]);
        if (store == target)
            return;
        if (store < target)
            begin = store + 1;
        else
            end = store;
    }
}

/* Sorts order[begin, end) by rank: few, and only once each (Shell's sort). */
static void sort_by_rank(const sample_row *r, int64_t begin, int64_t end)
{
    static const int64_t gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++)
        for (int64_t i = begin + gaps[g]; i < end; i++) {
            int32_t code = r->order[i];
            int64_t at = i;
            for (; at - gaps[g] >= begin && before(r, code, r->order[at - gaps[g]]); at -= gaps[g])
                r->order[at] = r->order[at - gaps[g]];
            r->order[at] = code;
        }
}

/* How many of the first n codes, by rank, have shares that together reach top_p: at least one. */
static int64_t keep_top_p(const sample_row *r, int64_t n, double top_p)
{
    double total = 0, reached = 0;
    int64_t kept = 0, ranked = 0;
    for (int64_t i = 0; i < n; i++)
        total += (double)r->p[r->order[i]];
    for (int64_t more = 64; kept < n; more *= 4) {
        int64_t end = poet_min(n, ranked + more);
        select_first(r, ranked, n, end - ranked);
        sort_by_rank(r, ranked, end);
        ranked = end;
        for (; kept < ranked; kept++) {
            if (kept > 0 && reached >= top_p * total)
                return kept;
            reached += (double)r->p[r->order[kept]];
        }
    }
    return n;
}

static void filter(sample_row *r, const float *settings)
{
    bool top_k = settings[2] >= 1 && settings[2] < (float)r->v;
    int64_t n = top_k ? (int64_t)settings[2] : r->v;
    if (top_k || settings[3] < 1) {
        for (int64_t k = 0; k < r->v; k++)
            r->order[k] = (int32_t)k;
        if (top_k)
            select_first(r, 0, r->v, n);
        if (settings[3] < 1)
            n = keep_top_p(r, n, (double)settings[3]);
        for (int64_t k = n; k < r->v; k++)
            r->p[r->order[k]] = 0;
    }
    for (int64_t k = 0; k < r->v; k++)
        if (r->p[k] < settings[4] && k != r->likeliest)
            r->p[k] = 0;
}

static VEC void shares(sample_row *r, double temperature)
{
    double greatest = r->logit[r->likeliest], rate = 1 / temperature;
    for (int64_t k = 0; k < r->v; k++)
        r->p[k] = (float)((r->logit[k] - greatest) * rate);
    for (int64_t k = 0; k < r->v; k += LANES)
        vf_store_n(r->p + k, r->v - k, vf_exp(vf_load_n(r->p + k, r->v - k)));
}

/* The lowest code at which the sum of the shares passes u. */
static int32_t draw(const sample_row *r, double u)
{
    double total = 0, sum = 0;
    int32_t last = r->likeliest;
    for (int64_t k = 0; k < r->v; k++)
        total += (double)r->p[k];
    for (int64_t k = 0; k < r->v; k++) {
        if (r->p[k] <= 0)
            continue;
        sum += (double)r->p[k];
        last = (int32_t)k;
        if (sum > u * total)
            break;
    }
    return last;
}

/* Word 0 of Philox(seed, stream, counter), as a number in 0..1. */
static double uniform(const int32_t *keys)
{
    const uint32_t *key = (const uint32_t *)keys;
    uint32_t words[4];
    poet_philox((uint64_t)key[1] << 32 | key[0], key[2], key[3], words);
    return ((double)words[0] + 0.5) * 0x1p-32;
}

static void sample_rows(const void *context, int64_t begin, int64_t end)
{
    const sample_job *j = context;
    for (int64_t b = begin; b < end; b++) {
        const float *settings = j->settings + b * SETTINGS;
        sample_row r = row_of(j, b);
        r.likeliest = j->code[b];
        if (!(settings[1] > 0))
            continue;
        shares(&r, (double)settings[1]);
        filter(&r, settings);
        j->code[b] = draw(&r, uniform(j->keys + b * KEYS));
    }
}

static poet_status sample_kernel(poet_device *device, const poet_call *call)
{
    sample_job j = {.rows = call->src[1]->shape.dim[0],
                    .v = call->src[0]->shape.dim[1],
                    .logits = poet_cpu_src(call, 0),
                    .settings = poet_cpu_src(call, 1),
                    .keys = call->src[2]->data,
                    .code = call->dst[0]->data,
                    .scratch = call->scratch};
    j.guided = call->src[0]->shape.dim[0] != j.rows;
    for (int64_t b = 0; b < j.rows; b++) {
        sample_row r = row_of(&j, b);
        POET_TRY(read_row(&j, b, &r));
        j.code[b] = r.likeliest;
    }
    poet_cpu_parallel(device, j.rows, 8192 / j.v + 1, sample_rows, &j);
    return POET_OK;
}

static size_t sample_scratch(poet_device *device, const poet_call *call)
{
    (void)device;
    return (size_t)(call->src[1]->shape.dim[0] * 2 * call->src[0]->shape.dim[1]) * sizeof(double);
}

void poet_cpu_sample(poet_cpu_op *ops)
{
    ops[POET_OP_SAMPLE] = (poet_cpu_op){.run = sample_kernel, .scratch = sample_scratch};
}

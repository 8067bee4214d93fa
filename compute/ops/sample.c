/* Drawing one code per row of logits. */
#include "compute/ops/rule_internal.h"

#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

enum { SETTINGS = 5, KEYS = 4 };

typedef struct candidate {
    double logit, p; /* p is 0 for what a filter dropped */
    int code;
} candidate;

static poet_status infer(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                         poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    POET_TRY(rule_need_real(src[0], "logits"));
    POET_TRY(rule_need_dims(src[0], "logits", 2));
    POET_TRY(rule_need_dims(src[1], "settings", 2));
    int64_t b = src[1]->shape.dim[0], r = src[0]->shape.dim[0];
    POET_TRY(rule_need(src[1], "settings", POET_SHAPE(b, SETTINGS)));
    POET_TRY(rule_need_int(src[2], "keys"));
    POET_TRY(rule_need_shape(src[2], "keys", POET_SHAPE(b, KEYS)));
    if (r != b && r != 2 * b)
        return POET_FAIL(POET_ERR_MISMATCH, "%lld rows of logits for %lld of settings",
                         (long long)r, (long long)b);
    dst[0] = rule_int(POET_SHAPE(b));
    return POET_OK;
}

/* Likeliest first, then lowest code. */
static int by_rank(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return x->code < y->code ? -1 : 1;
}

static int by_code(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    return x->code < y->code ? -1 : 1;
}

static poet_status read_row(const poet_call *call, int64_t b, candidate *list)
{
    const poet_tensor *logits = call->src[0];
    int64_t v = logits->shape.dim[1], rows = call->src[1]->shape.dim[0];
    bool guided = logits->shape.dim[0] != rows;
    double guidance = poet_get(call->src[1], b * SETTINGS);
    for (int64_t k = 0; k < v; k++) {
        double l = poet_get(logits, b * v + k);
        if (guided) {
            double free = poet_get(logits, (rows + b) * v + k);
            l = free + guidance * (l - free);
        }
        if (isnan(l))
            return POET_FAIL(POET_ERR_ARG, "row %lld: the logit of code %lld is not a number",
                             (long long)b, (long long)k);
        list[k] = (candidate){.logit = l, .code = (int)k};
    }
    return POET_OK;
}

/* Shares of the first n of a ranked list, the rest 0. */
static void normalise(candidate *list, int64_t n, double temperature)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++)
        sum += list[k].p = exp((list[k].logit - list[0].logit) / temperature);
    for (int64_t k = 0; k < n; k++)
        list[k].p /= sum;
}

/* How many of a ranked list stay: the top_k first; of these the fewest whose shares reach top_p; of
 * these the ones with at least min_p of the first's share. The first always stays. */
static int64_t filter(candidate *list, int64_t v, const double *settings)
{
    double temperature = settings[1], top_p = settings[3], min_p = settings[4], reached = 0;
    int64_t kept = 0, n = settings[2] >= 1 && settings[2] < (double)v ? (int64_t)settings[2] : v;
    normalise(list, n, temperature);
    if (top_p < 1) {
        while (kept < n && (kept == 0 || reached < top_p))
            reached += list[kept++].p;
        n = kept;
    }
    while (n > 1 && list[n - 1].p < min_p * list[0].p)
        n--;
    return n;
}

/* The lowest code at which the sum of the kept shares, in order of codes, passes u. */
static int draw(candidate *list, int64_t n, double u)
{
    double total = 0, sum = 0;
    qsort(list, (size_t)n, sizeof *list, by_code);
    for (int64_t k = 0; k < n; k++)
        total += list[k].p;
    int last = list[0].code;
    for (int64_t k = 0; k < n; k++) {
        if (list[k].p <= 0)
            continue;
        sum += list[k].p;
        last = list[k].code;
        if (sum > u * total)
            break;
    }
    return last;
}

/* Word 0 of Philox(seed, stream, counter), as a number in 0..1. */
static double uniform(const poet_tensor *keys, int64_t b)
{
    uint32_t key[KEYS], words[4];
    for (int i = 0; i < KEYS; i++)
        key[i] = (uint32_t)poet_get_int(keys, b * KEYS + i);
    poet_philox((uint64_t)key[1] << 32 | key[0], key[2], key[3], words);
    return ((double)words[0] + 0.5) * 0x1p-32;
}

static poet_status ref(poet_device *device, const poet_call *call)
{
    (void)device;
    int64_t rows = call->src[1]->shape.dim[0], v = call->src[0]->shape.dim[1];
    candidate *list = poet_calloc((size_t)v, sizeof *list);
    poet_status status = list ? POET_OK : POET_ERR_NOMEM;
    for (int64_t b = 0; !status && b < rows; b++) {
        double settings[SETTINGS];
        for (int i = 0; i < SETTINGS; i++)
            settings[i] = poet_get(call->src[1], b * SETTINGS + i);
        status = read_row(call, b, list);
        if (status)
            break;
        qsort(list, (size_t)v, sizeof *list, by_rank);
        if (!isfinite(list[0].logit)) {
            status =
                POET_FAIL(POET_ERR_ARG, "row %lld: the largest logit is not finite", (long long)b);
            break;
        }
        int code = list[0].code;
        if (settings[1] > 0)
            code = draw(list, filter(list, v, settings), uniform(call->src[2], b));
        poet_put(call->dst[0], b, code);
    }
    poet_free(list);
    return status;
}

const poet_op_rule poet_rule_sample = {.infer = infer, .ref = ref};

poet_val poet_sample(poet_graph *g, poet_val logits, poet_val settings, poet_val keys)
{
    return poet_emit(g, POET_OP_SAMPLE, 3, (poet_val[]){logits, settings, keys}, NULL, NULL);
}

/* One step of attention with a cache: the hot loop of sampling. A row's cached keys are read whole,
 * neighbouring heads together, as they lie in memory; every (row, head) is nevertheless computed in
 * an order that depends on its own position only, so its bits do not depend on the batch or on the
 * threads. Only seen keys are read: the rest of a cache may hold anything. */
#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/cpu_vec.h"

typedef struct cached_job {
    int64_t b, t, c, heads, d, room, prefix;
    float scale;
    const float *qkv;
    float *keys, *values, *y;
    const int32_t *position, *lengths;
    float *scratch; /* (parts, heads, width) scores */
    int64_t width;  /* room, rounded up to whole vectors */
    int64_t parts;
} cached_job;

static cached_job job_of(const poet_call *call)
{
    const int64_t *dim = call->src[0]->shape.dim;
    cached_job j = {.b = dim[0],
                    .t = dim[1],
                    .c = dim[2] / 3,
                    .heads = call->attr->attention.heads,
                    .room = call->src[1]->shape.dim[1],
                    .prefix = call->attr->attention.prefix,
                    .qkv = poet_cpu_src(call, 0),
                    .keys = call->src[1]->data,
                    .values = call->src[2]->data,
                    .y = poet_cpu_dst(call, 0),
                    .position = call->src[3]->data,
                    .scratch = call->scratch};
    j.d = j.c / j.heads;
    j.width = poet_round_up(j.room, LANES);
    j.scale = 1 / sqrtf((float)j.d);
    j.lengths = j.prefix ? call->src[4]->data : NULL;
    return j;
}

static poet_status check(const cached_job *j)
{
    for (int64_t b = 0; b < j->b; b++) {
        int64_t position = j->position[b];
        bool is_prefix = position == 0 && j->t == j->prefix;
        if (position < 0 || position + j->t > j->room || (!is_prefix && position < j->prefix))
            return POET_FAIL(POET_ERR_ARG,
                             "row %lld: %lld positions from %lld on do not fit a cache of %lld "
                             "with a prefix of %lld",
                             (long long)b, (long long)j->t, (long long)position, (long long)j->room,
                             (long long)j->prefix);
        if (j->prefix && (j->lengths[b] < 1 || j->lengths[b] > j->prefix))
            return POET_FAIL(POET_ERR_ARG, "row %lld: length %d is not in 1..%lld", (long long)b,
                             j->lengths[b], (long long)j->prefix);
    }
    return POET_OK;
}

/* What one row's new position does for heads [h0, h1): it sees `first` keys from 0 and `more` from
 * prefix on. Pointers are to the first of these heads. */
typedef struct query {
    const float *q, *k, *v;
    float *y, *score;
    int64_t heads, first, more;
} query;

/* Scores of `count` keys, a cache row apart, for all heads of the query. */
static VEC void score_keys(const cached_job *j, const query *x, const float *k, int64_t count,
                           float *score)
{
    for (int64_t i = 0; i < count; i++, k += j->c)
        for (int64_t h = 0; h < x->heads; h++) {
            const float *qh = x->q + h * j->d, *kh = k + h * j->d;
            vf sum = vf_all(0);
            for (int64_t n = 0; n < j->d; n += LANES)
                sum = vf_fma(vf_load_n(qh + n, j->d - n), vf_load_n(kh + n, j->d - n), sum);
            score[h * j->width + i] = vf_sum(sum) * j->scale;
        }
}

/* y += the sum over keys of weight * value, for `width` channels of one head, at most 32. */
VEC_INLINE void add_channels(const cached_job *j, const float *weight, const float *v,
                             int64_t count, int64_t width, float *y)
{
    vf sum[4];
    for (int64_t n = 0; n < 4; n++)
        sum[n] = n * LANES < width ? vf_load_n(y + n * LANES, width - n * LANES) : vf_all(0);
    if (width == 4 * LANES)
        for (int64_t i = 0; i < count; i++, v += j->c) {
#pragma GCC unroll 4
            for (int n = 0; n < 4; n++)
                sum[n] = vf_fma(vf_all(weight[i]), vf_load(v + n * LANES), sum[n]);
        }
    else
        for (int64_t i = 0; i < count; i++, v += j->c)
            for (int n = 0; n * LANES < width; n++)
                sum[n] =
                    vf_fma(vf_all(weight[i]), vf_load_n(v + n * LANES, width - n * LANES), sum[n]);
    for (int64_t n = 0; n * LANES < width; n++)
        vf_store_n(y + n * LANES, width - n * LANES, sum[n]);
}

/* The same for all channels of all heads, a few keys at a time, so that memory is read in order. */
static VEC void add_values(const cached_job *j, const query *x, const float *v, int64_t count,
                           const float *weight)
{
    enum { KEYS = 16 };

    for (int64_t i = 0; i < count; i += KEYS)
        for (int64_t h = 0; h < x->heads; h++)
            for (int64_t n = 0; n < j->d; n += 4 * LANES)
                add_channels(j, weight + h * j->width + i, v + i * j->c + h * j->d + n,
                             poet_min(KEYS, count - i), poet_min(4 * LANES, j->d - n),
                             x->y + h * j->d + n);
}

/* score -> exp(score - greatest) for n scores, divided by their sum. */
static VEC void softmax(float *score, int64_t n)
{
    vf high = vf_all(-INFINITY), total = vf_all(0);
    for (; n % LANES; n++)
        score[n] = -INFINITY;
    for (int64_t i = 0; i < n; i += LANES)
        high = vf_max(high, vf_load(score + i));
    vf shift = vf_all(vf_greatest(high));
    for (int64_t i = 0; i < n; i += LANES) {
        vf e = vf_exp(vf_load(score + i) - shift);
        vf_store(score + i, e);
        total += e;
    }
    vf share = vf_all(1 / vf_sum(total));
    for (int64_t i = 0; i < n; i += LANES)
        vf_store(score + i, vf_load(score + i) * share);
}

static void attend(const cached_job *j, const query *x)
{
    int64_t behind = j->prefix * j->c; /* where keys behind the prefix begin */
    score_keys(j, x, x->k, x->first, x->score);
    score_keys(j, x, x->k + behind, x->more, x->score + x->first);
    for (int64_t h = 0; h < x->heads; h++)
        softmax(x->score + h * j->width, x->first + x->more);
    memset(x->y, 0, (size_t)(x->heads * j->d) * sizeof(float));
    add_values(j, x, x->v, x->first, x->score);
    add_values(j, x, x->v + behind, x->more, x->score + x->first);
}

/* The new keys and values of heads [h0, h1) of row b into the cache, then their queries. */
static void attend_heads(const cached_job *j, int64_t b, int64_t h0, int64_t h1, float *score)
{
    int64_t head = h0 * j->d, cache = b * j->room * j->c + head;
    size_t bytes = (size_t)((h1 - h0) * j->d) * sizeof(float);
    for (int64_t i = 0; i < j->t; i++) {
        const float *k = j->qkv + (b * j->t + i) * 3 * j->c + j->c + head;
        int64_t at = cache + (j->position[b] + i) * j->c;
        memcpy(j->keys + at, k, bytes);
        memcpy(j->values + at, k + j->c, bytes);
    }
    for (int64_t i = 0; i < j->t; i++) {
        int64_t at = j->position[b] + i;
        query x = {.q = j->qkv + (b * j->t + i) * 3 * j->c + head,
                   .k = j->keys + cache,
                   .v = j->values + cache,
                   .y = j->y + (b * j->t + i) * j->c + head,
                   .score = score,
                   .heads = h1 - h0,
                   .first = j->prefix ? j->lengths[b] : 0,
                   .more = at >= j->prefix ? at - j->prefix + 1 : 0};
        attend(j, &x);
    }
}

/* A part is a run of (row, head) pairs: whole rows, and some heads of the first and last. */
static void cached_parts(const void *context, int64_t begin, int64_t end)
{
    const cached_job *j = context;
    int64_t items = j->b * j->heads;
    for (int64_t part = begin; part < end; part++) {
        float *score = j->scratch + part * j->heads * j->width;
        int64_t item = items * part / j->parts, last = items * (part + 1) / j->parts;
        while (item < last) {
            int64_t h0 = item % j->heads, h1 = poet_min(j->heads, h0 + last - item);
            attend_heads(j, item / j->heads, h0, h1, score);
            item += h1 - h0;
        }
    }
}

static poet_status cached_run(poet_device *device, const poet_call *call)
{
    cached_job j = job_of(call);
    POET_TRY(check(&j));
    /* Numbers of the cache that are read: below 32 thousand of them a second thread costs more than
     * it saves. */
    int64_t numbers = 0;
    for (int64_t b = 0; b < j.b; b++)
        numbers += 2 * j.c * j.t * (j.position[b] + j.t);
    int64_t items = j.b * j.heads;
    j.parts = poet_cpu_parts(device, items, 32768 * items / poet_max(numbers, 1) + 1);
    poet_cpu_parallel(device, j.parts, 1, cached_parts, &j);
    return POET_OK;
}

static size_t cached_scratch(poet_device *device, const poet_call *call)
{
    cached_job j = job_of(call);
    return (size_t)(device->threads * j.heads * j.width) * sizeof(float);
}

void poet_cpu_attention_cached(poet_cpu_op *ops)
{
    ops[POET_OP_ATTENTION_CACHED] = (poet_cpu_op){.run = cached_run, .scratch = cached_scratch};
}

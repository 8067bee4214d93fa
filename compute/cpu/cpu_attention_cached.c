/* One step of attention with a cache: the hot loop of sampling. Each (row, head) is computed alone,
 * in an order that depends on its own position only, so its bits do not depend on the batch or on
 * the threads. Only seen keys are read: the rest of a cache may hold anything. */
#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/cpu_vec.h"

typedef struct cached_job {
    int64_t b, t, c, heads, d, room, prefix;
    float scale;
    const float *qkv;
    float *keys, *values, *y;
    const int32_t *position, *lengths;
    float *scratch; /* (parts, room) scores */
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

/* Scores of `count` keys, a cache row apart. */
VEC_INLINE void score_keys(const cached_job *j, const float *q, const float *k, int64_t count,
                           float *score)
{
    for (int64_t i = 0; i < count; i++, k += j->c) {
        vf sum = vf_all(0);
        for (int64_t n = 0; n < j->d; n += LANES)
            sum = vf_fma(vf_load_n(q + n, j->d - n), vf_load_n(k + n, j->d - n), sum);
        score[i] = vf_sum(sum) * j->scale;
    }
}

/* out += the sum over keys of weight * value, for `width` channels, at most 32, of a head. */
VEC_INLINE void add_values(const cached_job *j, const float *weight, const float *v, int64_t count,
                           int64_t width, vf *out)
{
    vf a = out[0], b = out[1], c = out[2], d = out[3];
    for (int64_t i = 0; i < count; i++, v += j->c) {
        vf w = vf_all(weight[i]);
        if (width == 4 * LANES) {
            a = vf_fma(w, vf_load(v), a);
            b = vf_fma(w, vf_load(v + LANES), b);
            c = vf_fma(w, vf_load(v + 2 * LANES), c);
            d = vf_fma(w, vf_load(v + 3 * LANES), d);
        } else {
            a = vf_fma(w, vf_load_n(v, width), a);
            b = width > LANES ? vf_fma(w, vf_load_n(v + LANES, width - LANES), b) : b;
            c = width > 2 * LANES ? vf_fma(w, vf_load_n(v + 2 * LANES, width - 2 * LANES), c) : c;
            d = width > 3 * LANES ? vf_fma(w, vf_load_n(v + 3 * LANES, width - 3 * LANES), d) : d;
        }
    }
    out[0] = a, out[1] = b, out[2] = c, out[3] = d;
}

/* score -> exp(score - greatest), for n scores; returns their sum. */
VEC_INLINE float exponentials(float *score, int64_t n)
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
    return vf_sum(total);
}

/* Head h of new position i of row b. It sees `first` keys from 0 and `more` from prefix on. */
static VEC void query(const cached_job *j, int64_t b, int64_t i, int64_t h, float *score)
{
    int64_t at = j->position[b] + i, first = j->prefix ? j->lengths[b] : 0;
    int64_t more = at >= j->prefix ? at - j->prefix + 1 : 0, head = h * j->d;
    const float *q = j->qkv + (b * j->t + i) * 3 * j->c + head;
    const float *k = j->keys + b * j->room * j->c + head;
    const float *v = j->values + b * j->room * j->c + head;
    score_keys(j, q, k, first, score);
    score_keys(j, q, k + j->prefix * j->c, more, score + first);
    vf share = vf_all(1 / exponentials(score, first + more));
    float *y = j->y + (b * j->t + i) * j->c + head;
    for (int64_t n = 0; n < j->d; n += 4 * LANES) {
        int64_t width = poet_min(4 * LANES, j->d - n);
        vf out[4] = {vf_all(0), vf_all(0), vf_all(0), vf_all(0)};
        add_values(j, score, v + n, first, width, out);
        add_values(j, score + first, v + j->prefix * j->c + n, more, width, out);
        for (int64_t p = 0; p * LANES < width; p++)
            vf_store_n(y + n + p * LANES, width - p * LANES, out[p] * share);
    }
}

/* The new positions of a row and head into the cache, then their queries. */
static VEC void cached_parts(const void *context, int64_t begin, int64_t end)
{
    const cached_job *j = context;
    int64_t items = j->b * j->heads, room = poet_round_up(j->room, LANES);
    for (int64_t part = begin; part < end; part++)
        for (int64_t n = items * part / j->parts; n < items * (part + 1) / j->parts; n++) {
            int64_t b = n / j->heads, h = n % j->heads;
            for (int64_t i = 0; i < j->t; i++) {
                const float *k = j->qkv + (b * j->t + i) * 3 * j->c + j->c + h * j->d;
                int64_t at = (b * j->room + j->position[b] + i) * j->c + h * j->d;
                memcpy(j->keys + at, k, (size_t)j->d * sizeof *k);
                memcpy(j->values + at, k + j->c, (size_t)j->d * sizeof *k);
            }
            for (int64_t i = 0; i < j->t; i++)
                query(j, b, i, h, j->scratch + part * room);
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
    int64_t room = poet_round_up(call->src[1]->shape.dim[1], LANES);
    return (size_t)(device->threads * room) * sizeof(float);
}

void poet_cpu_attention_cached(poet_cpu_op *ops)
{
    ops[POET_OP_ATTENTION_CACHED] = (poet_cpu_op){.run = cached_run, .scratch = cached_scratch};
}

/* Attention over whole sequences: one head at a time, its keys and values packed in the cache, a
 * block of queries against all keys they see, softmax over whole rows. Nothing is computed above
 * the diagonal but the rest of a panel. */
#include "compute/cpu/cpu_attention_amx_internal.h"

enum { BLOCK = 4 * TILE_ROWS }; /* queries at once */

typedef struct forward_job {
    attention_size size;
    float *y, *lse;
    float *scratch;
    int64_t part_floats; /* scratch of one part */
    int64_t parts;
} forward_job;

/* One part's scratch. */
typedef struct forward_memory {
    float *rows;  /* (keys, wide): gathered keys, then values, then a block's results */
    float *k, *v; /* packed */
    float *q;     /* (BLOCK, d) */
    float *score; /* (BLOCK, keys) */
} forward_memory;

static int64_t part_floats(const attention_size *s)
{
    return 3 * s->keys * s->wide + BLOCK * (s->wide + s->keys);
}

static forward_memory memory_of(const forward_job *job, int64_t part)
{
    const attention_size *s = &job->size;
    forward_memory m = {.rows = job->scratch + part * job->part_floats};
    m.k = m.rows + s->keys * s->wide;
    m.v = m.k + s->keys * s->wide;
    m.q = m.v + s->keys * s->wide;
    m.score = m.q + BLOCK * s->wide;
    return m;
}

/* score[0..n) -> exp(scale (score - greatest)), zeros up to the end of the last panel. Returns log
 * sum exp of the scaled scores; *sum is the sum of what was written. */
static VEC float softmax_row(float *score, int64_t n, float scale, float *sum)
{
    vf high = vf_all(-INFINITY), total = vf_all(0);
    int64_t end = poet_round_up(n, PANEL);
    for (int64_t j = n; j < end; j++)
        score[j] = -INFINITY;
    for (int64_t j = 0; j < end; j += LANES)
        high = vf_max(high, vf_load(score + j));
    float greatest = vf_greatest(high) * scale;
    for (int64_t j = 0; j < end; j += LANES) {
        vf e = vf_exp(vf_fma(vf_load(score + j), vf_all(scale), vf_all(-greatest)));
        vf_store(score + j, e);
        total += e;
    }
    *sum = vf_sum(total);
    return greatest + logf(*sum);
}

static VEC void forward_block(const forward_job *job, const forward_memory *m, int64_t b, int64_t h,
                              int64_t first)
{
    const attention_size *s = &job->size;
    int64_t rows = poet_min(BLOCK, s->t - first), n = attention_seen(s, b, first + rows - 1);
    float sum[BLOCK];
    for (int64_t i = 0; i < rows; i++)
        attention_row(s, b, h, first + i, 0, m->q + i * s->d);
    attention_product(rows, poet_round_up(n, PANEL), s->d, m->q, s->d, m->k, s->d, m->score,
                      s->keys);
    for (int64_t i = 0; i < rows; i++) {
        float *score = m->score + i * s->keys;
        int64_t seen = attention_seen(s, b, first + i), end = poet_round_up(seen, PANEL);
        job->lse[(b * s->heads + h) * s->t + first + i] =
            softmax_row(score, seen, s->scale, &sum[i]);
        if (end < n)
            memset(score + end, 0, (size_t)(n - end) * sizeof *score);
    }
    attention_product(rows, s->wide, n, m->score, s->keys, m->v, attention_keys(s, b), m->rows,
                      s->wide);
    for (int64_t i = 0; i < rows; i++) {
        float *y = job->y + (b * s->t + first + i) * s->c + h * s->d, share = 1 / sum[i];
        for (int64_t k = 0; k < s->d; k++)
            y[k] = m->rows[i * s->wide + k] * share;
    }
}

static VEC void forward_head(const forward_job *job, const forward_memory *m, int64_t b, int64_t h)
{
    const attention_size *s = &job->size;
    int64_t n = attention_keys(s, b);
    attention_gather(s, b, h, 1, m->rows);
    attention_by_rows(m->rows, n, s->d, s->wide, m->k);
    attention_gather(s, b, h, 2, m->rows);
    attention_by_columns(m->rows, n, s->wide, m->v);
    for (int64_t first = 0; first < s->t; first += BLOCK)
        forward_block(job, m, b, h, first);
}

static VEC void forward_parts(const void *context, int64_t begin, int64_t end)
{
    const forward_job *job = context;
    int64_t heads = job->size.b * job->size.heads;
    for (int64_t part = begin; part < end; part++) {
        forward_memory m = memory_of(job, part);
        for (int64_t i = heads * part / job->parts; i < heads * (part + 1) / job->parts; i++)
            forward_head(job, &m, i / job->size.heads, i % job->size.heads);
    }
}

static poet_status attention_run(poet_device *device, const poet_call *call)
{
    forward_job job = {.size = attention_measure(call, 1)};
    POET_TRY(attention_check(&job.size));
    if (poet_cpu_attention_is_small(&job.size)) {
        poet_cpu_attention_small(device, &job.size, call);
        return POET_OK;
    }
    if (poet_cpu_attention_is_amx(&job.size)) {
        poet_cpu_attention_amx(device, &job.size, call);
        return POET_OK;
    }
    job.y = poet_cpu_dst(call, 0);
    job.lse = poet_cpu_dst(call, 1);
    job.scratch = call->scratch;
    job.part_floats = part_floats(&job.size);
    job.parts = poet_cpu_parts(device, job.size.b * job.size.heads, 1);
    poet_cpu_parallel(device, job.parts, 1, forward_parts, &job);
    return POET_OK;
}

static size_t attention_scratch(poet_device *device, const poet_call *call)
{
    attention_size s = attention_measure(call, 1);
    if (poet_cpu_attention_is_small(&s))
        return 0;
    if (poet_cpu_attention_is_amx(&s))
        return poet_cpu_attention_amx_scratch(device, &s);
    return (size_t)(poet_cpu_parts(device, s.b * s.heads, 1) * part_floats(&s)) * sizeof(float);
}

void poet_cpu_attention(poet_cpu_op *ops)
{
    ops[POET_OP_ATTENTION] =
        (poet_cpu_op){.run = attention_run, .scratch = attention_scratch, .mixed = true};
    ops[POET_OP_ATTENTION_BWD] = (poet_cpu_op){
        .run = poet_cpu_attention_bwd, .scratch = poet_cpu_attention_bwd_scratch, .mixed = true};
}

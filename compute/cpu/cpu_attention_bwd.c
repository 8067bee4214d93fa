/* The gradient of attention. For a block of queries of one head, with P its softmax, recomputed
 * from the scores and their log sum exp:
 *
 *     dV += P' dY,   dS = scale P (dY V' - rowsum(dY Y)),   dQ = dS K,   dK += dS' Q. */
#include "compute/cpu/cpu_attention_amx_internal.h"

enum { BLOCK = 4 * TILE_ROWS }; /* queries at once */

typedef struct backward_job {
    attention_size size;
    const float *y, *lse, *dy;
    float *dqkv, *scratch;
    int64_t part_floats, parts;
} backward_job;

/* One part's scratch. */
typedef struct backward_memory {
    float *k_rows, *v_rows;        /* keys and values packed by rows: for Q K' and dY V' */
    float *k_columns;              /* keys packed by columns: for dS K */
    float *dk, *dv;                /* (keys, wide) */
    float *q, *dy;                 /* (BLOCK, wide) */
    float *q_columns, *dy_columns; /* the same by columns */
    float *p, *ds;                 /* (BLOCK, keys) */
    float *dq;                     /* (BLOCK, wide) */
} backward_memory;

static int64_t part_floats(const attention_size *s)
{
    return 5 * s->keys * s->wide + BLOCK * (5 * s->wide + 2 * s->keys);
}

static backward_memory memory_of(const backward_job *job, int64_t part)
{
    const attention_size *s = &job->size;
    int64_t head = s->keys * s->wide, block = BLOCK * s->wide;
    backward_memory m = {.k_rows = job->scratch + part * job->part_floats};
    m.v_rows = m.k_rows + head;
    m.k_columns = m.v_rows + head;
    m.dk = m.k_columns + head;
    m.dv = m.dk + head;
    m.q = m.dv + head;
    m.dy = m.q + block;
    m.q_columns = m.dy + block;
    m.dy_columns = m.q_columns + block;
    m.dq = m.dy_columns + block;
    m.p = m.dq + block;
    m.ds = m.p + BLOCK * s->keys;
    return m;
}

/* p: scores -> softmax; ds: dY V' -> dS. Zeros from `seen` to `end`. */
static VEC void softmax_bwd_row(float *p, float *ds, int64_t seen, int64_t end, float scale,
                                float lse, float through)
{
    for (int64_t j = 0; j < seen; j += LANES) {
        vf e = vf_exp(vf_fma(vf_load(p + j), vf_all(scale), vf_all(-lse)));
        vf_store(p + j, e);
        vf_store(ds + j, vf_all(scale) * e * (vf_load(ds + j) - vf_all(through)));
    }
    memset(p + seen, 0, (size_t)(end - seen) * sizeof *p);
    memset(ds + seen, 0, (size_t)(end - seen) * sizeof *ds);
}

static VEC float dot(const float *a, const float *b, int64_t n)
{
    vf sum = vf_all(0);
    for (int64_t i = 0; i < n; i += LANES)
        sum = vf_fma(vf_load_n(a + i, n - i), vf_load_n(b + i, n - i), sum);
    return vf_sum(sum);
}

/* Reads a block's q and dy, row by row and by columns. */
static void read_block(const backward_job *job, const backward_memory *m, int64_t b, int64_t h,
                       int64_t first, int64_t rows)
{
    const attention_size *s = &job->size;
    memset(m->q, 0, (size_t)(2 * BLOCK * s->wide) * sizeof *m->q); /* dy lies behind q */
    for (int64_t i = 0; i < rows; i++) {
        attention_row(s, b, h, first + i, 0, m->q + i * s->wide);
        memcpy(m->dy + i * s->wide, job->dy + (b * s->t + first + i) * s->c + h * s->d,
               (size_t)s->d * sizeof(float));
    }
    attention_by_columns(m->q, rows, s->wide, m->q_columns);
    attention_by_columns(m->dy, rows, s->wide, m->dy_columns);
}

/* sum (n keys x wide) += a' b for a (rows x keys) and b (rows x wide) packed by columns. */
static VEC void add_transposed(const attention_size *s, int64_t n, int64_t rows, const float *a,
                               const float *columns, float *sum)
{
    for (int64_t j = 0; j < n; j += TILE_ROWS)
        for (int64_t c = 0; c < s->wide; c += PANEL)
            tile((int)poet_min(TILE_ROWS, n - j), rows, (tile_a){a + j, 1, s->keys},
                 (tile_b){columns + c * rows, PANEL},
                 (tile_c){sum + j * s->wide + c, s->wide, true});
}

static VEC void backward_block(const backward_job *job, const backward_memory *m, int64_t b,
                               int64_t h, int64_t first)
{
    const attention_size *s = &job->size;
    int64_t rows = poet_min(BLOCK, s->t - first), n = attention_seen(s, b, first + rows - 1);
    int64_t end = poet_round_up(n, PANEL);
    read_block(job, m, b, h, first, rows);
    attention_product(rows, end, s->d, m->q, s->wide, m->k_rows, s->d, m->p, s->keys);
    attention_product(rows, end, s->d, m->dy, s->wide, m->v_rows, s->d, m->ds, s->keys);
    for (int64_t i = 0; i < rows; i++) {
        const float *y = job->y + (b * s->t + first + i) * s->c + h * s->d;
        softmax_bwd_row(m->p + i * s->keys, m->ds + i * s->keys, attention_seen(s, b, first + i),
                        end, s->scale, job->lse[(b * s->heads + h) * s->t + first + i],
                        dot(y, m->dy + i * s->wide, s->d));
    }
    add_transposed(s, n, rows, m->p, m->dy_columns, m->dv);
    add_transposed(s, n, rows, m->ds, m->q_columns, m->dk);
    attention_product(rows, s->wide, n, m->ds, s->keys, m->k_columns, attention_keys(s, b), m->dq,
                      s->wide);
    for (int64_t i = 0; i < rows; i++)
        memcpy(job->dqkv + (b * s->t + first + i) * 3 * s->c + h * s->d, m->dq + i * s->wide,
               (size_t)s->d * sizeof(float));
}

static void backward_head(const backward_job *job, const backward_memory *m, int64_t b, int64_t h)
{
    const attention_size *s = &job->size;
    int64_t n = attention_keys(s, b);
    attention_gather(s, b, h, 2, m->dv);
    attention_by_rows(m->dv, n, s->d, s->wide, m->v_rows);
    attention_gather(s, b, h, 1, m->dk);
    attention_by_rows(m->dk, n, s->d, s->wide, m->k_rows);
    attention_by_columns(m->dk, n, s->wide, m->k_columns);
    memset(m->dk, 0, (size_t)(2 * s->keys * s->wide) * sizeof *m->dk); /* dv lies behind dk */
    for (int64_t first = 0; first < s->t; first += BLOCK)
        backward_block(job, m, b, h, first);
    attention_write_keys(s, b, h, m->dk, m->dv, s->wide, job->dqkv);
}

static void backward_parts(const void *context, int64_t begin, int64_t end)
{
    const backward_job *job = context;
    int64_t heads = job->size.b * job->size.heads;
    for (int64_t part = begin; part < end; part++) {
        backward_memory m = memory_of(job, part);
        for (int64_t i = heads * part / job->parts; i < heads * (part + 1) / job->parts; i++)
            backward_head(job, &m, i / job->size.heads, i % job->size.heads);
    }
}

poet_status poet_cpu_attention_bwd(poet_device *device, const poet_call *call)
{
    backward_job job = {.size = attention_measure(call, 4)};
    POET_TRY(attention_check(&job.size));
    if (poet_cpu_attention_is_small(&job.size)) {
        poet_cpu_attention_small_bwd(device, &job.size, call);
        return POET_OK;
    }
    if (poet_cpu_attention_is_amx(&job.size)) {
        poet_cpu_attention_amx_bwd(device, &job.size, call);
        return POET_OK;
    }
    job.y = poet_cpu_src(call, 1);
    job.lse = poet_cpu_src(call, 2);
    job.dy = poet_cpu_src(call, 3);
    job.dqkv = poet_cpu_dst(call, 0);
    job.scratch = call->scratch;
    job.part_floats = part_floats(&job.size);
    job.parts = poet_cpu_parts(device, job.size.b * job.size.heads, 1);
    poet_cpu_parallel(device, job.parts, 1, backward_parts, &job);
    return POET_OK;
}

size_t poet_cpu_attention_bwd_scratch(poet_device *device, const poet_call *call)
{
    attention_size s = attention_measure(call, 4);
    if (poet_cpu_attention_is_small(&s))
        return 0;
    if (poet_cpu_attention_is_amx(&s))
        return poet_cpu_attention_amx_bwd_scratch(device, &s);
    return (size_t)(poet_cpu_parts(device, s.b * s.heads, 1) * part_floats(&s)) * sizeof(float);
}

/* The gradient of attention of bf16 operands in AMX tiles. For a block of queries of one head, AMX_ROWS keys at a time, with
 * S' = K Q' and P' its softmax, recomputed from the scores and their log sum exp:
 *
 *     dV += P' dY,   dS' = scale P' (V dY' - rowsum(dY Y)),   dK += dS' Q,   and in the end   dQ' = K' dS'. */
#include "compute/cpu/cpu_attention_amx_internal.h"

#if defined(__x86_64__) && defined(__linux__)

typedef struct backward_job {
    attention_size size;
    amx_size tiles;
    const float *y, *lse, *dy;
    float *dqkv;
    char *scratch;
    int64_t part_bytes, parts;
} backward_job;

/* One part's scratch. */
typedef struct backward_memory {
    float *dk, *dv;     /* (keys, columns) */
    float *turned_dq;   /* dQ' (wide, QUERIES) */
    uint16_t *k, *v;    /* (keys, wide) */
    uint16_t *turned_k; /* K' (wide, keys) */
    uint16_t *rows;     /* (QUERIES, wide): a block's q, then its dy */
    uint16_t *q_panels, *turned_q_panels;
    uint16_t *dy_panels, *turned_dy_panels;
    uint16_t *ds_panels; /* dS' (keys, QUERIES) in panels */
} backward_memory;

/* What a block of queries and AMX_ROWS keys have between them, all (AMX_ROWS, QUERIES). */
typedef struct backward_scores {
    float s[AMX_ROWS * QUERIES], dp[AMX_ROWS * QUERIES]; /* S' and V dY' */
    uint16_t p[AMX_ROWS * QUERIES], ds[AMX_ROWS * QUERIES];
} backward_scores;

/* What the softmax must know of a block's queries. */
typedef struct backward_queries {
    int32_t seen[QUERIES];
    float lse[QUERIES], through[QUERIES]; /* rowsum(dY Y) */
} backward_queries;

static int64_t part_bytes(const amx_size *z)
{
    int64_t head = z->keys * z->wide, block = QUERIES * z->wide;
    return 4 * (2 * head + block) + 2 * (3 * head + 5 * block + z->keys * QUERIES);
}

static backward_memory memory_of(const backward_job *job, int64_t part)
{
    const amx_size *z = &job->tiles;
    int64_t head = z->keys * z->wide, block = QUERIES * z->wide;
    backward_memory m = {.dk = (void *)(job->scratch + part * job->part_bytes)};
    m.dv = m.dk + head;
    m.turned_dq = m.dv + head;
    m.k = (void *)(m.turned_dq + block);
    m.v = m.k + head;
    m.turned_k = m.v + head;
    m.rows = m.turned_k + head;
    m.q_panels = m.rows + block;
    m.turned_q_panels = m.q_panels + block;
    m.dy_panels = m.turned_q_panels + block;
    m.turned_dy_panels = m.dy_panels + block;
    m.ds_panels = m.turned_dy_panels + block;
    return m;
}

/* d numbers in bf16, zeros behind them. */
AMX_INLINE void to_bf16(const float *x, int64_t d, int64_t wide, uint16_t *out)
{
    for (int64_t k = 0; k < wide; k += AMX_SIDE) {
        int64_t left = poet_max(0, poet_min(AMX_SIDE, d - k));
        __m512 some = _mm512_maskz_loadu_ps((__mmask16)((1 << left) - 1), x + k);
        _mm256_storeu_si256((void *)(out + k), amx_bf16(some));
    }
}

AMX_INLINE float dot(const float *a, const float *b, int64_t d)
{
    __m512 sum = _mm512_setzero_ps();
    for (int64_t k = 0; k < d; k += AMX_SIDE) {
        __mmask16 some = (__mmask16)((1 << poet_min(AMX_SIDE, d - k)) - 1);
        sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(some, a + k),
                              _mm512_maskz_loadu_ps(some, b + k), sum);
    }
    return _mm512_reduce_add_ps(sum);
}

/* Panels of a block's q and dy, and what belongs to its rows. */
static AMX void read_block(const backward_job *job, const backward_memory *m, int64_t b, int64_t h,
                           int64_t first, backward_queries *queries)
{
    const attention_size *s = &job->size;
    int64_t wide = job->tiles.wide, rows = poet_min(QUERIES, s->t - first);
    amx_seen(s, b, first, queries->seen);
    amx_queries(s, wide, b, h, first, m->rows);
    amx_panels(m->rows, QUERIES, wide, m->q_panels);
    amx_turned_panels(m->rows, QUERIES, wide, m->turned_q_panels);
    for (int64_t i = 0; i < rows; i++) {
        int64_t at = (b * s->t + first + i) * s->c + h * s->d;
        queries->lse[i] = job->lse[(b * s->heads + h) * s->t + first + i];
        queries->through[i] = dot(job->y + at, job->dy + at, s->d);
        to_bf16(job->dy + at, s->d, wide, m->rows + i * wide);
    }
    for (int64_t i = rows; i < QUERIES; i++)
        queries->lse[i] = queries->through[i] = 0;
    memset(m->rows + rows * wide, 0, (size_t)((QUERIES - rows) * wide) * sizeof *m->rows);
    amx_panels(m->rows, QUERIES, wide, m->dy_panels);
    amx_turned_panels(m->rows, QUERIES, wide, m->turned_dy_panels);
}

/* p and ds of AMX_SIDE queries and of keys from `key` on; dS' in a panel too. */
static AMX void softmax_bwd_lanes(backward_scores *of, int64_t key, int64_t at,
                                  const backward_queries *queries, float scale, uint16_t *panel)
{
    const __m512i seen = _mm512_loadu_si512(queries->seen + at);
    const __m512 lse = _mm512_loadu_ps(queries->lse + at);
    const __m512 through = _mm512_loadu_ps(queries->through + at);
    const __m512 scale_lanes = _mm512_set1_ps(scale);
    for (int64_t j = 0; j < AMX_ROWS; j += 2, panel += 2 * AMX_SIDE) {
        __m256i ds[2];
        for (int i = 0; i < 2; i++) {
            int64_t to = (j + i) * QUERIES + at;
            __mmask16 sees = _mm512_cmpgt_epi32_mask(seen, _mm512_set1_epi32((int)(key + j + i)));
            __m512 x = _mm512_fmsub_ps(_mm512_loadu_ps(of->s + to), scale_lanes, lse);
            __m512 p = _mm512_maskz_mov_ps(sees, amx_exp(x));
            __m512 dp = _mm512_sub_ps(_mm512_loadu_ps(of->dp + to), through);
            ds[i] = amx_bf16(_mm512_maskz_mul_ps(sees, _mm512_mul_ps(scale_lanes, p), dp));
            _mm256_storeu_si256((void *)(of->p + to), amx_bf16(p));
            _mm256_storeu_si256((void *)(of->ds + to), ds[i]);
        }
        _mm512_storeu_si512(panel, amx_weave(ds[0], ds[1]));
    }
}

/* AMX_ROWS keys from `key` on, of the n that the block meets. */
static AMX void backward_keys(const backward_job *job, const backward_memory *m,
                              const backward_queries *queries, int64_t key, int64_t n)
{
    const amx_size *z = &job->tiles;
    const int64_t turned_panel = AMX_SIDE * z->wide, panel = AMX_SIDE * QUERIES;
    backward_scores of;
    amx_product(AMX_ROWS, QUERIES, z->wide, (amx_a){m->k + key * z->wide, z->wide},
                (amx_b){m->turned_q_panels, turned_panel}, (amx_c){of.s, QUERIES, false});
    amx_product(AMX_ROWS, QUERIES, z->wide, (amx_a){m->v + key * z->wide, z->wide},
                (amx_b){m->turned_dy_panels, turned_panel}, (amx_c){of.dp, QUERIES, false});
    for (int64_t i = 0; i < QUERIES; i += AMX_SIDE)
        softmax_bwd_lanes(&of, key, i, queries, job->size.scale,
                          m->ds_panels + i * n + key * AMX_SIDE);
    amx_product(AMX_ROWS, z->columns, QUERIES, (amx_a){of.p, QUERIES}, (amx_b){m->dy_panels, panel},
                (amx_c){m->dv + key * z->columns, z->columns, true});
    amx_product(AMX_ROWS, z->columns, QUERIES, (amx_a){of.ds, QUERIES}, (amx_b){m->q_panels, panel},
                (amx_c){m->dk + key * z->columns, z->columns, true});
}

static AMX void backward_block(const backward_job *job, const backward_memory *m, int64_t b,
                               int64_t h, int64_t first)
{
    const attention_size *s = &job->size;
    const amx_size *z = &job->tiles;
    int64_t n = amx_keys_of_block(s, b, first), end = poet_min(first + QUERIES, s->t);
    backward_queries queries;
    read_block(job, m, b, h, first, &queries);
    for (int64_t key = 0; key < n; key += AMX_ROWS)
        backward_keys(job, m, &queries, key, n);
    amx_product(z->wide, QUERIES, n, (amx_a){m->turned_k, z->keys},
                (amx_b){m->ds_panels, AMX_SIDE * n}, (amx_c){m->turned_dq, QUERIES, false});
    for (int64_t i = first; i < end; i++)
        amx_write_column(m->turned_dq, i - first, s->d, 1,
                         job->dqkv + (b * s->t + i) * 3 * s->c + h * s->d);
}

static AMX void backward_head(const backward_job *job, const backward_memory *m, int64_t b,
                              int64_t h)
{
    const attention_size *s = &job->size;
    const amx_size *z = &job->tiles;
    amx_gather(s, z, b, h, 1, m->k);
    amx_gather(s, z, b, h, 2, m->v);
    amx_turned_rows(m->k, z->keys, z->wide, m->turned_k);
    memset(m->dk, 0, (size_t)(z->keys * z->columns) * sizeof *m->dk);
    memset(m->dv, 0, (size_t)(z->keys * z->columns) * sizeof *m->dv);
    for (int64_t first = 0; first < s->t; first += QUERIES)
        backward_block(job, m, b, h, first);
    attention_write_keys(s, b, h, m->dk, m->dv, job->tiles.columns, job->dqkv);
}

static AMX void backward_parts(const void *context, int64_t begin, int64_t end)
{
    const backward_job *job = context;
    int64_t heads = job->size.b * job->size.heads;
    amx_begin();
    for (int64_t part = begin; part < end; part++) {
        backward_memory m = memory_of(job, part);
        for (int64_t i = heads * part / job->parts; i < heads * (part + 1) / job->parts; i++)
            backward_head(job, &m, i / job->size.heads, i % job->size.heads);
    }
    amx_end();
}

void poet_cpu_attention_amx_bwd(const poet_device *device, const attention_size *s,
                                const poet_call *call)
{
    backward_job job = {.size = *s,
                        .tiles = amx_measure(s),
                        .y = poet_cpu_src(call, 1),
                        .lse = poet_cpu_src(call, 2),
                        .dy = poet_cpu_src(call, 3),
                        .dqkv = poet_cpu_dst(call, 0),
                        .scratch = call->scratch,
                        .parts = poet_cpu_parts(device, s->b * s->heads, 1)};
    job.part_bytes = part_bytes(&job.tiles);
    poet_cpu_parallel(device, job.parts, 1, backward_parts, &job);
}

size_t poet_cpu_attention_amx_bwd_scratch(const poet_device *device, const attention_size *s)
{
    amx_size z = amx_measure(s);
    return (size_t)(poet_cpu_parts(device, s->b * s->heads, 1) * part_bytes(&z));
}

#endif

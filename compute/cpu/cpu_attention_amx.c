/* Attention of bf16 operands in AMX tiles: S' = K Q', its softmax P' over the rows, Y' = V' P'. */
#include "compute/cpu/cpu_attention_amx_internal.h"

#if defined(__x86_64__) && defined(__linux__)

typedef struct forward_job {
    attention_size size;
    amx_size tiles;
    float *y, *lse;
    char *scratch;
    int64_t part_bytes, parts;
} forward_job;

/* One part's scratch. */
typedef struct forward_memory {
    float *score;           /* S' (keys, QUERIES) */
    float *turned_y;        /* Y' (wide, QUERIES) */
    uint16_t *rows;         /* (keys, wide): gathered values, then keys */
    uint16_t *turned_v;     /* V' (wide, keys) */
    uint16_t *q, *q_panels; /* (QUERIES, wide), and Q' in panels */
    uint16_t *p_panels;     /* P' (keys, QUERIES) in panels */
} forward_memory;

static int64_t part_bytes(const amx_size *z)
{
    int64_t head = z->keys * z->wide, block = QUERIES * z->wide, scores = z->keys * QUERIES;
    return 4 * (scores + block) + 2 * (2 * head + 2 * block + scores);
}

static forward_memory memory_of(const forward_job *job, int64_t part)
{
    const amx_size *z = &job->tiles;
    int64_t head = z->keys * z->wide, block = QUERIES * z->wide, scores = z->keys * QUERIES;
    forward_memory m = {.score = (void *)(job->scratch + part * job->part_bytes)};
    m.turned_y = m.score + scores;
    m.rows = (void *)(m.turned_y + block);
    m.turned_v = m.rows + head;
    m.q = m.turned_v + head;
    m.q_panels = m.q + block;
    m.p_panels = m.q_panels + block;
    return m;
}

/* P' of AMX_SIDE queries, unscaled, in a panel; sum: what to divide it by; lse: log sum exp of the scaled scores. */
static AMX void softmax_lanes(const float *score, int64_t n, const int32_t *seen, float scale,
                              uint16_t *panel, float *sum, float *lse)
{
    const __m512i seen_lanes = _mm512_loadu_si512(seen);
    const __m512 scale_lanes = _mm512_set1_ps(scale);
    __m512 greatest = _mm512_set1_ps(-INFINITY), total = _mm512_setzero_ps();
    for (int64_t j = 0; j < n; j++) {
        __mmask16 sees = _mm512_cmpgt_epi32_mask(seen_lanes, _mm512_set1_epi32((int)j));
        greatest =
            _mm512_mask_max_ps(greatest, sees, greatest, _mm512_loadu_ps(score + j * QUERIES));
    }
    greatest = _mm512_mul_ps(greatest, scale_lanes);
    for (int64_t j = 0; j < n; j += 2, panel += 2 * AMX_SIDE) {
        __m512 e[2];
        for (int i = 0; i < 2; i++) {
            __mmask16 sees = _mm512_cmpgt_epi32_mask(seen_lanes, _mm512_set1_epi32((int)(j + i)));
            __m512 x = _mm512_loadu_ps(score + (j + i) * QUERIES);
            e[i] = _mm512_maskz_mov_ps(sees, amx_exp(_mm512_fmsub_ps(x, scale_lanes, greatest)));
            total = _mm512_add_ps(total, e[i]);
        }
        _mm512_storeu_si512(panel, amx_weave(amx_bf16(e[0]), amx_bf16(e[1])));
    }
    _mm512_storeu_ps(sum, total);
    _mm512_storeu_ps(lse, greatest);
    for (int i = 0; i < AMX_SIDE; i++)
        lse[i] += logf(sum[i]);
}

static AMX void forward_block(const forward_job *job, const forward_memory *m, int64_t b, int64_t h,
                              int64_t first)
{
    const attention_size *s = &job->size;
    const amx_size *z = &job->tiles;
    int64_t rows = poet_min(QUERIES, s->t - first), n = amx_keys_of_block(s, b, first);
    int32_t seen[QUERIES];
    float sum[QUERIES], lse[QUERIES];
    amx_queries(s, z->wide, b, h, first, m->q);
    amx_turned_panels(m->q, QUERIES, z->wide, m->q_panels);
    amx_product(n, QUERIES, z->wide, (amx_a){m->rows, z->wide},
                (amx_b){m->q_panels, AMX_SIDE * z->wide}, (amx_c){m->score, QUERIES, false});
    amx_seen(s, b, first, seen);
    for (int64_t i = 0; i < QUERIES; i += AMX_SIDE)
        softmax_lanes(m->score + i, n, seen + i, s->scale, m->p_panels + i * n, sum + i, lse + i);
    amx_product(z->wide, QUERIES, n, (amx_a){m->turned_v, z->keys},
                (amx_b){m->p_panels, AMX_SIDE * n}, (amx_c){m->turned_y, QUERIES, false});
    for (int64_t i = 0; i < rows; i++)
        amx_write_column(m->turned_y, i, s->d, 1 / sum[i],
                         job->y + (b * s->t + first + i) * s->c + h * s->d);
    memcpy(job->lse + (b * s->heads + h) * s->t + first, lse, (size_t)rows * sizeof *lse);
}

static AMX void forward_head(const forward_job *job, const forward_memory *m, int64_t b, int64_t h)
{
    const attention_size *s = &job->size;
    const amx_size *z = &job->tiles;
    amx_gather(s, z, b, h, 2, m->rows);
    amx_turned_rows(m->rows, z->keys, z->wide, m->turned_v);
    amx_gather(s, z, b, h, 1, m->rows);
    for (int64_t first = 0; first < s->t; first += QUERIES)
        forward_block(job, m, b, h, first);
}

static AMX void forward_parts(const void *context, int64_t begin, int64_t end)
{
    const forward_job *job = context;
    int64_t heads = job->size.b * job->size.heads;
    amx_begin();
    for (int64_t part = begin; part < end; part++) {
        forward_memory m = memory_of(job, part);
        for (int64_t i = heads * part / job->parts; i < heads * (part + 1) / job->parts; i++)
            forward_head(job, &m, i / job->size.heads, i % job->size.heads);
    }
    amx_end();
}

bool poet_cpu_attention_is_amx(const attention_size *s)
{
    return s->qkv->dtype == POET_BF16 && poet_cpu_amx();
}

void poet_cpu_attention_amx(const poet_device *device, const attention_size *s,
                            const poet_call *call)
{
    forward_job job = {.size = *s,
                       .tiles = amx_measure(s),
                       .y = poet_cpu_dst(call, 0),
                       .lse = poet_cpu_dst(call, 1),
                       .scratch = call->scratch,
                       .parts = poet_cpu_parts(device, s->b * s->heads, 1)};
    job.part_bytes = part_bytes(&job.tiles);
    poet_cpu_parallel(device, job.parts, 1, forward_parts, &job);
}

size_t poet_cpu_attention_amx_scratch(const poet_device *device, const attention_size *s)
{
    amx_size z = amx_measure(s);
    return (size_t)(poet_cpu_parts(device, s->b * s->heads, 1) * part_bytes(&z));
}

#endif

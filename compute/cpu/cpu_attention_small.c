/* Attention over many short sequences, as inside the groups of the generator: a few dot products a
 * head, not worth packing. No prefix; heads of whole vectors. */
#include "compute/cpu/cpu_attention_internal.h"

typedef struct small_job {
    attention_size size;
    const float *y, *dy; /* the gradient's */
    float *out, *lse;    /* y; or dqkv and the forward's lse */
} small_job;

/* One head, as f32. */
typedef struct small_head {
    float q[SMALL_KEYS][SMALL_WIDTH], k[SMALL_KEYS][SMALL_WIDTH], v[SMALL_KEYS][SMALL_WIDTH];
} small_head;

bool poet_cpu_attention_is_small(const attention_size *s)
{
    return s->t <= SMALL_KEYS && s->prefix == 0 && s->d % LANES == 0 && s->d <= SMALL_WIDTH;
}

static void small_read(const attention_size *s, int64_t b, int64_t h, small_head *x)
{
    for (int64_t i = 0; i < s->t; i++) {
        attention_row(s, b, h, i, 0, x->q[i]);
        attention_row(s, b, h, i, 1, x->k[i]);
        attention_row(s, b, h, i, 2, x->v[i]);
    }
}

VEC_INLINE float small_dot(const float *a, const float *b, int64_t d)
{
    vf sum = vf_all(0);
    for (int64_t i = 0; i < d; i += LANES)
        sum = vf_fma(vf_load(a + i), vf_load(b + i), sum);
    return vf_sum(sum);
}

/* y += w x */
VEC_INLINE void small_add(float *y, float w, const float *x, int64_t d)
{
    for (int64_t i = 0; i < d; i += LANES)
        vf_store(y + i, vf_fma(vf_all(w), vf_load(x + i), vf_load(y + i)));
}

/* score[0..n) -> exp(score - shift), which is 0 behind n. Two vectors: n <= SMALL_KEYS. */
VEC_INLINE float small_exp(float *score, int64_t n, float shift)
{
    for (int64_t j = n; j < SMALL_KEYS; j++)
        score[j] = -INFINITY;
    vf low = vf_exp(vf_load(score) - vf_all(shift)), high = vf_all(0);
    if (n > LANES)
        high = vf_exp(vf_load(score + LANES) - vf_all(shift));
    vf_store(score, low);
    vf_store(score + LANES, high);
    return vf_sum(low + high);
}

static VEC void small_query(const small_job *job, const small_head *x, int64_t b, int64_t h,
                            int64_t i)
{
    const attention_size *s = &job->size;
    float score[SMALL_KEYS], greatest = -INFINITY;
    for (int64_t j = 0; j <= i; j++) {
        score[j] = s->scale * small_dot(x->q[i], x->k[j], s->d);
        greatest = score[j] > greatest ? score[j] : greatest;
    }
    float sum = small_exp(score, i + 1, greatest);
    float *y = job->out + (b * s->t + i) * s->c + h * s->d;
    memset(y, 0, (size_t)s->d * sizeof *y);
    for (int64_t j = 0; j <= i; j++)
        small_add(y, score[j] / sum, x->v[j], s->d);
    job->lse[(b * s->heads + h) * s->t + i] = greatest + logf(sum);
}

static VEC void small_rows(const void *context, int64_t begin, int64_t end)
{
    const small_job *job = context;
    small_head x;
    for (int64_t b = begin; b < end; b++)
        for (int64_t h = 0; h < job->size.heads; h++) {
            small_read(&job->size, b, h, &x);
            for (int64_t i = 0; i < job->size.t; i++)
                small_query(job, &x, b, h, i);
        }
}

static VEC void small_query_bwd(const small_job *job, const small_head *x, int64_t b, int64_t h,
                                int64_t i)
{
    const attention_size *s = &job->size;
    int64_t out = (b * s->t + i) * s->c + h * s->d, row = 3 * s->c;
    float *dk = job->out + b * s->t * row + s->c + h * s->d, *dv = dk + s->c;
    float *dq = dk - s->c + i * row, p[SMALL_KEYS];
    const float *dy = job->dy + out;
    for (int64_t j = 0; j <= i; j++)
        p[j] = s->scale * small_dot(x->q[i], x->k[j], s->d);
    small_exp(p, i + 1, job->lse[(b * s->heads + h) * s->t + i]);
    float through = small_dot(dy, job->y + out, s->d);
    for (int64_t j = 0; j <= i; j++) {
        float ds = s->scale * p[j] * (small_dot(dy, x->v[j], s->d) - through);
        small_add(dv + j * row, p[j], dy, s->d);
        small_add(dq, ds, x->k[j], s->d);
        small_add(dk + j * row, ds, x->q[i], s->d);
    }
}

static VEC void small_rows_bwd(const void *context, int64_t begin, int64_t end)
{
    const small_job *job = context;
    int64_t row = job->size.t * 3 * job->size.c;
    memset(job->out + begin * row, 0, (size_t)((end - begin) * row) * sizeof(float));
    small_head x;
    for (int64_t b = begin; b < end; b++)
        for (int64_t h = 0; h < job->size.heads; h++) {
            small_read(&job->size, b, h, &x);
            for (int64_t i = 0; i < job->size.t; i++)
                small_query_bwd(job, &x, b, h, i);
        }
}

void poet_cpu_attention_small(const poet_device *device, const attention_size *s,
                              const poet_call *call)
{
    small_job job = {.size = *s, .out = poet_cpu_dst(call, 0), .lse = poet_cpu_dst(call, 1)};
    poet_cpu_parallel(device, s->b, 16, small_rows, &job);
}

void poet_cpu_attention_small_bwd(const poet_device *device, const attention_size *s,
                                  const poet_call *call)
{
    small_job job = {.size = *s,
                     .y = poet_cpu_src(call, 1),
                     .dy = poet_cpu_src(call, 3),
                     .out = poet_cpu_dst(call, 0),
                     .lse = call->src[2]->data};
    poet_cpu_parallel(device, s->b, 16, small_rows_bwd, &job);
}

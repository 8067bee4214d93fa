/* What the attention kernels share: sizes, and the keys of one head made ready for tiles.
 *
 * Only keys that somebody may see are packed: the real prefix, then everything behind the prefix.
 * Packed like that, every query sees the first `seen` of them, and no other mask is needed. */
#ifndef POET_COMPUTE_CPU_ATTENTION_INTERNAL_H
#define POET_COMPUTE_CPU_ATTENTION_INTERNAL_H

#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/cpu_tile.h"

#include <string.h>

typedef struct attention_size {
    int64_t b, t, c, heads, d, prefix;
    int64_t wide; /* d rounded up to whole panels */
    int64_t keys; /* t rounded up to whole panels */
    float scale;
    const poet_tensor *qkv;
    const int32_t *lengths; /* NULL when prefix is 0 */
} attention_size;

/* lengths: the index of that source. */
static inline attention_size attention_measure(const poet_call *call, int lengths)
{
    const int64_t *dim = call->src[0]->shape.dim;
    attention_size s = {.b = dim[0],
                        .t = dim[1],
                        .c = dim[2] / 3,
                        .heads = call->attr->attention.heads,
                        .prefix = call->attr->attention.prefix,
                        .qkv = call->src[0]};
    s.d = s.c / s.heads;
    s.wide = poet_round_up(s.d, PANEL);
    s.keys = poet_round_up(s.t, PANEL);
    s.scale = 1 / sqrtf((float)s.d);
    s.lengths = s.prefix ? call->src[lengths]->data : NULL;
    return s;
}

static inline poet_status attention_check(const attention_size *s)
{
    for (int64_t b = 0; s->prefix && b < s->b; b++)
        if (s->lengths[b] < 1 || s->lengths[b] > s->prefix)
            return POET_FAIL(POET_ERR_ARG, "row %lld: length %d is not in 1..%lld", (long long)b,
                             s->lengths[b], (long long)s->prefix);
    return POET_OK;
}

/* Packed keys of row b. */
static inline int64_t attention_keys(const attention_size *s, int64_t b)
{
    return s->prefix ? s->lengths[b] + s->t - s->prefix : s->t;
}

/* The position of packed key j. */
static inline int64_t attention_position(const attention_size *s, int64_t b, int64_t j)
{
    return s->prefix && j >= s->lengths[b] ? j - s->lengths[b] + s->prefix : j;
}

/* How many packed keys query i sees. */
static inline int64_t attention_seen(const attention_size *s, int64_t b, int64_t i)
{
    if (!s->prefix)
        return i + 1;
    return s->lengths[b] + (i < s->prefix ? 0 : i - s->prefix + 1);
}

/* Copies d numbers of q (part 0), k (1) or v (2) of one head at one position. */
static inline void attention_row(const attention_size *s, int64_t b, int64_t h, int64_t position,
                                 int part, float *out)
{
    int64_t at = ((b * s->t + position) * 3 + part) * s->c + h * s->d;
    if (s->qkv->dtype == POET_F32) {
        memcpy(out, (const float *)s->qkv->data + at, (size_t)s->d * sizeof *out);
        return;
    }
    for (int64_t i = 0; i < s->d; i++)
        out[i] = poet_bf16_to_f32(((const uint16_t *)s->qkv->data)[at + i]);
}

/* Rows of `wide` floats, zeros behind d, into panels: out[wide/PANEL][rows][PANEL]. */
static inline void attention_by_columns(const float *in, int64_t rows, int64_t wide, float *out)
{
    for (int64_t p = 0; p < wide / PANEL; p++)
        for (int64_t r = 0; r < rows; r++)
            memcpy(out + (p * rows + r) * PANEL, in + r * wide + p * PANEL, PANEL * sizeof *out);
}

/* Rows of `wide` floats transposed, 16 rows a panel: out[rows/PANEL][d][PANEL]; a panel that is not
 * full is filled with zeros. */
static inline void attention_by_rows(const float *in, int64_t rows, int64_t d, int64_t wide,
                                     float *out)
{
    for (int64_t p = 0; p * PANEL < rows; p++, out += d * PANEL) {
        int64_t count = poet_min(PANEL, rows - p * PANEL);
        for (int64_t k = 0; k < d; k++)
            for (int64_t j = 0; j < PANEL; j++)
                out[k * PANEL + j] = j < count ? in[(p * PANEL + j) * wide + k] : 0;
    }
}

/* Gathers a head's packed keys (part 1) or values (2) into rows of `wide`, zeros behind d. */
static inline void attention_gather(const attention_size *s, int64_t b, int64_t h, int part,
                                    float *rows)
{
    int64_t n = attention_keys(s, b);
    memset(rows, 0, (size_t)(n * s->wide) * sizeof *rows);
    for (int64_t j = 0; j < n; j++)
        attention_row(s, b, h, attention_position(s, b, j), part, rows + j * s->wide);
}

/* dk and dv of the keys of a head from packed rows, `row` numbers apart, to their positions in dqkv; zeros where nobody looked. */
static inline void attention_write_keys(const attention_size *s, int64_t b, int64_t h,
                                        const float *dk, const float *dv, int64_t row, float *dqkv)
{
    size_t bytes = (size_t)s->d * sizeof(float);
    float *to_k = dqkv + b * s->t * 3 * s->c + s->c + h * s->d, *to_v = to_k + s->c;
    for (int64_t t = s->prefix ? s->lengths[b] : 0; t < s->prefix; t++) {
        memset(to_k + t * 3 * s->c, 0, bytes);
        memset(to_v + t * 3 * s->c, 0, bytes);
    }
    for (int64_t j = 0; j < attention_keys(s, b); j++) {
        int64_t at = attention_position(s, b, j) * 3 * s->c;
        memcpy(to_k + at, dk + j * row, bytes);
        memcpy(to_v + at, dv + j * row, bytes);
    }
}

/* c (rows x columns) = a (rows x k_count, row-major) times packed panels, in tiles. columns is
 * whole panels; panels are k_rows long, of which the first k_count count. */
static inline VEC void attention_product(int64_t rows, int64_t columns, int64_t k_count,
                                         const float *a, int64_t a_row, const float *panels,
                                         int64_t k_rows, float *c, int64_t c_row)
{
    for (int64_t j = 0; j < columns; j += PANEL, panels += k_rows * PANEL)
        for (int64_t i = 0; i < rows; i += TILE_ROWS)
            tile((int)poet_min(TILE_ROWS, rows - i), k_count, (tile_a){a + i * a_row, a_row, 1},
                 (tile_b){panels, PANEL}, (tile_c){c + i * c_row + j, c_row, false});
}

/* Sequences of up to SMALL_KEYS positions without a prefix have kernels of their own, for heads of up to SMALL_WIDTH. */
enum { SMALL_KEYS = 16, SMALL_WIDTH = 128 };

bool poet_cpu_attention_is_small(const attention_size *s);
void poet_cpu_attention_small(const poet_device *device, const attention_size *s,
                              const poet_call *call);
void poet_cpu_attention_small_bwd(const poet_device *device, const attention_size *s,
                                  const poet_call *call);

poet_status poet_cpu_attention_bwd(poet_device *device, const poet_call *call);
size_t poet_cpu_attention_bwd_scratch(poet_device *device, const poet_call *call);

#endif

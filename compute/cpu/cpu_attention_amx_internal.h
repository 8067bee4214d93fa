/* What attention in AMX tiles shares, forward and backward.
 *
 * A block of QUERIES queries of one head meets all keys that the last of them sees. Scores are kept transposed: a row is a
 * key, a lane a query. So the softmax needs no sum across lanes, and what it leaves is an operand of the next product as it
 * is. Operands are bf16, probabilities and gradients of scores among them; sums and the softmax itself are f32. */
#ifndef POET_COMPUTE_CPU_ATTENTION_AMX_INTERNAL_H
#define POET_COMPUTE_CPU_ATTENTION_AMX_INTERNAL_H

#include "compute/cpu/cpu_amx.h"
#include "compute/cpu/cpu_attention_internal.h"

#if defined(__x86_64__) && defined(__linux__)

bool poet_cpu_attention_is_amx(const attention_size *s);

/* As the kernels of the same names without _amx, for sizes of which is_amx is true. */
size_t poet_cpu_attention_amx_scratch(const poet_device *device, const attention_size *s);
void poet_cpu_attention_amx(const poet_device *device, const attention_size *s,
                            const poet_call *call);
size_t poet_cpu_attention_amx_bwd_scratch(const poet_device *device, const attention_size *s);
void poet_cpu_attention_amx_bwd(const poet_device *device, const attention_size *s,
                                const poet_call *call);

enum { QUERIES = 64, GROUPS = QUERIES / AMX_SIDE };

/* Sizes in whole tiles. */
typedef struct amx_size {
    int64_t keys, wide; /* t, and d, as rows and as depth of products */
    int64_t columns;    /* d as columns */
} amx_size;

static inline amx_size amx_measure(const attention_size *s)
{
    return (amx_size){.keys = poet_round_up(s->t, AMX_DEPTH),
                      .wide = poet_round_up(s->d, AMX_DEPTH),
                      .columns = poet_round_up(s->d, AMX_SIDE)};
}

/* Packed keys that the block from query `first` on meets, in whole tiles. */
static inline int64_t amx_keys_of_block(const attention_size *s, int64_t b, int64_t first)
{
    int64_t last = poet_min(first + QUERIES, s->t) - 1;
    return poet_round_up(attention_seen(s, b, last), AMX_DEPTH);
}

/* Copies q (part 0), k or v of one head at one position, zeros behind it. */
static inline void amx_row(const attention_size *s, int64_t b, int64_t h, int64_t position,
                           int part, int64_t wide, uint16_t *out)
{
    const uint16_t *qkv = s->qkv->data;
    memcpy(out, qkv + ((b * s->t + position) * 3 + part) * s->c + h * s->d,
           (size_t)s->d * sizeof *out);
    memset(out + s->d, 0, (size_t)(wide - s->d) * sizeof *out);
}

/* A head's packed keys (part 1) or values (2): out (keys, wide). */
static inline void amx_gather(const attention_size *s, const amx_size *z, int64_t b, int64_t h,
                              int part, uint16_t *out)
{
    int64_t n = attention_keys(s, b);
    for (int64_t j = 0; j < n; j++)
        amx_row(s, b, h, attention_position(s, b, j), part, z->wide, out + j * z->wide);
    memset(out + n * z->wide, 0, (size_t)((z->keys - n) * z->wide) * sizeof *out);
}

/* A block's queries: out (QUERIES, wide). */
static inline void amx_queries(const attention_size *s, int64_t wide, int64_t b, int64_t h,
                               int64_t first, uint16_t *out)
{
    int64_t rows = poet_min(QUERIES, s->t - first);
    for (int64_t i = 0; i < rows; i++)
        amx_row(s, b, h, first + i, 0, wide, out + i * wide);
    memset(out + rows * wide, 0, (size_t)((QUERIES - rows) * wide) * sizeof *out);
}

/* For each query of a block how many keys it sees; 1 for those behind the last, whose results nobody reads. */
static inline void amx_seen(const attention_size *s, int64_t b, int64_t first, int32_t *seen)
{
    for (int64_t i = 0; i < QUERIES; i++)
        seen[i] = first + i < s->t ? (int32_t)attention_seen(s, b, first + i) : 1;
}

/* Elements k and k + 1 of 16 rows, one row a lane. */
AMX_INLINE __m512i amx_pairs(const uint16_t *rows, int64_t wide, int64_t k)
{
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m512i index = _mm512_mullo_epi32(lane, _mm512_set1_epi32((int)(wide / 2)));
    return _mm512_i32gather_epi32(index, (const void *)(rows + k), 4);
}

/* (n, wide) -> its transpose as b of a product: panels of 16 rows, (wide / 2, 16, 2) each. */
static inline AMX void amx_turned_panels(const uint16_t *rows, int64_t n, int64_t wide,
                                         uint16_t *out)
{
    for (int64_t i = 0; i < n; i += AMX_SIDE)
        for (int64_t k = 0; k < wide; k += 2, out += 2 * AMX_SIDE)
            _mm512_storeu_si512(out, amx_pairs(rows + i * wide, wide, k));
}

/* (n, wide) -> its transpose as a of a product: (wide, n). */
static inline AMX void amx_turned_rows(const uint16_t *rows, int64_t n, int64_t wide, uint16_t *out)
{
    for (int64_t i = 0; i < n; i += AMX_SIDE)
        for (int64_t k = 0; k < wide; k += 2) {
            __m512i pairs = amx_pairs(rows + i * wide, wide, k);
            _mm256_storeu_si256((void *)(out + k * n + i), _mm512_cvtepi32_epi16(pairs));
            _mm256_storeu_si256((void *)(out + (k + 1) * n + i),
                                _mm512_cvtepi32_epi16(_mm512_srli_epi32(pairs, 16)));
        }
}

/* Two rows of 16 numbers woven together: a, b, a, b ... */
AMX_INLINE __m512i amx_weave(__m256i a, __m256i b)
{
    return _mm512_or_si512(_mm512_cvtepu16_epi32(a),
                           _mm512_slli_epi32(_mm512_cvtepu16_epi32(b), 16));
}

AMX_INLINE __m256i amx_bf16(__m512 x)
{
    return (__m256i)_mm512_cvtneps_pbh(x);
}

/* (n, wide) as b of a product: panels of 16 columns, (n / 2, 16, 2) each. */
static inline AMX void amx_panels(const uint16_t *rows, int64_t n, int64_t wide, uint16_t *out)
{
    for (int64_t k = 0; k < wide; k += AMX_SIDE)
        for (int64_t i = 0; i < n; i += 2, out += 2 * AMX_SIDE) {
            const uint16_t *row = rows + i * wide + k;
            _mm512_storeu_si512(out, amx_weave(_mm256_loadu_si256((const void *)row),
                                               _mm256_loadu_si256((const void *)(row + wide))));
        }
}

/* Writes column i of a transposed result (d, QUERIES), times factor, to d places in a row. */
AMX_INLINE void amx_write_column(const float *turned, int64_t i, int64_t d, float factor,
                                 float *out)
{
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m512i index = _mm512_mullo_epi32(lane, _mm512_set1_epi32(QUERIES));
    for (int64_t k = 0; k < d; k += AMX_SIDE) {
        __mmask16 some = (__mmask16)(d - k >= AMX_SIDE ? 0xFFFF : (1 << (d - k)) - 1);
        __m512 x = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), some, index,
                                            (const void *)(turned + k * QUERIES + i), 4);
        _mm512_mask_storeu_ps(out + k, some, _mm512_mul_ps(x, _mm512_set1_ps(factor)));
    }
}

/* vf_exp with 16 lanes: NaN stays NaN, and what is too small becomes 0. */
AMX_INLINE __m512 amx_exp(__m512 x)
{
    x = _mm512_max_ps(_mm512_set1_ps(-104), _mm512_min_ps(_mm512_set1_ps(88.3F), x));
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504F)), 8);
    __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-0.693359375F), x);
    r = _mm512_fmadd_ps(n, _mm512_set1_ps(2.12194440e-4F), r);
    __m512 p = _mm512_set1_ps(1.9875691500e-4F);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1F));
    p = _mm512_add_ps(_mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r), _mm512_set1_ps(1));
    return _mm512_scalef_ps(p, n);
}

#else

static inline bool poet_cpu_attention_is_amx(const attention_size *s)
{
    (void)s;
    return false;
}

static inline size_t poet_cpu_attention_amx_scratch(const poet_device *device,
                                                    const attention_size *s)
{
    (void)device, (void)s;
    return 0;
}

static inline void poet_cpu_attention_amx(const poet_device *device, const attention_size *s,
                                          const poet_call *call)
{
    (void)device, (void)s, (void)call;
}

static inline size_t poet_cpu_attention_amx_bwd_scratch(const poet_device *device,
                                                        const attention_size *s)
{
    (void)device, (void)s;
    return 0;
}

static inline void poet_cpu_attention_amx_bwd(const poet_device *device, const attention_size *s,
                                              const poet_call *call)
{
    (void)device, (void)s, (void)call;
}

#endif

#endif

/* Eight floats at a time, and the functions on them that kernels share.
 *
 * VEC marks every function that holds vectors: it may use AVX2 and FMA whatever the rest of the
 * program is compiled for, and is only called where poet_cpu_vectors() says so. Elsewhere than on
 * x86 the same source compiles to the vectors of that processor. */
#ifndef POET_COMPUTE_CPU_VEC_H
#define POET_COMPUTE_CPU_VEC_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define VEC __attribute__((target("avx2,fma")))
#else
#define VEC
#endif
#define VEC_INLINE static inline __attribute__((always_inline, unused)) VEC

enum { LANES = 8 };

typedef float vf __attribute__((vector_size(32)));
typedef int32_t vi __attribute__((vector_size(32)));

VEC_INLINE vf vf_all(float x)
{
    return (vf){x, x, x, x, x, x, x, x};
}

VEC_INLINE vf vf_load(const float *p)
{
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

VEC_INLINE void vf_store(float *p, vf v)
{
    memcpy(p, &v, sizeof v);
}

/* mask ? a : b, lane by lane; masks come from comparisons: all ones or all zeros. */
VEC_INLINE vf vf_choose(vi mask, vf a, vf b)
{
    return (vf)(((vi)a & mask) | ((vi)b & ~mask));
}

#if defined(__x86_64__)

VEC_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

VEC_INLINE vf vf_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}

VEC_INLINE vf vf_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}

VEC_INLINE vf vf_sqrt(vf a)
{
    return _mm256_sqrt_ps(a);
}

VEC_INLINE vi vf_round(vf a)
{
    return (vi)_mm256_cvtps_epi32(a);
}

VEC_INLINE vf vf_from_int(vi a)
{
    return _mm256_cvtepi32_ps((__m256i)a);
}

VEC_INLINE vf vf_from_bf16(const uint16_t *p)
{
    return (vf)_mm256_slli_epi32(
        _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)), 16);
}

/* The low halves of eight integers below 65,536. */
VEC_INLINE void vi_store_halves(uint16_t *p, vi v)
{
    __m256i packed = _mm256_packus_epi32((__m256i)v, (__m256i)v); /* 0-3 0-3 | 4-7 4-7 */
    packed = _mm256_permute4x64_epi64(packed, 0x08);
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_castsi256_si128(packed));
}

/* Halves are added to halves: ((0+4)+(2+6)) + ((1+5)+(3+7)). */
VEC_INLINE float vf_sum(vf v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

VEC_INLINE float vf_greatest(vf v)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

#else

#define VF_LANES(expression)                                                                       \
    do {                                                                                           \
        for (int i = 0; i < LANES; i++)                                                            \
            r[i] = (expression);                                                                   \
        return r;                                                                                  \
    } while (0)

VEC_INLINE vf vf_fma(vf a, vf b, vf c)
{
    vf r;
    VF_LANES(fmaf(a[i], b[i], c[i]));
}

VEC_INLINE vf vf_max(vf a, vf b)
{
    return vf_choose(a > b, a, b);
}

VEC_INLINE vf vf_min(vf a, vf b)
{
    return vf_choose(a < b, a, b);
}

VEC_INLINE vf vf_sqrt(vf a)
{
    vf r;
    VF_LANES(sqrtf(a[i]));
}

VEC_INLINE vi vf_round(vf a)
{
    vi r;
    VF_LANES((int32_t)lrintf(a[i]));
}

VEC_INLINE vf vf_from_int(vi a)
{
    vf r;
    VF_LANES((float)a[i]);
}

VEC_INLINE vf vf_from_bf16(const uint16_t *p)
{
    vi r;
    for (int i = 0; i < LANES; i++)
        r[i] = (int32_t)((uint32_t)p[i] << 16);
    return (vf)r;
}

VEC_INLINE void vi_store_halves(uint16_t *p, vi v)
{
    for (int i = 0; i < LANES; i++)
        p[i] = (uint16_t)v[i];
}

VEC_INLINE float vf_sum(vf v)
{
    float a = v[0] + v[4], b = v[1] + v[5], c = v[2] + v[6], d = v[3] + v[7];
    return (a + c) + (b + d);
}

VEC_INLINE float vf_greatest(vf v)
{
    float best = v[0];
    for (int i = 1; i < LANES; i++)
        best = v[i] > best ? v[i] : best;
    return best;
}

#endif

/* The first n of eight, zeros after them. n >= 8 is all eight, so that loops need no tail:
 * for (i = 0; i < count; i += LANES) ... vf_load_n(p + i, count - i). */
VEC_INLINE vf vf_load_n(const float *p, int64_t n)
{
    if (__builtin_expect(n >= LANES, 1))
        return vf_load(p);
    float part[LANES] = {0};
    for (int64_t i = 0; i < n; i++)
        part[i] = p[i];
    return vf_load(part);
}

VEC_INLINE void vf_store_n(float *p, int64_t n, vf v)
{
    if (__builtin_expect(n >= LANES, 1)) {
        vf_store(p, v);
        return;
    }
    float part[LANES];
    vf_store(part, v);
    for (int64_t i = 0; i < n; i++)
        p[i] = part[i];
}

typedef uint32_t vu __attribute__((vector_size(32)));

/* To nearest, ties to even, in the integers: what is cut off is below, at or above one half. */
VEC_INLINE vi vf_bf16_bits(vf x)
{
    vi rounded = (vi)x + 0x7FFF + (((vi)x >> 16) & 1), nan = x != x;
    vi bits = (rounded & ~nan) | (nan & 0x7FC00000);
    return (vi)((vu)bits >> 16);
}

/* The first n of eight, as f32 or, where half, as bf16, to elements i and on of y. */
VEC_INLINE void vf_store_as(bool half, void *y, int64_t i, int64_t n, vf v)
{
    uint16_t part[LANES];
    if (!half) {
        vf_store_n((float *)y + i, n, v);
        return;
    }
    if (__builtin_expect(n >= LANES, 1)) {
        vi_store_halves((uint16_t *)y + i, vf_bf16_bits(v));
        return;
    }
    vi_store_halves(part, vf_bf16_bits(v));
    memcpy((uint16_t *)y + i, part, (size_t)n * sizeof *part);
}

/* e^x, within 1e-7 of the true value, relative; 0 below -87.3 and about 3e38 above 88.3. x = n ln 2
 * + r with |r| <= ln 2 / 2, and e^r by its Taylor polynomial with minimax coefficients (Cephes,
 * expf). */
VEC_INLINE vf vf_exp(vf x)
{
    vi dead = x < vf_all(-87.3F);
    x = vf_max(vf_all(-87.3F), vf_min(vf_all(88.3F), x)); /* in this order NaN stays NaN */
    vi n = vf_round(x * vf_all(1.44269504F));
    vf k = vf_from_int(n);
    vf r = vf_fma(k, vf_all(-0.693359375F), x);
    r = vf_fma(k, vf_all(2.12194440e-4F), r);
    vf p = vf_all(1.9875691500e-4F);
    p = vf_fma(p, r, vf_all(1.3981999507e-3F));
    p = vf_fma(p, r, vf_all(8.3334519073e-3F));
    p = vf_fma(p, r, vf_all(4.1665795894e-2F));
    p = vf_fma(p, r, vf_all(1.6666665459e-1F));
    p = vf_fma(p, r, vf_all(5.0000001201e-1F));
    p = vf_fma(p, r * r, r) + vf_all(1.0F);
    vf power = (vf)((n + 127) << 23);
    return (vf)((vi)(p * power) & ~dead);
}

/* tanh x as a rational function on |x| < 7.9, where it reaches 1 (the coefficients are Eigen's). */
VEC_INLINE vf vf_tanh(vf x)
{
    vf given = x;
    vi is_tiny = (x < vf_all(4e-4F)) & (x > vf_all(-4e-4F));
    x = vf_max(vf_all(-7.9F), vf_min(vf_all(7.9F), x)); /* in this order NaN stays NaN */
    vf s = x * x;
    vf p = vf_all(-2.76076847742355e-16F);
    p = vf_fma(p, s, vf_all(2.00018790482477e-13F));
    p = vf_fma(p, s, vf_all(-8.60467152213735e-11F));
    p = vf_fma(p, s, vf_all(5.12229709037114e-08F));
    p = vf_fma(p, s, vf_all(1.48572235717979e-05F));
    p = vf_fma(p, s, vf_all(6.37261928875436e-04F));
    p = vf_fma(p, s, vf_all(4.89352455891786e-03F)) * x;
    vf q = vf_all(1.19825839466702e-06F);
    q = vf_fma(q, s, vf_all(1.18534705686654e-04F));
    q = vf_fma(q, s, vf_all(2.26843463243900e-03F));
    q = vf_fma(q, s, vf_all(4.89352518554385e-03F));
    vf y = vf_choose(given > vf_all(7.9F), vf_all(1), p / q);
    y = vf_choose(given < vf_all(-7.9F), vf_all(-1), y);
    return vf_choose(is_tiny, given, y);
}

VEC_INLINE vf vf_sigmoid(vf x)
{
    return vf_all(1.0F) / (vf_all(1.0F) + vf_exp(-x));
}

VEC_INLINE vf vf_silu(vf x)
{
    return x * vf_sigmoid(x);
}

/* d silu / dx */
VEC_INLINE vf vf_silu_slope(vf x)
{
    vf s = vf_sigmoid(x);
    return s * vf_fma(x, vf_all(1.0F) - s, vf_all(1.0F));
}

#endif

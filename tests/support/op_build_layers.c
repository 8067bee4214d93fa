/* Builders of cases: linear maps, norms, attention, quantizers. */
#include "tests/support/op_builders.h"

#include <math.h>

static const uint64_t seed = 0x9E3779B97F4A7C15; /* both halves count */

/* ---- linear maps ---- */

/* m rows (l > 1: in l leading slices), inner k, n columns; x, y: a, b transposed; z: bias. */
void op_build_matmul(op_case *c)
{
    int64_t m = op_arg(c, 'm', 1), k = op_arg(c, 'k', 1), n = op_arg(c, 'n', 1);
    int64_t l = op_arg(c, 'l', 1);
    bool ta = op_arg(c, 'x', 0), tb = op_arg(c, 'y', 0);
    poet_shape shape_a = ta ? POET_SHAPE(k, m) : l > 1 ? POET_SHAPE(l, m, k) : POET_SHAPE(m, k);
    poet_val a = op_real(c, "a", shape_a, n);
    poet_val b = op_real(c, "b", tb ? POET_SHAPE(n, k) : POET_SHAPE(k, n), l * m);
    poet_val bias = op_arg(c, 'z', 0) ? op_real(c, "bias", POET_SHAPE(n), l * m) : POET_NONE;
    op_result_add(c, "y", poet_matmul(c->g, a, ta, b, tb, bias), k);
}

/* c channels in, o out, kernel k x s x v, v as s where it is not said; z: bias. */
void op_build_conv3d(op_case *c)
{
    int64_t b = op_arg(c, 'b', 1), t = op_arg(c, 't', 1), h = op_arg(c, 'h', 1);
    int64_t w = op_arg(c, 'w', 1), ci = op_arg(c, 'c', 1), co = op_arg(c, 'o', 1);
    int64_t k = op_arg(c, 'k', 1), s = op_arg(c, 's', 1), v = op_arg(c, 'v', s);
    int64_t taps = k * s * v;
    poet_val x = op_real(c, "x", POET_SHAPE(b, t, h, w, ci), taps * co);
    poet_val kernel = op_real(c, "w", POET_SHAPE(co, k, s, v, ci), b * t * h * w);
    poet_val bias =
        op_arg(c, 'z', 0) ? op_real(c, "bias", POET_SHAPE(co), b * t * h * w) : POET_NONE;
    op_result_add(c, "y", poet_conv3d(c->g, x, kernel, bias), taps * ci);
}

/* ---- norms ---- */

void op_build_group_norm(op_case *c)
{
    int64_t b = op_arg(c, 'b', 1), t = op_arg(c, 't', 1), h = op_arg(c, 'h', 1);
    int64_t w = op_arg(c, 'w', 1), n = op_arg(c, 'c', 1), groups = op_arg(c, 'g', 1);
    int64_t size = h * w * n / groups;
    poet_val x = op_real(c, "x", POET_SHAPE(b, t, h, w, n), size);
    poet_val gain = op_real(c, "gain", POET_SHAPE(n), b * t * h * w);
    poet_val bias = op_real(c, "bias", POET_SHAPE(n), b * t * h * w);
    poet_activation act = op_arg(c, 'a', 0) ? POET_ACT_SILU : POET_ACT_NONE;
    op_result_add(c, "y", poet_group_norm(c->g, x, gain, bias, (int)groups, act), size);
}

void op_build_rms_norm(op_case *c)
{
    poet_shape s = op_first_shape(c);
    poet_val x = op_real(c, "x", s, s.dim[2]);
    poet_val gain = op_real(c, "gain", POET_SHAPE(s.dim[2]), s.dim[0] * s.dim[1]);
    op_result_add(c, "y", poet_rms_norm(c->g, x, gain), s.dim[2]);
}

/* Cosines and sines of position and pair; h heads of d. */
static double turn_at(const op_case *c, int64_t i)
{
    int64_t d = op_arg(c, 'd', 1), t = i / d, pair = i % d % (d / 2);
    double angle = 0.7 * (double)t / (double)(pair + 1);
    return i % d < d / 2 ? cos(angle) : sin(angle);
}

void op_build_rotary(op_case *c)
{
    int64_t t = op_arg(c, 't', 1), h = op_arg(c, 'h', 1), d = op_arg(c, 'd', 1);
    poet_val qkv = op_real(c, "qkv", POET_SHAPE(op_arg(c, 'b', 1), t, 3 * h * d), 2);
    poet_val turns = op_given(c, "turns", POET_F32, POET_SHAPE(t, d), turn_at);
    op_result_add(c, "y", poet_rotary(c->g, qkv, turns, (int)h), 2);
}

/* ---- attention: b rows, t positions, h heads of d, prefix p ---- */

/* All of the prefix, about half of it, nearly none. */
static double length_at(const op_case *c, int64_t row)
{
    int64_t p = op_arg(c, 'p', 1);
    return 1 + (double)((p - 1 + row * (p / 2 | 1)) % p);
}

/* 0 for unreal positions of the prefix, whose results nothing may use. */
static double mask_at(const op_case *c, int64_t i)
{
    int64_t t = i % op_arg(c, 't', 1);
    bool unreal = t < op_arg(c, 'p', 0) && (double)t >= length_at(c, i / op_arg(c, 't', 1));
    return unreal ? 0 : 1;
}

void op_build_attention(op_case *c)
{
    int64_t b = op_arg(c, 'b', 1), t = op_arg(c, 't', 1), h = op_arg(c, 'h', 1);
    int64_t d = op_arg(c, 'd', 1), prefix = op_arg(c, 'p', 0);
    poet_val qkv = op_real(c, "qkv", POET_SHAPE(b, t, 3 * h * d), t + d);
    poet_val lengths =
        prefix ? op_given(c, "lengths", POET_I32, POET_SHAPE(b), length_at) : POET_NONE;
    poet_val mask = op_given(c, "mask", POET_F32, POET_SHAPE(b, t, 1), mask_at);
    poet_val y = poet_attention(c->g, qkv, lengths, (int)h, (int)prefix);
    op_result_add(c, "y", poet_mul(c->g, y, mask), t + d);
}

/* f: how many positions of the first row are cached; of the next rows one more each. */
static double position_at(const op_case *c, int64_t row)
{
    return (double)(op_arg(c, 'f', 0) ? op_arg(c, 'f', 0) + row : 0);
}

/* s: room in the cache. */
void op_build_attention_cached(op_case *c)
{
    int64_t b = op_arg(c, 'b', 1), t = op_arg(c, 't', 1), h = op_arg(c, 'h', 1);
    int64_t d = op_arg(c, 'd', 1), prefix = op_arg(c, 'p', 0), room = op_arg(c, 's', 1);
    poet_val qkv = op_real(c, "qkv", POET_SHAPE(b, t, 3 * h * d), 0);
    poet_val keys = op_state(c, "keys", POET_SHAPE(b, room, h * d), false);
    poet_val values = op_state(c, "values", POET_SHAPE(b, room, h * d), false);
    poet_val position = op_given(c, "position", POET_I32, POET_SHAPE(b), position_at);
    poet_val lengths =
        prefix ? op_given(c, "lengths", POET_I32, POET_SHAPE(b), length_at) : POET_NONE;
    poet_val y =
        poet_attention_cached(c->g, qkv, keys, values, position, lengths, (int)h, (int)prefix);
    if (!op_arg(c, 'f', 0))
        y = poet_mul(c->g, y, op_given(c, "mask", POET_F32, POET_SHAPE(b, t, 1), mask_at));
    op_result_add(c, "y", y, room + d);
}

/* ---- quantizers: n vectors of c numbers, k codes ---- */

void op_build_nearest(op_case *c)
{
    int64_t n = op_arg(c, 'n', 1), k = op_arg(c, 'k', 1), w = op_arg(c, 'c', 1);
    poet_val z = op_real(c, "z", POET_SHAPE(1, n, w), 0);
    poet_val codebook = op_real(c, "codebook", POET_SHAPE(k, w), 0), distance;
    poet_val index = poet_nearest(c->g, z, codebook, &distance);
    op_result_add(c, "index", index, 1);
    op_result_add(c, "distance", distance, 4 * w);
}

double op_nearest_worth(const op_case *c, void *const *host, int64_t row, int32_t code)
{
    int64_t w = op_arg(c, 'c', 1);
    const float *z = (const float *)host[0] + row * w;
    const float *codebook = (const float *)host[1] + code * w;
    double sum = 0;
    for (int64_t i = 0; i < w; i++)
        sum += ((double)z[i] - (double)codebook[i]) * ((double)z[i] - (double)codebook[i]);
    return sum;
}

int64_t op_nearest_codes(const op_case *c)
{
    return op_arg(c, 'k', 1);
}

/* z: counts by mode, which zeros leave at 0 where no row has the code. */
void op_build_codebook_ema(op_case *c)
{
    int64_t n = op_arg(c, 'n', 1), k = op_arg(c, 'k', 1), w = op_arg(c, 'c', 1);
    poet_val codebook = op_state(c, "codebook", POET_SHAPE(k, w), false);
    poet_val total = op_state(c, "total", POET_SHAPE(k, w), false);
    poet_val count = op_state(c, "count", POET_SHAPE(k), !op_arg(c, 'z', 0));
    poet_val z = op_real(c, "z", POET_SHAPE(n, w), 0);
    poet_val index = op_codes(c, "index", POET_I32, POET_SHAPE(n), 0, (k + 1) / 2);
    poet_val step = op_codes(c, "step", POET_I32, POET_SHAPE(1), -1000, 1000);
    float restart = (float)op_arg(c, 'r', 0) / 10;
    poet_codebook_ema(c->g, codebook, total, count, z, index, step, 0.9F, restart, seed);
}

static const int fsq_levels[] = {8, 5, 2, 3, 4, 7};
static const int lfq_levels[] = {2, 2, 2, 2, 2, 2};

void op_build_fsq(op_case *c)
{
    bool binary = op_arg(c, 'm', 0);
    poet_val z = op_real(c, "z", POET_SHAPE(op_arg(c, 'n', 1), op_arg(c, 'c', 1)), 4), index;
    poet_val y = poet_fsq(c->g, z, binary ? lfq_levels : fsq_levels, binary, &index);
    op_result_add(c, "index", index, 1);
    op_result_add(c, "y", y, 4);
}

void op_build_fsq_codes(op_case *c)
{
    bool binary = op_arg(c, 'm', 0);
    const int *levels = binary ? lfq_levels : fsq_levels;
    int64_t codes = 1, channels = op_arg(c, 'c', 1);
    for (int64_t i = 0; i < channels; i++)
        codes *= levels[i];
    poet_val index = op_codes(c, "index", POET_I32, POET_SHAPE(op_arg(c, 'n', 1)), 0, codes);
    op_result_add(c, "y", poet_fsq_codes(c->g, index, (int)channels, levels, binary), 1);
}

void op_build_count_codes(op_case *c)
{
    int64_t k = op_arg(c, 'k', 1);
    poet_val histogram = op_state(c, "histogram", POET_SHAPE(k), true);
    poet_val index = op_codes(c, "index", POET_I32, POET_SHAPE(op_arg(c, 'n', 1)), 0, k);
    poet_count_codes(c->g, histogram, index);
}

/* The families: one builder and a list of names for each operation. Sizes are odd on purpose: 1, 3,
 * 5, 17, 33 meet every remainder loop. */
#include "tests/support/op_cases.h"

#include <math.h>

static const uint64_t seed = 0x9E3779B97F4A7C15; /* both halves count */

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- element-wise ---- */

/* m: 0 equal shapes, 1 (C), 2 (N,1), 3 a scalar, 4 every other of five dims. */
static poet_shape second_shape(const op_case *c)
{
    int64_t b = op_arg(c, 'b', 1), n = op_arg(c, 'n', 1), w = op_arg(c, 'c', 1);
    switch (op_arg(c, 'm', 0)) {
    case 1: return POET_SHAPE(w);
    case 2: return POET_SHAPE(n, 1);
    case 3: return POET_SCALAR;
    case 4: return POET_SHAPE(b, 1, 2, 1, 3);
    default: return POET_SHAPE(b, n, w);
    }
}

static poet_shape first_shape(const op_case *c)
{
    int64_t b = op_arg(c, 'b', 1), n = op_arg(c, 'n', 1), w = op_arg(c, 'c', 1);
    return op_arg(c, 'm', 0) == 4 ? POET_SHAPE(b, n, 2, w, 3) : POET_SHAPE(b, n, w);
}

static void build_add(op_case *c)
{
    poet_shape big = first_shape(c);
    poet_val a = op_real(c, "a", big, 1);
    poet_val b = op_real(c, "b", second_shape(c), poet_shape_count(&big));
    op_result_add(c, "y", poet_add(c->g, a, b), 1);
}

static void build_mul(op_case *c)
{
    poet_shape big = first_shape(c);
    poet_val a = op_real(c, "a", big, 1);
    poet_val b = op_real(c, "b", second_shape(c), poet_shape_count(&big));
    op_result_add(c, "y", poet_mul(c->g, a, b), 1);
}

static void build_fill(op_case *c)
{
    op_result_add(c, "y", poet_fill(c->g, op_real(c, "x", first_shape(c), 1), 2.5F), 1);
}

static void build_scale(op_case *c)
{
    op_result_add(c, "y", poet_scale(c->g, op_real(c, "x", first_shape(c), 1), -0.7F), 1);
}

static void build_act(op_case *c)
{
    poet_val x = op_real(c, "x", first_shape(c), 4);
    op_result_add(c, "y", poet_act(c->g, x, (poet_activation)op_arg(c, 'a', 1)), 4);
}

static void build_cast(op_case *c)
{
    poet_val x = op_real(c, "x", first_shape(c), 1);
    op_result_add(c, "y", poet_cast(c->g, poet_cast(c->g, x, POET_BF16), POET_F32), 1);
}

static void build_stop_grad(op_case *c)
{
    poet_val x = op_real(c, "x", first_shape(c), 1);
    op_result_add(c, "y", poet_mul(c->g, x, poet_stop_grad(c->g, x)), 1);
}

static void build_straight_through(op_case *c)
{
    poet_val value = op_real(c, "value", first_shape(c), 1);
    poet_val through = op_real(c, "through", first_shape(c), 1);
    op_result_add(c, "y", poet_straight_through(c->g, value, through), 1);
}

static void build_dropout(op_case *c)
{
    poet_val x = op_real(c, "x", first_shape(c), 1);
    poet_val step = op_codes(c, "step", POET_I32, POET_SHAPE(1), -1000, 1000);
    op_result_add(c, "y", poet_dropout(c->g, x, step, 0.3F, seed), 1);
}

/* ---- layout; m: 1, elements of two bytes, and of one beside them ---- */

static poet_val halves(op_case *c, const char *name, poet_shape shape)
{
    poet_val x = op_real(c, name, shape, 1);
    return op_arg(c, 'm', 0) ? poet_cast(c->g, x, POET_BF16) : x;
}

bool op_case_halves(const op_case *c)
{
    poet_op op = c->family->op;
    bool layout = op == POET_OP_CONCAT || op == POET_OP_SLICE || op == POET_OP_PAD;
    return op == POET_OP_CAST || (layout && op_arg(c, 'm', 0));
}

static poet_val bytes(op_case *c, const char *name, poet_shape shape)
{
    return op_codes(c, name, POET_U8, shape, 0, 256);
}

static void build_reshape(op_case *c)
{
    poet_shape s = first_shape(c);
    poet_val x = op_real(c, "x", s, 1);
    op_result_add(c, "y", poet_reshape(c->g, x, POET_SHAPE(s.dim[0] * s.dim[2], s.dim[1])), 1);
}

static void build_concat(op_case *c)
{
    int axis = (int)op_arg(c, 'a', 0);
    poet_val x[3];
    for (int i = 0; i < 3; i++) {
        char name[] = {'x', (char)('0' + i), 0};
        poet_shape s = first_shape(c);
        s.dim[axis] += i;
        x[i] = halves(c, name, s);
    }
    op_result_add(c, "y", poet_cast(c->g, poet_concat(c->g, 3, x, axis - 3), POET_F32), 1);
    if (!op_arg(c, 'm', 0))
        return;
    for (int i = 0; i < 3; i++) {
        char name[] = {'u', (char)('0' + i), 0};
        x[i] = bytes(c, name, *poet_val_shape(c->g, x[i]));
    }
    op_result_only(c, "v", poet_concat(c->g, 3, x, axis), 1);
}

static void build_slice(op_case *c)
{
    int axis = (int)op_arg(c, 'a', 0);
    int64_t first = op_arg(c, 'f', 0), length = op_arg(c, 'l', 1);
    poet_val x = halves(c, "x", first_shape(c));
    op_result_add(c, "y", poet_cast(c->g, poet_slice(c->g, x, axis, first, length), POET_F32), 1);
    if (op_arg(c, 'm', 0))
        op_result_only(c, "v", poet_slice(c->g, bytes(c, "u", first_shape(c)), axis, first, length),
                       1);
}

static void build_pad(op_case *c)
{
    int axis = (int)op_arg(c, 'a', 0);
    int64_t before = op_arg(c, 'f', 0), after = op_arg(c, 'l', 0);
    poet_val x = halves(c, "x", first_shape(c));
    op_result_add(c, "y", poet_cast(c->g, poet_pad(c->g, x, axis, before, after), POET_F32), 1);
    if (op_arg(c, 'm', 0))
        op_result_only(c, "v", poet_pad(c->g, bytes(c, "u", first_shape(c)), axis, before, after),
                       1);
}

static void build_sum_to(op_case *c)
{
    poet_shape big = first_shape(c);
    poet_val x = op_real(c, "x", big, 1);
    op_result_add(c, "y", poet_sum_to(c->g, x, second_shape(c)), poet_shape_count(&big));
}

static void build_expand(op_case *c)
{
    poet_shape big = first_shape(c);
    poet_val x = op_real(c, "x", second_shape(c), poet_shape_count(&big));
    op_result_add(c, "y", poet_expand(c->g, x, big), 1);
}

static void build_transpose(op_case *c)
{
    poet_val x = op_real(c, "x", POET_SHAPE(op_arg(c, 'r', 1), op_arg(c, 'c', 1)), 1);
    op_result_add(c, "y", poet_transpose(c->g, x), 1);
}

static void build_patchify(op_case *c)
{
    int64_t p = op_arg(c, 'p', 2);
    poet_shape s = POET_SHAPE(op_arg(c, 'b', 1), 1 + 4 * op_arg(c, 'n', 0), op_arg(c, 'h', 1) * p,
                              op_arg(c, 'w', 1) * p, 3);
    poet_val video =
        op_arg(c, 'm', 0) ? op_codes(c, "video", POET_U8, s, 0, 256) : op_real(c, "video", s, 4);
    op_result_add(c, "patches", poet_patchify(c->g, video, (int)p), 1);
}

static void build_unpatchify(op_case *c)
{
    int64_t p = op_arg(c, 'p', 2);
    poet_shape s = POET_SHAPE(op_arg(c, 'b', 1), 1 + op_arg(c, 'n', 0), op_arg(c, 'h', 1),
                              op_arg(c, 'w', 1), 12 * p * p);
    poet_val patches = op_real(c, "patches", s, 1);
    op_result_add(c, "video", poet_unpatchify(c->g, patches, (int)p), 4);
}

static void build_to_bytes(op_case *c)
{
    op_result_add(c, "y", poet_to_bytes(c->g, op_real(c, "x", first_shape(c), 0)), 1);
}

/* ---- linear maps ---- */

/* m rows (l > 1: in l leading slices), inner k, n columns; x, y: a, b transposed; z: bias. */
static void build_matmul(op_case *c)
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
static void build_conv3d(op_case *c)
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

static void build_group_norm(op_case *c)
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

static void build_rms_norm(op_case *c)
{
    poet_shape s = first_shape(c);
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

static void build_rotary(op_case *c)
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

static void build_attention(op_case *c)
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
static void build_attention_cached(op_case *c)
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

/* ---- tables: n rows of s slots ---- */

static void build_embed(op_case *c)
{
    int64_t n = op_arg(c, 'n', 1), v = op_arg(c, 'v', 1), w = op_arg(c, 'c', 1);
    int64_t slots = op_arg(c, 's', 0);
    poet_shape shape = slots ? POET_SHAPE(slots, v, w) : POET_SHAPE(v, w);
    poet_val table = op_real(c, "table", shape, n);
    poet_val index =
        op_codes(c, "index", POET_I32, slots ? POET_SHAPE(2, n, slots) : POET_SHAPE(2, n), 0, v);
    op_result_add(c, "y", poet_embed(c->g, table, index), slots + 1);
    if (slots)
        return;
    poet_val integers = op_codes(c, "integers", POET_I32, shape, INT32_MIN, INT32_MAX);
    op_result_add(c, "z", poet_embed(c->g, integers, index), 1);
}

/* ---- places: b rows of l integers, n rows of m places ---- */

/* Those of one row of the index differ. */
static double place_at(const op_case *c, int64_t i)
{
    int64_t m = op_arg(c, 'm', 1), l = op_arg(c, 'l', 1);
    return (double)((i % m + 3 * (i / m)) % l);
}

static void build_gather(op_case *c)
{
    int64_t b = op_arg(c, 'b', 1), l = op_arg(c, 'l', 1), n = op_arg(c, 'n', 1);
    int64_t m = op_arg(c, 'm', 1), rows = op_arg(c, 'r', 1);
    poet_val x = op_codes(c, "x", POET_I32, POET_SHAPE(b, l), -9, 1 << 30);
    poet_val index = op_codes(c, "index", POET_I32, POET_SHAPE(n, m), 0, l);
    poet_val row = op_codes(c, "row", POET_I32, POET_SHAPE(rows), 0, n);
    poet_val offset = op_codes(c, "offset", POET_I32, POET_SHAPE(m), -9, 1 << 30);
    op_result_add(c, "y", poet_gather(c->g, x, index, row, offset), 1);
    op_result_add(c, "z", poet_gather(c->g, x, index, row, POET_NONE), 1);
}

static void build_scatter(op_case *c)
{
    int64_t b = op_arg(c, 'b', 1), n = op_arg(c, 'n', 1), m = op_arg(c, 'm', 1);
    poet_val x = op_code_state(c, "x", POET_SHAPE(b, op_arg(c, 'l', 1)), 0, 1 << 30);
    poet_val index = op_given(c, "index", POET_I32, POET_SHAPE(n, m), place_at);
    poet_val row = op_codes(c, "row", POET_I32, POET_SHAPE(op_arg(c, 'r', 1)), 0, n);
    poet_val values = op_codes(c, "values", POET_I32, POET_SHAPE(b, m), 0, 1 << 30);
    poet_scatter(c->g, x, index, row, values);
}

/* ---- quantizers: n vectors of c numbers, k codes ---- */

static void build_nearest(op_case *c)
{
    int64_t n = op_arg(c, 'n', 1), k = op_arg(c, 'k', 1), w = op_arg(c, 'c', 1);
    poet_val z = op_real(c, "z", POET_SHAPE(1, n, w), 0);
    poet_val codebook = op_real(c, "codebook", POET_SHAPE(k, w), 0), distance;
    poet_val index = poet_nearest(c->g, z, codebook, &distance);
    op_result_add(c, "index", index, 1);
    op_result_add(c, "distance", distance, 4 * w);
}

/* The squared distance: z is source 0, the codebook source 1. */
static double nearest_worth(const op_case *c, void *const *host, int64_t row, int32_t code)
{
    int64_t w = op_arg(c, 'c', 1);
    const float *z = (const float *)host[0] + row * w;
    const float *codebook = (const float *)host[1] + code * w;
    double sum = 0;
    for (int64_t i = 0; i < w; i++)
        sum += ((double)z[i] - (double)codebook[i]) * ((double)z[i] - (double)codebook[i]);
    return sum;
}

static int64_t nearest_codes(const op_case *c)
{
    return op_arg(c, 'k', 1);
}

/* z: counts by mode, which zeros leave at 0 where no row has the code. */
static void build_codebook_ema(op_case *c)
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

static void build_fsq(op_case *c)
{
    bool binary = op_arg(c, 'm', 0);
    poet_val z = op_real(c, "z", POET_SHAPE(op_arg(c, 'n', 1), op_arg(c, 'c', 1)), 4), index;
    poet_val y = poet_fsq(c->g, z, binary ? lfq_levels : fsq_levels, binary, &index);
    op_result_add(c, "index", index, 1);
    op_result_add(c, "y", y, 4);
}

static void build_fsq_codes(op_case *c)
{
    bool binary = op_arg(c, 'm', 0);
    const int *levels = binary ? lfq_levels : fsq_levels;
    int64_t codes = 1, channels = op_arg(c, 'c', 1);
    for (int64_t i = 0; i < channels; i++)
        codes *= levels[i];
    poet_val index = op_codes(c, "index", POET_I32, POET_SHAPE(op_arg(c, 'n', 1)), 0, codes);
    op_result_add(c, "y", poet_fsq_codes(c->g, index, (int)channels, levels, binary), 1);
}

static void build_count_codes(op_case *c)
{
    int64_t k = op_arg(c, 'k', 1);
    poet_val histogram = op_state(c, "histogram", POET_SHAPE(k), true);
    poet_val index = op_codes(c, "index", POET_I32, POET_SHAPE(op_arg(c, 'n', 1)), 0, k);
    poet_count_codes(c->g, histogram, index);
}

/* ---- losses ---- */

static void build_mse(op_case *c)
{
    poet_shape s = first_shape(c);
    poet_val x = op_real(c, "x", s, 1), target = op_stopped(c, "target", s);
    op_result_add(c, "y", poet_mse(c->g, x, target), poet_shape_count(&s));
}

static void build_l1(op_case *c)
{
    poet_shape s = first_shape(c);
    poet_val x = op_real(c, "x", s, 1), target = op_stopped(c, "target", s);
    op_result_add(c, "y", poet_l1(c->g, x, target), poet_shape_count(&s));
}

/* m: 1, no target counts. */
static void build_cross_entropy(op_case *c)
{
    int64_t n = op_arg(c, 'n', 1), v = op_arg(c, 'v', 1);
    poet_val logits = op_real(c, "logits", POET_SHAPE(n, v), v);
    poet_val target = op_codes(c, "target", POET_I32, POET_SHAPE(n), -1, op_arg(c, 'm', 0) ? 0 : v);
    poet_val rows, loss = poet_cross_entropy(c->g, logits, target, &rows);
    op_result_add(c, "y", loss, n * v);
    op_result_only(c, "rows", rows, v);
}

static void build_lfq_entropy(op_case *c)
{
    poet_shape s = first_shape(c);
    poet_val z = op_real(c, "z", s, s.dim[0] * s.dim[1]);
    op_result_add(c, "y", poet_lfq_entropy(c->g, z, 2, 0.7F), poet_shape_count(&s));
}

/* ---- sampling: n rows, v codes, u: guided; settings differ from row to row ---- */

static double settings_at(const op_case *c, int64_t i)
{
    static const double rows[][5] = {
        {1, 1, 0, 1, 0}, {2.5, 0.8, 5, 1, 0},    {1.5, 1.3, 0, 0.7, 0}, {1, 1, 0, 1, 0.1},
        {3, 0, 0, 1, 0}, {2, 0.9, 7, 0.8, 0.05}, {1, 0.01, 0, 0.99, 0}, {1, 9, 1, 1, 0},
        {1, 9, 0, 0, 0}, {1, 9, 3, 1, 0},        {1, 9, 0, 1, 1},       {1, 1, 0, 0.5, 0}};
    (void)c;
    return rows[i / 5 % 12][i % 5];
}

static void build_sample(op_case *c)
{
    int64_t n = op_arg(c, 'n', 1), v = op_arg(c, 'v', 1);
    poet_val logits = op_real(c, "logits", POET_SHAPE(op_arg(c, 'u', 0) ? 2 * n : n, v), 0);
    poet_val settings = op_given(c, "settings", POET_F32, POET_SHAPE(n, 5), settings_at);
    poet_val keys = op_codes(c, "keys", POET_I32, POET_SHAPE(n, 4), INT32_MIN, INT32_MAX);
    op_result_add(c, "code", poet_sample(c->g, logits, settings, keys), 1);
}

/* ---- optimizers ---- */

static void build_clip_factor(op_case *c)
{
    poet_val x[] = {op_real(c, "x0", first_shape(c), 0), op_real(c, "x1", POET_SHAPE(17), 0),
                    op_real(c, "x2", POET_SCALAR, 0)};
    float limit = (float)op_arg(c, 'l', 2);
    poet_val norm, factor = poet_clip_factor(c->g, 3, x, limit, &norm);
    poet_shape s = first_shape(c);
    op_result_add(c, "factor", factor, poet_shape_count(&s));
    op_result_add(c, "norm", norm, poet_shape_count(&s));
}

/* Learning rate, and the step counted from 1. */
static double hyper_at(const op_case *c, int64_t i)
{
    return i == 0 ? 0.01 : (double)op_arg(c, 's', 1);
}

static void build_adamw(op_case *c)
{
    poet_shape s = first_shape(c);
    poet_val param = op_state(c, "param", s, false), m = op_state(c, "m", s, false);
    poet_val v = op_state(c, "v", s, true), grad = op_real(c, "grad", s, 0);
    poet_val factor = op_positive(c, "factor", POET_SCALAR);
    poet_val hyper = op_given(c, "hyper", POET_F32, POET_SHAPE(2), hyper_at);
    poet_adamw(c->g, param, grad, m, v, factor, hyper, 0.9F, 0.95F, 0.01F, 0.1F, 0.5F);
}

static void build_momentum(op_case *c)
{
    poet_val grad = op_real(c, "grad", first_shape(c), 0);
    poet_val m = op_state(c, "m", first_shape(c), false);
    poet_val factor = op_positive(c, "factor", POET_SCALAR);
    op_result_add(c, "update", poet_momentum(c->g, grad, m, factor, 0.95F), 4);
}

static void build_unit_norm(op_case *c)
{
    poet_shape s = first_shape(c);
    op_result_add(c, "y", poet_unit_norm(c->g, op_real(c, "x", s, 0)), poet_shape_count(&s));
}

static void build_descend(op_case *c)
{
    poet_val param = op_state(c, "param", first_shape(c), false);
    poet_val update = op_real(c, "update", first_shape(c), 0);
    poet_val hyper = op_given(c, "hyper", POET_F32, POET_SHAPE(2), hyper_at);
    poet_descend(c->g, param, update, hyper, 2, 0.1F);
}

static void build_average(op_case *c)
{
    poet_val mean = op_state(c, "mean", first_shape(c), false);
    poet_val param = op_real(c, "param", first_shape(c), 0);
    poet_val hyper = op_given(c, "hyper", POET_F32, POET_SHAPE(2), hyper_at);
    poet_average(c->g, mean, param, hyper, 0.9F);
}

/* ---- the table ---- */

#define BROADCASTS(op)                                                                             \
    NAMES(op ":b2n17c5m0", op ":b3n5c33m1", op ":b2n17c3m2", op ":b1n5c17m3", op ":b1n1c1m0",      \
          op ":b3n5c7m4")

static const op_family families[] = {
    {POET_OP_ADD, build_add, BROADCASTS("add"),
     .big = NAMES("add:b3n65c129m0", "add:b3n65c129m1", "add:b3n65c129m2"), .slope = OP_SMOOTH},
    {POET_OP_MUL, build_mul, BROADCASTS("mul"),
     .big = NAMES("mul:b3n65c129m0", "mul:b3n65c129m1", "mul:b3n65c129m2"), .slope = OP_SMOOTH},
    {POET_OP_SCALE, build_scale, NAMES("scale:n33", "scale:b3n5c17"),
     .big = NAMES("scale:b3n65c129"), .slope = OP_SMOOTH},
    {POET_OP_FILL, build_fill, NAMES("fill:n5c3"), .slope = OP_FIXED},
    {POET_OP_ACT, build_act,
     NAMES("act:a1n5c33", "act:a2n5c33", "act:a3n5c33", "act:a4n5c33", "act:a1", "act:a2c17"),
     .gradient = {POET_OP_ACT_BWD},
     .big = NAMES("act:a1b3n65c129", "act:a2b3n65c129", "act:a3b3n65c129", "act:a4b3n65c129"),
     .slope = OP_SMOOTH},
    {POET_OP_CAST, build_cast, NAMES("cast:n5c33", "cast:c1"), .big = NAMES("cast:b3n65c129"),
     .slope = OP_SMOOTH},
    {POET_OP_STOP_GRAD, build_stop_grad, NAMES("stop_grad:n5c3"), .slope = OP_STRAIGHT},
    {POET_OP_STRAIGHT_THROUGH, build_straight_through, NAMES("straight_through:n5c3"),
     .slope = OP_STRAIGHT},
    {POET_OP_DROPOUT, build_dropout, NAMES("dropout:b3n17c33", "dropout:c5", "dropout:c1025"),
     .big = NAMES("dropout:b3n65c129"), .slope = OP_SMOOTH},

    {POET_OP_RESHAPE, build_reshape, NAMES("reshape:b3n5c17"), .slope = OP_SMOOTH},
    {POET_OP_CONCAT, build_concat,
     NAMES("concat:b2n3c5a0", "concat:b2n3c5a1", "concat:b3n17c1a2", "concat:b2n3c5a1m1"),
     .big = NAMES("concat:b3n65c129a1", "concat:b3n65c129a2"), .slope = OP_SMOOTH},
    {POET_OP_SLICE, build_slice,
     NAMES("slice:b5n3c17a0f1l3", "slice:b2n17c3a1f5l12", "slice:b2n3c33a2f32l1",
           "slice:b2n5c3a1f1l3m1"),
     .slope = OP_SMOOTH},
    {POET_OP_PAD, build_pad,
     NAMES("pad:b2n3c17a0f1l3", "pad:b2n5c3a1f0l2", "pad:b2n3c5a2f3l0", "pad:b2n5c3a1f1l3m1"),
     .slope = OP_SMOOTH},
    {POET_OP_SUM_TO, build_sum_to, BROADCASTS("sum_to"),
     .big = NAMES("sum_to:b3n65c129m0", "sum_to:b3n65c129m1", "sum_to:b3n65c129m2",
                  "sum_to:b3n65c129m3", "sum_to:b9n65c33m1"),
     .slope = OP_SMOOTH},
    {POET_OP_EXPAND, build_expand, BROADCASTS("expand"),
     .big = NAMES("expand:b3n65c129m1", "expand:b3n65c129m2", "expand:b3n65c129m3"),
     .slope = OP_SMOOTH},
    {POET_OP_TRANSPOSE, build_transpose,
     NAMES("transpose:r17c33", "transpose:r1c5", "transpose:r65c3"),
     .big = NAMES("transpose:r129c257"), .slope = OP_SMOOTH},
    {POET_OP_PATCHIFY, build_patchify,
     NAMES("patchify:b2n0h1w3p1", "patchify:b1n1h3w2p2", "patchify:b2n2h2w1p4m1"),
     .big = NAMES("patchify:b2n2h5w7p4", "patchify:b2n2h5w7p4m1"), .slope = OP_SMOOTH},
    {POET_OP_UNPATCHIFY, build_unpatchify,
     NAMES("unpatchify:b2n0h1w3p1", "unpatchify:b1n1h3w2p2", "unpatchify:b2n2h2w1p2"),
     .big = NAMES("unpatchify:b2n2h5w7p4"), .slope = OP_SMOOTH},
    {POET_OP_TO_BYTES, build_to_bytes, NAMES("to_bytes:b3n17c33", "to_bytes:c1"),
     .big = NAMES("to_bytes:b3n65c129"), .slope = OP_FIXED},

    {POET_OP_MATMUL, build_matmul,
     NAMES("matmul:m17k33n5z1", "matmul:m5k3n17x1", "matmul:m3k17n33y1z1", "matmul:m17k5n3x1y1",
           "matmul:l3m5k17n5y1", "matmul:m2k33n17y1", "matmul:m5k33n17y1", "matmul:m1k1n1",
           "matmul:m1k65n33y1", "matmul:m33k1n17z1"),
     .big = NAMES("matmul:m129k65n130z1", "matmul:m65k257n33x1", "matmul:m1k257n1025y1",
                  "matmul:l3m33k64n192y1z1", "matmul:m4k256n64y1", "matmul:m8k33n17y1"),
     .slope = OP_SMOOTH, .precise = true},
    {POET_OP_CONV3D, build_conv3d,
     NAMES("conv3d:b2t3h4w5c3o4k3s3z1", "conv3d:b1t5h3w3c5o3k3s1", "conv3d:b2t1h5w3c1o17k1s3z1",
           "conv3d:b1t3h3w5c17o1k2s1z1", "conv3d:b1t2h1w1c3o5k1s1", "conv3d:b1t2h3w3c16o16k3s3z1",
           "conv3d:b1t3h5w4c3o2k2s1v3", "conv3d:b1t2h4w5c2o3k2s5v3z1"),
     .gradient = {POET_OP_CONV3D_DX, POET_OP_CONV3D_DW},
     .big = NAMES("conv3d:b2t3h9w10c16o32k3s3z1", "conv3d:b1t3h8w8c64o48k3s3",
                  "conv3d:b1t3h17w5c33o7k3s3z1", "conv3d:b2t2h8w8c64o64k1s1z1",
                  "conv3d:b2t3h9w10c1o3k3s3z1"),
     .slope = OP_SMOOTH, .precise = true},

    {POET_OP_GROUP_NORM, build_group_norm,
     NAMES("group_norm:b2t3h3w5c6g3", "group_norm:b1t2h5w4c17g1a1", "group_norm:b2t1h1w3c8g4a1",
           "group_norm:b1t3h2w2c33g33", "group_norm:b2t1h1w1c514g2"),
     .gradient = {POET_OP_GROUP_NORM_BWD},
     .big = NAMES("group_norm:b2t3h9w17c64g8a1", "group_norm:b1t3h17w17c33g11",
                  "group_norm:b1t257h1w3c4g2"),
     .slope = OP_SMOOTH},
    {POET_OP_RMS_NORM, build_rms_norm,
     NAMES("rms_norm:b2n5c17", "rms_norm:b1n3c33", "rms_norm:n17c3", "rms_norm:n17c1",
           "rms_norm:n257c5"),
     .gradient = {POET_OP_RMS_NORM_BWD}, .big = NAMES("rms_norm:b3n65c129", "rms_norm:n33c256"),
     .slope = OP_SMOOTH},

    {POET_OP_ROTARY, build_rotary,
     NAMES("rotary:b2t5h2d6", "rotary:b1t1h1d2", "rotary:b3t3h1d34", "rotary:b1t17h3d16"),
     .big = NAMES("rotary:b2t65h4d48"), .slope = OP_SMOOTH},
    {POET_OP_ATTENTION, build_attention,
     NAMES("attention:b2t5h2d3", "attention:b3t7h1d5p3", "attention:b2t17h3d4p5",
           "attention:b2t5h1d8p5", "attention:b1t1h1d1", "attention:b1t33h2d17p1",
           "attention:b5t3h1d33", "attention:b3t5h1d65", "attention:b1t18h1d65p2",
           "attention:b2t37h1d3p35", "attention:b2t19h1d128p17"),
     .gradient = {POET_OP_ATTENTION_BWD},
     .big = NAMES("attention:b2t65h2d32p17", "attention:b2t70h3d16", "attention:b5t4h2d24",
                  "attention:b2t150h2d48p24"),
     /* A row with one key has a gradient of 0, as the difference of two sums of large products. */
     .slope = OP_SMOOTH, .precise = true, .rounds = true, .large = 10, .slack = 200},
    {POET_OP_ATTENTION_CACHED, build_attention_cached,
     NAMES("attention_cached:b2t5h2d3p5s9", "attention_cached:b3t1h2d5p3s17f4",
           "attention_cached:b2t3h1d8s33f17", "attention_cached:b1t1h3d17s5",
           "attention_cached:b2t1h4d16p3s33f3", "attention_cached:b2t9h1d33p2s13f2",
           "attention_cached:b1t2h1d65s5f1", "attention_cached:b2t1h1d5p35s40f35",
           "attention_cached:b2t35h1d5p35s40", "attention_cached:b1t9h1d128s13f2"),
     .big = NAMES("attention_cached:b3t1h4d32p17s129f90", "attention_cached:b2t17h2d32p17s65",
                  "attention_cached:b2t33h2d16p3s65f17"),
     .precise = true, .large = 10, .slack = 100},

    {POET_OP_EMBED, build_embed,
     NAMES("embed:n17v5c3", "embed:n5v33c17", "embed:n3v5c5s4", "embed:n1v1c1", "embed:n5v3c131",
           "embed:n129v2c3"),
     .gradient = {POET_OP_EMBED_BWD}, .big = NAMES("embed:n129v257c33s4", "embed:n129v65c64"),
     .slope = OP_SMOOTH},

    {POET_OP_GATHER, build_gather,
     NAMES("gather:b3l17n5m4", "gather:b5l3n2m33r5", "gather:b1l1n1m1", "gather:b2l257n3m129r2"),
     .slope = OP_FIXED},
    {POET_OP_SCATTER, build_scatter,
     NAMES("scatter:b3l17n5m4", "scatter:b5l33n2m17r5", "scatter:b1l1n1m1", "scatter:b2l131n3m131"),
     .slope = OP_FIXED},

    {POET_OP_NEAREST, build_nearest,
     NAMES("nearest:n17k33c5", "nearest:n5k1c3", "nearest:n33k17c16", "nearest:n3k65c1",
           "nearest:n129k5c2"),
     .big = NAMES("nearest:n129k257c16", "nearest:n65k1025c5", "nearest:n257k1100c65"),
     .codes = nearest_codes, .worth = nearest_worth},
    {POET_OP_CODEBOOK_EMA, build_codebook_ema,
     NAMES("codebook_ema:n33k5c3r1", "codebook_ema:n17k33c5r3", "codebook_ema:n5k3c17",
           "codebook_ema:n33k5c40", "codebook_ema:n5k17c3z1"),
     .big = NAMES("codebook_ema:n257k65c16r1"), .slope = OP_FIXED},
    {POET_OP_FSQ, build_fsq, NAMES("fsq:n17c6", "fsq:n5c1", "fsq:n17c6m1"),
     .gradient = {POET_OP_FSQ_BWD}, .big = NAMES("fsq:n257c5", "fsq:n257c6m1"),
     .slope = OP_STRAIGHT},
    {POET_OP_FSQ_CODES, build_fsq_codes, NAMES("fsq_codes:n33c6", "fsq_codes:n5c3m1"),
     .big = NAMES("fsq_codes:n257c5"), .slope = OP_FIXED},
    {POET_OP_COUNT_CODES, build_count_codes, NAMES("count_codes:n33k5", "count_codes:n3k17"),
     .big = NAMES("count_codes:n1025k65"), .slope = OP_FIXED},

    {POET_OP_MSE, build_mse, NAMES("mse:b3n5c17", "mse:c1"), .gradient = {POET_OP_MSE_BWD},
     .big = NAMES("mse:b3n65c129"), .slope = OP_SMOOTH},
    {POET_OP_L1, build_l1, NAMES("l1:b3n5c17", "l1:c1"), .gradient = {POET_OP_L1_BWD},
     .big = NAMES("l1:b3n65c129"), .slope = OP_SMOOTH},
    {POET_OP_CROSS_ENTROPY, build_cross_entropy,
     NAMES("cross_entropy:n17v33", "cross_entropy:n5v3", "cross_entropy:n3v1",
           "cross_entropy:n3v5m1", "cross_entropy:n257v3"),
     .gradient = {POET_OP_CROSS_ENTROPY_BWD},
     .big = NAMES("cross_entropy:n65v1025", "cross_entropy:n257v33"), .slope = OP_SMOOTH,
     .large = 100, .slack = 100},
    {POET_OP_LFQ_ENTROPY, build_lfq_entropy,
     NAMES("lfq_entropy:b2n17c5", "lfq_entropy:n1c3", "lfq_entropy:n513c3"),
     .gradient = {POET_OP_LFQ_ENTROPY_BWD}, .big = NAMES("lfq_entropy:b3n65c17"),
     .slope = OP_SMOOTH, .large = 10, .slack = 100},

    {POET_OP_SAMPLE, build_sample,
     NAMES("sample:n17v33u1", "sample:n7v5", "sample:n3v1", "sample:n33v65u1", "sample:n3v300u1",
           "sample:n40v2"),
     .big = NAMES("sample:n14v1025u1"), .large = 10},

    {POET_OP_CLIP_FACTOR, build_clip_factor,
     NAMES("clip_factor:b3n5c17", "clip_factor:c1", "clip_factor:c5l0"),
     .big = NAMES("clip_factor:b3n65c129"), .slope = OP_FIXED},
    {POET_OP_ADAMW, build_adamw, NAMES("adamw:n17c33s1", "adamw:c5s1000"),
     .big = NAMES("adamw:n65c129s7"), .slope = OP_FIXED},
    {POET_OP_MOMENTUM, build_momentum, NAMES("momentum:n17c33", "momentum:c5"),
     .big = NAMES("momentum:n65c129"), .slope = OP_FIXED},
    {POET_OP_UNIT_NORM, build_unit_norm, NAMES("unit_norm:n17c33", "unit_norm:c1"),
     .big = NAMES("unit_norm:n65c129"), .slope = OP_FIXED},
    {POET_OP_DESCEND, build_descend, NAMES("descend:n17c33", "descend:c5"),
     .big = NAMES("descend:n65c129"), .slope = OP_FIXED},
    {POET_OP_AVERAGE, build_average, NAMES("average:n17c33s3", "average:c5s1000", "average:c5s0"),
     .big = NAMES("average:n65c129s7"), .slope = OP_FIXED},
};

const op_family *op_families(int *count)
{
    *count = (int)(sizeof families / sizeof families[0]);
    return families;
}

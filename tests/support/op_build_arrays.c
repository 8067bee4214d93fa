/* Builders of cases: element-wise operations, layout, tables, places. */
#include "tests/support/op_builders.h"

static const uint64_t seed = 0x9E3779B97F4A7C15; /* both halves count */

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

poet_shape op_first_shape(const op_case *c)
{
    int64_t b = op_arg(c, 'b', 1), n = op_arg(c, 'n', 1), w = op_arg(c, 'c', 1);
    return op_arg(c, 'm', 0) == 4 ? POET_SHAPE(b, n, 2, w, 3) : POET_SHAPE(b, n, w);
}

void op_build_add(op_case *c)
{
    poet_shape big = op_first_shape(c);
    poet_val a = op_real(c, "a", big, 1);
    poet_val b = op_real(c, "b", second_shape(c), poet_shape_count(&big));
    op_result_add(c, "y", poet_add(c->g, a, b), 1);
}

void op_build_mul(op_case *c)
{
    poet_shape big = op_first_shape(c);
    poet_val a = op_real(c, "a", big, 1);
    poet_val b = op_real(c, "b", second_shape(c), poet_shape_count(&big));
    op_result_add(c, "y", poet_mul(c->g, a, b), 1);
}

void op_build_fill(op_case *c)
{
    op_result_add(c, "y", poet_fill(c->g, op_real(c, "x", op_first_shape(c), 1), 2.5F), 1);
}

void op_build_scale(op_case *c)
{
    op_result_add(c, "y", poet_scale(c->g, op_real(c, "x", op_first_shape(c), 1), -0.7F), 1);
}

void op_build_act(op_case *c)
{
    poet_val x = op_real(c, "x", op_first_shape(c), 4);
    op_result_add(c, "y", poet_act(c->g, x, (poet_activation)op_arg(c, 'a', 1)), 4);
}

void op_build_cast(op_case *c)
{
    poet_val x = op_real(c, "x", op_first_shape(c), 1);
    op_result_add(c, "y", poet_cast(c->g, poet_cast(c->g, x, POET_BF16), POET_F32), 1);
}

void op_build_stop_grad(op_case *c)
{
    poet_val x = op_real(c, "x", op_first_shape(c), 1);
    op_result_add(c, "y", poet_mul(c->g, x, poet_stop_grad(c->g, x)), 1);
}

void op_build_straight_through(op_case *c)
{
    poet_val value = op_real(c, "value", op_first_shape(c), 1);
    poet_val through = op_real(c, "through", op_first_shape(c), 1);
    op_result_add(c, "y", poet_straight_through(c->g, value, through), 1);
}

void op_build_dropout(op_case *c)
{
    poet_val x = op_real(c, "x", op_first_shape(c), 1);
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

void op_build_reshape(op_case *c)
{
    poet_shape s = op_first_shape(c);
    poet_val x = op_real(c, "x", s, 1);
    op_result_add(c, "y", poet_reshape(c->g, x, POET_SHAPE(s.dim[0] * s.dim[2], s.dim[1])), 1);
}

void op_build_concat(op_case *c)
{
    int axis = (int)op_arg(c, 'a', 0);
    poet_val x[3];
    for (int i = 0; i < 3; i++) {
        char name[] = {'x', (char)('0' + i), 0};
        poet_shape s = op_first_shape(c);
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

/* Axis a; f and l are the first and the length of a slice, or what comes before and after. */
static void build_along_axis(op_case *c,
                             poet_val (*op)(poet_graph *, poet_val, int, int64_t, int64_t))
{
    int axis = (int)op_arg(c, 'a', 0);
    int64_t f = op_arg(c, 'f', 0), l = op_arg(c, 'l', 0);
    poet_val x = halves(c, "x", op_first_shape(c));
    op_result_add(c, "y", poet_cast(c->g, op(c->g, x, axis, f, l), POET_F32), 1);
    if (op_arg(c, 'm', 0))
        op_result_only(c, "v", op(c->g, bytes(c, "u", op_first_shape(c)), axis, f, l), 1);
}

void op_build_slice(op_case *c)
{
    build_along_axis(c, poet_slice);
}

void op_build_pad(op_case *c)
{
    build_along_axis(c, poet_pad);
}

void op_build_sum_to(op_case *c)
{
    poet_shape big = op_first_shape(c);
    poet_val x = op_real(c, "x", big, 1);
    op_result_add(c, "y", poet_sum_to(c->g, x, second_shape(c)), poet_shape_count(&big));
}

void op_build_expand(op_case *c)
{
    poet_shape big = op_first_shape(c);
    poet_val x = op_real(c, "x", second_shape(c), poet_shape_count(&big));
    op_result_add(c, "y", poet_expand(c->g, x, big), 1);
}

void op_build_transpose(op_case *c)
{
    poet_val x = op_real(c, "x", POET_SHAPE(op_arg(c, 'r', 1), op_arg(c, 'c', 1)), 1);
    op_result_add(c, "y", poet_transpose(c->g, x), 1);
}

void op_build_patchify(op_case *c)
{
    int64_t p = op_arg(c, 'p', 2);
    poet_shape s = POET_SHAPE(op_arg(c, 'b', 1), 1 + 4 * op_arg(c, 'n', 0), op_arg(c, 'h', 1) * p,
                              op_arg(c, 'w', 1) * p, 3);
    poet_val video =
        op_arg(c, 'm', 0) ? op_codes(c, "video", POET_U8, s, 0, 256) : op_real(c, "video", s, 4);
    op_result_add(c, "patches", poet_patchify(c->g, video, (int)p), 1);
}

void op_build_unpatchify(op_case *c)
{
    int64_t p = op_arg(c, 'p', 2);
    poet_shape s = POET_SHAPE(op_arg(c, 'b', 1), 1 + op_arg(c, 'n', 0), op_arg(c, 'h', 1),
                              op_arg(c, 'w', 1), 12 * p * p);
    poet_val patches = op_real(c, "patches", s, 1);
    op_result_add(c, "video", poet_unpatchify(c->g, patches, (int)p), 4);
}

void op_build_to_bytes(op_case *c)
{
    op_result_add(c, "y", poet_to_bytes(c->g, op_real(c, "x", op_first_shape(c), 0)), 1);
}

/* ---- tables: n rows of s slots ---- */

void op_build_embed(op_case *c)
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

void op_build_gather(op_case *c)
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

void op_build_scatter(op_case *c)
{
    int64_t b = op_arg(c, 'b', 1), n = op_arg(c, 'n', 1), m = op_arg(c, 'm', 1);
    poet_val x = op_code_state(c, "x", POET_SHAPE(b, op_arg(c, 'l', 1)), 0, 1 << 30);
    poet_val index = op_given(c, "index", POET_I32, POET_SHAPE(n, m), place_at);
    poet_val row = op_codes(c, "row", POET_I32, POET_SHAPE(op_arg(c, 'r', 1)), 0, n);
    poet_val values = op_codes(c, "values", POET_I32, POET_SHAPE(b, m), 0, 1 << 30);
    poet_scatter(c->g, x, index, row, values);
}

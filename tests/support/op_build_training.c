/* Builders of cases: losses, sampling, optimizers. */
#include "tests/support/op_builders.h"

/* ---- losses ---- */

void op_build_mse(op_case *c)
{
    poet_shape s = op_first_shape(c);
    poet_val x = op_real(c, "x", s, 1), target = op_stopped(c, "target", s);
    op_result_add(c, "y", poet_mse(c->g, x, target), poet_shape_count(&s));
}

void op_build_l1(op_case *c)
{
    poet_shape s = op_first_shape(c);
    poet_val x = op_real(c, "x", s, 1), target = op_stopped(c, "target", s);
    op_result_add(c, "y", poet_l1(c->g, x, target), poet_shape_count(&s));
}

/* m: 1, no target counts. */
void op_build_cross_entropy(op_case *c)
{
    int64_t n = op_arg(c, 'n', 1), v = op_arg(c, 'v', 1);
    poet_val logits = op_real(c, "logits", POET_SHAPE(n, v), v);
    poet_val target = op_codes(c, "target", POET_I32, POET_SHAPE(n), -1, op_arg(c, 'm', 0) ? 0 : v);
    poet_val rows, loss = poet_cross_entropy(c->g, logits, target, &rows);
    op_result_add(c, "y", loss, n * v);
    op_result_only(c, "rows", rows, v);
}

void op_build_lfq_entropy(op_case *c)
{
    poet_shape s = op_first_shape(c);
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

void op_build_sample(op_case *c)
{
    int64_t n = op_arg(c, 'n', 1), v = op_arg(c, 'v', 1);
    poet_val logits = op_real(c, "logits", POET_SHAPE(op_arg(c, 'u', 0) ? 2 * n : n, v), 0);
    poet_val settings = op_given(c, "settings", POET_F32, POET_SHAPE(n, 5), settings_at);
    poet_val keys = op_codes(c, "keys", POET_I32, POET_SHAPE(n, 4), INT32_MIN, INT32_MAX);
    op_result_add(c, "code", poet_sample(c->g, logits, settings, keys), 1);
}

/* ---- optimizers ---- */

void op_build_clip_factor(op_case *c)
{
    poet_val x[] = {op_real(c, "x0", op_first_shape(c), 0), op_real(c, "x1", POET_SHAPE(17), 0),
                    op_real(c, "x2", POET_SCALAR, 0)};
    float limit = (float)op_arg(c, 'l', 2);
    poet_val norm, factor = poet_clip_factor(c->g, 3, x, limit, &norm);
    poet_shape s = op_first_shape(c);
    op_result_add(c, "factor", factor, poet_shape_count(&s));
    op_result_add(c, "norm", norm, poet_shape_count(&s));
}

/* Learning rate, and the step counted from 1. */
static double hyper_at(const op_case *c, int64_t i)
{
    return i == 0 ? 0.01 : (double)op_arg(c, 's', 1);
}

void op_build_adamw(op_case *c)
{
    poet_shape s = op_first_shape(c);
    poet_val param = op_state(c, "param", s, false), m = op_state(c, "m", s, false);
    poet_val v = op_state(c, "v", s, true), grad = op_real(c, "grad", s, 0);
    poet_val factor = op_positive(c, "factor", POET_SCALAR);
    poet_val hyper = op_given(c, "hyper", POET_F32, POET_SHAPE(2), hyper_at);
    poet_adamw(c->g, param, grad, m, v, factor, hyper, 0.9F, 0.95F, 0.01F, 0.1F, 0.5F);
}

void op_build_momentum(op_case *c)
{
    poet_val grad = op_real(c, "grad", op_first_shape(c), 0);
    poet_val m = op_state(c, "m", op_first_shape(c), false);
    poet_val factor = op_positive(c, "factor", POET_SCALAR);
    op_result_add(c, "update", poet_momentum(c->g, grad, m, factor, 0.95F), 4);
}

void op_build_unit_norm(op_case *c)
{
    poet_shape s = op_first_shape(c);
    op_result_add(c, "y", poet_unit_norm(c->g, op_real(c, "x", s, 0)), poet_shape_count(&s));
}

void op_build_descend(op_case *c)
{
    poet_val param = op_state(c, "param", op_first_shape(c), false);
    poet_val update = op_real(c, "update", op_first_shape(c), 0);
    poet_val hyper = op_given(c, "hyper", POET_F32, POET_SHAPE(2), hyper_at);
    poet_descend(c->g, param, update, hyper, 2, 0.1F);
}

void op_build_average(op_case *c)
{
    poet_val mean = op_state(c, "mean", op_first_shape(c), false);
    poet_val param = op_real(c, "param", op_first_shape(c), 0);
    poet_val hyper = op_given(c, "hyper", POET_F32, POET_SHAPE(2), hyper_at);
    poet_average(c->g, mean, param, hyper, 0.9F);
}

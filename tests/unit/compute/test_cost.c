/* Costs of operations, against counts by hand. */
#include "compute/cost.h"
#include "tests/support/rig.h"

/* The cost of the one call of that operation. */
static poet_cost cost_of(const rig *r, poet_op op)
{
    int found = 0;
    poet_cost cost = {0};
    for (int i = 0; i < poet_program_calls(r->program); i++)
        if (poet_program_call(r->program, i)->op == op) {
            cost = poet_call_cost(poet_program_call(r->program, i));
            found++;
        }
    CHECK_INT(found, 1);
    return cost;
}

static void check_cost(const rig *r, poet_op op, double bytes, double flops)
{
    poet_cost cost = cost_of(r, op);
    CHECK_CLOSE(cost.bytes, bytes, 0);
    CHECK_CLOSE(cost.flops, flops, 0);
}

/* (2,3,5) times (7,5) transposed, and a bias: 6 rows of 7 sums of 5 products and the bias. */
static void test_matmul(void)
{
    rig r = rig_open(poet_backend_cpu());
    poet_val a = poet_input(r.g, "a", POET_F32, POET_SHAPE(2, 3, 5));
    poet_val b = poet_input(r.g, "b", POET_F32, POET_SHAPE(7, 5));
    poet_val bias = poet_input(r.g, "bias", POET_F32, POET_SHAPE(7));
    poet_result(r.g, "y", poet_matmul(r.g, a, false, b, true, bias));
    rig_ready(&r);
    check_cost(&r, POET_OP_MATMUL, 4 * (30 + 35 + 7 + 42), 42 * (2 * 5 + 1));
    rig_close(&r);
}

static void test_transposed(void)
{
    rig r = rig_open(poet_backend_cpu());
    poet_val a = poet_input(r.g, "a", POET_F32, POET_SHAPE(5, 3));
    poet_val b = poet_input(r.g, "b", POET_F32, POET_SHAPE(5, 7));
    poet_result(r.g, "y", poet_matmul(r.g, a, true, b, false, POET_NONE));
    rig_ready(&r);
    check_cost(&r, POET_OP_MATMUL, 4 * (15 + 35 + 21), 21 * 2 * 5);
    rig_close(&r);
}

/* 2 x 3 x 4 places, 3 x 3 x 3 weights from 2 channels to 5; and the same products for both gradients. */
static void test_conv3d(void)
{
    rig r = rig_open(poet_backend_cpu());
    poet_val x = poet_input(r.g, "x", POET_F32, POET_SHAPE(1, 2, 3, 4, 2));
    poet_val w = poet_input(r.g, "w", POET_F32, POET_SHAPE(5, 3, 3, 3, 2));
    double flops = 2 * 24 * 5 * 27 * 2, bytes = 4 * (48 + 270 + 120);
    poet_wants_grad(r.g, x);
    poet_wants_grad(r.g, w);
    poet_val loss = poet_sum_to(r.g, poet_conv3d(r.g, x, w, POET_NONE), POET_SCALAR);
    poet_result(r.g, "loss", loss);
    poet_graph_backward(r.g, loss);
    poet_result(r.g, "dx", poet_grad(r.g, x));
    poet_result(r.g, "dw", poet_grad(r.g, w));
    rig_ready(&r);
    check_cost(&r, POET_OP_CONV3D, bytes, flops);
    check_cost(&r, POET_OP_CONV3D_DX, bytes, flops);
    check_cost(&r, POET_OP_CONV3D_DW, bytes, flops);
    rig_close(&r);
}

/* Two heads of 3 numbers, 5 positions of which 2 are a prefix: 4 pairs in it, and 3 + 4 + 5. */
static void test_attention(void)
{
    rig r = rig_open(poet_backend_cpu());
    poet_val qkv = poet_input(r.g, "qkv", POET_F32, POET_SHAPE(1, 5, 18));
    poet_val lengths = poet_input(r.g, "lengths", POET_I32, POET_SHAPE(1));
    poet_result(r.g, "y", poet_attention(r.g, qkv, lengths, 2, 2));
    rig_ready(&r);
    check_cost(&r, POET_OP_ATTENTION, 4 * (90 + 1 + 30 + 10), 16 * (4 * 6 + 4 * 2));
    rig_close(&r);
}

/* One new position in a cache for 2 of a prefix and 8 more: 3 to 10 are seen, (2 + 10 + 1) / 2 in the mean. */
static void test_attention_cached(void)
{
    rig r = rig_open(poet_backend_cpu());
    poet_val qkv = poet_input(r.g, "qkv", POET_F32, POET_SHAPE(3, 1, 18));
    poet_val keys = poet_state(r.g, "k", POET_CACHE, POET_F32, POET_SHAPE(3, 10, 6), POET_ZEROS);
    poet_val values = poet_state(r.g, "v", POET_CACHE, POET_F32, POET_SHAPE(3, 10, 6), POET_ZEROS);
    poet_val at = poet_input(r.g, "at", POET_I32, POET_SHAPE(3));
    poet_val lengths = poet_input(r.g, "lengths", POET_I32, POET_SHAPE(3));
    poet_result(r.g, "y", poet_attention_cached(r.g, qkv, keys, values, at, lengths, 2, 2));
    rig_ready(&r);
    double rows = 3 * 6 * 4 * 2 * (6.5 + 1);
    check_cost(&r, POET_OP_ATTENTION_CACHED, 4 * (54 + 18) + rows, 3 * 6.5 * (4 * 6 + 4 * 2));
    rig_close(&r);
}

static const poet_work_row *row_of(const poet_work *work, poet_op op)
{
    static const poet_work_row none;
    for (int i = 0; i < work->n; i++)
        if (work->rows[i].op == op)
            return &work->rows[i];
    CHECK(!"there is a row");
    return &none;
}

/* Sums over calls, before and while they are run: of those of test_moves. */
static void test_sums(rig *r)
{
    poet_work work = {.bandwidth = 1000, .peak = 10};
    poet_profile profile = {0};
    poet_program_count(r->program, 3, &work);
    CHECK_CLOSE(row_of(&work, POET_OP_ADD)->bytes, 3 * 4 * 60, 0);
    CHECK_CLOSE(row_of(&work, POET_OP_SLICE)->calls, 3, 0);
    CHECK_CLOSE(row_of(&work, POET_OP_ADD)->least, 3 * 20 / 10.0, 1e-12); /* bound by arithmetic */
    CHECK_CLOSE(row_of(&work, POET_OP_SLICE)->least, 3 * 4 * 14 / 1000.0, 1e-12); /* by bandwidth */
    CHECK_CLOSE(row_of(&work, POET_OP_SLICE)->seconds, 0, 0);
    poet_program_profile(r->program, &profile);
    RIG_SET(r, "index", ((const int32_t[15]){0}));
    RIG_RUN(r);
    const poet_work_row *add = row_of(&profile.work, POET_OP_ADD);
    CHECK_CLOSE(add->bytes, 4 * 60, 0);
    CHECK_CLOSE(add->calls, 1, 0);
    CHECK(add->seconds > 0 && add->peak == r->device->peak_flops);
    CHECK_STR(add->implementation, "vector");
}

/* Rows that are named are read, not the table; a view costs nothing; what is added is read once. */
static void test_moves(void)
{
    rig r = rig_open(poet_backend_cpu());
    poet_val table = poet_input(r.g, "table", POET_F32, POET_SHAPE(3, 1000, 4));
    poet_val index = poet_input(r.g, "index", POET_I32, POET_SHAPE(5, 3));
    poet_val y = poet_embed(r.g, table, index);
    y = poet_add(r.g, poet_reshape(r.g, y, POET_SHAPE(20)),
                 poet_input(r.g, "b", POET_F32, POET_SHAPE(20)));
    poet_result(r.g, "y", poet_slice(r.g, y, 0, 2, 7));
    rig_ready(&r);
    check_cost(&r, POET_OP_EMBED, 4 * (15 + 4 * 20), 2 * 20);
    check_cost(&r, POET_OP_RESHAPE, 0, 0);
    check_cost(&r, POET_OP_ADD, 4 * 60, 20);
    check_cost(&r, POET_OP_SLICE, 4 * 14, 0);
    test_sums(&r);
    rig_close(&r);
}

/* Packed weights are read as they are packed. */
static void test_packed(void)
{
    rig r = rig_open(poet_backend_cpu());
    poet_val a = poet_input(r.g, "a", POET_F32, POET_SHAPE(6, 5));
    poet_val b = poet_param(r.g, "b", POET_SHAPE(7, 5), POET_ZEROS);
    poet_result(r.g, "y", poet_matmul(r.g, a, false, b, true, POET_NONE));
    rig_ready(&r);
    poet_call call = *poet_program_call(r.program, 0);
    CHECK(call.packed_bytes >= 4 * 35);
    call.packed_bytes = 2 * 35; /* as in halves */
    CHECK_CLOSE(poet_call_cost(&call).bytes, 4 * (30 + 42) + 2 * 35, 0);
    rig_close(&r);
}

int main(void)
{
    test_matmul();
    test_transposed();
    test_conv3d();
    test_attention();
    test_attention_cached();
    test_moves();
    test_packed();
    return CHECK_RESULT();
}

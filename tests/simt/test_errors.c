/* What kernels find wrong with their data becomes the error of the run, and the next run is as if nothing had been. */
#include "cuda/backend/cuda_table.h"
#include "tests/support/rig.h"

static void test_targets(void)
{
    float logits[3 * 5] = {1, 2, 3};
    int32_t right[3] = {4, -1, 0}, wrong[3] = {4, 5, 6};
    rig r = rig_open(poet_cuda_table());
    poet_val x = poet_input(r.g, "logits", POET_F32, POET_SHAPE(3, 5));
    poet_val target = poet_input(r.g, "target", POET_I32, POET_SHAPE(3));
    poet_result(r.g, "loss", poet_cross_entropy(r.g, x, target, NULL));
    rig_ready(&r);
    RIG_SET(&r, "logits", logits);
    RIG_SET(&r, "target", wrong);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "target at 1 is outside");
    RIG_SET(&r, "target", right);
    RIG_RUN(&r);
    rig_close(&r);
}

static void test_logits(void)
{
    static const float settings[2][5] = {{1, 1, 0, 1, 0}, {1, 0, 0, 1, 0}};
    static const int32_t keys[2][4] = {{1, 2, 3, 4}, {5, 6, 7, 8}};
    float logits[2][3] = {{-INFINITY, 2, -INFINITY}, {-0.0F, 0, 0}}; /* both zeros are one */
    int32_t code[2];
    rig r = rig_open(poet_cuda_table());
    poet_val x = poet_input(r.g, "logits", POET_F32, POET_SHAPE(2, 3));
    poet_val s = poet_input(r.g, "settings", POET_F32, POET_SHAPE(2, 5));
    poet_val k = poet_input(r.g, "keys", POET_I32, POET_SHAPE(2, 4));
    poet_result(r.g, "code", poet_sample(r.g, x, s, k));
    rig_ready(&r);
    RIG_SET(&r, "settings", settings);
    RIG_SET(&r, "keys", keys);
    RIG_SET(&r, "logits", logits);
    RIG_RUN(&r);
    RIG_GET(&r, "code", code);
    CHECK_INT(code[0], 1);
    CHECK_INT(code[1], 0);
    logits[0][0] = INFINITY;
    RIG_SET(&r, "logits", logits);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "row 0 has a logit that is no number");
    logits[0][0] = -INFINITY;
    logits[1][2] = -NAN;
    RIG_SET(&r, "logits", logits);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "row 1 has a logit that is no number");
    logits[0][1] = -INFINITY;
    RIG_SET(&r, "logits", logits);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "row 0 has");
    rig_close(&r);
}

/* What no format holds: the rest of the clip goes on. */
static void test_beyond(void)
{
    float x[5] = {0, INFINITY, -INFINITY, 3.4e38F, -3}, y[5];
    uint8_t byte[5];
    uint32_t all_ones = 0x7FFFFFFF; /* the largest NaN: rounded up it were -0 */
    rig r = rig_open(poet_cuda_table());
    poet_val in = poet_input(r.g, "x", POET_F32, POET_SHAPE(5));
    poet_result(r.g, "y", poet_cast(r.g, poet_cast(r.g, in, POET_BF16), POET_F32));
    poet_result(r.g, "bytes", poet_to_bytes(r.g, in));
    rig_ready(&r);
    memcpy(&x[0], &all_ones, sizeof all_ones);
    RIG_SET(&r, "x", x);
    RIG_RUN(&r);
    RIG_GET(&r, "y", y);
    RIG_GET(&r, "bytes", byte);
    CHECK(isnan(y[0]));
    CHECK(y[1] == INFINITY && y[2] == -INFINITY && y[3] == INFINITY);
    CHECK_INT(byte[0], 0);
    CHECK_INT(byte[1], 255);
    CHECK_INT(byte[2], 0);
    CHECK_INT(byte[3], 255);
    CHECK_INT(byte[4], 0);
    rig_close(&r);
}

/* Rows 33 and 21 are wrong: the lowest is named. */
enum { ROWS = 40, CODES = 24, CHANNELS = 3 };

static const int levels[CHANNELS] = {2, 3, 4};

static void test_numbers(void)
{
    float right[ROWS][CHANNELS] = {0}, wrong[ROWS][CHANNELS] = {0};
    rig r = rig_open(poet_cuda_table());
    poet_val z = poet_input(r.g, "z", POET_F32, POET_SHAPE(ROWS, CHANNELS)), index;
    poet_fsq(r.g, z, levels, false, &index);
    poet_result(r.g, "index", index);
    rig_ready(&r);
    wrong[33][0] = wrong[21][2] = NAN;
    RIG_SET(&r, "z", wrong);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "row 21 is not a number");
    RIG_SET(&r, "z", right);
    RIG_RUN(&r);
    rig_close(&r);
}

static poet_val codes_to_values(poet_graph *g, poet_val index)
{
    return poet_fsq_codes(g, index, CHANNELS, levels, false);
}

static poet_val pick(poet_graph *g, poet_val index)
{
    poet_val x = poet_state(g, "x", POET_BUFFER, POET_I32, POET_SHAPE(1, CODES), POET_ZEROS);
    poet_val row = poet_state(g, "row", POET_BUFFER, POET_I32, POET_SHAPE(1), POET_ZEROS);
    return poet_gather(g, x, poet_reshape(g, index, POET_SHAPE(1, ROWS)), row, POET_NONE);
}

static poet_val put(poet_graph *g, poet_val index)
{
    poet_val x = poet_state(g, "x", POET_BUFFER, POET_I32, POET_SHAPE(1, CODES), POET_ZEROS);
    poet_val row = poet_state(g, "row", POET_BUFFER, POET_I32, POET_SHAPE(1), POET_ZEROS);
    poet_val table = poet_reshape(g, index, POET_SHAPE(1, ROWS));
    return poet_scatter(g, x, table, row, table);
}

static poet_val count(poet_graph *g, poet_val index)
{
    poet_val histogram =
        poet_state(g, "histogram", POET_BUFFER, POET_F32, POET_SHAPE(CODES), POET_ZEROS);
    return poet_count_codes(g, histogram, index);
}

static poet_val average(poet_graph *g, poet_val index)
{
    poet_shape shape = POET_SHAPE(CODES, CHANNELS), codes = POET_SHAPE(CODES);
    poet_val codebook = poet_state(g, "codebook", POET_BUFFER, POET_F32, shape, POET_ONES);
    poet_val total = poet_state(g, "total", POET_BUFFER, POET_F32, shape, POET_ONES);
    poet_val number = poet_state(g, "count", POET_BUFFER, POET_F32, codes, POET_ONES);
    poet_val z = poet_state(g, "z", POET_BUFFER, POET_F32, POET_SHAPE(ROWS, CHANNELS), POET_ONES);
    poet_val step = poet_state(g, "step", POET_BUFFER, POET_I32, POET_SHAPE(1), POET_ZEROS);
    return poet_codebook_ema(g, codebook, total, number, z, index, step, 0.9F, 0, 1);
}

/* A row that its table lacks. */
static void test_rows(bool puts)
{
    static const int32_t rows[] = {-1, 2, INT32_MAX};
    rig r = rig_open(poet_cuda_table());
    poet_val x = poet_state(r.g, "x", POET_BUFFER, POET_I32, POET_SHAPE(3, CODES), POET_ZEROS);
    poet_val table = poet_state(r.g, "table", POET_BUFFER, POET_I32, POET_SHAPE(2, 2), POET_ZEROS);
    poet_val values =
        poet_state(r.g, "values", POET_BUFFER, POET_I32, POET_SHAPE(3, 2), POET_ZEROS);
    poet_val row = poet_input(r.g, "row", POET_I32, POET_SHAPE(3));
    poet_result(r.g, "y",
                puts ? poet_scatter(r.g, x, table, row, values)
                     : poet_gather(r.g, x, table, row, POET_NONE));
    rig_ready(&r);
    for (int i = 0; i < 3; i++) {
        const int32_t wrong[3] = {1, rows[i], rows[i]};
        RIG_SET(&r, "row", wrong);
        CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG,
                    "the index at 2 is outside its table");
    }
    rig_close(&r);
}

static void test_codes(poet_val (*build)(poet_graph *g, poet_val index), int32_t bad)
{
    int32_t right[ROWS] = {0}, wrong[ROWS] = {0};
    rig r = rig_open(poet_cuda_table());
    poet_result(r.g, "y", build(r.g, poet_input(r.g, "index", POET_I32, POET_SHAPE(ROWS))));
    rig_ready(&r);
    wrong[33] = wrong[21] = bad;
    RIG_SET(&r, "index", wrong);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "the index at 21 is outside its table");
    RIG_SET(&r, "index", right);
    RIG_RUN(&r);
    rig_close(&r);
}

/* What is no number in a later frame is not seen by earlier ones, not even times a weight of zero behind the last tap. */
static void test_later_frame(void)
{
    enum { T = 3, SIDE = 5, C = 3, K = 2, FRAME = SIDE * SIDE };

    float x[T * FRAME * C], y[T * FRAME * K];
    rig r = rig_open(poet_cuda_table());
    poet_val clip = poet_input(r.g, "x", POET_F32, POET_SHAPE(1, T, SIDE, SIDE, C));
    poet_val w = poet_param(r.g, "w", POET_SHAPE(K, 3, 3, 3, C), POET_ONES);
    poet_result(r.g, "y", poet_conv3d(r.g, clip, w, POET_NONE));
    rig_ready(&r);
    for (int i = 0; i < T * FRAME * C; i++)
        x[i] = i < (T - 1) * FRAME * C ? 1 : NAN;
    RIG_SET(&r, "x", x);
    RIG_RUN(&r);
    RIG_GET(&r, "y", y);
    int finite = 0;
    for (int i = 0; i < T * FRAME * K; i++)
        finite += isfinite(y[i]) != 0;
    CHECK_INT(finite, (T - 1) * FRAME * K);
    rig_close(&r);
}

int main(void)
{
    test_targets();
    test_logits();
    test_beyond();
    test_numbers();
    test_later_frame();
    test_rows(false);
    test_rows(true);
    test_codes(codes_to_values, -1);
    test_codes(codes_to_values, CODES);
    test_codes(pick, -1);
    test_codes(pick, CODES);
    test_codes(put, CODES);
    test_codes(count, CODES);
    test_codes(average, CODES);
    test_codes(average, -1);
    return CHECK_RESULT();
}

/* What kernels find to be wrong with their data becomes the error of the run, which names the lowest place; what comes
 * after that run is as if it had not been. Heads that are too wide are refused before anything runs. */
#include "cuda/backend/cuda_table.h"
#include "tests/support/rig.h"

#include <stdlib.h>

enum { B = 3, T = 3, PREFIX = 2, WIDTH = 5, ROOM = 7, V = 7 };

static rig rig_embed(void)
{
    rig r = rig_open(poet_cuda_table());
    poet_val table = poet_param(r.g, "table", POET_SHAPE(V, WIDTH), POET_ONES);
    poet_val index = poet_input(r.g, "index", POET_I32, POET_SHAPE(B));
    poet_result(r.g, "y", poet_embed(r.g, table, index));
    rig_ready(&r);
    return r;
}

/* Back alone: the shape of the table is all it knows. */
static rig rig_embed_bwd(void)
{
    rig r = rig_open(poet_cuda_table());
    poet_val table = poet_input(r.g, "table", POET_F32, POET_SHAPE(V, WIDTH));
    poet_val index = poet_input(r.g, "index", POET_I32, POET_SHAPE(B));
    poet_wants_grad(r.g, table);
    poet_val y = poet_embed(r.g, table, index);
    poet_graph_backward(r.g, poet_sum_to(r.g, y, POET_SCALAR));
    poet_result(r.g, "dtable", poet_grad(r.g, table));
    rig_ready(&r);
    return r;
}

static void check_indices(rig r)
{
    static const int32_t beyond[B] = {0, V, -1}, below[B] = {0, 1, -1}, good[B] = {0, V - 1, 3};
    RIG_SET(&r, "index", beyond);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "the index at 1 is outside its table");
    RIG_SET(&r, "index", below);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "the index at 2 is outside its table");
    RIG_SET(&r, "index", good);
    RIG_RUN(&r);
    rig_close(&r);
}

/* Place 3 is the second slot of the second row. */
static void test_slots(bool back)
{
    static const int32_t wrong[2 * B] = {0, V - 1, 2, V, -1, V}, good[2 * B] = {0, V - 1};
    rig r = rig_open(poet_cuda_table());
    poet_val table = poet_input(r.g, "table", POET_F32, POET_SHAPE(2, V, WIDTH));
    poet_val index = poet_input(r.g, "index", POET_I32, POET_SHAPE(B, 2));
    poet_wants_grad(r.g, table);
    poet_val y = poet_embed(r.g, table, index);
    if (back)
        poet_graph_backward(r.g, poet_sum_to(r.g, y, POET_SCALAR));
    poet_result(r.g, "y", back ? poet_grad(r.g, table) : y);
    rig_ready(&r);
    RIG_SET(&r, "index", wrong);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "the index at 3 is outside its table");
    RIG_SET(&r, "index", good);
    RIG_RUN(&r);
    rig_close(&r);
}

static void test_lengths(void)
{
    static const float qkv[B * T * 3 * WIDTH];
    static const int32_t none[B] = {1, 0, 9}, many[B] = {1, 2, 3}, good[B] = {1, 2, 1};
    rig r = rig_open(poet_cuda_table());
    poet_val in = poet_input(r.g, "qkv", POET_F32, POET_SHAPE(B, T, 3 * WIDTH));
    poet_val lengths = poet_input(r.g, "lengths", POET_I32, POET_SHAPE(B));
    poet_result(r.g, "y", poet_attention(r.g, in, lengths, 1, PREFIX));
    rig_ready(&r);
    RIG_SET(&r, "qkv", qkv);
    RIG_SET(&r, "lengths", none);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "row 1: its length");
    RIG_SET(&r, "lengths", many);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "row 2: its length");
    RIG_SET(&r, "lengths", good);
    RIG_RUN(&r);
    rig_close(&r);
}

/* A row that is refused leaves its cache alone. */
static void test_positions(int t)
{
    static const float qkv[B * ROOM * 3 * WIDTH];
    static const int32_t lengths[B] = {1, 2, 1};
    float keys[B * ROOM * WIDTH];
    rig r = rig_open(poet_cuda_table());
    poet_shape cache = POET_SHAPE(B, ROOM, WIDTH);
    poet_val in = poet_input(r.g, "qkv", POET_F32, POET_SHAPE(B, t, 3 * WIDTH));
    poet_val k = poet_state(r.g, "keys", POET_CACHE, POET_F32, cache, POET_ONES);
    poet_val v = poet_state(r.g, "values", POET_CACHE, POET_F32, cache, POET_ONES);
    poet_val position = poet_input(r.g, "position", POET_I32, POET_SHAPE(B));
    poet_val real = poet_input(r.g, "lengths", POET_I32, POET_SHAPE(B));
    poet_result(r.g, "y", poet_attention_cached(r.g, in, k, v, position, real, 1, PREFIX));
    rig_ready(&r);
    CHECK_OK(
        poet_program_set_by_name(r.program, "qkv", qkv, (size_t)(B * t * 3 * WIDTH) * sizeof *qkv));
    RIG_SET(&r, "lengths", lengths);
    int32_t late[B] = {PREFIX, ROOM - t + 1, INT32_MAX}, early[B] = {PREFIX, PREFIX, 1};
    RIG_SET(&r, "position", late);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "row 1: its positions");
    RIG_READ(&r, "keys", keys);
    for (int i = 0; i < ROOM * WIDTH; i++)
        CHECK(keys[ROOM * WIDTH + i] == 1);
    RIG_SET(&r, "position", early);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "row 2: its positions");
    early[2] = 0; /* for the whole prefix alone */
    RIG_SET(&r, "position", early);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "row 2: its positions");
    rig_close(&r);
}

static void test_negative_position(void)
{
    static const float qkv[T * 3 * WIDTH];
    static const int32_t position[1] = {-1};
    rig r = rig_open(poet_cuda_table());
    poet_shape cache = POET_SHAPE(1, ROOM, WIDTH);
    poet_val in = poet_input(r.g, "qkv", POET_F32, POET_SHAPE(1, T, 3 * WIDTH));
    poet_val k = poet_state(r.g, "keys", POET_CACHE, POET_F32, cache, POET_ONES);
    poet_val v = poet_state(r.g, "values", POET_CACHE, POET_F32, cache, POET_ONES);
    poet_val first = poet_input(r.g, "position", POET_I32, POET_SHAPE(1));
    poet_result(r.g, "y", poet_attention_cached(r.g, in, k, v, first, POET_NONE, 1, 0));
    rig_ready(&r);
    RIG_SET(&r, "qkv", qkv);
    RIG_SET(&r, "position", position);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "row 0: its positions");
    rig_close(&r);
}

static void test_wide_heads(void)
{
    rig r = rig_open(poet_cuda_table());
    poet_val in = poet_input(r.g, "qkv", POET_F32, POET_SHAPE(1, 1, 3 * 129));
    poet_result(r.g, "y", poet_attention(r.g, in, POET_NONE, 1, 0));
    CHECK_FAILS(poet_program_create(r.g, &r.program), POET_ERR_UNSUPPORTED, "heads of 129 numbers");
    r.g = NULL;
    rig_close(&r);
}

static void test_bf16(void)
{
    rig r = rig_open(poet_cuda_table());
    poet_val in = poet_input(r.g, "x", POET_BF16, POET_SHAPE(B));
    poet_result(r.g, "y", poet_scale(r.g, in, 2));
    CHECK_FAILS(poet_program_create(r.g, &r.program), POET_ERR_UNSUPPORTED,
                "has no kernel for bf16; use f32");
    r.g = NULL;
    rig_close(&r);
}

static void test_bf16_cache(void)
{
    rig r = rig_open(poet_cuda_table());
    poet_shape cache = POET_SHAPE(1, ROOM, WIDTH);
    poet_val in = poet_input(r.g, "qkv", POET_F32, POET_SHAPE(1, 1, 3 * WIDTH));
    poet_val k = poet_state(r.g, "keys", POET_CACHE, POET_BF16, cache, POET_ZEROS);
    poet_val v = poet_state(r.g, "values", POET_CACHE, POET_BF16, cache, POET_ZEROS);
    poet_val first = poet_input(r.g, "position", POET_I32, POET_SHAPE(1));
    poet_result(r.g, "y", poet_attention_cached(r.g, in, k, v, first, POET_NONE, 1, 0));
    CHECK_FAILS(poet_program_create(r.g, &r.program), POET_ERR_UNSUPPORTED,
                "a cache in bf16; use f32");
    r.g = NULL;
    rig_close(&r);
}

static void test_weights(void)
{
    poet_device *device;
    setenv("POET_CUDA_WEIGHTS", "fp16", 1);
    CHECK_FAILS(poet_device_open(poet_cuda_table(), 0, 1, &device), POET_ERR_ARG,
                "'fp16' is not f32, f16 or int8");
    unsetenv("POET_CUDA_WEIGHTS");
}

int main(void)
{
    check_indices(rig_embed());
    check_indices(rig_embed_bwd());
    test_slots(false);
    test_slots(true);
    test_lengths();
    test_positions(1);
    test_positions(ROOM - PREFIX);
    test_negative_position();
    test_wide_heads();
    test_bf16();
    test_bf16_cache();
    test_weights();
    return CHECK_RESULT();
}

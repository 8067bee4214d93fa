/* Data that a kernel finds to be wrong ends the run with a sentence that names the lowest place, in every thread order;
 * the run after it is sound. */
#include "compute/backend.h"
#include "compute/program.h"
#include "cuda/backend/cuda_table.h"
#include "cuda/simt/simt.h"
#include "tests/support/check.h"

enum { ROWS = 40, CODES = 6, CHANNELS = 3 };

/* One operation, its one source `in`, and what is wrong. */
typedef struct bad_case {
    void (*build)(poet_graph *g);
    float number; /* at the bad places of a real source */
    int code;     /* the same, of an integer one */
    const char *sentence;
} bad_case;

static const int levels[CHANNELS] = {2, 3, 4};

static void build_fsq(poet_graph *g)
{
    poet_val z = poet_input(g, "real", POET_F32, POET_SHAPE(ROWS, CHANNELS)), index;
    poet_fsq(g, z, levels, false, &index);
    poet_result(g, "y", index);
}

static void build_fsq_codes(poet_graph *g)
{
    poet_val index = poet_input(g, "code", POET_I32, POET_SHAPE(ROWS));
    poet_result(g, "y", poet_fsq_codes(g, index, CHANNELS, levels, false));
}

static void build_count_codes(poet_graph *g)
{
    poet_val index = poet_input(g, "code", POET_I32, POET_SHAPE(ROWS));
    poet_val histogram =
        poet_state(g, "histogram", POET_BUFFER, POET_F32, POET_SHAPE(CODES), POET_ZEROS);
    poet_result(g, "y", poet_count_codes(g, histogram, index));
}

static void build_codebook_ema(poet_graph *g)
{
    poet_shape shape = POET_SHAPE(CODES, CHANNELS);
    poet_val codebook = poet_state(g, "codebook", POET_BUFFER, POET_F32, shape, POET_ONES);
    poet_val total = poet_state(g, "total", POET_BUFFER, POET_F32, shape, POET_ONES);
    poet_val count = poet_state(g, "count", POET_BUFFER, POET_F32, POET_SHAPE(CODES), POET_ONES);
    poet_val index = poet_input(g, "code", POET_I32, POET_SHAPE(ROWS));
    poet_val z = poet_input(g, "real", POET_F32, POET_SHAPE(ROWS, CHANNELS));
    poet_val step = poet_input(g, "step", POET_I32, POET_SHAPE(1));
    poet_result(g, "y", poet_codebook_ema(g, codebook, total, count, z, index, step, 0.9F, 0, 1));
}

/* Rows 33 and 21 are bad, or none. */
static poet_status run(poet_program *program, const bad_case *c, bool bad)
{
    float real[ROWS * CHANNELS] = {0};
    int32_t code[ROWS] = {0}, step = 1;
    for (int row = 33; bad && row >= 21; row -= 12) {
        real[row * CHANNELS + 1] = c->number;
        code[row] = c->code;
    }
    if (poet_program_input(program, "real").id >= 0)
        POET_TRY(poet_program_set_by_name(program, "real", real, sizeof real));
    if (poet_program_input(program, "code").id >= 0)
        POET_TRY(poet_program_set_by_name(program, "code", code, sizeof code));
    if (poet_program_input(program, "step").id >= 0)
        POET_TRY(poet_program_set_by_name(program, "step", &step, sizeof step));
    return poet_program_run(program);
}

static void test_case(const bad_case *c)
{
    poet_device *device;
    poet_params *params;
    poet_program *program;
    CHECK_OK(poet_device_open(poet_cuda_table(), 0, 1, &device));
    CHECK_OK(poet_params_create(device, 1, &params));
    poet_graph *g = poet_graph_create(params);
    c->build(g);
    CHECK_OK(poet_program_create(g, &program));
    CHECK_INT(run(program, c, true), POET_ERR_ARG);
    CHECK(strstr(poet_error_message(), c->sentence));
    CHECK_OK(run(program, c, false));
    poet_program_destroy(program);
    poet_params_destroy(params);
    poet_device_close(device);
}

int main(void)
{
    static const bad_case cases[] = {
        {.build = build_fsq, .number = NAN, .sentence = "row 21 is not a number"},
        {.build = build_fsq_codes, .code = -1, .sentence = "the index at 21 is outside its table"},
        {.build = build_fsq_codes, .code = 24, .sentence = "the index at 21 is outside its table"},
        {.build = build_count_codes, .code = 6, .sentence = "the index at 21 is outside its table"},
        {.build = build_codebook_ema,
         .code = 6,
         .sentence = "the index at 21 is outside its table"},
    };
    for (int order = 0; order < POET_SIMT_ORDERS; order++) {
        poet_simt_set_order((poet_simt_order)order);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
            test_case(&cases[i]);
    }
    return CHECK_RESULT();
}

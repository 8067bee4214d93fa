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
    float logits[2][3] = {{-INFINITY, 2, -INFINITY}, {0, 0, 0}};
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
    logits[1][2] = -NAN;
    RIG_SET(&r, "logits", logits);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "row 1 has a logit that is no number");
    logits[0][1] = -INFINITY;
    RIG_SET(&r, "logits", logits);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "row 0 has");
    rig_close(&r);
}

int main(void)
{
    test_targets();
    test_logits();
    return CHECK_RESULT();
}

/* The norm of more tensors than the table of a launch holds, and of more slices than a block has threads. */
#include "cuda/backend/cuda_table.h"
#include "cuda/kernels/optim.h"
#include "tests/simt/device_memory.h"
#include "tests/simt/device_under_test.h"
#include "tests/support/rig.h"

enum { TENSORS = 2 * POET_PIECES + 3, LARGE = 5000 /* more than a slice */, PARTS = 700 };

/* Tensors of few numbers, and large ones between them. */
static int count_of(int tensor)
{
    return tensor % 41 == 7 ? LARGE : 1 + tensor % 5;
}

static double value_of(int tensor)
{
    return 1 + tensor * 0.125;
}

static void test_tensors(double limit)
{
    static float values[LARGE];
    poet_val x[TENSORS], norm, factor;
    char name[TENSORS][16];
    float got_norm[1], got_factor[1];
    double square = 0;
    rig r = rig_open(poet_cuda_table());
    for (int i = 0; i < TENSORS; i++) {
        snprintf(name[i], sizeof name[i], "x%d", i);
        x[i] = poet_input(r.g, name[i], POET_F32, POET_SHAPE(count_of(i)));
        square += count_of(i) * value_of(i) * value_of(i);
    }
    factor = poet_clip_factor(r.g, TENSORS, x, (float)limit, &norm);
    poet_result(r.g, "factor", factor);
    poet_result(r.g, "norm", norm);
    rig_ready(&r);
    for (int i = 0; i < TENSORS; i++) {
        for (int k = 0; k < count_of(i); k++)
            values[k] = (float)value_of(i);
        CHECK_OK(poet_program_set_by_name(r.program, name[i], values,
                                          (size_t)count_of(i) * sizeof *values));
    }
    RIG_RUN(&r);
    RIG_GET(&r, "norm", got_norm);
    RIG_GET(&r, "factor", got_factor);
    CHECK_CLOSE(got_norm[0], sqrt(square), 1e-6 * sqrt(square));
    CHECK_CLOSE(got_factor[0], limit > 0 ? fmin(1, limit / sqrt(square)) : 1, 1e-6);
    rig_close(&r);
}

static void test_parts(void)
{
    float parts[PARTS], got_factor, got_norm;
    double square = 0;
    for (int i = 0; i < PARTS; i++) {
        parts[i] = (float)(1 + i);
        square += (double)parts[i];
    }
    void *device_parts = on_device(parts, sizeof parts);
    void *factor = on_device(NULL, sizeof(float)), *norm = on_device(NULL, sizeof(float));
    CHECK_INT(poet_cuda_clip_factor(device_stream(), device_parts, PARTS, 1, factor, norm), 0);
    to_host(&got_factor, factor, sizeof got_factor);
    to_host(&got_norm, norm, sizeof got_norm);
    CHECK_CLOSE(got_norm, sqrt(square), 1e-6 * sqrt(square));
    CHECK_CLOSE(got_factor, 1 / sqrt(square), 1e-6 / sqrt(square));
    free_all(3, (void *[]){device_parts, factor, norm});
}

int main(void)
{
    device_begin();
    for (int order = 0; order < device_orders(); order++) {
        device_set_order(order);
        test_parts();
    }
    test_tensors(2);
    test_tensors(1e6);
    test_tensors(0);
    device_end();
    return CHECK_RESULT();
}

/* The rule for the size of a codebook, on curves made by hand. */
#include "eval/recommend.h"
#include "tests/unit/generator/small_generator.h"

static void test_choose(void)
{
    /* 640,000 tokens. */
    static const poet_codebook_size curve[] = {
        {1024, 0, 625}, {512, 0.1, 1250}, {256, 0.3, 2500}, {128, 0.8, 5000}, {64, 2, 10000}};

    static const struct {
        double loss, samples;
        int codes;
        poet_size_reason reason;
    } cases[] = {{0.5, 1300, 256, POET_SIZE_LOSS},
                 {0.3, 1300, 256, POET_SIZE_LOSS}, /* the limit itself is allowed */
                 {0.2, 1300, 256, POET_SIZE_SAMPLES},
                 {0.2, 100, 512, POET_SIZE_LOSS},
                 {0, 100, 1024, POET_SIZE_LOSS},
                 {0.5, 6000, 64, POET_SIZE_SAMPLES},
                 {9, 6000, 64, POET_SIZE_LOSS},
                 {0.5, 20000, 256, POET_SIZE_FEW}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        poet_size_reason reason;
        int at = poet_size_choose(curve, 5, cases[i].loss, cases[i].samples, &reason);
        CHECK_INT(curve[at].codes, cases[i].codes);
        CHECK_INT(reason, cases[i].reason);
    }
    poet_size_reason reason;
    CHECK_INT(poet_size_choose(curve, 1, 0.5, 100, &reason), 0);

    /* A size that happens to lose less than a larger one. */
    static const poet_codebook_size uneven[] = {{64, 0, 99}, {32, 0.6, 99}, {16, 0.4, 99}};
    CHECK_INT(poet_size_choose(uneven, 3, 0.5, 1, &reason), 2);
}

/* The anchor; half the width, twice the words; ten times the parameters, 10^0.83 = 6.76083 times the words. */
static void test_law(void)
{
    CHECK_CLOSE(poet_vocabulary_law(33e6, 512), 6144, 1e-9);
    CHECK_CLOSE(poet_vocabulary_law(33e6, 256), 2 * 6144, 1e-9);
    CHECK_CLOSE(poet_vocabulary_law(330e6, 512) / 6144, 6.76083, 1e-5);
}

/* Other tensors may have as many rows or columns as there are codes: here the small transformer and what goes up from it. */
static void test_parameters(void)
{
    poet_device *device;
    double parameters[2];
    poet_generator_config c = small(2, 1, true);
    CHECK_OK(poet_device_open(poet_backend_cpu(), 0, 0, &device));
    CHECK(c.slot_width == K);
    for (int i = 0; i < 2; i++) {
        c.codes = K - 4 * i;
        poet_generator *m = make(device, c);
        parameters[i] = poet_parameters_beside_codes(m);
        poet_generator_destroy(m);
    }
    CHECK(parameters[0] > 2 * 12 * c.width * c.width); /* of the large transformer's two blocks */
    CHECK(parameters[0] == parameters[1]);
    poet_device_close(device);
}

int main(void)
{
    test_choose();
    test_law();
    test_parameters();
    return CHECK_RESULT();
}

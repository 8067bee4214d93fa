/* Noise of what training shows: where it falls, how much of it, what a wrong code is, and what it leaves as it was. */
#include "compute/backend.h"
#include "generator/generator_internal.h"
#include "tests/support/check.h"

#include <stdlib.h>
#include <string.h>

enum { T = 3, SIDE = 16, GROUP = 4, COUNT = T * SIDE * SIDE };

/* Codes tell their own cell, and time where something moves: below row 8. K is as many as there are cells. */
static poet_generator_config make_config(int levels, bool keep)
{
    poet_generator_config c = poet_generator_defaults();
    c.codes = COUNT;
    c.code_dim = 1;
    c.vocabulary = 300;
    c.grid = (poet_grid){T, SIDE, SIDE, levels};
    c.fps = 8;
    c.group_h = c.group_w = GROUP;
    c.keep = keep;
    CHECK_OK(poet_generator_config_check(&c));
    return c;
}

static void make_codes(const poet_generator_config *c, int32_t *grouped)
{
    int32_t *codes = malloc(sizeof *codes * COUNT * (size_t)c->grid.levels);
    for (int i = 0; codes && i < COUNT * c->grid.levels; i++) {
        int cell = i / c->grid.levels, place = cell % (SIDE * SIDE);
        codes[i] = place < SIDE * SIDE / 2 ? place : cell;
    }
    CHECK(codes);
    if (codes)
        poet_sequence_group(c, codes, grouped);
    free(codes);
}

typedef struct noise_counts {
    int wrong, still, far;
} noise_counts;

static noise_counts count(const poet_generator_config *c, const int32_t *grouped,
                          const int32_t *shown)
{
    noise_counts r = {0};
    int slots = poet_generator_slots(c);
    for (int i = 0; i < COUNT * c->grid.levels; i++) {
        int was = grouped[i] % (SIDE * SIDE), is = shown[i] % (SIDE * SIDE);
        if (grouped[i] == shown[i])
            continue;
        r.wrong++;
        r.still += poet_sequence_place(c, i / slots).row < 2;
        r.far += abs(was / SIDE - is / SIDE) > 2 || abs(was % SIDE - is % SIDE) > 2;
        /* Still cells tell no time; a moving one's code is of its own time. */
        CHECK(shown[i] < SIDE * SIDE / 2 ||
              shown[i] / (SIDE * SIDE) == poet_sequence_place(c, i / slots).time);
    }
    return r;
}

static void check_noise(int levels, bool keep)
{
    enum { CLIPS = 100 };

    const float noise = 0.1F;
    poet_generator_config c = make_config(levels, keep);
    size_t bytes = sizeof(int32_t) * COUNT * (size_t)levels;
    int32_t *grouped = malloc(bytes), *shown = malloc(bytes), *again = malloc(bytes);
    noise_counts sum = {0};
    int most = 0;
    make_codes(&c, grouped);
    poet_sequence_noise(&c, grouped, 0, NULL, shown);
    CHECK(memcmp(grouped, shown, bytes) == 0);
    for (int i = 0; i < CLIPS; i++) {
        poet_rng a, b;
        poet_rng_init(&a, 5, (uint64_t)i);
        poet_rng_init(&b, 5, (uint64_t)i);
        poet_sequence_noise(&c, grouped, noise, &a, shown);
        poet_sequence_noise(&c, grouped, noise, &b, again);
        CHECK(memcmp(shown, again, bytes) == 0);
        noise_counts n = count(&c, grouped, shown);
        sum.wrong += n.wrong;
        sum.still += n.still;
        sum.far += n.far;
        most = n.wrong > most ? n.wrong : most;
    }
    /* A draw of its own place, one of 25 and more at the border, leaves a code as it is. */
    double moving = COUNT * levels * (keep ? 0.5 : 1), mean = (double)sum.wrong / CLIPS / moving;
    CHECK(mean > 0.8 * (double)noise && mean < (double)noise);
    CHECK(most < 2 * (double)noise * moving * 1.1 && most > 1.3 * (double)noise * moving);
    CHECK_INT(sum.far, 0);
    CHECK(keep ? sum.still == 0 : sum.still > sum.wrong / 3);
    free(again);
    free(shown);
    free(grouped);
}

/* What is asked for, and what is kept, stays; what is shown before it changes. */
static void test_batch(poet_device *device)
{
    static const char *const caption = "a red ball";
    poet_generator_config c = make_config(1, true);
    poet_bpe_options options = {.size = 300, .fold_case = true};
    poet_bpe *bpe;
    poet_generator *m;
    poet_sequence_batch clean, noisy;
    int32_t grouped[COUNT], codes[COUNT];
    poet_rng rng;
    poet_rng_init(&rng, 1, 1);
    CHECK_OK(poet_bpe_train(&caption, 1, &options, &bpe));
    c.vocabulary = poet_bpe_size(bpe);
    c.width = c.slot_width = 16;
    CHECK_OK(poet_generator_create(device, &c, bpe, NULL, 1, 1, &m));
    make_codes(&c, grouped);
    poet_sequence_ungroup(&c, grouped, codes);
    int n = poet_generator_groups(&c);
    CHECK_OK(poet_sequence_batch_create(&c, 1, n, &clean));
    CHECK_OK(poet_sequence_batch_create(&c, 1, n, &noisy));
    CHECK_OK(poet_sequence_batch_fill(m, &clean, 0, codes, caption, 0, NULL));
    CHECK_OK(poet_sequence_batch_fill(m, &noisy, 0, codes, caption, 0.3F, &rng));
    CHECK(memcmp(clean.targets, noisy.targets, sizeof codes) == 0);
    CHECK(memcmp(clean.keep, noisy.keep, sizeof *clean.keep * (size_t)n) == 0);
    CHECK(memcmp(clean.before, noisy.before, sizeof codes) != 0);
    CHECK(memcmp(clean.slots, noisy.slots, sizeof codes) != 0);
    CHECK(memcmp(clean.around, noisy.around, sizeof codes * POET_AROUND) != 0);
    CHECK(memcmp(clean.neighbours, noisy.neighbours, sizeof codes * POET_NEIGHBOURS) != 0);
    poet_sequence_batch_free(&clean);
    poet_sequence_batch_free(&noisy);
    poet_generator_destroy(m);
}

int main(void)
{
    poet_device *device;
    CHECK_OK(poet_device_open(poet_backend_cpu(), 0, 1, &device));
    check_noise(1, true);
    check_noise(1, false);
    check_noise(2, true);
    test_batch(device);
    poet_device_close(device);
    return CHECK_RESULT();
}

/* Crops: inside the clip, aligned, mostly where something moves; batches of them. */
#include "base/memory.h"
#include "datasets/crop.h"
#include "datasets/prefetch.h"
#include "tests/support/check.h"

#include <string.h>

enum { T = 5, H = 40, W = 64, SIDE = 16, ALIGN = 4, DRAWS = 600 };

/* A still ground; the cell at row 2, column 11 blinks. */
static poet_clip blinking(void)
{
    poet_clip clip;
    CHECK_OK(poet_clip_create(T, H, W, 8, &clip));
    for (int i = 0; i < T * H * W * 3; i++)
        clip.pixels[i] = (uint8_t)(i % (H * W * 3) % 251);
    for (int t = 1; t < T; t += 2)
        for (int y = 8; y < 12; y++)
            memset(clip.pixels + ((t * H + y) * W + 44) * 3, 255, 4 * 3);
    return clip;
}

static void test_place(void)
{
    poet_clip clip = blinking();
    int hits = 0, columns[W / ALIGN] = {0}, distinct = 0;
    for (int i = 0; i < DRAWS; i++) {
        poet_rng rng;
        poet_rng_init(&rng, 3, (uint64_t)i);
        poet_crop c = poet_crop_moving(&clip, SIDE, SIDE, ALIGN, &rng);
        CHECK(c.h == SIDE && c.w == SIDE && c.y % ALIGN == 0 && c.x % ALIGN == 0);
        CHECK(c.y >= 0 && c.y + SIDE <= H && c.x >= 0 && c.x + SIDE <= W);
        hits += c.y <= 8 && c.y + SIDE >= 12 && c.x <= 44 && c.x + SIDE >= 48;
        columns[c.x / ALIGN]++;
    }
    for (int i = 0; i < W / ALIGN; i++)
        distinct += columns[i] > 0;
    CHECK(hits > DRAWS * 4 / 5 && hits < DRAWS);
    CHECK(distinct >
          SIDE /
              ALIGN); /* the cell is not always in the same corner, and some draws look elsewhere */
    poet_clip_free(&clip);
}

/* Without motion every cell is as good as another. */
static void test_still(void)
{
    poet_clip clip;
    bool corner[4] = {false};
    CHECK_OK(poet_clip_create(T, H, W, 8, &clip));
    memset(clip.pixels, 9, T * H * W * 3);
    for (int i = 0; i < DRAWS; i++) {
        poet_rng rng;
        poet_rng_init(&rng, 4, (uint64_t)i);
        poet_crop c = poet_crop_moving(&clip, SIDE, SIDE, ALIGN, &rng);
        corner[2 * (c.y > H / 2 - SIDE / 2) + (c.x > W / 2 - SIDE / 2)] = true;
    }
    CHECK(corner[0] && corner[1] && corner[2] && corner[3]);
    poet_clip_free(&clip);
}

static void test_copy(void)
{
    poet_clip clip = blinking();
    poet_crop crop = {.y = 7, .x = 41, .h = 8, .w = 12};
    uint8_t out[T * 8 * 12 * 3];
    poet_crop_copy(&clip, crop, out);
    for (int t = 0; t < T; t++)
        for (int y = 0; y < 8; y++)
            for (int i = 0; i < 12 * 3; i++)
                CHECK_INT(out[(t * 8 + y) * 12 * 3 + i],
                          clip.pixels[((t * H + 7 + y) * W + 41) * 3 + i]);
    poet_clip_free(&clip);
}

/* A step's crops depend on (seed, step) alone, and are pieces of the clips that whole batches hold. */
static void test_batches(void)
{
    poet_dataset *dataset;
    poet_dataset_options drawn = {
        .t = 5, .h = 32, .w = 32, .fps = 8, .seed = 1, .train_clips = 50, .heldout_clips = 5};
    CHECK_OK(poet_dataset_open("synth:shapes", &drawn, &dataset));
    poet_prefetch_options options = {
        .split = POET_SPLIT_TRAIN, .seed = 5, .batch = 3, .crop = 16, .align = 4};
    size_t bytes = 3 * 5 * 16 * 16 * 3;
    uint8_t *first = poet_alloc(bytes);
    poet_prefetch *prefetch;
    poet_batch batch;
    CHECK_OK(poet_prefetch_create(dataset, &options, &prefetch));
    CHECK_OK(poet_prefetch_next(prefetch, &batch));
    CHECK_OK(poet_prefetch_next(prefetch, &batch));
    memcpy(first, batch.pixels, bytes);
    poet_prefetch_destroy(prefetch);
    options.first = 1;
    options.threads = 2;
    CHECK_OK(poet_prefetch_create(dataset, &options, &prefetch));
    CHECK_OK(poet_prefetch_next(prefetch, &batch));
    CHECK(memcmp(first, batch.pixels, bytes) == 0);
    poet_prefetch_destroy(prefetch);
    options.crop = 36;
    CHECK_FAILS(poet_prefetch_create(dataset, &options, &prefetch), POET_ERR_ARG, "crop of 36");
    options.crop = 18;
    CHECK_FAILS(poet_prefetch_create(dataset, &options, &prefetch), POET_ERR_ARG, "crop of 18");
    poet_free(first);
    poet_dataset_close(dataset);
}

int main(void)
{
    size_t before = poet_memory_get_stats().blocks;
    test_place();
    test_still();
    test_copy();
    test_batches();
    CHECK_INT(poet_memory_get_stats().blocks, before);
    return CHECK_RESULT();
}

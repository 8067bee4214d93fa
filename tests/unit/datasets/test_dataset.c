/* datasets/dataset, sampler, prefetch. */
#include "base/memory.h"
#include "base/rng.h"
#include "datasets/dataset.h"
#include "datasets/prefetch.h"
#include "datasets/sampler.h"
#include "tests/support/check.h"

#include <stdlib.h>

/* Every epoch shows everything once, and epochs differ. */
static void test_sampler(void)
{
    static const uint64_t counts[] = {1, 2, 3, 100, 1000, 4097};
    for (int c = 0; c < 6; c++) {
        poet_sampler sampler = {5, counts[c]};
        int *seen = calloc(counts[c], sizeof *seen);
        uint64_t same = 0;
        for (uint64_t p = 0; p < 3 * counts[c]; p++) {
            uint64_t at = poet_sampler_at(&sampler, p);
            CHECK(at < counts[c]);
            seen[at]++;
            CHECK_INT(seen[at], p / counts[c] + 1);
            same += p >= counts[c] && at == poet_sampler_at(&sampler, p - counts[c]);
        }
        CHECK(counts[c] < 100 || same < counts[c] / 10);
        free(seen);
    }
    poet_sampler sampler = {9, 50};
    uint64_t a[7], b[7];
    poet_sampler_indices(&sampler, 11, 7, a);
    for (int i = 0; i < 7; i++)
        b[i] = poet_sampler_at(&sampler, 77 + (uint64_t)i);
    CHECK(memcmp(a, b, sizeof a) == 0);
    sampler.seed = 10;
    poet_sampler_indices(&sampler, 11, 7, b);
    CHECK(memcmp(a, b, sizeof a) != 0);
}

/* Places of neighbours are not correlated: the mean distance of successive indices is that of
 * random ones, count / 3. */
static void test_sampler_mixes(void)
{
    poet_sampler sampler = {1, 10000};
    double sum = 0;
    for (uint64_t p = 0; p + 1 < 10000; p++)
        sum +=
            fabs((double)poet_sampler_at(&sampler, p) - (double)poet_sampler_at(&sampler, p + 1));
    CHECK_CLOSE(sum / 9999, 10000 / 3.0, 100);
}

static void test_synth_dataset(void)
{
    poet_dataset *data;
    poet_dataset_options options = {.seed = 3, .train_clips = 40, .heldout_clips = 9};
    CHECK_OK(poet_dataset_open("synth:shapes,digits2,street", &options, &data));
    CHECK_INT(poet_dataset_count(data, POET_SPLIT_TRAIN), 40);
    CHECK_INT(poet_dataset_count(data, POET_SPLIT_UNSEEN), 9);
    CHECK_INT(poet_dataset_geometry(data).t, 17);
    poet_example example, described;
    CHECK_OK(poet_dataset_read(data, POET_SPLIT_SEEN, 4, &example));
    CHECK_OK(poet_dataset_describe(data, POET_SPLIT_SEEN, 4, &described));
    CHECK(strstr(example.attributes, "\"set\":\"digits\"") != NULL);
    CHECK(strstr(example.attributes, "\"digit2\":\"none\"") == NULL);
    CHECK_STR(example.caption, described.caption);
    const char *name;
    poet_synth_set set;
    poet_synth_options synth;
    poet_clip clip;
    CHECK(poet_dataset_part(data, 0, &name, &set, &synth) && set == POET_SYNTH_SHAPES);
    CHECK(!poet_dataset_part(data, 3, &name, &set, &synth));
    CHECK(poet_dataset_part(data, 1, &name, &set, &synth) && set == POET_SYNTH_DIGITS);
    CHECK_STR(name, "digits2");
    CHECK_INT(synth.digits, 2);
    CHECK_OK(poet_synth_clip(POET_SYNTH_DIGITS, 3, 1, POET_SPLIT_SEEN, &synth, &clip, NULL));
    CHECK(memcmp(clip.pixels, example.clip.pixels, (size_t)clip.t * 64 * 64 * 3) == 0);
    poet_clip_free(&clip);
    poet_example_free(&example);
    poet_example_free(&described);
    CHECK_FAILS(poet_dataset_read(data, POET_SPLIT_TRAIN, 40, &example), POET_ERR_ARG, "clip 40");
    poet_dataset_close(data);
    CHECK_FAILS(poet_dataset_open("synth:shapes,cats", NULL, &data), POET_ERR_ARG, "cats");
    CHECK_FAILS(poet_dataset_open("/nowhere", NULL, &data), POET_ERR_IO, "/nowhere");
    options.w = 5;
    CHECK_FAILS(poet_dataset_open("synth:shapes", &options, &data), POET_ERR_ARG, "5x64");
}

static poet_dataset *of_clips(const char *spec, int size, int train, int heldout)
{
    poet_dataset *data = NULL;
    poet_dataset_options options = {.t = 2,
                                    .h = size,
                                    .w = size,
                                    .train_clips = (uint64_t)train,
                                    .heldout_clips = (uint64_t)heldout};
    CHECK_OK(poet_dataset_open(spec, &options, &data));
    return data;
}

/* Sources of 2, 5 and 3 clips, in turn, each until it has no more. */
static void test_mixture(void)
{
    static const char *const specs[] = {"synth:shapes", "synth:street", "synth:digits2"};

    static const struct {
        int source;
        uint64_t index;
    } order[] = {{0, 0}, {1, 0}, {2, 0}, {0, 1}, {1, 1}, {2, 1}, {1, 2}, {2, 2}, {1, 3}, {1, 4}};

    poet_dataset *data, *sources[3], *alone[3];
    for (int s = 0; s < 3; s++) {
        sources[s] = of_clips(specs[s], 16, s == 0 ? 2 : s == 1 ? 5 : 3, 1);
        alone[s] = of_clips(specs[s], 16, 5, 1);
    }
    CHECK_OK(poet_dataset_mix(sources, 3, &data));
    CHECK_INT(poet_dataset_count(data, POET_SPLIT_TRAIN), 10);
    CHECK_INT(poet_dataset_count(data, POET_SPLIT_UNSEEN), 3);
    CHECK_INT(poet_dataset_geometry(data).h, 16);
    for (uint64_t i = 0; i < 10; i++) {
        poet_example mixed, own;
        char name[POET_CLIP_NAME_BYTES], own_name[POET_CLIP_NAME_BYTES];
        const poet_dataset *source = alone[order[i].source];
        CHECK_OK(poet_dataset_read(data, POET_SPLIT_TRAIN, i, &mixed));
        CHECK_OK(poet_dataset_read(source, POET_SPLIT_TRAIN, order[i].index, &own));
        CHECK_STR(mixed.attributes, own.attributes);
        CHECK(memcmp(mixed.clip.pixels, own.clip.pixels, (size_t)2 * 16 * 16 * 3) == 0);
        poet_dataset_name(data, POET_SPLIT_TRAIN, i, name);
        poet_dataset_name(source, POET_SPLIT_TRAIN, order[i].index, own_name);
        CHECK_STR(name, own_name);
        poet_example_free(&mixed);
        poet_example_free(&own);
    }
    poet_example none;
    CHECK_FAILS(poet_dataset_read(data, POET_SPLIT_TRAIN, 10, &none), POET_ERR_ARG, "clip 10");
    CHECK_OK(poet_dataset_verify(data, NULL));
    poet_dataset_close(data);
    for (int s = 0; s < 3; s++)
        poet_dataset_close(alone[s]);
    poet_dataset *unlike[] = {of_clips(specs[0], 16, 2, 1), of_clips(specs[1], 32, 2, 1)};
    CHECK_FAILS(poet_dataset_mix(unlike, 2, &data), POET_ERR_MISMATCH,
                "2 frames of 16x16 and of 2 of 32x32 cannot be mixed");
}

/* Any number of threads gives what reading directly gives. */
static void test_prefetch(void)
{
    poet_dataset *data;
    poet_dataset_options options = {.t = 2, .h = 16, .w = 16, .train_clips = 30};
    CHECK_OK(poet_dataset_open("synth:shapes,street", &options, &data));
    for (int threads = 1; threads <= 3; threads++) {
        poet_prefetch *prefetch;
        poet_prefetch_options o = {
            .seed = 4, .first = 3, .batch = 4, .depth = threads, .threads = threads};
        CHECK_OK(poet_prefetch_create(data, &o, &prefetch));
        for (uint64_t step = 3; step < 20; step++) {
            poet_batch batch;
            uint64_t index[4];
            poet_sampler sampler = {4, 30};
            CHECK_OK(poet_prefetch_next(prefetch, &batch));
            CHECK(batch.step == step && batch.count == 4);
            poet_sampler_indices(&sampler, step, 4, index);
            for (int i = 0; i < 4; i++) {
                poet_example example;
                CHECK_OK(poet_dataset_read(data, POET_SPLIT_TRAIN, index[i], &example));
                CHECK_STR(batch.captions[i], example.caption);
                CHECK_STR(batch.attributes[i], example.attributes);
                CHECK(memcmp(batch.pixels + i * 2 * 16 * 16 * 3, example.clip.pixels,
                             2 * 16 * 16 * 3) == 0);
                poet_example_free(&example);
            }
        }
        poet_prefetch_destroy(prefetch);
    }
    poet_prefetch *prefetch;
    poet_prefetch_options wrong = {.batch = 0};
    CHECK_FAILS(poet_prefetch_create(data, &wrong, &prefetch), POET_ERR_ARG, "batch 0");
    poet_prefetch_destroy(NULL);
    poet_dataset_close(data);
}

int main(void)
{
    size_t before = poet_memory_get_stats().blocks;
    test_sampler();
    test_sampler_mixes();
    test_synth_dataset();
    test_mixture();
    test_prefetch();
    CHECK_INT(poet_memory_get_stats().blocks, before);
    return CHECK_RESULT();
}

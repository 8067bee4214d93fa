/* eval/attributes: the reader reads real held-out clips, sharp and damaged, and is not fooled. */
#include "base/memory.h"
#include "base/rng.h"
#include "eval/attributes.h"
#include "eval/metrics.h"
#include "tests/support/check.h"

#include <stdlib.h>

/* Gaussian blur of this sigma, then noise: what a lossy tokenizer does at its worst. */
typedef struct damage {
    float sigma, noise;
    poet_rng rng;
    poet_mean psnr;
} damage;

enum { REACH = 4 };

static void blur_axis(const float *in, float *out, const float *weight, int count, int stride)
{
    for (int i = 0; i < count; i++) {
        float sum = 0;
        for (int k = -REACH; k <= REACH; k++) {
            int at = i + k < 0 ? 0 : i + k >= count ? count - 1 : i + k;
            sum += weight[k + REACH] * in[at * stride];
        }
        out[i * stride] = sum;
    }
}

static void damage_frame(damage *d, const float *weight, uint8_t *frame, int h, int w)
{
    static float a[64 * 64 * 3], b[64 * 64 * 3];
    for (int i = 0; i < h * w * 3; i++)
        a[i] = frame[i];
    for (int i = 0; i < h * 3; i++)
        blur_axis(a + i / 3 * w * 3 + i % 3, b + i / 3 * w * 3 + i % 3, weight, w, 3);
    for (int i = 0; i < w * 3; i++)
        blur_axis(b + i, a + i, weight, h, w * 3);
    for (int i = 0; i < h * w * 3; i++) {
        float value = a[i] + d->noise * poet_rng_normal(&d->rng);
        frame[i] = (uint8_t)(fminf(fmaxf(value, 0), 255) + 0.5F);
    }
}

static poet_status damage_clip(void *user, poet_clip *clip)
{
    damage *d = user;
    size_t size = (size_t)clip->t * (size_t)clip->h * (size_t)clip->w * 3;
    uint8_t *before = malloc(size);
    float weight[2 * REACH + 1], sum = 0;
    memcpy(before, clip->pixels, size);
    for (int k = -REACH; k <= REACH; k++)
        sum += weight[k + REACH] = expf(-(float)(k * k) / (2 * d->sigma * d->sigma));
    for (int k = 0; k <= 2 * REACH; k++)
        weight[k] /= sum;
    for (int t = 0; t < clip->t; t++)
        damage_frame(d, weight, poet_clip_frame(clip, t), clip->h, clip->w);
    poet_mean_add(&d->psnr, poet_psnr(before, clip->pixels, size));
    free(before);
    return POET_OK;
}

static double accuracy(const poet_reader *reader, poet_synth_set set, poet_split split, uint64_t n,
                       float sigma, float noise)
{
    damage d = {.sigma = sigma, .noise = noise};
    poet_attribute_score score;
    poet_rng_init(&d.rng, 1, 0);
    CHECK_OK(poet_attributes_accuracy(reader, 77, split, n, sigma > 0 ? damage_clip : NULL, &d,
                                      NULL, &score));
    CHECK_INT(score.all.total, n);
    double share = (double)score.all.right / (double)n;
    fprintf(stderr, "%s, %s, blur %.1f, noise %.0f, %.1f dB: %.3f\n", poet_synth_name(set),
            poet_split_name(split), (double)sigma, (double)noise, d.psnr.mean, share);
    return share;
}

static void test_set(poet_synth_set set, uint64_t n, double clean, double damaged)
{
    poet_synth_options options = poet_synth_defaults();
    poet_reader *reader;
    CHECK_OK(poet_reader_create(set, &options, &reader));
    CHECK(accuracy(reader, set, POET_SPLIT_SEEN, n, 0, 0) >= clean);
    CHECK(accuracy(reader, set, POET_SPLIT_UNSEEN, n, 0, 0) >= clean);
    CHECK(accuracy(reader, set, POET_SPLIT_SEEN, n, 0.8F, 5) >= damaged);
    poet_reader_destroy(reader);
}

/* The clips of other captions are wrong: at most as often right as two captions agree by chance. */
static void test_not_fooled(void)
{
    poet_synth_options options = poet_synth_defaults();
    poet_reading *reading = malloc(sizeof *reading);
    for (int s = 0; s < POET_SYNTH_SETS; s++) {
        poet_reader *reader;
        int n = s == POET_SYNTH_STREET ? 20 : 100, right = 0;
        CHECK_OK(poet_reader_create((poet_synth_set)s, &options, &reader));
        for (int i = 0; i < n; i++) {
            poet_synth_scene scene;
            poet_clip clip;
            CHECK_OK(poet_synth_clip((poet_synth_set)s, 1, (uint64_t)i, POET_SPLIT_SEEN, &options,
                                     &clip, NULL));
            CHECK_OK(poet_synth_scene_make((poet_synth_set)s, 2, (uint64_t)i, POET_SPLIT_SEEN,
                                           &options, &scene));
            CHECK_OK(poet_reader_read(reader, &clip, reading));
            right += poet_reading_wrong(reading, &scene) == 0;
            poet_clip_free(&clip);
        }
        CHECK(right <= n / 10);
        poet_reader_destroy(reader);
    }
    free(reading);
}

/* Empty stages, black, and noise have nothing that could be named. */
static void test_nothing(void)
{
    poet_synth_options options = poet_synth_defaults();
    poet_reading *reading = malloc(sizeof *reading);
    for (int s = 0; s < POET_SYNTH_SETS; s++) {
        poet_reader *reader;
        poet_synth_scene scene;
        poet_clip clip;
        CHECK_OK(poet_reader_create((poet_synth_set)s, &options, &reader));
        CHECK_OK(poet_synth_scene_make((poet_synth_set)s, 1, 5, POET_SPLIT_SEEN, &options, &scene));
        poet_synth_scene empty = scene;
        empty.objects = 0;
        CHECK_OK(poet_synth_render(&empty, &clip));
        CHECK_OK(poet_reader_read(reader, &clip, reading));
        CHECK_INT(reading->value[0], -1);
        CHECK(poet_reading_wrong(reading, &scene) & 1);
        poet_rng rng;
        poet_rng_init(&rng, 4, 4);
        for (int i = 0; i < 17 * 64 * 64 * 3; i++)
            clip.pixels[i] = (uint8_t)poet_rng_below(&rng, 256);
        CHECK_OK(poet_reader_read(reader, &clip, reading));
        poet_clip_free(&clip);
        CHECK_OK(poet_clip_create(16, 64, 64, 8, &clip));
        CHECK_FAILS(poet_reader_read(reader, &clip, reading), POET_ERR_MISMATCH, "16 frames");
        poet_clip_free(&clip);
        poet_reader_destroy(reader);
    }
    free(reading);
}

/* The track is where the shape is. */
static void test_track(void)
{
    poet_synth_options options = poet_synth_defaults();
    poet_reading *reading = malloc(sizeof *reading);
    poet_reader *reader;
    double sum = 0;
    CHECK_OK(poet_reader_create(POET_SYNTH_SHAPES, &options, &reader));
    for (uint64_t i = 0; i < 50; i++) {
        poet_synth_scene scene;
        poet_clip clip;
        CHECK_OK(
            poet_synth_clip(POET_SYNTH_SHAPES, 3, i, POET_SPLIT_SEEN, &options, &clip, &scene));
        CHECK_OK(poet_reader_read(reader, &clip, reading));
        for (int t = 0; t < 17; t++) {
            poet_synth_spot spot = poet_synth_place(&scene, 0, t);
            sum += hypot((double)(spot.x - reading->track[t].x),
                         (double)(spot.y - reading->track[t].y));
        }
        poet_clip_free(&clip);
    }
    CHECK(sum / (50 * 17) < 0.3); /* units, mean */
    poet_reader_destroy(reader);
    free(reading);
}

static void test_two_digits_in_any_order(void)
{
    poet_synth_options options = poet_synth_defaults();
    poet_synth_scene scene;
    int value[POET_SYNTH_FIELDS] = {3, 0, 7, 1};
    CHECK_OK(poet_synth_scene_of(POET_SYNTH_DIGITS, value, 0, &options, &scene));
    poet_reading *reading = calloc(1, sizeof *reading);
    memcpy(reading->value, (int[]){7, 1, 3, 0}, 4 * sizeof(int));
    CHECK_INT(poet_reading_wrong(reading, &scene), 0);
    memcpy(reading->value, (int[]){7, 0, 3, 1}, 4 * sizeof(int));
    CHECK(poet_reading_wrong(reading, &scene) != 0);
    free(reading);
}

/* Known values: Wilson 1927 at 95% for 9 of 10, 0 of 20 and 95 of 100. */
static void test_interval(void)
{
    double low, high;
    poet_share_interval((poet_share){9, 10}, 1.959964, &low, &high);
    CHECK_CLOSE(low, 0.5958, 1e-4);
    CHECK_CLOSE(high, 0.9821, 1e-4);
    poet_share_interval((poet_share){0, 20}, 1.959964, &low, &high);
    CHECK_CLOSE(low, 0, 1e-12);
    CHECK_CLOSE(high, 0.1611, 1e-4);
    poet_share_interval((poet_share){95, 100}, 1.959964, &low, &high);
    CHECK_CLOSE(low, 0.8882, 1e-4);
    CHECK_CLOSE(high, 0.9785, 1e-4);
    poet_share_interval((poet_share){0, 0}, 1.96, &low, &high);
    CHECK(low == 0 && high == 1);
}

int main(void)
{
    size_t before = poet_memory_get_stats().blocks;
    test_interval();
    test_two_digits_in_any_order();
    test_set(POET_SYNTH_SHAPES, 150, 0.98, 0.97);
    test_set(POET_SYNTH_DIGITS, 150, 0.98, 0.97);
    test_set(POET_SYNTH_STREET, 16, 0.85, 0.8);
    test_track();
    test_not_fooled();
    test_nothing();
    CHECK_INT(poet_memory_get_stats().blocks, before);
    return CHECK_RESULT();
}

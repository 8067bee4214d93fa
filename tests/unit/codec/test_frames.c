#include "codec/frames.h"

#include "pictures.h"
#include "tests/support/check.h"

static const uint8_t white[3] = {255, 255, 255};

static void test_limits(void)
{
    poet_clip clip;
    CHECK_FAILS(poet_clip_create(1, 0, 4, 8, &clip), POET_ERR_ARG, "4 x 0");
    CHECK_FAILS(poet_clip_create(1, 4, 20000, 8, &clip), POET_ERR_ARG, "20000 x 4");
    CHECK_FAILS(poet_clip_create(0, 4, 4, 8, &clip), POET_ERR_ARG, "0 frames");
    CHECK_FAILS(poet_clip_create(1, 4, 4, 0, &clip), POET_ERR_ARG, "frames per second");
    CHECK_FAILS(poet_clip_create(1, 4, 4, NAN, &clip), POET_ERR_ARG, "frames per second");
    CHECK_FAILS(poet_clip_create(1000000, 1000, 1000, 8, &clip), POET_ERR_ARG, "4 GiB");
    poet_clip_free(NULL);
}

static void test_resample(void)
{
    poet_clip in = grey_clip(30, 2, 2, 30), out;
    CHECK_OK(poet_clip_resample(&in, 8, 0, &out));
    CHECK_INT(out.t, 8);
    for (int k = 0; k < out.t; k++)
        CHECK_INT(*poet_clip_frame(&out, k), k * 30 / 8 * 7 % 256);
    poet_clip_free(&out);
    CHECK_OK(poet_clip_resample(&in, 60, 70, &out));
    CHECK_INT(out.t, 70);
    CHECK_INT(*poet_clip_frame(&out, 9), 4 * 7);
    CHECK_INT(*poet_clip_frame(&out, 69), 29 * 7);
    poet_clip_free(&out);
    CHECK_FAILS(poet_clip_resample(&in, -1, 0, &out), POET_ERR_ARG, "-1 frames per second");
    poet_clip_free(&in);
}

/* Sizes of the same shape keep constant pictures constant, and equal sizes keep everything. */
static void test_scale_constant(void)
{
    poet_clip in = grey_clip(3, 24, 36, 8), out;
    for (int side = 1; side < 100; side += 7)
        for (int filter = 0; filter < 2; filter++) {
            CHECK_OK(poet_clip_scale(&in, side, 2 * side, POET_FIT_CROP, (poet_filter)filter, white,
                                     &out));
            int wrong = 0;
            for (size_t i = 0; i < poet_clip_frame_bytes(&out); i++)
                wrong += poet_clip_frame(&out, 2)[i] != 14;
            CHECK_INT(wrong, 0);
            poet_clip_free(&out);
        }
    poet_clip_free(&in);
    in = disc_clip(2, 33, 47, 8);
    CHECK_OK(poet_clip_scale(&in, 33, 47, POET_FIT_CROP, POET_FILTER_SMOOTH, white, &out));
    CHECK(psnr(&in, &out) == 99);
    poet_clip_free(&out);
    poet_clip_free(&in);
}

/* Enlarging by a whole factor and shrinking again by area gives the picture back. */
static void test_scale_back(void)
{
    poet_clip in = disc_clip(1, 20, 30, 8), large, back;
    CHECK_OK(poet_clip_scale(&in, 60, 90, POET_FIT_STRETCH, POET_FILTER_NEAREST, white, &large));
    CHECK_INT(large.pixels[(2 * 90 + 2) * 3], in.pixels[0]);
    CHECK_INT(large.pixels[(3 * 90 + 3) * 3 + 1], in.pixels[(1 * 30 + 1) * 3 + 1]);
    CHECK_OK(poet_clip_scale(&large, 20, 30, POET_FIT_STRETCH, POET_FILTER_SMOOTH, white, &back));
    CHECK(psnr(&in, &back) == 99);
    poet_clip_free(&back);
    poet_clip_free(&large);
    CHECK_OK(poet_clip_scale(&in, 200, 300, POET_FIT_STRETCH, POET_FILTER_SMOOTH, white, &large));
    CHECK_OK(poet_clip_scale(&large, 20, 30, POET_FIT_STRETCH, POET_FILTER_SMOOTH, white, &back));
    CHECK(psnr(&in, &back) > 30);
    poet_clip_free(&back);
    poet_clip_free(&large);
    poet_clip_free(&in);
}

/* A wide picture of three stripes: cropping keeps the middle one, padding shows white around. */
static void test_fit(void)
{
    poet_clip in, out;
    CHECK_OK(poet_clip_create(1, 10, 30, 8, &in));
    for (int y = 0; y < 10; y++)
        for (int x = 0; x < 30; x++)
            in.pixels[(y * 30 + x) * 3 + x / 10] = 200;
    CHECK_OK(poet_clip_scale(&in, 5, 5, POET_FIT_CROP, POET_FILTER_SMOOTH, white, &out));
    for (int i = 0; i < 25; i++)
        CHECK(out.pixels[3 * i] == 0 && out.pixels[3 * i + 1] == 200 && out.pixels[3 * i + 2] == 0);
    poet_clip_free(&out);
    CHECK_OK(poet_clip_scale(&in, 30, 30, POET_FIT_PAD, POET_FILTER_NEAREST, white, &out));
    CHECK_INT(out.pixels[9 * 90], 255);
    CHECK_INT(out.pixels[10 * 90], 200);
    CHECK_INT(out.pixels[10 * 90 + 1], 0);
    CHECK_INT(out.pixels[19 * 90 + 89], 200);
    CHECK_INT(out.pixels[20 * 90 + 2], 255);
    poet_clip_free(&out);
    CHECK_OK(poet_clip_scale(&in, 1, 3, POET_FIT_STRETCH, POET_FILTER_SMOOTH, white, &out));
    CHECK(out.pixels[0] == 200 && out.pixels[4] == 200 && out.pixels[8] == 200);
    CHECK(out.pixels[1] == 0 && out.pixels[3] == 0);
    poet_clip_free(&out);
    poet_clip_free(&in);
}

int main(void)
{
    test_limits();
    test_resample();
    test_scale_constant();
    test_scale_back();
    test_fit();
    return CHECK_RESULT();
}

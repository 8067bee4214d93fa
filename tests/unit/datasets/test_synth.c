/* datasets/synth: clips are pure functions, splits do not overlap, captions tell the truth. */
#include "base/memory.h"
#include "base/rng.h"
#include "datasets/synth.h"
#include "tests/support/check.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t clip_hash(const poet_clip *clip)
{
    return poet_hash64(0, clip->pixels,
                       (uint64_t)clip->t * (uint64_t)clip->h * (uint64_t)clip->w * 3);
}

/* Of index 3 of each set with seed 7; changes only when pictures are meant to change. */
static const uint64_t known[POET_SYNTH_SETS] = {0x707838E6AA85C469, 0x0A60BAC7FBEA5691,
                                                0x3F8F8C16F1301337};

static void test_determinism(void)
{
    poet_synth_options options = poet_synth_defaults();
    for (int s = 0; s < POET_SYNTH_SETS; s++) {
        poet_clip a, b, c;
        poet_synth_scene scene;
        CHECK_OK(poet_synth_clip((poet_synth_set)s, 7, 3, POET_SPLIT_TRAIN, &options, &a, NULL));
        CHECK_OK(poet_synth_clip((poet_synth_set)s, 7, 4, POET_SPLIT_TRAIN, &options, &b, NULL));
        CHECK_OK(poet_synth_clip((poet_synth_set)s, 7, 3, POET_SPLIT_TRAIN, &options, &c, &scene));
        uint64_t hash = clip_hash(&a);
        CHECK(hash == clip_hash(&c) && hash != clip_hash(&b));
        CHECK(hash == known[s]);
        if (hash != known[s])
            fprintf(stderr, "%s: 0x%016llX\n", poet_synth_name((poet_synth_set)s),
                    (unsigned long long)hash);
        poet_clip_free(&a);
        poet_clip_free(&b);
        poet_clip_free(&c);
    }
}

/* Training and seen clips never show a held-out combination, unseen ones only such; every value of
 * every field occurs in training. */
static void test_splits(void)
{
    poet_synth_options options = poet_synth_defaults();
    for (int s = 0; s < POET_SYNTH_SETS; s++) {
        poet_synth_set set = (poet_synth_set)s;
        int fields, seen[POET_SYNTH_FIELDS][16] = {{0}};
        const poet_synth_field *field = poet_synth_fields(set, &fields);
        for (uint64_t i = 0; i < 3000; i++) {
            for (int split = 0; split < POET_SPLITS; split++) {
                poet_synth_scene scene;
                CHECK_OK(poet_synth_scene_make(set, 1, i, (poet_split)split, &options, &scene));
                CHECK(poet_synth_held_out(set, scene.value) == (split == POET_SPLIT_UNSEEN));
                for (int f = 0; f < fields && split == POET_SPLIT_TRAIN; f++)
                    seen[f][scene.value[f]]++;
            }
        }
        for (int f = 0; f < fields; f++)
            for (int v = 0; v < field[f].count; v++)
                CHECK(seen[f][v] > 0);
    }
}

static void test_shares(void)
{
    int held = 0, total = 0, value[POET_SYNTH_FIELDS] = {0};
    for (value[0] = 0; value[0] < 8; value[0]++)
        for (value[1] = 0; value[1] < 8; value[1]++)
            for (value[3] = 0; value[3] < 14; value[3]++, total++)
                held += poet_synth_held_out(POET_SYNTH_SHAPES, value);
    CHECK_CLOSE((double)held / total, 0.2, 0.03);
    /* Sync-DRAW: 10 of 20, one of each digit, and 200 of 400. */
    int one = 0, two = 0;
    for (int a = 0; a < 10; a++) {
        CHECK(poet_synth_held_out(POET_SYNTH_DIGITS, (int[]){a, 0, 10, 2}) !=
              poet_synth_held_out(POET_SYNTH_DIGITS, (int[]){a, 1, 10, 2}));
        for (int k = 0; k < 2; k++)
            one += poet_synth_held_out(POET_SYNTH_DIGITS, (int[]){a, k, 10, 2});
        for (int b = 0; b < 40; b++)
            two += poet_synth_held_out(POET_SYNTH_DIGITS, (int[]){a, b & 1, b / 4, b >> 1 & 1});
    }
    CHECK_INT(one, 10);
    CHECK_INT(two, 200);
}

typedef struct meaning {
    char caption[POET_SYNTH_CAPTION];
    unsigned stated;
    int value[POET_SYNTH_FIELDS];
} meaning;

static int by_caption(const void *a, const void *b)
{
    return strcmp(((const meaning *)a)->caption, ((const meaning *)b)->caption);
}

/* One caption never stands for two different things. */
static void test_captions(void)
{
    enum { CLIPS = 20000 };

    poet_synth_options options = poet_synth_defaults();
    meaning *list = malloc(CLIPS * sizeof *list);
    for (int s = 0; s < POET_SYNTH_SETS; s++) {
        int longest = 0;
        for (uint64_t i = 0; i < CLIPS; i++) {
            poet_synth_scene scene;
            poet_split split = i % 2 ? POET_SPLIT_TRAIN : POET_SPLIT_UNSEEN;
            CHECK_OK(poet_synth_scene_make((poet_synth_set)s, 5, i / 2, split, &options, &scene));
            strcpy(list[i].caption, scene.caption);
            list[i].stated = scene.stated;
            for (int f = 0; f < POET_SYNTH_FIELDS; f++)
                list[i].value[f] = scene.stated >> f & 1 ? scene.value[f] : -1;
            int length = (int)strlen(scene.caption);
            longest = length > longest ? length : longest;
        }
        CHECK(longest < POET_SYNTH_CAPTION - 8);
        qsort(list, CLIPS, sizeof *list, by_caption);
        for (int i = 1; i < CLIPS; i++)
            if (by_caption(&list[i - 1], &list[i]) == 0)
                CHECK(memcmp(list[i - 1].value, list[i].value, sizeof list->value) == 0);
    }
    free(list);
}

/* The sentence that everybody tries first is a natural wording, and of a trained combination. */
static void test_readme_sentence(void)
{
    poet_synth_options options = poet_synth_defaults();
    bool found = false;
    for (uint64_t i = 0; i < 400000 && !found; i++) {
        poet_synth_scene scene;
        CHECK_OK(
            poet_synth_scene_make(POET_SYNTH_SHAPES, 1, i, POET_SPLIT_TRAIN, &options, &scene));
        found = strncmp(scene.caption, "a small red circle moves left", 29) == 0;
    }
    CHECK(found);
}

static void test_sizes(void)
{
    poet_synth_options options = poet_synth_defaults();
    static const int size[4][3] = {{1, 64, 64}, {5, 32, 48}, {33, 128, 96}, {2, 16, 16}};
    for (int i = 0; i < 4; i++) {
        for (int s = 0; s < POET_SYNTH_SETS; s++) {
            poet_clip clip;
            options.t = size[i][0];
            options.h = size[i][1];
            options.w = size[i][2];
            CHECK_OK(
                poet_synth_clip((poet_synth_set)s, 1, 8, POET_SPLIT_SEEN, &options, &clip, NULL));
            CHECK(clip.t == options.t && clip.h == options.h && clip.w == options.w);
            poet_clip_free(&clip);
        }
    }
    poet_clip clip;
    options.w = 8;
    CHECK_FAILS(poet_synth_clip(POET_SYNTH_SHAPES, 1, 0, POET_SPLIT_TRAIN, &options, &clip, NULL),
                POET_ERR_ARG, "8x16");
}

/* The track says where the shape is: its pixels differ from the empty stage there only. */
static void test_track(void)
{
    poet_synth_options options = poet_synth_defaults();
    for (uint64_t i = 0; i < 50; i++) {
        poet_synth_scene scene;
        poet_clip clip, stage;
        CHECK_OK(
            poet_synth_clip(POET_SYNTH_SHAPES, 2, i, POET_SPLIT_TRAIN, &options, &clip, &scene));
        poet_synth_scene empty = scene;
        empty.objects = 0;
        CHECK_OK(poet_synth_render(&empty, &stage));
        int outside = 0, inside = 0;
        for (int p = 0; p < 17 * 64 * 64; p++) {
            poet_synth_spot spot = poet_synth_place(&scene, 0, p / 4096);
            double x = p % 64 + 0.5 - (double)spot.x, y = p / 64 % 64 + 0.5 - (double)spot.y;
            bool differs = memcmp(clip.pixels + 3 * p, stage.pixels + 3 * p, 3) != 0;
            if (hypot(x, y) > 1.6 * (double)spot.radius + 1)
                outside += differs;
            else
                inside += differs;
        }
        CHECK_INT(outside, 0);
        CHECK(inside > 17 * 8);
        poet_clip_free(&clip);
        poet_clip_free(&stage);
    }
}

static void test_json(void)
{
    poet_synth_options options = poet_synth_defaults();
    poet_synth_scene scene;
    CHECK_OK(poet_synth_scene_make(POET_SYNTH_STREET, 1, 9, POET_SPLIT_TRAIN, &options, &scene));
    char *text = poet_synth_json(&scene);
    json_t *root = json_loads(text, 0, NULL);
    int fields;
    const poet_synth_field *field = poet_synth_fields(POET_SYNTH_STREET, &fields);
    CHECK_STR(json_string_value(json_object_get(root, "vehicle")), field[0].value[scene.value[0]]);
    CHECK_INT(json_array_size(json_object_get(root, "track")), scene.objects);
    CHECK_INT(json_array_size(json_array_get(json_object_get(root, "track"), 0)), 17);
    json_decref(root);
    poet_free(text);
}

static void test_prompts(void)
{
    enum { N = 600 };

    poet_synth_options options = poet_synth_defaults();
    poet_synth_scene *scenes = malloc(N * sizeof *scenes);
    CHECK_OK(poet_synth_prompts(POET_SYNTH_SHAPES, 1, POET_SPLIT_UNSEEN, &options, N, scenes));
    for (int i = 0; i < N; i++)
        for (int k = 0; k < i; k++)
            if (strcmp(scenes[i].caption, scenes[k].caption) == 0)
                CHECK(false);
    free(scenes);
    poet_synth_set set;
    CHECK_OK(poet_synth_find("street", &set));
    CHECK_INT(set, POET_SYNTH_STREET);
    CHECK_FAILS(poet_synth_find("cats", &set), POET_ERR_ARG, "no set \"cats\"");
}

static void write_file(const char *path, const unsigned char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(bytes, 1, size, file) == size);
    fclose(file);
}

/* Ten glyphs of 4x4, glyph d full of ink 25 * d + 20. */
static void test_glyphs(void)
{
    char images[64], labels[64];
    snprintf(images, sizeof images, "/tmp/poet-images-%d", (int)getpid());
    snprintf(labels, sizeof labels, "/tmp/poet-labels-%d", (int)getpid());
    unsigned char image[16 + 160] = {0, 0, 8, 3, 0, 0, 0, 10, 0, 0, 0, 4, 0, 0, 0, 4};
    unsigned char label[8 + 10] = {0, 0, 8, 1, 0, 0, 0, 10};
    for (int i = 0; i < 160; i++)
        image[16 + i] = (unsigned char)(25 * (i / 16) + 20);
    for (int i = 0; i < 10; i++)
        label[8 + i] = (unsigned char)(9 - i);
    write_file(images, image, sizeof image);
    write_file(labels, label, sizeof label);
    poet_glyphs glyphs;
    CHECK_OK(poet_glyphs_open(images, labels, &glyphs));
    CHECK_INT(glyphs.index[glyphs.first[3]], 6);
    poet_synth_options options = poet_synth_defaults();
    options.glyphs = &glyphs;
    options.digits = 1;
    poet_synth_scene scene;
    poet_clip clip;
    CHECK_OK(poet_synth_clip(POET_SYNTH_DIGITS, 1, 0, POET_SPLIT_TRAIN, &options, &clip, &scene));
    poet_synth_spot spot = poet_synth_place(&scene, 0, 0);
    CHECK_INT(clip.pixels[3 * ((int)spot.y * 64 + (int)spot.x)],
              25 * (9 - scene.value[POET_DIGITS_DIGIT]) + 20);
    poet_clip_free(&clip);
    poet_glyphs_close(&glyphs);
    write_file(images, image, 100);
    CHECK_FAILS(poet_glyphs_open(images, labels, &glyphs), POET_ERR_FORMAT, "truncated");
    CHECK_FAILS(poet_glyphs_open(labels, images, &glyphs), POET_ERR_FORMAT, "not an IDX file");
    CHECK_FAILS(poet_glyphs_open("/nowhere", labels, &glyphs), POET_ERR_IO, "/nowhere");
    unlink(images);
    unlink(labels);
}

int main(void)
{
    size_t before = poet_memory_get_stats().blocks;
    test_determinism();
    test_splits();
    test_shares();
    test_captions();
    test_readme_sentence();
    test_sizes();
    test_track();
    test_json();
    test_prompts();
    test_glyphs();
    CHECK_INT(poet_memory_get_stats().blocks, before);
    return CHECK_RESULT();
}

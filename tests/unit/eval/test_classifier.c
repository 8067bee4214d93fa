/* The trained reader: which attributes it takes, learning, files, resuming, and how shares are counted. */
#include "base/file.h"
#include "codec/png.h"
#include "compute/backend.h"
#include "datasets/import.h"
#include "eval/classifier_internal.h"
#include "tests/support/check.h"
#include "tokenizer/tokenizer.h"

#include <stdlib.h>
#include <unistd.h>

static char root[] = "/tmp/poet-reader-XXXXXX";

/* root/name, in one of a few buffers. */
static const char *in_root(const char *name)
{
    static char buffer[4][256];
    static int next;
    char *path = buffer[next++ % 4];
    snprintf(path, sizeof buffer[0], "%s/%s", root, name);
    return path;
}

static poet_dataset *open_shapes(int train, int heldout)
{
    poet_dataset *dataset;
    poet_dataset_options options = {.t = 5,
                                    .h = 32,
                                    .w = 32,
                                    .seed = 1,
                                    .train_clips = (uint64_t)train,
                                    .heldout_clips = (uint64_t)heldout};
    CHECK_OK(poet_dataset_open("synth:shapes", &options, &dataset));
    return dataset;
}

static poet_classifier *create(poet_device *device, const poet_dataset *dataset, const char *names)
{
    poet_classifier *reader;
    poet_clip shape = poet_dataset_geometry(dataset);
    poet_classifier_config config = {.t = shape.t, .h = shape.h, .w = shape.w, .width = 8};
    CHECK_OK(poet_attribute_list_collect(dataset, names, NULL, &config.attributes));
    CHECK_OK(poet_classifier_create(device, &config, 1, &reader));
    CHECK_INT(config.attributes.count, 0);
    return reader;
}

static poet_classifier_training training_of(const poet_dataset *dataset, int64_t steps)
{
    poet_classifier_training r = poet_classifier_training_defaults();
    r.dataset = dataset;
    r.b = 16;
    r.train.optim.steps = steps;
    r.train.optim.warmup = 5;
    r.train.optim.rate = 3e-3F;
    r.train.optim.muon_rate = 0.02F;
    r.train.save_seconds = 1e9;
    return r;
}

/* ---- attributes ---- */

/* Pictures whose attributes are of every JSON type, and more with a number of their own. */
static poet_dataset *import_pictures(void)
{
    const int described = 4, numbered = POET_MAX_VALUES + 2;
    static const char lines[] =
        "{\"file\":\"0.png\",\"caption\":\"a\",\"split\":\"train\",\"attributes\":"
        "{\"kind\":\"tree\",\"night\":true,\"n\":1,\"hat\":null,\"at\":[1],\"same\":\"x\"}}\n"
        "{\"file\":\"1.png\",\"caption\":\"a\",\"split\":\"train\",\"attributes\":"
        "{\"kind\":\"car\",\"night\":false,\"n\":2,\"hat\":\"red\",\"at\":{\"x\":1}}}\n"
        "{\"file\":\"2.png\",\"caption\":\"a\",\"split\":\"train\",\"attributes\":"
        "{\"kind\":\"tree\",\"hat\":\"blue\",\"same\":\"x\",\"night\":7}}\n"
        "{\"file\":\"3.png\",\"caption\":\"a\",\"split\":\"heldout\",\"attributes\":"
        "{\"kind\":\"boat\",\"night\":true}}\n";
    poet_dataset *dataset;
    poet_import_options options = poet_import_defaults();
    options.t = 5;
    options.h = options.w = 16;
    CHECK_OK(poet_make_directory(in_root("in")));
    for (int i = 0; i < described + numbered; i++) {
        uint8_t pixels[16 * 16 * 3];
        char name[16];
        memset(pixels, 3 * i, sizeof pixels);
        snprintf(name, sizeof name, "in/%d.png", i);
        CHECK_OK(poet_png_write(in_root(name), pixels, 16, 16, NULL, 0));
    }
    FILE *file = fopen(in_root("in/captions.jsonl"), "wb");
    CHECK(file && fputs(lines, file) >= 0);
    for (int i = described; file && i < described + numbered; i++)
        fprintf(file,
                "{\"file\":\"%d.png\",\"caption\":\"a\",\"split\":\"train\",\"attributes\":"
                "{\"id\":\"%d\"}}\n",
                i, i);
    CHECK(file && fclose(file) == 0);
    CHECK_OK(poet_import(in_root("in"), in_root("data"), &options, NULL, NULL));
    CHECK_OK(poet_dataset_open(in_root("data"), NULL, &dataset));
    return dataset;
}

static void check_attribute(const poet_attribute_list *list, const char *name, const char *first,
                            const char *second)
{
    int i = poet_attribute_list_find(list, name, strlen(name));
    CHECK(i >= 0);
    if (i >= 0) {
        CHECK_INT(list->item[i].count, 2);
        CHECK_STR(list->item[i].value[0], first);
        CHECK_STR(list->item[i].value[1], second);
    }
}

static void test_collect(void)
{
    poet_dataset *dataset = import_pictures();
    poet_attribute_list list;
    int32_t label[POET_MAX_ATTRIBUTES];
    uint32_t bits;
    CHECK_OK(poet_attribute_list_collect(dataset, NULL, NULL, &list));
    /* Numbers, lists and objects cannot be read, "same" has one value, "id" too many. */
    CHECK_INT(list.count, 3);
    check_attribute(&list, "kind", "car", "tree");
    check_attribute(&list, "night", "false", "true");
    check_attribute(&list, "hat", "blue", "red");
    CHECK_FAILS(poet_attribute_list_select(&list, "kind,colour", &bits), POET_ERR_ARG,
                "no attribute \"colour\"");
    poet_attribute_list_free(&list);

    CHECK_OK(poet_attribute_list_collect(dataset, "night,kind", NULL, &list));
    CHECK_INT(list.count, 2);
    CHECK_STR(list.item[1].name, "kind");
    CHECK_OK(poet_attribute_list_select(&list, "kind", &bits));
    CHECK_INT(bits, 2);
    poet_attribute_labels(&list, "{\"night\":true,\"kind\":\"tree\"}", label);
    CHECK(label[0] == 1 && label[1] == 1);
    poet_attribute_labels(&list, "{\"night\":null,\"kind\":\"boat\"}", label);
    CHECK(label[0] == POET_UNSTATED && label[1] == POET_UNKNOWN);
    poet_attribute_labels(&list, "not JSON", label);
    CHECK(label[0] == POET_UNSTATED && label[1] == POET_UNSTATED);
    poet_attribute_list_free(&list);

    CHECK_FAILS(poet_attribute_list_collect(dataset, "kind,n", NULL, &list), POET_ERR_ARG,
                "\"n\" has 0 values");
    CHECK_FAILS(poet_attribute_list_collect(dataset, "id", NULL, &list), POET_ERR_ARG,
                "\"id\" has more than 64 values");
    CHECK_FAILS(poet_attribute_list_collect(dataset, "same", NULL, &list), POET_ERR_ARG,
                "\"same\" has 1 values");
    CHECK_FAILS(poet_attribute_list_collect(dataset, "kind,kind", NULL, &list), POET_ERR_ARG,
                "named twice");
    poet_dataset_close(dataset);
}

/* ---- counting ---- */

/* By hand: three clips, of which the second leaves colour open and the third asks for what the reader has never seen. */
static void test_score(poet_device *device)
{
    poet_dataset *dataset = open_shapes(60, 1);
    poet_classifier *reader = create(device, dataset, "colour,shape");
    poet_classifier_score score = {0}, colour = {0};
    const int32_t label[3][2] = {{3, 4}, {POET_UNSTATED, 5}, {2, POET_UNKNOWN}};
    const int32_t value[3][2] = {{3, 1}, {0, 5}, {2, 0}};
    for (int i = 0; i < 3; i++) {
        poet_classifier_score_add(reader, UINT32_MAX, value[i], label[i], &score);
        poet_classifier_score_add(reader, 1, value[i], label[i], &colour);
    }
    CHECK(score.all.right == 1 && score.all.total == 3);
    CHECK(score.attribute[0].right == 2 && score.attribute[0].total == 2);
    CHECK(score.attribute[1].right == 1 && score.attribute[1].total == 3);
    CHECK(colour.all.right == 2 && colour.all.total == 2);
    CHECK(colour.attribute[1].right == 1 && colour.attribute[1].total == 3);
    poet_classifier_destroy(reader);
    poet_dataset_close(dataset);
}

/* ---- learning, files ---- */

static double share(const poet_share *s)
{
    return (double)s->right / (double)s->total;
}

static void test_file(poet_device *device, poet_classifier *reader, const poet_dataset *dataset)
{
    poet_classifier *loaded;
    poet_classifier_score a, b;
    uint64_t ours, theirs;
    const char *path = in_root("reader.safetensors");
    CHECK_OK(poet_classifier_save(reader, path, false));
    CHECK_OK(poet_classifier_load(device, path, &loaded));
    CHECK_OK(poet_params_fingerprint(poet_classifier_params(reader), &ours));
    CHECK_OK(poet_params_fingerprint(poet_classifier_params(loaded), &theirs));
    CHECK(ours == theirs);
    const poet_classifier_config *c = poet_classifier_get_config(loaded);
    CHECK(c->t == 5 && c->h == 32 && c->w == 32 && c->width == 8);
    CHECK_INT(c->attributes.count, 2);
    CHECK_STR(c->attributes.item[0].name, "background");
    CHECK_STR(c->attributes.item[0].value[0], "black");
    CHECK_OK(poet_classifier_accuracy(reader, dataset, POET_SPLIT_SEEN, 20, 1, NULL, NULL, "read",
                                      NULL, &a));
    CHECK_OK(poet_classifier_accuracy(loaded, dataset, POET_SPLIT_SEEN, 20, 1, NULL, NULL, "read",
                                      NULL, &b));
    CHECK(memcmp(&a, &b, sizeof a) == 0);
    poet_classifier_destroy(loaded);
}

static void test_learning(poet_device *device)
{
    poet_dataset *dataset = open_shapes(400, 64);
    poet_classifier *reader = create(device, dataset, "background,colour");
    poet_classifier_training r = training_of(dataset, 150);
    poet_classifier_score score;
    poet_memory memory;
    CHECK_OK(poet_classifier_train(reader, &r, &memory));
    CHECK(memory.params > 0 && memory.activations > 0);
    CHECK_OK(poet_classifier_accuracy(reader, dataset, POET_SPLIT_SEEN, 1000, UINT32_MAX, NULL,
                                      NULL, "read", NULL, &score));
    fprintf(stderr, "background %.2f, colour %.2f\n", share(&score.attribute[0]),
            share(&score.attribute[1]));
    CHECK_INT(score.all.total, 64);
    CHECK(share(&score.attribute[0]) > 0.5); /* chance is 1/8 */
    CHECK(share(&score.attribute[1]) > 0.3);

    poet_clip clip;
    int32_t value[POET_MAX_ATTRIBUTES];
    CHECK_OK(poet_clip_create(5, 32, 16, 8, &clip));
    CHECK_FAILS(poet_classifier_read(reader, &clip, value), POET_ERR_MISMATCH,
                "clips of 5 frames of 16x32, but the reader is for 5 of 32x32");
    poet_clip_free(&clip);
    test_file(device, reader, dataset);
    poet_classifier_destroy(reader);
    poet_dataset_close(dataset);
}

enum { SIDE = 32, SPOT = 16, BRIGHT = 200 };

/* What became of a bright pixel in the middle of a dark frame: where most of it is, how bright, and the sum of all. */
static int spot_after(uint64_t number, int *x, int *y, int *sum)
{
    const poet_classifier_config config = {.t = 1, .h = SIDE, .w = SIDE};
    uint8_t before[SIDE * SIDE * 3] = {0}, after[SIDE * SIDE * 3];
    int peak = 0;
    memset(before + (size_t)(SPOT * SIDE + SPOT) * 3, BRIGHT, 3);
    poet_classifier_augment(&config, 1, number, before, after);
    *sum = 0;
    for (int i = 0; i < SIDE * SIDE; i++) {
        CHECK(after[3 * i] == after[3 * i + 1] && after[3 * i] == after[3 * i + 2]);
        *sum += after[3 * i];
        if (after[3 * i] > peak) {
            peak = after[3 * i];
            *x = i % SIDE;
            *y = i / SIDE;
        }
    }
    return peak;
}

/* A spot moves by two pixels at most; in about two clips of five it is spread, by one to four passes: its peak is then the
 * middle of a binomial squared, and nothing is lost but roundings. */
static void test_augment(void)
{
    enum { CLIPS = 200 };

    static const int peak[] = {BRIGHT, 50, 28, 19, 15}; /* 200 (C(2n,n) / 4^n)^2 */
    int seen[5] = {0}, moved = 0;
    for (uint64_t i = 0; i < CLIPS; i++) {
        int x, y, sum, blurs = 0;
        int bright = spot_after(i, &x, &y, &sum);
        while (blurs < 4 && abs(bright - peak[blurs]) > 2)
            blurs++;
        CHECK(abs(bright - peak[blurs]) <= 2);
        CHECK(abs(sum - BRIGHT) <= BRIGHT / 4);
        CHECK(abs(x - SPOT) <= 2 && abs(y - SPOT) <= 2);
        moved += x != SPOT || y != SPOT;
        seen[blurs]++;
    }
    CHECK(seen[0] > CLIPS * 45 / 100 && seen[0] < CLIPS * 75 / 100);
    CHECK(seen[1] && seen[2] && seen[3] && seen[4]);
    CHECK(moved > CLIPS * 3 / 4);
}

/* Sides that do not halve to the end are filled up. */
static void test_odd_sides(poet_device *device)
{
    static const int sides[][2] = {{20, 28}, {5, 9}, {1, 1}};
    poet_dataset *dataset = open_shapes(60, 1);
    for (int i = 0; i < 3; i++) {
        poet_classifier_config config = {.t = 1, .h = sides[i][0], .w = sides[i][1], .width = 8};
        poet_classifier *reader;
        poet_clip clip;
        int32_t value[POET_MAX_ATTRIBUTES] = {-1};
        CHECK_OK(poet_attribute_list_collect(dataset, "shape", NULL, &config.attributes));
        CHECK_OK(poet_classifier_create(device, &config, 1, &reader));
        CHECK_OK(poet_clip_create(1, sides[i][0], sides[i][1], 8, &clip));
        CHECK_OK(poet_classifier_read(reader, &clip, value));
        CHECK(value[0] >= 0 && value[0] < 8);
        poet_clip_free(&clip);
        poet_classifier_destroy(reader);
    }
    poet_dataset_close(dataset);
}

/* A file with some configuration and no weights. */
static void save_config(poet_device *device, const char *path, const char *text)
{
    poet_params *params;
    poet_pair pair = {"reader.config", text};
    poet_save_options options = {.pairs = &pair, .n_pairs = 1};
    CHECK_OK(poet_params_create(device, 1, &params));
    CHECK_OK(poet_checkpoint_save(path, params, &options));
    poet_params_destroy(params);
}

static void test_refused(poet_device *device)
{
    static const char *const broken[] = {
        "{}", "nothing",
        "{\"frames\":5,\"height\":16,\"width\":16,\"channels\":8,\"attributes\":[]}",
        "{\"frames\":5,\"height\":16,\"width\":16,\"channels\":8,\"attributes\":"
        "[{\"name\":\"a\",\"values\":[\"b\"]}]}",
        "{\"frames\":5,\"height\":16,\"width\":16,\"channels\":8,\"attributes\":"
        "[{\"name\":\"a\",\"values\":[\"b\",7]}]}"};
    const char *path = in_root("other.safetensors");
    poet_classifier *reader;
    poet_tokenizer *tokenizer;
    poet_tokenizer_config config = poet_tokenizer_defaults();
    config.width = 8;
    CHECK_OK(poet_tokenizer_create(device, &config, 1, &tokenizer));
    CHECK_OK(poet_tokenizer_save(tokenizer, path, false, NULL, 0));
    poet_tokenizer_destroy(tokenizer);
    CHECK_FAILS(poet_classifier_load(device, path, &reader), POET_ERR_FORMAT,
                "other.safetensors: is not a reader of attributes");
    CHECK(reader == NULL);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        save_config(device, path, broken[i]);
        CHECK_FAILS(poet_classifier_load(device, path, &reader), POET_ERR_FORMAT, "cannot be read");
    }
    static const char whole[] =
        "{\"frames\":%d,\"height\":16,\"width\":16,\"channels\":%d,\"attributes\":"
        "[{\"name\":\"a\",\"values\":[\"b\",\"c\"]}]}";
    char text[256];
    snprintf(text, sizeof text, whole, 6, 8);
    save_config(device, path, text);
    CHECK_FAILS(poet_classifier_load(device, path, &reader), POET_ERR_ARG, "1+4n");
    snprintf(text, sizeof text, whole, 5, 12);
    save_config(device, path, text);
    CHECK_FAILS(poet_classifier_load(device, path, &reader), POET_ERR_ARG, "multiple of 8");
    snprintf(text, sizeof text, whole, 5, 8);
    save_config(device, path, text);
    CHECK_FAILS(poet_classifier_load(device, path, &reader), POET_ERR_MISMATCH, "lacks the tensor");
    CHECK_FAILS(poet_classifier_load(device, in_root("in/0.png"), &reader), POET_ERR_FORMAT,
                "0.png");
}

/* A vector of each clip, of a network that reads nothing too; a reader's is the same after saving and loading. */
static void test_features(poet_device *device)
{
    enum { COUNT = 40 };

    poet_dataset *dataset = open_shapes(4, 1);
    poet_clip shape = poet_dataset_geometry(dataset);
    poet_classifier_config config = {.t = shape.t, .h = shape.h, .w = shape.w, .width = 8};
    poet_classifier *networks[3];
    float features[3][2][COUNT];
    int32_t value[1];
    CHECK_OK(poet_classifier_create(device, &config, 1, &networks[0]));
    networks[1] = create(device, dataset, "colour");
    CHECK_OK(poet_classifier_save(networks[1], in_root("features.safetensors"), false));
    CHECK_OK(poet_classifier_load(device, in_root("features.safetensors"), &networks[2]));
    for (int k = 0; k < 3; k++) {
        CHECK_INT(poet_classifier_feature_count(networks[k]), COUNT);
        for (int i = 0; i < 2; i++) {
            poet_example example;
            CHECK_OK(poet_dataset_read(dataset, POET_SPLIT_TRAIN, (uint64_t)i, &example));
            CHECK_OK(poet_classifier_features(networks[k], &example.clip, features[k][i]));
            CHECK_OK(k ? poet_classifier_read(networks[k], &example.clip, value) : POET_OK);
            poet_example_free(&example);
        }
        CHECK(memcmp(features[k][0], features[k][1], sizeof features[k][0]) != 0);
        for (int j = 0; j < COUNT; j++)
            CHECK(isfinite((double)features[k][0][j]));
    }
    CHECK(memcmp(features[1], features[2], sizeof features[1]) == 0);
    poet_clip other = {.t = 5, .h = 16, .w = 16};
    CHECK_FAILS(poet_classifier_features(networks[0], &other, features[0][0]), POET_ERR_MISMATCH,
                "16x16");
    for (int k = 0; k < 3; k++)
        poet_classifier_destroy(networks[k]);
    poet_dataset_close(dataset);
}

static bool stop_at_once(void *user)
{
    (void)user;
    return true;
}

/* Stopped after every step and started again from the file, a run ends with equal bits. */
static void test_resume(poet_device *device)
{
    poet_dataset *dataset = open_shapes(30, 1);
    const char *path = in_root("checkpoint");
    poet_task stop = {.stop = stop_at_once};
    poet_classifier *straight = create(device, dataset, "colour"), *parts = NULL;
    poet_classifier_training r = training_of(dataset, 4);
    uint64_t a, b = 0;
    CHECK_OK(poet_classifier_train(straight, &r, NULL));
    CHECK_OK(poet_params_fingerprint(poet_classifier_params(straight), &a));
    r.train.task = &stop;
    r.train.checkpoint = path;
    for (int i = 0; i < 4; i++) {
        poet_classifier_destroy(parts);
        parts = create(device, dataset, "colour");
        CHECK_INT(poet_classifier_train(parts, &r, NULL), i < 3 ? POET_ERR_INTERRUPTED : POET_OK);
    }
    CHECK_OK(poet_params_fingerprint(poet_classifier_params(parts), &b));
    CHECK(a == b);
    poet_classifier_destroy(parts);
    parts = create(device, dataset, "shape");
    CHECK_FAILS(poet_classifier_train(parts, &r, NULL), POET_ERR_MISMATCH, "was trained with");
    poet_classifier_destroy(parts);
    poet_classifier_destroy(straight);
    poet_dataset_close(dataset);
}

int main(void)
{
    poet_device *device;
    if (!mkdtemp(root))
        return 1;
    CHECK_OK(poet_device_open(poet_backend_cpu(), 0, 0, &device));
    test_collect();
    test_score(device);
    test_learning(device);
    test_augment();
    test_odd_sides(device);
    test_refused(device);
    test_resume(device);
    test_features(device);
    poet_device_close(device);
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", root);
    CHECK_INT(system(command), 0);
    return CHECK_RESULT();
}

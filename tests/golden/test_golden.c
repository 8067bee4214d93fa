/* golden.models FOLDER: both models, whole, against what golden.py computed from the same weights. */
#include "base/memory.h"
#include "compute/backend.h"
#include "generator/generator_internal.h"
#include "tests/support/check.h"

#include <stdlib.h>

/* Of f32 against f64: several times what is seen, far below what a wrong term does. */
static const double pixel_bound = 0.002, logit_bound = 2e-5, bits_bound = 1e-6;

typedef struct golden {
    poet_device *device;
    poet_tokenizer *tokenizer;
    poet_generator *generator;
    poet_checkpoint *expected;
} golden;

/* An empty tensor, and a failed check, when there is none of that name. */
static poet_tensor expected(const golden *it, const char *name)
{
    for (int i = 0; i < poet_checkpoint_count(it->expected); i++)
        if (strcmp(poet_checkpoint_name(it->expected, i), name) == 0)
            return *poet_checkpoint_tensor(it->expected, i);
    fprintf(stderr, "the fixtures have no %s\n", name);
    CHECK(false);
    return (poet_tensor){.shape = {.ndim = 1}};
}

static poet_tensor expected_of(const golden *it, int clip, const char *what)
{
    char name[64];
    snprintf(name, sizeof name, "clip%d.%s", clip, what);
    return expected(it, name);
}

static double expected_number(const golden *it, const char *key)
{
    const char *value = poet_checkpoint_value(it->expected, key);
    CHECK(value);
    return value ? strtod(value, NULL) : 0;
}

static const char *caption(const golden *it, int64_t i)
{
    char key[32];
    snprintf(key, sizeof key, "caption.%d", (int)i);
    const char *text = poet_checkpoint_value(it->expected, key);
    CHECK(text);
    return text ? text : "";
}

static void check_ints(const char *what, const int32_t *found, const poet_tensor *wanted)
{
    int64_t count = poet_tensor_count(wanted), wrong = 0, first = -1;
    CHECK(count > 0);
    for (int64_t i = 0; i < count; i++)
        if (found[i] != poet_get_int(wanted, i)) {
            first = first < 0 ? i : first;
            wrong++;
        }
    if (wrong)
        fprintf(stderr, "%s: %d of %d differ, the first at %d\n", what, (int)wrong, (int)count,
                (int)first);
    CHECK_INT(wrong, 0);
}

/* Prints the largest difference: how far away the bound is. */
static void check_reals(const char *what, const float *found, const poet_tensor *wanted,
                        double bound)
{
    double worst = 0;
    int64_t count = poet_tensor_count(wanted), wrong = 0;
    CHECK(count > 0);
    for (int64_t i = 0; i < count; i++) {
        double off = fabs((double)found[i] - poet_get(wanted, i));
        worst = fmax(worst, off);
        wrong += !(off <= bound); /* a NaN too */
    }
    fprintf(stderr, "%s: off by %.2g\n", what, worst);
    CHECK_INT(wrong, 0);
}

/* ---- tokenizer ---- */

static void test_encode(const golden *it, int clip)
{
    poet_tensor frames = expected_of(it, clip, "frames"), codes = expected_of(it, clip, "codes");
    const int64_t *dim = frames.shape.dim;
    int32_t *found = poet_alloc(poet_tensor_bytes(&codes));
    CHECK_OK(poet_tokenizer_encode(it->tokenizer, frames.data, (int)dim[0], (int)dim[1],
                                   (int)dim[2], found));
    check_ints("codes", found, &codes);
    poet_free(found);
}

/* Values before rounding are known, so a byte may be off by a half and the rounding of f32. */
static void test_decode(const golden *it, int clip)
{
    poet_tensor frames = expected_of(it, clip, "frames"), codes = expected_of(it, clip, "codes");
    poet_tensor pixels = expected_of(it, clip, "pixels");
    int64_t stride = (int64_t)expected_number(it, "stride"), count = poet_tensor_count(&pixels);
    poet_grid grid = {(int)codes.shape.dim[0], (int)codes.shape.dim[1], (int)codes.shape.dim[2],
                      (int)codes.shape.dim[3]};
    uint8_t *found = poet_alloc(poet_tensor_bytes(&frames));
    double worst = 0;
    CHECK((count - 1) * stride < poet_tensor_count(&frames));
    CHECK_OK(poet_tokenizer_decode(it->tokenizer, codes.data, &grid, found));
    for (int64_t i = 0; i < count; i++) {
        double wanted = fmin(fmax(poet_get(&pixels, i), 0), 255);
        worst = fmax(worst, fabs((double)found[i * stride] - wanted));
    }
    fprintf(stderr, "pixels: off by %.4f\n", worst);
    CHECK_CLOSE(worst, 0, 0.5 + pixel_bound);
    poet_free(found);
}

/* ---- generator ---- */

static void test_text(const golden *it, int room)
{
    char name[32];
    snprintf(name, sizeof name, "text.%d", room);
    poet_tensor text = expected(it, name);
    const poet_bpe *bpe = poet_generator_bpe(it->generator);
    int32_t *found = poet_alloc(poet_tensor_bytes(&text));
    for (int64_t i = 0; i < text.shape.dim[0]; i++) {
        poet_bpe_encoded encoded;
        const char *of = caption(it, i);
        CHECK_OK(poet_bpe_encode(bpe, of, strlen(of), POET_BPE_TRUNCATE, found + i * room, room,
                                 &encoded));
    }
    check_ints(name, found, &text);
    poet_free(found);
}

static void test_score(const golden *it)
{
    enum { MOST = 8 };

    poet_tensor codes = expected(it, "scored.codes"), wanted = expected(it, "scored.bits");
    int n = (int)codes.shape.dim[0];
    const char *captions[MOST];
    double bits[MOST];
    CHECK(n <= MOST && n == wanted.shape.dim[0]);
    for (int i = 0; i < n && i < MOST; i++)
        captions[i] = caption(it, i);
    CHECK_OK(poet_generator_score(it->generator, n, codes.data, captions, bits));
    for (int i = 0; i < n; i++) {
        double right = poet_get(&wanted, i);
        fprintf(stderr, "bits: %.4f, off by %.2g\n", bits[i], fabs(bits[i] - right));
        CHECK_CLOSE(bits[i], right, bits_bound * right);
    }
}

/* Logits of scored clip 0 as if every group were written: slots (N,S,K), keep (N,2). */
static void teacher_forced(const golden *it, float *slots, float *keep)
{
    poet_generator *m = it->generator;
    poet_generator_config c = *poet_generator_get_config(m);
    int64_t n = poet_generator_groups(&c), s = poet_generator_slots(&c);
    poet_graph *g = poet_graph_create(m->params);
    poet_val ids = poet_input(g, "ids", POET_I32, POET_SHAPE(1, c.text));
    poet_val lengths = poet_input(g, "lengths", POET_I32, POET_SHAPE(1));
    poet_group_inputs groups = poet_model_group_inputs(g, &c, 1, n, n);
    poet_val before = poet_input(g, "slots", POET_I32, POET_SHAPE(n, s));
    poet_input(g, "targets", POET_I32, POET_SHAPE(n, s));
    poet_val states = poet_model_states(g, &c, ids, lengths, &groups);
    poet_val rows = poet_reshape(g, states, POET_SHAPE(n, c.width));
    poet_result(g, "logits", poet_model_slots(g, &c, rows, groups.around, before, NULL));
    poet_result(g, "keeping", poet_model_keep(g, states));
    poet_program *program;
    poet_sequence_batch batch;
    CHECK_OK(poet_program_create(g, &program));
    CHECK_OK(poet_sequence_batch_create(&c, 1, (int)n, &batch));
    CHECK_OK(poet_sequence_batch_fill(m, &batch, 0, expected(it, "scored.codes").data,
                                      caption(it, 0), 0, NULL));
    c.keep = false; /* its inputs belong to the loss */
    CHECK_OK(poet_sequence_batch_set(&c, &batch, program));
    CHECK_OK(poet_program_run(program));
    CHECK_OK(poet_program_get_by_name(program, "logits", slots,
                                      (size_t)(n * s * c.codes) * sizeof *slots));
    CHECK_OK(poet_program_get_by_name(program, "keeping", keep, (size_t)(n * 2) * sizeof *keep));
    poet_sequence_batch_free(&batch);
    poet_program_destroy(program);
}

static void test_logits(const golden *it)
{
    poet_tensor keep = expected(it, "logits.keep"), slots = expected(it, "logits.slots");
    poet_tensor groups = expected(it, "logits.groups");
    const poet_generator_config *c = poet_generator_get_config(it->generator);
    int64_t n = poet_generator_groups(c), group = (int64_t)poet_generator_slots(c) * c->codes;
    float *found = poet_alloc((size_t)(n * group) * sizeof *found);
    float *shown = poet_alloc(poet_tensor_bytes(&slots)), *keeping = poet_alloc((size_t)n * 8);
    CHECK_INT(poet_tensor_count(&keep), 2 * n);
    CHECK_INT(poet_tensor_count(&slots), group * groups.shape.dim[0]);
    teacher_forced(it, found, keeping);
    for (int64_t i = 0; i < groups.shape.dim[0]; i++)
        memcpy(shown + i * group, found + poet_get_int(&groups, i) * group,
               (size_t)group * sizeof *shown);
    check_reals("logits of slots", shown, &slots, logit_bound);
    check_reals("logits of keeping", keeping, &keep, logit_bound);
    poet_free(keeping);
    poet_free(shown);
    poet_free(found);
}

static void test_write(const golden *it)
{
    enum { MOST = 4 };

    poet_tensor codes = expected(it, "written.codes");
    int n = (int)codes.shape.dim[0], cut = 0;
    const char *prompts[MOST];
    uint64_t seeds[MOST];
    poet_sampling sampling = {.guidance = (float)expected_number(it, "guidance"),
                              .temperature = (float)expected_number(it, "temperature"),
                              .top_p = 1};
    CHECK(n <= MOST);
    for (int i = 0; i < n && i < MOST; i++) {
        prompts[i] = caption(it, i);
        seeds[i] = (uint64_t)expected_number(it, "seed") + (uint64_t)i;
    }
    int32_t *found = poet_alloc(poet_tensor_bytes(&codes));
    CHECK_OK(poet_generator_write(it->generator, n, prompts, seeds, &sampling, NULL, found, &cut));
    check_ints("written", found, &codes);
    poet_free(found);
}

static poet_status load(golden *it, const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/tokenizer.safetensors", folder);
    POET_TRY(poet_tokenizer_load(it->device, path, &it->tokenizer));
    snprintf(path, sizeof path, "%s/generator.safetensors", folder);
    POET_TRY(poet_generator_load(it->device, path, &it->generator));
    snprintf(path, sizeof path, "%s/expected.safetensors", folder);
    return poet_checkpoint_open(path, &it->expected);
}

static void test_backend(const poet_backend *backend, const char *folder)
{
    golden it = {0};
    CHECK_OK(poet_device_open(backend, 0, 2, &it.device));
    poet_status status = load(&it, folder);
    CHECK_OK(status);
    for (int clip = 0; !status && clip < 2; clip++) {
        test_encode(&it, clip);
        test_decode(&it, clip);
    }
    if (!status) {
        test_text(&it, 128);
        test_text(&it, 40);
        test_text(&it, poet_generator_get_config(it.generator)->text);
        test_logits(&it);
        test_score(&it);
        test_write(&it);
    }
    poet_checkpoint_close(it.expected);
    poet_generator_destroy(it.generator);
    poet_tokenizer_destroy(it.tokenizer);
    poet_device_close(it.device);
}

int main(int argc, char **argv)
{
    CHECK_INT(argc, 2);
    if (argc == 2) {
        fprintf(stderr, "ref\n");
        test_backend(poet_backend_ref(), argv[1]);
        fprintf(stderr, "cpu\n");
        test_backend(poet_backend_cpu(), argv[1]);
    }
    return CHECK_RESULT();
}

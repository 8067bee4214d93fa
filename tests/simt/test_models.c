/* A small tokenizer and a small generator on the kernels as host code, and on the CPU in f32 or the reference in bf16: the same
 * losses while they learn, the same codes and pictures from the same weights. */
#include "cuda/backend/cuda_table.h"
#include "generator/generator.h"
#include "tests/support/check.h"
#include "tests/support/clips.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { STEPS = 20, B = 2, T = 5, H = 16, W = 16, PIXELS = T * H * W * 3, CLIPS = 8 };

enum { K = 32, DIM = 6, CODES = 2 * 4 * 4 };

/* How losses are made, and how far they may be apart, relatively. In bf16 both round the same operands: where a sum that comes
 * before differs in its last digits one of them can round the other way, by 2^-9 of itself. */
typedef struct numerics {
    poet_dtype precision;
    double tolerance;
} numerics;

static const numerics in_f32 = {POET_F32, 1e-4}, in_bf16 = {POET_BF16, 1e-3};

static const char *const captions[] = {"a red square moves", "a blue square moves",
                                       "a square over a slope", "nothing but ground"};

enum { CAPTIONS = sizeof captions / sizeof *captions };

typedef struct files {
    char metrics[32], tokenizer[32], generator[32];
} files;

/* ---- losses, step by step ---- */

static void new_name(char name[32])
{
    strcpy(name, "/tmp/poet-simt-XXXXXX");
    close(mkstemp(name));
    unlink(name);
}

/* Of a finished run; its metrics are removed. */
static void read_losses(const char *metrics, double losses[STEPS])
{
    char line[1500];
    int n = 0;
    FILE *f = fopen(metrics, "r");
    CHECK(f != NULL);
    while (f && n < STEPS && fgets(line, sizeof line, f))
        n += sscanf(line, "{\"step\": %*d, \"loss\": %lf", &losses[n]) == 1;
    CHECK_INT(n, STEPS);
    if (f)
        fclose(f);
    unlink(metrics);
}

/* Over the steps from first on in which every clip comes once. */
static double mean_loss(const double losses[STEPS], int first)
{
    double sum = 0;
    for (int i = 0; i < CLIPS / B; i++)
        sum += losses[first + i];
    return sum / (CLIPS / B);
}

static void compare_losses(const char *what, const numerics *how, const double got[STEPS],
                           const double want[STEPS])
{
    double worst = 0, before = mean_loss(want, 0), after = mean_loss(want, STEPS - CLIPS / B);
    for (int i = 0; i < STEPS; i++)
        worst = fmax(worst, fabs(got[i] - want[i]) / fabs(want[i]));
    printf("%s in %s: loss %.5f -> %.5f, greatest relative difference %.1e\n", what,
           poet_dtype_name(how->precision), before, after, worst);
    CHECK(worst <= how->tolerance);
    CHECK(after < before);
}

static void set_run(poet_train_config *train, const numerics *how, const char *metrics)
{
    train->precision = how->precision;
    train->optim.steps = STEPS;
    train->optim.warmup = 4;
    train->log_steps = 1;
    train->metrics = metrics;
}

/* ---- the tokenizer ---- */

static poet_status next_clips(void *opaque, int64_t step, int b, uint8_t *frames)
{
    (void)opaque;
    for (int i = 0; i < b; i++)
        support_draw_clip((uint64_t)(step * b + i) % CLIPS, T, H, W, frames + (size_t)i * PIXELS);
    return POET_OK;
}

static void train_tokenizer(poet_device *device, const numerics *how, files *at,
                            double losses[STEPS])
{
    poet_tokenizer_config c = poet_tokenizer_defaults();
    c.codes = K;
    c.dim = DIM;
    c.width = 16;
    c.encoder_blocks = c.decoder_blocks = 1;
    poet_tokenizer_training r = poet_tokenizer_training_defaults();
    r.b = B;
    r.t = T;
    r.h = H;
    r.w = W;
    r.start_clips = CLIPS;
    r.clips = next_clips;
    set_run(&r.train, how, at->metrics);
    poet_tokenizer *t;
    CHECK_OK(poet_tokenizer_config_check(&c));
    CHECK_OK(poet_tokenizer_create(device, &c, 1, &t));
    CHECK_OK(poet_tokenizer_train(t, &r, NULL));
    CHECK_OK(poet_tokenizer_save(t, at->tokenizer, false, NULL, 0));
    poet_tokenizer_destroy(t);
    read_losses(at->metrics, losses);
}

/* ---- the generator ---- */

typedef struct material {
    int32_t codes[CLIPS][CODES];
    float vectors[K * DIM];
    uint64_t fingerprint;
    poet_grid grid;
} material;

static void encode_clips(poet_device *device, const char *tokenizer, material *out)
{
    uint8_t frames[PIXELS];
    poet_tokenizer *t;
    CHECK_OK(poet_tokenizer_load(device, tokenizer, &t));
    CHECK_OK(poet_tokenizer_grid(poet_tokenizer_get_config(t), T, H, W, &out->grid));
    CHECK_INT(poet_grid_codes(&out->grid), CODES);
    CHECK_OK(poet_tokenizer_vectors(t, out->vectors));
    CHECK_OK(poet_tokenizer_fingerprint(t, &out->fingerprint));
    for (int i = 0; i < CLIPS; i++) {
        support_draw_clip((uint64_t)i, T, H, W, frames);
        CHECK_OK(poet_tokenizer_encode(t, frames, T, H, W, out->codes[i]));
    }
    poet_tokenizer_destroy(t);
}

static poet_status next_tokens(void *opaque, int64_t step, int b, int32_t *codes, const char **text)
{
    const material *m = opaque;
    for (int i = 0; i < b; i++) {
        int64_t clip = (step * b + i) % CLIPS;
        memcpy(codes + (size_t)i * CODES, m->codes[clip], sizeof m->codes[clip]);
        text[i] = captions[clip % CAPTIONS];
    }
    return POET_OK;
}

static poet_generator *new_generator(poet_device *device, const material *m)
{
    poet_bpe *bpe;
    poet_bpe_options options = {.size = 300, .fold_case = true};
    poet_generator_config c = poet_generator_defaults();
    poet_generator *g;
    c.codes = K;
    c.code_dim = DIM;
    c.grid = m->grid;
    c.fps = 8;
    c.text = 16;
    c.width = 32;
    c.layers = c.slot_layers = 1;
    c.slot_width = 16;
    c.slot_heads = 2;
    CHECK_OK(poet_bpe_train(captions, CAPTIONS, &options, &bpe));
    c.vocabulary = poet_bpe_size(bpe);
    CHECK_OK(poet_generator_create(device, &c, bpe, m->vectors, m->fingerprint, 2, &g));
    return g;
}

static void train_generator(poet_device *device, const numerics *how, material *m, files *at,
                            double losses[STEPS])
{
    poet_generator_training r = poet_generator_training_defaults();
    poet_generator *g = new_generator(device, m);
    r.b = B;
    r.tokens = next_tokens;
    r.opaque = m;
    set_run(&r.train, how, at->metrics);
    CHECK_OK(poet_generator_train(g, &r, NULL));
    CHECK_OK(poet_generator_save(g, at->generator, false, NULL, 0));
    poet_generator_destroy(g);
    read_losses(at->metrics, losses);
}

/* ---- writing ---- */

typedef struct clip {
    int32_t codes[CODES];
    uint8_t frames[PIXELS];
} clip;

static void write_clips(poet_device *device, const files *at, const poet_sampling *sampling,
                        clip out[B])
{
    int32_t codes[B * CODES];
    uint64_t seeds[B] = {3, 4};
    poet_generator *g;
    poet_tokenizer *t;
    CHECK_OK(poet_generator_load(device, at->generator, &g));
    CHECK_OK(poet_tokenizer_load(device, at->tokenizer, &t));
    poet_grid grid = poet_generator_get_config(g)->grid;
    CHECK_OK(poet_generator_write(g, B, captions, seeds, sampling, NULL, codes, NULL));
    for (int i = 0; i < B; i++) {
        memcpy(out[i].codes, codes + (size_t)i * CODES, sizeof out[i].codes);
        CHECK_OK(poet_tokenizer_decode(t, out[i].codes, &grid, out[i].frames));
    }
    poet_tokenizer_destroy(t);
    poet_generator_destroy(g);
}

/* Bytes may be rounded the other way. */
static void compare_clips(const clip *got, const clip *want)
{
    int codes = 0, greatest = 0;
    for (int i = 0; i < CODES; i++)
        codes += got->codes[i] != want->codes[i];
    for (int i = 0; i < PIXELS; i++)
        greatest = greatest > abs(got->frames[i] - want->frames[i])
                       ? greatest
                       : abs(got->frames[i] - want->frames[i]);
    CHECK_INT(codes, 0);
    CHECK(greatest <= 1);
}

static void compare_writing(poet_device *simt, poet_device *cpu, const files *at)
{
    static const poet_sampling samplings[] = {
        {1, 0, 0, 1, 0, 0}, {1, 1, 0, 1, 0, 0}, {2.5F, 0.9F, 12, 0.9F, 0.02F, 0}};
    static clip got[B], want[B];
    for (size_t i = 0; i < sizeof samplings / sizeof *samplings; i++) {
        write_clips(simt, at, &samplings[i], got);
        write_clips(cpu, at, &samplings[i], want);
        for (int k = 0; k < B; k++)
            compare_clips(&got[k], &want[k]);
    }
}

/* ---- both ---- */

static void remove_models(const files *at)
{
    unlink(at->tokenizer);
    unlink(at->generator);
}

static void test_models(poet_device *simt, poet_device *cpu, const numerics *how)
{
    static material from_simt, from_cpu;
    double got[STEPS] = {0}, want[STEPS] = {0};
    files at;
    new_name(at.metrics);
    new_name(at.tokenizer);
    new_name(at.generator);
    train_tokenizer(simt, how, &at, got);
    train_tokenizer(cpu, how, &at, want);
    compare_losses("tokenizer", how, got, want);
    encode_clips(simt, at.tokenizer, &from_simt);
    encode_clips(cpu, at.tokenizer, &from_cpu);
    CHECK(memcmp(from_simt.codes, from_cpu.codes, sizeof from_cpu.codes) == 0);
    train_generator(simt, how, &from_cpu, &at, got);
    train_generator(cpu, how, &from_cpu, &at, want);
    compare_losses("generator", how, got, want);
    compare_writing(simt, cpu, &at);
    remove_models(&at);
}

/* capability: of the simulated device; a card has its own. */
static void test_on(const char *capability, poet_device *like, const numerics *how)
{
    poet_device *simt;
    setenv("POET_SIMT_CAPABILITY", capability, 1);
    CHECK_OK(poet_device_open(poet_cuda_table(), 0, 1, &simt));
    test_models(simt, like, how);
    poet_device_close(simt);
}

int main(void)
{
    poet_device *cpu, *ref; /* not every processor has bf16 */
    CHECK_OK(poet_device_open(poet_backend_cpu(), 0, 1, &cpu));
    CHECK_OK(poet_device_open(poet_backend_ref(), 0, 1, &ref));
    test_on("120", cpu, &in_f32);
    test_on("120", ref, &in_bf16); /* tensor cores */
    test_on("75", ref, &in_bf16);  /* none for bf16 */
    poet_device_close(ref);
    poet_device_close(cpu);
    return CHECK_RESULT();
}

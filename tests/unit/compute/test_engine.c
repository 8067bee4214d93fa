/* The engine: recording and its errors, gradients of a small model, the memory plan, checkpoints,
 * training and resuming. */
#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "compute/layers.h"
#include "compute/train.h"
#include "tests/support/check.h"

#include <stdlib.h>
#include <unistd.h>

enum { ROWS = 6, IN = 5, HIDDEN = 8, OUT = 3 };

static poet_dtype precision; /* of the products of what is trained */
static char directory[] = "/tmp/poet-engine-XXXXXX";

static char *in_directory(const char *name)
{
    return poet_path_join(directory, name);
}

/* A two-layer model whose loss can be driven to zero. */
static poet_val small_model(poet_graph *g)
{
    poet_linear_options options = {.bias = true, .hidden = true, .init = {POET_INIT_NORMAL, 0}};
    poet_val x = poet_input(g, "x", POET_F32, POET_SHAPE(ROWS, IN));
    poet_val y = poet_input(g, "y", POET_F32, POET_SHAPE(ROWS, OUT));
    poet_val h = poet_rms_norm_layer(g, "norm", poet_linear(g, "up", x, HIDDEN, options));
    poet_val out = poet_linear(g, "down", poet_act(g, h, POET_ACT_SILU), OUT, options);
    return poet_mse(g, out, y);
}

static poet_status feed(void *opaque, int64_t step, poet_program *program)
{
    float x[ROWS * IN], y[ROWS * OUT];
    poet_rng rng;
    poet_rng_init(&rng, *(uint64_t *)opaque, (uint64_t)step);
    for (int i = 0; i < ROWS * IN; i++)
        x[i] = poet_rng_normal(&rng);
    for (int i = 0; i < ROWS * OUT; i++)
        y[i] = x[i / OUT * IN] - 0.5F * x[i / OUT * IN + 1 + i % OUT];
    POET_TRY(poet_program_set_by_name(program, "x", x, sizeof x));
    return poet_program_set_by_name(program, "y", y, sizeof y);
}

static void test_sticky_errors(poet_device *device)
{
    poet_params *params;
    poet_program *program;
    CHECK_OK(poet_params_create(device, 1, &params));
    poet_graph *g = poet_graph_create(params);
    poet_val x = poet_input(g, "x", POET_F32, POET_SHAPE(2, 3));
    poet_scope_begin(g, "outer");
    poet_scope_begin(g, "inner");
    poet_val bad = poet_matmul(g, x, false, x, false, POET_NONE);
    poet_scope_end(g);
    poet_scope_end(g);
    CHECK(bad.id < 0);
    CHECK(poet_add(g, bad, x).id < 0);
    CHECK_FAILS(poet_program_create(g, &program), POET_ERR_MISMATCH, "outer.inner: matmul");
    CHECK(program == NULL);

    g = poet_graph_create(params);
    poet_param(g, "w", POET_SHAPE(2, 2), POET_ONES);
    poet_param(g, "w", POET_SHAPE(2, 3), POET_ONES);
    CHECK_FAILS(poet_graph_status(g), POET_ERR_MISMATCH, "w: is f32 (2, 2), but f32 (2, 3)");
    poet_graph_destroy(g);

    g = poet_graph_create(params);
    poet_optimize(g, poet_input(g, "loss", POET_F32, POET_SCALAR), &(poet_optim_config){0});
    CHECK_FAILS(poet_graph_status(g), POET_ERR_ARG, "depends on no parameter");
    poet_graph_destroy(g);
    poet_params_destroy(params);
}

/* Starting values do not depend on what else was created before. */
static void test_params(poet_device *device)
{
    poet_params *a, *b;
    CHECK_OK(poet_params_create(device, 7, &a));
    CHECK_OK(poet_params_create(device, 7, &b));
    poet_shape shape = POET_SHAPE(4, 4);
    int x, y, other;
    CHECK_OK(poet_params_get(a, "w", POET_PARAM, POET_F32, &shape, POET_NORMAL(1), &x));
    CHECK_OK(poet_params_get(b, "v", POET_CACHE, POET_F32, &shape, POET_NORMAL(1), &other));
    CHECK_OK(poet_params_get(b, "w", POET_PARAM, POET_F32, &shape, POET_NORMAL(1), &y));
    float u[16], v[16];
    CHECK_OK(poet_params_read(a, x, u, sizeof u));
    CHECK_OK(poet_params_read(b, y, v, sizeof v));
    CHECK(memcmp(u, v, sizeof u) == 0);
    uint64_t first, second;
    CHECK_OK(poet_params_fingerprint(a, &first));
    CHECK_OK(poet_params_fingerprint(b, &second));
    CHECK(first == second);
    u[3] += 1;
    CHECK_OK(poet_params_write(a, x, u, sizeof u));
    CHECK_OK(poet_params_fingerprint(a, &first));
    CHECK(first != second);
    CHECK_FAILS(poet_params_read(a, x, u, 3), POET_ERR_ARG, "w: has 64 bytes, not 3");
    CHECK_INT(poet_params_elements(a), 16);
    poet_params_drop(b, POET_CACHE);
    CHECK_INT(poet_params_count(b), 1);
    poet_params_destroy(a);
    poet_params_destroy(b);
}

/* Steps of training; the final bytes of all parameters and moments go to state. */
typedef struct outcome {
    poet_status status;
    float state[4096];
    size_t used;
    poet_memory memory;
} outcome;

static bool stop_at_once(void *user)
{
    (void)user;
    return true;
}

static void read_state(poet_params *params, outcome *out)
{
    out->used = 0;
    for (int i = 0; i < poet_params_count(params); i++) {
        if (poet_params_kind(params, i) == POET_CACHE)
            continue;
        size_t bytes = poet_tensor_bytes(poet_params_tensor(params, i));
        CHECK_OK(poet_params_read(params, i, out->state + out->used, bytes));
        out->used += bytes / sizeof(float);
    }
}

static outcome train(poet_device *device, const char *checkpoint, const char *metrics,
                     int64_t steps, bool stop)
{
    static uint64_t seed = 11;
    outcome out = {0};
    poet_task task = {.stop = stop ? stop_at_once : NULL};
    poet_train_config config = {.optim = poet_optim_defaults(),
                                .precision = precision,
                                .checkpoint = checkpoint,
                                .metrics = metrics,
                                .save_seconds = 1e9,
                                .log_steps = 1,
                                .what = "test",
                                .task = &task,
                                .pairs = &(poet_pair){"test.config", "1"},
                                .n_pairs = 1,
                                .feed = feed,
                                .opaque = &seed};
    config.optim.warmup = 2;
    config.optim.steps = steps;
    config.optim.rate = 0.02F;
    config.optim.muon_rate = 0.02F;
    config.optim.average = 0.9F;
    config.optim.weight_decay = 0.01F;
    poet_params *params;
    poet_program *program = NULL;
    int64_t step;
    CHECK_OK(poet_params_create(device, 3, &params));
    CHECK_OK(poet_train_resume(&config, params, &step));
    poet_graph *g = poet_graph_create(params);
    poet_graph_set_precision(g, precision);
    poet_optimize(g, small_model(g), &config.optim);
    CHECK_OK(poet_program_create(g, &program));
    out.status = poet_train_run(&config, params, program, step);
    out.memory = poet_program_memory(program);
    read_state(params, &out);
    poet_program_destroy(program);
    poet_params_destroy(params);
    return out;
}

static int count_lines(const char *path)
{
    unsigned char *text;
    size_t size;
    int lines = 0;
    CHECK_OK(poet_file_read(path, 1 << 20, &text, &size));
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    poet_free(text);
    return lines;
}

/* What a checkpoint of 6 steps of Muon with an average is no start for. */
static void check_other_run(poet_device *device, const char *checkpoint, float average,
                            int64_t steps, const char *reason)
{
    poet_train_config config = {.optim = poet_optim_defaults(), .checkpoint = checkpoint};
    poet_params *params;
    int64_t step;
    config.optim.muon_rate = 0.02F;
    config.optim.average = average;
    config.optim.steps = steps;
    CHECK_OK(poet_params_create(device, 3, &params));
    CHECK_FAILS(poet_train_resume(&config, params, &step), POET_ERR_MISMATCH, reason);
    poet_params_destroy(params);
}

/* A file of somebody's is not taken for metrics. */
static void test_foreign_metrics(poet_device *device)
{
    static const char note[] = "{\"step\": 1}\nwater the plants\n";
    char *path = in_directory("notes.txt");
    poet_train_config config = {.optim = poet_optim_defaults(), .metrics = path};
    poet_params *params;
    poet_output *output;
    unsigned char *text;
    size_t size;
    int64_t step;
    CHECK_OK(poet_output_create(path, &output));
    CHECK_OK(poet_output_write(output, note, sizeof note - 1));
    CHECK_OK(poet_output_commit(output));
    poet_output_destroy(output);
    CHECK_OK(poet_params_create(device, 3, &params));
    CHECK_FAILS(poet_train_resume(&config, params, &step), POET_ERR_FORMAT,
                "notes.txt: is there and has lines that are no metrics");
    CHECK_OK(poet_file_read(path, 1 << 20, &text, &size));
    CHECK_STR((char *)text, note);
    poet_free(text);
    poet_params_destroy(params);
    unlink(path);
    poet_free(path);
}

/* Of two stages the device may be filled by one and the host by the other. */
static void test_most_memory(void)
{
    poet_memory most = {.params = 5, .activations = 10, .host = 100};
    const poet_memory other = {.params = 5, .activations = 50, .host = 1};
    poet_memory_most(&most, &other);
    CHECK_INT(most.activations, 50);
    CHECK_INT(most.host, 100);
}

static void test_training_and_resume(poet_device *device)
{
    char *whole = in_directory("whole"), *parts = in_directory("parts");
    char *metrics = in_directory("metrics.jsonl");
    outcome straight = train(device, whole, NULL, 6, false);
    CHECK_INT(straight.status, POET_OK);
    for (int i = 0; i < 6; i++) {
        /* The stop comes after every step: six processes' worth of stops and resumes. */
        outcome part = train(device, parts, metrics, 6, true);
        CHECK_INT(part.status, i < 5 ? POET_ERR_INTERRUPTED : POET_OK);
        if (i == 5)
            CHECK(part.used == straight.used &&
                  memcmp(part.state, straight.state, part.used * sizeof(float)) == 0);
    }
    CHECK_INT(count_lines(metrics), 6);
    outcome again = train(device, parts, metrics, 6, false);
    CHECK_INT(again.status, POET_OK); /* nothing left to do */
    check_other_run(device, parts, 0, 6, "train.moments = Muon, average, not Muon;");
    check_other_run(device, parts, 0.9F, 3,
                    "is of a run of 6 steps and has done 6 of them, so it cannot end at 3");
    outcome longer = train(device, NULL, NULL, 400, false);
    CHECK_INT(longer.status, POET_OK);
    unlink(whole);
    unlink(parts);
    unlink(metrics);
    poet_free(whole);
    poet_free(parts);
    poet_free(metrics);
}

/* A plan that shares memory gives the bits of one that does not, in less memory. */
static void test_plan(poet_device *device)
{
    outcome shared = train(device, NULL, NULL, 3, false);
    setenv("POET_PLAN", "separate", 1);
    outcome separate = train(device, NULL, NULL, 3, false);
    unsetenv("POET_PLAN");
    CHECK(shared.used == separate.used &&
          memcmp(shared.state, separate.state, shared.used * sizeof(float)) == 0);
    CHECK(shared.memory.activations < separate.memory.activations);
}

static poet_memory memory_of(poet_device *device)
{
    poet_params *params;
    poet_program *program;
    CHECK_OK(poet_params_create(device, 3, &params));
    poet_graph *g = poet_graph_create(params);
    poet_result(g, "out", small_model(g));
    CHECK_OK(poet_program_create(g, &program));
    poet_memory memory = poet_program_memory(program);
    poet_program_destroy(program);
    poet_params_destroy(params);
    return memory;
}

/* Weights that a backend packs are in the plan, and a device without memory plans what is taken. */
static void test_packed_weights(const poet_backend *backend, bool packs)
{
    poet_device *device, *plan;
    CHECK_OK(poet_device_open(backend, 0, 0, &device));
    CHECK_OK(poet_device_plan(device, &plan));
    poet_memory planned = memory_of(plan), taken = memory_of(device);
    CHECK(memcmp(&planned, &taken, sizeof taken) == 0);
    CHECK(packs ? taken.packed >= (IN + OUT) * HIDDEN * sizeof(float) : taken.packed == 0);
    CHECK(poet_memory_total(&taken) >= taken.params + taken.packed + taken.activations);
    poet_device_close(plan);
    poet_device_close(device);
}

/* The model learns: the loss of a long run ends far below that of a short one. */
static void test_learning(poet_device *device)
{
    char *metrics = in_directory("learning.jsonl");
    unsigned char *text;
    size_t size;
    train(device, NULL, metrics, 400, false);
    CHECK_OK(poet_file_read(metrics, 1 << 20, &text, &size));
    const char *first = strstr((char *)text, "\"loss\": "), *last = first;
    for (const char *p = first; p; p = strstr(p + 1, "\"loss\": "))
        last = p;
    CHECK(first && last && atof(last + 8) < 0.05 * atof(first + 8));
    poet_free(text);
    unlink(metrics);
    poet_free(metrics);
}

static void test_checkpoint(poet_device *device)
{
    char *path = in_directory("model.safetensors"), *broken = in_directory("broken.safetensors");
    poet_params *params, *loaded;
    poet_shape shape = POET_SHAPE(3, 5);
    int index;
    CHECK_OK(poet_params_create(device, 5, &params));
    CHECK_OK(
        poet_params_get(params, "a.weight", POET_PARAM, POET_F32, &shape, POET_NORMAL(1), &index));
    CHECK_OK(
        poet_params_get(params, "book", POET_BUFFER, POET_F32, &shape, POET_NORMAL(1), &index));
    CHECK_OK(poet_params_get(params, "a.weight@m", POET_MOMENT, POET_F32, &shape, POET_NORMAL(1),
                             &index));
    poet_pair pairs[] = {{"config", "{\"k\": 1}"}};
    poet_save_options options = {.moments = true, .pairs = pairs, .n_pairs = 1};
    CHECK_OK(poet_checkpoint_save(path, params, &options));

    poet_checkpoint *file;
    CHECK_OK(poet_checkpoint_open(path, &file));
    CHECK_STR(poet_checkpoint_value(file, "config"), "{\"k\": 1}");
    CHECK_INT(poet_checkpoint_count(file), 3);
    CHECK_OK(poet_params_create(device, 6, &loaded));
    CHECK_OK(poet_checkpoint_load(file, loaded));
    uint64_t before, after;
    CHECK_OK(poet_params_fingerprint(params, &before));
    CHECK_OK(poet_params_fingerprint(loaded, &after));
    CHECK(before == after);
    CHECK_INT(poet_params_kind(loaded, poet_params_find(loaded, "book")), POET_BUFFER);
    CHECK_INT(poet_params_kind(loaded, poet_params_find(loaded, "a.weight@m")), POET_MOMENT);
    poet_params_destroy(loaded);

    CHECK_OK(poet_params_create(device, 6, &loaded));
    CHECK_OK(poet_checkpoint_load_model(file, loaded));
    CHECK_INT(poet_params_count(loaded), 2);
    CHECK_OK(poet_params_get(loaded, "book", POET_BUFFER, POET_F32, &shape, POET_ZEROS, &index));
    CHECK_OK(poet_params_get(loaded, "cache", POET_CACHE, POET_F32, &shape, POET_ZEROS, &index));
    CHECK_FAILS(poet_params_get(loaded, "new", POET_PARAM, POET_F32, &shape, POET_ZEROS, &index),
                POET_ERR_MISMATCH, "lacks the tensor new");
    CHECK_INT(poet_params_count(loaded), 3);
    poet_params_destroy(loaded);
    poet_checkpoint_close(file);

    /* Every flipped byte and every cut is noticed. */
    unsigned char *bytes;
    size_t size;
    CHECK_OK(poet_file_read(path, 1 << 20, &bytes, &size));
    int unnoticed = 0;
    for (size_t i = 0; i < 2 * size; i++) {
        poet_output *output;
        size_t keep = i < size ? size : i - size;
        if (i < size)
            bytes[i] ^= 0x10;
        CHECK_OK(poet_output_create(broken, &output));
        CHECK_OK(poet_output_write(output, bytes, keep));
        CHECK_OK(poet_output_commit(output));
        poet_output_destroy(output);
        poet_status status = poet_checkpoint_open(broken, &file);
        unnoticed += status != POET_ERR_FORMAT || !strstr(poet_error_message(), "broken");
        poet_checkpoint_close(file);
        if (i < size)
            bytes[i] ^= 0x10;
    }
    CHECK_INT(unnoticed, 0);
    poet_free(bytes);
    poet_params_destroy(params);
    unlink(path);
    unlink(broken);
    poet_free(path);
    poet_free(broken);
}

/* Memory that cannot be had is an error at every place, and nothing leaks. */
static void test_failing_memory(poet_device *device)
{
    size_t before = poet_memory_get_stats().blocks;
    poet_status status = POET_ERR_NOMEM;
    int n = 0;
    while (status && n < 10000) {
        poet_params *params;
        poet_program *program = NULL;
        poet_memory_fail_at(++n);
        status = poet_params_create(device, 3, &params);
        poet_graph *g = status ? NULL : poet_graph_create(params);
        if (g) {
            poet_optim_config optim = poet_optim_defaults();
            poet_optimize(g, small_model(g), &optim);
            status = poet_program_create(g, &program);
        } else {
            status = POET_ERR_NOMEM;
        }
        poet_memory_fail_at(0);
        CHECK(!status || status == POET_ERR_NOMEM);
        poet_program_destroy(program);
        poet_params_destroy(params);
        if (poet_memory_get_stats().blocks != before)
            break;
    }
    CHECK_INT(status, POET_OK);
    CHECK_INT(poet_memory_get_stats().blocks, before);
}

/* A device without bf16 refuses it before the first step. */
static void test_refused_precision(const poet_backend *backend)
{
    poet_device *device;
    poet_params *params;
    poet_program *program;
    poet_backend plain = *backend;
    plain.bf16 = false;
    CHECK_OK(poet_device_open(&plain, 0, 0, &device));
    CHECK_OK(poet_params_create(device, 3, &params));
    poet_graph *g = poet_graph_create(params);
    poet_graph_set_precision(g, POET_BF16);
    poet_result(g, "out", small_model(g));
    CHECK_FAILS(poet_program_create(g, &program), POET_ERR_UNSUPPORTED, "no bf16; use f32");
    poet_params_destroy(params);
    poet_device_close(device);
}

static void test_backend(const poet_backend *backend, poet_dtype products)
{
    poet_device *device;
    precision = products;
    CHECK_OK(poet_device_open(backend, 0, 0, &device));
    test_sticky_errors(device);
    test_params(device);
    test_training_and_resume(device);
    test_foreign_metrics(device);
    test_plan(device);
    test_learning(device);
    test_checkpoint(device);
    test_failing_memory(device);
    poet_device_close(device);
}

int main(void)
{
    CHECK(mkdtemp(directory) != NULL);
    test_backend(poet_backend_ref(), POET_F32);
    test_backend(poet_backend_ref(), POET_BF16);
    test_backend(poet_backend_cpu(), POET_F32);
    if (poet_backend_cpu()->bf16)
        test_backend(poet_backend_cpu(), POET_BF16);
    test_refused_precision(poet_backend_cpu());
    test_packed_weights(poet_backend_ref(), false);
    test_packed_weights(poet_backend_cpu(), true);
    test_most_memory();
    rmdir(directory);
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}

#include "cli/sweep_run.h"

#include "cli/child.h"

#include "base/file.h"
#include "codec/tokfile.h"
#include "tokenizer/tokenizer.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_JSON = 1 << 24, DIGITS = 9, OPEN_FOLDERS = 16 };

static const char printed_suffix[] = ".printed";

/* ---- JSON files ---- */

poet_status sweep_load(const char *path, json_t **out)
{
    unsigned char *text;
    size_t size;
    json_error_t error;
    *out = NULL;
    POET_TRY(poet_file_read(path, MAX_JSON, &text, &size));
    *out = json_loadb((const char *)text, size, 0, &error);
    poet_free(text);
    return *out ? POET_OK
                : POET_FAIL(POET_ERR_FORMAT, "%s: is not JSON: %s in line %d", path, error.text,
                            error.line);
}

poet_status sweep_save(const char *path, json_t *value, int indent)
{
    poet_output *output = NULL;
    size_t flags = JSON_REAL_PRECISION(DIGITS) | (indent ? JSON_INDENT(indent) : 0);
    char *text = value ? json_dumps(value, flags) : NULL;
    json_decref(value);
    poet_status status = text ? poet_output_create(path, &output)
                              : POET_FAIL(POET_ERR_NOMEM, "%s: out of memory", path);
    if (!status)
        status = poet_output_write(output, text, strlen(text));
    if (!status)
        status = poet_output_write(output, "\n", 1);
    if (!status)
        status = poet_output_commit(output);
    poet_output_destroy(output);
    free(text);
    return status;
}

json_t *sweep_value(json_t *object, const char *path)
{
    char name[64];
    while (object && *path) {
        int length = (int)strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", length, path);
        object = json_object_get(object, name);
        path += length + (path[length] == '.');
    }
    return object;
}

/* ---- what all cells have in common ---- */

/* Several cards of one machine may share the work: which of them it is makes no difference. */
static json_t *settings(const sweep_plan *plan)
{
    const cli_data *d = &plan->data;
    char size[32], speed[32], device[32];
    snprintf(size, sizeof size, "%dx%d", d->size.w, d->size.h);
    snprintf(speed, sizeof speed, "%g", plan->speed_seconds);
    snprintf(device, sizeof device, "%.*s", (int)strcspn(plan->device, ":"), plan->device);
    return json_pack(
        "{s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:i, s:i, "
        "s:i, s:i, s:i, s:s, s:s}",
        "data", plan->spec, "data_fingerprint", plan->fingerprint, "size", size, "frames",
        d->frames, "clips", (json_int_t)d->clips, "heldout_clips", (json_int_t)d->heldout,
        "data_seed", (json_int_t)d->seed, "tokenizer_steps", (json_int_t)plan->tokenizer_steps,
        "generator_steps", (json_int_t)plan->generator_steps, "finetune_steps",
        (json_int_t)plan->finetune_steps, "feature_steps", (json_int_t)plan->feature_steps,
        "train_clips", (json_int_t)plan->train_clips, "tokenizer_options", plan->tokenizer_options,
        "generator_options", plan->generator_options, "greatest_codes", plan->sizes[0], "patch",
        plan->patch, "count", plan->heldout, "captions", plan->captions, "distribution",
        plan->compared, "speed", speed, "device", device);
}

static poet_status compare(const char *path, json_t *there, json_t *here)
{
    const char *key;
    json_t *value;
    json_object_foreach(here, key, value)
    {
        if (!json_equal(value, json_object_get(there, key)))
            return POET_FAIL(
                POET_ERR_MISMATCH,
                "%s: the sweep there has another '%s'; use the same options, or another "
                "folder",
                path, key);
    }
    return POET_OK;
}

/* Results, models and checkpoints; what a command printed is none of them. */
static int is_made(const char *path, const struct stat *info, int flag, struct FTW *walk)
{
    size_t length = strlen(path), cut = sizeof printed_suffix - 1;
    (void)info;
    (void)walk;
    return flag == FTW_F && (length < cut || strcmp(path + length - cut, printed_suffix) != 0);
}

static int is_locked(const char *path, const struct stat *info, int flag, struct FTW *walk)
{
    (void)info;
    (void)walk;
    int file = flag == FTW_F ? open(path, O_RDWR | O_CLOEXEC) : -1;
    bool locked = file >= 0 && flock(file, LOCK_EX | LOCK_NB) != 0;
    if (file >= 0)
        close(file);
    return locked;
}

/* Nothing was made with the options that are there, and nothing is being made. */
static bool is_unused(const sweep_plan *plan)
{
    static const struct {
        const char *folder;
        int (*look)(const char *, const struct stat *, int, struct FTW *);
    } parts[] = {{"cells", is_made}, {"models", is_made}, {"locks", is_locked}};

    bool unused = true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", plan->folder, parts[i].folder);
        unused = unused && nftw(path, parts[i].look, OPEN_FOLDERS, FTW_PHYS) == 0;
    }
    return unused;
}

poet_status sweep_open(const sweep_plan *plan)
{
    static const char *const folders[] = {"cells", "models", "locks"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s", plan->folder, folders[i]);
        POET_TRY(poet_make_directory(path));
    }
    snprintf(path, sizeof path, "%s/sweep.json", plan->folder);
    json_t *here = settings(plan), *there = NULL;
    if (!poet_is_file(path) || is_unused(plan))
        return sweep_save(path, here, 2);
    poet_status status = sweep_load(path, &there);
    if (!status)
        status = compare(path, there, here);
    json_decref(there);
    json_decref(here);
    return status;
}

/* ---- one command ---- */

static poet_status run_step(const sweep_step *step, const char *folder, const poet_task *task)
{
    const char *argv[SWEEP_MAX_WORDS + 2] = {"/proc/self/exe"};
    char done[PATH_MAX + 32], printed[PATH_MAX + 32];
    cli_child child;
    json_t *result;
    memcpy(argv + 1, step->words, (size_t)step->n * sizeof *argv);
    snprintf(done, sizeof done, "%s/%s.json", folder, step->name);
    snprintf(printed, sizeof printed, "%s/%s%s", folder, step->name, printed_suffix);
    if (poet_is_file(done))
        return POET_OK;
    POET_TRY(cli_child_run(argv, printed, task, &child));
    if (child.exit_status)
        return POET_FAIL(POET_ERR_DEVICE, "its command '%s' ended with status %d", step->words[0],
                         child.exit_status);
    POET_TRY(sweep_load(printed, &result));
    unlink(printed);
    return sweep_save(done,
                      json_pack("{s:o, s:f, s:I}", "result", result, "seconds", child.seconds,
                                "peak_memory", (json_int_t)child.peak_memory),
                      2);
}

/* ---- the result ---- */

/* A figure of a cell, and where in the result of a step it stands. */
typedef struct figure {
    const char *key, *step, *path;
} figure;

static const figure figures[] = {
    {"psnr", "eval", "psnr"},
    {"psnr_interval", "eval", "psnr_interval"},
    {"ssim", "eval", "ssim"},
    {"codes_used", "eval", "codes_used"},
    {"perplexity", "eval", "perplexity"},
    {"bits_per_clip", "eval", "bits_per_clip"},
    {"bits_per_clip_interval", "eval", "bits_per_clip_interval"},
    {"samples_median", "samples", "level0.samples_median"},
    {"samples_p10", "samples", "level0.samples_p10"},
    {"under_100", "samples", "level0.under_100"},
    {"under_1300", "samples", "level0.under_1300"},
    {"reconstructed_frechet", "eval", "distribution.reconstructed.frechet"},
    {"reconstructed_precision", "eval", "distribution.reconstructed.precision"},
    {"reconstructed_recall", "eval", "distribution.reconstructed.recall"},
    {"reconstructed_density", "eval", "distribution.reconstructed.density"},
    {"reconstructed_coverage", "eval", "distribution.reconstructed.coverage"},
    {"generated_frechet", "eval", "distribution.generated.frechet"},
    {"generated_precision", "eval", "distribution.generated.precision"},
    {"generated_recall", "eval", "distribution.generated.recall"},
    {"generated_density", "eval", "distribution.generated.density"},
    {"generated_coverage", "eval", "distribution.generated.coverage"},
    {"training_frechet", "eval", "distribution.training.frechet"},
};

static json_t *or_null(json_t *value)
{
    return value ? json_incref(value) : json_null();
}

/* Several built-in sets have an accuracy each: their mean. A dataset with a reader has held-out captions alone. */
static json_t *accuracy(json_t *eval, const char *split)
{
    json_t *all = sweep_value(eval, "caption_accuracy"), *set;
    const char *name;
    char path[64];
    double sum = 0;
    int n = 0;
    snprintf(path, sizeof path, "%s.accuracy", split);
    if (sweep_value(all, path))
        return json_incref(sweep_value(all, path));
    json_object_foreach(all, name, set)
    {
        if (sweep_value(set, path)) {
            sum += json_number_value(sweep_value(set, path));
            n++;
        }
    }
    if (n)
        return json_real(sum / n);
    return strcmp(split, "heldout") == 0 ? or_null(sweep_value(all, "generated.accuracy"))
                                         : json_null();
}

/* Tokens of a clip, from the token file that the generator would learn. */
static poet_status add_bits(const sweep_cell *cell, const char *folder, json_t *out)
{
    char path[PATH_MAX + 32];
    poet_tokfile *file;
    snprintf(path, sizeof path, "%s/train.ptok", folder);
    POET_TRY(poet_tokfile_open(path, &file));
    size_t tokens = poet_tokfile_count(file) ? poet_tokfile_code_count(file, 0) : 0;
    poet_tokfile_close(file);
    json_object_set_new(out, "tokens_per_clip", json_integer((json_int_t)tokens));
    json_object_set_new(out, "raw_bits_per_clip",
                        json_real((double)tokens * log2(cell->level_codes)));
    return POET_OK;
}

static json_t *file_bytes(const char *folder, const char *name)
{
    char path[PATH_MAX + 64];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s.safetensors", folder, name);
    return stat(path, &info) == 0 ? json_integer((json_int_t)info.st_size) : json_null();
}

/* What depends on the machine, and differs from run to run. */
static json_t *machine(json_t *steps)
{
    const char *name;
    json_t *step, *eval = sweep_value(steps, "eval.result");
    double seconds = 0, peak = 0;
    json_object_foreach(steps, name, step)
    {
        seconds += json_number_value(json_object_get(step, "seconds"));
        peak = fmax(peak, json_number_value(json_object_get(step, "peak_memory")));
    }
    return json_pack("{s:f, s:I, s:o, s:o, s:o, s:o, s:o}", "seconds", seconds, "peak_memory",
                     (json_int_t)peak, "tokenizer_seconds",
                     or_null(sweep_value(steps, "tokenizer.result.seconds")), "codes_per_second",
                     or_null(sweep_value(eval, "speed.codes_per_second")), "softmax_share",
                     or_null(sweep_value(eval, "speed.softmax_share")), "joules_per_clip",
                     or_null(sweep_value(eval, "speed.joules_per_clip")), "device_joules_per_clip",
                     or_null(sweep_value(eval, "speed.device_joules_per_clip")));
}

/* Whether a shell reads it as one word that is itself. */
static bool is_plain(const char *word)
{
    return *word && !strpbrk(word, " \t\n\"'\\$`&|;<>()*?[]#~!{}");
}

static json_t *command_lines(const sweep_steps *steps)
{
    json_t *lines = json_array();
    for (int s = 0; s < steps->n; s++) {
        char line[8192];
        size_t at = 0;
        for (int w = 0; w < steps->step[s].n && at < sizeof line; w++) {
            const char *word = steps->step[s].words[w], *quote = is_plain(word) ? "" : "'";
            at += (size_t)snprintf(line + at, sizeof line - at, "%s%s%s%s", w ? " " : "", quote,
                                   word, quote);
        }
        json_array_append_new(lines, json_string(line));
    }
    return lines;
}

static poet_status load_steps(const sweep_steps *steps, const char *folder, json_t *out)
{
    for (int s = 0; s < steps->n; s++) {
        char path[PATH_MAX + 32];
        json_t *step;
        snprintf(path, sizeof path, "%s/%s.json", folder, steps->step[s].name);
        POET_TRY(sweep_load(path, &step));
        json_object_set_new(out, steps->step[s].name, step);
    }
    return POET_OK;
}

static poet_status add_figures(const sweep_plan *plan, const sweep_cell *cell, json_t *steps,
                               const char *folder, json_t *out)
{
    char model[PATH_MAX + 32];
    json_t *eval = sweep_value(steps, "eval.result");
    snprintf(model, sizeof model, cell->needs >= 0 ? "%s/model-%d" : "%s", folder, cell->codes);
    json_object_set_new(out, "codes", json_integer(cell->codes));
    json_object_set_new(out, "seed", json_integer(cell->seed));
    json_object_set_new(out, "level_codes", json_integer(cell->level_codes));
    json_object_set_new(out, "levels", json_integer(cell->levels));
    json_object_set_new(out, "patch", json_integer(cell->patch));
    POET_TRY(add_bits(cell, folder, out));
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        char path[96];
        snprintf(path, sizeof path, "%s.result.%s", figures[i].step, figures[i].path);
        json_object_set_new(out, figures[i].key, or_null(sweep_value(steps, path)));
    }
    json_object_set_new(out, "caption_accuracy_seen", accuracy(eval, "seen"));
    json_object_set_new(out, "caption_accuracy_heldout", accuracy(eval, "heldout"));
    json_object_set_new(out, "tokenizer_bytes", file_bytes(model, "tokenizer"));
    json_object_set_new(out, "generator_bytes",
                        plan->generator_steps ? file_bytes(model, "generator") : json_null());
    return POET_OK;
}

static poet_status write_result(const sweep_plan *plan, const sweep_cell *cell,
                                const sweep_steps *steps, const char *folder)
{
    char path[PATH_MAX];
    json_t *done = json_object(), *out = json_object();
    poet_status status = load_steps(steps, folder, done);
    json_object_set_new(out, "cell", json_string(cell->name));
    json_object_set_new(out, "method", json_string(sweep_methods[cell->method].name));
    if (!status && cell->method != SWEEP_FEATURES)
        status = add_figures(plan, cell, done, folder, out);
    json_object_set_new(out, "machine", machine(done));
    json_object_set_new(out, "commands", command_lines(steps));
    json_decref(done);
    sweep_cell_result(plan, cell, path, sizeof path);
    if (!status)
        return sweep_save(path, out, 2);
    json_decref(out);
    return status;
}

/* ---- a cell ---- */

static poet_status make(const sweep_plan *plan, int index, const char *folder,
                        const poet_task *task)
{
    const sweep_cell *cell = &plan->cells[index];
    int features = sweep_cell_features(plan, cell);
    bool busy;
    sweep_steps steps;
    POET_TRY(poet_make_directory(folder));
    poet_status status = sweep_steps_create(plan, index, &steps);
    for (int s = 0; s < steps.n && !status; s++) {
        if (s == steps.n - 1 &&
            features >= 0) /* measures, which is when the network must be there */
            status = sweep_run(plan, features, true, task, &busy);
        if (!status)
            status = run_step(&steps.step[s], folder, task);
    }
    if (!status)
        status = write_result(plan, cell, &steps, folder);
    sweep_steps_free(&steps);
    return status;
}

poet_status sweep_lock(const sweep_plan *plan, const char *name, bool wait, int *file, bool *busy)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/locks/%s", plan->folder, name);
    *busy = false;
    *file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*file < 0)
        return POET_FAIL(POET_ERR_IO, "%s: cannot be created: %s", path, strerror(errno));
    if (flock(*file, wait ? LOCK_EX : LOCK_EX | LOCK_NB) == 0)
        return POET_OK;
    *busy = errno == EWOULDBLOCK;
    close(*file);
    return *busy ? POET_OK
                 : POET_FAIL(POET_ERR_IO, "%s: cannot be locked: %s", path, strerror(errno));
}

poet_status sweep_run(const sweep_plan *plan, int index, bool wait, const poet_task *task,
                      bool *busy)
{
    const sweep_cell *cell = &plan->cells[index];
    int file, features = sweep_cell_features(plan, cell);
    char folder[PATH_MAX];
    *busy = false;
    if (sweep_cell_done(plan, cell))
        return POET_OK;
    if (features >=
        0) /* first, as it may fail; one that is made elsewhere is waited for when the cell is measured */
        POET_TRY(sweep_run(plan, features, wait, task, busy));
    *busy = false;
    if (cell->needs >= 0)
        POET_TRY(sweep_run(plan, cell->needs, wait, task, busy));
    if (*busy)
        return POET_OK;
    sweep_cell_folder(plan, cell, folder, sizeof folder);
    POET_TRY(sweep_lock(plan, cell->name, wait, &file, busy));
    if (*busy)
        return POET_OK;
    poet_status status = POET_OK;
    if (!sweep_cell_done(plan, cell)) {
        poet_task_info(task, "cell %s", cell->name);
        status = make(plan, index, folder, task);
    }
    if (!status && !cell->kept)
        poet_remove_directory(folder);
    close(file);
    return status ? poet_context(status, "cell %s", cell->name) : POET_OK;
}

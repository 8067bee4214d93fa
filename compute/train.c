#include "compute/train.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PAIRS = 32, METRICS_LIMIT = 1 << 30 };

/* The caller's pairs and ours, with the texts of ours. */
typedef struct state_pairs {
    poet_pair pairs[MAX_PAIRS + 7];
    int n;
    char step[24], steps[24], rates[40], threads[16], data[24];
} state_pairs;

/* A moment that is not there begins at 0, as if the run did: only with the same ones a run goes on. */
static poet_pair moments_of(const poet_optim_config *optim)
{
    static const char *const kinds[2][2] = {{"AdamW", "AdamW, average"}, {"Muon", "Muon, average"}};
    return (poet_pair){"train.moments", kinds[optim->muon_rate > 0][optim->average > 0]};
}

static void format_data(const poet_train_config *config, char text[24])
{
    snprintf(text, 24, "%016" PRIx64, config->data);
}

static void format_rates(const poet_train_config *config, char text[40])
{
    snprintf(text, 40, "%g %g", (double)config->optim.rate, (double)config->optim.muon_rate);
}

static void make_pairs(const poet_train_config *config, int64_t step, int threads, state_pairs *out)
{
    out->n = 0;
    for (int i = 0; i < config->n_pairs && i < MAX_PAIRS; i++)
        out->pairs[out->n++] = config->pairs[i];
    snprintf(out->step, sizeof out->step, "%" PRId64, step);
    snprintf(out->steps, sizeof out->steps, "%" PRId64, config->optim.steps);
    snprintf(out->threads, sizeof out->threads, "%d", threads);
    out->pairs[out->n++] = (poet_pair){"train.step", out->step};
    out->pairs[out->n++] = (poet_pair){"train.steps", out->steps};
    format_rates(config, out->rates);
    out->pairs[out->n++] = (poet_pair){"train.rates", out->rates};
    out->pairs[out->n++] = (poet_pair){"train.threads", out->threads};
    out->pairs[out->n++] = (poet_pair){"train.precision", poet_dtype_name(config->precision)};
    out->pairs[out->n++] = moments_of(&config->optim);
    format_data(config, out->data);
    if (config->data)
        out->pairs[out->n++] = (poet_pair){"train.data", out->data};
}

static poet_status save(const poet_train_config *config, poet_params *params, int64_t step)
{
    state_pairs pairs;
    make_pairs(config, step, poet_params_device(params)->threads, &pairs);
    poet_save_options options = {.moments = true, .pairs = pairs.pairs, .n_pairs = pairs.n};
    return poet_checkpoint_save(config->checkpoint, params, &options);
}

/* Where two configurations begin to differ: at the beginning of that entry. */
static size_t differ_at(const char *a, const char *b)
{
    size_t at = 0;
    while (a[at] && a[at] == b[at])
        at++;
    while (at && a[at - 1] != ',')
        at--;
    return at;
}

static poet_status check_pair(const poet_train_config *config, const poet_checkpoint *checkpoint,
                              poet_pair pair)
{
    const char *value = poet_checkpoint_value(checkpoint, pair.key);
    const char *there = value ? value : "(nothing)";
    if (strcmp(there, pair.value) == 0)
        return POET_OK;
    size_t at = differ_at(there, pair.value);
    const char *before = at ? "..." : "";
    return POET_FAIL(POET_ERR_MISMATCH,
                     "%s: was trained with %s = %s%.200s, not %s%.200s; use the same options, or "
                     "another output",
                     config->checkpoint, pair.key, before, there + at, before, pair.value + at);
}

/* The schedule is one of so many steps: a run that is past the end of another one is not that one. */
static poet_status check_steps(const poet_train_config *config, const poet_checkpoint *checkpoint,
                               int64_t step)
{
    const char *text = poet_checkpoint_value(checkpoint, "train.steps");
    int64_t planned = text ? strtoll(text, NULL, 10) : config->optim.steps;
    if (step < config->optim.steps || planned == config->optim.steps)
        return POET_OK;
    return POET_FAIL(POET_ERR_MISMATCH,
                     "%s: is of a run of %" PRId64 " steps and has done %" PRId64
                     " of them, so it cannot end at %" PRId64
                     "; use the same number, or another output",
                     config->checkpoint, planned, step, config->optim.steps);
}

/* A checkpoint goes on only under the configuration it was made with. */
static poet_status check_pairs(const poet_train_config *config, const poet_checkpoint *checkpoint)
{
    for (int i = 0; i < config->n_pairs; i++)
        POET_TRY(check_pair(config, checkpoint, config->pairs[i]));
    return check_pair(config, checkpoint, moments_of(&config->optim));
}

static void warn_of_bits(const poet_train_config *config, const char *there, const char *here,
                         const char *what)
{
    if (there && strcmp(there, here) != 0)
        poet_task_message(config->task,
                          "%s: was trained with %s %s, not %s: the run goes on, but its bits will "
                          "differ from an uninterrupted one",
                          config->checkpoint, there, what, here);
}

/* What may differ between two machines that share a run, the clips, of which there may be more than at first, and its length. */
static void warn_of_others(const poet_train_config *config, const poet_checkpoint *checkpoint,
                           poet_params *params)
{
    char threads[16], data[24], steps[24], rates[40];
    snprintf(threads, sizeof threads, "%d", poet_params_device(params)->threads);
    snprintf(steps, sizeof steps, "%" PRId64, config->optim.steps);
    format_rates(config, rates);
    warn_of_bits(config, poet_checkpoint_value(checkpoint, "train.steps"), steps, "steps");
    warn_of_bits(config, poet_checkpoint_value(checkpoint, "train.rates"), rates,
                 "as its rates (AdamW's and Muon's)");
    warn_of_bits(config, poet_checkpoint_value(checkpoint, "train.threads"), threads, "threads");
    warn_of_bits(config, poet_checkpoint_value(checkpoint, "train.precision"),
                 poet_dtype_name(config->precision), "precision");
    format_data(config, data);
    if (config->data)
        warn_of_bits(config, poet_checkpoint_value(checkpoint, "train.data"), data, "as its data");
}

/* Writes the lines up to step; a last line that is not whole is of a run that was killed. */
static poet_status copy_metrics(const char *path, const char *text, int64_t step,
                                poet_output *output)
{
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        bool whole = line[length] == '\n';
        json_t *row = json_loadb(line, length, 0, NULL);
        json_t *at = json_object_get(row, "step");
        bool metrics = json_is_integer(at) || (!whole && (!length || *line == '{'));
        bool kept = whole && metrics && json_integer_value(at) <= step;
        json_decref(row);
        if (!metrics)
            return POET_FAIL(POET_ERR_FORMAT, "%s: is there and has lines that are no metrics",
                             path);
        if (kept)
            POET_TRY(poet_output_write(output, line, length + 1));
        line += length + whole;
    }
    return POET_OK;
}

/* Drops the lines of steps that will be done, or done again. */
static poet_status trim_metrics(const char *path, int64_t step)
{
    unsigned char *text;
    size_t size;
    poet_output *output;
    if (!path || !poet_is_file(path))
        return POET_OK;
    POET_TRY(poet_file_read(path, METRICS_LIMIT, &text, &size));
    poet_status status = poet_output_create(path, &output);
    if (!status)
        status = copy_metrics(path, (const char *)text, step, output);
    if (!status)
        status = poet_output_commit(output);
    poet_output_destroy(output);
    poet_free(text);
    return status;
}

poet_status poet_train_planned(const char *checkpoint, int64_t *steps)
{
    poet_checkpoint *file;
    *steps = 0;
    if (!poet_is_file(checkpoint))
        return POET_OK;
    POET_TRY(poet_checkpoint_open(checkpoint, &file));
    const char *text = poet_checkpoint_value(file, "train.steps");
    *steps = text ? strtoll(text, NULL, 10) : 0;
    poet_checkpoint_close(file);
    return POET_OK;
}

void poet_train_announce(const poet_train_config *config, const poet_memory *memory)
{
    char text[192];
    poet_task_info(config->task, "%s: %.2f M parameters; memory: %s", config->what,
                   (double)(memory->params / sizeof(float)) / 1e6, poet_memory_text(memory, text));
}

static poet_status load_checkpoint(const poet_train_config *config, poet_params *params,
                                   int64_t *step)
{
    poet_checkpoint *checkpoint;
    *step = 0;
    if (config->checkpoint)
        poet_output_clean(config->checkpoint);
    if (!config->checkpoint || !poet_is_file(config->checkpoint))
        return trim_metrics(config->metrics, -1);
    POET_TRY(poet_checkpoint_open(config->checkpoint, &checkpoint));
    poet_status status = check_pairs(config, checkpoint);
    const char *at = poet_checkpoint_value(checkpoint, "train.step");
    if (!status && !at)
        status = POET_FAIL(POET_ERR_FORMAT, "%s: is a model, not a checkpoint of a training run",
                           config->checkpoint);
    if (!status) {
        *step = strtoll(at, NULL, 10);
        status = check_steps(config, checkpoint, *step);
    }
    if (!status) {
        warn_of_others(config, checkpoint, params);
        status = poet_checkpoint_load(checkpoint, params);
    }
    poet_checkpoint_close(checkpoint);
    POET_TRY(status);
    poet_task_info(config->task, "%s: goes on after step %" PRId64 " of %" PRId64,
                   config->checkpoint, *step, config->optim.steps);
    return trim_metrics(config->metrics, *step);
}

poet_status poet_train_resume(const poet_train_config *config, poet_params *params, int64_t *step)
{
    POET_TRY(load_checkpoint(config, params, step));
    if (poet_memory_total(&config->memory) > 0)
        poet_train_announce(config, &config->memory);
    return POET_OK;
}

typedef struct run {
    const poet_train_config *config;
    poet_params *params;
    poet_program *program;
    poet_val hyper, loss, grad_norm;
    double started;
    int64_t first;
} run;

static poet_status check_finite(const run *r, int64_t step, const char *what, float value)
{
    return isfinite((double)value) ? POET_OK
                                   : POET_FAIL(POET_ERR_DEVICE,
                                               "%s: the %s became %g at step %" PRId64
                                               "; a smaller learning rate may help",
                                               r->config->what, what, (double)value, step + 1);
}

/* With a gradient that is not finite the weights are lost, and no checkpoint may have them. */
static poet_status one_step(run *r, int64_t step, float *loss)
{
    const poet_optim_config *optim = &r->config->optim;
    float norm;
    float hyper[2] = {optim->rate * poet_schedule(optim, step), (float)(step + 1)};
    POET_TRY(poet_program_set(r->program, r->hyper, hyper, sizeof hyper));
    POET_TRY(r->config->feed(r->config->opaque, step, r->program));
    POET_TRY(poet_program_run(r->program));
    POET_TRY(poet_program_get(r->program, r->loss, loss, sizeof *loss));
    POET_TRY(poet_program_get(r->program, r->grad_norm, &norm, sizeof norm));
    POET_TRY(check_finite(r, step, "loss", *loss));
    return check_finite(r, step, "gradient", norm);
}

static void tell_step(const poet_train_config *config, int64_t step, const char *note)
{
    poet_task_progress(config->task, &(poet_progress){.what = config->what,
                                                      .done = (double)step,
                                                      .total = (double)config->optim.steps,
                                                      .unit = "steps",
                                                      .note = note});
}

static poet_status append_line(const char *path, const char *line)
{
    FILE *f = path ? fopen(path, "a") : NULL;
    if (!path)
        return POET_OK;
    bool written = f && fputs(line, f) >= 0;
    if (f && fclose(f) == 0 && written)
        return POET_OK;
    return POET_FAIL(POET_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
}

static poet_status log_step(run *r, int64_t step, float loss, bool report)
{
    const poet_train_config *config = r->config;
    char line[1400], extra[1000] = "";
    float norm = 0;
    POET_TRY(poet_program_get(r->program, r->grad_norm, &norm, sizeof norm));
    if (report && config->report)
        POET_TRY(config->report(config->report_opaque, step, extra, sizeof extra));
    double seconds = poet_seconds() - r->started;
    snprintf(line, sizeof line,
             "{\"step\": %" PRId64 ", \"loss\": %.6g, \"grad_norm\": %.4g, \"rate\": %.4g, "
             "\"seconds\": %.2f, \"steps_per_s\": %.4g%s%s}\n",
             step, (double)loss, (double)norm,
             (double)(config->optim.rate * poet_schedule(&config->optim, step - 1)), seconds,
             (double)(step - r->first) / seconds, *extra ? ", " : "", extra);
    POET_TRY(append_line(config->metrics, line));
    if (*extra)
        poet_task_message(config->task, "step %" PRId64 ": %s", step, extra);
    return POET_OK;
}

static bool due(int64_t step, int64_t every, int64_t last)
{
    return every > 0 && (step % every == 0 || step == last);
}

poet_status poet_train_run(const poet_train_config *config, poet_params *params,
                           poet_program *program, int64_t step)
{
    run r = {.config = config,
             .params = params,
             .program = program,
             .hyper = poet_program_input(program, "hyper"),
             .loss = poet_program_output(program, "loss"),
             .grad_norm = poet_program_output(program, "grad_norm"),
             .started = poet_seconds(),
             .first = step};
    double saved = r.started;
    tell_step(config, step, NULL); /* the first step may take long */
    while (step < config->optim.steps) {
        char note[64];
        float loss;
        POET_TRY(one_step(&r, step, &loss));
        step++;
        bool report = due(step, config->report_steps, config->optim.steps);
        if (report || due(step, config->log_steps, config->optim.steps))
            POET_TRY(log_step(&r, step, loss, report));
        snprintf(note, sizeof note, "loss %.4f", (double)loss);
        tell_step(config, step, note);
        bool stop = poet_task_stopped(config->task) && step < config->optim.steps;
        bool time_to_save = poet_seconds() - saved >= config->save_seconds;
        if (config->checkpoint && (stop || time_to_save || step == config->optim.steps)) {
            POET_TRY(save(config, params, step));
            saved = poet_seconds();
        }
        if (stop)
            return POET_FAIL(
                POET_ERR_INTERRUPTED,
                "stopped at step %" PRId64 " of %" PRId64 "; the same command goes on from %s",
                step, config->optim.steps, config->checkpoint ? config->checkpoint : "the start");
    }
    return POET_OK;
}

poet_status poet_train_finish(poet_params *params)
{
    static const char suffix[] = "@mean";
    for (int i = 0; i < poet_params_count(params); i++) {
        char name[512];
        const char *mean = poet_params_name(params, i);
        size_t length = strlen(mean), tail = sizeof suffix - 1;
        if (length <= tail || length - tail >= sizeof name ||
            strcmp(mean + length - tail, suffix) != 0)
            continue;
        memcpy(name, mean, length - tail);
        name[length - tail] = 0;
        int target = poet_params_find(params, name);
        size_t bytes = poet_tensor_bytes(poet_params_tensor(params, i));
        void *host = poet_alloc(bytes);
        poet_status status = host && target >= 0 ? POET_OK : POET_ERR_NOMEM;
        if (!status)
            status = poet_params_read(params, i, host, bytes);
        if (!status)
            status = poet_params_write(params, target, host, bytes);
        poet_free(host);
        POET_TRY(status);
    }
    poet_params_drop(params, POET_MOMENT);
    return POET_OK;
}

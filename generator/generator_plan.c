/* What writing and training take, from the programs themselves: they are made on a device that counts its memory. */
#include "base/memory.h"
#include "generator/generator_internal.h"

/* Makes the programs of some work and adds up what they take. */
typedef poet_status (*plan_fn)(poet_generator *twin, const void *work, void *out);

/* The same model without its weights, on a device like its own that has no memory. */
static poet_status plan(poet_generator *m, plan_fn make, const void *work, void *out)
{
    poet_device *device;
    poet_generator *twin = NULL;
    POET_TRY(poet_device_plan(m->device, &device));
    poet_status status = poet_derived_create(m, device, &m->config, NULL, m->fingerprint, &twin);
    if (!status)
        status = make(twin, work, out);
    poet_generator_destroy(twin);
    poet_device_close(device);
    return status;
}

typedef struct writing {
    int n;
    const poet_sampling *sampling;
} writing;

static poet_status plan_writing(poet_generator *twin, const void *work, void *out)
{
    const writing *w = work;
    int each = w->sampling->best_of > 1 ? w->sampling->best_of : 1;
    POET_TRY(poet_write_prepare(twin, w->n * each, w->sampling->guidance != 1));
    if (each > 1)
        POET_TRY(poet_score_prepare(twin));
    const poet_program *programs[] = {twin->prefill, twin->step, twin->slots, twin->score};
    for (int i = 0; i < (each > 1 ? 4 : 3); i++)
        poet_memory_add(out, programs[i]);
    return POET_OK;
}

poet_status poet_generator_plan_writing(poet_generator *generator, int n,
                                        const poet_sampling *sampling, poet_memory *out)
{
    const writing work = {n, sampling};
    *out = (poet_memory){0};
    return plan(generator, plan_writing, &work, out);
}

static poet_status count_writing(poet_generator *twin, const void *work, void *out)
{
    const writing *w = work;
    double groups = poet_generator_groups(&twin->config);
    POET_TRY(poet_write_prepare(twin, w->n, w->sampling->guidance != 1));
    poet_program_count(twin->prefill, 1, out);
    poet_program_count(twin->step, groups, out);
    poet_program_count(twin->slots, groups, out);
    return POET_OK;
}

poet_status poet_generator_count_writing(poet_generator *generator, int n,
                                         const poet_sampling *sampling, poet_work *out)
{
    const writing work = {n, sampling};
    return plan(generator, count_writing, &work, out);
}

/* What the inputs of b clips are filled from, their codes and as many numbers that come back. */
static size_t host_bytes(const poet_generator_config *config, int b)
{
    return poet_sequence_batch_bytes(config, b) +
           2 * (size_t)b * (size_t)poet_grid_codes(&config->grid) * sizeof(int32_t);
}

typedef struct steps {
    const poet_generator_training *training;
    int rows;
} steps;

static poet_status plan_training(poet_generator *twin, const void *work, void *result)
{
    const steps *s = work;
    poet_memory *out = result;
    poet_program *program;
    POET_TRY(poet_training_build(twin, s->training, s->rows, &program));
    poet_memory_add(out, program);
    poet_program_destroy(program);
    out->host += host_bytes(&twin->config, s->training->b);
    return POET_OK;
}

static poet_status plan_rows(poet_generator *m, const poet_generator_training *training, int rows,
                             poet_memory *out)
{
    const steps work = {training, rows};
    *out = (poet_memory){0};
    return plan(m, plan_training, &work, out);
}

poet_status poet_generator_plan_training(poet_generator *generator,
                                         const poet_generator_training *training, poet_memory *out)
{
    poet_feeder f;
    poet_status status = poet_feeder_create(generator, training, &f);
    if (!status)
        status = plan_rows(generator, training, f.rows, out);
    poet_feeder_free(&f);
    return status;
}

static poet_status plan_scoring(poet_generator *twin, const void *work, void *out)
{
    (void)work;
    POET_TRY(poet_score_prepare(twin));
    poet_memory_add(out, twin->score);
    return POET_OK;
}

poet_status poet_generator_plan_scoring(poet_generator *generator, poet_memory *out)
{
    *out = (poet_memory){0};
    POET_TRY(plan(generator, plan_scoring, NULL, out));
    out->host = host_bytes(&generator->config, POET_SCORE_BATCH);
    return POET_OK;
}

/* The weights are on the device already. */
static size_t held(const poet_generator *m)
{
    return poet_params_bytes(m->params, POET_PARAM) + poet_params_bytes(m->params, POET_BUFFER);
}

poet_status poet_training_check(poet_generator *m, const poet_generator_training *training,
                                int rows, poet_memory *out)
{
    poet_memory memory;
    POET_TRY(plan_rows(m, training, rows, &memory));
    if (out)
        *out = memory;
    return poet_memory_check(m->device, &memory, held(m), training->train.what);
}

poet_status poet_generator_fit_batch(poet_generator *generator, int n,
                                     const poet_sampling *sampling, int *fits, poet_memory *out)
{
    poet_generator_forget_programs(generator); /* their memory is there for the next */
    for (*fits = n;; *fits = (*fits + 1) / 2) {
        POET_TRY(poet_generator_plan_writing(generator, *fits, sampling, out));
        poet_status status =
            poet_memory_check(generator->device, out, held(generator), "to write clips");
        if (status != POET_ERR_NOMEM || *fits == 1)
            return status;
    }
}

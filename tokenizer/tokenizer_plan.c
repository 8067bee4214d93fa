/* What coding and training take, from the programs themselves: they are made on a device that counts its memory. */
#include "tokenizer/tokenizer_internal.h"

/* Makes the programs of some work and adds up what they take. */
typedef poet_status (*plan_fn)(poet_tokenizer *twin, const void *work, poet_memory *out);

static poet_status plan(poet_device *like, const poet_tokenizer_config *config, plan_fn make,
                        const void *work, poet_memory *out)
{
    poet_device *device;
    poet_tokenizer *twin = NULL;
    *out = (poet_memory){0};
    POET_TRY(poet_device_plan(like, &device));
    poet_status status = poet_tokenizer_create(device, config, 0, &twin);
    if (!status)
        status = make(twin, work, out);
    poet_tokenizer_destroy(twin);
    poet_device_close(device);
    return status;
}

static poet_status plan_decoding(poet_tokenizer *twin, const void *work, poet_memory *out)
{
    POET_TRY(poet_decoder_prepare(twin, work));
    poet_memory_add(out, twin->decoder);
    out->host += poet_decoder_bytes(twin, work);
    return POET_OK;
}

poet_status poet_tokenizer_plan_decoding(poet_tokenizer *tokenizer, const poet_grid *grid,
                                         poet_memory *out)
{
    return plan(tokenizer->device, &tokenizer->config, plan_decoding, grid, out);
}

static poet_status plan_encoding(poet_tokenizer *twin, const void *work, poet_memory *out)
{
    POET_TRY(poet_encoder_prepare(twin, work, false));
    poet_memory_add(out, twin->encoder);
    out->host += poet_encoder_bytes(twin, work);
    return POET_OK;
}

poet_status poet_tokenizer_plan_encoding(poet_tokenizer *tokenizer, const poet_grid *grid,
                                         poet_memory *out)
{
    return plan(tokenizer->device, &tokenizer->config, plan_encoding, grid, out);
}

static poet_status plan_coding(poet_tokenizer *twin, const void *work, poet_memory *out)
{
    POET_TRY(plan_encoding(twin, work, out));
    return plan_decoding(twin, work, out);
}

poet_status poet_tokenizer_plan_coding(poet_device *device, const poet_tokenizer_config *config,
                                       const poet_grid *grid, poet_memory *out)
{
    return plan(device, config, plan_coding, grid, out);
}

/* Starting values come before there is a program of steps. */
static poet_status plan_training(poet_tokenizer *twin, const void *work, poet_memory *out)
{
    const poet_tokenizer_training *r = work;
    poet_program *program;
    if (!r->decoder_only)
        POET_TRY(poet_tokenizer_start_memory(twin, r, out));
    POET_TRY(poet_tokenizer_training_build(twin, r, &program));
    poet_memory steps = poet_program_memory(program);
    steps.host = steps.inputs; /* what the inputs are filled from */
    poet_memory_most(out, &steps);
    poet_program_destroy(program);
    return POET_OK;
}

poet_status poet_tokenizer_plan_training(poet_device *device, const poet_tokenizer_config *config,
                                         const poet_tokenizer_training *training, poet_memory *out)
{
    return plan(device, config, plan_training, training, out);
}

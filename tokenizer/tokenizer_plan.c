/* What decoding and training take, from the programs themselves: they are made on a device that counts its memory. */
#include "tokenizer/tokenizer_internal.h"

/* Makes the program of some work. */
typedef poet_status (*plan_fn)(poet_tokenizer *twin, const void *work, poet_program **out);

static poet_status plan(poet_tokenizer *t, plan_fn make, const void *work, poet_memory *out)
{
    poet_device *device;
    poet_tokenizer *twin = NULL;
    poet_program *program = NULL;
    *out = (poet_memory){0};
    POET_TRY(poet_device_plan(t->device, &device));
    poet_status status = poet_tokenizer_create(device, &t->config, 0, &twin);
    if (!status)
        status = make(twin, work, &program);
    if (!status)
        poet_memory_add(out, program);
    poet_program_destroy(program);
    poet_tokenizer_destroy(twin);
    poet_device_close(device);
    return status;
}

static poet_status make_decoder(poet_tokenizer *twin, const void *work, poet_program **out)
{
    poet_status status = poet_decoder_prepare(twin, work);
    *out = twin->decoder;
    twin->decoder = NULL;
    return status;
}

poet_status poet_tokenizer_plan_decoding(poet_tokenizer *tokenizer, const poet_grid *grid,
                                         poet_memory *out)
{
    return plan(tokenizer, make_decoder, grid, out);
}

static poet_status make_training(poet_tokenizer *twin, const void *work, poet_program **out)
{
    return poet_tokenizer_training_build(twin, work, out);
}

poet_status poet_tokenizer_training_check(poet_tokenizer *t,
                                          const poet_tokenizer_training *training)
{
    poet_memory memory;
    if (!t->device->backend->memory)
        return POET_OK;
    POET_TRY(plan(t, make_training, training, &memory));
    return poet_memory_check(t->device, &memory, memory.params + memory.buffers,
                             training->train.what);
}

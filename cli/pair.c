#include "cli/pair.h"

#include "base/file.h"
#include "base/memory.h"
#include "cli/device.h"
#include "cli/models.h"
#include "eval/reconstruction.h"

static poet_status load(const char *folder, cli_pair *out)
{
    char *tokenizer = poet_path_join(folder, "tokenizer.safetensors");
    char *generator = poet_path_join(folder, "generator.safetensors");
    poet_status status = tokenizer && generator ? POET_OK : POET_ERR_NOMEM;
    if (!status)
        status = poet_tokenizer_load(out->device, tokenizer, &out->tokenizer);
    if (!status)
        status = poet_generator_load(out->device, generator, &out->generator);
    poet_free(generator);
    poet_free(tokenizer);
    return status;
}

poet_status cli_pair_open(cli_context *context, const char *name, cli_pair *out)
{
    char *folder;
    uint64_t fingerprint;
    *out = (cli_pair){0};
    POET_TRY(cli_model_find(name, &folder));
    poet_status status = poet_is_directory(folder)
                             ? cli_device_open(context, &out->device)
                             : POET_FAIL(POET_ERR_FORMAT,
                                         "%s: is not a model folder with tokenizer.safetensors and "
                                         "generator.safetensors in it",
                                         folder);
    if (!status)
        status = load(folder, out);
    if (!status)
        status = poet_tokenizer_fingerprint(out->tokenizer, &fingerprint);
    if (!status && fingerprint != poet_generator_fingerprint(out->generator))
        status = POET_FAIL(POET_ERR_MISMATCH,
                           "%s: the generator was trained with another tokenizer", folder);
    poet_free(folder);
    return status;
}

poet_status cli_pair_open_tokenizer(cli_context *context, const char *path, cli_pair *out)
{
    *out = (cli_pair){0};
    POET_TRY(cli_device_open(context, &out->device));
    return poet_tokenizer_load(out->device, path, &out->tokenizer);
}

void cli_pair_close(cli_pair *pair)
{
    poet_generator_destroy(pair->generator);
    poet_tokenizer_destroy(pair->tokenizer);
    poet_device_close(pair->device);
    *pair = (cli_pair){0};
}

poet_status cli_pair_check_grid(const cli_pair *pair, const char *spec, const poet_grid *grid)
{
    if (!pair->generator)
        return POET_OK;
    const poet_grid *own = &poet_generator_get_config(pair->generator)->grid;
    if (own->t != grid->t || own->h != grid->h || own->w != grid->w)
        return POET_FAIL(POET_ERR_MISMATCH,
                         "%s: the clips are %dx%dx%d codes, the generator writes %dx%dx%d", spec,
                         grid->t, grid->h, grid->w, own->t, own->h, own->w);
    return POET_OK;
}

poet_status cli_pair_check_coding(const cli_pair *pair, const poet_clip *shape,
                                  const poet_task *task)
{
    char text[192];
    poet_grid grid;
    poet_memory memory;
    const poet_tokenizer_config *c = poet_tokenizer_get_config(pair->tokenizer);
    POET_TRY(poet_tokenizer_grid(c, shape->t, shape->h, shape->w, &grid));
    POET_TRY(poet_tokenizer_plan_coding(pair->device, c, &grid, &memory));
    memory.host +=
        poet_reconstruction_bytes(shape) + (size_t)poet_grid_codes(&grid) * sizeof(int32_t);
    POET_TRY(poet_memory_check(pair->device, &memory, memory.params + memory.buffers, "clips"));
    poet_task_info(task, "memory to encode and decode clips: %s", poet_memory_text(&memory, text));
    return POET_OK;
}

poet_status cli_pair_decode(const cli_pair *pair, const int32_t *codes, poet_clip *out)
{
    const poet_generator_config *c = poet_generator_get_config(pair->generator);
    int patch = poet_tokenizer_get_config(pair->tokenizer)->patch;
    POET_TRY(poet_clip_create(1 + POET_PATCH_FRAMES * (c->grid.t - 1), c->grid.h * patch,
                              c->grid.w * patch, c->fps, out));
    return poet_tokenizer_decode(pair->tokenizer, codes, &c->grid, out->pixels);
}

#include "eval/clip_writer.h"

#include "base/memory.h"

static const poet_grid *grid_of(const poet_clip_writer *writer)
{
    return &poet_generator_get_config(writer->generator)->grid;
}

poet_clip poet_clip_writer_geometry(const poet_clip_writer *writer)
{
    const poet_generator_config *c = poet_generator_get_config(writer->generator);
    int patch = poet_tokenizer_get_config(writer->tokenizer)->patch;
    return (poet_clip){.t = 1 + POET_PATCH_FRAMES * (c->grid.t - 1),
                       .h = c->grid.h * patch,
                       .w = c->grid.w * patch,
                       .fps = c->fps};
}

/* Clips [first, first + n) as one batch. */
static poet_status write_batch(const poet_clip_writer *writer, const char *const *prompts,
                               int first, int n, poet_clip *clip, poet_judge_fn judge, void *opaque)
{
    int64_t per_clip = poet_grid_codes(grid_of(writer));
    int32_t *codes = poet_alloc((size_t)n * (size_t)per_clip * sizeof *codes);
    uint64_t *seeds = poet_calloc((size_t)n, sizeof *seeds);
    poet_status status = codes && seeds ? POET_OK : POET_ERR_NOMEM;
    for (int i = 0; i < n && !status; i++)
        seeds[i] = writer->seed + (uint64_t)(first + i);
    if (!status)
        status = poet_generator_write(writer->generator, n, prompts + first, seeds,
                                      &writer->sampling, NULL, codes, NULL);
    for (int i = 0; i < n && !status; i++) {
        status = poet_tokenizer_decode(writer->tokenizer, codes + i * per_clip, grid_of(writer),
                                       clip->pixels);
        if (!status)
            status = judge(opaque, first + i, clip);
    }
    poet_free(seeds);
    poet_free(codes);
    return status;
}

static poet_status write_all(const poet_clip_writer *writer, int n, const char *const *prompts,
                             poet_clip *clip, poet_judge_fn judge, void *opaque)
{
    for (int first = 0; first < n; first += writer->batch) {
        int some = n - first < writer->batch ? n - first : writer->batch;
        POET_TRY(write_batch(writer, prompts, first, some, clip, judge, opaque));
        POET_TRY(poet_task_advance(writer->task, "captions", first + some, n, "clips"));
    }
    return POET_OK;
}

poet_status poet_clip_writer_run(const poet_clip_writer *writer, int n, const char *const *prompts,
                                 poet_judge_fn judge, void *opaque)
{
    poet_clip clip, shape = poet_clip_writer_geometry(writer);
    POET_TRY(poet_clip_create(shape.t, shape.h, shape.w, shape.fps, &clip));
    poet_status status = write_all(writer, n, prompts, &clip, judge, opaque);
    poet_clip_free(&clip);
    return status;
}

poet_status poet_clip_writer_reconstruct(void *user, poet_clip *clip)
{
    const poet_clip_writer *writer = user;
    poet_grid grid;
    POET_TRY(poet_tokenizer_grid(poet_tokenizer_get_config(writer->tokenizer), clip->t, clip->h,
                                 clip->w, &grid));
    int32_t *codes = poet_alloc((size_t)poet_grid_codes(&grid) * sizeof *codes);
    poet_status status = codes ? poet_tokenizer_encode(writer->tokenizer, clip->pixels, clip->t,
                                                       clip->h, clip->w, codes)
                               : POET_ERR_NOMEM;
    if (!status)
        status = poet_tokenizer_decode(writer->tokenizer, codes, &grid, clip->pixels);
    poet_free(codes);
    return status;
}

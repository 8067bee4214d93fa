#include "eval/captions.h"

#include "base/memory.h"

/* Frames, sides and rate of the model's clips. */
static poet_synth_options geometry(const poet_caption_run *run)
{
    const poet_generator_config *c = poet_generator_get_config(run->generator);
    int patch = poet_tokenizer_get_config(run->tokenizer)->patch;
    poet_synth_options options = poet_synth_defaults();
    options.t = 1 + POET_PATCH_FRAMES * (c->grid.t - 1);
    options.h = c->grid.h * patch;
    options.w = c->grid.w * patch;
    options.fps = c->fps;
    return options;
}

static poet_status judge(const poet_caption_run *run, const poet_reader *reader,
                         const int32_t *codes, const poet_synth_scene *wanted, poet_clip *clip,
                         poet_attribute_score *out)
{
    const poet_grid *grid = &poet_generator_get_config(run->generator)->grid;
    poet_reading *reading = poet_alloc(sizeof *reading);
    if (!reading)
        return POET_ERR_NOMEM;
    poet_status status = poet_tokenizer_decode(run->tokenizer, codes, grid, clip->pixels);
    if (!status)
        status = poet_reader_read(reader, clip, reading);
    if (!status)
        poet_attribute_score_add(out, reading, wanted);
    poet_free(reading);
    return status;
}

/* Scenes [first, first + n) as one batch. */
static poet_status run_batch(const poet_caption_run *run, const poet_reader *reader,
                             const poet_synth_scene *scenes, int first, int n, poet_clip *clip,
                             poet_attribute_score *out)
{
    int64_t per_clip = poet_grid_codes(&poet_generator_get_config(run->generator)->grid);
    int32_t *codes = poet_alloc((size_t)n * (size_t)per_clip * sizeof *codes);
    const char **prompts = poet_calloc((size_t)n, sizeof *prompts);
    uint64_t *seeds = poet_calloc((size_t)n, sizeof *seeds);
    poet_status status = codes && prompts && seeds ? POET_OK : POET_ERR_NOMEM;
    for (int i = 0; i < n && !status; i++) {
        prompts[i] = scenes[first + i].caption;
        seeds[i] = run->seed + (uint64_t)(first + i);
    }
    if (!status)
        status = poet_generator_write(run->generator, n, prompts, seeds, &run->sampling, NULL,
                                      codes, NULL);
    for (int i = 0; i < n && !status; i++)
        status = judge(run, reader, codes + i * per_clip, &scenes[first + i], clip, out);
    poet_free(seeds);
    poet_free(prompts);
    poet_free(codes);
    return status;
}

static poet_status run_all(const poet_caption_run *run, const poet_reader *reader,
                           const poet_synth_scene *scenes, poet_clip *clip,
                           poet_attribute_score *out)
{
    for (int first = 0; first < run->n; first += run->batch) {
        int n = run->n - first < run->batch ? run->n - first : run->batch;
        POET_TRY(run_batch(run, reader, scenes, first, n, clip, out));
        poet_task_progress(run->task, &(poet_progress){.what = "captions",
                                                       .done = first + n,
                                                       .total = run->n,
                                                       .unit = "clips"});
        if (poet_task_stopped(run->task))
            return POET_FAIL(POET_ERR_INTERRUPTED, "stopped after %d of %d clips", first + n,
                             run->n);
    }
    return POET_OK;
}

poet_status poet_measure_captions(const poet_caption_run *run, poet_attribute_score *out)
{
    poet_synth_options options = geometry(run);
    poet_reader *reader = NULL;
    poet_clip clip = {0};
    *out = (poet_attribute_score){0};
    poet_synth_scene *scenes = poet_calloc((size_t)run->n, sizeof *scenes);
    poet_status status =
        scenes ? poet_synth_prompts(run->set, run->seed, run->split, &options, run->n, scenes)
               : POET_ERR_NOMEM;
    if (!status)
        status = poet_reader_create(run->set, &options, &reader);
    if (!status)
        status = poet_clip_create(options.t, options.h, options.w, options.fps, &clip);
    if (!status)
        status = run_all(run, reader, scenes, &clip, out);
    poet_clip_free(&clip);
    poet_reader_destroy(reader);
    poet_free(scenes);
    return status;
}

/* A clip as it comes back from the tokenizer. */
static poet_status reconstruct(void *user, poet_clip *clip)
{
    const poet_caption_run *run = user;
    const poet_grid *grid = &poet_generator_get_config(run->generator)->grid;
    int32_t *codes = poet_alloc((size_t)poet_grid_codes(grid) * sizeof *codes);
    poet_status status = codes ? poet_tokenizer_encode(run->tokenizer, clip->pixels, clip->t,
                                                       clip->h, clip->w, codes)
                               : POET_ERR_NOMEM;
    if (!status)
        status = poet_tokenizer_decode(run->tokenizer, codes, grid, clip->pixels);
    poet_free(codes);
    return status;
}

poet_status poet_measure_reader(const poet_caption_run *run, poet_attribute_score *drawn,
                                poet_attribute_score *reconstructed)
{
    poet_synth_options options = geometry(run);
    poet_reader *reader;
    poet_caption_run copy = *run;
    POET_TRY(poet_reader_create(run->set, &options, &reader));
    poet_status status = poet_attributes_accuracy(reader, run->seed, run->split, (uint64_t)run->n,
                                                  NULL, NULL, run->task, drawn);
    if (!status)
        status = poet_attributes_accuracy(reader, run->seed, run->split, (uint64_t)run->n,
                                          reconstruct, &copy, run->task, reconstructed);
    poet_reader_destroy(reader);
    return status;
}

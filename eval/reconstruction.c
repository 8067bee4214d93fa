#include "eval/reconstruction.h"

#include "base/memory.h"

/* Buffers for one clip, and the counts of all. */
typedef struct measuring {
    poet_tokenizer *encoder, *decoder;
    const poet_shrink_map *map; /* between them; NULL: none */
    poet_grid grid;
    int32_t *codes;
    uint8_t *frames;
    int64_t *counts;
    poet_reconstruction *out;
} measuring;

static poet_status measure_clip(measuring *m, const poet_clip *clip)
{
    double ssim;
    int k = poet_tokenizer_get_config(m->decoder)->codes;
    int64_t count = poet_grid_codes(&m->grid);
    POET_TRY(poet_tokenizer_encode(m->encoder, clip->pixels, clip->t, clip->h, clip->w, m->codes));
    if (m->map)
        poet_shrink_map_codes(m->map, m->codes, count / m->grid.levels, m->codes);
    POET_TRY(poet_tokenizer_decode(m->decoder, m->codes, &m->grid, m->frames));
    POET_TRY(poet_ssim(clip->pixels, m->frames, clip->t, clip->h, clip->w, &ssim));
    size_t bytes = (size_t)clip->t * (size_t)clip->h * (size_t)clip->w * 3;
    poet_mean_add(&m->out->psnr, poet_psnr(clip->pixels, m->frames, bytes));
    poet_mean_add(&m->out->ssim, ssim);
    for (int64_t i = 0; i < count; i++)
        m->counts[i % m->grid.levels * k + m->codes[i]]++;
    return POET_OK;
}

static poet_status measure_split(measuring *m, const poet_dataset *dataset, poet_split split,
                                 uint64_t n, const poet_task *task)
{
    uint64_t count = poet_dataset_count(dataset, split);
    if (!count)
        return POET_FAIL(POET_ERR_ARG, "has no %s clips to measure",
                         split == POET_SPLIT_TRAIN ? "training" : "held-out");
    count = n < count ? n : count;
    for (uint64_t i = 0; i < count; i++) {
        poet_example example;
        POET_TRY(poet_dataset_read(dataset, split, i, &example));
        poet_status status = measure_clip(m, &example.clip);
        poet_example_free(&example);
        POET_TRY(status);
        POET_TRY(poet_task_advance(task, "reconstruct", (int64_t)i + 1, (int64_t)count, "clips"));
    }
    return POET_OK;
}

static poet_status measure(measuring *m, const poet_dataset *dataset, poet_split split, uint64_t n,
                           const poet_task *task)
{
    const poet_tokenizer_config *config = poet_tokenizer_get_config(m->decoder);
    poet_clip shape = poet_dataset_geometry(dataset);
    *m->out = (poet_reconstruction){.codes = config->codes * config->levels};
    POET_TRY(poet_tokenizer_grid(config, shape.t, shape.h, shape.w, &m->grid));
    m->codes = poet_alloc((size_t)poet_grid_codes(&m->grid) * sizeof *m->codes);
    m->frames = poet_alloc((size_t)shape.t * (size_t)shape.h * (size_t)shape.w * 3);
    m->counts = poet_calloc((size_t)m->out->codes, sizeof *m->counts);
    poet_status status = m->codes && m->frames && m->counts ? POET_OK : POET_ERR_NOMEM;
    if (!status)
        status = measure_split(m, dataset, split, n, task);
    if (!status)
        m->out->usage = poet_code_usage(m->counts, m->out->codes);
    poet_free(m->counts);
    poet_free(m->frames);
    poet_free(m->codes);
    return status;
}

size_t poet_reconstruction_bytes(const poet_clip *shape)
{
    size_t clip = (size_t)shape->t * (size_t)shape->h * (size_t)shape->w * 3;
    return 3 * clip + poet_ssim_bytes(shape->h, shape->w); /* one more on its way from the device */
}

poet_status poet_measure_reconstruction(poet_tokenizer *tokenizer, const poet_dataset *dataset,
                                        poet_split split, uint64_t n, const poet_task *task,
                                        poet_reconstruction *out)
{
    measuring m = {.encoder = tokenizer, .decoder = tokenizer, .out = out};
    return measure(&m, dataset, split, n, task);
}

poet_status poet_measure_remapped(poet_tokenizer *tokenizer, const poet_shrink_map *map,
                                  poet_tokenizer *smaller, const poet_dataset *dataset,
                                  poet_split split, uint64_t n, const poet_task *task,
                                  poet_reconstruction *out)
{
    measuring m = {.encoder = tokenizer, .decoder = smaller, .map = map, .out = out};
    return measure(&m, dataset, split, n, task);
}

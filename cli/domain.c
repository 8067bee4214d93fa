#include "cli/domain.h"

#include "cli/clip_source.h"

#include "base/file.h"
#include "base/memory.h"
#include "codec/tokfile.h"

#include <stdlib.h>
#include <string.h>

typedef struct reading {
    const char *spec;
    poet_tokenizer *tokenizer;
    const poet_tokenizer_config *config;
    const cli_domain_options *options;
    int64_t total; /* clips that will be read */
    cli_domain *out;
} reading;

static poet_status keep_whole(reading *r, const poet_grid *grid, const int32_t *codes,
                              const char *caption)
{
    cli_domain *d = r->out;
    int64_t per_clip = poet_grid_codes(grid);
    int64_t room = r->total < r->options->whole ? r->total : r->options->whole;
    if (!d->codes) {
        d->grid = *grid;
        d->codes = poet_alloc((size_t)(room * per_clip) * sizeof *d->codes);
        d->captions = poet_calloc((size_t)room, sizeof *d->captions);
        if (!d->codes || !d->captions)
            return POET_ERR_NOMEM;
    }
    if (grid->t != d->grid.t || grid->h != d->grid.h || grid->w != d->grid.w)
        return POET_FAIL(POET_ERR_MISMATCH,
                         "%s: clip %d has %dx%dx%d codes, the first one %dx%dx%d", r->spec, d->n,
                         grid->t, grid->h, grid->w, d->grid.t, d->grid.h, d->grid.w);
    memcpy(d->codes + d->n * per_clip, codes, (size_t)per_clip * sizeof *codes);
    d->captions[d->n] = poet_strdup(caption);
    return d->captions[d->n++] ? POET_OK : POET_ERR_NOMEM;
}

static poet_status add_clip(reading *r, const poet_grid *grid, const int32_t *codes,
                            const char *caption)
{
    cli_domain *d = r->out;
    int64_t count = poet_grid_codes(grid);
    for (int64_t i = 0; i < count; i++)
        d->counts[i % grid->levels * r->config->codes + codes[i]]++;
    d->tokens += count;
    d->clips++;
    if (d->n < r->options->whole)
        POET_TRY(keep_whole(r, grid, codes, caption));
    return poet_task_advance(r->options->task, "read codes", d->clips, r->total, "clips");
}

static void limit_clips(reading *r, uint64_t count)
{
    uint64_t limit = (uint64_t)r->options->limit;
    r->total = (int64_t)(limit && limit < count ? limit : count);
}

static poet_status read_tokens(reading *r, const poet_tokfile *file)
{
    uint64_t fingerprint;
    const poet_tokfile_header *header = poet_tokfile_get_header(file);
    POET_TRY(poet_tokenizer_fingerprint(r->tokenizer, &fingerprint));
    POET_TRY(poet_tokfile_check_fingerprint(file, fingerprint));
    if ((int)header->codes != r->config->codes || (int)header->levels != r->config->levels)
        return POET_FAIL(POET_ERR_MISMATCH, "%s: has %u codes on %u levels, the tokenizer %d on %d",
                         r->spec, header->codes, header->levels, r->config->codes,
                         r->config->levels);
    limit_clips(r, poet_tokfile_count(file));
    poet_status status = POET_OK;
    for (size_t i = 0; i < (size_t)r->total && !status; i++) {
        poet_tokfile_clip info = poet_tokfile_info(file, i);
        poet_grid grid = {(int)info.t, (int)info.h, (int)info.w, (int)header->levels};
        int32_t *codes = poet_alloc(poet_tokfile_code_count(file, i) * sizeof *codes);
        status = codes ? poet_tokfile_read(file, i, (uint32_t *)codes) : POET_ERR_NOMEM;
        if (!status)
            status = add_clip(r, &grid, codes, info.caption);
        poet_free(codes);
    }
    return status;
}

static poet_status encode_clip(reading *r, const poet_example *example)
{
    const poet_clip *clip = &example->clip;
    poet_grid grid;
    POET_TRY(poet_tokenizer_grid(r->config, clip->t, clip->h, clip->w, &grid));
    int32_t *codes = poet_alloc((size_t)poet_grid_codes(&grid) * sizeof *codes);
    poet_status status =
        codes ? poet_tokenizer_encode(r->tokenizer, clip->pixels, clip->t, clip->h, clip->w, codes)
              : POET_ERR_NOMEM;
    if (!status)
        status = add_clip(r, &grid, codes, example->caption);
    poet_free(codes);
    return status;
}

static poet_status read_dataset(reading *r, const poet_dataset *dataset)
{
    limit_clips(r, poet_dataset_count(dataset, r->options->split));
    for (uint64_t i = 0; i < (uint64_t)r->total; i++) {
        poet_example example;
        POET_TRY(poet_dataset_read(dataset, r->options->split, i, &example));
        poet_status status = encode_clip(r, &example);
        poet_example_free(&example);
        POET_TRY(status);
    }
    return POET_OK;
}

static poet_status read_all(reading *r)
{
    poet_status status;
    if (poet_tokfile_is(r->spec)) {
        poet_tokfile *file;
        POET_TRY(poet_tokfile_open(r->spec, &file));
        status = read_tokens(r, file);
        poet_tokfile_close(file);
    } else {
        cli_clip_source source;
        double heldout = r->options->split == POET_SPLIT_TRAIN ? 0 : 1;
        status =
            cli_clip_source_open(r->spec, r->options->data, heldout, r->options->task, &source);
        if (!status)
            status = read_dataset(r, source.dataset);
        cli_clip_source_close(&source);
    }
    return status;
}

static poet_status begin(reading *r, const char *spec, poet_tokenizer *tokenizer,
                         const cli_domain_options *options, cli_domain *out)
{
    const poet_tokenizer_config *c = poet_tokenizer_get_config(tokenizer);
    *r = (reading){
        .spec = spec, .tokenizer = tokenizer, .config = c, .options = options, .out = out};
    *out = (cli_domain){0};
    out->counts = poet_calloc((size_t)c->levels * (size_t)c->codes, sizeof *out->counts);
    return out->counts ? POET_OK : POET_ERR_NOMEM;
}

static poet_status no_clips(const reading *r)
{
    return POET_FAIL(POET_ERR_ARG, "%s: has no %s clips", r->spec,
                     r->options->split == POET_SPLIT_TRAIN ? "training" : "held-out");
}

poet_status cli_domain_read(const char *spec, poet_tokenizer *tokenizer,
                            const cli_domain_options *options, cli_domain *out)
{
    reading r;
    POET_TRY(begin(&r, spec, tokenizer, options, out));
    POET_TRY(read_all(&r));
    return r.total ? POET_OK : no_clips(&r);
}

poet_status cli_domain_encode(const char *spec, const poet_dataset *dataset,
                              poet_tokenizer *tokenizer, const cli_domain_options *options,
                              cli_domain *out)
{
    reading r;
    POET_TRY(begin(&r, spec, tokenizer, options, out));
    POET_TRY(read_dataset(&r, dataset));
    return r.total ? POET_OK : no_clips(&r);
}

/* ---- what is used ---- */

int cli_domain_codes_used(const cli_domain *domain, const poet_tokenizer_config *config)
{
    int fewest = config->codes;
    for (int level = 0; level < config->levels; level++) {
        int used = 0;
        for (int k = 0; k < config->codes; k++)
            used += domain->counts[(int64_t)level * config->codes + k] > 0;
        fewest = used < fewest ? used : fewest;
    }
    return fewest;
}

static int falling(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

poet_status cli_domain_share_of(const cli_domain *domain, const poet_tokenizer_config *config,
                                int codes, double *out)
{
    size_t bytes = (size_t)config->codes * sizeof *domain->counts;
    int64_t *order = poet_alloc(bytes), sum = 0;
    if (!order)
        return POET_ERR_NOMEM;
    for (int level = 0; level < config->levels; level++) {
        memcpy(order, domain->counts + (int64_t)level * config->codes, bytes);
        qsort(order, (size_t)config->codes, sizeof *order, falling);
        for (int k = 0; k < codes; k++)
            sum += order[k];
    }
    poet_free(order);
    *out = (double)sum / (double)domain->tokens;
    return POET_OK;
}

double cli_domain_missing(const cli_domain *domain, const cli_domain *other,
                          const poet_tokenizer_config *config)
{
    int64_t missing = 0;
    for (int i = 0; i < config->levels * config->codes; i++)
        missing += domain->counts[i] ? 0 : other->counts[i];
    return (double)missing / (double)other->tokens;
}

void cli_domain_free(cli_domain *domain)
{
    for (int i = 0; i < domain->n; i++)
        poet_free(domain->captions[i]);
    poet_free(domain->captions);
    poet_free(domain->codes);
    poet_free(domain->counts);
    *domain = (cli_domain){0};
}

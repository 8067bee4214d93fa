/* The best of several clips: they are written with seeds of their own, and the model itself says which of them tells most
 * about the prompt. */
#include "base/memory.h"
#include "base/rng.h"
#include "generator/generator_internal.h"

#include <string.h>

/* m = n * best_of clips; candidate c of prompt i is number i * best_of + c. */
typedef struct candidates {
    int m, best_of;
    int64_t per_clip;
    const char **prompts;
    uint64_t *seeds;
    int32_t *codes;
    double *with, *without; /* bits, given the prompt and given none */
} candidates;

static poet_status create(candidates *c, const char *const *prompts, const uint64_t *seeds)
{
    size_t m = (size_t)c->m;
    c->prompts = poet_calloc(m, sizeof *c->prompts);
    c->seeds = poet_calloc(m, sizeof *c->seeds);
    c->codes = poet_alloc(m * (size_t)c->per_clip * sizeof *c->codes);
    c->with = poet_calloc(m, sizeof *c->with);
    c->without = poet_calloc(m, sizeof *c->without);
    if (!c->prompts || !c->seeds || !c->codes || !c->with || !c->without)
        return POET_ERR_NOMEM;
    for (int i = 0; i < c->m; i++) {
        int candidate = i % c->best_of;
        c->prompts[i] = prompts[i / c->best_of];
        c->seeds[i] = seeds[i / c->best_of];
        if (candidate) /* the first is what is written without choice */
            c->seeds[i] = poet_hash64(c->seeds[i], &candidate, sizeof candidate);
    }
    return POET_OK;
}

static void destroy(candidates *c)
{
    poet_free(c->prompts);
    poet_free(c->seeds);
    poet_free(c->codes);
    poet_free(c->with);
    poet_free(c->without);
}

static poet_status write_candidates(poet_generator *generator, candidates *c,
                                    const poet_sampling *sampling, const poet_task *task, int *cut)
{
    int cuts = 0;
    POET_TRY(
        poet_write_clips(generator, c->m, c->prompts, c->seeds, sampling, task, c->codes, &cuts));
    if (cut)
        *cut += cuts / c->best_of;
    POET_TRY(poet_generator_score(generator, c->m, c->codes, c->prompts, c->with));
    return poet_generator_score(generator, c->m, c->codes, NULL, c->without);
}

/* The candidate of prompt i with the most bits that the prompt saves. */
static int choose(const candidates *c, int i)
{
    int best = i * c->best_of;
    for (int k = best + 1; k < (i + 1) * c->best_of; k++)
        if (c->without[k] - c->with[k] > c->without[best] - c->with[best])
            best = k;
    return best;
}

poet_status poet_generator_write(poet_generator *generator, int n, const char *const *prompts,
                                 const uint64_t *seeds, const poet_sampling *sampling,
                                 const poet_task *task, int32_t *codes, int *cut)
{
    POET_TRY(poet_sampling_check(sampling));
    if (sampling->best_of <= 1)
        return poet_write_clips(generator, n, prompts, seeds, sampling, task, codes, cut);
    candidates c = {.m = n * sampling->best_of,
                    .best_of = sampling->best_of,
                    .per_clip = poet_grid_codes(&generator->config.grid)};
    poet_status status = create(&c, prompts, seeds);
    if (!status)
        status = write_candidates(generator, &c, sampling, task, cut);
    for (int i = 0; i < n && !status; i++)
        memcpy(codes + i * c.per_clip, c.codes + choose(&c, i) * c.per_clip,
               (size_t)c.per_clip * sizeof *codes);
    destroy(&c);
    return status;
}

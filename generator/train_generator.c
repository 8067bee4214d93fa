#include "base/memory.h"
#include "base/rng.h"
#include "generator/generator_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

poet_generator_training poet_generator_training_defaults(void)
{
    poet_generator_training r = {.b = 4,
                                 .drop_text = 0.1F,
                                 .train = {.optim = poet_optim_defaults(),
                                           .save_seconds = 120,
                                           .log_steps = 50,
                                           .what = "train-generator"}};
    r.train.optim.rate = 0.005F; /* tables, and the head */
    r.train.optim.muon_rate = 0.02F;
    return r;
}

/* Draws of (seed, step, row): whether the example goes without its caption, then its noise. */
static poet_status fill_row(poet_feeder *f, int64_t step, int row)
{
    const poet_generator_training *r = f->training;
    poet_rng rng;
    poet_rng_init(&rng, r->seed, (uint64_t)step * (uint64_t)r->b + (uint64_t)row);
    bool dropped = poet_rng_uniform(&rng) < r->drop_text;
    return poet_sequence_batch_fill(f->m, &f->batch, row,
                                    f->codes + row * poet_grid_codes(&f->m->config.grid),
                                    dropped ? NULL : f->captions[row], r->noise, &rng);
}

poet_status poet_feeder_feed(void *opaque, int64_t step, poet_program *program)
{
    poet_feeder *f = opaque;
    const poet_generator_training *r = f->training;
    POET_TRY(r->tokens(r->opaque, step, r->b, f->codes, f->captions));
    for (int i = 0; i < r->b; i++)
        POET_TRY(fill_row(f, step, i));
    poet_sequence_batch_pack(&f->m->config, &f->batch, ~r->seed, (uint64_t)step);
    return poet_sequence_batch_set(&f->m->config, &f->batch, program);
}

/* How many groups of a batch are written: what the first batches need, and a tenth. A batch that
 * needs more leaves some out. */
static poet_status measure_rows(poet_feeder *f, int32_t *grouped)
{
    enum { BATCHES = 16 };

    const poet_generator_config *c = &f->m->config;
    int b = f->training->b, n = poet_generator_groups(c), written = 0;
    f->rows = b * n;
    if (!c->keep)
        return POET_OK;
    for (int step = 0; step < BATCHES; step++) {
        POET_TRY(f->training->tokens(f->training->opaque, step, b, f->codes, f->captions));
        for (int i = 0; i < b; i++) {
            poet_sequence_group(c, f->codes + i * poet_grid_codes(&c->grid), grouped);
            for (int g = 0; g < n; g++)
                written += !poet_sequence_keeps(c, grouped, g);
        }
    }
    int wanted = (int)(1.1 * written / BATCHES) + 8;
    f->rows = wanted < f->rows ? wanted : f->rows;
    return POET_OK;
}

poet_status poet_feeder_create(poet_generator *m, const poet_generator_training *training,
                               poet_feeder *out)
{
    const poet_generator_config *c = &m->config;
    size_t b = (size_t)training->b, per_clip = (size_t)poet_grid_codes(&c->grid);
    int32_t *grouped = poet_calloc(per_clip, sizeof *grouped);
    *out = (poet_feeder){.m = m, .training = training};
    out->codes = poet_calloc(b * per_clip, sizeof *out->codes);
    out->captions = poet_calloc(b, sizeof *out->captions);
    poet_status status =
        grouped && out->codes && out->captions ? measure_rows(out, grouped) : POET_ERR_NOMEM;
    if (!status)
        status = poet_sequence_batch_create(c, training->b, out->rows, &out->batch);
    poet_free(grouped);
    return status;
}

void poet_feeder_free(poet_feeder *feeder)
{
    poet_free(feeder->captions);
    poet_free(feeder->codes);
    poet_sequence_batch_free(&feeder->batch);
}

poet_status poet_training_build(poet_generator *m, const poet_generator_training *training,
                                int rows, poet_program **out)
{
    poet_graph *g = poet_graph_create(m->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_graph_set_precision(g, training->train.precision);
    poet_optimize(g, poet_model_loss(g, &m->config, training->b, rows, NULL, NULL),
                  &training->train.optim);
    return poet_program_create(g, out);
}

static poet_status train(poet_generator *m, poet_feeder *f, const poet_train_config *config,
                         poet_memory *memory)
{
    int64_t step;
    poet_program *program;
    POET_TRY(poet_train_resume(config, m->params, &step));
    POET_TRY(poet_training_check(m, f->training, f->rows, memory));
    POET_TRY(poet_training_build(m, f->training, f->rows, &program));
    poet_status status = poet_train_run(config, m->params, program, step);
    poet_program_destroy(program);
    return status;
}

/* The tokenizer and the vocabulary, whose numbers mean nothing to another one. */
static poet_status name_what_it_follows(const poet_generator *m, char *text, size_t room)
{
    char *vocabulary;
    POET_TRY(poet_bpe_to_text(m->bpe, &vocabulary));
    snprintf(text, room, "tokenizer %016llx, vocabulary %016llx",
             (unsigned long long)m->fingerprint,
             (unsigned long long)poet_hash64(0, vocabulary, strlen(vocabulary)));
    poet_free(vocabulary);
    return POET_OK;
}

poet_status poet_generator_train(poet_generator *generator, const poet_generator_training *training,
                                 poet_memory *memory)
{
    poet_feeder f;
    char config_text[512], batch_text[128], follows_text[64];
    poet_generator_forget_programs(generator);
    poet_status status = poet_feeder_create(generator, training, &f);
    if (!status)
        status = name_what_it_follows(generator, follows_text, sizeof follows_text);
    poet_generator_config_text(&generator->config, config_text);
    snprintf(batch_text, sizeof batch_text, "%d seed %llu text dropped %g noise %g", training->b,
             (unsigned long long)training->seed, (double)training->drop_text,
             (double)training->noise);
    poet_pair pairs[] = {{"generator.config", config_text},
                         {"generator.follows", follows_text},
                         {"train.batch", batch_text}};
    poet_train_config config = training->train;
    config.pairs = pairs;
    config.n_pairs = sizeof pairs / sizeof *pairs;
    config.feed = poet_feeder_feed;
    config.opaque = &f;
    if (!status)
        status = train(generator, &f, &config, memory);
    poet_generator_forget_programs(generator); /* a report may have made some */
    if (!status)
        status = poet_train_finish(generator->params);
    poet_feeder_free(&f);
    return status;
}

/* ---- bits per clip ---- */

poet_status poet_score_prepare(poet_generator *m)
{
    int rows = POET_SCORE_BATCH;
    if (m->score && m->score_rows == rows)
        return POET_OK;
    poet_program_destroy(m->score);
    m->score = NULL;
    poet_graph *g = poet_graph_create(m->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_val losses = POET_NONE, kept = POET_NONE;
    poet_model_loss(g, &m->config, rows, rows * poet_generator_groups(&m->config), &losses, &kept);
    poet_result(g, "losses", losses);
    if (m->config.keep)
        poet_result(g, "kept", kept);
    m->score_rows = rows;
    return poet_program_create(g, &m->score);
}

/* Row i of the batch: the losses of its written groups, wherever packing has put them, and of what
 * it keeps. */
static double clip_nats(const poet_generator_config *c, const poet_sequence_batch *batch,
                        const float *losses, const float *kept, int i)
{
    int64_t n = poet_generator_groups(c), s = poet_generator_slots(c);
    double nats = 0;
    for (int64_t row = 0; row < batch->r; row++) {
        bool own = c->keep ? batch->rows[row] / n == i : row / n == i;
        for (int64_t k = 0; k < s && own; k++)
            nats += (double)losses[row * s + k];
    }
    for (int64_t g = 0; g < n && c->keep; g++)
        nats += (double)kept[i * n + g];
    return nats;
}

static poet_status score_batch(poet_generator *m, poet_sequence_batch *batch, int n,
                               const int32_t *codes, const char *const *captions, float *losses,
                               float *kept, double *bits)
{
    int64_t per_clip = poet_grid_codes(&m->config.grid);
    for (int i = 0; i < batch->b; i++) {
        int from = i < n ? i : 0; /* the last batch is filled up with its first clip */
        POET_TRY(poet_sequence_batch_fill(m, batch, i, codes + from * per_clip,
                                          captions ? captions[from] : NULL, 0, NULL));
    }
    poet_sequence_batch_pack(&m->config, batch, 0, 0);
    POET_TRY(poet_sequence_batch_set(&m->config, batch, m->score));
    POET_TRY(poet_program_run(m->score));
    POET_TRY(poet_program_get_by_name(m->score, "losses", losses,
                                      (size_t)batch->b * (size_t)per_clip * sizeof *losses));
    size_t groups = (size_t)batch->b * (size_t)poet_generator_groups(&m->config);
    if (m->config.keep)
        POET_TRY(poet_program_get_by_name(m->score, "kept", kept, groups * sizeof *kept));
    for (int i = 0; i < n; i++)
        bits[i] = clip_nats(&m->config, batch, losses, kept, i) / M_LN2;
    return POET_OK;
}

poet_status poet_generator_score(poet_generator *generator, int n, const int32_t *codes,
                                 const char *const *captions, double *bits)
{
    int64_t per_clip = poet_grid_codes(&generator->config.grid);
    poet_sequence_batch batch = {0};
    float *losses = poet_alloc(POET_SCORE_BATCH * (size_t)per_clip * sizeof *losses);
    int groups = poet_generator_groups(&generator->config);
    float *kept = poet_alloc(POET_SCORE_BATCH * (size_t)groups * sizeof *kept);
    poet_status status = losses && kept ? poet_score_prepare(generator) : POET_ERR_NOMEM;
    if (!status)
        status = poet_sequence_batch_create(&generator->config, POET_SCORE_BATCH,
                                            POET_SCORE_BATCH * groups, &batch);
    for (int i = 0; i < n && !status; i += POET_SCORE_BATCH)
        status = score_batch(generator, &batch, n - i < POET_SCORE_BATCH ? n - i : POET_SCORE_BATCH,
                             codes + i * per_clip, captions ? captions + i : NULL, losses, kept,
                             bits + i);
    poet_sequence_batch_free(&batch);
    poet_free(kept);
    poet_free(losses);
    return status;
}

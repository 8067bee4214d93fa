#include "base/memory.h"
#include "generator/generator_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static poet_status make(poet_device *device, const poet_generator_config *config, poet_bpe *bpe,
                        uint64_t seed, poet_generator **out)
{
    poet_generator *m = poet_calloc(1, sizeof *m);
    *out = m;
    if (!m) {
        poet_bpe_destroy(bpe);
        return POET_ERR_NOMEM;
    }
    m->config = *config;
    m->device = device;
    m->bpe = bpe;
    POET_TRY(poet_params_create(device, seed, &m->params));
    POET_TRY(poet_generator_config_check(config));
    if (config->vocabulary != poet_bpe_size(bpe))
        return POET_FAIL(POET_ERR_MISMATCH, "the text vocabulary has %d ids, the model %d",
                         poet_bpe_size(bpe), config->vocabulary);
    return POET_OK;
}

/* Names every parameter once: see the tokenizer's. */
static poet_status declare(poet_generator *m)
{
    poet_graph *g = poet_graph_create(m->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_model_loss(g, &m->config, 1, poet_generator_groups(&m->config), NULL, NULL);
    poet_status status = poet_graph_status(g);
    poet_graph_destroy(g);
    return status;
}

static poet_status write_vectors(poet_generator *m, const float *vectors)
{
    const poet_generator_config *c = &m->config;
    if (!vectors)
        return POET_OK;
    size_t level = (size_t)c->codes * (size_t)c->code_dim;
    size_t padded = level + (size_t)c->code_dim;
    float *rows = poet_calloc((size_t)c->grid.levels * padded, sizeof *rows);
    if (!rows)
        return POET_ERR_NOMEM;
    for (size_t i = 0; i < (size_t)c->grid.levels; i++)
        memcpy(rows + i * padded, vectors + i * level, level * sizeof *rows);
    int index = poet_params_find(m->params, "vectors");
    poet_status status = index < 0
                             ? POET_OK /* a model that uses none */
                             : poet_params_write(m->params, index, rows,
                                                 (size_t)c->grid.levels * padded * sizeof *rows);
    poet_free(rows);
    return status;
}

poet_status poet_generator_create(poet_device *device, const poet_generator_config *config,
                                  poet_bpe *bpe, const float *vectors, uint64_t fingerprint,
                                  uint64_t seed, poet_generator **out)
{
    poet_status status = make(device, config, bpe, seed, out);
    if (!status)
        status = declare(*out);
    if (!status)
        status = write_vectors(*out, vectors);
    if (status) {
        poet_generator_destroy(*out);
        *out = NULL;
        return status;
    }
    (*out)->fingerprint = fingerprint;
    return POET_OK;
}

static poet_status load(poet_device *device, const poet_checkpoint *file, poet_generator **out)
{
    const char *text = poet_checkpoint_value(file, "generator.config");
    const char *vocabulary = poet_checkpoint_value(file, "generator.vocabulary");
    const char *fingerprint = poet_checkpoint_value(file, "tokenizer.fingerprint");
    poet_generator_config config;
    poet_bpe *bpe;
    if (!text || !vocabulary || !fingerprint)
        return POET_FAIL(POET_ERR_FORMAT, "is not a generator");
    POET_TRY(poet_generator_config_parse(text, &config));
    POET_TRY(poet_bpe_from_text(vocabulary, &bpe));
    POET_TRY(make(device, &config, bpe, 0, out));
    (*out)->fingerprint = strtoull(fingerprint, NULL, 16);
    POET_TRY(poet_checkpoint_load_model(file, (*out)->params));
    return declare(*out);
}

poet_status poet_generator_load(poet_device *device, const char *path, poet_generator **out)
{
    poet_checkpoint *file;
    *out = NULL;
    POET_TRY(poet_checkpoint_open(path, &file));
    poet_status status = load(device, file, out);
    poet_checkpoint_close(file);
    if (status) {
        poet_generator_destroy(*out);
        *out = NULL;
        return poet_context(status, "%s", path);
    }
    return POET_OK;
}

poet_status poet_generator_save(poet_generator *generator, const char *path, bool bf16,
                                const poet_pair *pairs, int n_pairs)
{
    char config[512], fingerprint[24], *vocabulary = NULL;
    poet_generator_config_text(&generator->config, config);
    snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, generator->fingerprint);
    poet_pair *all = poet_calloc((size_t)n_pairs + 3, sizeof *all);
    poet_status status = all ? poet_bpe_to_text(generator->bpe, &vocabulary) : POET_ERR_NOMEM;
    if (!status) {
        all[0] = (poet_pair){"generator.config", config};
        all[1] = (poet_pair){"generator.vocabulary", vocabulary};
        all[2] = (poet_pair){"tokenizer.fingerprint", fingerprint};
        if (n_pairs)
            memcpy(all + 3, pairs, (size_t)n_pairs * sizeof *pairs);
        poet_save_options options = {.bf16 = bf16, .pairs = all, .n_pairs = n_pairs + 3};
        status = poet_checkpoint_save(path, generator->params, &options);
    }
    poet_free(vocabulary);
    poet_free(all);
    return status;
}

void poet_generator_forget_programs(poet_generator *generator)
{
    poet_device_forget(generator->device, &generator->recording);
    poet_program_destroy(generator->prefill);
    poet_program_destroy(generator->step);
    poet_program_destroy(generator->slots);
    poet_program_destroy(generator->score);
    generator->prefill = generator->step = generator->slots = generator->score = NULL;
    generator->step_rows = generator->score_rows = 0;
    if (generator->params)
        poet_params_drop(generator->params, POET_CACHE);
}

void poet_generator_destroy(poet_generator *generator)
{
    if (!generator)
        return;
    poet_generator_forget_programs(generator);
    poet_params_destroy(generator->params);
    poet_bpe_destroy(generator->bpe);
    poet_free(generator);
}

const poet_generator_config *poet_generator_get_config(const poet_generator *generator)
{
    return &generator->config;
}

const poet_bpe *poet_generator_bpe(const poet_generator *generator)
{
    return generator->bpe;
}

poet_params *poet_generator_params(poet_generator *generator)
{
    return generator->params;
}

void poet_generator_profile_writing(poet_generator *generator, poet_profile *profile)
{
    generator->profile = profile;
}

uint64_t poet_generator_fingerprint(const poet_generator *generator)
{
    return generator->fingerprint;
}

#include "tokenizer/tokenizer_internal.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

/* About 100 MiB of activations at width 64. */
enum { CHUNK_POSITIONS = 64 * 1024 };

/* Names every parameter once, so that a fresh tokenizer has them all, and a loaded one is seen to
 * have them all. */
static poet_status declare(poet_tokenizer *t)
{
    const poet_tokenizer_config *c = &t->config;
    poet_graph *g = poet_graph_create(t->params);
    if (!g)
        return POET_ERR_NOMEM;
    int64_t values = (int64_t)POET_PATCH_FRAMES * c->patch * c->patch * 3;
    poet_val x = poet_input(g, "patches", POET_F32, POET_SHAPE(1, 1, 1, 1, values));
    poet_val codes = poet_quantizer_encode(g, c, poet_encoder_build(g, c, x));
    poet_decoder_build(g, c, poet_quantizer_decode(g, c, codes));
    poet_status status = poet_graph_status(g);
    poet_graph_destroy(g);
    return status;
}

static poet_status make(poet_device *device, const poet_tokenizer_config *config, uint64_t seed,
                        poet_tokenizer **out)
{
    poet_tokenizer *t = poet_calloc(1, sizeof *t);
    *out = t;
    if (!t)
        return POET_ERR_NOMEM;
    t->config = *config;
    t->device = device;
    t->chunk_positions = CHUNK_POSITIONS;
    return poet_params_create(device, seed, &t->params);
}

poet_status poet_tokenizer_create(poet_device *device, const poet_tokenizer_config *config,
                                  uint64_t seed, poet_tokenizer **out)
{
    poet_tokenizer_config checked = *config;
    *out = NULL;
    POET_TRY(poet_tokenizer_config_check(&checked));
    poet_tokenizer *t;
    poet_status status = make(device, &checked, seed, &t);
    if (!status)
        status = declare(t);
    if (status) {
        poet_tokenizer_destroy(t);
        return status;
    }
    *out = t;
    return POET_OK;
}

static poet_status load(poet_device *device, const poet_checkpoint *file, const char *path,
                        poet_tokenizer **out)
{
    const char *text = poet_checkpoint_value(file, "tokenizer.config");
    poet_tokenizer_config config;
    if (!text)
        return POET_FAIL(POET_ERR_FORMAT, "%s: is not a tokenizer", path);
    poet_status status = poet_tokenizer_config_parse(text, &config);
    if (status)
        return poet_context(status, "%s", path);
    POET_TRY(make(device, &config, 0, out));
    POET_TRY(poet_checkpoint_load_model(file, (*out)->params));
    status = declare(*out);
    return status ? poet_context(status, "%s", path) : POET_OK;
}

poet_status poet_tokenizer_load(poet_device *device, const char *path, poet_tokenizer **out)
{
    poet_checkpoint *file;
    *out = NULL;
    POET_TRY(poet_checkpoint_open(path, &file));
    poet_status status = load(device, file, path, out);
    poet_checkpoint_close(file);
    if (status) {
        poet_tokenizer_destroy(*out);
        *out = NULL;
    }
    return status;
}

poet_status poet_tokenizer_save(poet_tokenizer *tokenizer, const char *path, bool bf16,
                                const poet_pair *pairs, int n_pairs)
{
    char config[512];
    poet_tokenizer_config_text(&tokenizer->config, config);
    poet_pair *all = poet_calloc((size_t)n_pairs + 1, sizeof *all);
    if (!all)
        return POET_ERR_NOMEM;
    if (n_pairs)
        memcpy(all + 1, pairs, (size_t)n_pairs * sizeof *pairs);
    all[0] = (poet_pair){"tokenizer.config", config};
    poet_save_options options = {.bf16 = bf16, .pairs = all, .n_pairs = n_pairs + 1};
    poet_status status = poet_checkpoint_save(path, tokenizer->params, &options);
    poet_free(all);
    return status;
}

void poet_tokenizer_forget_programs(poet_tokenizer *tokenizer)
{
    poet_program_destroy(tokenizer->encoder);
    poet_program_destroy(tokenizer->decoder);
    tokenizer->encoder = tokenizer->decoder = NULL;
}

void poet_tokenizer_destroy(poet_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    poet_tokenizer_forget_programs(tokenizer);
    poet_params_destroy(tokenizer->params);
    poet_free(tokenizer);
}

const poet_tokenizer_config *poet_tokenizer_get_config(const poet_tokenizer *tokenizer)
{
    return &tokenizer->config;
}

poet_params *poet_tokenizer_params(poet_tokenizer *tokenizer)
{
    return tokenizer->params;
}

poet_status poet_tokenizer_fingerprint(poet_tokenizer *tokenizer, uint64_t *out)
{
    return poet_params_fingerprint(tokenizer->params, out);
}

poet_status poet_tokenizer_vectors(poet_tokenizer *tokenizer, float *out)
{
    const poet_tokenizer_config *c = &tokenizer->config;
    size_t count = (size_t)c->levels * (size_t)c->codes;
    int32_t *codes = poet_alloc((size_t)c->codes * sizeof *codes);
    poet_graph *g = codes ? poet_graph_create(tokenizer->params) : NULL;
    if (!g) {
        poet_free(codes);
        return POET_ERR_NOMEM;
    }
    for (int i = 0; i < c->codes; i++)
        codes[i] = i;
    poet_program *program;
    poet_val in = poet_input(g, "codes", POET_I32, POET_SHAPE(c->codes));
    poet_result(g, "vectors", poet_quantizer_vectors(g, c, in));
    poet_status status = poet_program_create(g, &program);
    if (!status)
        status =
            poet_program_set_by_name(program, "codes", codes, (size_t)c->codes * sizeof *codes);
    if (!status)
        status = poet_program_run(program);
    if (!status)
        status =
            poet_program_get_by_name(program, "vectors", out, count * (size_t)c->dim * sizeof *out);
    poet_program_destroy(program);
    poet_free(codes);
    return status;
}

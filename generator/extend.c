/* The weights of one model as the start of another, for clips of another length. */
#include "base/memory.h"
#include "generator/generator_internal.h"

#include <string.h>

/* Rows that the shorter table has are copied; later ones begin as its last. */
static void copy_rows(const char *from, size_t from_bytes, char *to, size_t to_bytes, size_t row)
{
    for (size_t at = 0; at < to_bytes; at += row)
        memcpy(to + at, from + (at < from_bytes ? at : from_bytes - row), row);
}

static poet_status copy_tensor(poet_params *from, poet_params *to, int index)
{
    int source = poet_params_find(from, poet_params_name(to, index));
    if (source < 0)
        return POET_FAIL(POET_ERR_MISMATCH, "the model lacks the tensor %s",
                         poet_params_name(to, index));
    const poet_tensor *a = poet_params_tensor(from, source), *b = poet_params_tensor(to, index);
    size_t a_bytes = poet_tensor_bytes(a), b_bytes = poet_tensor_bytes(b);
    size_t row = b_bytes / (size_t)b->shape.dim[0];
    char *old = poet_alloc(a_bytes), *new = poet_alloc(b_bytes);
    poet_status status = old && new ? poet_params_read(from, source, old, a_bytes) : POET_ERR_NOMEM;
    if (!status) {
        copy_rows(old, a_bytes, new, b_bytes, row);
        status = poet_params_write(to, index, new, b_bytes);
    }
    poet_free(old);
    poet_free(new);
    return status;
}

static poet_status copy_vocabulary(const poet_bpe *bpe, poet_bpe **out)
{
    char *text = NULL;
    poet_status status = poet_bpe_to_text(bpe, &text);
    if (!status)
        status = poet_bpe_from_text(text, out);
    poet_free(text);
    return status;
}

poet_status poet_generator_extend(poet_generator *generator, int t, poet_generator **out)
{
    poet_generator_config config = generator->config;
    poet_bpe *bpe;
    *out = NULL;
    config.grid.t = t;
    POET_TRY(copy_vocabulary(generator->bpe, &bpe));
    size_t count = (size_t)config.grid.levels * (size_t)config.codes * (size_t)config.code_dim;
    float *none = poet_calloc(count, sizeof *none); /* replaced below, like everything */
    if (!none) {
        poet_bpe_destroy(bpe);
        return POET_ERR_NOMEM;
    }
    poet_status status = poet_generator_create(generator->device, &config, bpe, none,
                                               generator->fingerprint, 0, out);
    poet_free(none);
    for (int i = 0; !status && i < poet_params_count((*out)->params); i++)
        status = copy_tensor(generator->params, (*out)->params, i);
    if (status) {
        poet_generator_destroy(*out);
        *out = NULL;
    }
    return status;
}

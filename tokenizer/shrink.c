/* Between a tokenizer and the maps: its codebook as points, and the tokenizer with a smaller one. */
#include "tokenizer/shrink.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Points L'v, whose distances are those of the patches. */
static poet_status to_patches(poet_tokenizer *tokenizer, poet_codebook *book)
{
    size_t dim = (size_t)book->dim;
    double *l = poet_alloc(dim * dim * sizeof *l);
    poet_status status = l ? poet_tokenizer_patch_metric(tokenizer, l) : POET_ERR_NOMEM;
    for (size_t n = 0; n < (size_t)book->levels * (size_t)book->codes && !status; n++)
        for (size_t j = 0; j < dim; j++) {
            double sum = 0;
            for (size_t i = j; i < dim; i++)
                sum += l[i * dim + j] * (double)book->vectors[n * dim + i];
            book->points[n * dim + j] = (float)sum;
        }
    poet_free(l);
    return status;
}

poet_status poet_codebook_create(poet_tokenizer *tokenizer, const int64_t *counts, double unused,
                                 poet_distance distance, poet_codebook *out)
{
    const poet_tokenizer_config *c = poet_tokenizer_get_config(tokenizer);
    *out = (poet_codebook){.levels = c->levels, .codes = c->codes, .dim = c->dim};
    if (c->quantizer != POET_QUANTIZER_VQ)
        return POET_FAIL(POET_ERR_UNSUPPORTED,
                         "a tokenizer with FSQ or LFQ has no codebook that could be shrunk");
    size_t rows = (size_t)c->levels * (size_t)c->codes, values = rows * (size_t)c->dim;
    out->vectors = poet_alloc(values * sizeof *out->vectors);
    out->points = poet_alloc(values * sizeof *out->points);
    out->weights = poet_alloc(rows * sizeof *out->weights);
    if (!out->vectors || !out->points || !out->weights)
        return POET_ERR_NOMEM;
    for (size_t i = 0; i < rows; i++)
        out->weights[i] = counts[i] > 0 ? (double)counts[i] : unused;
    POET_TRY(poet_tokenizer_vectors(tokenizer, out->vectors));
    if (distance == POET_DISTANCE_PATCHES)
        POET_TRY(to_patches(tokenizer, out));
    else
        memcpy(out->points, out->vectors, values * sizeof *out->points);
    for (size_t i = 0; i < values; i++)
        if (!isfinite(out->points[i]))
            return POET_FAIL(POET_ERR_FORMAT,
                             "its codebook has numbers that are not finite: nothing is nearest");
    return POET_OK;
}

void poet_codebook_free(poet_codebook *book)
{
    poet_free(book->vectors);
    poet_free(book->points);
    poet_free(book->weights);
    *book = (poet_codebook){0};
}

/* ---- the smaller tokenizer ---- */

static poet_status copy_tensor(poet_params *from, int source, poet_params *to)
{
    const poet_tensor *tensor = poet_params_tensor(from, source);
    int index = poet_params_find(to, poet_params_name(from, source));
    if (index < 0)
        return POET_FAIL(POET_ERR_MISMATCH, "%s: no such parameter in the smaller tokenizer",
                         poet_params_name(from, source));
    size_t bytes = poet_tensor_bytes(tensor);
    void *values = poet_alloc(bytes);
    poet_status status = values ? poet_params_read(from, source, values, bytes) : POET_ERR_NOMEM;
    if (!status)
        status = poet_params_write(to, index, values, bytes);
    poet_free(values);
    return status;
}

static bool is_codebook(const char *name)
{
    return strncmp(name, "quantizer.", strlen("quantizer.")) == 0;
}

/* All weights but the codebooks as they are; what only training needs is left behind. */
static poet_status fill(poet_params *from, const poet_shrink_map *map, poet_params *to)
{
    for (int i = 0; i < poet_params_count(from); i++)
        if (poet_params_kind(from, i) <= POET_BUFFER && !is_codebook(poet_params_name(from, i)))
            POET_TRY(copy_tensor(from, i, to));
    size_t values = (size_t)map->kept * (size_t)map->dim;
    for (int level = 0; level < map->levels; level++) {
        char name[48];
        snprintf(name, sizeof name, "quantizer.level%d.codebook", level);
        int index = poet_params_find(to, name);
        if (index < 0)
            return POET_FAIL(POET_ERR_MISMATCH, "%s: no such codebook", name);
        POET_TRY(poet_params_write(to, index, map->vectors + (size_t)level * values,
                                   values * sizeof *map->vectors));
    }
    return POET_OK;
}

poet_status poet_tokenizer_shrink(poet_tokenizer *tokenizer, const poet_shrink_map *map,
                                  poet_tokenizer **out)
{
    poet_params *from = poet_tokenizer_params(tokenizer);
    poet_tokenizer_config config = *poet_tokenizer_get_config(tokenizer);
    *out = NULL;
    if (config.quantizer != POET_QUANTIZER_VQ || config.codes != map->codes ||
        config.levels != map->levels || config.dim != map->dim)
        return POET_FAIL(POET_ERR_MISMATCH, "the map is not of this tokenizer's codebook");
    config.codes = map->kept;
    POET_TRY(poet_tokenizer_create(poet_params_device(from), &config, 0, out));
    poet_status status = fill(from, map, poet_tokenizer_params(*out));
    if (status) {
        poet_tokenizer_destroy(*out);
        *out = NULL;
    }
    return status;
}

/* How far apart two latents are once they are patches. */
#include "tokenizer/tokenizer.h"

#include "base/matrix.h"
#include "base/memory.h"

#include <string.h>

/* W'W of the decoder's linear path, weight (patch values, dim). */
static poet_status decoder_metric(poet_tokenizer *tokenizer, double *out)
{
    poet_params *params = poet_tokenizer_params(tokenizer);
    int index = poet_params_find(params, "decoder.linear.weight");
    if (index < 0)
        return POET_FAIL(POET_ERR_MISMATCH, "the tokenizer's decoder has no linear path");
    const poet_tensor *tensor = poet_params_tensor(params, index);
    size_t bytes = poet_tensor_bytes(tensor), dim = (size_t)tensor->shape.dim[1];
    float *w = poet_alloc(bytes);
    poet_status status = w ? poet_params_read(params, index, w, bytes) : POET_ERR_NOMEM;
    memset(out, 0, dim * dim * sizeof *out);
    for (size_t p = 0; p < (size_t)tensor->shape.dim[0] && !status; p++)
        for (size_t i = 0; i < dim * dim; i++)
            out[i] += (double)w[p * dim + i / dim] * (double)w[p * dim + i % dim];
    poet_free(w);
    return status;
}

/* |W(a - b)|^2 = |L'(a - b)|^2 with LL' = W'W: the distances of patches in dim numbers instead of hundreds. */
poet_status poet_tokenizer_patch_metric(poet_tokenizer *tokenizer, double *l)
{
    POET_TRY(decoder_metric(tokenizer, l));
    poet_cholesky_factor(l, poet_tokenizer_get_config(tokenizer)->dim);
    return POET_OK;
}

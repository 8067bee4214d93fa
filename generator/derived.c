/* Models that are made from another: what extending and shrinking share. */
#include "base/memory.h"
#include "generator/generator_internal.h"

poet_status poet_derived_create(poet_generator *from, poet_device *device,
                                const poet_generator_config *config, const float *vectors,
                                uint64_t fingerprint, poet_generator **out)
{
    poet_bpe *bpe;
    POET_TRY(poet_bpe_copy(from->bpe, &bpe));
    return poet_generator_create(device, config, bpe, vectors, fingerprint, 0, out);
}

poet_status poet_tensor_pair_open(poet_generator *from, poet_generator *to, const char *name,
                                  poet_tensor_pair *out)
{
    poet_tensor_pair *p = out;
    *p = (poet_tensor_pair){.from = from->params, .to = to->params};
    p->source = poet_params_find(p->from, name);
    p->target = poet_params_find(p->to, name);
    if (p->source < 0 || p->target < 0)
        return POET_FAIL(POET_ERR_MISMATCH, "%s: no such parameter in both generators", name);
    const poet_tensor *tensor = poet_params_tensor(p->from, p->source);
    p->c = poet_shape_last(&tensor->shape);
    p->old_bytes = poet_tensor_bytes(tensor);
    p->new_bytes = poet_tensor_bytes(poet_params_tensor(p->to, p->target));
    p->old = poet_alloc(p->old_bytes);
    p->new = poet_calloc(1, p->new_bytes);
    return p->old && p->new ? poet_params_read(p->from, p->source, p->old, p->old_bytes)
                            : POET_ERR_NOMEM;
}

poet_status poet_tensor_pair_write(const poet_tensor_pair *pair)
{
    return poet_params_write(pair->to, pair->target, pair->new, pair->new_bytes);
}

void poet_tensor_pair_free(poet_tensor_pair *pair)
{
    poet_free(pair->old);
    poet_free(pair->new);
}

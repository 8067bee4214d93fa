/* The smaller generator's heads, fitted to the exact sums: what a slot's code is, and whether a group is kept. */
#include "generator/shrink_internal.h"

#include "base/memory.h"

#include <stdio.h>

enum { STEPS = 40, PRIOR = 30 };

/* weight (K',slot width) += factor V'v: what the codes' vectors add to their rows, V being "vector_out". */
static poet_status add_vectors(poet_generator *smaller, const poet_shrink_map *map, float factor,
                               float *weight)
{
    const poet_generator_config *c = &smaller->config;
    int index = poet_params_find(smaller->params, "slots.vector_out.weight");
    if (map->levels > 1)
        return POET_OK; /* such a head goes by rows alone */
    if (index < 0)
        return POET_FAIL(POET_ERR_MISMATCH, "slots.vector_out.weight: no such parameter");
    size_t bytes = (size_t)c->code_dim * (size_t)c->slot_width * sizeof(float);
    float *v = poet_alloc(bytes);
    poet_status status = v ? poet_params_read(smaller->params, index, v, bytes) : POET_ERR_NOMEM;
    for (int64_t k = 0; k < c->codes && !status; k++)
        for (int d = 0; d < c->code_dim; d++)
            for (int i = 0; i < c->slot_width; i++)
                weight[k * c->slot_width + i] +=
                    factor * map->vectors[k * c->code_dim + d] * v[(int64_t)d * c->slot_width + i];
    poet_free(v);
    return status;
}

/* A parameter of the head and its values. */
static poet_status read_values(poet_params *params, int index, float **out)
{
    size_t bytes = poet_tensor_bytes(poet_params_tensor(params, index));
    *out = poet_alloc(bytes);
    return *out ? poet_params_read(params, index, *out, bytes) : POET_ERR_NOMEM;
}

static poet_status write_values(poet_params *params, int index, const float *values)
{
    return poet_params_write(params, index, values,
                             poet_tensor_bytes(poet_params_tensor(params, index)));
}

/* A linear layer and its fit. */
typedef struct layer {
    poet_params *params;
    int weight, bias;
    poet_regression r; /* weight and bias are its own */
} layer;

static poet_status layer_open(poet_generator *m, const char *name, const poet_fit_rows *rows,
                              layer *out)
{
    char weight[32], bias[32];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    *out = (layer){.params = m->params,
                   .weight = poet_params_find(m->params, weight),
                   .bias = poet_params_find(m->params, bias),
                   .r = {.rows = rows->n,
                         .dim = rows->dim,
                         .classes = rows->classes,
                         .x = rows->x,
                         .labels = rows->labels,
                         .prior = PRIOR,
                         .steps = STEPS}};
    if (out->weight < 0 || out->bias < 0)
        return POET_FAIL(POET_ERR_MISMATCH, "%s: no such layer in the generator", name);
    POET_TRY(read_values(out->params, out->weight, &out->r.weight));
    return read_values(out->params, out->bias, &out->r.bias);
}

static poet_status layer_write(const layer *l)
{
    POET_TRY(write_values(l->params, l->weight, l->r.weight));
    return write_values(l->params, l->bias, l->r.bias);
}

static void layer_free(layer *l)
{
    poet_free(l->r.weight);
    poet_free(l->r.bias);
}

static poet_status fit_head(poet_generator *smaller, const poet_fit_data *data,
                            const poet_task *task, poet_fit_result *out)
{
    layer l;
    poet_status status = layer_open(smaller, "slots.head", &data->codes, &l);
    if (!status)
        status = add_vectors(smaller, data->map, 1, l.r.weight);
    if (!status)
        status = poet_regression_fit(smaller->device, &l.r, task, out);
    if (!status)
        status = add_vectors(smaller, data->map, -1, l.r.weight);
    if (!status)
        status = layer_write(&l);
    layer_free(&l);
    return status;
}

static poet_status fit_keep(poet_generator *smaller, const poet_fit_data *data,
                            const poet_task *task, poet_fit_result *out)
{
    layer l;
    poet_status status = layer_open(smaller, "keep", &data->keep, &l);
    if (!status)
        status = poet_regression_fit(smaller->device, &l.r, task, out);
    if (!status)
        status = layer_write(&l);
    layer_free(&l);
    return status;
}

poet_status poet_generator_fit(poet_generator *generator, const poet_shrink_map *map,
                               poet_generator *smaller, int n, const int32_t *codes,
                               const char *const *captions, int64_t rows, uint64_t seed,
                               const poet_task *task, poet_fit_result *head, poet_fit_result *keep)
{
    poet_fit_data data;
    *head = *keep = (poet_fit_result){.rows = 0};
    poet_status status =
        poet_fit_data_gather(generator, map, smaller, n, codes, captions, rows, seed, task, &data);
    if (!status && data.codes.n)
        status = fit_head(smaller, &data, task, head);
    if (!status && data.keep.n)
        status = fit_keep(smaller, &data, task, keep);
    poet_generator_forget_programs(smaller);
    poet_fit_data_free(&data);
    return status;
}

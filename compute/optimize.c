/* Update rules as nodes: backward, one clipping factor over all gradients, then AdamW or Muon for
 * each parameter. */
#include "compute/graph_internal.h"
#include "compute/train.h"

#include <math.h>
#include <stdio.h>

poet_optim_config poet_optim_defaults(void)
{
    return (poet_optim_config){.rate = 1e-3F,
                               .final_share = 0.02F,
                               .warmup = 100,
                               .steps = 1000,
                               .beta1 = 0.9F,
                               .beta2 = 0.95F,
                               .clip = 1.0F};
}

float poet_schedule(const poet_optim_config *config, int64_t step)
{
    double rise = config->warmup > 0 ? fmin(1, ((double)step + 1) / (double)config->warmup) : 1;
    double at = config->steps > 0 ? fmin(1, (double)step / (double)config->steps) : 0;
    double floor_share = (double)config->final_share;
    return (float)(rise * (floor_share + (1 - floor_share) * 0.5 * (1 + cos(M_PI * at))));
}

/* A moment with the shape of param, named "<param><suffix>". */
static poet_val moment(poet_graph *g, poet_val param, const char *suffix, poet_init init)
{
    char name[512];
    poet_value *value = poet_graph_value(g, param);
    snprintf(name, sizeof name, "%s%s", poet_params_name(g->params, value->param), suffix);
    return poet_state(g, name, POET_MOMENT, POET_F32, value->tensor.shape, init);
}

/* The nearest orthogonal matrix, roughly: five Newton-Schulz steps with the coefficients of Jordan
 * et al. 2024, on the wide orientation, where the products are smallest. */
static poet_val orthogonalize(poet_graph *g, poet_val x)
{
    const float a = 3.4445F, b = -4.7750F, c = 2.0315F;
    bool tall = poet_dim(g, x, 0) > poet_dim(g, x, 1);
    x = poet_unit_norm(g, tall ? poet_transpose(g, x) : x);
    for (int i = 0; i < 5; i++) {
        poet_val s = poet_matmul(g, x, false, x, true, POET_NONE);
        poet_val ss = poet_matmul(g, s, false, s, false, POET_NONE);
        poet_val p = poet_add(g, poet_scale(g, s, b), poet_scale(g, ss, c));
        x = poet_add(g, poet_scale(g, x, a), poet_matmul(g, p, false, x, false, POET_NONE));
    }
    return tall ? poet_transpose(g, x) : x;
}

/* A convolution's kernel is a matrix of its output channels: (C, everything else). */
static void muon(poet_graph *g, poet_val param, poet_val grad, poet_val factor, poet_val hyper,
                 const poet_optim_config *config)
{
    const float weight_decay = 0.01F;
    const poet_shape shape = *poet_val_shape(g, param);
    int64_t rows = shape.dim[0], columns = poet_shape_count(&shape) / rows;
    float scale =
        config->muon_rate / config->rate * (float)sqrt(fmax(1, (double)rows / (double)columns));
    poet_val m = moment(g, param, "@m", POET_ZEROS);
    poet_val step = poet_momentum(g, grad, m, factor, 0.95F);
    poet_val update = orthogonalize(g, poet_reshape(g, step, POET_SHAPE(rows, columns)));
    poet_descend(g, param, poet_reshape(g, update, shape), hyper, scale, weight_decay);
}

static void adamw(poet_graph *g, poet_val param, poet_val grad, poet_val factor, poet_val hyper,
                  const poet_optim_config *config)
{
    poet_val m = moment(g, param, "@m", POET_ZEROS), v = moment(g, param, "@v", POET_ZEROS);
    /* Gains and biases are not decayed. */
    float decay = poet_val_shape(g, param)->ndim > 1 ? config->weight_decay : 0;
    poet_adamw(g, param, grad, m, v, factor, hyper, config->beta1, config->beta2, 1e-8F, decay, 1);
}

void poet_optimize(poet_graph *g, poet_val loss, const poet_optim_config *config)
{
    poet_result(g, "loss", loss);
    poet_graph_backward(g, loss);
    int most = g->n_values, n = 0;
    poet_val *params = poet_arena_alloc(g->arena, (size_t)(most + 1) * sizeof *params);
    poet_val *grads = poet_arena_alloc(g->arena, (size_t)(most + 1) * sizeof *grads);
    if (!params || !grads) {
        poet_graph_fail(g, POET_ERR_NOMEM);
        return;
    }
    for (int v = 0; v < most; v++) {
        const poet_value *value = &g->values[v];
        if (value->place == POET_PLACE_PARAM && value->grad.id >= 0 &&
            poet_params_kind(g->params, value->param) == POET_PARAM) {
            params[n] = (poet_val){v};
            grads[n++] = value->grad;
        }
    }
    if (n == 0) {
        poet_graph_fail(g, POET_FAIL(POET_ERR_ARG, "the loss depends on no parameter"));
        return;
    }
    poet_val norm, hyper = poet_input(g, "hyper", POET_F32, POET_SHAPE(2));
    float limit = config->clip > 0 ? config->clip : INFINITY;
    poet_val factor = poet_clip_factor(g, n, grads, limit, &norm);
    poet_result(g, "grad_norm", norm);
    for (int i = 0; i < n && !g->error; i++) {
        bool hidden = poet_graph_value(g, params[i])->hidden;
        (hidden && config->muon_rate > 0 ? muon : adamw)(g, params[i], grads[i], factor, hyper,
                                                         config);
        if (config->average > 0)
            poet_average(g, moment(g, params[i], "@mean", POET_ZEROS), params[i], hyper,
                         config->average);
    }
}

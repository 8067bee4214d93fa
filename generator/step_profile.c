/* Where the time of a training step goes: all of it, and what reads or writes logits. */
#include "generator/generator_internal.h"

#include "base/memory.h"

#include <string.h>

typedef struct profiling {
    poet_step_profile *out;
    const poet_generator_config *config;
    int64_t logits; /* numbers of a batch's logits */
} profiling;

static bool is_logits(const profiling *p, const poet_tensor *tensor)
{
    return tensor && poet_tensor_count(tensor) == p->logits &&
           tensor->shape.dim[tensor->shape.ndim - 1] == p->config->codes;
}

/* The last layer and the cross-entropy, and their gradients: operations on logits in the scopes where these are. */
static bool is_softmax(const profiling *p, const poet_call *call)
{
    static const char *const scopes[] = {"", "slots", "slots.head", "slots.vector_out"};
    bool scope = false, logits = false;
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++)
        scope |= strcmp(call->name, scopes[i]) == 0;
    for (int i = 0; i < call->n_src; i++)
        logits |= is_logits(p, call->src[i]);
    for (int i = 0; i < call->n_dst; i++)
        logits |= is_logits(p, call->dst[i]);
    return scope && logits;
}

static poet_status run_steps(poet_feeder *feeder, poet_program *program, poet_profile *profile,
                             int steps)
{
    for (int step = 0; step <= steps; step++) {
        const float hyper[2] = {0, (float)(step + 1)}; /* a rate of zero */
        POET_TRY(poet_program_set_by_name(program, "hyper", hyper, sizeof hyper));
        POET_TRY(poet_feeder_feed(feeder, step, program));
        poet_program_profile(program, step ? profile : NULL);
        POET_TRY(poet_program_run(program));
    }
    return POET_OK;
}

static poet_status profile_program(profiling *p, poet_feeder *feeder, poet_program *program,
                                   int steps)
{
    int calls = poet_program_calls(program);
    poet_profile profile = {.call_seconds = poet_calloc((size_t)calls, sizeof(double))};
    if (!profile.call_seconds)
        return POET_ERR_NOMEM;
    poet_status status = run_steps(feeder, program, &profile, steps);
    for (int c = 0; c < calls && !status; c++) {
        double seconds = profile.call_seconds[c] / steps;
        p->out->seconds += seconds;
        p->out->softmax += is_softmax(p, poet_program_call(program, c)) ? seconds : 0;
    }
    poet_free(profile.call_seconds);
    return status;
}

poet_status poet_generator_profile_step(poet_generator *generator,
                                        const poet_generator_training *training, int steps,
                                        poet_step_profile *out)
{
    const poet_generator_config *c = &generator->config;
    poet_program *program;
    poet_feeder feeder;
    profiling p = {.out = out, .config = c};
    *out = (poet_step_profile){0};
    poet_generator_forget_programs(generator);
    poet_status status = poet_feeder_create(generator, training, &feeder);
    p.logits = (int64_t)feeder.rows * poet_generator_slots(c) * c->codes;
    if (!status)
        status = poet_training_build(feeder.m, feeder.training, feeder.rows, &program);
    if (!status) {
        status = profile_program(&p, &feeder, program, steps);
        poet_program_destroy(program);
    }
    poet_feeder_free(&feeder);
    poet_params_drop(generator->params, POET_MOMENT);
    return status;
}

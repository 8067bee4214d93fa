#include "compute/program.h"

#include "base/task.h"
#include "compute/cost.h"
#include "compute/plan_internal.h"

#include <stdlib.h>
#include <string.h>

struct poet_program {
    poet_graph *graph;
    poet_device *device;
    poet_plan plan;
    poet_tensor *tensors; /* per value, in the graph's arena, with memory */
    poet_call *calls;     /* the nodes that run, in order */
    int n_calls, n_prepared;
    bool separate;
    void **
        blocks; /* one, or one for each tensor and scratch where they are kept separate; and packed weights */
    int n_blocks;
    size_t input_bytes, packed_bytes;
    poet_profile *profile;
};

static const poet_backend *backend_of(const poet_program *p)
{
    return p->device->backend;
}

static poet_status describe_values(poet_program *p)
{
    poet_graph *g = p->graph;
    p->tensors = poet_arena_alloc(g->arena, (size_t)g->n_values * sizeof *p->tensors);
    if (!p->tensors)
        return POET_ERR_NOMEM;
    for (int v = 0; v < g->n_values; v++) {
        poet_value *value = &g->values[v];
        p->tensors[v] = value->tensor;
        p->tensors[v].dtype = poet_backend_stored(backend_of(p), value->tensor.dtype);
        if (value->place == POET_PLACE_PARAM)
            p->tensors[v] = *poet_params_tensor(g->params, value->param);
    }
    return POET_OK;
}

/* True when no node that runs changes a parameter: kernels may pack weights once. */
static bool weights_are_constant(const poet_program *p)
{
    poet_graph *g = p->graph;
    for (int n = 0; n < g->n_nodes; n++) {
        const poet_node *node = &g->nodes[n];
        if (!p->plan.runs[n] || !poet_op_get_rule(node->op)->updates)
            continue;
        for (int i = 0; i < node->n_dst; i++) {
            poet_value *root = &g->values[p->plan.root[node->dst[i].id]];
            if (root->place == POET_PLACE_PARAM &&
                poet_params_kind(g->params, root->param) <= POET_BUFFER)
                return false;
        }
    }
    return true;
}

static bool is_weight(const poet_program *p, poet_val source)
{
    if (source.id < 0)
        return false;
    const poet_value *value = &p->graph->values[source.id];
    return value->place == POET_PLACE_PARAM &&
           poet_params_kind(p->graph->params, value->param) <= POET_BUFFER;
}

static poet_status make_call(poet_program *p, const poet_node *node, bool constant_weights,
                             poet_call *call)
{
    poet_tensor **src =
        poet_arena_alloc(p->graph->arena, (size_t)node->n_src * sizeof(poet_tensor *));
    if (!src)
        return POET_ERR_NOMEM;
    for (int i = 0; i < node->n_src; i++)
        src[i] = node->src[i].id < 0 ? NULL : &p->tensors[node->src[i].id];
    *call = (poet_call){.op = node->op,
                        .name = node->name,
                        .attr = &node->attr,
                        .n_src = node->n_src,
                        .n_dst = node->n_dst,
                        .src = src,
                        .constant_weights = constant_weights};
    for (int i = 0; i < node->n_dst; i++)
        call->dst[i] = &p->tensors[node->dst[i].id];
    for (int i = 0; i < node->n_src && i < 32; i++)
        call->weights |= is_weight(p, node->src[i]) ? 1U << i : 0;
    return POET_OK;
}

static poet_status check_supported(const poet_program *p, const poet_call *call)
{
    const poet_backend *backend = backend_of(p);
    if (!backend->kernel[call->op])
        return POET_FAIL(POET_ERR_UNSUPPORTED, "%s: the %s backend has no %s", call->name,
                         backend->name, poet_op_name(call->op));
    for (int i = 0; i < call->n_src; i++)
        if (call->src[i] && call->src[i]->dtype == POET_BF16 && !backend->bf16)
            return POET_FAIL(POET_ERR_UNSUPPORTED, "%s%s%s: this device has no bf16; use f32",
                             call->name, *call->name ? ": " : "", poet_op_name(call->op));
    return POET_OK;
}

/* The calls of the nodes that run, and the scratch each asks for, per node. */
static poet_status make_calls(poet_program *p, size_t *scratch_bytes)
{
    poet_graph *g = p->graph;
    const poet_backend *backend = backend_of(p);
    bool constant = weights_are_constant(p);
    p->calls = poet_arena_alloc(g->arena, (size_t)g->n_nodes * sizeof *p->calls);
    if (!p->calls)
        return POET_ERR_NOMEM;
    for (int n = 0; n < g->n_nodes; n++) {
        if (!p->plan.runs[n])
            continue;
        poet_call *call = &p->calls[p->n_calls++];
        POET_TRY(make_call(p, &g->nodes[n], constant, call));
        POET_TRY(check_supported(p, call));
        if (backend->scratch)
            call->scratch_bytes = scratch_bytes[n] = backend->scratch(p->device, call);
        if (backend->packed)
            call->packed_bytes = backend->packed(p->device, call);
        p->packed_bytes += call->packed_bytes;
    }
    return POET_OK;
}

static poet_status make_inputs(poet_program *p)
{
    poet_graph *g = p->graph;
    for (int v = 0; v < g->n_values; v++) {
        if (g->values[v].place != POET_PLACE_INPUT)
            continue;
        size_t bytes = poet_tensor_bytes(&p->tensors[v]);
        POET_TRY(backend_of(p)->alloc(p->device, bytes, &p->tensors[v].data));
        p->input_bytes += bytes;
    }
    return POET_OK;
}

static poet_status add_block(poet_program *p, size_t bytes)
{
    POET_TRY(backend_of(p)->alloc(p->device, bytes, &p->blocks[p->n_blocks]));
    p->n_blocks++;
    return POET_OK;
}

/* Memory at an offset of the one block, or a block of its own. */
static poet_status place(poet_program *p, int64_t offset, size_t bytes, void **out)
{
    if (p->separate)
        POET_TRY(add_block(p, bytes));
    *out = p->separate ? p->blocks[p->n_blocks - 1] : (char *)p->blocks[0] + offset;
    return POET_OK;
}

static poet_status bind_packed(poet_program *p)
{
    for (int c = 0; c < p->n_calls; c++) {
        poet_call *call = &p->calls[c];
        if (call->packed_bytes == 0)
            continue;
        POET_TRY(add_block(p, call->packed_bytes));
        call->packed = p->blocks[p->n_blocks - 1];
    }
    return POET_OK;
}

static poet_status bind_memory(poet_program *p)
{
    poet_graph *g = p->graph;
    size_t most = (size_t)g->n_values + 2 * (size_t)g->n_nodes + 1;
    p->blocks = poet_arena_alloc(g->arena, most * sizeof *p->blocks);
    if (!p->blocks)
        return POET_ERR_NOMEM;
    if (!p->separate)
        POET_TRY(add_block(p, p->plan.block));
    for (int v = 0; v < g->n_values; v++)
        if (p->plan.offset[v] != POET_PLAN_NOWHERE)
            POET_TRY(place(p, p->plan.offset[v], poet_tensor_bytes(&p->tensors[v]),
                           &p->tensors[v].data));
    for (int v = 0; v < g->n_values; v++)
        p->tensors[v].data = p->tensors[p->plan.root[v]].data;
    for (int n = 0, c = 0; n < g->n_nodes; n++) {
        if (!p->plan.runs[n])
            continue;
        if (p->plan.scratch[n] != POET_PLAN_NOWHERE)
            POET_TRY(place(p, p->plan.scratch[n], p->calls[c].scratch_bytes, &p->calls[c].scratch));
        c++;
    }
    return bind_packed(p);
}

static poet_status prepare(poet_program *p)
{
    const poet_backend *backend = backend_of(p);
    for (; backend->prepare && p->n_prepared < p->n_calls; p->n_prepared++) {
        poet_call *call = &p->calls[p->n_prepared];
        poet_status status = backend->prepare(p->device, call);
        if (status)
            return poet_context(status, "%s: %s", call->name, poet_op_name(call->op));
    }
    return POET_OK;
}

static poet_status build(poet_program *p)
{
    poet_graph *g = p->graph;
    POET_TRY(poet_graph_status(g));
    POET_TRY(poet_fuse_casts(g, backend_of(p)));
    POET_TRY(describe_values(p));
    POET_TRY(poet_plan_select(g, &p->plan));
    size_t *bytes = poet_arena_alloc(g->arena, (size_t)g->n_values * sizeof *bytes);
    size_t *scratch = poet_arena_alloc(g->arena, (size_t)g->n_nodes * sizeof *scratch);
    if (!bytes || !scratch)
        return POET_ERR_NOMEM;
    for (int v = 0; v < g->n_values; v++)
        bytes[v] = poet_tensor_bytes(&p->tensors[v]);
    POET_TRY(make_calls(p, scratch));
    const char *mode = getenv("POET_PLAN");
    p->separate = mode && strcmp(mode, "separate") == 0;
    POET_TRY(poet_plan_make(g, bytes, scratch, backend_of(p)->alignment, p->separate, &p->plan));
    POET_TRY(make_inputs(p));
    POET_TRY(bind_memory(p));
    return prepare(p);
}

poet_status poet_program_create(poet_graph *graph, poet_program **out)
{
    *out = NULL;
    poet_program *p = poet_calloc(1, sizeof *p);
    if (!p) {
        poet_graph_destroy(graph);
        return POET_ERR_NOMEM;
    }
    p->graph = graph;
    p->device = poet_params_device(graph->params);
    poet_status status = build(p);
    if (status) {
        poet_program_destroy(p);
        return status;
    }
    *out = p;
    return POET_OK;
}

void poet_program_destroy(poet_program *program)
{
    if (!program)
        return;
    poet_graph *g = program->graph;
    const poet_backend *backend = backend_of(program);
    for (int c = 0; backend->release && c < program->n_prepared; c++)
        backend->release(program->device, &program->calls[c]);
    for (int v = 0; program->tensors && v < g->n_values; v++)
        if (g->values[v].place == POET_PLACE_INPUT)
            backend->free(program->device, program->tensors[v].data);
    for (int b = 0; b < program->n_blocks; b++)
        backend->free(program->device, program->blocks[b]);
    poet_graph_destroy(g);
    poet_free(program);
}

static poet_val find(poet_program *p, const char *name, bool input)
{
    for (int v = 0; v < p->graph->n_values; v++) {
        const poet_value *value = &p->graph->values[v];
        bool fits = input ? value->place == POET_PLACE_INPUT : value->output;
        if (fits && value->name && strcmp(value->name, name) == 0)
            return (poet_val){v};
    }
    return POET_NONE;
}

poet_val poet_program_input(poet_program *program, const char *name)
{
    return find(program, name, true);
}

poet_val poet_program_output(poet_program *program, const char *name)
{
    return find(program, name, false);
}

/* Host data of the declared type to or from a device that stores reals as f64. */
static void convert(poet_tensor *dst, const poet_tensor *src)
{
    int64_t count = poet_tensor_count(src);
    for (int64_t i = 0; i < count; i++)
        poet_put(dst, i, poet_get(src, i));
}

static poet_status transfer(poet_program *p, poet_val v, void *host, size_t bytes,
                            poet_copy direction)
{
    poet_value *value = poet_graph_value(p->graph, v);
    if (!value)
        return POET_FAIL(POET_ERR_ARG, "the program has no such input or output");
    poet_tensor outside = value->tensor, *inside = &p->tensors[v.id];
    outside.data = host;
    if (bytes != poet_tensor_bytes(&outside))
        return POET_FAIL(POET_ERR_ARG, "%s: has %zu bytes, not %zu",
                         value->name ? value->name : "value", poet_tensor_bytes(&outside), bytes);
    if (inside->dtype != outside.dtype) {
        convert(direction == POET_TO_DEVICE ? inside : &outside,
                direction == POET_TO_DEVICE ? &outside : inside);
        return POET_OK;
    }
    void *dst = direction == POET_TO_DEVICE ? inside->data : host;
    const void *src = direction == POET_TO_DEVICE ? host : inside->data;
    return backend_of(p)->copy(p->device, dst, src, bytes, direction);
}

poet_status poet_program_set(poet_program *program, poet_val input, const void *host, size_t bytes)
{
    return transfer(program, input, (void *)(uintptr_t)host, bytes, POET_TO_DEVICE);
}

poet_status poet_program_get(poet_program *program, poet_val output, void *host, size_t bytes)
{
    return transfer(program, output, host, bytes, POET_TO_HOST);
}

poet_status poet_program_set_by_name(poet_program *program, const char *name, const void *host,
                                     size_t bytes)
{
    poet_val v = poet_program_input(program, name);
    if (v.id < 0)
        return POET_FAIL(POET_ERR_ARG, "%s: the program has no input of this name", name);
    return poet_program_set(program, v, host, bytes);
}

poet_status poet_program_get_by_name(poet_program *program, const char *name, void *host,
                                     size_t bytes)
{
    poet_val v = poet_program_output(program, name);
    if (v.id < 0)
        return POET_FAIL(POET_ERR_ARG, "%s: the program has no output of this name", name);
    return poet_program_get(program, v, host, bytes);
}

poet_status poet_program_pass(poet_program *from, const char *output, poet_program *to,
                              const char *input)
{
    poet_val source = poet_program_output(from, output), target = poet_program_input(to, input);
    if (source.id < 0 || target.id < 0)
        return POET_FAIL(POET_ERR_ARG, "%s: the program has no %s of this name",
                         source.id < 0 ? output : input, source.id < 0 ? "output" : "input");
    const poet_tensor *x = &from->tensors[source.id], *y = &to->tensors[target.id];
    if (x->dtype != y->dtype || !poet_shape_equal(&x->shape, &y->shape))
        return POET_FAIL(POET_ERR_MISMATCH, "%s and %s are not alike", output, input);
    return backend_of(to)->copy(to->device, y->data, x->data, poet_tensor_bytes(x), POET_ON_DEVICE);
}

static void count_call(const poet_program *program, int index, double seconds)
{
    poet_profile *profile = program->profile;
    if (profile->call_seconds)
        profile->call_seconds[index] += seconds;
    poet_work_add(&profile->work, program->device, &program->calls[index], 1, seconds);
}

poet_status poet_program_launch(poet_program *program)
{
    poet_device *device = program->device;
    const poet_backend *backend = device->backend;
    bool profile = program->profile;
    for (int c = 0; c < program->n_calls; c++) {
        poet_call *call = &program->calls[c];
        double start = profile ? poet_seconds() : 0;
        poet_status status = backend->kernel[call->op](device, call);
        if (status)
            return poet_context(status, "%s: %s", call->name, poet_op_name(call->op));
        if (profile) {
            POET_TRY(backend->sync(device));
            count_call(program, c, poet_seconds() - start);
        }
    }
    return POET_OK;
}

poet_status poet_program_run(poet_program *program)
{
    POET_TRY(poet_program_launch(program));
    return poet_device_wait(program->device);
}

void poet_program_profile(poet_program *program, poet_profile *profile)
{
    program->profile = profile;
}

poet_memory poet_program_memory(const poet_program *program)
{
    const poet_params *params = program->graph->params;
    return (poet_memory){.params = poet_params_bytes(params, POET_PARAM),
                         .buffers = poet_params_bytes(params, POET_BUFFER),
                         .moments = poet_params_bytes(params, POET_MOMENT),
                         .caches = poet_params_bytes(params, POET_CACHE),
                         .packed = program->packed_bytes,
                         .activations = program->plan.block,
                         .inputs = program->input_bytes};
}

int poet_program_calls(const poet_program *program)
{
    return program->n_calls;
}

const poet_call *poet_program_call(const poet_program *program, int index)
{
    return &program->calls[index];
}

void poet_program_count(const poet_program *program, double runs, poet_work *work)
{
    for (int c = 0; c < program->n_calls; c++)
        poet_work_add(work, program->device, &program->calls[c], runs, 0);
}

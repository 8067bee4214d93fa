/* Causal convolution and its gradients by oneDNN. Activations stay channels-last; the weights,
 * small, go into the layout that oneDNN likes: once where they are constant, before each run where
 * they are being trained. */
#include "compute/cpu/cpu_dnnl_internal.h"

typedef struct conv_shape {
    dnnl_dims_t x, w, y, bias, stride, dilate, pad_l,
        pad_r; /* in oneDNN's order: channels second */
} conv_shape;

static void channels_second(const poet_shape *shape, int64_t channels, dnnl_dims_t out)
{
    out[0] = shape->dim[0];
    out[1] = channels;
    for (int i = 1; i < 4; i++)
        out[i + 1] = shape->dim[i];
}

/* big: whichever of x and y the call has; w (Cout,kT,kH,kW,Cin). */
static conv_shape shape_of(const poet_shape *big, const poet_shape *w)
{
    conv_shape s = {.stride = {1, 1, 1}, .dilate = {0, 0, 0}, .bias = {w->dim[0]}};
    channels_second(big, w->dim[4], s.x);
    channels_second(big, w->dim[0], s.y);
    channels_second(w, w->dim[4], s.w);
    s.pad_l[0] = w->dim[1] - 1;
    for (int i = 1; i < 3; i++)
        s.pad_l[i] = s.pad_r[i] = w->dim[i + 1] / 2;
    return s;
}

/* The tensors of a call by their part in y = conv(x, w) + bias, gradients in the place of what they
 * belong to. */
typedef struct conv_parts {
    const poet_tensor *x, *w, *bias, *y;
    conv_shape shape;
} conv_parts;

static conv_parts parts_of(const poet_call *call)
{
    conv_parts p;
    switch (call->op) {
    case POET_OP_CONV3D:
        p = (conv_parts){.x = call->src[0], .w = call->src[1], .y = call->dst[0]};
        p.bias = call->n_src > 2 ? call->src[2] : NULL;
        break;
    case POET_OP_CONV3D_DX:
        p = (conv_parts){.y = call->src[0], .w = call->src[1], .x = call->dst[0]};
        break;
    default: p = (conv_parts){.x = call->src[0], .y = call->src[1], .w = call->dst[0]}; break;
    }
    p.shape = shape_of(&p.x->shape, &p.w->shape);
    return p;
}

typedef struct conv_memories {
    dnnl_memory_desc_t x, w, y, bias;
} conv_memories;

static poet_status memories_of(const conv_parts *p, dnnl_format_tag_t w_tag, conv_memories *m)
{
    const conv_shape *s = &p->shape;
    POET_DNNL(dnnl_memory_desc_init_by_tag(&m->x, 5, s->x, poet_dnnl_type(p->x), dnnl_ndhwc));
    POET_DNNL(dnnl_memory_desc_init_by_tag(&m->w, 5, s->w, poet_dnnl_type(p->w), w_tag));
    POET_DNNL(dnnl_memory_desc_init_by_tag(&m->y, 5, s->y, poet_dnnl_type(p->y), dnnl_ndhwc));
    POET_DNNL(dnnl_memory_desc_init_by_tag(&m->bias, 1, s->bias, dnnl_f32, dnnl_a));
    return POET_OK;
}

static poet_status describe(const poet_device *device, const poet_call *call,
                            dnnl_primitive_desc_t *out)
{
    conv_parts p = parts_of(call);
    const conv_shape *s = &p.shape;
    conv_memories m;
    POET_TRY(memories_of(&p, dnnl_format_tag_any, &m));
    dnnl_convolution_desc_t desc;
    switch (call->op) {
    case POET_OP_CONV3D:
        POET_DNNL(dnnl_dilated_convolution_forward_desc_init(
            &desc, dnnl_forward_inference, dnnl_convolution_direct, &m.x, &m.w,
            p.bias ? &m.bias : NULL, &m.y, s->stride, s->dilate, s->pad_l, s->pad_r));
        break;
    case POET_OP_CONV3D_DX:
        POET_DNNL(dnnl_dilated_convolution_backward_data_desc_init(&desc, dnnl_convolution_direct,
                                                                   &m.x, &m.w, &m.y, s->stride,
                                                                   s->dilate, s->pad_l, s->pad_r));
        break;
    default:
        POET_DNNL(dnnl_dilated_convolution_backward_weights_desc_init(
            &desc, dnnl_convolution_direct, &m.x, &m.w, NULL, &m.y, s->stride, s->dilate, s->pad_l,
            s->pad_r));
        break;
    }
    return poet_dnnl_describe(device, &desc, out);
}

/* The layout of w, or of its gradient, that the primitive chose. */
static const dnnl_memory_desc_t *weights_md(const poet_call *call, const_dnnl_primitive_desc_t pd)
{
    bool dw = call->op == POET_OP_CONV3D_DW;
    return dnnl_primitive_desc_query_md(pd, dw ? dnnl_query_diff_weights_md : dnnl_query_weights_md,
                                        0);
}

static bool is_packed_once(const poet_call *call)
{
    return call->op == POET_OP_CONV3D && poet_call_is_constant(call, 1);
}

/* The scratchpad, and behind it the weights in their layout when they are packed in each run. */
static size_t conv_scratch(poet_device *device, const poet_call *call)
{
    dnnl_primitive_desc_t pd;
    if (describe(device, call, &pd))
        return 0; /* prepare will fail in the same way, and can say so */
    size_t bytes = poet_dnnl_scratchpad(pd);
    if (!is_packed_once(call))
        bytes += dnnl_memory_desc_get_size(weights_md(call, pd));
    dnnl_primitive_desc_destroy(pd);
    return bytes;
}

static size_t conv_packed(poet_device *device, const poet_call *call)
{
    dnnl_primitive_desc_t pd;
    if (!is_packed_once(call) || describe(device, call, &pd))
        return 0;
    size_t bytes = dnnl_memory_desc_get_size(weights_md(call, pd));
    dnnl_primitive_desc_destroy(pd);
    return bytes;
}

static poet_status add_arguments(const poet_call *call, const_dnnl_primitive_desc_t pd,
                                 poet_dnnl *p)
{
    conv_parts parts = parts_of(call);
    conv_memories m;
    POET_TRY(memories_of(&parts, dnnl_odhwi, &m));
    bool dx = call->op == POET_OP_CONV3D_DX, forward = call->op == POET_OP_CONV3D;
    POET_TRY(poet_dnnl_arg(p, dx ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, &m.x, parts.x->data));
    POET_TRY(poet_dnnl_arg(p, forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, &m.y, parts.y->data));
    if (parts.bias)
        POET_TRY(poet_dnnl_arg(p, DNNL_ARG_BIAS, &m.bias, parts.bias->data));
    bool once = call->packed;
    void *packed = once ? call->packed : (char *)call->scratch + poet_dnnl_scratchpad(pd);
    const dnnl_memory_desc_t *layout = weights_md(call, pd);
    if (forward || dx)
        return poet_dnnl_packed_source(p, DNNL_ARG_WEIGHTS, &m.w, parts.w->data, layout, packed,
                                       once);
    return poet_dnnl_packed_result(p, DNNL_ARG_DIFF_WEIGHTS, &m.w, parts.w->data, layout, packed);
}

static poet_status conv_prepare(poet_device *device, poet_call *call)
{
    dnnl_primitive_desc_t pd;
    POET_TRY(describe(device, call, &pd));
    poet_dnnl *p = NULL;
    poet_status status = poet_dnnl_create(pd, call->scratch, &p);
    if (!status)
        status = add_arguments(call, pd, p);
    dnnl_primitive_desc_destroy(pd);
    call->prepared = p;
    if (status)
        poet_dnnl_release(device, call);
    return status;
}

void poet_cpu_conv(poet_cpu_op *ops)
{
    ops[POET_OP_CONV3D] = ops[POET_OP_CONV3D_DX] = ops[POET_OP_CONV3D_DW] =
        (poet_cpu_op){.run = poet_dnnl_kernel,
                      .scratch = conv_scratch,
                      .packed = conv_packed,
                      .prepare = conv_prepare,
                      .release = poet_dnnl_release,
                      .implementation = poet_dnnl_implementation,
                      .mixed = true};
}

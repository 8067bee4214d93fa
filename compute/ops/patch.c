/* Space-time patches, and bytes. A patch is 4 frames x p rows x p columns x 3 colours; the first
 * frame of a video fills a patch alone, as four copies. */
#include "compute/ops/rule_internal.h"

#include <math.h>

enum { PATCH_FRAMES = 4, COLOURS = 3 };

/* The sizes both directions share; patches are (B, groups, rows, columns, 4*p*p*3). */
typedef struct geometry {
    int64_t b, groups, rows, columns, p;
} geometry;

static geometry of_patches(const poet_tensor *patches, int p)
{
    const int64_t *dim = patches->shape.dim;
    return (geometry){dim[0], dim[1], dim[2], dim[3], p};
}

/* Where element `inner` of patch `index` lies in the video; *copies: 4 in the first frame, else
 * 1. */
static int64_t video_index(const geometry *s, int64_t index, int64_t inner, int *copies)
{
    int64_t colour = inner % COLOURS, x = inner / COLOURS % s->p;
    int64_t y = inner / COLOURS / s->p % s->p, t = inner / COLOURS / s->p / s->p;
    int64_t column = index % s->columns, row = index / s->columns % s->rows;
    int64_t group = index / s->columns / s->rows % s->groups;
    int64_t b = index / s->columns / s->rows / s->groups;
    int64_t frames = 1 + PATCH_FRAMES * (s->groups - 1);
    int64_t frame = group == 0 ? 0 : 1 + PATCH_FRAMES * (group - 1) + t;
    *copies = group == 0 ? PATCH_FRAMES : 1;
    int64_t line = ((b * frames + frame) * s->rows + row) * s->p + y;
    return ((line * s->columns + column) * s->p + x) * COLOURS + colour;
}

static poet_status infer_patchify(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                  poet_tensor *dst)
{
    (void)n_src;
    int64_t p = attr->patch.patch;
    const int64_t *dim = src[0]->shape.dim;
    char text[96];
    POET_TRY(rule_need_dims(src[0], "the video", 5));
    if (src[0]->dtype != POET_U8)
        POET_TRY(rule_need_real(src[0], "the video"));
    if (p < 1 || dim[1] % PATCH_FRAMES != 1 || dim[2] % p || dim[3] % p || dim[4] != COLOURS)
        return POET_FAIL(POET_ERR_MISMATCH,
                         "a video %s is not 1+4n frames of whole %lldx%lld patches in 3 colours",
                         poet_shape_text(&src[0]->shape, text), (long long)p, (long long)p);
    dst[0] = rule_real(POET_SHAPE(dim[0], 1 + dim[1] / PATCH_FRAMES, dim[2] / p, dim[3] / p,
                                  PATCH_FRAMES * p * p * COLOURS));
    return POET_OK;
}

static poet_status ref_patchify(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *video = call->src[0];
    poet_tensor *patches = call->dst[0];
    geometry s = of_patches(patches, call->attr->patch.patch);
    int64_t n = poet_tensor_count(patches), size = poet_shape_last(&patches->shape);
    for (int64_t i = 0; i < n; i++) {
        int copies;
        double v = poet_get(video, video_index(&s, i / size, i % size, &copies));
        poet_put(patches, i, video->dtype == POET_U8 ? v / 127.5 - 1 : v);
    }
    return POET_OK;
}

/* x with its first frame multiplied by factor: the adjoint of "copied four times" is "four times
 * the mean", that of "the mean of four" is "a quarter, copied". */
static poet_val scale_first_frame(poet_graph *g, poet_val x, float factor)
{
    int64_t frames = poet_dim(g, x, 1);
    poet_val first = poet_scale(g, poet_slice(g, x, 1, 0, 1), factor);
    if (frames == 1)
        return first;
    return poet_concat(g, 2, (poet_val[]){first, poet_slice(g, x, 1, 1, frames - 1)}, 1);
}

static void grad_patchify(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    poet_val video = poet_unpatchify(g, dy[0], node->attr.patch.patch);
    dx[0] = scale_first_frame(g, video, (float)PATCH_FRAMES);
}

const poet_op_rule poet_rule_patchify = {
    .infer = infer_patchify, .grad = grad_patchify, .ref = ref_patchify};

poet_val poet_patchify(poet_graph *g, poet_val video, int patch)
{
    poet_attr attr = {.patch = {.patch = patch}};
    return poet_emit(g, POET_OP_PATCHIFY, 1, &video, &attr, NULL);
}

static poet_status infer_unpatchify(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                    poet_tensor *dst)
{
    (void)n_src;
    int64_t p = attr->patch.patch;
    const int64_t *dim = src[0]->shape.dim;
    POET_TRY(rule_need_real(src[0], "patches"));
    POET_TRY(rule_need_dims(src[0], "patches", 5));
    if (p < 1 || dim[4] != PATCH_FRAMES * p * p * COLOURS)
        return POET_FAIL(POET_ERR_MISMATCH, "%lld numbers are not 4 frames of a %lldx%lld patch",
                         (long long)dim[4], (long long)p, (long long)p);
    dst[0] = rule_real(
        POET_SHAPE(dim[0], 1 + PATCH_FRAMES * (dim[1] - 1), dim[2] * p, dim[3] * p, COLOURS));
    return POET_OK;
}

static poet_status ref_unpatchify(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *patches = call->src[0];
    poet_tensor *video = call->dst[0];
    geometry s = of_patches(patches, call->attr->patch.patch);
    int64_t n = poet_tensor_count(patches), size = poet_shape_last(&patches->shape);
    int64_t frame = size / PATCH_FRAMES; /* distance of the four copies in a patch */
    for (int64_t i = 0; i < n; i++) {
        int copies;
        int64_t at = video_index(&s, i / size, i % size, &copies);
        double sum = 0;
        if (copies == PATCH_FRAMES && i % size >= frame)
            continue; /* its mean was written with the first copy */
        for (int k = 0; k < copies; k++)
            sum += poet_get(patches, i + k * frame);
        poet_put(video, at, sum / copies);
    }
    return POET_OK;
}

static void grad_unpatchify(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    poet_val video = scale_first_frame(g, dy[0], 1.0F / (float)PATCH_FRAMES);
    dx[0] = poet_patchify(g, video, node->attr.patch.patch);
}

const poet_op_rule poet_rule_unpatchify = {
    .infer = infer_unpatchify, .grad = grad_unpatchify, .ref = ref_unpatchify};

poet_val poet_unpatchify(poet_graph *g, poet_val patches, int patch)
{
    poet_attr attr = {.patch = {.patch = patch}};
    return poet_emit(g, POET_OP_UNPATCHIFY, 1, &patches, &attr, NULL);
}

static poet_status infer_to_bytes(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                  poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    POET_TRY(rule_need_real(src[0], "the source"));
    dst[0] = (poet_tensor){.dtype = POET_U8, .shape = src[0]->shape};
    return POET_OK;
}

/* Halves round to even; a NaN becomes 0. */
static poet_status ref_to_bytes(poet_device *device, const poet_call *call)
{
    (void)device;
    int64_t n = poet_tensor_count(call->src[0]);
    for (int64_t i = 0; i < n; i++) {
        double v = nearbyint((poet_get(call->src[0], i) + 1) * 127.5);
        poet_put(call->dst[0], i, v > 0 ? fmin(v, 255) : 0);
    }
    return POET_OK;
}

const poet_op_rule poet_rule_to_bytes = {.infer = infer_to_bytes, .ref = ref_to_bytes};

poet_val poet_to_bytes(poet_graph *g, poet_val x)
{
    return poet_emit(g, POET_OP_TO_BYTES, 1, &x, NULL, NULL);
}

/* Operations that move elements, where the reference's are slow: sums of broadcasts, transposition,
 * patches and bytes. */
#include "compute/cpu/cpu_broadcast_internal.h"
#include "compute/cpu/cpu_vec.h"

/* ---- sum_to ---- */

typedef struct sum_job {
    poet_broadcast shape;
    const float *x;
    float *y;
    int64_t kept, summed; /* elements of y; elements of x that each is the sum of */
} sum_job;

/* Where the i-th combination of the dims that are kept (or of those that are summed) begins in x;
 * dims from `last` on are left out. */
static int64_t offset_of(const poet_broadcast *b, int last, bool kept, int64_t i)
{
    int64_t at = 0;
    for (int k = last - 1; k >= 0; k--) {
        if ((b->small[k] != 0) != kept)
            continue;
        at += i % b->size[k] * b->big[k];
        i /= b->size[k];
    }
    return at;
}

VEC_INLINE vf sum_row(const float *x, int64_t n)
{
    vf sum = vf_all(0);
    for (int64_t i = 0; i < n; i += LANES)
        sum += vf_load_n(x + i, n - i);
    return sum;
}

/* The last dim is summed: y's elements are sums of whole rows of x. */
static VEC void sum_inner(const void *context, int64_t begin, int64_t end)
{
    const sum_job *j = context;
    int last = j->shape.n - 1;
    int64_t n = j->shape.size[last], rows = j->summed / n;
    for (int64_t i = begin; i < end; i++) {
        const float *x = j->x + offset_of(&j->shape, last, true, i);
        double sum = 0;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < n; c += 512)
                sum += (double)vf_sum(
                    sum_row(x + offset_of(&j->shape, last, false, r) + c, poet_min(512, n - c)));
        j->y[i] = (float)sum;
    }
}

enum { STRIP = 8 * LANES }; /* columns summed at once */

/* `count` columns from x on, over all rows; in runs of 64 rows, so that errors do not grow. */
static VEC void sum_strip(const sum_job *j, const float *x, int64_t count, float *y)
{
    enum { RUN = 64 };

    vf total[STRIP / LANES] = {vf_all(0)};
    for (int64_t first = 0; first < j->summed; first += RUN) {
        vf part[STRIP / LANES] = {vf_all(0)};
        for (int64_t r = first; r < poet_min(first + RUN, j->summed); r++) {
            const float *row = x + offset_of(&j->shape, j->shape.n - 1, false, r);
            for (int64_t c = 0; c < count; c += LANES)
                part[c / LANES] += vf_load_n(row + c, count - c);
        }
        for (int c = 0; c < STRIP / LANES; c++)
            total[c] += part[c];
    }
    for (int64_t c = 0; c < count; c += LANES)
        vf_store_n(y + c, count - c, total[c / LANES]);
}

/* The last dim is kept: strips of columns, each summed over the rows that are summed. */
static VEC void sum_outer(const void *context, int64_t begin, int64_t end)
{
    const sum_job *j = context;
    int last = j->shape.n - 1;
    int64_t n = j->shape.size[last], strips = (n + STRIP - 1) / STRIP;
    for (int64_t item = begin; item < end; item++) {
        int64_t row = item / strips, first = item % strips * STRIP;
        sum_strip(j, j->x + offset_of(&j->shape, last, true, row) + first,
                  poet_min(STRIP, n - first), j->y + row * n + first);
    }
}

static poet_status sum_to_kernel(poet_device *device, const poet_call *call)
{
    const poet_shape *x = &call->src[0]->shape, *y = &call->dst[0]->shape;
    sum_job j = {.shape = poet_broadcast_plan(x, y),
                 .x = poet_cpu_src(call, 0),
                 .y = poet_cpu_dst(call, 0),
                 .kept = poet_shape_count(y)};
    j.summed = poet_shape_count(x) / j.kept;
    int64_t n = j.shape.size[j.shape.n - 1], strips = (n + STRIP - 1) / STRIP;
    if (j.shape.small[j.shape.n - 1] == 0)
        poet_cpu_parallel(device, j.kept, 32768 / j.summed + 1, sum_inner, &j);
    else
        poet_cpu_parallel(device, j.kept / n * strips, 32768 / (j.summed * poet_min(n, STRIP)) + 1,
                          sum_outer, &j);
    return POET_OK;
}

/* ---- transpose ---- */

typedef struct transpose_job {
    const float *x;
    float *y;
    int64_t rows, columns;
} transpose_job;

enum { SQUARE = 16 };

static void transpose_squares(const void *context, int64_t begin, int64_t end)
{
    const transpose_job *j = context;
    for (int64_t c0 = begin * SQUARE; c0 < poet_min(end * SQUARE, j->columns); c0 += SQUARE)
        for (int64_t r0 = 0; r0 < j->rows; r0 += SQUARE)
            for (int64_t c = c0; c < poet_min(c0 + SQUARE, j->columns); c++)
                for (int64_t r = r0; r < poet_min(r0 + SQUARE, j->rows); r++)
                    j->y[c * j->rows + r] = j->x[r * j->columns + c];
}

static poet_status transpose_kernel(poet_device *device, const poet_call *call)
{
    const int64_t *dim = call->src[0]->shape.dim;
    transpose_job j = {poet_cpu_src(call, 0), poet_cpu_dst(call, 0), dim[0], dim[1]};
    poet_cpu_parallel(device, (dim[1] + SQUARE - 1) / SQUARE, 16384 / (dim[0] * SQUARE) + 1,
                      transpose_squares, &j);
    return POET_OK;
}

/* ---- patches ---- */

enum { PATCH_FRAMES = 4, COLOURS = 3 };

/* A line is what a patch has of one row of pixels: neighbours in the video and in the patch. */
typedef struct patch_job {
    int64_t groups, rows, columns, p, line;
    const void *from;
    void *to;
    const float *byte_values; /* reals of the 256 bytes, when the video is of bytes */
} patch_job;

static patch_job patch_job_of(const poet_call *call, const poet_tensor *patches)
{
    const int64_t *dim = patches->shape.dim;
    int64_t p = call->attr->patch.patch;
    return (patch_job){.groups = dim[1],
                       .rows = dim[2],
                       .columns = dim[3],
                       .p = p,
                       .line = p * COLOURS,
                       .from = call->src[0]->data,
                       .to = call->dst[0]->data};
}

/* Where line (t, y) of the patch at `column` of strip (batch, group, row) lies in the video; all t of
 * the first group are its one frame. */
static int64_t video_line(const patch_job *j, int64_t strip, int64_t column, int64_t t, int64_t y)
{
    int64_t row = strip % j->rows, group = strip / j->rows % j->groups;
    int64_t b = strip / j->rows / j->groups, frames = 1 + PATCH_FRAMES * (j->groups - 1);
    int64_t frame = group == 0 ? 0 : 1 + PATCH_FRAMES * (group - 1) + t;
    return ((((b * frames + frame) * j->rows + row) * j->p + y) * j->columns + column) * j->line;
}

static int64_t patch_line(const patch_job *j, int64_t strip, int64_t column, int64_t t, int64_t y)
{
    return (((strip * j->columns + column) * PATCH_FRAMES + t) * j->p + y) * j->line;
}

static void read_line(const patch_job *j, int64_t video, float *out)
{
    if (!j->byte_values) {
        memcpy(out, (const float *)j->from + video, (size_t)j->line * sizeof *out);
        return;
    }
    for (int64_t i = 0; i < j->line; i++)
        out[i] = j->byte_values[((const uint8_t *)j->from)[video + i]];
}

static void patchify_strips(const void *context, int64_t begin, int64_t end)
{
    const patch_job *j = context;
    for (int64_t strip = begin; strip < end; strip++)
        for (int64_t column = 0; column < j->columns; column++)
            for (int64_t t = 0; t < PATCH_FRAMES; t++)
                for (int64_t y = 0; y < j->p; y++)
                    read_line(j, video_line(j, strip, column, t, y),
                              (float *)j->to + patch_line(j, strip, column, t, y));
}

static poet_status patchify_kernel(poet_device *device, const poet_call *call)
{
    float values[256];
    patch_job j = patch_job_of(call, call->dst[0]);
    if (call->src[0]->dtype == POET_U8) {
        for (int i = 0; i < 256; i++)
            values[i] = (float)(i / 127.5 - 1);
        j.byte_values = values;
    }
    poet_cpu_parallel(device, call->dst[0]->shape.dim[0] * j.groups * j.rows, 4, patchify_strips,
                      &j);
    return POET_OK;
}

static void unpatchify_line(const patch_job *j, int64_t strip, int64_t column, int64_t y)
{
    const float *patches = j->from;
    float *video = j->to;
    if (strip / j->rows % j->groups > 0) {
        for (int64_t t = 0; t < PATCH_FRAMES; t++)
            memcpy(video + video_line(j, strip, column, t, y),
                   patches + patch_line(j, strip, column, t, y), (size_t)j->line * sizeof *video);
        return;
    }
    const float *from = patches + patch_line(j, strip, column, 0, y);
    float *to = video + video_line(j, strip, column, 0, y);
    int64_t next = j->p * j->line;
    for (int64_t i = 0; i < j->line; i++)
        to[i] = 0.25F * (from[i] + from[i + next] + from[i + 2 * next] + from[i + 3 * next]);
}

static void unpatchify_strips(const void *context, int64_t begin, int64_t end)
{
    const patch_job *j = context;
    for (int64_t strip = begin; strip < end; strip++)
        for (int64_t column = 0; column < j->columns; column++)
            for (int64_t y = 0; y < j->p; y++)
                unpatchify_line(j, strip, column, y);
}

static poet_status unpatchify_kernel(poet_device *device, const poet_call *call)
{
    patch_job j = patch_job_of(call, call->src[0]);
    poet_cpu_parallel(device, call->src[0]->shape.dim[0] * j.groups * j.rows, 4, unpatchify_strips,
                      &j);
    return POET_OK;
}

/* ---- bytes ---- */

typedef struct bytes_job {
    const float *x;
    uint8_t *y;
} bytes_job;

static void bytes_part(const void *context, int64_t begin, int64_t end)
{
    const bytes_job *j = context;
    for (int64_t i = begin; i < end; i++) {
        double v = ((double)j->x[i] + 1) * 127.5;
        v = v > 0 ? v : 0; /* not a number: 0 */
        j->y[i] = (uint8_t)lrint(v < 255 ? v : 255);
    }
}

static poet_status to_bytes_kernel(poet_device *device, const poet_call *call)
{
    bytes_job j = {poet_cpu_src(call, 0), call->dst[0]->data};
    poet_cpu_parallel(device, poet_tensor_count(call->src[0]), 16384, bytes_part, &j);
    return POET_OK;
}

void poet_cpu_layout(poet_cpu_op *ops)
{
    ops[POET_OP_SUM_TO] = (poet_cpu_op){.run = sum_to_kernel};
    ops[POET_OP_TRANSPOSE] = (poet_cpu_op){.run = transpose_kernel};
    ops[POET_OP_PATCHIFY] = (poet_cpu_op){.run = patchify_kernel};
    ops[POET_OP_UNPATCHIFY] = (poet_cpu_op){.run = unpatchify_kernel};
    ops[POET_OP_TO_BYTES] = (poet_cpu_op){.run = to_bytes_kernel};
}

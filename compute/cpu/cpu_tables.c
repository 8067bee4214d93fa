/* Rows of tables, and the sums of gradients per row. */
#include "compute/cpu/cpu_internal.h"
#include "compute/cpu/cpu_vec.h"
#include "compute/graph_internal.h"

typedef struct table_job {
    int64_t rows, slots, v, c; /* of one slot's table: V rows of C */
    const float *table, *dy;
    const int32_t *index;
    void *y;
    bool half; /* y is bf16 */
    float *dtable;
} table_job;

static table_job job_of(const poet_shape *table, const poet_tensor *index)
{
    table_job j = {.slots = table->ndim == 3 ? table->dim[0] : 1,
                   .v = table->dim[table->ndim - 2],
                   .c = table->dim[table->ndim - 1],
                   .index = index->data};
    j.rows = poet_tensor_count(index) / j.slots;
    return j;
}

static poet_status check(const table_job *j)
{
    for (int64_t i = 0; i < j->rows * j->slots; i++)
        if (j->index[i] < 0 || j->index[i] >= j->v)
            return POET_FAIL(POET_ERR_ARG, "index %d at %lld is outside a table of %lld rows",
                             j->index[i], (long long)i, (long long)j->v);
    return POET_OK;
}

static VEC void embed_rows(const void *context, int64_t begin, int64_t end)
{
    const table_job *j = context;
    for (int64_t row = begin; row < end; row++)
        for (int64_t c = 0; c < j->c; c += LANES) {
            vf sum = vf_all(0);
            for (int64_t s = 0; s < j->slots; s++) {
                int64_t code = s * j->v + j->index[row * j->slots + s];
                sum += vf_load_n(j->table + code * j->c + c, j->c - c);
            }
            vf_store_as(j->half, j->y, row * j->c + c, j->c - c, sum);
        }
}

static poet_status embed_kernel(poet_device *device, const poet_call *call)
{
    table_job j = job_of(&call->src[0]->shape, call->src[1]);
    POET_TRY(check(&j));
    j.table = poet_cpu_src(call, 0);
    j.y = call->dst[0]->data;
    j.half = poet_cpu_half(call);
    poet_cpu_parallel(device, j.rows, 32768 / (j.c * j.slots) + 1, embed_rows, &j);
    return POET_OK;
}

/* The sums are of reals. */
static bool is_real(const poet_call *call)
{
    return call->src[0]->dtype == POET_F32;
}

enum { STRIP = 4 * LANES };

/* Strips of columns: each thread adds all rows, in order, to columns of its own. */
static VEC void embed_strips_bwd(const void *context, int64_t begin, int64_t end)
{
    const table_job *j = context;
    int64_t first = begin * STRIP, width = poet_min(end * STRIP, j->c) - first;
    for (int64_t code = 0; code < j->slots * j->v; code++)
        memset(j->dtable + code * j->c + first, 0, (size_t)width * sizeof(float));
    for (int64_t i = 0; i < j->rows * j->slots; i++) {
        int64_t code = i % j->slots * j->v + j->index[i];
        const float *dy = j->dy + i / j->slots * j->c + first;
        float *sum = j->dtable + code * j->c + first;
        for (int64_t c = 0; c < width; c += LANES)
            vf_store_n(sum + c, width - c,
                       vf_load_n(sum + c, width - c) + vf_load_n(dy + c, width - c));
    }
}

static poet_status embed_bwd_kernel(poet_device *device, const poet_call *call)
{
    table_job j = job_of(&call->dst[0]->shape, call->src[0]);
    POET_TRY(check(&j));
    j.dy = poet_cpu_src(call, 1);
    j.dtable = poet_cpu_dst(call, 0);
    int64_t work = STRIP * j.slots * (j.rows + j.v);
    poet_cpu_parallel(device, (j.c + STRIP - 1) / STRIP, 32768 / work + 1, embed_strips_bwd, &j);
    return POET_OK;
}

/* ---- integers at places ---- */

static int32_t row_of(const poet_tensor *row, int64_t b)
{
    return ((const int32_t *)row->data)[poet_tensor_count(row) == 1 ? 0 : b];
}

static bool gather_row(const int32_t *x, int64_t l, const int32_t *place, int64_t m,
                       const int32_t *offset, int32_t *y)
{
    for (int64_t i = 0; i < m; i++) {
        if (place[i] < 0 || place[i] >= l)
            return false;
        y[i] = x[place[i]] + (offset ? offset[i] : 0);
    }
    return true;
}

/* What is wrong with places is said by the reference. */
static poet_status gather_kernel(poet_device *device, const poet_call *call)
{
    const int64_t *x = call->src[0]->shape.dim, *index = call->src[1]->shape.dim;
    const int32_t *offset = call->src[3] ? call->src[3]->data : NULL;
    for (int64_t b = 0; b < x[0]; b++) {
        int32_t row = row_of(call->src[2], b);
        bool found = row >= 0 && row < index[0] &&
                     gather_row((const int32_t *)call->src[0]->data + b * x[1], x[1],
                                (const int32_t *)call->src[1]->data + row * index[1], index[1],
                                offset, (int32_t *)call->dst[0]->data + b * index[1]);
        if (!found)
            return poet_op_get_rule(call->op)->ref(device, call);
    }
    return POET_OK;
}

void poet_cpu_tables(poet_cpu_op *ops)
{
    ops[POET_OP_GATHER] = (poet_cpu_op){.run = gather_kernel};
    ops[POET_OP_EMBED] = (poet_cpu_op){.run = embed_kernel, .narrow = true, .fits = is_real};
    ops[POET_OP_EMBED_BWD] = (poet_cpu_op){.run = embed_bwd_kernel};
}

/* Rows of tables. */
#include "compute/ops/rule_internal.h"

/* A table (V,C) is one slot; (S,V,C) are S slots whose rows are summed. */
typedef struct sizes {
    int64_t rows, slots, v, c;
} sizes;

static sizes measure(const poet_shape *table, const poet_tensor *index)
{
    int64_t slots = table->ndim == 3 ? table->dim[0] : 1;
    return (sizes){poet_tensor_count(index) / slots, slots, table->dim[table->ndim - 2],
                   table->dim[table->ndim - 1]};
}

static poet_status need_index(const poet_shape *table, const poet_tensor *index, poet_shape *out)
{
    char text[96];
    if (table->ndim != 2 && table->ndim != 3)
        return POET_FAIL(POET_ERR_MISMATCH, "a table is (V,C) or (S,V,C), not %s",
                         poet_shape_text(table, text));
    POET_TRY(rule_need_int(index, "index"));
    *out = index->shape;
    if (table->ndim == 3) {
        if (poet_shape_last(&index->shape) != table->dim[0] || index->shape.ndim == 0)
            return POET_FAIL(POET_ERR_MISMATCH, "an index %s for %lld slots",
                             poet_shape_text(&index->shape, text), (long long)table->dim[0]);
        *out = rule_rows(index->shape);
    }
    if (out->ndim == POET_MAX_DIMS)
        return POET_FAIL(POET_ERR_MISMATCH, "an index %s has too many dims",
                         poet_shape_text(&index->shape, text));
    out->dim[out->ndim++] = table->dim[table->ndim - 1];
    return POET_OK;
}

static poet_status infer_embed(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                               poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    poet_shape out = {0};
    bool integers = src[0]->dtype == POET_I32 && src[0]->shape.ndim == 2;
    if (!integers)
        POET_TRY(rule_need_real(src[0], "the table"));
    POET_TRY(need_index(&src[0]->shape, src[1], &out));
    dst[0] = integers ? rule_int(out) : rule_real(out);
    return POET_OK;
}

/* The first element of the row that slot `slot` of an index row names. */
static poet_status find_row(const sizes *s, const poet_tensor *index, int64_t row, int64_t slot,
                            int64_t *first)
{
    int32_t code = poet_get_int(index, row * s->slots + slot);
    if (code < 0 || code >= s->v)
        return POET_FAIL(POET_ERR_ARG, "index %d at %lld is outside a table of %lld rows", code,
                         (long long)(row * s->slots + slot), (long long)s->v);
    *first = (slot * s->v + code) * s->c;
    return POET_OK;
}

static poet_status ref_embed(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *table = call->src[0], *index = call->src[1];
    sizes s = measure(&table->shape, index);
    for (int64_t row = 0; row < s.rows; row++)
        for (int64_t c = 0; c < s.c; c++) {
            double sum = 0;
            for (int64_t slot = 0; slot < s.slots; slot++) {
                int64_t first = 0;
                POET_TRY(find_row(&s, index, row, slot, &first));
                sum += poet_get(table, first + c);
            }
            poet_put(call->dst[0], row * s.c + c, sum);
        }
    return POET_OK;
}

static void grad_embed(poet_graph *g, const poet_node *node, const poet_val *dy, poet_val *dx)
{
    poet_attr attr = {.shape = {.shape = *poet_val_shape(g, node->src[0])}};
    dx[0] = poet_emit(g, POET_OP_EMBED_BWD, 2, (poet_val[]){node->src[1], dy[0]}, &attr, NULL);
}

static poet_status infer_embed_bwd(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                   poet_tensor *dst)
{
    (void)n_src;
    poet_shape out = {0};
    POET_TRY(need_index(&attr->shape.shape, src[0], &out));
    POET_TRY(rule_need(src[1], "dy", out));
    dst[0] = rule_real(attr->shape.shape);
    return POET_OK;
}

static poet_status ref_embed_bwd(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *index = call->src[0], *dy = call->src[1];
    sizes s = measure(&call->dst[0]->shape, index);
    int64_t n = poet_tensor_count(call->dst[0]), first = 0;
    double *sum = poet_calloc((size_t)n, sizeof *sum);
    poet_status status = sum ? POET_OK : POET_ERR_NOMEM;
    for (int64_t i = 0; !status && i < s.rows * s.slots; i++) {
        status = find_row(&s, index, i / s.slots, i % s.slots, &first);
        for (int64_t c = 0; !status && c < s.c; c++)
            sum[first + c] += poet_get(dy, i / s.slots * s.c + c);
    }
    for (int64_t i = 0; !status && i < n; i++)
        poet_put(call->dst[0], i, sum[i]);
    poet_free(sum);
    return status;
}

const poet_op_rule poet_rule_embed = {.infer = infer_embed, .grad = grad_embed, .ref = ref_embed};
const poet_op_rule poet_rule_embed_bwd = {.infer = infer_embed_bwd, .ref = ref_embed_bwd};

poet_val poet_embed(poet_graph *g, poet_val table, poet_val index)
{
    return poet_emit(g, POET_OP_EMBED, 2, (poet_val[]){table, index}, NULL, NULL);
}

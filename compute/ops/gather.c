/* Integers picked from rows and put into them, at places that a table names: what a sequence knows of itself. */
#include "compute/ops/rule_internal.h"

/* B rows of L integers; N rows of M places. */
typedef struct sizes {
    int64_t b, l, n, m;
} sizes;

static sizes measure(const poet_tensor *x, const poet_tensor *index)
{
    return (sizes){x->shape.dim[0], x->shape.dim[1], index->shape.dim[0], index->shape.dim[1]};
}

static poet_status need_table(const poet_tensor *t, const char *what)
{
    POET_TRY(rule_need_int(t, what));
    return rule_need_dims(t, what, 2);
}

/* x (B,L), index (N,M), row (1) or (B). */
static poet_status need_places(const poet_tensor *x, const poet_tensor *index,
                               const poet_tensor *row)
{
    char text[96];
    POET_TRY(need_table(x, "x"));
    POET_TRY(need_table(index, "index"));
    POET_TRY(rule_need_int(row, "row"));
    int64_t rows = poet_tensor_count(row);
    if (rows != 1 && rows != x->shape.dim[0])
        return POET_FAIL(POET_ERR_MISMATCH, "row must have 1 element or %lld, not the shape %s",
                         (long long)x->shape.dim[0], poet_shape_text(&row->shape, text));
    return POET_OK;
}

/* The place in x that element m of row b means. */
static poet_status find_place(const poet_call *call, const sizes *s, int64_t b, int64_t m,
                              int64_t *out)
{
    const poet_tensor *index = call->src[1], *row = call->src[2];
    int32_t r = poet_get_int(row, poet_tensor_count(row) == 1 ? 0 : b);
    if (r < 0 || r >= s->n)
        return POET_FAIL(POET_ERR_ARG, "row %d is outside a table of %lld rows", r,
                         (long long)s->n);
    int32_t place = poet_get_int(index, r * s->m + m);
    if (place < 0 || place >= s->l)
        return POET_FAIL(POET_ERR_ARG, "index %d at %lld is outside rows of %lld", place,
                         (long long)(b * s->m + m), (long long)s->l);
    *out = b * s->l + place;
    return POET_OK;
}

static poet_status infer_gather(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    POET_TRY(need_places(src[0], src[1], src[2]));
    sizes s = measure(src[0], src[1]);
    if (src[3]) {
        POET_TRY(rule_need_int(src[3], "offset"));
        POET_TRY(rule_need_shape(src[3], "offset", POET_SHAPE(s.m)));
    }
    dst[0] = rule_int(POET_SHAPE(s.b, s.m));
    return POET_OK;
}

static poet_status ref_gather(poet_device *device, const poet_call *call)
{
    (void)device;
    const poet_tensor *offset = call->src[3];
    sizes s = measure(call->src[0], call->src[1]);
    int32_t *y = call->dst[0]->data;
    for (int64_t b = 0; b < s.b; b++)
        for (int64_t m = 0; m < s.m; m++) {
            int64_t place = 0;
            POET_TRY(find_place(call, &s, b, m, &place));
            *y++ = poet_get_int(call->src[0], place) + (offset ? poet_get_int(offset, m) : 0);
        }
    return POET_OK;
}

static poet_status infer_scatter(const poet_attr *attr, int n_src, const poet_tensor *const *src,
                                 poet_tensor *dst)
{
    (void)attr;
    (void)n_src;
    POET_TRY(need_places(src[0], src[1], src[2]));
    sizes s = measure(src[0], src[1]);
    POET_TRY(rule_need_int(src[3], "values"));
    POET_TRY(rule_need_shape(src[3], "values", POET_SHAPE(s.b, s.m)));
    dst[0] = *src[0];
    return POET_OK;
}

static poet_status ref_scatter(poet_device *device, const poet_call *call)
{
    (void)device;
    sizes s = measure(call->src[0], call->src[1]);
    int32_t *x = call->dst[0]->data;
    for (int64_t b = 0; b < s.b; b++)
        for (int64_t m = 0; m < s.m; m++) {
            int64_t place = 0;
            POET_TRY(find_place(call, &s, b, m, &place));
            x[place] = poet_get_int(call->src[3], b * s.m + m);
        }
    return POET_OK;
}

const poet_op_rule poet_rule_gather = {.infer = infer_gather, .ref = ref_gather};
const poet_op_rule poet_rule_scatter = {
    .infer = infer_scatter, .ref = ref_scatter, .alias = {1}, .updates = true};

poet_val poet_gather(poet_graph *g, poet_val x, poet_val index, poet_val row, poet_val offset)
{
    return poet_emit(g, POET_OP_GATHER, 4, (poet_val[]){x, index, row, offset}, NULL, NULL);
}

poet_val poet_scatter(poet_graph *g, poet_val x, poet_val index, poet_val row, poet_val values)
{
    return poet_emit(g, POET_OP_SCATTER, 4, (poet_val[]){x, index, row, values}, NULL, NULL);
}

#include "cuda/backend/strides_internal.h"

/* Appends an axis, further out than all before; joins it with the last one where that makes no difference. */
static void add_axis(poet_strides *s, int dim, int stride)
{
    if (dim == 1)
        return;
    int last = s->n - 1;
    if (s->n > 0 && stride == s->stride[last] * s->dim[last]) {
        s->dim[last] *= dim;
        return;
    }
    s->dim[s->n] = dim;
    s->stride[s->n++] = stride;
}

/* No axis at all is one of a single element. */
static void finish(poet_strides *s)
{
    if (s->n > 0)
        return;
    s->n = s->dim[0] = 1;
    s->stride[0] = 0;
}

/* Axis k of big counted from the last; does small have it? */
static bool has_axis(const poet_shape *small, int k)
{
    return k <= small->ndim && small->dim[small->ndim - k] != 1;
}

poet_strides poet_strides_of(const poet_shape *small, const poet_shape *big)
{
    poet_strides s = {0};
    int stride = 1;
    for (int k = 1; k <= big->ndim; k++) {
        int dim = (int)big->dim[big->ndim - k];
        add_axis(&s, dim, has_axis(small, k) ? stride : 0);
        stride *= has_axis(small, k) ? dim : 1;
    }
    finish(&s);
    return s;
}

poet_sums poet_sums_of(const poet_shape *small, const poet_shape *big)
{
    poet_sums s = {.n_kept = 1, .n_summed = 1};
    int stride = 1;
    for (int k = 1; k <= big->ndim; k++) {
        int dim = (int)big->dim[big->ndim - k];
        bool kept = has_axis(small, k);
        add_axis(kept ? &s.kept : &s.summed, dim, stride);
        *(kept ? &s.n_kept : &s.n_summed) *= dim;
        stride *= dim;
    }
    finish(&s.kept);
    finish(&s.summed);
    return s;
}

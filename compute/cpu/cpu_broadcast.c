#include "compute/cpu/cpu_broadcast_internal.h"

/* Dims of 1 in the big shape are left out; neighbours are merged when both or neither broadcast. */
static void merge_dims(poet_broadcast *b, const poet_shape *big, const poet_shape *small)
{
    for (int k = 0; k < big->ndim; k++) {
        int s = k - (big->ndim - small->ndim);
        bool one = s < 0 || small->dim[s] != big->dim[k];
        if (big->dim[k] == 1)
            continue;
        if (b->n > 0 && one == (b->small[b->n - 1] == 0)) {
            b->size[b->n - 1] *= big->dim[k];
            continue;
        }
        b->size[b->n] = big->dim[k];
        b->small[b->n++] = !one;
    }
    if (b->n == 0) {
        b->n = 1;
        b->size[0] = b->small[0] = 1;
    }
}

poet_broadcast poet_broadcast_plan(const poet_shape *big, const poet_shape *small)
{
    poet_broadcast b = {0};
    merge_dims(&b, big, small);
    int64_t big_stride = 1, small_stride = 1;
    for (int k = b.n - 1; k >= 0; k--) {
        b.big[k] = big_stride;
        big_stride *= b.size[k];
        if (b.small[k]) {
            b.small[k] = small_stride;
            small_stride *= b.size[k];
        }
    }
    int64_t last = b.size[b.n - 1];
    b.run = poet_min(last, POET_BROADCAST_RUN);
    b.per_row = (last + b.run - 1) / b.run;
    b.items = big_stride / last * b.per_row;
    return b;
}

poet_run poet_broadcast_run(const poet_broadcast *b, int64_t i)
{
    int last = b->n - 1;
    int64_t row = i / b->per_row, first = i % b->per_row * b->run;
    poet_run run = {.big = row * b->size[last] + first,
                    .small = b->small[last] ? first : 0,
                    .n = poet_min(b->run, b->size[last] - first),
                    .one = b->small[last] == 0};
    for (int k = last - 1; k >= 0; k--) {
        run.small += row % b->size[k] * b->small[k];
        row /= b->size[k];
    }
    return run;
}

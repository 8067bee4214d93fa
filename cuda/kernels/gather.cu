/* y[b][m] = x[b][index[row[b]][m]] + offset[m], and x[b][index[row[b]][m]] = values[b][m]: a thread for each element of the
 * b rows of m. What a step of writing needs to know of itself is so few numbers that only the launch counts. */
#include "cuda/kernels/fault.cuh"
#include "cuda/kernels/gather.h"

/* The place in x of element i; -1: it is outside, and a fault. */
static inline __device__ int64_t find_place(const poet_places &places, int64_t i, poet_fault *fault)
{
    int64_t b = i / places.m, m = i % places.m;
    int row = places.row[places.rows == 1 ? 0 : b];
    int place =
        row >= 0 && row < places.n ? places.index[static_cast<int64_t>(row) * places.m + m] : -1;
    if (place >= 0 && place < places.l)
        return b * places.l + place;
    poet_report(fault, POET_FAULT_INDEX, i);
    return -1;
}

static __global__ void gather(const int *x, poet_places places, const int *offset, int *y,
                              poet_fault *fault)
{
    int64_t i = poet_thread();
    if (i >= static_cast<int64_t>(places.b) * places.m)
        return;
    int64_t place = find_place(places, i, fault);
    y[i] = place < 0 ? 0 : x[place] + (offset ? offset[i % places.m] : 0);
}

static __global__ void scatter(int *x, poet_places places, const int *values, poet_fault *fault)
{
    int64_t i = poet_thread();
    if (i >= static_cast<int64_t>(places.b) * places.m)
        return;
    int64_t place = find_place(places, i, fault);
    if (place >= 0)
        x[place] = values[i];
}

static unsigned blocks_of(const poet_places *places)
{
    return poet_blocks(static_cast<int64_t>(places->b) * places->m, POET_BLOCK);
}

int poet_cuda_gather(poet_stream stream, const int *x, const poet_places *places, const int *offset,
                     int *y, poet_fault *fault)
{
    return POET_LAUNCH(gather, blocks_of(places), POET_BLOCK, 0, stream, x, *places, offset, y,
                       fault);
}

int poet_cuda_scatter(poet_stream stream, int *x, const poet_places *places, const int *values,
                      poet_fault *fault)
{
    return POET_LAUNCH(scatter, blocks_of(places), POET_BLOCK, 0, stream, x, *places, values,
                       fault);
}

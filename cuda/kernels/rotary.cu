/* Rotary positions (Su et al., "RoFormer", 2021): the pair (a, b) of a head's first half and its second becomes
 * (a cos - b sin, a sin + b cos). A thread has a pair; those of v stay as they are. */
#include "cuda/kernels/launch.cuh"
#include "cuda/kernels/rotary.h"

static __global__ void rotary(const float *qkv, const float *turns, float *y,
                              poet_rotary_sizes sizes)
{
    int pairs = 3 * sizes.heads * sizes.half;
    int64_t i = poet_thread(), row = i / pairs;
    if (row >= sizes.rows)
        return;
    int pair = static_cast<int>(i % pairs), head = pair / sizes.half, k = pair % sizes.half;
    int64_t first = row * 2 * pairs + head * 2 * sizes.half + k, second = first + sizes.half;
    float a = qkv[first], b = qkv[second];
    if (head < 2 * sizes.heads) {
        int64_t turn = row % sizes.t * 2 * sizes.half + k;
        float cosine = turns[turn], sine = turns[turn + sizes.half], before = a;
        sine = sizes.back ? -sine : sine;
        a = before * cosine - b * sine;
        b = before * sine + b * cosine;
    }
    y[first] = a;
    y[second] = b;
}

int poet_cuda_rotary(poet_stream stream, const float *qkv, const float *turns, float *y,
                     const poet_rotary_sizes *sizes)
{
    int64_t n = 3LL * sizes->rows * sizes->heads * sizes->half;
    return POET_LAUNCH(rotary, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, qkv, turns, y,
                       *sizes);
}

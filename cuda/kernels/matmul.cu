/* y = op(a) op(b) + bias.
 *
 * Many rows: the tile of gemm.cuh. A few rows, as in the making of one clip, are bound by the reading of the weights
 * (2 M operations for each of them, where a GTX 1080 can do 111 in the time it reads an f32): a warp makes the results of
 * one column, for all rows, so that every weight is read once, by neighbours. */
#include "cuda/kernels/gemm.cuh"
#include "cuda/kernels/matmul.h"

template <typename T, bool a_along, bool b_along>
static int launch(poet_stream stream, const poet_matmul_args *m)
{
    const poet_gemm_plan *plan = &m->plan;
    poet_matrix<T, a_along> a = {static_cast<const T *>(m->a.data), plan->m, plan->k};
    poet_matrix<T, b_along> b = {static_cast<const T *>(m->b.data), plan->n, plan->k};
    return poet_launch_gemm(stream, a, b, m->bias, m->y, m->parts, plan);
}

template <typename T> static int launch_layout(poet_stream stream, const poet_matmul_args *m)
{
    if (m->transpose_a)
        return m->transpose_b ? launch<T, false, true>(stream, m)
                              : launch<T, false, false>(stream, m);
    return m->transpose_b ? launch<T, true, true>(stream, m) : launch<T, true, false>(stream, m);
}

int poet_cuda_matmul(poet_stream stream, const poet_matmul_args *args)
{
    return args->a.bf16 ? launch_layout<uint16_t>(stream, args)
                        : launch_layout<float>(stream, args);
}

/* ---- a few rows ---- */

enum { WARP = 32, WARPS = POET_BLOCK / WARP };

/* A block is (WARP,WARPS). */
template <typename T, int rows>
static __global__ void few_rows(const T *a, const T *b, const float *bias, float *y,
                                poet_gemm_plan plan)
{
    int lane = static_cast<int>(threadIdx.x);
    int64_t column = static_cast<int64_t>(blockIdx.x) * WARPS + threadIdx.y;
    bool inside = column < plan.n;
    float sum[rows];
    for (int r = 0; r < rows; r++)
        sum[r] = 0;
    for (int k = lane; inside && k < plan.k; k += WARP) {
        float weight = poet_load(b, column * plan.k + k);
        for (int r = 0; r < rows; r++)
            if (r < plan.m)
                sum[r] = fmaf(poet_load(a, static_cast<int64_t>(r) * plan.k + k), weight, sum[r]);
    }
    for (int r = 0; r < rows; r++)
        for (int half = WARP / 2; half > 0; half /= 2)
            sum[r] += __shfl_xor_sync(0xFFFFFFFFU, sum[r], half);
    for (int r = 0; r < rows; r++)
        if (inside && lane == r && r < plan.m)
            y[static_cast<int64_t>(r) * plan.n + column] = sum[r] + (bias ? bias[column] : 0);
}

template <typename T, int rows>
static int launch_rows(poet_stream stream, const poet_matmul_args *m)
{
    return POET_LAUNCH((few_rows<T, rows>), poet_blocks(m->plan.n, WARPS), dim3(WARP, WARPS), 0,
                       stream, static_cast<const T *>(m->a.data), static_cast<const T *>(m->b.data),
                       m->bias, m->y, m->plan);
}

template <typename T> static int launch_few(poet_stream stream, const poet_matmul_args *m)
{
    return m->plan.m == 1   ? launch_rows<T, 1>(stream, m)
           : m->plan.m == 2 ? launch_rows<T, 2>(stream, m)
           : m->plan.m <= 4 ? launch_rows<T, 4>(stream, m)
                            : launch_rows<T, POET_FEW_ROWS>(stream, m);
}

int poet_cuda_has_few_rows(const poet_matmul_args *args)
{
    return args->plan.m <= POET_FEW_ROWS && !args->transpose_a && args->transpose_b;
}

int poet_cuda_few_rows(poet_stream stream, const poet_matmul_args *args)
{
    return args->a.bf16 ? launch_few<uint16_t>(stream, args) : launch_few<float>(stream, args);
}

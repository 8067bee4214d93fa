/* Products of two operands: the kernel over the loop of gemm_tile.cuh, and what launches it. */
#pragma once

#include "cuda/kernels/gemm_tensor.cuh"
#include "cuda/kernels/gemm_tile.cuh"

template <typename Tile, typename A, typename B>
static __global__ void __launch_bounds__(POET_BLOCK, Tile::BLOCKS)
    poet_gemm(A a, B b, const float *bias, float *y, poet_gemm_plan plan)
{
    __shared__ poet_panels<Tile> panels;
    typename Tile::sums sum;
    int rows = (plan.m + Tile::size - 1) / Tile::size, tile = static_cast<int>(blockIdx.x);
    int m = tile % rows * Tile::size, n = tile / rows * Tile::size;
    int steps = (plan.k + Tile::depth - 1) / Tile::depth, slice = static_cast<int>(blockIdx.y);
    int begin = static_cast<int>(static_cast<int64_t>(steps) * slice / plan.slices) * Tile::depth;
    int end =
        static_cast<int>(static_cast<int64_t>(steps) * (slice + 1) / plan.slices) * Tile::depth;
    poet_tile_sums<Tile>(a, b, m, n, begin, end, panels, sum);
    sum.store(y + static_cast<int64_t>(slice) * plan.m * plan.n, bias, m, n, plan);
}

template <typename Tile, typename A, typename B>
static int poet_launch_tiles(poet_stream stream, const A &a, const B &b, const float *bias,
                             float *y, const poet_gemm_plan *plan)
{
    dim3 grid(poet_blocks(plan->m, Tile::size) * poet_blocks(plan->n, Tile::size),
              static_cast<unsigned>(plan->slices));
    return POET_LAUNCH((poet_gemm<Tile, A, B>), grid, POET_BLOCK, 0, stream, a, b, bias, y, *plan);
}

template <typename Element, typename A, typename B>
static int poet_launch_tensor_tiles(poet_stream stream, const A &a, const B &b, const float *bias,
                                    float *y, const poet_gemm_plan *plan)
{
    return plan->tile == POET_TILE_BIG
               ? poet_launch_tiles<poet_tensor_tile<POET_TILE_BIG, Element>>(stream, a, b, bias, y,
                                                                             plan)
               : poet_launch_tiles<poet_tensor_tile<POET_TILE_SMALL, Element>>(stream, a, b, bias,
                                                                               y, plan);
}

/* By the type of the elements: f32 has no tensor cores, bf16 has them where the plan says so, and f16 is there for them. */
template <typename A, typename B>
static int poet_launch_elements(float, poet_stream stream, const A &a, const B &b,
                                const float *bias, float *y, const poet_gemm_plan *plan)
{
    return plan->tile == POET_TILE_BIG
               ? poet_launch_tiles<poet_big_tile>(stream, a, b, bias, y, plan)
               : poet_launch_tiles<poet_small_tile>(stream, a, b, bias, y, plan);
}

template <typename A, typename B>
static int poet_launch_elements(uint16_t, poet_stream stream, const A &a, const B &b,
                                const float *bias, float *y, const poet_gemm_plan *plan)
{
    if (!plan->tensor_cores)
        return poet_launch_elements(0.0F, stream, a, b, bias, y, plan);
    return poet_launch_tensor_tiles<uint16_t>(stream, a, b, bias, y, plan);
}

template <typename A, typename B>
static int poet_launch_elements(poet_f16, poet_stream stream, const A &a, const B &b,
                                const float *bias, float *y, const poet_gemm_plan *plan)
{
    return poet_launch_tensor_tiles<poet_f16>(stream, a, b, bias, y, plan);
}

/* y = a b' + bias; bias may be NULL, and so may parts with one slice. */
template <typename A, typename B>
static int poet_launch_gemm(poet_stream stream, const A &a, const B &b, const float *bias, float *y,
                            float *parts, const poet_gemm_plan *plan)
{
    bool whole = plan->slices == 1;
    int code = poet_launch_elements(typename A::element(), stream, a, b, whole ? bias : nullptr,
                                    whole ? y : parts, plan);
    return code || whole ? code : poet_cuda_gemm_add_parts(stream, parts, bias, y, plan);
}

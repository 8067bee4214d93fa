/* The plan of a product, and the sum of its slices. */
#include "cuda/kernels/gemm.cuh"

/* Slices of fewer steps would spend their time on partial sums; fewer blocks would leave multiprocessors idle: two to each
 * are enough for the 20 of a GTX 1080 and the 128 of today's cards. */
enum { FEWEST_TERMS = 256, ENOUGH_BLOCKS = 256 };

static poet_gemm_plan cut(int m, int n, int k, int tile)
{
    int64_t tiles = static_cast<int64_t>(poet_blocks(m, tile)) * poet_blocks(n, tile);
    int64_t most = k / FEWEST_TERMS, wanted = ENOUGH_BLOCKS / tiles;
    int64_t slices = most < wanted ? most : wanted;
    return {m, n, k, tile, static_cast<int>(slices < 1 ? 1 : slices), 0};
}

static int64_t blocks_of(const poet_gemm_plan &plan)
{
    return static_cast<int64_t>(poet_blocks(plan.m, plan.tile)) * poet_blocks(plan.n, plan.tile) *
           plan.slices;
}

poet_gemm_plan poet_cuda_gemm_plan(int m, int n, int k)
{
    poet_gemm_plan big = cut(m, n, k, POET_TILE_BIG);
    bool fits = m > POET_TILE_SMALL && n > POET_TILE_SMALL && blocks_of(big) > ENOUGH_BLOCKS / 2;
    return fits ? big : cut(m, n, k, POET_TILE_SMALL);
}

int64_t poet_cuda_gemm_parts(const poet_gemm_plan *plan)
{
    return plan->slices > 1 ? static_cast<int64_t>(plan->slices) * plan->m * plan->n : 0;
}

static __global__ void add_parts(const float *parts, const float *bias, float *y,
                                 poet_gemm_plan plan)
{
    int64_t i = poet_thread(), n = static_cast<int64_t>(plan.m) * plan.n;
    if (i >= n)
        return;
    float sum = 0;
    for (int slice = 0; slice < plan.slices; slice++)
        sum += parts[slice * n + i];
    y[i] = sum + (bias ? bias[i % plan.n] : 0);
}

int poet_cuda_gemm_add_parts(poet_stream stream, const float *parts, const float *bias, float *y,
                             const poet_gemm_plan *plan)
{
    int64_t n = static_cast<int64_t>(plan->m) * plan->n;
    return POET_LAUNCH(add_parts, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, parts, bias, y,
                       *plan);
}

/* y = a b' + bias with b in f16, sums in f32 (Micikevicius et al., "Mixed precision training", 2018, where weights are kept in f32
 * and multiplied in f16; here they are constant, and rounded once).
 *
 * f16 has 11 bits: a number of 2^-14 and more is off by 2^-11 of itself at most, a smaller one by 2^-25. A few rows are bound by
 * the reading of b: the warp of a column reads words of two weights, and multiplies them with a as it is. More rows are a
 * product on tensor cores (gemm_tensor.cuh), which want a in f16 too. */
#include "cuda/kernels/f16.cuh"
#include "cuda/kernels/f16.h"
#include "cuda/kernels/fault.cuh"
#include "cuda/kernels/gemm.cuh"
#include "cuda/kernels/matmul.h"

enum { WARP = 32, WARPS = POET_BLOCK / WARP, PAIR = 2 };

static constexpr float BEYOND = 65520; /* the first that becomes infinite */

static int words_of(int k)
{
    return (k + PAIR - 1) / PAIR;
}

size_t poet_cuda_f16_bytes(int rows, int k)
{
    return static_cast<size_t>(rows) * static_cast<size_t>(words_of(k)) * sizeof(unsigned);
}

poet_f16_matrix poet_cuda_f16_in(void *memory, int rows, int k)
{
    return {static_cast<unsigned *>(memory), rows, words_of(k)};
}

/* The first element of a word, and the second. */
static inline __device__ float lower(unsigned word)
{
    return poet_value(poet_f16{static_cast<uint16_t>(word)});
}

static inline __device__ float upper(unsigned word)
{
    return lower(word >> 16);
}

/* ---- to f16 ---- */

static __global__ void to_f16(const float *x, int k, poet_f16_matrix to, poet_fault *fault)
{
    int64_t at = poet_thread();
    if (at >= static_cast<int64_t>(to.rows) * to.words)
        return;
    int64_t row = at / to.words;
    int first = static_cast<int>(at - row * to.words) * PAIR;
    unsigned word = 0;
    for (int i = 0; i < PAIR && first + i < k; i++) {
        float value = x[row * k + first + i];
        if (!(fabsf(value) < BEYOND))
            poet_report(fault, POET_FAULT_RANGE, row * k + first + i);
        word |= static_cast<unsigned>(poet_f16_of(value).bits) << (16 * i);
    }
    to.word[at] = word;
}

int poet_cuda_to_f16(poet_stream stream, const float *x, int k, const poet_f16_matrix *to,
                     poet_fault *fault)
{
    unsigned blocks = poet_blocks(static_cast<int64_t>(to->rows) * to->words, POET_BLOCK);
    return POET_LAUNCH(to_f16, blocks, POET_BLOCK, 0, stream, x, k, *to, fault);
}

/* ---- a few rows: a warp for each column; a block is (WARP,WARPS) ---- */

template <int rows>
static __global__ void f16_rows(const float *a, poet_f16_matrix b, const float *bias, float *y,
                                poet_gemm_plan plan)
{
    int lane = static_cast<int>(threadIdx.x);
    int64_t column = static_cast<int64_t>(blockIdx.x) * WARPS + threadIdx.y;
    bool inside = column < plan.n;
    float sum[rows];
    for (int r = 0; r < rows; r++)
        sum[r] = 0;
    for (int w = lane; inside && w < b.words; w += WARP) {
        unsigned weights = b.word[column * b.words + w];
        bool both = PAIR * w + 1 < plan.k;
        for (int r = 0; r < rows; r++)
            if (r < plan.m) {
                const float *x = a + static_cast<int64_t>(r) * plan.k + PAIR * w;
                sum[r] = fmaf(x[0], lower(weights), sum[r]);
                if (both)
                    sum[r] = fmaf(x[1], upper(weights), sum[r]);
            }
    }
    for (int r = 0; r < rows; r++)
        for (int half = WARP / 2; half > 0; half /= 2)
            sum[r] += __shfl_xor_sync(0xFFFFFFFFU, sum[r], half);
    for (int r = 0; r < rows; r++)
        if (inside && lane == r && r < plan.m)
            y[static_cast<int64_t>(r) * plan.n + column] = sum[r] + (bias ? bias[column] : 0);
}

template <int rows> static int launch_rows(poet_stream stream, const poet_f16_args *m)
{
    return POET_LAUNCH(f16_rows<rows>, poet_blocks(m->plan.n, WARPS), dim3(WARP, WARPS), 0, stream,
                       m->a, m->b, m->bias, m->y, m->plan);
}

int poet_cuda_f16_rows(poet_stream stream, const poet_f16_args *args)
{
    return args->plan.m == 1   ? launch_rows<1>(stream, args)
           : args->plan.m == 2 ? launch_rows<2>(stream, args)
           : args->plan.m <= 4 ? launch_rows<4>(stream, args)
                               : launch_rows<POET_FEW_ROWS>(stream, args);
}

/* ---- many rows: operands of gemm.cuh ---- */

/* (M,K) in f32, rounded where it is read. */
struct f16_inputs {
    static const bool along_k = true;
    typedef poet_f16 element;
    const float *data;
    int rows, n_k;

    __device__ poet_f16 raw(int row, int k) const
    {
        return poet_f16_of(row < rows && k < n_k ? data[row * n_k + k] : 0);
    }
};

struct f16_weights {
    static const bool along_k = true;
    typedef poet_f16 element;
    poet_f16_matrix of;
};

/* For gemm_tensor.cuh: k is even. */
static inline __device__ unsigned poet_word(const f16_weights &x, int row, int k)
{
    bool inside = row < x.of.rows && k / PAIR < x.of.words;
    return inside ? x.of.word[row * x.of.words + k / PAIR] : 0;
}

int poet_cuda_f16_matmul(poet_stream stream, const poet_f16_args *args)
{
    const poet_gemm_plan *plan = &args->plan;
    f16_inputs a = {args->a, plan->m, plan->k};
    f16_weights b = {args->b};
    return poet_launch_gemm(stream, a, b, args->bias, args->y, args->parts, plan);
}

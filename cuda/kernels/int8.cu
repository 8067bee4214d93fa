/* y = a b' + bias with both operands in 8 bits: x = scale q, scale = max |x| / 127 of a row, q = round(x / scale) (Dettmers
 * et al., "LLM.int8()", 2022, vector-wise quantization). Sums of q are exact, so their order does not matter; __dp4a makes
 * four terms at once, from compute capability 6.1 on.
 *
 * With steps s of a and t of b a product of K terms errs by at most the sum of |a| t/2 + |b| s/2 + s t/4. */
#include "cuda/kernels/int8.h"
#include "cuda/kernels/launch.cuh"
#include "cuda/kernels/matmul.h"

enum { WARP = 32, WARPS = POET_BLOCK / WARP, BYTES = 4, LARGEST = 127 };

static const unsigned ALL_LANES = 0xFFFFFFFFU;

size_t poet_cuda_int8_bytes(int rows, int k)
{
    size_t words = (static_cast<size_t>(k) + BYTES - 1) / BYTES;
    return static_cast<size_t>(rows) * (words * sizeof(int) + sizeof(float));
}

poet_int8 poet_cuda_int8_in(void *memory, int rows, int k)
{
    int words = (k + BYTES - 1) / BYTES, *word = static_cast<int *>(memory);
    void *scale = word + static_cast<size_t>(rows) * static_cast<size_t>(words);
    return {word, static_cast<float *>(scale), rows, words};
}

/* A block is (WARP,WARPS): the row or column of this warp. */
static inline __device__ int64_t item_of_warp()
{
    return static_cast<int64_t>(blockIdx.x) * WARPS + threadIdx.y;
}

/* ---- to 8 bits ---- */

/* What is not a finite number gives an infinite scale, and that results that are no numbers. */
template <typename T> static inline __device__ float largest_of(const T *x, int k)
{
    float largest = 0;
    for (int i = static_cast<int>(threadIdx.x); i < k; i += WARP) {
        float size = fabsf(poet_load(x, i));
        largest = size <= largest ? largest : size < INFINITY ? size : INFINITY;
    }
    for (int half = WARP / 2; half > 0; half /= 2)
        largest = fmaxf(largest, __shfl_xor_sync(ALL_LANES, largest, half));
    return largest;
}

template <typename T> static __global__ void to_int8(const T *x, int k, poet_int8 to)
{
    int64_t row = item_of_warp();
    bool inside = row < to.rows;
    x += row * k;
    float largest = largest_of(x, inside ? k : 0);
    float steps = largest > 0 && largest < INFINITY ? LARGEST / largest : 0;
    if (inside && threadIdx.x == 0)
        to.scale[row] = largest / LARGEST;
    for (int w = static_cast<int>(threadIdx.x); inside && w < to.words; w += WARP) {
        unsigned word = 0;
        for (int i = 0; i < BYTES; i++) {
            bool counts = BYTES * w + i < k && steps > 0;
            int q = counts ? __float2int_rn(poet_load(x, BYTES * w + i) * steps) : 0;
            word |= (static_cast<unsigned>(q) & 0xFF) << (8 * i);
        }
        to.word[row * to.words + w] = static_cast<int>(word);
    }
}

int poet_cuda_to_int8(poet_stream stream, poet_operand x, int k, const poet_int8 *to)
{
    unsigned blocks = poet_blocks(to->rows, WARPS);
    dim3 block(WARP, WARPS);
    return x.bf16 ? POET_LAUNCH(to_int8<uint16_t>, blocks, block, 0, stream,
                                static_cast<const uint16_t *>(x.data), k, *to)
                  : POET_LAUNCH(to_int8<float>, blocks, block, 0, stream,
                                static_cast<const float *>(x.data), k, *to);
}

/* ---- the product: a warp for each column ---- */

static __global__ void int8_rows(poet_int8 a, poet_int8 b, const float *bias, float *y)
{
    int lane = static_cast<int>(threadIdx.x);
    int64_t column = item_of_warp();
    bool inside = column < b.rows;
    int sum[POET_FEW_ROWS] = {0};
    for (int w = lane; inside && w < b.words; w += WARP) {
        int weights = b.word[column * b.words + w];
        for (int r = 0; r < POET_FEW_ROWS; r++)
            if (r < a.rows)
                sum[r] = __dp4a(a.word[r * a.words + w], weights, sum[r]);
    }
    for (int r = 0; r < POET_FEW_ROWS; r++)
        for (int half = WARP / 2; half > 0; half /= 2)
            sum[r] += __shfl_xor_sync(ALL_LANES, sum[r], half);
    for (int r = 0; r < POET_FEW_ROWS; r++)
        if (inside && lane == r && r < a.rows)
            y[r * static_cast<int64_t>(b.rows) + column] =
                static_cast<float>(sum[r]) * a.scale[r] * b.scale[column] +
                (bias ? bias[column] : 0);
}

int poet_cuda_int8_rows(poet_stream stream, const poet_int8 *a, const poet_int8 *b,
                        const float *bias, float *y)
{
    return POET_LAUNCH(int8_rows, poet_blocks(b->rows, WARPS), dim3(WARP, WARPS), 0, stream, *a, *b,
                       bias, y);
}

/* A tile of a product on tensor cores, for operands in bf16 or f16.
 *
 * The 8 warps of the block stand 4 x 2, and each makes size/4 rows and size/2 columns by products of 16 x 8 x 16 (mma.cuh). A
 * panel keeps words of two neighbours in k; its rows are 20 words apart, so that the words that a warp reads at once, of
 * eight rows and four neighbours, lie in 32 different banks. */
#pragma once

#include "cuda/kernels/gemm_tile.cuh"
#include "cuda/kernels/mma.cuh"

static inline __device__ unsigned poet_bits(uint16_t x)
{
    return x;
}

static inline __device__ unsigned poet_bits(poet_f16 x)
{
    return x.bits;
}

/* Two neighbours in k. An operand that keeps them in one word has an overload of its own. */
template <typename Operand>
static inline __device__ unsigned poet_word(const Operand &x, int row, int k)
{
    return poet_bits(x.raw(row, k)) | poet_bits(x.raw(row, k + 1)) << 16;
}

template <int size_, typename Element> struct poet_tensor_tile {
    static const int size = size_, depth = 32;
    static const int WORDS = depth / 2;
    static const int STAGED = size * WORDS / POET_BLOCK;
    static const int ROWS = size / 4 / 16, COLUMNS = size / 2 / 8; /* products of a warp */
    static const int BLOCKS = ROWS > 1 ? 1 : 2;
    typedef unsigned word;

    template <typename Operand>
    static inline __device__ unsigned take(const Operand &x, int row, int k)
    {
        return poet_word(x, row, k);
    }

    struct panel {
        unsigned row[size][WORDS + 4];

        inline __device__ void put(int at, int k, unsigned x)
        {
            row[at][k / 2] = x;
        }
    };

    /* Where a lane's first sum lies in the tile: see mma.cuh. */
    static inline __device__ int lane_row()
    {
        int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
        return warp / 2 * (size / 4) + lane / 4;
    }

    static inline __device__ int warp_column()
    {
        return static_cast<int>(threadIdx.x) / 32 % 2 * (size / 2);
    }

    struct sums {
        float of[ROWS][COLUMNS][4];

        inline __device__ void clear()
        {
            for (int i = 0; i < ROWS; i++)
                for (int j = 0; j < COLUMNS; j++)
                    for (int k = 0; k < 4; k++)
                        of[i][j][k] = 0;
        }

        inline __device__ void add(const panel &a, const panel &b)
        {
            int lane = static_cast<int>(threadIdx.x) % 32;
            for (int k = 0; k < WORDS; k += 8) {
                int at = k + lane % 4;
                unsigned x[ROWS][4], y[2];
                for (int i = 0; i < ROWS; i++)
                    for (int w = 0; w < 4; w++)
                        x[i][w] = a.row[lane_row() + 16 * i + w % 2 * 8][at + w / 2 * 4];
                for (int j = 0; j < COLUMNS; j++) {
                    for (int w = 0; w < 2; w++)
                        y[w] = b.row[warp_column() + 8 * j + lane / 4][at + w * 4];
                    for (int i = 0; i < ROWS; i++)
                        poet_mma(Element(), of[i][j], x[i], y);
                }
            }
        }

        inline __device__ void store(float *y, const float *bias, int m, int n,
                                     const poet_gemm_plan &plan) const
        {
            POET_UNROLL
            for (int i = 0; i < ROWS * COLUMNS * 4; i++) {
                int product_row = i / 4 / COLUMNS, product_column = i / 4 % COLUMNS, k = i % 4;
                int row = m + lane_row() + 16 * product_row + k / 2 * 8;
                int column = n + warp_column() + 8 * product_column +
                             static_cast<int>(threadIdx.x) % 4 * 2 + k % 2;
                if (row < plan.m && column < plan.n)
                    y[static_cast<int64_t>(row) * plan.n + column] =
                        of[product_row][product_column][k] + (bias ? bias[column] : 0);
            }
        }
    };
};

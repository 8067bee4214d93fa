/* y(m,n) = sum over k of a(m,k) b(n,k): the one tile that products, convolutions and the search for nearest codes share.
 *
 * A block of 256 threads, 16 x 16, makes a square of y. It goes through k in steps of `depth`; a step's panels of a and b
 * lie in shared memory, twice, so that the next ones arrive while these are multiplied. A thread holds EACH x EACH sums
 * in registers: each number it reads from shared memory is used EACH times (Volkov and Demmel, "Benchmarking GPUs to tune
 * dense linear algebra", SC08; Nath, Tomov and Dongarra, "An improved MAGMA GEMM for Fermi GPUs", 2010).
 *
 * An operand is any structure with
 *     static const bool along_k       do neighbours in k lie together in memory, or neighbours in m (n)?
 *     float at(int row, int k) const  the element, 0 outside
 * so that a convolution is a product whose operand computes where its elements lie (Chetlur et al., "cuDNN", 2014). */
#pragma once

#include "cuda/kernels/gemm.h"
#include "cuda/kernels/launch.cuh"

/* Row-major: (rows,K), or (K,rows). */
template <typename T, bool along_k_> struct poet_matrix {
    static const bool along_k = along_k_;
    const T *data;
    int rows, n_k;

    __device__ float at(int row, int k) const
    {
        if (row >= rows || k >= n_k)
            return 0;
        return poet_load(data, along_k ? row * n_k + k : k * rows + row);
    }
};

/* The transpose of an operand. */
template <typename Operand> struct poet_turned {
    static const bool along_k = !Operand::along_k;
    Operand of;

    __device__ float at(int row, int k) const
    {
        return of.at(k, row);
    }
};

template <int size_, int depth_> struct poet_tile {
    static const int size = size_, depth = depth_;
    static const int EACH = size / 16;                   /* rows and columns of a thread */
    static const int STAGED = size * depth / POET_BLOCK; /* elements a thread brings in, a panel */
    static const int BLOCKS = EACH > 4 ? 1 : 2; /* at least, on a multiprocessor at a time */
};

typedef poet_tile<POET_TILE_SMALL, 16> poet_small_tile;
typedef poet_tile<POET_TILE_BIG, 8> poet_big_tile;

/* By k, then row. The padding puts equal rows of successive k into other banks, and keeps float4 aligned. */
template <typename Tile> struct alignas(16) poet_panel {
    float row[Tile::depth][Tile::size + 4];
};

template <typename Tile> struct poet_panels {
    poet_panel<Tile> a[2], b[2];
};

/* The row (column) of the tile in which a thread's i-th sum lies: fours lie together, for float4. */
static inline __device__ int poet_tile_at(int thread, int i)
{
    return i / 4 * 64 + thread * 4 + i % 4;
}

static inline __device__ int poet_tile_row(int i)
{
    return poet_tile_at(static_cast<int>(threadIdx.x) / 16, i);
}

static inline __device__ int poet_tile_column(int i)
{
    return poet_tile_at(static_cast<int>(threadIdx.x) % 16, i);
}

/* ---- panels ---- */

/* Which element of a panel a thread brings in, so that neighbouring threads read neighbours in memory. */
template <typename Tile, typename Operand> struct poet_slot {
    int row, k;

    __device__ explicit poet_slot(int i)
    {
        int at = static_cast<int>(threadIdx.x) + i * POET_BLOCK;
        row = Operand::along_k ? at / Tile::depth : at % Tile::size;
        k = Operand::along_k ? at % Tile::depth : at / Tile::size;
    }
};

template <typename Tile, typename Operand>
static inline __device__ void poet_fetch(const Operand &x, int row, int k,
                                         float (&staged)[Tile::STAGED])
{
    for (int i = 0; i < Tile::STAGED; i++) {
        poet_slot<Tile, Operand> slot(i);
        staged[i] = x.at(row + slot.row, k + slot.k);
    }
}

template <typename Tile, typename Operand>
static inline __device__ void poet_put(const float (&staged)[Tile::STAGED], poet_panel<Tile> &panel)
{
    for (int i = 0; i < Tile::STAGED; i++) {
        poet_slot<Tile, Operand> slot(i);
        panel.row[slot.k][slot.row] = staged[i];
    }
}

/* A thread's numbers of one k. */
template <typename Tile>
static inline __device__ void poet_pick(const float *row, int thread, float (&x)[Tile::EACH])
{
    for (int i = 0; i < Tile::EACH; i += 4) {
        float4 four = *reinterpret_cast<const float4 *>(row + poet_tile_at(thread, i));
        x[i] = four.x;
        x[i + 1] = four.y;
        x[i + 2] = four.z;
        x[i + 3] = four.w;
    }
}

/* ---- sums ---- */

struct poet_product {
    static inline __device__ float add(float sum, float a, float b)
    {
        return fmaf(a, b, sum);
    }
};

template <typename Tile> struct poet_sums_of_tile {
    float of[Tile::EACH][Tile::EACH];
};

template <typename Tile, typename Term>
static inline __device__ void poet_multiply(const poet_panel<Tile> &a, const poet_panel<Tile> &b,
                                            poet_sums_of_tile<Tile> &sum)
{
    int row = static_cast<int>(threadIdx.x) / 16, column = static_cast<int>(threadIdx.x) % 16;
    for (int k = 0; k < Tile::depth; k++) {
        float x[Tile::EACH], y[Tile::EACH];
        poet_pick<Tile>(a.row[k], row, x);
        poet_pick<Tile>(b.row[k], column, y);
        for (int i = 0; i < Tile::EACH; i++)
            for (int j = 0; j < Tile::EACH; j++)
                sum.of[i][j] = Term::add(sum.of[i][j], x[i], y[j]);
    }
}

/* The sums of the tile at (m,n) over k from `begin` to `end`, in ascending order. All threads of the block come here, and
 * may come again at once. */
template <typename Tile, typename Term, typename A, typename B>
static inline __device__ void poet_tile_sums(const A &a, const B &b, int m, int n, int begin,
                                             int end, poet_panels<Tile> &panels,
                                             poet_sums_of_tile<Tile> &sum)
{
    float next_a[Tile::STAGED], next_b[Tile::STAGED];
    for (int i = 0; i < Tile::EACH; i++)
        for (int j = 0; j < Tile::EACH; j++)
            sum.of[i][j] = 0;
    poet_fetch<Tile>(a, m, begin, next_a);
    poet_fetch<Tile>(b, n, begin, next_b);
    poet_put<Tile, A>(next_a, panels.a[0]);
    poet_put<Tile, B>(next_b, panels.b[0]);
    __syncthreads();
    for (int k = begin, now = 0; k < end; k += Tile::depth, now = 1 - now) {
        bool more = k + Tile::depth < end;
        if (more) {
            poet_fetch<Tile>(a, m, k + Tile::depth, next_a);
            poet_fetch<Tile>(b, n, k + Tile::depth, next_b);
        }
        poet_multiply<Tile, Term>(panels.a[now], panels.b[now], sum);
        if (more) {
            poet_put<Tile, A>(next_a, panels.a[1 - now]);
            poet_put<Tile, B>(next_b, panels.b[1 - now]);
        }
        __syncthreads();
    }
}

/* ---- the kernel ---- */

/* Four neighbours of a row, those that are within n. */
static inline __device__ void poet_store_four(float *y, const float *x, const float *bias,
                                              int column, int n)
{
    for (int j = 0; j < 4; j++)
        if (column + j < n)
            y[column + j] = x[j] + (bias ? bias[column + j] : 0);
}

template <typename Tile, typename A, typename B>
static __global__ void __launch_bounds__(POET_BLOCK, Tile::BLOCKS)
    poet_gemm(A a, B b, const float *bias, float *y, poet_gemm_plan plan)
{
    __shared__ poet_panels<Tile> panels;
    poet_sums_of_tile<Tile> sum;
    int rows = (plan.m + Tile::size - 1) / Tile::size, tile = static_cast<int>(blockIdx.x);
    int m = tile % rows * Tile::size, n = tile / rows * Tile::size;
    int steps = (plan.k + Tile::depth - 1) / Tile::depth, slice = static_cast<int>(blockIdx.y);
    int begin = static_cast<int>(static_cast<int64_t>(steps) * slice / plan.slices) * Tile::depth;
    int end =
        static_cast<int>(static_cast<int64_t>(steps) * (slice + 1) / plan.slices) * Tile::depth;
    poet_tile_sums<Tile, poet_product>(a, b, m, n, begin, end, panels, sum);
    y += static_cast<int64_t>(slice) * plan.m * plan.n;
    for (int i = 0; i < Tile::EACH; i++) {
        int64_t row = m + poet_tile_row(i);
        for (int j = 0; j < Tile::EACH; j += 4)
            if (row < plan.m)
                poet_store_four(y + row * plan.n, &sum.of[i][j], bias, n + poet_tile_column(j),
                                plan.n);
    }
}

template <typename Tile, typename A, typename B>
static int poet_launch_tiles(poet_stream stream, const A &a, const B &b, const float *bias,
                             float *y, const poet_gemm_plan *plan)
{
    dim3 grid(poet_blocks(plan->m, Tile::size) * poet_blocks(plan->n, Tile::size),
              static_cast<unsigned>(plan->slices));
    return POET_LAUNCH((poet_gemm<Tile, A, B>), grid, POET_BLOCK, 0, stream, a, b, bias, y, *plan);
}

/* y = a b' + bias; bias may be NULL, and so may parts with one slice. */
template <typename A, typename B>
static int poet_launch_gemm(poet_stream stream, const A &a, const B &b, const float *bias, float *y,
                            float *parts, const poet_gemm_plan *plan)
{
    bool whole = plan->slices == 1;
    float *to = whole ? y : parts;
    const float *with = whole ? bias : nullptr;
    int code = plan->tile == POET_TILE_BIG
                   ? poet_launch_tiles<poet_big_tile>(stream, a, b, with, to, plan)
                   : poet_launch_tiles<poet_small_tile>(stream, a, b, with, to, plan);
    return code || whole ? code : poet_cuda_gemm_add_parts(stream, parts, bias, y, plan);
}

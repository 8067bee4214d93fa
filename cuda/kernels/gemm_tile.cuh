/* y(m,n) = sum over k of a(m,k) b(n,k): the one loop that products, convolutions and the search for nearest codes share.
 *
 * A block of 256 threads makes a square of y. It goes through k in steps of `depth`; a step's panels of a and b lie in
 * shared memory, twice, so that the next ones arrive while these are multiplied. What a panel is, and how a block adds its
 * products, is said by the tile: poet_tile here, for any card, and poet_tensor_tile (gemm_tensor.cuh).
 *
 * An operand is any structure with
 *     static const bool along_k          do neighbours in k lie together in memory, or neighbours in m (n)?
 *     typedef element                    float, uint16_t for bf16, or poet_f16
 *     element raw(int row, int k) const  the element as it is stored, 0 outside
 * so that a convolution is a product whose operand computes where its elements lie (Chetlur et al., "cuDNN", 2014). */
#pragma once

#include "cuda/kernels/gemm.h"
#include "cuda/kernels/launch.cuh"

/* Row-major: (rows,K), or (K,rows). */
template <typename T, bool along_k_> struct poet_matrix {
    static const bool along_k = along_k_;
    typedef T element;
    const T *data;
    int rows, n_k;

    __device__ T raw(int row, int k) const
    {
        if (row >= rows || k >= n_k)
            return 0;
        return data[along_k ? row * n_k + k : k * rows + row];
    }
};

/* The transpose of an operand. */
template <typename Operand> struct poet_turned {
    static const bool along_k = !Operand::along_k;
    typedef typename Operand::element element;
    Operand of;

    __device__ element raw(int row, int k) const
    {
        return of.raw(k, row);
    }
};

/* ---- sums ---- */

struct poet_product {
    static inline __device__ float add(float sum, float a, float b)
    {
        return fmaf(a, b, sum);
    }
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

/* Four neighbours of a row, those that are within n. */
static inline __device__ void poet_store_four(float *y, const float *x, const float *bias,
                                              int column, int n)
{
    for (int j = 0; j < 4; j++)
        if (column + j < n)
            y[column + j] = x[j] + (bias ? bias[column + j] : 0);
}

/* ---- a tile for any card ---- */

/* The block is 16 x 16 threads, and each holds EACH x EACH sums in registers: each number it reads from shared memory is used EACH
 * times (Volkov and Demmel, "Benchmarking GPUs to tune dense linear algebra", SC08; Nath, Tomov and Dongarra, "An improved
 * MAGMA GEMM for Fermi GPUs", 2010). Term says what is added for two elements. */
template <int size_, int depth_, typename Term = poet_product> struct poet_tile {
    static const int size = size_, depth = depth_;
    static const int WORDS = depth;                      /* of a panel's row */
    static const int STAGED = size * WORDS / POET_BLOCK; /* words a thread brings in, a panel */
    static const int EACH = size / 16;                   /* rows and columns of a thread */
    static const int BLOCKS = EACH > 4 ? 1 : 2; /* at least, on a multiprocessor at a time */
    typedef float word;

    template <typename Operand>
    static inline __device__ float take(const Operand &x, int row, int k)
    {
        return poet_value(x.raw(row, k));
    }

    /* By k, then row. The padding puts equal rows of successive k into other banks, and keeps float4 aligned. */
    struct alignas(16) panel {
        float row[depth][size + 4];

        inline __device__ void put(int at, int k, float x)
        {
            row[k][at] = x;
        }
    };

    struct sums {
        float of[EACH][EACH];

        inline __device__ void clear()
        {
            for (int i = 0; i < EACH; i++)
                for (int j = 0; j < EACH; j++)
                    of[i][j] = 0;
        }

        inline __device__ void add(const panel &a, const panel &b)
        {
            int row = static_cast<int>(threadIdx.x) / 16,
                column = static_cast<int>(threadIdx.x) % 16;
            for (int k = 0; k < depth; k++) {
                float x[EACH], y[EACH];
                pick(a.row[k], row, x);
                pick(b.row[k], column, y);
                for (int i = 0; i < EACH; i++)
                    for (int j = 0; j < EACH; j++)
                        of[i][j] = Term::add(of[i][j], x[i], y[j]);
            }
        }

        /* y (M,N), the tile at (m,n) of it. */
        inline __device__ void store(float *y, const float *bias, int m, int n,
                                     const poet_gemm_plan &plan) const
        {
            for (int i = 0; i < EACH; i++) {
                int64_t row = m + poet_tile_row(i);
                for (int j = 0; j < EACH; j += 4)
                    if (row < plan.m)
                        poet_store_four(y + row * plan.n, &of[i][j], bias, n + poet_tile_column(j),
                                        plan.n);
            }
        }

        /* A thread's numbers of one k. */
        static inline __device__ void pick(const float *row, int thread, float (&x)[EACH])
        {
            for (int i = 0; i < EACH; i += 4) {
                float4 four = *reinterpret_cast<const float4 *>(row + poet_tile_at(thread, i));
                x[i] = four.x;
                x[i + 1] = four.y;
                x[i + 2] = four.z;
                x[i + 3] = four.w;
            }
        }
    };
};

typedef poet_tile<POET_TILE_SMALL, 16> poet_small_tile;
typedef poet_tile<POET_TILE_BIG, 8> poet_big_tile;

/* ---- panels ---- */

template <typename Tile> struct poet_panels {
    typename Tile::panel a[2], b[2];
};

/* Which word of a panel a thread brings in, so that neighbouring threads read neighbours in memory. */
template <typename Tile, typename Operand> struct poet_slot {
    int row, k;

    __device__ explicit poet_slot(int i)
    {
        int at = static_cast<int>(threadIdx.x) + i * POET_BLOCK;
        row = Operand::along_k ? at / Tile::WORDS : at % Tile::size;
        k = (Operand::along_k ? at % Tile::WORDS : at / Tile::size) * (Tile::depth / Tile::WORDS);
    }
};

template <typename Tile, typename Operand>
static inline __device__ void poet_fetch(const Operand &x, int row, int k,
                                         typename Tile::word (&staged)[Tile::STAGED])
{
    for (int i = 0; i < Tile::STAGED; i++) {
        poet_slot<Tile, Operand> slot(i);
        staged[i] = Tile::take(x, row + slot.row, k + slot.k);
    }
}

template <typename Tile, typename Operand>
static inline __device__ void poet_put(const typename Tile::word (&staged)[Tile::STAGED],
                                       typename Tile::panel &panel)
{
    for (int i = 0; i < Tile::STAGED; i++) {
        poet_slot<Tile, Operand> slot(i);
        panel.put(slot.row, slot.k, staged[i]);
    }
}

/* ---- the loop ---- */

/* The sums of the tile at (m,n) over k from `begin` to `end`, in ascending order. All threads of the block come here, and
 * may come again at once. */
template <typename Tile, typename A, typename B>
static inline __device__ void poet_tile_sums(const A &a, const B &b, int m, int n, int begin,
                                             int end, poet_panels<Tile> &panels,
                                             typename Tile::sums &sum)
{
    typename Tile::word next_a[Tile::STAGED], next_b[Tile::STAGED];
    sum.clear();
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
        sum.add(panels.a[now], panels.b[now]);
        if (more) {
            poet_put<Tile, A>(next_a, panels.a[1 - now]);
            poet_put<Tile, B>(next_b, panels.b[1 - now]);
        }
        __syncthreads();
    }
}

/* What the attention kernels share: who sees whom, and products of tiles in shared memory.
 *
 * A tile is `side` positions of one head, its width rounded up with zeros. A block has 8 x side/2 threads for a pair of
 * (row, head), and several pairs where sequences are short; thread (x, y) owns the positions 2y and 2y + 1 of a tile, and
 * of them the scores with every eighth position of another. The eight threads of a position lie in one warp. */
#pragma once

#include "cuda/kernels/attention.h"
#include "cuda/kernels/fault.cuh"

enum { LANES = 8, OWNED = 2 };

/* ---- who sees whom ---- */

/* What a row knows at run time. Keys are positions 0 .. end-1, but for the unreal ones of the prefix. */
struct row_sight {
    int prefix, length, first, end;
};

static inline __device__ bool is_key(const row_sight &sight, int j)
{
    return j < sight.prefix ? j < sight.length : j < sight.end;
}

static inline __device__ bool sees(const row_sight &sight, int i, int j)
{
    return j < sight.prefix ? j < sight.length : j <= i;
}

/* Keys that position i sees lie before this one. */
static inline __device__ int horizon(const row_sight &sight, int i)
{
    return min(i >= sight.prefix ? i + 1 : sight.length, sight.end);
}

static inline __device__ bool position_fits(const poet_attention_args &a, int position)
{
    bool is_prefix = position == 0 && a.t == a.prefix;
    return position >= 0 && position <= a.room - a.t && (is_prefix || position >= a.prefix);
}

/* A bad row is reported, and goes on with numbers that keep it within its memory. */
static inline __device__ row_sight sight_of(const poet_attention_args &a, int b)
{
    row_sight sight = {a.prefix, 0, a.position ? a.position[b] : 0, 0};
    if (a.position && !position_fits(a, sight.first)) {
        poet_report(a.fault, POET_FAULT_POSITION, b);
        sight.first = 0;
    }
    if (a.prefix) {
        sight.length = a.lengths[b];
        if (sight.length < 1 || sight.length > a.prefix) {
            poet_report(a.fault, POET_FAULT_LENGTH, b);
            sight.length = 1;
        }
    }
    sight.end = min(sight.first + a.t, a.room);
    return sight;
}

/* ---- where heads lie ---- */

/* q, k and v of one head: element k of position i is [i * pitch + k]. */
template <typename T> struct head_rows {
    const T *data;
    int64_t pitch;
};

/* part: 0 is q, 1 k, 2 v. */
static inline __device__ int64_t head_start(const poet_attention_args &a, int b, int h, int part)
{
    return (static_cast<int64_t>(b) * a.t * 3 + part) * a.heads * a.d + h * a.d;
}

template <typename T>
static inline __device__ head_rows<T> head_of(const poet_attention_args &a, int b, int h, int part)
{
    return {static_cast<const T *>(a.qkv.data) + head_start(a, b, h, part), 3LL * a.heads * a.d};
}

/* Of y and dy (b,t,heads*d). */
static inline __device__ int64_t output_start(const poet_attention_args &a, int b, int h)
{
    return static_cast<int64_t>(b) * a.t * a.heads * a.d + h * a.d;
}

/* ---- tiles ---- */

/* A padded row lies in all banks, and begins aligned. */
template <int side, int wide> struct alignas(16) tile {
    float at[side][wide + 4];

    __device__ float4 four(int row, int k) const
    {
        return *reinterpret_cast<const float4 *>(&at[row][k]);
    }
};

/* Which (row, head) and which tile of its positions a thread works on. */
struct tile_place {
    int b, h, first;
    bool real; /* in the last block there may be none */
};

/* Pairs of a block: short sequences share one. */
template <int side, int wide> struct block_of {
    static const int pairs = side > 8 ? 1 : wide > 64 ? 2 : 4;
    static const int threads = LANES * side / OWNED; /* of a pair */
};

/* The tiles of a pair follow each other, the last one first: it sees most. */
template <int side, int wide>
static inline __device__ tile_place place_of(const poet_attention_args &a)
{
    int tiles = (a.t + side - 1) / side, block = static_cast<int>(blockIdx.x);
    int pair = block / tiles * block_of<side, wide>::pairs + static_cast<int>(threadIdx.z);
    int last = a.b * a.heads - 1, at = min(pair, last);
    return {at / a.heads, at % a.heads, (tiles - 1 - block % tiles) * side, pair <= last};
}

/* Of the tile's side positions, the owned ones; and what it is multiplied with, every eighth one. */
static inline __device__ int owned(int r)
{
    return OWNED * static_cast<int>(threadIdx.y) + r;
}

static inline __device__ int other(int c)
{
    return static_cast<int>(threadIdx.x) + LANES * c;
}

/* Positions [first, first + side) of a head; zeros where `sight` has no key. */
template <int side, int wide, typename T>
static inline __device__ void load_tile(tile<side, wide> &to, const head_rows<T> &from, int first,
                                        int d, const row_sight &sight)
{
    int thread = static_cast<int>(threadIdx.y * LANES + threadIdx.x);
    for (int i = thread; i < side * wide; i += block_of<side, wide>::threads) {
        int row = i / wide, k = i % wide, position = first + row;
        bool inside = k < d && is_key(sight, position);
        to.at[row][k] = inside ? poet_load(from.data, position * from.pitch + k) : 0;
    }
}

/* out[r][c] = row owned(r) of a times row other(c) of b. */
template <int side, int wide>
static inline __device__ void products(const tile<side, wide> &a, const tile<side, wide> &b,
                                       float (&out)[OWNED][side / LANES])
{
    for (int r = 0; r < OWNED; r++)
        for (int c = 0; c < side / LANES; c++)
            out[r][c] = 0;
    for (int k = 0; k < wide; k += 4) {
        float4 left[OWNED];
        for (int r = 0; r < OWNED; r++)
            left[r] = a.four(owned(r), k);
        for (int c = 0; c < side / LANES; c++) {
            float4 right = b.four(other(c), k);
            for (int r = 0; r < OWNED; r++)
                out[r][c] += left[r].x * right.x + left[r].y * right.y + left[r].z * right.z +
                             left[r].w * right.w;
        }
    }
}

/* What a thread has of its owned rows: four neighbouring columns of every 32. */
static inline __device__ int column_of(int n)
{
    return n / 4 * 4 * LANES + static_cast<int>(threadIdx.x) * 4 + n % 4;
}

/* sum += weights b; of the weights a thread reads rows that the eight threads of its positions wrote. */
template <int side, int wide>
static inline __device__ void accumulate(const tile<side, side> &weights, const tile<side, wide> &b,
                                         float (&sum)[OWNED][wide / LANES])
{
    for (int j = 0; j < side; j++)
        for (int n = 0; n < wide / LANES; n += 4) {
            float4 right = b.four(j, column_of(n));
            for (int r = 0; r < OWNED; r++) {
                float weight = weights.at[owned(r)][j];
                sum[r][n] += weight * right.x;
                sum[r][n + 1] += weight * right.y;
                sum[r][n + 2] += weight * right.z;
                sum[r][n + 3] += weight * right.w;
            }
        }
}

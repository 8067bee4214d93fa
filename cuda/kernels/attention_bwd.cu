/* The gradient of attention (Dao et al., "FlashAttention", 2022). With the softmax p of a query, recomputed from its scores
 * and their log sum exp, and r = dy y:
 *
 *     dv_j = sum_i p_ij dy_i,    ds_ij = scale p_ij (dy_i v_j - r_i),    dq_i = sum_j ds_ij k_j,    dk_j = sum_i ds_ij q_i.
 *
 * Two passes, so that nobody adds to what is another's: tiles of queries walk over keys for dq, tiles of keys over queries
 * for dk and dv. Each computes p and ds anew. */
#include "cuda/kernels/attention.cuh"

/* r (b,heads,t): a thread each. */
static __global__ void rows_through(poet_attention_args a, const float *y, const float *dy,
                                    float *through)
{
    int64_t i = poet_thread();
    if (i >= static_cast<int64_t>(a.b) * a.heads * a.t)
        return;
    int t = static_cast<int>(i % a.t), pair = static_cast<int>(i / a.t);
    int64_t at =
        output_start(a, pair / a.heads, pair % a.heads) + static_cast<int64_t>(t) * a.heads * a.d;
    float sum = 0;
    for (int k = 0; k < a.d; k++)
        sum += y[at + k] * dy[at + k];
    through[i] = sum;
}

/* What both passes know of a head. */
template <typename T> struct head_bwd {
    head_rows<T> q, k, v;
    head_rows<float> dy;
    const float *lse, *through; /* (t) */
};

template <typename T>
static inline __device__ head_bwd<T> head_bwd_of(const poet_attention_args &a, const tile_place &at,
                                                 const float *lse, const float *dy,
                                                 const float *through)
{
    int64_t row = (static_cast<int64_t>(at.b) * a.heads + at.h) * a.t;
    return {head_of<T>(a, at.b, at.h, 0),
            head_of<T>(a, at.b, at.h, 1),
            head_of<T>(a, at.b, at.h, 2),
            {dy + output_start(a, at.b, at.h), static_cast<int64_t>(a.heads) * a.d},
            lse + row,
            through + row};
}

/* p and ds of query i and key j, in place of q_i k_j and dy_i v_j. */
template <typename T>
static inline __device__ void weigh(const poet_attention_args &a, const row_sight &sight,
                                    const head_bwd<T> &head, int i, int j, float &p, float &ds)
{
    bool seen = i < a.t && is_key(sight, j) && sees(sight, i, j);
    p = seen ? expf(a.scale * p - head.lse[i]) : 0;
    ds = seen ? a.scale * p * (ds - head.through[i]) : 0;
}

/* Owned rows to part `part` of dqkv. */
template <int wide>
static inline __device__ void write_part(const poet_attention_args &a, const tile_place &at,
                                         int part, const float (&sum)[OWNED][wide / LANES],
                                         float *dqkv)
{
    for (int r = 0; r < OWNED; r++) {
        int position = at.first + owned(r);
        if (!at.real || position >= a.t)
            continue;
        float *row = dqkv + head_start(a, at.b, at.h, part) +
                     static_cast<int64_t>(position) * 3 * a.heads * a.d;
        for (int n = 0; n < wide / LANES; n++)
            if (column_of(n) < a.d)
                row[column_of(n)] = sum[r][n];
    }
}

template <int rows, int columns> static inline __device__ void clear(float (&x)[rows][columns])
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            x[r][c] = 0;
}

template <int side, int wide> struct bwd_memory {
    tile<side, wide> q, dy, k, v;
    tile<side, side> weights;
};

template <int side, int wide, typename T>
static __global__ void queries_bwd(poet_attention_args a, const float *lse, const float *dy,
                                   const float *through, float *dqkv)
{
    typedef bwd_memory<side, wide> memory;
    POET_DYNAMIC_SHARED(memory, all);
    memory &m = all[threadIdx.z];
    tile_place at = place_of<side, wide>(a);
    row_sight sight = sight_of(a, at.b), everything = {0, 0, 0, a.t};
    head_bwd<T> head = head_bwd_of<T>(a, at, lse, dy, through);
    float p[OWNED][side / LANES], ds[OWNED][side / LANES], dq[OWNED][wide / LANES];
    clear(dq);
    load_tile(m.q, head.q, at.first, a.d, everything);
    load_tile(m.dy, head.dy, at.first, a.d, everything);
    int end = horizon(sight, min(at.first + side, a.t) - 1);
    for (int first = 0; first < end; first += side) {
        __syncthreads();
        load_tile(m.k, head.k, first, a.d, sight);
        load_tile(m.v, head.v, first, a.d, sight);
        __syncthreads();
        products(m.q, m.k, p);
        products(m.dy, m.v, ds);
        for (int r = 0; r < OWNED; r++)
            for (int c = 0; c < side / LANES; c++) {
                weigh(a, sight, head, at.first + owned(r), first + other(c), p[r][c], ds[r][c]);
                m.weights.at[owned(r)][other(c)] = ds[r][c];
            }
        __syncwarp();
        accumulate(m.weights, m.k, dq);
    }
    write_part<wide>(a, at, 0, dq, dqkv);
}

template <int side, int wide, typename T>
static __global__ void keys_bwd(poet_attention_args a, const float *lse, const float *dy,
                                const float *through, float *dqkv)
{
    typedef bwd_memory<side, wide> memory;
    POET_DYNAMIC_SHARED(memory, all);
    memory &m = all[threadIdx.z];
    tile_place at = place_of<side, wide>(a);
    row_sight sight = sight_of(a, at.b), everything = {0, 0, 0, a.t};
    head_bwd<T> head = head_bwd_of<T>(a, at, lse, dy, through);
    float p[OWNED][side / LANES], ds[OWNED][side / LANES];
    float dk[OWNED][wide / LANES], dv[OWNED][wide / LANES];
    clear(dk);
    clear(dv);
    load_tile(m.k, head.k, at.first, a.d, sight);
    load_tile(m.v, head.v, at.first, a.d, sight);
    for (int first = at.first < a.prefix ? 0 : at.first; first < a.t; first += side) {
        __syncthreads();
        load_tile(m.q, head.q, first, a.d, everything);
        load_tile(m.dy, head.dy, first, a.d, everything);
        __syncthreads();
        products(m.k, m.q, p);
        products(m.v, m.dy, ds);
        for (int r = 0; r < OWNED; r++)
            for (int c = 0; c < side / LANES; c++) {
                weigh(a, sight, head, first + other(c), at.first + owned(r), p[r][c], ds[r][c]);
                m.weights.at[owned(r)][other(c)] = p[r][c];
            }
        __syncwarp();
        accumulate(m.weights, m.dy, dv);
        __syncwarp();
        for (int r = 0; r < OWNED; r++)
            for (int c = 0; c < side / LANES; c++)
                m.weights.at[owned(r)][other(c)] = ds[r][c];
        __syncwarp();
        accumulate(m.weights, m.q, dk);
    }
    write_part<wide>(a, at, 1, dk, dqkv);
    write_part<wide>(a, at, 2, dv, dqkv);
}

/* ---- launches ---- */

enum { TILE = 32, SMALL_TILE = 16, SHORT_TILE = 8, SHORT = 16 };

template <int side, int wide, typename T>
static int launch_passes(poet_stream stream, const poet_attention_args *a, const float *lse,
                         const float *dy, const float *through, float *dqkv)
{
    const int pairs = block_of<side, wide>::pairs;
    const size_t bytes = pairs * sizeof(bwd_memory<side, wide>);
    dim3 block(LANES, side / OWNED, pairs);
    unsigned grid = poet_blocks(a->b * a->heads, pairs) * poet_blocks(a->t, side);
    int code = POET_LAUNCH((queries_bwd<side, wide, T>), grid, block, bytes, stream, *a, lse, dy,
                           through, dqkv);
    return code ? code
                : POET_LAUNCH((keys_bwd<side, wide, T>), grid, block, bytes, stream, *a, lse, dy,
                              through, dqkv);
}

/* Four tiles of the widest heads are small, to fit into shared memory. */
template <int wide, typename T>
static int launch_wide(poet_stream stream, const poet_attention_args *a, const float *lse,
                       const float *dy, const float *through, float *dqkv)
{
    const int side = wide > 64 ? SMALL_TILE : TILE;
    return a->t <= SHORT && !a->prefix
               ? launch_passes<SHORT_TILE, wide, T>(stream, a, lse, dy, through, dqkv)
               : launch_passes<side, wide, T>(stream, a, lse, dy, through, dqkv);
}

template <typename T>
static int launch(poet_stream stream, const poet_attention_args *a, const float *lse,
                  const float *dy, const float *through, float *dqkv)
{
    return a->d <= 32   ? launch_wide<32, T>(stream, a, lse, dy, through, dqkv)
           : a->d <= 64 ? launch_wide<64, T>(stream, a, lse, dy, through, dqkv)
                        : launch_wide<POET_ATTENTION_WIDEST, T>(stream, a, lse, dy, through, dqkv);
}

int poet_cuda_attention_bwd(poet_stream stream, const poet_attention_args *a, const float *y,
                            const float *lse, const float *dy, float *through, float *dqkv)
{
    int64_t n = static_cast<int64_t>(a->b) * a->heads * a->t;
    int code = POET_LAUNCH(rows_through, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, *a, y,
                           dy, through);
    if (code)
        return code;
    return a->qkv.bf16 ? launch<uint16_t>(stream, a, lse, dy, through, dqkv)
                       : launch<float>(stream, a, lse, dy, through, dqkv);
}

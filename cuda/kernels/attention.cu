/* Attention: y_i = sum_j p_ij v_j, p_i = softmax over the keys j that i sees of scale q_i k_j.
 *
 * Scores never lie in memory (Dao et al., "FlashAttention", 2022): a block walks over the keys in tiles and keeps, for each
 * of its queries, the highest score m so far, s = sum exp(score - m) and the sum of exp(score - m) v; a higher m multiplies
 * both by exp(m - m') (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018). For the gradient
 * lse = m + log s is kept.
 *
 * Where few queries meet a long cache, tiles of queries would be empty: there a block has one query, its groups of eight
 * threads share the keys, and their sums are joined by the same rule. */
#include "cuda/kernels/attention.cuh"

#define EACH_LANE 0xFFFFFFFFU

/* A running softmax. */
struct softmax {
    float high, sum;

    /* Takes in higher scores; what was summed before has to be multiplied by the result. */
    __device__ float raise(float to)
    {
        float before = high;
        high = fmaxf(high, to);
        float factor = expf(before - high);
        sum *= factor;
        return factor;
    }
};

/* Over the eight threads of a position; all of the warp take part. */
static inline __device__ float max_of_eight(float value)
{
    for (int by = LANES / 2; by > 0; by /= 2)
        value = fmaxf(value, __shfl_xor_sync(EACH_LANE, value, by));
    return value;
}

static inline __device__ float sum_of_eight(float value)
{
    for (int by = LANES / 2; by > 0; by /= 2)
        value += __shfl_xor_sync(EACH_LANE, value, by);
    return value;
}

/* Keys and values of a head: the cache's, or those of qkv. */
template <typename T>
static inline __device__ head_rows<T> seen_head(const poet_attention_args &a, int b, int h,
                                                int part)
{
    const float *cache = part == 1 ? a.keys : a.values;
    if (!cache)
        return head_of<T>(a, b, h, part);
    int64_t start = static_cast<int64_t>(b) * a.room * a.heads * a.d + h * a.d;
    return {reinterpret_cast<const T *>(cache) + start, static_cast<int64_t>(a.heads) * a.d};
}

/* ---- tiles of queries ---- */

template <int side, int wide> struct attend_memory {
    tile<side, wide> q, kv; /* keys, then values */
    tile<side, side> p;
};

/* scores of owned queries -> weights; what is summed so far follows. first: of the keys. */
template <int side, int wide>
static inline __device__ void soften(const row_sight &sight, int query, int first,
                                     float (&score)[side / LANES], softmax &soft,
                                     float (&y)[wide / LANES])
{
    float high = -INFINITY, sum = 0;
    for (int c = 0; c < side / LANES; c++) {
        if (!sees(sight, query, first + other(c)))
            score[c] = -INFINITY;
        high = fmaxf(high, score[c]);
    }
    float factor = soft.raise(max_of_eight(high));
    for (int n = 0; n < wide / LANES; n++)
        y[n] *= factor;
    for (int c = 0; c < side / LANES; c++)
        sum += score[c] = expf(score[c] - soft.high);
    soft.sum += sum_of_eight(sum);
}

template <int side, int wide>
static inline __device__ void
write_rows(const poet_attention_args &a, const tile_place &at, const softmax (&soft)[OWNED],
           const float (&y)[OWNED][wide / LANES], float *out, float *lse)
{
    for (int r = 0; r < OWNED; r++) {
        int i = at.first + owned(r);
        if (!at.real || i >= a.t)
            continue;
        int64_t row = output_start(a, at.b, at.h) + static_cast<int64_t>(i) * a.heads * a.d;
        for (int n = 0; n < wide / LANES; n++)
            if (column_of(n) < a.d)
                out[row + column_of(n)] = y[r][n] / soft[r].sum;
        if (lse && threadIdx.x == 0)
            lse[(static_cast<int64_t>(at.b) * a.heads + at.h) * a.t + i] =
                soft[r].high + logf(soft[r].sum);
    }
}

template <int side, int wide, typename Q, typename K>
static __global__ void attend(poet_attention_args a, float *out, float *lse)
{
    typedef attend_memory<side, wide> memory;
    POET_DYNAMIC_SHARED(memory, all);
    memory &m = all[threadIdx.z];
    tile_place at = place_of<side, wide>(a);
    row_sight sight = sight_of(a, at.b), queries = {0, 0, 0, a.t};
    head_rows<K> keys = seen_head<K>(a, at.b, at.h, 1), values = seen_head<K>(a, at.b, at.h, 2);
    softmax soft[OWNED];
    float y[OWNED][wide / LANES], score[OWNED][side / LANES];
    for (int r = 0; r < OWNED; r++) {
        soft[r] = {-INFINITY, 0};
        for (int n = 0; n < wide / LANES; n++)
            y[r][n] = 0;
    }
    load_tile(m.q, head_of<Q>(a, at.b, at.h, 0), at.first, a.d, queries);
    int end = horizon(sight, sight.first + min(at.first + side, a.t) - 1);
    for (int first = 0; first < end; first += side) {
        __syncthreads();
        load_tile(m.kv, keys, first, a.d, sight);
        __syncthreads();
        products(m.q, m.kv, score);
        for (int r = 0; r < OWNED; r++) {
            for (int c = 0; c < side / LANES; c++)
                score[r][c] *= a.scale;
            soften<side, wide>(sight, sight.first + at.first + owned(r), first, score[r], soft[r],
                               y[r]);
            for (int c = 0; c < side / LANES; c++)
                m.p.at[owned(r)][other(c)] = score[r][c];
        }
        __syncthreads();
        load_tile(m.kv, values, first, a.d, sight);
        __syncthreads();
        accumulate(m.p, m.kv, y);
    }
    write_rows<side, wide>(a, at, soft, y, out, lse);
}

template <int side, int wide, typename Q, typename K>
static int launch_attend(poet_stream stream, const poet_attention_args *a, float *y, float *lse)
{
    const int pairs = block_of<side, wide>::pairs;
    dim3 block(LANES, side / OWNED, pairs);
    unsigned grid = poet_blocks(a->b * a->heads, pairs) * poet_blocks(a->t, side);
    return POET_LAUNCH((attend<side, wide, Q, K>), grid, block,
                       pairs * sizeof(attend_memory<side, wide>), stream, *a, y, lse);
}

/* ---- one query ---- */

enum { GROUPS = POET_BLOCK / LANES };

template <int wide> struct attend_one_memory {
    softmax soft[GROUPS];
    float y[GROUPS][wide];
};

/* The groups' sums, joined in their order. */
template <int wide> static inline __device__ float join(const attend_one_memory<wide> &m, int k)
{
    float high = -INFINITY, sum = 0, y = 0;
    for (int g = 0; g < GROUPS; g++)
        high = fmaxf(high, m.soft[g].high);
    for (int g = 0; g < GROUPS; g++) {
        float factor = expf(m.soft[g].high - high); /* 0 where a group had no key */
        sum += factor * m.soft[g].sum;
        y += factor * m.y[g][k];
    }
    return y / sum;
}

/* A block for each (row, query, head). Thread x of a group has the columns x, x + 8, ... */
template <int wide, typename Q> static __global__ void attend_one(poet_attention_args a, float *out)
{
    POET_DYNAMIC_SHARED(attend_one_memory<wide>, m);
    int h = static_cast<int>(blockIdx.x) % a.heads, row = static_cast<int>(blockIdx.x) / a.heads;
    int b = row / a.t, i = row % a.t, lane = static_cast<int>(threadIdx.x);
    row_sight sight = sight_of(a, b);
    head_rows<Q> queries = head_of<Q>(a, b, h, 0);
    head_rows<float> keys = seen_head<float>(a, b, h, 1), values = seen_head<float>(a, b, h, 2);
    int query = sight.first + i, end = horizon(sight, query);
    softmax soft = {-INFINITY, 0};
    float q[wide / LANES], y[wide / LANES];
    for (int n = 0; n < wide / LANES; n++) {
        int k = lane + LANES * n;
        q[n] = k < a.d ? a.scale * poet_load(queries.data, i * queries.pitch + k) : 0;
        y[n] = 0;
    }
    for (int first = 0; first < end; first += GROUPS) {
        int j = first + static_cast<int>(threadIdx.y);
        bool seen = j < end && sees(sight, query, j);
        float score = 0;
        for (int n = 0; n < wide / LANES; n++)
            if (seen && lane + LANES * n < a.d)
                score += q[n] * keys.data[j * keys.pitch + lane + LANES * n];
        score = sum_of_eight(score);
        if (!seen)
            continue; /* the shuffles of all lanes are done */
        float factor = soft.raise(score), p = expf(score - soft.high);
        soft.sum += p;
        for (int n = 0; n < wide / LANES; n++)
            if (lane + LANES * n < a.d)
                y[n] = y[n] * factor + p * values.data[j * values.pitch + lane + LANES * n];
    }
    if (lane == 0)
        m->soft[threadIdx.y] = soft;
    for (int n = 0; n < wide / LANES; n++)
        m->y[threadIdx.y][lane + LANES * n] = y[n];
    __syncthreads();
    int k = static_cast<int>(threadIdx.y) * LANES + lane;
    if (k < a.d)
        out[(static_cast<int64_t>(row) * a.heads + h) * a.d + k] = join(*m, k);
}

template <int wide, typename Q>
static int launch_attend_one(poet_stream stream, const poet_attention_args *a, float *y)
{
    unsigned grid = static_cast<unsigned>(a->b * a->t * a->heads);
    return POET_LAUNCH((attend_one<wide, Q>), grid, dim3(LANES, GROUPS),
                       sizeof(attend_one_memory<wide>), stream, *a, y);
}

/* ---- launches ---- */

enum { TILE = 32, SHORT_TILE = 8, SHORT = 16, FEW_QUERIES = 8 };

template <int wide, typename T>
static int launch_wide(poet_stream stream, const poet_attention_args *a, float *y, float *lse)
{
    if (a->keys)
        return a->t < FEW_QUERIES ? launch_attend_one<wide, T>(stream, a, y)
                                  : launch_attend<TILE, wide, T, float>(stream, a, y, lse);
    return a->t <= SHORT && !a->prefix ? launch_attend<SHORT_TILE, wide, T, T>(stream, a, y, lse)
                                       : launch_attend<TILE, wide, T, T>(stream, a, y, lse);
}

template <typename T>
static int launch(poet_stream stream, const poet_attention_args *a, float *y, float *lse)
{
    return a->d <= 32   ? launch_wide<32, T>(stream, a, y, lse)
           : a->d <= 64 ? launch_wide<64, T>(stream, a, y, lse)
                        : launch_wide<POET_ATTENTION_WIDEST, T>(stream, a, y, lse);
}

int poet_cuda_attention(poet_stream stream, const poet_attention_args *a, float *y, float *lse)
{
    return a->qkv.bf16 ? launch<uint16_t>(stream, a, y, lse) : launch<float>(stream, a, y, lse);
}

/* ---- the cache ---- */

template <typename T> static __global__ void remember(poet_attention_args a)
{
    int width = a.heads * a.d;
    int64_t i = poet_thread(), row = i / (2 * width);
    if (row >= static_cast<int64_t>(a.b) * a.t)
        return;
    int64_t b = row / a.t;
    int column = static_cast<int>(i % (2 * width));
    if (!position_fits(a, a.position[b]))
        return; /* the attention that follows reports it */
    float *cache = column < width ? a.keys : a.values;
    int64_t to = (b * a.room + a.position[b] + row % a.t) * width + column % width;
    cache[to] = poet_load(static_cast<const T *>(a.qkv.data), row * 3 * width + width + column);
}

template <typename T> static int launch_remember(poet_stream stream, const poet_attention_args *a)
{
    int64_t n = 2LL * a->b * a->t * a->heads * a->d;
    return POET_LAUNCH(remember<T>, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, *a);
}

int poet_cuda_attention_remember(poet_stream stream, const poet_attention_args *a)
{
    return a->qkv.bf16 ? launch_remember<uint16_t>(stream, a) : launch_remember<float>(stream, a);
}

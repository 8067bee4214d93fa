/* Drawing one code per row: a block for each row.
 *
 *     l = l_u + guidance (l_c - l_u)     classifier-free guidance (Ho and Salimans 2022)
 *     p = exp((l - greatest l) / temperature)
 *     top-k, top-p (Holtzman et al. 2020), min-p (Nguyen et al. 2024) set shares p to 0
 *     the code is the lowest at which the sum of the shares, in order of codes, passes u times all of them
 *
 * Top-k, top-p and the draw ask the same: in some order, which is the first element at which a sum of weights reaches a
 * target? Elements get integer keys that rise in that order, and the key is found bit by bit: a bit is 0 if the elements
 * up to the greatest key with this bit 0 suffice. Each bit is one pass and one sum over the block; nothing is sorted.
 * Weights are whole numbers, shares in units of 2^-40, so that sums are exact in every order. Logits are guided and
 * scaled in f64, as on the CPU, and ranked in f32: codes differ from the CPU's in near-ties alone. */
#include "cuda/kernels/fault.cuh"
#include "cuda/kernels/philox.cuh"
#include "cuda/kernels/reduce.cuh"
#include "cuda/kernels/sample.h"

enum { GUIDANCE, TEMPERATURE, TOP_K, TOP_P, MIN_P, SETTINGS };

enum { KEYS = 4, CODE_BITS = 32 };

static const float whole = 1099511627776.0F; /* 2^40: the weight of the share 1 */

struct sample_row {
    const float *logits, *free; /* free: NULL where nothing guides */
    double guidance;
    int v;
    uint64_t *weight; /* (v) */
    uint32_t *rank;   /* (v): the lower, the likelier */
};

static inline __device__ sample_row row_of(const poet_draw &draw, void *work, int b)
{
    int64_t first = static_cast<int64_t>(b) * draw.v,
            all = static_cast<int64_t>(draw.rows) * draw.v;
    uint64_t *weights = static_cast<uint64_t *>(work);
    return {draw.logits + first,
            draw.guided ? draw.logits + all + first : nullptr,
            static_cast<double>(draw.settings[b * SETTINGS + GUIDANCE]),
            draw.v,
            weights + first,
            reinterpret_cast<uint32_t *>(weights + all) + first};
}

static inline __device__ double logit(const sample_row &row, int k)
{
    double l = static_cast<double>(row.logits[k]);
    if (!row.free)
        return l;
    double free = static_cast<double>(row.free[k]);
    return free + row.guidance * (l - free);
}

/* ---- keys: whole numbers that rise where logits fall, then with the code ---- */

/* What is no number comes first, where it is noticed; both zeros are one. */
static inline __device__ uint32_t rank_of(float l)
{
    uint32_t bits = l != l ? 0x7FFFFFFFU : __float_as_uint(l == 0 ? 0 : l);
    return bits >> 31 ? bits : 0x7FFFFFFFU - bits;
}

enum order { BY_CODE, BY_RANK };

template <int by> static inline __device__ uint64_t key_of(const sample_row &row, int k)
{
    uint64_t code = static_cast<uint64_t>(k);
    return by == BY_CODE ? code : static_cast<uint64_t>(row.rank[k]) << CODE_BITS | code;
}

/* ---- sums of weights ---- */

enum weighing { ONES, SHARES };

/* Of the codes whose key is not above `key`. */
template <int by, int weighs>
static inline __device__ uint64_t weight_up_to(const sample_row &row, uint64_t key)
{
    uint64_t sum = 0;
    for (int k = static_cast<int>(threadIdx.x); k < row.v; k += POET_BLOCK)
        if (key_of<by>(row, k) <= key)
            sum += weighs == ONES ? 1 : row.weight[k];
    return poet_block_sum(sum);
}

template <int by, int weighs>
static inline __device__ uint64_t lower_bits(const sample_row &row, uint64_t key, int from, int to,
                                             uint64_t target)
{
    for (int bit = from; bit >= to; bit--) {
        uint64_t lower = key & ~(1ULL << bit);
        if (weight_up_to<by, weighs>(row, lower) >= target)
            key = lower;
    }
    return key;
}

/* The lowest key up to which the weights reach the target; all together must do so. */
template <int by, int weighs>
static inline __device__ uint64_t lowest_key(const sample_row &row, uint64_t target)
{
    int code_bits = CODE_BITS - __clz(row.v - 1);
    uint64_t key = (1ULL << code_bits) - 1;
    if (by == BY_RANK)
        key = lower_bits<by, weighs>(row, key | ~0ULL << CODE_BITS, 63, CODE_BITS, target);
    return lower_bits<by, weighs>(row, key, code_bits - 1, 0, target);
}

static inline __device__ uint64_t total(const sample_row &row)
{
    return weight_up_to<BY_CODE, SHARES>(row, ~0ULL);
}

/* ---- shares ---- */

/* Threads keep to their own codes from here to the last filter: no barrier. */
static inline __device__ uint64_t rank_codes(const sample_row &row)
{
    uint64_t first = ~0ULL;
    for (int k = static_cast<int>(threadIdx.x); k < row.v; k += POET_BLOCK) {
        row.rank[k] = rank_of(static_cast<float>(logit(row, k)));
        first = poet_least()(first, key_of<BY_RANK>(row, k));
    }
    return poet_block_join(first, poet_least());
}

static inline __device__ void share_out(const sample_row &row, double greatest, float temperature)
{
    double rate = 1 / static_cast<double>(temperature);
    for (int k = static_cast<int>(threadIdx.x); k < row.v; k += POET_BLOCK) {
        float p = expf(static_cast<float>((logit(row, k) - greatest) * rate));
        row.weight[k] = static_cast<uint64_t>(p * whole);
    }
}

static inline __device__ void drop_behind(const sample_row &row, uint64_t last)
{
    for (int k = static_cast<int>(threadIdx.x); k < row.v; k += POET_BLOCK)
        if (key_of<BY_RANK>(row, k) > last)
            row.weight[k] = 0;
}

static inline __device__ void drop_below(const sample_row &row, float share)
{
    uint64_t least = static_cast<uint64_t>(fminf(share, 1) * whole);
    for (int k = static_cast<int>(threadIdx.x); k < row.v; k += POET_BLOCK)
        if (row.weight[k] < least)
            row.weight[k] = 0;
}

static inline __device__ void filter(const sample_row &row, const float *settings)
{
    if (settings[TOP_K] >= 1 && settings[TOP_K] < static_cast<float>(row.v))
        drop_behind(row, lowest_key<BY_RANK, ONES>(row, static_cast<uint64_t>(settings[TOP_K])));
    if (settings[TOP_P] < 1) {
        double wanted = static_cast<double>(settings[TOP_P]) * static_cast<double>(total(row));
        uint64_t target = static_cast<uint64_t>(ceil(fmax(wanted, 1.0)));
        drop_behind(row, lowest_key<BY_RANK, SHARES>(row, target));
    }
    drop_below(row, settings[MIN_P]);
}

/* ---- the draw ---- */

/* Word 0 of Philox(seed, stream, counter), as a number in 0..1. */
static inline __device__ double uniform(const int32_t *keys)
{
    uint32_t key[KEYS];
    for (int i = 0; i < KEYS; i++)
        key[i] = static_cast<uint32_t>(keys[i]);
    poet_words words =
        poet_philox_words(static_cast<uint64_t>(key[1]) << 32 | key[0], key[2], key[3]);
    return (static_cast<double>(words.word[0]) + 0.5) / 4294967296.0;
}

static inline __device__ int draw_code(const sample_row &row, const int32_t *keys)
{
    double passed = uniform(keys) * static_cast<double>(total(row));
    return static_cast<int>(lowest_key<BY_CODE, SHARES>(row, static_cast<uint64_t>(passed) + 1));
}

static __global__ void sample(poet_draw draw, void *work, int32_t *code, poet_fault *fault)
{
    int b = static_cast<int>(blockIdx.x);
    const float *settings = draw.settings + b * SETTINGS;
    sample_row row = row_of(draw, work, b);
    int chosen = static_cast<int>(rank_codes(row) & 0xFFFFFFFFU);
    double greatest = logit(row, chosen);
    bool sound = isfinite(greatest);
    if (sound && settings[TEMPERATURE] > 0) {
        share_out(row, greatest, settings[TEMPERATURE]);
        filter(row, settings);
        chosen = draw_code(row, draw.keys + b * KEYS);
    }
    if (threadIdx.x > 0)
        return;
    if (!sound)
        poet_report(fault, POET_FAULT_LOGITS, b);
    code[b] = chosen;
}

size_t poet_cuda_sample_bytes(int rows, int v)
{
    return static_cast<size_t>(rows) * static_cast<size_t>(v) *
           (sizeof(uint64_t) + sizeof(uint32_t));
}

int poet_cuda_sample(poet_stream stream, const poet_draw *draw, void *work, int32_t *code,
                     poet_fault *fault)
{
    return POET_LAUNCH(sample, static_cast<unsigned>(draw->rows), POET_BLOCK, 0, stream, *draw,
                       work, code, fault);
}

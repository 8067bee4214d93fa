/* Vector quantization (van den Oord et al., "Neural discrete representation learning", 2017).
 *
 * The nearest code is a product of matrices whose terms are squared differences and whose rows are reduced to their
 * least element before they leave the registers. |c|^2 - 2 z c would be faster by a third, but it cancels where it
 * matters: two codes close to z. Terms are added as on the CPU, so that the choice is the same.
 *
 * Sums by code (appendix A.1, running averages): a warp for each code looks through the index, 32 rows at a time, and adds
 * the rows it finds in their order. This reads the index once for each code, from the cache, and needs neither atomics nor
 * a sort. */
#include "cuda/kernels/fault.cuh"
#include "cuda/kernels/gemm.cuh"
#include "cuda/kernels/philox.cuh"
#include "cuda/kernels/quantize.h"

enum { WARP = 32, WARPS = POET_BLOCK / WARP };

static const unsigned ALL_LANES = 0xFFFFFFFFU;

/* ---- nearest ---- */

struct squared_difference {
    static inline __device__ float add(float sum, float a, float b)
    {
        float d = b - a;
        return fmaf(d, d, sum);
    }
};

struct best_code {
    float distance;
    int code;
};

/* Among the 16 threads that share rows. */
static inline __device__ best_code best_of_row(best_code best)
{
    for (int half = 8; half > 0; half /= 2) {
        best_code other;
        other.distance = __shfl_xor_sync(ALL_LANES, best.distance, half);
        other.code = __shfl_xor_sync(ALL_LANES, best.code, half);
        bool tie = other.distance == best.distance && other.code < best.code;
        if (other.distance < best.distance || tie)
            best = other;
    }
    return best;
}

static __global__ void __launch_bounds__(POET_BLOCK, poet_small_tile::BLOCKS)
    nearest(poet_matrix<float, true> z, poet_matrix<float, true> codebook, int32_t *index,
            float *distance)
{
    typedef poet_tile<POET_TILE_SMALL, 16, squared_difference> tile;
    __shared__ poet_panels<tile> panels;
    tile::sums sum;
    best_code best[tile::EACH];
    int first = static_cast<int>(blockIdx.x) * tile::size;
    for (int i = 0; i < tile::EACH; i++)
        best[i] = {INFINITY, 0};
    for (int n = 0; n < codebook.rows; n += tile::size) {
        poet_tile_sums<tile>(z, codebook, first, n, 0, z.n_k, panels, sum);
        for (int i = 0; i < tile::EACH; i++)
            for (int j = 0; j < tile::EACH; j++) {
                int code = n + poet_tile_column(j);
                if (code < codebook.rows && sum.of[i][j] < best[i].distance)
                    best[i] = {sum.of[i][j], code};
            }
    }
    for (int i = 0; i < tile::EACH; i++) {
        best_code of_row = best_of_row(best[i]);
        int row = first + poet_tile_row(i);
        if (threadIdx.x % 16 == 0 && row < z.rows) {
            index[row] = of_row.code;
            distance[row] = of_row.distance;
        }
    }
}

int poet_cuda_nearest(poet_stream stream, const float *z, const float *codebook, int32_t *index,
                      float *distance, int rows, int codes, int channels)
{
    poet_matrix<float, true> a = {z, rows, channels}, b = {codebook, codes, channels};
    return POET_LAUNCH(nearest, poet_blocks(rows, poet_small_tile::size), POET_BLOCK, 0, stream, a,
                       b, index, distance);
}

/* ---- rows of a code ---- */

static __global__ void check_index(const int32_t *index, int n, int codes, poet_fault *fault)
{
    int64_t i = poet_thread();
    if (i < n && (index[i] < 0 || index[i] >= codes))
        poet_report(fault, POET_FAULT_INDEX, i);
}

static int launch_check(poet_stream stream, const int32_t *index, int n, int codes,
                        poet_fault *fault)
{
    return POET_LAUNCH(check_index, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, index, n,
                       codes, fault);
}

/* A block is (WARP,WARPS); a warp has a code. */
static inline __device__ int64_t code_of_warp()
{
    return static_cast<int64_t>(blockIdx.x) * WARPS + threadIdx.y;
}

/* Which of the rows first..first+31 have the code: a bit each. All lanes come here. */
static inline __device__ unsigned rows_of(const int32_t *index, int first, int n, int64_t code)
{
    int64_t row = static_cast<int64_t>(first) + threadIdx.x;
    return __ballot_sync(ALL_LANES, row < n && index[row] == code);
}

static inline __device__ int count_rows(const int32_t *index, int n, int64_t code)
{
    int count = 0;
    for (int64_t first = 0; first < n; first += WARP)
        count += __popc(rows_of(index, static_cast<int>(first), n, code));
    return count;
}

/* ---- codebook by running averages ---- */

/* The sum of one channel over the rows of a code. */
static inline __device__ float sum_rows(const poet_codebook_args &a, int64_t code, int channel)
{
    float sum = 0;
    for (int64_t first = 0; first < a.rows; first += WARP) {
        unsigned rows = rows_of(a.index, static_cast<int>(first), a.rows, code);
        for (; rows && channel < a.channels; rows &= rows - 1)
            sum += a.z[(first + __ffs(static_cast<int>(rows)) - 1) * a.channels + channel];
    }
    return sum;
}

/* In double, as the reference: what restarts is decided by a threshold. */
static __global__ void codebook_ema(poet_codebook_args a)
{
    int64_t code = code_of_warp();
    int lane = static_cast<int>(threadIdx.x), found = count_rows(a.index, a.rows, code);
    bool inside = code < a.codes;
    double share = static_cast<double>(a.rows) / a.codes;
    double before = inside ? static_cast<double>(a.count[code]) : 0;
    double n = a.decay * before + (1 - a.decay) * found;
    bool restart = n < a.restart * share;
    uint64_t step = static_cast<uint64_t>(static_cast<int64_t>(*a.step));
    poet_words words = poet_philox_words(a.seed, step, static_cast<uint64_t>(code));
    int64_t row = static_cast<int64_t>(static_cast<uint64_t>(words.word[0]) * a.rows >> 32);
    if (restart)
        n = share;
    for (int first = 0; first < a.channels; first += WARP) {
        int channel = first + lane;
        float sum = sum_rows(a, code, channel);
        if (!inside || channel >= a.channels)
            continue;
        int64_t at = code * a.channels + channel;
        double kept =
            a.decay * static_cast<double>(a.total[at]) + (1 - a.decay) * static_cast<double>(sum);
        double total =
            restart ? share * static_cast<double>(a.z[row * a.channels + channel]) : kept;
        a.total[at] = static_cast<float>(total);
        if (n > 1e-6)
            a.codebook[at] = static_cast<float>(total / n);
    }
    __syncwarp(); /* all lanes have read the count */
    if (inside && lane == 0)
        a.count[code] = static_cast<float>(n);
}

int poet_cuda_codebook_ema(poet_stream stream, const poet_codebook_args *args, poet_fault *fault)
{
    int code = launch_check(stream, args->index, args->rows, args->codes, fault);
    return code ? code
                : POET_LAUNCH(codebook_ema, poet_blocks(args->codes, WARPS), dim3(WARP, WARPS), 0,
                              stream, *args);
}

/* ---- how often each code occurs ---- */

static __global__ void count_codes(float *histogram, const int32_t *index, int n, int codes)
{
    int64_t code = code_of_warp();
    int found = count_rows(index, n, code);
    if (threadIdx.x == 0 && code < codes)
        histogram[code] += static_cast<float>(found);
}

int poet_cuda_count_codes(poet_stream stream, float *histogram, const int32_t *index, int n,
                          int codes, poet_fault *fault)
{
    int code = launch_check(stream, index, n, codes, fault);
    return code ? code
                : POET_LAUNCH(count_codes, poet_blocks(codes, WARPS), dim3(WARP, WARPS), 0, stream,
                              histogram, index, n, codes);
}

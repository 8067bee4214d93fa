/* Rows of tables: y_r = sum over slots s of table[s][index[r][s]], and dtable[s][code] = the sum of dy_r over the rows r
 * whose index for s is this code.
 *
 * The sum back must not depend on the order of threads, so rows do not add themselves to the table: each row of the table
 * looks for those that name it. The index is read once for each row of the table and 128 of its columns, from caches: cheap
 * beside dy up to some ten thousand codes. */
#include "cuda/kernels/embed.h"
#include "cuda/kernels/fault.cuh"

template <typename T>
static __global__ void embed(const T *table, const int *index, T *y, poet_fault *fault,
                             poet_embed_sizes sizes)
{
    int64_t i = poet_thread(), row = i / sizes.width, column = i % sizes.width;
    if (row >= sizes.rows)
        return;
    T sum = 0;
    for (int slot = 0; slot < sizes.slots; slot++) {
        int64_t place = row * sizes.slots + slot;
        int code = index[place];
        if (code >= 0 && code < sizes.v)
            sum += table[(static_cast<int64_t>(slot) * sizes.v + code) * sizes.width + column];
        else if (column == 0)
            poet_report(fault, POET_FAULT_INDEX, place);
    }
    y[i] = sum;
}

template <typename T>
static int launch_embed(poet_stream stream, const T *table, const int *index, T *y,
                        poet_fault *fault, const poet_embed_sizes *sizes)
{
    int64_t n = static_cast<int64_t>(sizes->rows) * sizes->width;
    return POET_LAUNCH(embed<T>, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, table, index, y,
                       fault, *sizes);
}

int poet_cuda_embed(poet_stream stream, const float *table, const int *index, float *y,
                    poet_fault *fault, const poet_embed_sizes *sizes)
{
    return launch_embed(stream, table, index, y, fault, sizes);
}

int poet_cuda_embed_ints(poet_stream stream, const int *table, const int *index, int *y,
                         poet_fault *fault, const poet_embed_sizes *sizes)
{
    return launch_embed(stream, table, index, y, fault, sizes);
}

/* ---- gradient ---- */

enum { WARP = 32, WARPS = POET_BLOCK / WARP, COLUMNS = 4 };

/* What the rows [first, first + WARP) of one slot add to a code; `column` is the first of this lane. */
static inline __device__ void add_rows(const float *dy, unsigned matches, int first, int column,
                                       int width, float (&sum)[COLUMNS])
{
    while (matches) {
        int row = first + __ffs(static_cast<int>(matches)) - 1;
        matches &= matches - 1;
        for (int k = 0; k < COLUMNS; k++)
            if (column + k * WARP < width)
                sum[k] += dy[static_cast<int64_t>(row) * width + column + k * WARP];
    }
}

/* A block for each row of the table and COLUMNS * WARP of its columns. Its warps share the index in runs of WARP rows; in
 * a warp rows are added in their order, and then the warps. */
static __global__ void embed_bwd(const int *index, const float *dy, float *dtable,
                                 poet_fault *fault, poet_embed_sizes sizes)
{
    __shared__ float part[WARPS][COLUMNS][WARP];
    int lane = static_cast<int>(threadIdx.x), warp = static_cast<int>(threadIdx.y);
    int slot = static_cast<int>(blockIdx.x) / sizes.v,
        code = static_cast<int>(blockIdx.x) % sizes.v;
    int column = static_cast<int>(blockIdx.y) * COLUMNS * WARP + lane;
    float sum[COLUMNS] = {0};
    for (int64_t first = warp * WARP; first < sizes.rows; first += POET_BLOCK) {
        int64_t place = (first + lane) * sizes.slots + slot;
        bool inside = first + lane < sizes.rows;
        int named = inside ? index[place] : 0;
        unsigned matches = __ballot_sync(0xFFFFFFFFU, inside && named == code);
        add_rows(dy, matches, static_cast<int>(first), column, sizes.width, sum);
        if (code == 0 && blockIdx.y == 0 && (named < 0 || named >= sizes.v))
            poet_report(fault, POET_FAULT_INDEX, place);
    }
    for (int k = 0; k < COLUMNS; k++)
        part[warp][k][lane] = sum[k];
    __syncthreads();
    for (int k = warp; k < COLUMNS; k += WARPS) {
        float total = 0;
        for (int w = 0; w < WARPS; w++)
            total += part[w][k][lane];
        if (column + k * WARP < sizes.width)
            dtable[static_cast<int64_t>(blockIdx.x) * sizes.width + column + k * WARP] = total;
    }
}

int poet_cuda_embed_bwd(poet_stream stream, const int *index, const float *dy, float *dtable,
                        poet_fault *fault, const poet_embed_sizes *sizes)
{
    dim3 grid(static_cast<unsigned>(sizes->slots * sizes->v),
              poet_blocks(sizes->width, COLUMNS * WARP));
    return POET_LAUNCH(embed_bwd, grid, dim3(WARP, WARPS), 0, stream, index, dy, dtable, fault,
                       *sizes);
}

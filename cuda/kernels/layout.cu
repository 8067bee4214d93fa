/* Operations that move elements: one thread for each element that is written, so that writes are neighbours; transposes go
 * through a tile in shared memory, so that reads are too. */
#include "cuda/kernels/layout.h"
#include "cuda/kernels/strides.cuh"

/* ---- runs ---- */

template <typename T> static __global__ void copy_runs(const T *x, T *y, poet_runs runs)
{
    int64_t i = poet_thread();
    if (i >= static_cast<int64_t>(runs.rows) * runs.run)
        return;
    int64_t row = i / runs.run, at = i % runs.run;
    y[row * runs.y_pitch + runs.y_start + at] = x[row * runs.x_pitch + runs.x_start + at];
}

template <typename T>
static int launch_runs(poet_stream stream, const void *x, void *y, const poet_runs *runs)
{
    int64_t n = static_cast<int64_t>(runs->rows) * runs->run;
    return POET_LAUNCH(copy_runs<T>, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream,
                       static_cast<const T *>(x), static_cast<T *>(y), *runs);
}

int poet_cuda_copy_runs(poet_stream stream, int bytes, const void *x, void *y,
                        const poet_runs *runs)
{
    return bytes == 4   ? launch_runs<uint32_t>(stream, x, y, runs)
           : bytes == 2 ? launch_runs<uint16_t>(stream, x, y, runs)
                        : launch_runs<uint8_t>(stream, x, y, runs);
}

template <typename T> static __global__ void pad(const T *x, T *y, int n, poet_runs runs)
{
    int64_t i = poet_thread();
    if (i >= n)
        return;
    int64_t row = i / runs.y_pitch, at = i % runs.y_pitch - runs.y_start;
    bool inside = at >= 0 && at < runs.run;
    y[i] = inside ? x[row * runs.x_pitch + runs.x_start + at] : T(0);
}

template <typename T>
static int launch_pad(poet_stream stream, const void *x, void *y, int n, const poet_runs *runs)
{
    return POET_LAUNCH(pad<T>, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream,
                       static_cast<const T *>(x), static_cast<T *>(y), n, *runs);
}

int poet_cuda_pad(poet_stream stream, int bytes, const void *x, void *y, int n,
                  const poet_runs *runs)
{
    return bytes == 4   ? launch_pad<uint32_t>(stream, x, y, n, runs)
           : bytes == 2 ? launch_pad<uint16_t>(stream, x, y, n, runs)
                        : launch_pad<uint8_t>(stream, x, y, n, runs);
}

/* ---- sums ---- */

/* A block sums for `width` neighbours of y, in POET_BLOCK / width threads each and then as a tree. The grid's y cuts what is
 * summed into slices, each with a row of y for itself. Wide where neighbours of y are neighbours in x, else of width 1:
 * then the neighbours in x are summed. */
template <int width> static __global__ void sum(const float *x, float *y, poet_sums sums)
{
    const int height = POET_BLOCK / width;
    __shared__ float part[POET_BLOCK];
    int64_t k = static_cast<int64_t>(blockIdx.x) * width + threadIdx.x, n = sums.n_summed;
    int64_t begin = n * blockIdx.y / gridDim.y, end = n * (blockIdx.y + 1) / gridDim.y;
    int row = static_cast<int>(threadIdx.y), mine = row * width + static_cast<int>(threadIdx.x);
    float total = 0;
    if (k < sums.n_kept) {
        const float *from = x + poet_offset(sums.kept, static_cast<int>(k));
        for (int64_t r = begin + row; r < end; r += height)
            total += from[poet_offset(sums.summed, static_cast<int>(r))];
    }
    part[mine] = total;
    for (int half = height / 2; half > 0; half /= 2) {
        __syncthreads();
        if (row < half)
            part[mine] += part[mine + half * width];
    }
    if (row == 0 && k < sums.n_kept)
        y[static_cast<int64_t>(blockIdx.y) * sums.n_kept + k] = part[mine];
}

enum { WIDE = 32, FEW_TERMS = 16, ENOUGH_BLOCKS = 512 };

static int width_of(const poet_sums *sums)
{
    return sums->kept.stride[0] == 1 ? WIDE : 1;
}

/* So many that the card is filled and no thread has fewer terms than it takes to hide the tree. */
static int slices_of(const poet_sums *sums)
{
    int64_t width = width_of(sums), height = POET_BLOCK / width;
    int64_t blocks = (sums->n_kept + width - 1) / width;
    int64_t most = sums->n_summed / (height * FEW_TERMS), wanted = ENOUGH_BLOCKS / blocks;
    int64_t slices = most < wanted ? most : wanted;
    return static_cast<int>(slices < 1 ? 1 : slices);
}

int64_t poet_cuda_sum_to_parts(const poet_sums *sums)
{
    int64_t slices = slices_of(sums);
    return slices > 1 ? slices * sums->n_kept : 0;
}

static int launch_sum(poet_stream stream, const float *x, float *y, int slices,
                      const poet_sums *sums)
{
    int width = width_of(sums);
    dim3 grid(poet_blocks(sums->n_kept, width), static_cast<unsigned>(slices));
    dim3 block(static_cast<unsigned>(width), static_cast<unsigned>(POET_BLOCK / width));
    return width == WIDE ? POET_LAUNCH(sum<WIDE>, grid, block, 0, stream, x, y, *sums)
                         : POET_LAUNCH(sum<1>, grid, block, 0, stream, x, y, *sums);
}

int poet_cuda_sum_to(poet_stream stream, const float *x, float *y, float *parts,
                     const poet_sums *sums)
{
    int slices = slices_of(sums);
    if (slices == 1)
        return launch_sum(stream, x, y, 1, sums);
    int code = launch_sum(stream, x, parts, slices, sums);
    poet_sums rest = {
        {1, {sums->n_kept}, {1}}, {1, {slices}, {sums->n_kept}}, sums->n_kept, slices};
    return code ? code : launch_sum(stream, parts, y, 1, &rest);
}

/* ---- transpose ---- */

enum { TILE = 32, TILE_ROWS = 8 };

/* The tile has a column too many, so that a column of it lies in all banks. */
static __global__ void transpose(const float *x, float *y, int rows, int columns)
{
    __shared__ float tile[TILE][TILE + 1];
    int64_t row = static_cast<int64_t>(blockIdx.y) * TILE,
            column = static_cast<int64_t>(blockIdx.x) * TILE;
    for (int k = threadIdx.y; k < TILE; k += TILE_ROWS)
        if (row + k < rows && column + threadIdx.x < columns)
            tile[k][threadIdx.x] = x[(row + k) * columns + column + threadIdx.x];
    __syncthreads();
    for (int k = threadIdx.y; k < TILE; k += TILE_ROWS)
        if (column + k < columns && row + threadIdx.x < rows)
            y[(column + k) * rows + row + threadIdx.x] = tile[threadIdx.x][k];
}

int poet_cuda_transpose(poet_stream stream, const float *x, float *y, int rows, int columns)
{
    dim3 grid(poet_blocks(columns, TILE), poet_blocks(rows, TILE)), block(TILE, TILE_ROWS);
    return POET_LAUNCH(transpose, grid, block, 0, stream, x, y, rows, columns);
}

/* ---- patches of 4 frames x p rows x p columns x 3 colours ---- */

enum { PATCH_FRAMES = 4, COLOURS = 3 };

/* An element of the patches: where it lies in the video, and which of the copies of the first frame it is. */
struct patch_place {
    int64_t video;
    int copies; /* PATCH_FRAMES in the first frame, else 1 */
    int frame;  /* within the patch */
};

static inline __device__ patch_place place_of(const poet_patches &s, int i)
{
    int colour = i % COLOURS, x = i / COLOURS % s.p;
    int y = i / COLOURS / s.p % s.p, frame = i / COLOURS / s.p / s.p % PATCH_FRAMES;
    int index = i / COLOURS / s.p / s.p / PATCH_FRAMES;
    int column = index % s.columns, row = index / s.columns % s.rows;
    int group = index / s.columns / s.rows % s.groups;
    int64_t b = index / s.columns / s.rows / s.groups;
    int t = group == 0 ? 0 : 1 + PATCH_FRAMES * (group - 1) + frame;
    int64_t line = ((b * (1 + PATCH_FRAMES * (s.groups - 1)) + t) * s.rows + row) * s.p + y;
    return {((line * s.columns + column) * s.p + x) * COLOURS + colour,
            group == 0 ? PATCH_FRAMES : 1, frame};
}

static inline __device__ float pixel(const float *video, int64_t i)
{
    return video[i];
}

static inline __device__ float pixel(const uint8_t *video, int64_t i)
{
    return static_cast<float>(video[i]) / 127.5F - 1;
}

template <typename T>
static __global__ void patchify(const T *video, float *patches, poet_patches sizes)
{
    int64_t i = poet_thread();
    if (i < sizes.n)
        patches[i] = pixel(video, place_of(sizes, static_cast<int>(i)).video);
}

int poet_cuda_patchify(poet_stream stream, const void *video, int is_u8, float *patches,
                       const poet_patches *sizes)
{
    unsigned blocks = poet_blocks(sizes->n, POET_BLOCK);
    return is_u8 ? POET_LAUNCH(patchify<uint8_t>, blocks, POET_BLOCK, 0, stream,
                               static_cast<const uint8_t *>(video), patches, *sizes)
                 : POET_LAUNCH(patchify<float>, blocks, POET_BLOCK, 0, stream,
                               static_cast<const float *>(video), patches, *sizes);
}

/* The first frame is the mean of its four copies, written by the thread of the first. */
static __global__ void unpatchify(const float *patches, float *video, poet_patches sizes)
{
    int64_t i = poet_thread();
    if (i >= sizes.n)
        return;
    patch_place at = place_of(sizes, static_cast<int>(i));
    if (at.copies > 1 && at.frame > 0)
        return;
    float sum = 0;
    for (int k = 0; k < at.copies; k++)
        sum += patches[i + static_cast<int64_t>(k) * sizes.p * sizes.p * COLOURS];
    video[at.video] = sum / static_cast<float>(at.copies);
}

int poet_cuda_unpatchify(poet_stream stream, const float *patches, float *video,
                         const poet_patches *sizes)
{
    return POET_LAUNCH(unpatchify, poet_blocks(sizes->n, POET_BLOCK), POET_BLOCK, 0, stream,
                       patches, video, *sizes);
}

/* Halves round to even, a NaN becomes 0. In double, so that the rounding is that of the reference. */
static __global__ void to_bytes(const float *x, uint8_t *y, int n)
{
    int64_t i = poet_thread();
    if (i >= n)
        return;
    double v = rint((static_cast<double>(x[i]) + 1) * 127.5);
    y[i] = static_cast<uint8_t>(v > 0 ? fmin(v, 255.0) : 0.0);
}

int poet_cuda_to_bytes(poet_stream stream, const float *x, uint8_t *y, int n)
{
    return POET_LAUNCH(to_bytes, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, x, y, n);
}

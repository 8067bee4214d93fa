/* Operations that move elements: cuts and joins, transposes, patches, bytes; and the sums of broadcasts. */
#ifndef POET_CUDA_KERNELS_LAYOUT_H
#define POET_CUDA_KERNELS_LAYOUT_H

#include "cuda/kernels/launch.h"
#include "cuda/kernels/strides.h"

#ifdef __cplusplus
extern "C" {
#endif

/* For each of `rows` rows, `run` neighbours from x to y: row r begins at r pitch + start. */
typedef struct poet_runs {
    int rows, run;
    int x_pitch, x_start;
    int y_pitch, y_start;
} poet_runs;

/* Elements of `bytes` bytes: 1, 2 or 4. */
int poet_cuda_copy_runs(poet_stream stream, int bytes, const void *x, void *y,
                        const poet_runs *runs);

/* y (n) is x in runs, and 0 everywhere else. The pitch of y is its row. */
int poet_cuda_pad(poet_stream stream, int bytes, const void *x, void *y, int n,
                  const poet_runs *runs);

/* Which elements of x are summed: those of `kept` give an element of y each, those of `summed` go into it. Strides are
 * x's. */
typedef struct poet_sums {
    poet_strides kept, summed;
    int n_kept, n_summed;
} poet_sums;

/* The floats of `parts` that sum_to wants; 0 where it can do without. */
int64_t poet_cuda_sum_to_parts(const poet_sums *sums);

/* y (n_kept), in an order that depends on the shapes alone. */
int poet_cuda_sum_to(poet_stream stream, const float *x, float *y, float *parts,
                     const poet_sums *sums);

/* x (R,C) -> y (C,R). */
int poet_cuda_transpose(poet_stream stream, const float *x, float *y, int rows, int columns);

/* Sizes of patches (B,groups,rows,columns,4*p*p*3). */
typedef struct poet_patches {
    int n; /* elements */
    int groups, rows, columns, p;
} poet_patches;

/* As poet_patchify and poet_unpatchify of compute/graph.h. is_u8: video is bytes. */
int poet_cuda_patchify(poet_stream stream, const void *video, int is_u8, float *patches,
                       const poet_patches *sizes);
int poet_cuda_unpatchify(poet_stream stream, const float *patches, float *video,
                         const poet_patches *sizes);

int poet_cuda_to_bytes(poet_stream stream, const float *x, uint8_t *y, int n);

#ifdef __cplusplus
}
#endif

#endif

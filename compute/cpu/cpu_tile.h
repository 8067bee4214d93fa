/* The one inner loop of all products: a tile of at most TILE_ROWS x PANEL results,
 *
 *     c[i][j] (+)= sum over k of a[i][k] * b[k][j],  j < PANEL,
 *
 * each result one chain of fused multiply-adds over k in ascending order, so that its bits depend
 * neither on the other rows of the tile nor on who computes it. a[i][k] is a[i * row + k * step]:
 * either operand of a product may thus be read transposed. b is a panel: k rows of PANEL
 * neighbours, `stride` floats apart. */
#ifndef POET_COMPUTE_CPU_TILE_H
#define POET_COMPUTE_CPU_TILE_H

#include "compute/cpu/cpu_vec.h"

#include <stdbool.h>

enum { TILE_ROWS = 6, PANEL = 16 };

typedef struct tile_a {
    const float *at;
    int64_t row, step;
} tile_a;

typedef struct tile_b {
    const float *at;
    int64_t stride;
} tile_b;

typedef struct tile_c {
    float *at;
    int64_t row;
    bool add; /* to what is there; else it is overwritten */
} tile_c;

VEC_INLINE void tile_fixed(const int rows, int64_t k_count, tile_a a, tile_b b, tile_c c)
{
    vf sum[TILE_ROWS][2];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        sum[i][0] = c.add ? vf_load(c.at + i * c.row) : vf_all(0);
        sum[i][1] = c.add ? vf_load(c.at + i * c.row + LANES) : vf_all(0);
    }
    for (int64_t k = 0; k < k_count; k++) {
        vf b0 = vf_load(b.at + k * b.stride), b1 = vf_load(b.at + k * b.stride + LANES);
        const float *ak = a.at + k * a.step;
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            vf ai = vf_all(ak[i * a.row]);
            sum[i][0] = vf_fma(ai, b0, sum[i][0]);
            sum[i][1] = vf_fma(ai, b1, sum[i][1]);
        }
    }
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        vf_store(c.at + i * c.row, sum[i][0]);
        vf_store(c.at + i * c.row + LANES, sum[i][1]);
    }
}

static inline VEC void tile(int rows, int64_t k_count, tile_a a, tile_b b, tile_c c)
{
    switch (rows) {
    case 1: tile_fixed(1, k_count, a, b, c); break;
    case 2: tile_fixed(2, k_count, a, b, c); break;
    case 3: tile_fixed(3, k_count, a, b, c); break;
    case 4: tile_fixed(4, k_count, a, b, c); break;
    case 5: tile_fixed(5, k_count, a, b, c); break;
    default: tile_fixed(6, k_count, a, b, c); break;
    }
}

#endif

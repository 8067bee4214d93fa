/* Products of bf16 matrices with sums in f32, in the tile registers of AMX (Intel 64 and IA-32 Architectures Software
 * Developer's Manual, volume 2: TDPBF16PS).
 *
 *     c (rows x columns) (+)= a (rows x depth) b (depth x columns)
 *
 * a is row-major. b is in panels of AMX_SIDE columns, and in a panel two rows are woven together: element (k, j) is at
 * [j / 16][k / 2][j % 16][k % 2]. rows is whole blocks of AMX_ROWS, columns of AMX_SIDE, depth of AMX_DEPTH.
 *
 * AMX marks the functions that use tiles and 512-bit vectors; they are only called where poet_cpu_amx() says so, on a
 * thread that is between amx_begin() and amx_end(). */
#ifndef POET_COMPUTE_CPU_AMX_H
#define POET_COMPUTE_CPU_AMX_H

#include <stdbool.h>
#include <stdint.h>

enum { AMX_SIDE = 16, AMX_ROWS = 2 * AMX_SIDE, AMX_DEPTH = 32 };

/* Whether the processor has tiles of bf16 and the system lets this process use them. */
bool poet_cpu_amx(void);

#if defined(__x86_64__) && defined(__linux__)

#include <immintrin.h>

#define AMX __attribute__((target("avx512f,avx512bw,avx512bf16,amx-tile,amx-bf16")))
#define AMX_INLINE static inline __attribute__((always_inline, unused)) AMX

typedef struct amx_a {
    const uint16_t *at;
    int64_t row;
} amx_a;

typedef struct amx_b {
    const uint16_t *at;
    int64_t panel; /* elements from one panel to the next */
} amx_b;

typedef struct amx_c {
    float *at;
    int64_t row;
    bool add; /* to what is there; else it is overwritten */
} amx_c;

/* All eight tiles: 16 rows of 64 bytes. */
AMX_INLINE void amx_begin(void)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } shape = {.palette = 1};

    for (int i = 0; i < 8; i++) {
        shape.row_bytes[i] = 64;
        shape.rows[i] = AMX_SIDE;
    }
    _tile_loadconfig(&shape);
}

AMX_INLINE void amx_end(void)
{
    _tile_release();
}

/* AMX_ROWS rows of one panel, or of two. Tiles: 0 and 2 sums of the first panel, 1 and 3 of the second; 4 and 5 a; 6 and 7 b. */
AMX_INLINE void amx_block(const bool two, int64_t depth, amx_a a, amx_b b, amx_c c)
{
    const int64_t a_bytes = a.row * 2, c_bytes = c.row * 4, b_bytes = 64;
    const uint16_t *a_low = a.at + AMX_SIDE * a.row;
    float *c_low = c.at + AMX_SIDE * c.row;
    if (c.add) {
        _tile_loadd(0, c.at, c_bytes);
        _tile_loadd(2, c_low, c_bytes);
        if (two) {
            _tile_loadd(1, c.at + AMX_SIDE, c_bytes);
            _tile_loadd(3, c_low + AMX_SIDE, c_bytes);
        }
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int64_t k = 0; k < depth; k += AMX_DEPTH) {
        _tile_loadd(6, b.at + k * AMX_SIDE, b_bytes);
        _tile_loadd(4, a.at + k, a_bytes);
        _tile_loadd(5, a_low + k, a_bytes);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(2, 5, 6);
        if (two) {
            _tile_loadd(7, b.at + b.panel + k * AMX_SIDE, b_bytes);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, c.at, c_bytes);
    _tile_stored(2, c_low, c_bytes);
    if (two) {
        _tile_stored(1, c.at + AMX_SIDE, c_bytes);
        _tile_stored(3, c_low + AMX_SIDE, c_bytes);
    }
}

static inline AMX void amx_product(int64_t rows, int64_t columns, int64_t depth, amx_a a, amx_b b,
                                   amx_c c)
{
    __asm__ volatile("" ::: "memory"); /* the compiler does not know that tile loads read memory */
    for (int64_t i = 0; i < rows; i += AMX_ROWS)
        for (int64_t j = 0; j < columns; j += 2 * AMX_SIDE) {
            amx_a ai = {a.at + i * a.row, a.row};
            amx_b bj = {b.at + j / AMX_SIDE * b.panel, b.panel};
            amx_c cij = {c.at + i * c.row + j, c.row, c.add};
            if (columns - j > AMX_SIDE)
                amx_block(true, depth, ai, bj, cij);
            else
                amx_block(false, depth, ai, bj, cij);
        }
    __asm__ volatile("" ::: "memory");
}

#endif

#endif

/* mma.sync.aligned.m16n8k16.row.col.f32.{bf16.bf16,f16.f16}.f32, and m16n8k8 for f16: the warp's matrices are put together from
 * what each lane holds by the ISA's formulas, "Matrix Fragments for mma.m16n8k16 with floating point type" and "for mma.m16n8k8",
 * which for its fewer elements says the same; multiplied, and handed out again. The ISA leaves open how sums are rounded
 * between; here they are rounded once. */
#include "tests/cuda/ptx/machine_internal.h"

#include <string.h>

enum { ROWS = 16, COLUMNS = 8, TERMS = 16 };

typedef struct matrices {
    double a[ROWS][TERMS], b[TERMS][COLUMNS], c[ROWS][COLUMNS];
} matrices;

static double f32(uint64_t word)
{
    uint32_t bits = (uint32_t)word;
    float x;
    memcpy(&x, &bits, sizeof x);
    return (double)x;
}

static double element(const ptx_instruction *in, uint64_t word, int half)
{
    return f32(in->function(word >> 16 * half & 0xFFFF, 0, 0));
}

/* Row and column of element i of a lane's part of a. */
static int a_row(int lane, int i)
{
    return (lane >> 2) + ((i >= 0 && i < 2) || (i >= 4 && i < 6) ? 0 : 8);
}

static int a_column(int lane, int i)
{
    return lane % 4 * 2 + (i & 1) + (i < 4 ? 0 : 8);
}

static int b_row(int lane, int i)
{
    return lane % 4 * 2 + (i & 1) + (i < 2 ? 0 : 8);
}

static int c_row(int lane, int i)
{
    return (lane >> 2) + (i < 2 ? 0 : 8);
}

static int c_column(int lane, int i)
{
    return lane % 4 * 2 + (i & 1);
}

static void gather(const ptx_instruction *in, int lane, const uint64_t *slot, matrices *m)
{
    for (int i = 0; i < in->n / 2; i++)
        m->a[a_row(lane, i)][a_column(lane, i)] = element(in, slot[in->part[i / 2]], i % 2);
    for (int i = 0; i < in->n / 4; i++)
        m->b[b_row(lane, i)][lane >> 2] = element(in, slot[in->part[4 + i / 2]], i % 2);
    for (int i = 0; i < 4; i++)
        m->c[c_row(lane, i)][c_column(lane, i)] = f32(slot[in->part[6 + i]]);
}

void ptx_product(const ptx_instruction *instruction, uint64_t *const slot[PTX_WARP])
{
    matrices m;
    for (int lane = 0; lane < PTX_WARP; lane++)
        gather(instruction, lane, slot[lane], &m);
    for (int row = 0; row < ROWS; row++)
        for (int column = 0; column < COLUMNS; column++)
            for (int k = 0; k < instruction->n; k++)
                m.c[row][column] += m.a[row][k] * m.b[k][column];
    for (int lane = 0; lane < PTX_WARP; lane++)
        for (int i = 0; i < 4; i++) {
            float x = (float)m.c[c_row(lane, i)][c_column(lane, i)];
            uint32_t bits;
            memcpy(&bits, &x, sizeof bits);
            slot[lane][instruction->dst[i]] = bits;
        }
}

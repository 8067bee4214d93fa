/* What tensor cores do: a warp's d (16,8) += a (16,16) b (8,16)', operands in bf16 or f16, sums in f32.
 *
 * Every lane has a part of each, as words of two neighbours in k, the lower half the first. Lane 4 g + t holds
 *
 *     a: the words at (row,k) of (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8)
 *     b: those at (column,k) of (g, 2t), (g, 2t + 8)
 *     d: the sums at (row,column) of (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)
 *
 * (PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type"). Turing has half of it, for f16 alone: of the words
 * above, the first two of a and the first of b are a product over 8 k ("Matrix Fragments for mma.m16n8k8"), and the others
 * the next one.
 *
 * Products are exact; in which order a card adds them, and how it rounds between, is its own affair, but the same each time:
 * the ISA promises nothing but f32, so that a sum of K terms is as good as one in f32 in any order. The host build adds in the
 * order of k. The first argument is a number of the type of the operands. */
#pragma once

#include "cuda/kernels/f16.cuh"
#include "cuda/kernels/launch.cuh"

#ifdef __CUDACC__

/* From compute capability 8.0 on; code for older cards has the kernel, which is never launched there. */
static inline __device__ void poet_mma(uint16_t, float (&d)[4], const unsigned (&a)[4],
                                       const unsigned (&b)[2])
{
#if __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    (void)d;
    (void)a;
    (void)b;
    __trap();
#endif
}

/* From compute capability 7.5 on. */
static inline __device__ void poet_mma(poet_f16, float (&d)[4], const unsigned (&a)[4],
                                       const unsigned (&b)[2])
{
#if __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif __CUDA_ARCH__ >= 750
    for (int half = 0; half < 2; half++)
        asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
            "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
            : "r"(a[2 * half]), "r"(a[2 * half + 1]), "r"(b[half]));
#else
    (void)d;
    (void)a;
    (void)b;
    __trap();
#endif
}

#else

/* The number in one half of a word. */
template <typename Element> static inline float poet_half_of(unsigned word, int half)
{
    uint16_t bits = static_cast<uint16_t>(word >> (16 * half));
    Element x;
    std::memcpy(&x, &bits, sizeof x);
    return poet_value(x);
}

/* Lanes show each other their words. */
template <typename Element>
static inline void poet_mma(Element, float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2])
{
    static unsigned shown_a[POET_BLOCK][4], shown_b[POET_BLOCK][2];
    int thread = static_cast<int>(threadIdx.x), warp = thread / 32 * 32;
    int g = thread % 32 / 4, t = thread % 4;
    std::memcpy(shown_a[thread], a, sizeof a);
    std::memcpy(shown_b[thread], b, sizeof b);
    __syncwarp();
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 16; k++) {
            int lane = k % 8 / 2, upper = k / 8;
            unsigned x = shown_a[warp + 4 * g + lane][i / 2 + 2 * upper];
            unsigned y = shown_b[warp + 4 * (2 * t + i % 2) + lane][upper];
            d[i] = fmaf(poet_half_of<Element>(x, k % 2), poet_half_of<Element>(y, k % 2), d[i]);
        }
    __syncwarp();
}

#endif

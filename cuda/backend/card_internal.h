/* What a card can do at best, and what it uses: its peaks from its properties, its energy from NVIDIA's management library
 * (NVML), which the driver brings and which is opened late. */
#ifndef POET_CUDA_BACKEND_CARD_INTERNAL_H
#define POET_CUDA_BACKEND_CARD_INTERNAL_H

#include "base/status.h"

#include <stdbool.h>

/* Clocks are the highest that the card boosts to, of memory before any factor for transfers on both edges. */
typedef struct poet_card {
    int capability; /* 61: compute capability 6.1 */
    int multiprocessors;
    int clock_khz, memory_clock_khz;
    int bus_bits;
} poet_card;

/* FLOP/s, a multiply-add as two, and bytes/s of the memory, two transfers a cycle. 0: there is no such unit, the capability is
 * not known here, or the card does not tell its clocks. What a multiprocessor does in a cycle is for f32 and __dp4a in
 * NVIDIA, "CUDA C++ Programming Guide", table "Throughput of Native Arithmetic Instructions"; for tensor cores, whose sums
 * are f32, it is in the papers on each architecture, of its GeForce cards where these are slower than others. */
typedef struct poet_peaks {
    double f32, int8, tensor, bandwidth;
} poet_peaks;

poet_peaks poet_card_peaks(const poet_card *card);

/* ---- energy ---- */

typedef struct poet_nvml poet_nvml;

#define POET_NVML_LIBRARY "libnvidia-ml.so.1"

/* The counter of the card at a PCI address, "0000:65:00.0"; CUDA's numbers of cards are others than NVML's. NULL where there is no
 * such library, card or counter. Cards before Volta count no energy: their power is sampled by a thread. */
poet_nvml *poet_nvml_open(const char *library, const char *bus_id);
void poet_nvml_close(poet_nvml *nvml); /* NULL is fine */

/* Joules of the whole card since it was opened. False: the driver does not say any more. */
bool poet_nvml_joules(poet_nvml *nvml, double *joules);

#endif

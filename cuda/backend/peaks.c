#include "cuda/backend/card_internal.h"

/* Of a multiprocessor in a cycle: multiply-adds in f32, instructions of four 8-bit products, and FLOP of tensor cores whose
 * operands are f16 or bf16 and whose sums are f32. */
typedef struct rates {
    int capability, f32, dot, tensor;
} rates;

static const rates known[] = {
    {50, 128, 0, 0},    {52, 128, 0, 0},     {60, 64, 0, 0},       {61, 128, 128, 0},
    {70, 64, 64, 1024}, {75, 64, 64, 1024},  {80, 64, 64, 2048},   {86, 128, 64, 512},
    {89, 128, 64, 512}, {90, 128, 64, 4096}, {100, 128, 64, 8192}, {120, 128, 128, 512},
};

static rates rates_of(int capability)
{
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].capability == capability)
            return known[i];
    return (rates){0};
}

poet_peaks poet_card_peaks(const poet_card *card)
{
    rates r = rates_of(card->capability);
    double cycles = card->multiprocessors * (card->clock_khz * 1e3);
    return (poet_peaks){.f32 = 2 * r.f32 * cycles,
                        .int8 = 8 * r.dot * cycles,
                        .tensor = r.tensor * cycles,
                        .bandwidth = 2 * (card->memory_clock_khz * 1e3) * card->bus_bits / 8};
}

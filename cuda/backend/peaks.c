#include "cuda/backend/card_internal.h"

/* Multiply-adds in f32 of a multiprocessor in a cycle. */
static int lanes_of(int capability)
{
    switch (capability / 10) {
    case 5: return 128;
    case 6: return capability == 60 ? 64 : 128;
    case 7: return 64;
    case 8: return capability == 80 ? 64 : 128;
    case 9:
    case 10:
    case 12: return 128;
    default: return 0;
    }
}

double poet_card_flops(const poet_card *card)
{
    return 2.0 * lanes_of(card->capability) * card->multiprocessors * card->clock_khz * 1e3;
}

double poet_card_bandwidth(const poet_card *card)
{
    return 2.0 * card->memory_clock_khz * 1e3 * card->bus_bits / 8;
}

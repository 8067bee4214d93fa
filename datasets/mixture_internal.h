/* Several datasets as one. */
#ifndef POET_DATASETS_MIXTURE_INTERNAL_H
#define POET_DATASETS_MIXTURE_INTERNAL_H

#include "datasets/dataset.h"

typedef struct poet_mixture {
    poet_dataset *source[POET_MAX_SOURCES];
    int n;
} poet_mixture;

uint64_t poet_mixture_count(const poet_mixture *mixture, poet_split split);

/* Whose clip is at an index below the count, and which of its own. Sources are taken in turn, each until it has no more. */
const poet_dataset *poet_mixture_find(const poet_mixture *mixture, poet_split split, uint64_t index,
                                      uint64_t *own);

#endif

#include "datasets/mixture_internal.h"

uint64_t poet_mixture_count(const poet_mixture *m, poet_split split)
{
    uint64_t sum = 0;
    for (int s = 0; s < m->n; s++)
        sum += poet_dataset_count(m->source[s], split);
    return sum;
}

/* Sources with more than begin clips, and the fewest that one of these has. */
static int sources_beyond(const poet_mixture *m, poet_split split, uint64_t begin, uint64_t *end)
{
    int n = 0;
    *end = UINT64_MAX;
    for (int s = 0; s < m->n; s++) {
        uint64_t count = poet_dataset_count(m->source[s], split);
        n += count > begin;
        *end = count > begin && count < *end ? count : *end;
    }
    return n;
}

/* Between two numbers of clips that sources have, the turns are all alike. */
const poet_dataset *poet_mixture_find(const poet_mixture *m, poet_split split, uint64_t index,
                                      uint64_t *own)
{
    uint64_t begin = 0, end;
    uint64_t n = (uint64_t)sources_beyond(m, split, begin, &end);
    while (index >= (end - begin) * n) {
        index -= (end - begin) * n;
        begin = end;
        n = (uint64_t)sources_beyond(m, split, begin, &end);
    }
    uint64_t place = index % n;
    *own = begin + index / n;
    for (int s = 0;; s++)
        if (poet_dataset_count(m->source[s], split) > begin && place-- == 0)
            return m->source[s];
}

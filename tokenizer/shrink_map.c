/* The methods of shrinking: each decides which old code becomes which new one. */
#include "tokenizer/shrink.h"

#include "base/memory.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One level of a codebook. */
typedef struct level {
    int codes, dim, kept;
    const float *points;
    const double *weights;
    int32_t *map; /* (codes), the result */
} level;

static double squared(const float *a, const float *b, int dim)
{
    double sum = 0;
    for (int d = 0; d < dim; d++)
        sum += ((double)a[d] - (double)b[d]) * ((double)a[d] - (double)b[d]);
    return sum;
}

static const float *point(const level *l, int code)
{
    return l->points + (size_t)code * (size_t)l->dim;
}

/* Names of clusters become 0..K'-1, by their lowest code. number has room for the names, all -1. */
static void renumber(const level *l, int32_t *number)
{
    int32_t next = 0;
    for (int i = 0; i < l->codes; i++) {
        int32_t *n = &number[l->map[i]];
        if (*n < 0)
            *n = next++;
        l->map[i] = *n;
    }
}

/* ---- merge ---- */

static poet_status cut_tree(const level *l, const poet_merge *merges)
{
    int joined = l->codes - l->kept, nodes = l->codes + joined;
    int32_t *top = poet_alloc((size_t)nodes * sizeof *top);
    int32_t *number = poet_alloc((size_t)nodes * sizeof *number);
    if (top && number) {
        for (int i = 0; i < nodes; i++) {
            top[i] = i;
            number[i] = -1;
        }
        for (int i = joined - 1; i >= 0; i--) /* from the last: a node's own top is final */
            top[merges[i].a] = top[merges[i].b] = top[l->codes + i];
        memcpy(l->map, top, (size_t)l->codes * sizeof *top);
        renumber(l, number);
    }
    bool all = top && number;
    poet_free(number);
    poet_free(top);
    return all ? POET_OK : POET_ERR_NOMEM;
}

/* ---- survivors: least used, random, nested ---- */

typedef struct used {
    double weight;
    int32_t code;
} used;

static int by_use(const void *a, const void *b)
{
    const used *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return x->code < y->code ? -1 : 1;
}

static poet_status most_used(const level *l, bool *stays)
{
    used *order = poet_alloc((size_t)l->codes * sizeof *order);
    if (!order)
        return POET_ERR_NOMEM;
    for (int i = 0; i < l->codes; i++)
        order[i] = (used){l->weights[i], i};
    qsort(order, (size_t)l->codes, sizeof *order, by_use);
    for (int i = 0; i < l->kept; i++)
        stays[order[i].code] = true;
    poet_free(order);
    return POET_OK;
}

/* The first codes of an order; those that are dropped only where there are too few others. */
static void first_codes(const level *l, const uint32_t *order, bool *stays)
{
    int left = l->kept;
    for (int dropped = 0; dropped < 2; dropped++)
        for (int i = 0; i < l->codes && left; i++)
            if (dropped == (l->weights[order[i]] <= POET_UNUSED_DROPPED)) {
                stays[order[i]] = true;
                left--;
            }
}

/* In the order of their rows, or with rng in any. */
static poet_status ordered_codes(const level *l, poet_rng *rng, bool *stays)
{
    uint32_t *order = poet_alloc((size_t)l->codes * sizeof *order);
    if (!order)
        return POET_ERR_NOMEM;
    for (uint32_t i = 0; i < (uint32_t)l->codes; i++)
        order[i] = i;
    if (rng)
        poet_rng_permutation(rng, (uint32_t)l->codes, order);
    first_codes(l, order, stays);
    poet_free(order);
    return POET_OK;
}

/* New codes are the survivors in order. vectors (K',dim) become theirs. */
static void hand_over(const level *l, const bool *stays, const float *old, float *vectors)
{
    size_t row = (size_t)l->dim * sizeof *vectors;
    int32_t next = 0;
    for (int i = 0; i < l->codes; i++)
        if (stays[i]) {
            l->map[i] = next;
            memcpy(vectors + (size_t)next * (size_t)l->dim, old + (size_t)i * (size_t)l->dim, row);
            next++;
        }
    for (int i = 0; i < l->codes; i++) {
        double least = INFINITY;
        for (int j = 0; j < l->codes && !stays[i]; j++) {
            double d = stays[j] ? squared(point(l, i), point(l, j), l->dim) : INFINITY;
            if (d < least) {
                least = d;
                l->map[i] = l->map[j];
            }
        }
    }
}

/* ---- k-means ---- */

typedef struct kmeans {
    const level *l;
    double *centers;      /* (K',dim) */
    double *mass;         /* (K') */
    double *distance;     /* (K): squared, to the nearest centre so far */
    int32_t *size, *name; /* (K'): members; a number for renumbering */
} kmeans;

static double to_center(const kmeans *m, int code, int center)
{
    const float *x = point(m->l, code);
    const double *c = m->centers + (size_t)center * (size_t)m->l->dim;
    double sum = 0;
    for (int d = 0; d < m->l->dim; d++)
        sum += ((double)x[d] - c[d]) * ((double)x[d] - c[d]);
    return sum;
}

static void set_center(kmeans *m, int center, int code)
{
    for (int d = 0; d < m->l->dim; d++)
        m->centers[center * m->l->dim + d] = (double)point(m->l, code)[d];
}

/* A code by its share of weight times squared distance; by weight alone where all distances are none. */
static int draw(const kmeans *m, poet_rng *rng)
{
    double total = 0, weight = 0;
    for (int i = 0; i < m->l->codes; i++) {
        total += m->l->weights[i] * m->distance[i];
        weight += m->l->weights[i];
    }
    double left = (double)poet_rng_u32(rng) / 4294967296.0 * (total > 0 ? total : weight);
    int last = 0;
    for (int i = 0; i < m->l->codes; i++) {
        double share = m->l->weights[i] * (total > 0 ? m->distance[i] : 1);
        if (share <= 0)
            continue;
        last = i;
        if (left < share)
            break;
        left -= share;
    }
    return last;
}

static void start_centers(kmeans *m, poet_rng *rng)
{
    for (int i = 0; i < m->l->codes; i++)
        m->distance[i] = 1;
    for (int c = 0; c < m->l->kept; c++) {
        set_center(m, c, draw(m, rng));
        for (int i = 0; i < m->l->codes; i++) {
            double d = to_center(m, i, c);
            m->distance[i] = c ? fmin(m->distance[i], d) : d;
        }
    }
}

/* Each code to its nearest centre, among equals the lowest; true when one has moved. */
static bool assign_codes(kmeans *m)
{
    bool moved = false;
    memset(m->size, 0, (size_t)m->l->kept * sizeof *m->size);
    for (int i = 0; i < m->l->codes; i++) {
        int32_t best = 0;
        m->distance[i] = INFINITY;
        for (int32_t c = 0; c < m->l->kept; c++) {
            double d = to_center(m, i, c);
            if (d < m->distance[i]) {
                m->distance[i] = d;
                best = c;
            }
        }
        moved |= m->l->map[i] != best;
        m->l->map[i] = best;
        m->size[best]++;
    }
    return moved;
}

/* A centre without codes takes the one that costs most where it is, if it is not alone there. */
static void fill_empty(kmeans *m)
{
    for (int32_t c = 0; c < m->l->kept; c++) {
        if (m->size[c])
            continue;
        int worst = -1;
        for (int i = 0; i < m->l->codes; i++)
            if (m->size[m->l->map[i]] > 1 &&
                (worst < 0 ||
                 m->l->weights[i] * m->distance[i] > m->l->weights[worst] * m->distance[worst]))
                worst = i;
        m->size[m->l->map[worst]]--;
        m->l->map[worst] = c;
        m->size[c] = 1;
        m->distance[worst] = 0;
    }
}

static void move_centers(kmeans *m)
{
    size_t dim = (size_t)m->l->dim;
    memset(m->centers, 0, (size_t)m->l->kept * dim * sizeof *m->centers);
    memset(m->mass, 0, (size_t)m->l->kept * sizeof *m->mass);
    for (int i = 0; i < m->l->codes; i++) {
        size_t c = (size_t)m->l->map[i];
        m->mass[c] += m->l->weights[i];
        for (size_t d = 0; d < dim; d++)
            m->centers[c * dim + d] += m->l->weights[i] * (double)point(m->l, i)[d];
    }
    for (size_t i = 0; i < (size_t)m->l->kept * dim; i++)
        m->centers[i] /= m->mass[i / dim];
}

static poet_status cluster_codes(const level *l, poet_rng *rng)
{
    enum { ROUNDS = 100 };

    size_t kept = (size_t)l->kept, codes = (size_t)l->codes;
    kmeans m = {.l = l,
                .centers = poet_alloc(kept * (size_t)l->dim * sizeof *m.centers),
                .mass = poet_alloc(kept * sizeof *m.mass),
                .distance = poet_alloc(codes * sizeof *m.distance),
                .size = poet_alloc(kept * sizeof *m.size),
                .name = poet_alloc(kept * sizeof *m.name)};
    bool all = m.centers && m.mass && m.distance && m.size && m.name;
    if (all) {
        start_centers(&m, rng);
        for (int round = 0; round < ROUNDS && assign_codes(&m); round++) {
            fill_empty(&m);
            move_centers(&m);
        }
        fill_empty(&m);
        for (int c = 0; c < l->kept; c++)
            m.name[c] = -1;
        renumber(l, m.name);
    }
    poet_free(m.name);
    poet_free(m.size);
    poet_free(m.distance);
    poet_free(m.mass);
    poet_free(m.centers);
    return all ? POET_OK : POET_ERR_NOMEM;
}

/* ---- one interface ---- */

/* out (K',dim): weighted means of the members' vectors. */
static poet_status mean_vectors(const level *l, const float *vectors, float *out)
{
    size_t dim = (size_t)l->dim, kept = (size_t)l->kept;
    double *sum = poet_calloc(kept * (dim + 1), sizeof *sum), *mass = sum + kept * dim;
    if (!sum)
        return POET_ERR_NOMEM;
    for (size_t i = 0; i < (size_t)l->codes; i++) {
        size_t c = (size_t)l->map[i];
        mass[c] += l->weights[i];
        for (size_t d = 0; d < dim; d++)
            sum[c * dim + d] += l->weights[i] * (double)vectors[i * dim + d];
    }
    for (size_t i = 0; i < kept * dim; i++)
        out[i] = (float)(sum[i] / mass[i / dim]);
    poet_free(sum);
    return POET_OK;
}

static poet_status choose_survivors(const level *l, poet_shrink_method method, poet_rng *rng,
                                    bool *stays)
{
    if (method == POET_SHRINK_LEAST_USED)
        return most_used(l, stays);
    return ordered_codes(l, method == POET_SHRINK_RANDOM ? rng : NULL, stays);
}

static poet_status keep_survivors(const level *l, poet_shrink_method method, poet_rng *rng,
                                  const float *old, float *vectors)
{
    bool *stays = poet_calloc((size_t)l->codes, sizeof *stays);
    if (!stays)
        return POET_ERR_NOMEM;
    poet_status status = choose_survivors(l, method, rng, stays);
    if (!status)
        hand_over(l, stays, old, vectors);
    poet_free(stays);
    return status;
}

static level level_of(const poet_codebook *book, const poet_shrink_map *map, int number)
{
    size_t at = (size_t)number * (size_t)book->codes;
    return (level){.codes = book->codes,
                   .dim = book->dim,
                   .kept = map->kept,
                   .points = book->points + at * (size_t)book->dim,
                   .weights = book->weights + at,
                   .map = map->map + at};
}

static poet_status shrink_level(const poet_codebook *book, poet_shrink_method method,
                                const poet_merge_tree *tree, uint64_t seed, int number,
                                poet_shrink_map *out)
{
    level l = level_of(book, out, number);
    const float *old = book->vectors + (size_t)number * (size_t)book->codes * (size_t)book->dim;
    float *vectors = out->vectors + (size_t)number * (size_t)out->kept * (size_t)out->dim;
    poet_rng rng;
    poet_rng_init(&rng, seed, (uint64_t)number);
    if (method != POET_SHRINK_MERGE && method != POET_SHRINK_KMEANS)
        return keep_survivors(&l, method, &rng, old, vectors);
    for (int i = 0; i < l.codes; i++)
        l.map[i] = -1;
    POET_TRY(method == POET_SHRINK_MERGE
                 ? cut_tree(&l, tree->merges + (size_t)number * (size_t)(book->codes - 1))
                 : cluster_codes(&l, &rng));
    return mean_vectors(&l, old, vectors);
}

poet_status poet_shrink_map_create(const poet_codebook *book, poet_shrink_method method,
                                   const poet_merge_tree *tree, uint64_t seed, int kept,
                                   poet_shrink_map *out)
{
    *out = (poet_shrink_map){
        .levels = book->levels, .codes = book->codes, .kept = kept, .dim = book->dim};
    if (kept < 2 || kept > book->codes)
        return POET_FAIL(POET_ERR_ARG,
                         "a codebook of %d cannot be shrunk to %d codes: 2 to %d are possible",
                         book->codes, kept, book->codes);
    size_t levels = (size_t)book->levels;
    out->map = poet_calloc(levels * (size_t)book->codes, sizeof *out->map);
    out->vectors = poet_calloc(levels * (size_t)kept * (size_t)book->dim, sizeof *out->vectors);
    poet_status status = out->map && out->vectors ? POET_OK : POET_ERR_NOMEM;
    for (int i = 0; i < book->levels && !status; i++)
        status = shrink_level(book, method, tree, seed, i, out);
    return status;
}

void poet_shrink_map_free(poet_shrink_map *map)
{
    poet_free(map->map);
    poet_free(map->vectors);
    *map = (poet_shrink_map){0};
}

void poet_shrink_map_codes(const poet_shrink_map *map, const int32_t *codes, int64_t n,
                           int32_t *out)
{
    for (int64_t i = 0; i < n * map->levels; i++)
        out[i] = map->map[i % map->levels * map->codes + codes[i]];
}

poet_status poet_shrink_map_distortion(const poet_codebook *book, const poet_shrink_map *map,
                                       double *out)
{
    size_t dim = (size_t)book->dim;
    double total = 0, mass = 0;
    float *centers = poet_alloc((size_t)map->kept * dim * sizeof *centers);
    poet_status status = centers ? POET_OK : POET_ERR_NOMEM;
    for (int number = 0; number < book->levels && !status; number++) {
        level l = level_of(book, map, number);
        status = mean_vectors(&l, l.points, centers);
        for (int i = 0; i < l.codes && !status; i++) {
            total += l.weights[i] * squared(point(&l, i), centers + (size_t)l.map[i] * dim, l.dim);
            mass += number ? 0 : l.weights[i];
        }
    }
    poet_free(centers);
    *out = status ? 0 : total / mass;
    return status;
}

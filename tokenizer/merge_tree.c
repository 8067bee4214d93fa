/* Ward's tree by the nearest-neighbour chain; see shrink.h. */
#include "tokenizer/shrink.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A cluster lives in the place of its lowest code. */
typedef struct clusters {
    int dim, n_alive;
    int32_t *alive; /* places, ascending */
    int32_t *node;  /* of each place */
    double *weight, *mean;
} clusters;

static void clusters_free(clusters *c)
{
    poet_free(c->alive);
    poet_free(c->node);
    poet_free(c->weight);
    poet_free(c->mean);
}

static poet_status clusters_create(const poet_codebook *book, int level, clusters *c)
{
    size_t k = (size_t)book->codes, dim = (size_t)book->dim;
    const float *points = book->points + (size_t)level * k * dim;
    *c = (clusters){.dim = book->dim,
                    .n_alive = book->codes,
                    .alive = poet_alloc(k * sizeof *c->alive),
                    .node = poet_alloc(k * sizeof *c->node),
                    .weight = poet_alloc(k * sizeof *c->weight),
                    .mean = poet_alloc(k * dim * sizeof *c->mean)};
    if (!c->alive || !c->node || !c->weight || !c->mean)
        return POET_ERR_NOMEM;
    for (int i = 0; i < book->codes; i++)
        c->alive[i] = c->node[i] = i;
    memcpy(c->weight, book->weights + (size_t)level * k, k * sizeof *c->weight);
    for (size_t i = 0; i < k * dim; i++)
        c->mean[i] = (double)points[i];
    return POET_OK;
}

static double join_cost(const clusters *c, int32_t a, int32_t b)
{
    const double *x = c->mean + (size_t)a * (size_t)c->dim;
    const double *y = c->mean + (size_t)b * (size_t)c->dim;
    double sum = 0;
    for (int d = 0; d < c->dim; d++)
        sum += (x[d] - y[d]) * (x[d] - y[d]);
    return c->weight[a] * c->weight[b] / (c->weight[a] + c->weight[b]) * sum;
}

/* The nearest other cluster. Among equals the one the chain came from (-1: none), or else chains could run in
 * circles; then the lowest. */
static int32_t nearest_cluster(const clusters *c, int32_t from, int32_t before, double *cost)
{
    int32_t best = before;
    *cost = before >= 0 ? join_cost(c, from, before) : INFINITY;
    for (int i = 0; i < c->n_alive; i++) {
        int32_t other = c->alive[i];
        if (other == from || other == before)
            continue;
        double d = join_cost(c, from, other);
        if (d < *cost) {
            *cost = d;
            best = other;
        }
    }
    return best;
}

static void join(clusters *c, int32_t a, int32_t b, int32_t node)
{
    int32_t low = a < b ? a : b, high = a < b ? b : a;
    double *x = c->mean + (size_t)low * (size_t)c->dim;
    const double *y = c->mean + (size_t)high * (size_t)c->dim;
    double share = c->weight[high] / (c->weight[low] + c->weight[high]);
    for (int d = 0; d < c->dim; d++)
        x[d] += share * (y[d] - x[d]);
    c->weight[low] += c->weight[high];
    c->node[low] = node;
    int at = 0;
    while (c->alive[at] != high)
        at++;
    c->n_alive--;
    memmove(c->alive + at, c->alive + at + 1, (size_t)(c->n_alive - at) * sizeof *c->alive);
}

/* Merges in the order in which the chain finds them; each after those of its parts. */
static void follow_chains(clusters *c, int codes, int32_t *chain, poet_merge *merges)
{
    int length = 0;
    for (int32_t made = 0; made < codes - 1;) {
        double cost;
        if (length == 0)
            chain[length++] = c->alive[0];
        int32_t top = chain[length - 1], before = length > 1 ? chain[length - 2] : -1;
        int32_t next = nearest_cluster(c, top, before, &cost);
        if (next != before) {
            chain[length++] = next;
            continue;
        }
        int32_t a = c->node[top], b = c->node[before];
        merges[made] = (poet_merge){a < b ? a : b, a < b ? b : a, cost};
        join(c, top, before, codes + made);
        made++;
        length -= 2;
    }
}

typedef struct ranked {
    double cost;
    int32_t merge;
} ranked;

static int by_cost(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    return x->merge < y->merge ? -1 : 1;
}

/* Into the order of the greedy rule. A merge costs no less than those of its parts; where rounding says
 * otherwise, theirs is taken, so that parts always come first. */
static void sort_merges(poet_merge *merges, int codes, ranked *order, poet_merge *copy,
                        int32_t *place)
{
    for (int i = 0; i < codes - 1; i++) {
        if (merges[i].a >= codes)
            merges[i].cost = fmax(merges[i].cost, merges[merges[i].a - codes].cost);
        if (merges[i].b >= codes)
            merges[i].cost = fmax(merges[i].cost, merges[merges[i].b - codes].cost);
        order[i] = (ranked){merges[i].cost, i};
    }
    qsort(order, (size_t)codes - 1, sizeof *order, by_cost);
    memcpy(copy, merges, ((size_t)codes - 1) * sizeof *copy);
    for (int i = 0; i < codes - 1; i++)
        place[order[i].merge] = codes + i;
    for (int i = 0; i < codes - 1; i++) {
        poet_merge m = copy[order[i].merge];
        int32_t a = m.a < codes ? m.a : place[m.a - codes];
        int32_t b = m.b < codes ? m.b : place[m.b - codes];
        merges[i] = (poet_merge){a < b ? a : b, a < b ? b : a, m.cost};
    }
}

static poet_status build_level(const poet_codebook *book, int level, poet_merge *merges)
{
    clusters c;
    size_t k = (size_t)book->codes;
    int32_t *chain = poet_alloc(k * sizeof *chain);
    ranked *order = poet_alloc(k * sizeof *order);
    poet_merge *copy = poet_alloc(k * sizeof *copy);
    poet_status status = clusters_create(book, level, &c);
    if (!status)
        status = chain && order && copy ? POET_OK : POET_ERR_NOMEM;
    if (!status) {
        follow_chains(&c, book->codes, chain, merges);
        sort_merges(merges, book->codes, order, copy, chain);
    }
    clusters_free(&c);
    poet_free(copy);
    poet_free(order);
    poet_free(chain);
    return status;
}

poet_status poet_merge_tree_create(const poet_codebook *book, poet_merge_tree *out)
{
    size_t per_level = (size_t)book->codes - 1;
    *out = (poet_merge_tree){
        .levels = book->levels,
        .codes = book->codes,
        .merges = poet_calloc((size_t)book->levels * per_level, sizeof *out->merges)};
    poet_status status = out->merges ? POET_OK : POET_ERR_NOMEM;
    for (int level = 0; level < book->levels && !status; level++)
        status = build_level(book, level, out->merges + (size_t)level * per_level);
    return status;
}

void poet_merge_tree_free(poet_merge_tree *tree)
{
    poet_free(tree->merges);
    *tree = (poet_merge_tree){0};
}

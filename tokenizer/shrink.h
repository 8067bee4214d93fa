/* Smaller codebooks from a trained one: which codes become one, and the tokenizer that results.
 *
 *     poet_codebook book;                     vectors, and how often clips use them
 *     POET_TRY(poet_codebook_create(tokenizer, counts, POET_UNUSED_KEPT, POET_DISTANCE_PATCHES, &book));
 *     POET_TRY(poet_merge_tree_create(&book, &tree));              once
 *     POET_TRY(poet_shrink_map_create(&book, POET_SHRINK_MERGE, &tree, 0, 128, &map)); for any K'
 *     POET_TRY(poet_tokenizer_shrink(tokenizer, &map, &smaller));
 *
 * Merging is Ward's (1963, "Hierarchical grouping to optimize an objective function"), weighted by use.
 * A cluster a of codes has the weight w_a (the sum of its codes' use) and the weighted mean m_a; what it
 * costs that its members are all written as m_a is E_a = sum of w_i |x_i - m_a|^2. Joining a and b moves
 * the mean to (w_a m_a + w_b m_b) / (w_a + w_b), and E grows by
 *
 *     d(a,b) = E_ab - E_a - E_b = w_a w_b / (w_a + w_b) |m_a - m_b|^2.
 *
 * Every step joins the two clusters of the least d: the least growth of the squared error per token. The
 * recurrence of Lance and Williams (1967, "A general theory of classificatory sorting strategies"),
 *
 *     d(c,ab) = ((w_a + w_c) d(a,c) + (w_b + w_c) d(b,c) - w_c d(a,b)) / (w_a + w_b + w_c),
 *
 * follows from it; since means give d at once, no matrix is kept. From the recurrence, where d(a,b) is at
 * most d(a,c) and d(b,c), d(c,ab) is at least the smaller of them (the linkage is reducible), so clusters
 * that are each other's nearest may be joined in any order: following nearest neighbours until two point at
 * each other (the chain of Benzecri 1982; Murtagh 1983; Muellner 2011, arXiv 1109.2378) finds the tree of the
 * greedy rule in O(K^2 dim) time and O(K dim) memory. Among equals the lowest cluster is taken, sums are in
 * double and in a fixed order: the tree depends on nothing but the codebook.
 *
 * Levels of a residual quantizer are shrunk each on its own. */
#ifndef POET_TOKENIZER_SHRINK_H
#define POET_TOKENIZER_SHRINK_H

#include "tokenizer/tokenizer.h"

typedef enum poet_distance {
    POET_DISTANCE_VECTORS, /* between codebook vectors */
    POET_DISTANCE_PATCHES  /* between the patches they become, by the decoder's linear path */
} poet_distance;

/* What shrinking looks at. */
typedef struct poet_codebook {
    int levels, codes, dim;
    float *vectors;  /* (levels,K,dim) */
    float *points;   /* the same shape: the vectors where their distances are those that count */
    double *weights; /* (levels,K): use, above 0 */
} poet_codebook;

/* What a code weighs that is never used, in tokens. It goes to a near neighbour before all others: half a token moves that by
 * next to nothing, and rare codes are left alone; what is dropped moves nothing, also where all of a few codes are used
 * but once, and every code that is left has members that are used (unless more are asked for than are used). */
#define POET_UNUSED_KEPT 0.5
#define POET_UNUSED_DROPPED 1e-9

/* counts (levels,K): how often each code is used; unused is one of the two above. POET_ERR_UNSUPPORTED for
 * FSQ and LFQ, which have no codebook. Free also after a failure. */
poet_status poet_codebook_create(poet_tokenizer *tokenizer, const int64_t *counts, double unused,
                                 poet_distance distance, poet_codebook *out);
void poet_codebook_free(poet_codebook *book);

/* ---- the merge tree ---- */

/* Joins nodes a < b; codes are nodes 0..K-1, the result of merge i of a level is its node K+i. cost is d
 * above; along a level it never falls. */
typedef struct poet_merge {
    int32_t a, b;
    double cost;
} poet_merge;

typedef struct poet_merge_tree {
    int levels, codes;
    poet_merge *merges; /* (levels,K-1) */
} poet_merge_tree;

poet_status poet_merge_tree_create(const poet_codebook *book, poet_merge_tree *out);
void poet_merge_tree_free(poet_merge_tree *tree);

/* ---- maps ---- */

/* Old codes to new ones; every new code has at least one old one. New codes are numbered by their lowest
 * old code. */
typedef struct poet_shrink_map {
    int levels, codes, kept, dim; /* K and K' */
    int32_t *map;                 /* (levels,K) */
    float *vectors;               /* (levels,K',dim): of the new codes */
} poet_shrink_map;

typedef enum poet_shrink_method {
    POET_SHRINK_MERGE, /* the tree, cut where K' clusters are left; maps of falling K' are nested */
    POET_SHRINK_KMEANS, /* weighted k-means on the points, started by k-means++ (Arthur, Vassilvitskii 2007) */
    POET_SHRINK_LEAST_USED, /* the most used stay as they are, the nearest of them takes over the others */
    POET_SHRINK_RANDOM, /* the same with a random choice */
    POET_SHRINK_NESTED /* the same with the first K' rows: what a nested codebook is trained for. Neither keeps a code that is
                          dropped, where K' others are left */
} poet_shrink_method;

/* A map to `kept` codes, 2..K. Merged codes and k-means have weighted means of their members' vectors. tree is
 * for POET_SHRINK_MERGE alone, seed for KMEANS and RANDOM. Free also after a failure. */
poet_status poet_shrink_map_create(const poet_codebook *book, poet_shrink_method method,
                                   const poet_merge_tree *tree, uint64_t seed, int kept,
                                   poet_shrink_map *out);
void poet_shrink_map_free(poet_shrink_map *map);

/* codes (n,levels) to new ones; in and out may be the same. The codes must be of the old codebook. */
void poet_shrink_map_codes(const poet_shrink_map *map, const int32_t *codes, int64_t n,
                           int32_t *out);

/* The mean squared distance, over tokens, of an old code's point to the mean of its new code's points, summed over
 * levels: what Ward's rule and k-means make small. */
poet_status poet_shrink_map_distortion(const poet_codebook *book, const poet_shrink_map *map,
                                       double *out);

/* ---- the result ---- */

/* The same encoder and decoder with the K' vectors of the map. */
poet_status poet_tokenizer_shrink(poet_tokenizer *tokenizer, const poet_shrink_map *map,
                                  poet_tokenizer **out);

/* The decoder's last layer, patches = linear(vectors) + last(hidden), was trained for vectors of the old codes. Fitted anew, it
 * is the one of the least squared error on these clips, by one look at each and no gradient through the network: with features
 * f = (vectors, hidden, 1) and what is left of the patches, r = patches - decoded, its weights and biases change by
 *
 *     D = (sum of f f' + prior)^-1 sum of f r'        (ridge regression; Hoerl and Kennard 1970).
 *
 * The prior, on the diagonal, is what each feature has in 256 places; it keeps the layer as it was where clips are few. The
 * first frame counts four times, as in training. Codes do not change. */
typedef struct poet_decoder_fit {
    int t, h, w; /* of a clip: frames, pixels */
    int count;   /* of clips, above 0; they are asked for one by one, by steps 0..count-1 */
    poet_clips_fn clips;
    void *opaque;
    const poet_task *task;
    /* Out: mean squared error of a patch's values, -1..1, over all clips; after: as it follows from the fit. */
    double before, after;
} poet_decoder_fit;

/* POET_ERR_INTERRUPTED when the task is stopped, which leaves the tokenizer as it was. */
poet_status poet_tokenizer_fit_decoder(poet_tokenizer *tokenizer, poet_decoder_fit *fit);

/* A remap file: what turns token files of one tokenizer into those of the other (docs/formats.md). */
typedef struct poet_remap {
    uint64_t from, to; /* fingerprints of the tokenizers */
    poet_shrink_map map;
    poet_merge_tree tree; /* empty (levels 0) where the method has none */
} poet_remap;

/* The device is for the file's tensors alone. */
poet_status poet_remap_save(poet_device *device, const char *path, const poet_remap *remap);

/* The caller frees, also after a failure. POET_ERR_FORMAT for a file whose map is not one. The map has no vectors:
 * the new tokenizer has them. */
poet_status poet_remap_load(const char *path, poet_remap *out);
void poet_remap_free(poet_remap *remap);

#endif

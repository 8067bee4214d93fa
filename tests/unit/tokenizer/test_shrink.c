/* Shrinking codebooks: the tree against brute force, maps that are onto and nested, the smaller tokenizer, files. */
#include "base/memory.h"
#include "base/rng.h"
#include "compute/backend.h"
#include "tests/support/check.h"
#include "tokenizer/shrink.h"

#include <stdlib.h>
#include <unistd.h>

enum { MOST = 64 };

static poet_codebook book_of(int codes, int dim, const float *points, const double *weights)
{
    poet_codebook book = {.levels = 1, .codes = codes, .dim = dim};
    size_t n = (size_t)codes * (size_t)dim;
    book.vectors = poet_alloc(n * sizeof(float));
    book.points = poet_alloc(n * sizeof(float));
    book.weights = poet_alloc((size_t)codes * sizeof(double));
    memcpy(book.vectors, points, n * sizeof(float));
    memcpy(book.points, points, n * sizeof(float));
    memcpy(book.weights, weights, (size_t)codes * sizeof(double));
    return book;
}

static poet_codebook random_book(int levels, int codes, int dim, uint64_t seed)
{
    poet_codebook book = {.levels = levels, .codes = codes, .dim = dim};
    size_t rows = (size_t)levels * (size_t)codes, n = rows * (size_t)dim;
    poet_rng rng;
    poet_rng_init(&rng, seed, 3);
    book.vectors = poet_alloc(n * sizeof(float));
    book.points = poet_alloc(n * sizeof(float));
    book.weights = poet_alloc(rows * sizeof(double));
    for (size_t i = 0; i < n; i++)
        book.vectors[i] = book.points[i] = poet_rng_normal(&rng);
    for (size_t i = 0; i < rows; i++)
        book.weights[i] = 0.5 + (double)poet_rng_below(&rng, 20);
    return book;
}

/* Points 0, 1, 4, 10 on a line, the second of weight 3. By hand: 0 and 1 join at 3/4 (mean 3/4, weight 4), 4 joins
 * them at 4/5 (13/4)^2 = 8.45 (mean 7/5, weight 5), 10 at 5/6 (43/5)^2 = 61.6333. */
static void test_by_hand(void)
{
    const float points[] = {0, 1, 4, 10};
    const double weights[] = {1, 3, 1, 1};
    poet_codebook book = book_of(4, 1, points, weights);
    poet_merge_tree tree;
    poet_shrink_map map;
    CHECK_OK(poet_merge_tree_create(&book, &tree));
    const poet_merge *m = tree.merges;
    CHECK(m[0].a == 0 && m[0].b == 1);
    CHECK(m[1].a == 2 && m[1].b == 4);
    CHECK(m[2].a == 3 && m[2].b == 5);
    CHECK_CLOSE(m[0].cost, 0.75, 1e-12);
    CHECK_CLOSE(m[1].cost, 8.45, 1e-12);
    CHECK_CLOSE(m[2].cost, 5.0 / 6 * 8.6 * 8.6, 1e-12);

    CHECK_OK(poet_shrink_map_create(&book, POET_SHRINK_MERGE, &tree, 0, 2, &map));
    CHECK(map.map[0] == 0 && map.map[1] == 0 && map.map[2] == 0 && map.map[3] == 1);
    CHECK_CLOSE(map.vectors[0], 1.4, 1e-6);
    CHECK_CLOSE(map.vectors[1], 10, 1e-6);
    double distortion;
    CHECK_OK(poet_shrink_map_distortion(&book, &map, &distortion));
    CHECK_CLOSE(distortion, (0.75 + 8.45) / 6, 1e-6);
    poet_shrink_map_free(&map);

    /* The two most used: 1 and, of the equals, 0. Their vectors stay; 4 and 10 go to 1. */
    CHECK_OK(poet_shrink_map_create(&book, POET_SHRINK_LEAST_USED, NULL, 0, 2, &map));
    CHECK(map.map[0] == 0 && map.map[1] == 1 && map.map[2] == 1 && map.map[3] == 1);
    CHECK(map.vectors[0] == 0 && map.vectors[1] == 1);
    poet_shrink_map_free(&map);
    poet_merge_tree_free(&tree);
    poet_codebook_free(&book);
}

/* Sum of w |x - mean|^2 over the clusters of label. */
static double energy(const poet_codebook *book, const int *label, int codes)
{
    double total = 0;
    for (int c = 0; c < codes; c++) {
        double mass = 0, mean[8] = {0};
        for (int i = 0; i < codes; i++)
            if (label[i] == c) {
                mass += book->weights[i];
                for (int d = 0; d < book->dim; d++)
                    mean[d] += book->weights[i] * (double)book->points[i * book->dim + d];
            }
        for (int i = 0; i < codes; i++)
            for (int d = 0; d < book->dim && label[i] == c; d++) {
                double x = (double)book->points[i * book->dim + d] - mean[d] / mass;
                total += book->weights[i] * x * x;
            }
    }
    return total;
}

/* At every step the least growth of the energy over all pairs of clusters is what the tree says, and the tree's pair
 * has it. */
static void test_against_brute_force(uint64_t seed)
{
    enum { CODES = 14, DIM = 3 };

    poet_codebook book = random_book(1, CODES, DIM, seed);
    poet_merge_tree tree;
    int label[CODES], of_node[2 * CODES];
    CHECK_OK(poet_merge_tree_create(&book, &tree));
    for (int i = 0; i < CODES; i++)
        label[i] = of_node[i] = i;
    for (int step = 0; step < CODES - 1; step++) {
        double before = energy(&book, label, CODES), least = 1e300;
        for (int a = 0; a < CODES; a++)
            for (int b = a + 1; b < CODES; b++) {
                int joined[CODES], present = 0;
                for (int i = 0; i < CODES; i++) {
                    present |= (label[i] == a) | 2 * (label[i] == b);
                    joined[i] = label[i] == b ? a : label[i];
                }
                if (present == 3)
                    least = fmin(least, energy(&book, joined, CODES) - before);
            }
        poet_merge m = tree.merges[step];
        int to = of_node[m.a], from = of_node[m.b];
        for (int i = 0; i < CODES; i++)
            label[i] = label[i] == from ? to : label[i];
        of_node[CODES + step] = to;
        CHECK_CLOSE(m.cost, least, 1e-9 * (1 + least));
        CHECK_CLOSE(energy(&book, label, CODES) - before, least, 1e-9 * (1 + least));
    }
    poet_merge_tree_free(&tree);
    poet_codebook_free(&book);
}

/* Equal points, and points on a lattice, where nearly all distances are equal: the tree is whole and ordered. */
static void test_ties(void)
{
    poet_codebook book = random_book(1, MOST, 2, 1);
    poet_merge_tree tree;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MOST; i++) {
            book.points[2 * i] = round ? (float)(i % 8) : 1;
            book.points[2 * i + 1] = round ? (float)(i / 8) : 1;
            book.weights[i] = 1;
        }
        bool used[2 * MOST] = {false};
        CHECK_OK(poet_merge_tree_create(&book, &tree));
        for (int i = 0; i < MOST - 1; i++) {
            poet_merge m = tree.merges[i];
            CHECK(m.a < m.b && m.b < MOST + i && !used[m.a] && !used[m.b]);
            CHECK(i == 0 || m.cost >= tree.merges[i - 1].cost);
            used[m.a] = used[m.b] = true;
        }
        poet_merge_tree_free(&tree);
    }
    poet_codebook_free(&book);
}

static void check_map(const poet_shrink_map *map)
{
    for (int level = 0; level < map->levels; level++) {
        int32_t highest = -1;
        bool reached[MOST] = {false};
        for (int i = 0; i < map->codes; i++) {
            int32_t code = map->map[level * map->codes + i];
            CHECK(code >= 0 && code < map->kept);
            CHECK(code <= highest + 1); /* numbered by their lowest old code */
            highest = code > highest ? code : highest;
            reached[code] = true;
        }
        for (int i = 0; i < map->kept; i++)
            CHECK(reached[i]);
    }
}

static void test_maps(void)
{
    poet_codebook book = random_book(2, MOST, 3, 6);
    poet_merge_tree tree;
    CHECK_OK(poet_merge_tree_create(&book, &tree));
    double distortion[5], last = 1e300;
    for (int kept = 2; kept <= MOST; kept += 31) /* 2, 33, 64 */
        for (int method = POET_SHRINK_MERGE; method <= POET_SHRINK_KMEANS; method++) {
            poet_shrink_map map;
            CHECK_OK(
                poet_shrink_map_create(&book, (poet_shrink_method)method, &tree, 1, kept, &map));
            check_map(&map);
            if (kept == MOST)
                for (size_t i = 0; i < (size_t)book.levels * MOST * 3; i++)
                    CHECK_CLOSE(map.vectors[i], book.vectors[i], 1e-6);
            poet_shrink_map_free(&map);
        }
    for (int method = 0; method <= POET_SHRINK_NESTED; method++) {
        poet_shrink_map map, again, other;
        poet_shrink_method m = (poet_shrink_method)method;
        CHECK_OK(poet_shrink_map_create(&book, m, &tree, 1, 20, &map));
        CHECK_OK(poet_shrink_map_create(&book, m, &tree, 1, 20, &again));
        CHECK_OK(poet_shrink_map_create(&book, m, &tree, 2, 20, &other));
        size_t bytes = (size_t)2 * MOST * sizeof *map.map;
        bool seeded = method == POET_SHRINK_KMEANS || method == POET_SHRINK_RANDOM;
        CHECK(memcmp(map.map, again.map, bytes) == 0);
        CHECK((memcmp(map.map, other.map, bytes) == 0) != seeded);
        CHECK_OK(poet_shrink_map_distortion(&book, &map, &distortion[method]));
        if (m == POET_SHRINK_NESTED)
            CHECK(map.map[0] == 0 && map.map[19] == 19 &&
                  memcmp(map.vectors, book.vectors, 20 * 3 * sizeof(float)) == 0);
        poet_shrink_map_free(&map);
        poet_shrink_map_free(&again);
        poet_shrink_map_free(&other);
    }
    CHECK(distortion[POET_SHRINK_MERGE] < distortion[POET_SHRINK_LEAST_USED]);
    CHECK(distortion[POET_SHRINK_KMEANS] < distortion[POET_SHRINK_LEAST_USED]);
    CHECK(distortion[POET_SHRINK_MERGE] < distortion[POET_SHRINK_RANDOM]);

    /* Cuts are nested: what is one code at a larger K' is one at every smaller. */
    poet_shrink_map finer = {0};
    for (int kept = MOST; kept >= 2; kept--) {
        poet_shrink_map map;
        double now;
        CHECK_OK(poet_shrink_map_create(&book, POET_SHRINK_MERGE, &tree, 0, kept, &map));
        CHECK_OK(poet_shrink_map_distortion(&book, &map, &now));
        for (int level = 0; level < 2 && finer.map; level++)
            for (int i = 0; i < MOST; i++)
                for (int j = 0; j < i; j++) {
                    const int32_t *a = finer.map + level * MOST, *b = map.map + level * MOST;
                    CHECK(a[i] != a[j] || b[i] == b[j]);
                }
        CHECK(kept == MOST ? now < 1e-12 : now >= last);
        last = now;
        poet_shrink_map_free(&finer);
        finer = map;
    }
    poet_shrink_map_free(&finer);

    poet_shrink_map map;
    CHECK_FAILS(poet_shrink_map_create(&book, POET_SHRINK_MERGE, &tree, 0, 1, &map), POET_ERR_ARG,
                "2 to 64");
    poet_shrink_map_free(&map);
    CHECK_FAILS(poet_shrink_map_create(&book, POET_SHRINK_MERGE, &tree, 0, 65, &map), POET_ERR_ARG,
                "2 to 64");
    poet_shrink_map_free(&map);
    poet_merge_tree_free(&tree);
    poet_codebook_free(&book);
}

/* The used codes, which have odd numbers, are codes of their own, as they were. */
static void check_alone(const poet_codebook *book, const poet_shrink_map *map)
{
    bool taken[MOST] = {false};
    for (int i = 1; i < MOST; i += 2) {
        int code = map->map[i];
        CHECK(!taken[code]);
        taken[code] = true;
        for (int d = 0; d < book->dim; d++)
            CHECK_CLOSE(map->vectors[code * book->dim + d], book->vectors[i * book->dim + d], 1e-6);
    }
}

/* Every new code stands for one that is used. */
static void check_used(const poet_shrink_map *map)
{
    bool used[MOST] = {false};
    for (int i = 1; i < MOST; i += 2)
        used[map->map[i]] = true;
    for (int code = 0; code < map->kept; code++)
        CHECK(used[code]);
}

/* Half of the codes are dropped, those of even numbers. By no method is a code kept for them; where as many are kept as are
 * used, or more, each that is used is alone. */
static void test_dropped(void)
{
    poet_codebook book = random_book(1, MOST, 3, 11);
    poet_merge_tree tree;
    for (int i = 0; i < MOST; i += 2)
        book.weights[i] = POET_UNUSED_DROPPED;
    CHECK_OK(poet_merge_tree_create(&book, &tree));
    for (int method = POET_SHRINK_MERGE; method <= POET_SHRINK_NESTED; method++)
        for (int kept = 2; kept <= MOST / 2 + 5; kept += 5) {
            poet_shrink_map map;
            CHECK_OK(
                poet_shrink_map_create(&book, (poet_shrink_method)method, &tree, 1, kept, &map));
            if (kept <= MOST / 2)
                check_used(&map);
            if (kept >= MOST / 2)
                check_alone(&book, &map);
            poet_shrink_map_free(&map);
        }
    poet_merge_tree_free(&tree);
    poet_codebook_free(&book);
}

/* Two places for three centres: k-means still reaches every new code. */
static void test_equal_points(void)
{
    const float points[] = {0, 0, 0, 5, 5};
    const double weights[] = {1, 1, 1, 1, 1};
    poet_codebook book = book_of(5, 1, points, weights);
    for (uint64_t seed = 0; seed < 20; seed++) {
        poet_shrink_map map;
        CHECK_OK(poet_shrink_map_create(&book, POET_SHRINK_KMEANS, NULL, seed, 3, &map));
        check_map(&map);
        CHECK(map.map[0] != map.map[3]);
        poet_shrink_map_free(&map);
    }
    poet_codebook_free(&book);
}

/* ---- a tokenizer ---- */

static poet_tokenizer *small(poet_device *device, int levels)
{
    poet_tokenizer_config c = poet_tokenizer_defaults();
    poet_tokenizer *t;
    c.codes = MOST;
    c.levels = levels;
    c.dim = 5;
    c.width = 8;
    c.encoder_blocks = c.decoder_blocks = 1;
    CHECK_OK(poet_tokenizer_create(device, &c, 4, &t));
    return t;
}

/* Distances of points are those of the decoder's linear path, computed here from its weight. */
static void test_patch_distance(poet_device *device)
{
    poet_tokenizer *t = small(device, 2);
    int64_t counts[2 * MOST] = {[7] = 9};
    poet_codebook book;
    CHECK_OK(poet_codebook_create(t, counts, POET_UNUSED_KEPT, POET_DISTANCE_PATCHES, &book));
    CHECK(book.weights[7] == 9 && book.weights[8] == 0.5);
    poet_params *params = poet_tokenizer_params(t);
    float w[192 * 5];
    CHECK_OK(
        poet_params_read(params, poet_params_find(params, "decoder.linear.weight"), w, sizeof w));
    for (int i = 0; i < MOST; i += 9) {
        const float *a = book.vectors + 5 * i, *b = book.vectors + 5 * (2 * MOST - 1 - i);
        const float *x = book.points + 5 * i, *y = book.points + 5 * (2 * MOST - 1 - i);
        double patches = 0, points = 0;
        for (int p = 0; p < 192; p++) {
            double d = 0;
            for (int k = 0; k < 5; k++)
                d += (double)w[5 * p + k] * ((double)a[k] - (double)b[k]);
            patches += d * d;
        }
        for (int k = 0; k < 5; k++)
            points += ((double)x[k] - (double)y[k]) * ((double)x[k] - (double)y[k]);
        CHECK_CLOSE(points, patches, 1e-5 * patches);
    }
    poet_codebook_free(&book);
    poet_tokenizer_destroy(t);
}

static void test_tokenizer(poet_device *device)
{
    poet_tokenizer *t = small(device, 2), *smaller, *loaded;
    int64_t counts[2 * MOST];
    for (int i = 0; i < 2 * MOST; i++)
        counts[i] = i * 7 % 5;
    poet_remap remap = {0}, read;
    poet_codebook book;
    CHECK_OK(poet_codebook_create(t, counts, POET_UNUSED_KEPT, POET_DISTANCE_VECTORS, &book));
    CHECK_OK(poet_merge_tree_create(&book, &remap.tree));
    CHECK_OK(poet_shrink_map_create(&book, POET_SHRINK_MERGE, &remap.tree, 0, 10, &remap.map));
    CHECK_OK(poet_tokenizer_shrink(t, &remap.map, &smaller));
    CHECK_INT(poet_tokenizer_get_config(smaller)->codes, 10);
    float vectors[2 * 10 * 5];
    CHECK_OK(poet_tokenizer_vectors(smaller, vectors));
    CHECK(memcmp(vectors, remap.map.vectors, sizeof vectors) == 0);
    CHECK_OK(poet_tokenizer_fingerprint(t, &remap.from));
    CHECK_OK(poet_tokenizer_fingerprint(smaller, &remap.to));
    CHECK(remap.from != remap.to);

    /* The file, and what it says of the codes. */
    char folder[] = "/tmp/poet-shrink-XXXXXX", path[64];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/tokenizer.safetensors", folder);
    CHECK_OK(poet_tokenizer_save(smaller, path, false, NULL, 0));
    CHECK_OK(poet_tokenizer_load(device, path, &loaded));
    uint64_t fingerprint;
    CHECK_OK(poet_tokenizer_fingerprint(loaded, &fingerprint));
    CHECK(fingerprint == remap.to);
    CHECK_FAILS(poet_remap_load(path, &read), POET_ERR_FORMAT, "is not a remap file");
    poet_remap_free(&read);
    unlink(path);
    snprintf(path, sizeof path, "%s/remap.safetensors", folder);
    CHECK_OK(poet_remap_save(device, path, &remap));
    CHECK_OK(poet_remap_load(path, &read));
    CHECK(read.from == remap.from && read.to == remap.to && read.map.kept == 10);
    CHECK(memcmp(read.map.map, remap.map.map, sizeof counts / 2) == 0);
    CHECK(read.tree.levels == 2 && read.tree.merges[70].a == remap.tree.merges[70].a);
    int32_t codes[] = {3, 60, 3, 3}, out[4];
    poet_shrink_map_codes(&read.map, codes, 2, out);
    CHECK(out[0] == remap.map.map[3] && out[1] == remap.map.map[MOST + 60]);
    CHECK(out[2] == remap.map.map[3] && out[3] == remap.map.map[MOST + 3]);
    poet_remap_free(&read);

    /* A map that leaves a new code out is refused. */
    for (int i = 0; i < MOST; i++)
        remap.map.map[i] = i % 9;
    CHECK_OK(poet_remap_save(device, path, &remap));
    CHECK_FAILS(poet_remap_load(path, &read), POET_ERR_FORMAT, "its map of codes is broken");
    poet_remap_free(&read);
    unlink(path);
    rmdir(folder);

    /* Another tokenizer's map. */
    poet_tokenizer *flat = small(device, 1), *none;
    CHECK_FAILS(poet_tokenizer_shrink(flat, &remap.map, &none), POET_ERR_MISMATCH,
                "not of this tokenizer");
    poet_tokenizer_destroy(flat);
    poet_tokenizer_destroy(loaded);
    poet_tokenizer_destroy(smaller);
    poet_tokenizer_destroy(t);
    poet_remap_free(&remap);
    poet_codebook_free(&book);
}

static void test_fsq(poet_device *device)
{
    poet_tokenizer_config c = poet_tokenizer_defaults();
    poet_tokenizer *t;
    poet_codebook book;
    int64_t counts[16] = {0};
    c.quantizer = POET_QUANTIZER_LFQ;
    c.codes = 16;
    c.width = 8;
    CHECK_OK(poet_tokenizer_create(device, &c, 4, &t));
    CHECK_FAILS(poet_codebook_create(t, counts, POET_UNUSED_KEPT, POET_DISTANCE_VECTORS, &book),
                POET_ERR_UNSUPPORTED, "no codebook");
    poet_codebook_free(&book);
    poet_tokenizer_destroy(t);
}

/* A row without numbers has no neighbours to be merged with. */
static void test_not_finite(poet_device *device)
{
    poet_tokenizer *t = small(device, 1);
    poet_params *params = poet_tokenizer_params(t);
    int index = poet_params_find(params, "quantizer.level0.codebook");
    int64_t counts[MOST] = {0};
    float vectors[MOST * 5];
    CHECK_OK(poet_params_read(params, index, vectors, sizeof vectors));
    vectors[7] = NAN;
    CHECK_OK(poet_params_write(params, index, vectors, sizeof vectors));
    for (int distance = 0; distance < 2; distance++) {
        poet_codebook book;
        CHECK_FAILS(
            poet_codebook_create(t, counts, POET_UNUSED_KEPT, (poet_distance)distance, &book),
            POET_ERR_FORMAT, "not finite");
        poet_codebook_free(&book);
    }
    poet_tokenizer_destroy(t);
}

int main(void)
{
    poet_device *device;
    CHECK_OK(poet_device_open(poet_backend_cpu(), 0, 1, &device));
    test_by_hand();
    test_not_finite(device);
    for (uint64_t seed = 0; seed < 5; seed++)
        test_against_brute_force(seed);
    test_ties();
    test_maps();
    test_dropped();
    test_equal_points();
    test_patch_distance(device);
    test_tokenizer(device);
    test_fsq(device);
    poet_device_close(device);
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}

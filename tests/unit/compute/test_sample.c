/* Sampling: which codes a setting allows, how often each is drawn, and that equal keys draw
 * equally. */
#include "base/memory.h"
#include "tests/support/rig.h"

enum { V = 6, DRAWS = 6000 };

static const float logits_c[V] = {1, 0.5F, 0.5F, -1, 2, -2}, logits_u[V] = {0, 1, 0, 0, 1, 3};

typedef struct settings {
    float guidance, temperature, top_k, top_p, min_p;
} settings;

static rig open_sampler(const poet_backend *backend, int rows)
{
    rig r = rig_open(backend);
    poet_val logits = poet_input(r.g, "logits", POET_F32, POET_SHAPE(2 * rows, V));
    poet_val s = poet_input(r.g, "settings", POET_F32, POET_SHAPE(rows, 5));
    poet_val keys = poet_input(r.g, "keys", POET_I32, POET_SHAPE(rows, 4));
    poet_result(r.g, "code", poet_sample(r.g, logits, s, keys));
    rig_ready(&r);
    return r;
}

/* Draws with counters 0..DRAWS-1 into counts. */
static void draw(const poet_backend *backend, settings s, int counts[V])
{
    static float logits[2 * DRAWS * V];
    static settings rows[DRAWS];
    static int32_t keys[DRAWS * 4], code[DRAWS], again[DRAWS];
    rig r = open_sampler(backend, DRAWS);
    for (int i = 0; i < DRAWS; i++) {
        memcpy(logits + i * V, logits_c, sizeof logits_c);
        memcpy(logits + (DRAWS + i) * V, logits_u, sizeof logits_u);
        rows[i] = s;
        keys[i * 4] = 5;
        keys[i * 4 + 1] = 6;
        keys[i * 4 + 2] = 7;
        keys[i * 4 + 3] = i;
    }
    RIG_SET(&r, "logits", logits);
    RIG_SET(&r, "settings", rows);
    RIG_SET(&r, "keys", keys);
    RIG_RUN(&r);
    RIG_GET(&r, "code", code);
    RIG_RUN(&r);
    RIG_GET(&r, "code", again);
    CHECK(memcmp(code, again, sizeof code) == 0);
    memset(counts, 0, V * sizeof *counts);
    for (int i = 0; i < DRAWS; i++) {
        CHECK(code[i] >= 0 && code[i] < V);
        counts[code[i]]++;
    }
    rig_close(&r);
}

/* allowed: a mask of the codes that may come; their shares are a softmax. Chi-square with at most 5
 * degrees of freedom: 20.5 is passed once in 1,000. */
static void check_distribution(const poet_backend *backend, settings s, unsigned allowed)
{
    int counts[V];
    double weight[V], total = 0, chi = 0;
    draw(backend, s, counts);
    for (int k = 0; k < V; k++) {
        double u = (double)logits_u[k], c = (double)logits_c[k];
        double l = u + (double)s.guidance * (c - u);
        weight[k] = allowed >> k & 1 ? exp(l / (double)s.temperature) : 0;
        total += weight[k];
    }
    for (int k = 0; k < V; k++) {
        double expected = DRAWS * weight[k] / total;
        if (expected == 0)
            CHECK_INT(counts[k], 0);
        else
            chi += (counts[k] - expected) * (counts[k] - expected) / expected;
    }
    CHECK_CLOSE(chi, 0, 20.5);
}

static void test_distributions(const poet_backend *backend)
{
    check_distribution(backend, (settings){1, 1, 0, 1, 0}, 0x3F);
    check_distribution(backend, (settings){1, 2, 0, 1, 0}, 0x3F);
    check_distribution(backend, (settings){1.5F, 1, 0, 1, 0}, 0x3F);
    /* Ranked: 4, 0, 1, 2, 3, 5; shares .534 .197 .119 .119 .027 .010. Of the equal logits 1 and 2 the
     * lower code stays. */
    check_distribution(backend, (settings){1, 1, 3, 1, 0}, 0x13);
    check_distribution(backend, (settings){1, 1, 0, 0.7F, 0}, 0x11);
    check_distribution(backend, (settings){1, 1, 0, 0.75F, 0}, 0x13);
    check_distribution(backend, (settings){1, 1, 0, 1, 0.2F}, 0x17);
    check_distribution(backend, (settings){1, 1, 0, 1, 0.5F}, 0x10);
    /* top-p counts shares among the top-k: 4 alone has .63 of the first three. */
    check_distribution(backend, (settings){1, 1, 3, 0.6F, 0}, 0x10);
}

static void test_argmax(const poet_backend *backend)
{
    const float logits[4 * V] = {0, 3, 1, 3, 2, 3, 0, 0, 0, 0, 0, 0, [2 * V] = 9};
    const float rows[2][5] = {{1, 0, 0, 1, 0}, {1, 0, 0, 1, 0}};
    const int32_t keys[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    int32_t code[2];
    rig r = open_sampler(backend, 2);
    RIG_SET(&r, "logits", logits);
    RIG_SET(&r, "settings", rows);
    RIG_SET(&r, "keys", keys);
    RIG_RUN(&r);
    RIG_GET(&r, "code", code);
    CHECK_INT(code[0], 1);
    CHECK_INT(code[1], 0);
    float broken[4 * V];
    memcpy(broken, logits, sizeof broken);
    broken[V + 2] = NAN;
    RIG_SET(&r, "logits", broken);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "not a number");
    for (int k = 0; k < V; k++)
        broken[V + k] = -INFINITY;
    RIG_SET(&r, "logits", broken);
    CHECK_FAILS(poet_program_run(r.program), POET_ERR_ARG, "not finite");
    rig_close(&r);
}

int main(void)
{
    const poet_backend *backends[] = {poet_backend_ref(), poet_backend_cpu()};
    for (int i = 0; i < 2; i++) {
        test_distributions(backends[i]);
        test_argmax(backends[i]);
    }
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}

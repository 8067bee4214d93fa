/* Codebooks by Lloyd's k-means, level by level of a residual quantizer: the nearest codes are found on the device, in batches
 * of one size. */
#include "tokenizer/tokenizer_internal.h"

#include "base/memory.h"
#include "base/rng.h"

#include <stdio.h>
#include <string.h>

/* Rounds end where all levels together would take more multiplications than this. Ten rounds of 1,024 codes for 256,000 rows of
 * 16 numbers are a tenth of it. */
static const double most_work = 4e11;

enum { ROUNDS = 10 };

typedef struct kmeans {
    poet_tokenizer *tokenizer;
    const poet_tokenizer_training *training;
    const poet_kmeans_rows *rows;
    poet_program *program; /* z (batch,dim), codebook -> index, one batch at a time */
    int dim, k, rounds;
    float *codes;   /* (k,dim) */
    int32_t *index; /* (all) */
    double *sums;   /* (k,dim) */
    int64_t *counts;
} kmeans;

poet_status poet_kmeans_build(poet_tokenizer *t, int64_t batch, poet_program **out)
{
    const poet_tokenizer_config *c = &t->config;
    poet_graph *g = poet_graph_create(t->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_val z = poet_input(g, "z", POET_F32, POET_SHAPE(batch, c->dim));
    poet_val book = poet_input(g, "codebook", POET_F32, POET_SHAPE(c->codes, c->dim));
    poet_result(g, "index", poet_nearest(g, z, book, NULL));
    for (int level = 0; level < c->levels; level++)
        poet_codebook_state(g, c, level);
    return poet_program_create(g, out);
}

size_t poet_kmeans_bytes(const poet_tokenizer_config *config, int64_t rows)
{
    size_t k = (size_t)config->codes, dim = (size_t)config->dim;
    return k * dim * (2 * sizeof(float) + sizeof(double)) + k * sizeof(int64_t) +
           (size_t)rows * sizeof(int32_t);
}

static poet_status assign(kmeans *m)
{
    size_t dim = (size_t)m->dim;
    const poet_kmeans_rows *r = m->rows;
    POET_TRY(poet_program_set_by_name(m->program, "codebook", m->codes,
                                      (size_t)m->k * dim * sizeof(float)));
    for (int64_t at = 0; at < r->all; at += r->batch) {
        POET_TRY(poet_start_check(m->training));
        POET_TRY(poet_program_set_by_name(m->program, "z", r->z + (size_t)at * dim,
                                          (size_t)r->batch * dim * sizeof(float)));
        POET_TRY(poet_program_run(m->program));
        POET_TRY(poet_program_get_by_name(m->program, "index", m->index + at,
                                          (size_t)r->batch * sizeof(int32_t)));
    }
    return POET_OK;
}

/* A code that nobody chose keeps its place. */
static void move_codes(kmeans *m)
{
    size_t dim = (size_t)m->dim;
    memset(m->sums, 0, (size_t)m->k * dim * sizeof *m->sums);
    memset(m->counts, 0, (size_t)m->k * sizeof *m->counts);
    for (int64_t i = 0; i < m->rows->all; i++) {
        size_t code = (size_t)m->index[i];
        m->counts[code]++;
        for (size_t d = 0; d < dim; d++)
            m->sums[code * dim + d] += (double)m->rows->z[(size_t)i * dim + d];
    }
    for (size_t code = 0; code < (size_t)m->k; code++)
        for (size_t d = 0; d < dim && m->counts[code]; d++)
            m->codes[code * dim + d] = (float)(m->sums[code * dim + d] / (double)m->counts[code]);
}

static void pick_rows(kmeans *m, int level)
{
    size_t dim = (size_t)m->dim;
    poet_rng rng;
    poet_rng_init(&rng, m->training->seed, (uint64_t)level);
    for (int k = 0; k < m->k; k++) {
        size_t row = poet_rng_below(&rng, (uint32_t)m->rows->all);
        memcpy(m->codes + (size_t)k * dim, m->rows->z + row * dim, dim * sizeof(float));
    }
}

/* Counts are what a batch of a training step gives a code of mean use. */
static poet_status write_level(const kmeans *m, int level)
{
    char name[64];
    float share = (float)m->rows->step_rows / (float)m->k;
    size_t count = (size_t)m->k * (size_t)m->dim;
    float *scaled = poet_alloc(count * sizeof *scaled);
    if (!scaled)
        return POET_ERR_NOMEM;
    snprintf(name, sizeof name, "quantizer.level%d.codebook", level);
    poet_status status = poet_start_write(m->tokenizer, name, m->codes, count);
    for (size_t i = 0; i < count; i++)
        scaled[i] = m->codes[i] * share;
    snprintf(name, sizeof name, "quantizer.level%d.total", level);
    if (!status)
        status = poet_start_write(m->tokenizer, name, scaled, count);
    for (int k = 0; k < m->k; k++)
        scaled[k] = share;
    snprintf(name, sizeof name, "quantizer.level%d.count", level);
    if (!status)
        status = poet_start_write(m->tokenizer, name, scaled, (size_t)m->k);
    poet_free(scaled);
    return status;
}

/* Before a round of a level; after all of them for the level behind the last. */
static void tell_round(const kmeans *m, int level, int round)
{
    double each = m->rounds + 1, total = each * m->tokenizer->config.levels;
    poet_task_progress(m->training->train.task, &(poet_progress){.what = "k-means",
                                                                 .done = level * each + round,
                                                                 .total = total,
                                                                 .unit = "rounds"});
}

/* What the level leaves is the next one's to quantize. */
static void subtract_codes(const kmeans *m)
{
    size_t dim = (size_t)m->dim;
    for (size_t i = 0; i < (size_t)m->rows->all * dim; i++)
        m->rows->z[i] -= m->codes[(size_t)m->index[i / dim] * dim + i % dim];
}

static poet_status start_level(kmeans *m, int level)
{
    bool last = level == m->tokenizer->config.levels - 1;
    pick_rows(m, level);
    for (int round = 0; round < m->rounds; round++) {
        tell_round(m, level, round);
        POET_TRY(assign(m));
        move_codes(m);
    }
    tell_round(m, level, m->rounds);
    if (!last) {
        POET_TRY(assign(m));
        subtract_codes(m);
    }
    return write_level(m, level);
}

static int rounds_of(const poet_tokenizer_config *c, int64_t rows)
{
    double rounds = most_work / ((double)c->levels * (double)rows * c->codes * c->dim);
    return rounds < ROUNDS ? (int)rounds : ROUNDS;
}

poet_status poet_kmeans_start(poet_tokenizer *t, const poet_tokenizer_training *training,
                              const poet_kmeans_rows *rows)
{
    const poet_tokenizer_config *c = &t->config;
    kmeans m = {.tokenizer = t,
                .training = training,
                .rows = rows,
                .dim = c->dim,
                .k = c->codes,
                .rounds = rounds_of(c, rows->all)};
    size_t k = (size_t)m.k, dim = (size_t)m.dim;
    POET_TRY(poet_kmeans_build(t, rows->batch, &m.program));
    m.codes = poet_alloc(k * dim * sizeof *m.codes);
    m.sums = poet_alloc(k * dim * sizeof *m.sums);
    m.counts = poet_alloc(k * sizeof *m.counts);
    m.index = poet_alloc((size_t)rows->all * sizeof *m.index);
    poet_status status = m.codes && m.sums && m.counts && m.index ? POET_OK : POET_ERR_NOMEM;
    for (int level = 0; level < c->levels && !status; level++)
        status = start_level(&m, level);
    if (!status)
        tell_round(&m, c->levels, 0);
    poet_free(m.index);
    poet_free(m.counts);
    poet_free(m.sums);
    poet_free(m.codes);
    poet_program_destroy(m.program);
    return status;
}

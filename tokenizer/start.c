/* Honest starting values: principal components of patches for the linear maps, k-means of the
 * projected patches for the codebook. Step 0 then stands where an ordinary start arrives after ten
 * minutes. */
#include "tokenizer/tokenizer_internal.h"

#include "base/memory.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { KMEANS_ROUNDS = 10 };

static const char components_stage[] = "principal components", project_stage[] = "project patches";

/* What the stages share. */
typedef struct starter {
    poet_tokenizer *tokenizer;
    const poet_tokenizer_training *training;
    uint8_t *frames; /* one batch */
    size_t frame_bytes;
    int batches;
    int64_t rows;                    /* patches of one batch */
    int p, dim;                      /* values of a patch, of a code vector */
    double *mean, *vectors, *values; /* (p), (dim,p), (dim) */
    double *scale;                   /* (dim): what a component is multiplied by */
    float *z;                        /* (batches * rows, dim) */
} starter;

static void tell(const starter *s, const char *what, double done, double total, const char *unit)
{
    poet_task_progress(s->training->train.task,
                       &(poet_progress){.what = what, .done = done, .total = total, .unit = unit});
}

/* Of a stage that goes through the clips, before a batch; after the last when that is `batches`. */
static void tell_clips(const starter *s, const char *what, int batch)
{
    tell(s, what, (double)batch * s->training->b, (double)s->batches * s->training->b, "clips");
}

static poet_status run_batch(starter *s, poet_program *program, int batch)
{
    POET_TRY(s->training->clips(s->training->opaque, batch, s->training->b, s->frames));
    POET_TRY(poet_program_set_by_name(program, "frames", s->frames, s->frame_bytes));
    return poet_program_run(program);
}

/* The patches of a batch as a matrix (rows, p). */
static poet_val patch_rows(starter *s, poet_graph *g)
{
    const poet_tokenizer_training *r = s->training;
    poet_val frames = poet_input(g, "frames", POET_U8, POET_SHAPE(r->b, r->t, r->h, r->w, 3));
    poet_val patches = poet_patchify(g, frames, s->tokenizer->config.patch);
    return poet_reshape(g, patches, POET_SHAPE(s->rows, s->p));
}

/* Mean and covariance of patches over all batches. */
static poet_status covariance(starter *s, double *matrix)
{
    poet_graph *g = poet_graph_create(s->tokenizer->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_program *program;
    poet_val x = patch_rows(s, g);
    poet_result(g, "products", poet_matmul(g, x, true, x, false, POET_NONE));
    poet_result(g, "sums", poet_sum_to(g, x, POET_SHAPE(s->p)));
    POET_TRY(poet_program_create(g, &program));
    size_t p = (size_t)s->p;
    float *products = poet_alloc(p * p * sizeof *products), *sums = poet_alloc(p * sizeof *sums);
    poet_status status = products && sums ? POET_OK : POET_ERR_NOMEM;
    memset(matrix, 0, p * p * sizeof *matrix);
    memset(s->mean, 0, p * sizeof *s->mean);
    for (int b = 0; b < s->batches && !status; b++) {
        tell_clips(s, components_stage, b);
        status = run_batch(s, program, b);
        if (!status)
            status = poet_program_get_by_name(program, "products", products, p * p * sizeof(float));
        if (!status)
            status = poet_program_get_by_name(program, "sums", sums, p * sizeof(float));
        for (size_t i = 0; i < p * p && !status; i++)
            matrix[i] += (double)products[i];
        for (size_t i = 0; i < p && !status; i++)
            s->mean[i] += (double)sums[i];
    }
    double n = (double)s->rows * s->batches;
    for (size_t i = 0; i < p; i++)
        s->mean[i] /= n;
    for (size_t i = 0; i < p * p; i++)
        matrix[i] = matrix[i] / n - s->mean[i / p] * s->mean[i % p];
    poet_free(sums);
    poet_free(products);
    poet_program_destroy(program);
    return status;
}

static poet_status write_param(starter *s, const char *name, const float *values, size_t count)
{
    int index = poet_params_find(s->tokenizer->params, name);
    if (index < 0)
        return POET_FAIL(POET_ERR_ARG, "%s: no such parameter", name);
    return poet_params_write(s->tokenizer->params, index, values, count * sizeof *values);
}

/* z = (x - mean) V' scale; x = z / scale V + mean. VQ keeps the proportions of the components, so
 * that distances mean squared error; scalar quantizers want every channel in the range of tanh. */
static poet_status write_linear_maps(starter *s)
{
    size_t p = (size_t)s->p, dim = (size_t)s->dim;
    bool vq = s->tokenizer->config.quantizer == POET_QUANTIZER_VQ;
    float *to = poet_alloc(dim * p * sizeof *to), *back = poet_alloc(p * dim * sizeof *back);
    float *to_bias = poet_alloc(dim * sizeof *to_bias), *back_bias = poet_alloc(p * sizeof(float));
    poet_status status = to && back && to_bias && back_bias ? POET_OK : POET_ERR_NOMEM;
    for (size_t d = 0; d < dim && !status; d++) {
        double value = fmax(s->values[vq ? 0 : d], 1e-12), offset = 0;
        s->scale[d] = (vq ? 2 : 1) / sqrt(value);
        for (size_t i = 0; i < p; i++) {
            double v = s->vectors[d * p + i];
            to[d * p + i] = (float)(v * s->scale[d]);
            back[i * dim + d] = (float)(v / s->scale[d]);
            offset += s->mean[i] * v;
        }
        to_bias[d] = (float)(-offset * s->scale[d]);
    }
    for (size_t i = 0; i < p && !status; i++)
        back_bias[i] = (float)s->mean[i];
    if (!status)
        status = write_param(s, "encoder.linear.weight", to, dim * p);
    if (!status)
        status = write_param(s, "encoder.linear.bias", to_bias, dim);
    if (!status)
        status = write_param(s, "decoder.linear.weight", back, p * dim);
    if (!status)
        status = write_param(s, "decoder.linear.bias", back_bias, p);
    poet_free(back_bias);
    poet_free(to_bias);
    poet_free(back);
    poet_free(to);
    return status;
}

/* z of every patch of the starting clips, through the encoder as it stands (its network still says
 * zero). */
static poet_status project(starter *s)
{
    poet_graph *g = poet_graph_create(s->tokenizer->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_program *program;
    poet_val w = poet_state(g, "encoder.linear.weight", POET_BUFFER, POET_F32,
                            POET_SHAPE(s->dim, s->p), POET_ZEROS);
    poet_val b =
        poet_state(g, "encoder.linear.bias", POET_BUFFER, POET_F32, POET_SHAPE(s->dim), POET_ZEROS);
    poet_result(g, "z", poet_matmul(g, patch_rows(s, g), false, w, true, b));
    POET_TRY(poet_program_create(g, &program));
    size_t count = (size_t)s->rows * (size_t)s->dim;
    poet_status status = POET_OK;
    for (int i = 0; i < s->batches && !status; i++) {
        tell_clips(s, project_stage, i);
        status = run_batch(s, program, i);
        if (!status)
            status = poet_program_get_by_name(program, "z", s->z + (size_t)i * count,
                                              count * sizeof *s->z);
    }
    poet_program_destroy(program);
    if (!status)
        tell_clips(s, project_stage, s->batches);
    return status;
}

/* ---- k-means (Lloyd) ---- */

typedef struct kmeans {
    poet_program *program; /* z (rows,dim), codebook -> index, one batch at a time */
    int64_t rows, all;
    int dim, k;
    float *codes; /* (k,dim) */
    int32_t *index;
    double *sums; /* (k,dim) */
    int64_t *counts;
} kmeans;

static poet_status assign(kmeans *m, const float *z)
{
    size_t dim = (size_t)m->dim;
    POET_TRY(poet_program_set_by_name(m->program, "codebook", m->codes,
                                      (size_t)m->k * dim * sizeof(float)));
    for (int64_t at = 0; at < m->all; at += m->rows) {
        POET_TRY(poet_program_set_by_name(m->program, "z", z + (size_t)at * dim,
                                          (size_t)m->rows * dim * sizeof(float)));
        POET_TRY(poet_program_run(m->program));
        POET_TRY(poet_program_get_by_name(m->program, "index", m->index + at,
                                          (size_t)m->rows * sizeof(int32_t)));
    }
    return POET_OK;
}

/* A code that nobody chose keeps its place. */
static void move_codes(kmeans *m, const float *z)
{
    size_t dim = (size_t)m->dim;
    memset(m->sums, 0, (size_t)m->k * dim * sizeof *m->sums);
    memset(m->counts, 0, (size_t)m->k * sizeof *m->counts);
    for (int64_t i = 0; i < m->all; i++) {
        size_t code = (size_t)m->index[i];
        m->counts[code]++;
        for (size_t d = 0; d < dim; d++)
            m->sums[code * dim + d] += (double)z[(size_t)i * dim + d];
    }
    for (size_t code = 0; code < (size_t)m->k; code++)
        for (size_t d = 0; d < dim && m->counts[code]; d++)
            m->codes[code * dim + d] = (float)(m->sums[code * dim + d] / (double)m->counts[code]);
}

static void pick_rows(kmeans *m, const float *z, uint64_t seed, int level)
{
    size_t dim = (size_t)m->dim;
    poet_rng rng;
    poet_rng_init(&rng, seed, (uint64_t)level);
    for (int k = 0; k < m->k; k++) {
        size_t row = poet_rng_below(&rng, (uint32_t)m->all);
        memcpy(m->codes + (size_t)k * dim, z + row * dim, dim * sizeof *z);
    }
}

static poet_status write_level(starter *s, const kmeans *m, int level)
{
    char name[64];
    float share = (float)s->rows / (float)m->k;
    size_t count = (size_t)m->k * (size_t)m->dim;
    float *scaled = poet_alloc(count * sizeof *scaled);
    if (!scaled)
        return POET_ERR_NOMEM;
    snprintf(name, sizeof name, "quantizer.level%d.codebook", level);
    poet_status status = write_param(s, name, m->codes, count);
    for (size_t i = 0; i < count; i++)
        scaled[i] = m->codes[i] * share;
    snprintf(name, sizeof name, "quantizer.level%d.total", level);
    if (!status)
        status = write_param(s, name, scaled, count);
    for (int k = 0; k < m->k; k++)
        scaled[k] = share;
    snprintf(name, sizeof name, "quantizer.level%d.count", level);
    if (!status)
        status = write_param(s, name, scaled, (size_t)m->k);
    poet_free(scaled);
    return status;
}

/* Before a round of a level; after all of them for the level behind the last. */
static void tell_round(const starter *s, int level, int round)
{
    double each = KMEANS_ROUNDS + 1;
    tell(s, "k-means", level * each + round, s->tokenizer->config.levels * each, "rounds");
}

static poet_status start_level(starter *s, kmeans *m, int level)
{
    pick_rows(m, s->z, s->training->seed, level);
    for (int round = 0; round <= KMEANS_ROUNDS; round++) {
        tell_round(s, level, round);
        if (round)
            move_codes(m, s->z);
        POET_TRY(assign(m, s->z));
    }
    size_t dim = (size_t)m->dim;
    for (size_t i = 0; i < (size_t)m->all * dim; i++)
        s->z[i] -= m->codes[(size_t)m->index[i / dim] * dim + i % dim];
    return write_level(s, m, level);
}

static poet_status start_codebooks(starter *s)
{
    const poet_tokenizer_config *c = &s->tokenizer->config;
    kmeans m = {.rows = s->rows, .all = s->rows * s->batches, .dim = s->dim, .k = c->codes};
    poet_graph *g = poet_graph_create(s->tokenizer->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_val z = poet_input(g, "z", POET_F32, POET_SHAPE(s->rows, s->dim));
    poet_val book = poet_input(g, "codebook", POET_F32, POET_SHAPE(c->codes, s->dim));
    poet_result(g, "index", poet_nearest(g, z, book, NULL));
    POET_TRY(poet_program_create(g, &m.program));
    size_t k = (size_t)m.k, dim = (size_t)m.dim;
    m.codes = poet_alloc(k * dim * sizeof *m.codes);
    m.sums = poet_alloc(k * dim * sizeof *m.sums);
    m.counts = poet_alloc(k * sizeof *m.counts);
    m.index = poet_alloc((size_t)m.all * sizeof *m.index);
    poet_status status = m.codes && m.sums && m.counts && m.index ? POET_OK : POET_ERR_NOMEM;
    for (int level = 0; level < c->levels && !status; level++)
        status = start_level(s, &m, level);
    if (!status)
        tell_round(s, c->levels, 0);
    poet_free(m.index);
    poet_free(m.counts);
    poet_free(m.sums);
    poet_free(m.codes);
    poet_program_destroy(m.program);
    return status;
}

static poet_status start_all(starter *s)
{
    double *matrix = poet_alloc((size_t)s->p * (size_t)s->p * sizeof *matrix);
    poet_status status = matrix ? covariance(s, matrix) : POET_ERR_NOMEM;
    if (!status)
        status = poet_principal(matrix, s->p, s->dim, s->training->seed, s->vectors, s->values);
    poet_free(matrix);
    POET_TRY(status);
    tell_clips(s, components_stage, s->batches);
    POET_TRY(write_linear_maps(s));
    if (s->tokenizer->config.quantizer != POET_QUANTIZER_VQ)
        return POET_OK;
    POET_TRY(project(s));
    return start_codebooks(s);
}

poet_status poet_tokenizer_start(poet_tokenizer *tokenizer, const poet_tokenizer_training *training)
{
    poet_grid grid;
    const poet_tokenizer_training *r = training;
    POET_TRY(poet_tokenizer_grid(&tokenizer->config, r->t, r->h, r->w, &grid));
    int patch = tokenizer->config.patch;
    starter s = {.tokenizer = tokenizer,
                 .training = training,
                 .frame_bytes = (size_t)r->b * (size_t)r->t * (size_t)r->h * (size_t)r->w * 3,
                 .batches = (r->start_clips + r->b - 1) / r->b,
                 .rows = (int64_t)r->b * grid.t * grid.h * grid.w,
                 .p = POET_PATCH_FRAMES * patch * patch * 3,
                 .dim = tokenizer->config.dim};
    size_t p = (size_t)s.p, dim = (size_t)s.dim;
    s.frames = poet_alloc(s.frame_bytes);
    s.mean = poet_alloc(p * sizeof *s.mean);
    s.vectors = poet_alloc(dim * p * sizeof *s.vectors);
    s.values = poet_alloc(dim * sizeof *s.values);
    s.scale = poet_alloc(dim * sizeof *s.scale);
    s.z = poet_alloc((size_t)s.batches * (size_t)s.rows * dim * sizeof *s.z);
    bool all = s.frames && s.mean && s.vectors && s.values && s.scale && s.z;
    poet_status status = all ? start_all(&s) : POET_ERR_NOMEM;
    poet_free(s.z);
    poet_free(s.scale);
    poet_free(s.values);
    poet_free(s.vectors);
    poet_free(s.mean);
    poet_free(s.frames);
    return status;
}

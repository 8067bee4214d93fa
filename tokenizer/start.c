/* Honest starting values: principal components of patches for the linear maps, k-means of the
 * projected patches for the codebook. Step 0 then stands where an ordinary start arrives after ten
 * minutes. */
#include "tokenizer/tokenizer_internal.h"

#include "base/memory.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

/* Of the patches of the starting clips at most so many are kept for k-means: of 200 clips of 17 frames of 64x64 pixels all
 * in patches of 4x4, of larger clips a part of each batch. It bounds what the start takes, in time and memory. */
enum { MOST_ROWS = 1 << 18 };

static const char components_stage[] = "principal components", project_stage[] = "project patches";

/* What the stages share. */
typedef struct starter {
    poet_tokenizer *tokenizer;
    const poet_tokenizer_training *training;
    uint8_t *frames; /* one batch */
    size_t frame_bytes;
    int batches;
    int64_t rows, kept;              /* patches of one batch, and those that k-means gets */
    int p, dim;                      /* values of a patch, of a code vector */
    double *mean, *vectors, *values; /* (p), (dim,p), (dim) */
    double *scale;                   /* (dim): what a component is multiplied by */
} starter;

poet_status poet_start_check(const poet_tokenizer_training *training)
{
    return poet_task_stopped(training->train.task)
               ? POET_FAIL(POET_ERR_INTERRUPTED,
                           "stopped before step 1; the same command begins anew")
               : POET_OK;
}

/* Of a stage that goes through the clips, before a batch; after the last when that is `batches`. */
static void tell_clips(const starter *s, const char *what, int batch)
{
    double each = s->training->b;
    poet_task_progress(s->training->train.task, &(poet_progress){.what = what,
                                                                 .done = batch * each,
                                                                 .total = s->batches * each,
                                                                 .unit = "clips"});
}

static poet_status run_batch(starter *s, poet_program *program, int batch)
{
    POET_TRY(poet_start_check(s->training));
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

static poet_status build_covariance(starter *s, poet_program **out)
{
    poet_graph *g = poet_graph_create(s->tokenizer->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_val x = patch_rows(s, g);
    poet_result(g, "products", poet_matmul(g, x, true, x, false, POET_NONE));
    poet_result(g, "sums", poet_sum_to(g, x, POET_SHAPE(s->p)));
    return poet_program_create(g, out);
}

/* Mean and covariance of patches over all batches. */
static poet_status covariance(starter *s, double *matrix)
{
    poet_program *program;
    POET_TRY(build_covariance(s, &program));
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

poet_status poet_start_write(poet_tokenizer *t, const char *name, const float *values, size_t count)
{
    int index = poet_params_find(t->params, name);
    if (index < 0)
        return POET_FAIL(POET_ERR_ARG, "%s: no such parameter", name);
    return poet_params_write(t->params, index, values, count * sizeof *values);
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
        status = poet_start_write(s->tokenizer, "encoder.linear.weight", to, dim * p);
    if (!status)
        status = poet_start_write(s->tokenizer, "encoder.linear.bias", to_bias, dim);
    if (!status)
        status = poet_start_write(s->tokenizer, "decoder.linear.weight", back, p * dim);
    if (!status)
        status = poet_start_write(s->tokenizer, "decoder.linear.bias", back_bias, p);
    poet_free(back_bias);
    poet_free(to_bias);
    poet_free(back);
    poet_free(to);
    return status;
}

static poet_status build_projection(starter *s, poet_program **out)
{
    poet_graph *g = poet_graph_create(s->tokenizer->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_val w = poet_state(g, "encoder.linear.weight", POET_BUFFER, POET_F32,
                            POET_SHAPE(s->dim, s->p), POET_ZEROS);
    poet_val b =
        poet_state(g, "encoder.linear.bias", POET_BUFFER, POET_F32, POET_SHAPE(s->dim), POET_ZEROS);
    poet_result(g, "z", poet_matmul(g, patch_rows(s, g), false, w, true, b));
    return poet_program_create(g, out);
}

/* One row of each of `kept` equal parts of a batch, which are the rows themselves where all are kept. */
static void keep_rows(const starter *s, int batch, const float *all, float *out)
{
    size_t dim = (size_t)s->dim;
    double part = (double)s->rows / (double)s->kept;
    poet_rng rng;
    poet_rng_init(&rng, ~s->training->seed, (uint64_t)batch);
    for (int64_t i = 0; i < s->kept; i++) {
        size_t row = (size_t)(((double)i + (double)poet_rng_uniform(&rng)) * part);
        memcpy(out + (size_t)i * dim, all + row * dim, dim * sizeof *out);
    }
}

/* z of the patches of the starting clips, through the encoder as it stands (its network still says zero):
 * (batches * kept, dim). */
static poet_status project(starter *s, float *z)
{
    poet_program *program;
    size_t dim = (size_t)s->dim, bytes = (size_t)s->rows * dim * sizeof(float);
    POET_TRY(build_projection(s, &program));
    float *all = poet_alloc(bytes);
    poet_status status = all ? POET_OK : POET_ERR_NOMEM;
    for (int i = 0; i < s->batches && !status; i++) {
        tell_clips(s, project_stage, i);
        status = run_batch(s, program, i);
        if (!status)
            status = poet_program_get_by_name(program, "z", all, bytes);
        if (!status)
            keep_rows(s, i, all, z + (size_t)i * (size_t)s->kept * dim);
    }
    poet_free(all);
    poet_program_destroy(program);
    if (!status)
        tell_clips(s, project_stage, s->batches);
    return status;
}

static size_t z_bytes(const starter *s)
{
    return (size_t)s->batches * (size_t)s->kept * (size_t)s->dim * sizeof(float);
}

/* Each batch brings the codebook along, so few rows go all at once. */
static int64_t kmeans_batch(const starter *s)
{
    enum { FEW = 1 << 14 };

    int64_t all = s->kept * s->batches;
    return all <= FEW ? all : s->kept;
}

static poet_status start_codebooks(starter *s)
{
    poet_kmeans_rows rows = {.z = poet_alloc(z_bytes(s)),
                             .batch = kmeans_batch(s),
                             .all = s->kept * s->batches,
                             .step_rows = s->rows};
    poet_status status = rows.z ? project(s, rows.z) : POET_ERR_NOMEM;
    if (!status)
        status = poet_kmeans_start(s->tokenizer, s->training, &rows);
    poet_free(rows.z);
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
    return s->tokenizer->config.quantizer == POET_QUANTIZER_VQ ? start_codebooks(s) : POET_OK;
}

static poet_status describe(poet_tokenizer *tokenizer, const poet_tokenizer_training *training,
                            starter *out)
{
    poet_grid grid;
    const poet_tokenizer_training *r = training;
    POET_TRY(poet_tokenizer_grid(&tokenizer->config, r->t, r->h, r->w, &grid));
    int patch = tokenizer->config.patch;
    *out = (starter){.tokenizer = tokenizer,
                     .training = training,
                     .frame_bytes = (size_t)r->b * (size_t)r->t * (size_t)r->h * (size_t)r->w * 3,
                     .batches = (r->start_clips + r->b - 1) / r->b,
                     .rows = (int64_t)r->b * grid.t * grid.h * grid.w,
                     .p = POET_PATCH_FRAMES * patch * patch * 3,
                     .dim = tokenizer->config.dim};
    int64_t most = MOST_ROWS / out->batches;
    out->kept = most < 1 ? 1 : most < out->rows ? most : out->rows;
    return POET_OK;
}

poet_status poet_tokenizer_start(poet_tokenizer *tokenizer, const poet_tokenizer_training *training)
{
    starter s;
    POET_TRY(describe(tokenizer, training, &s));
    size_t p = (size_t)s.p, dim = (size_t)s.dim;
    s.frames = poet_alloc(s.frame_bytes);
    s.mean = poet_alloc(p * sizeof *s.mean);
    s.vectors = poet_alloc(dim * p * sizeof *s.vectors);
    s.values = poet_alloc(dim * sizeof *s.values);
    s.scale = poet_alloc(dim * sizeof *s.scale);
    bool all = s.frames && s.mean && s.vectors && s.values && s.scale;
    poet_status status = all ? start_all(&s) : POET_ERR_NOMEM;
    poet_free(s.scale);
    poet_free(s.values);
    poet_free(s.vectors);
    poet_free(s.mean);
    poet_free(s.frames);
    return status;
}

/* ---- what it takes ---- */

/* Of a stage: its program, which is destroyed, and what the host keeps. */
static void count_stage(poet_program *program, size_t host, poet_memory *out)
{
    poet_memory stage = poet_program_memory(program);
    stage.host = host;
    poet_memory_most(out, &stage);
    poet_program_destroy(program);
}

poet_status poet_tokenizer_start_memory(poet_tokenizer *twin,
                                        const poet_tokenizer_training *training, poet_memory *out)
{
    starter s;
    poet_program *program;
    POET_TRY(describe(twin, training, &s));
    const poet_tokenizer_config *c = &twin->config;
    size_t p = (size_t)s.p, dim = (size_t)s.dim;
    size_t always = s.frame_bytes + (p + dim * p + 2 * dim) * sizeof(double);
    POET_TRY(build_covariance(&s, &program));
    count_stage(program, always + p * p * (sizeof(double) + sizeof(float)), out);
    if (c->quantizer != POET_QUANTIZER_VQ)
        return POET_OK;
    POET_TRY(build_projection(&s, &program));
    count_stage(program, always + z_bytes(&s) + (size_t)s.rows * dim * sizeof(float), out);
    POET_TRY(poet_kmeans_build(twin, kmeans_batch(&s), &program));
    count_stage(program, always + z_bytes(&s) + poet_kmeans_bytes(c, s.kept * s.batches), out);
    return POET_OK;
}

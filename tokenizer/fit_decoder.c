/* The decoder's last layer by least squares: tokenizer/shrink.h has the equation. */
#include "tokenizer/shrink.h"

#include "base/matrix.h"
#include "base/memory.h"
#include "tokenizer/tokenizer_internal.h"

#include <string.h>

enum { PRIOR_PLACES = 256 };

/* Sums over places: of products of features f (n), the last of which is 1, and of what is left of patches, r (p). */
typedef struct sums {
    size_t n, p;
    double places, square; /* square: of all r */
    double *ff, *fr;       /* (n,n), (n,p) */
} sums;

typedef struct fitter {
    poet_tokenizer *tokenizer;
    poet_decoder_fit *fit;
    int64_t places; /* of a clip */
    sums sums;
    float *buffer; /* a result of the program: the largest is (n,p) or (n,n) */
    uint8_t *frames;
    size_t frame_bytes;
} fitter;

static poet_status build(const fitter *s, poet_program **out)
{
    const poet_decoder_fit *fit = s->fit;
    const poet_tokenizer_config *c = &s->tokenizer->config;
    int64_t n = (int64_t)s->sums.n, p = (int64_t)s->sums.p;
    poet_graph *g = poet_graph_create(s->tokenizer->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_val frames = poet_input(g, "frames", POET_U8, POET_SHAPE(1, fit->t, fit->h, fit->w, 3));
    poet_val patches = poet_patchify(g, frames, c->patch), hidden;
    poet_val codes = poet_quantizer_encode(g, c, poet_encoder_build(g, c, patches));
    poet_val vectors = poet_quantizer_decode(g, c, codes);
    poet_val decoded = poet_decoder_build_hidden(g, c, vectors, &hidden);
    poet_val left = poet_add(g, patches, poet_scale(g, decoded, -1));
    poet_val r = poet_reshape(g, left, POET_SHAPE(s->places, p));
    poet_val one = poet_fill(g, poet_slice(g, vectors, 4, 0, 1), 1);
    poet_val all[] = {vectors, hidden, one};
    poet_val f = poet_reshape(g, poet_concat(g, 3, all, 4), POET_SHAPE(s->places, n));
    poet_result(g, "ff", poet_matmul(g, f, true, f, false, POET_NONE));
    poet_result(g, "fr", poet_matmul(g, f, true, r, false, POET_NONE));
    poet_result(g, "mse", poet_mse(g, decoded, patches));
    return poet_program_create(g, out);
}

static poet_status add_result(fitter *s, poet_program *program, const char *name, double *sum,
                              size_t count)
{
    POET_TRY(poet_program_get_by_name(program, name, s->buffer, count * sizeof *s->buffer));
    for (size_t i = 0; i < count; i++)
        sum[i] += (double)s->buffer[i];
    return POET_OK;
}

static poet_status add_clip(fitter *s, poet_program *program, int clip)
{
    sums *m = &s->sums;
    double mse = 0;
    POET_TRY(poet_task_advance(s->fit->task, "fit the decoder", clip, s->fit->count, "clips"));
    POET_TRY(s->fit->clips(s->fit->opaque, clip, 1, s->frames));
    POET_TRY(poet_program_set_by_name(program, "frames", s->frames, s->frame_bytes));
    POET_TRY(poet_program_run(program));
    POET_TRY(add_result(s, program, "ff", m->ff, m->n * m->n));
    POET_TRY(add_result(s, program, "fr", m->fr, m->n * m->p));
    POET_TRY(add_result(s, program, "mse", &mse, 1));
    m->places += (double)s->places;
    m->square += mse * (double)s->places * (double)m->p;
    return POET_OK;
}

/* The sum of (r - D'f)^2. */
static double squares_left(const sums *m, const double *change)
{
    double left = m->square;
    for (size_t i = 0; i < m->n; i++)
        for (size_t j = 0; j < m->p; j++) {
            double product = 0; /* of ff and the change */
            for (size_t k = 0; k < m->n; k++)
                product += m->ff[i * m->n + k] * change[k * m->p + j];
            left += change[i * m->p + j] * (product - 2 * m->fr[i * m->p + j]);
        }
    return left;
}

/* change (n,p). */
static poet_status solve(const sums *m, double *change)
{
    double *factor = poet_alloc(m->n * m->n * sizeof *factor);
    if (!factor)
        return POET_ERR_NOMEM;
    memcpy(factor, m->ff, m->n * m->n * sizeof *factor);
    memcpy(change, m->fr, m->n * m->p * sizeof *change);
    for (size_t i = 0; i < m->n; i++)
        factor[i * m->n + i] *= 1 + PRIOR_PLACES / m->places;
    poet_cholesky_factor(factor, (int)m->n);
    poet_cholesky_solve(factor, (int)m->n, change, (int)m->p);
    poet_free(factor);
    return POET_OK;
}

/* A parameter (p,columns) takes rows first.. of change (n,p), transposed. */
static poet_status add_to(fitter *s, const char *name, const double *change, size_t first,
                          size_t columns)
{
    size_t p = s->sums.p, bytes = p * columns * sizeof(float);
    poet_params *params = s->tokenizer->params;
    int index = poet_params_find(params, name);
    POET_TRY(poet_params_read(params, index, s->buffer, bytes));
    for (size_t i = 0; i < p * columns; i++)
        s->buffer[i] += (float)change[(first + i % columns) * p + i / columns];
    return poet_params_write(params, index, s->buffer, bytes);
}

static poet_status write_layer(fitter *s, const double *change)
{
    size_t dim = (size_t)s->tokenizer->config.dim, width = (size_t)s->tokenizer->config.width;
    poet_tokenizer_forget_programs(s->tokenizer);
    POET_TRY(add_to(s, "decoder.linear.weight", change, 0, dim));
    POET_TRY(add_to(s, "decoder.last.weight", change, dim, width));
    return add_to(s, "decoder.linear.bias", change, dim + width, 1);
}

static poet_status collect(fitter *s)
{
    poet_program *program;
    POET_TRY(build(s, &program));
    poet_status status = POET_OK;
    for (int i = 0; i < s->fit->count && !status; i++)
        status = add_clip(s, program, i);
    poet_program_destroy(program);
    return status;
}

static poet_status fit_layer(fitter *s)
{
    sums *m = &s->sums;
    double *change = poet_alloc(m->n * m->p * sizeof *change);
    poet_status status = change ? collect(s) : POET_ERR_NOMEM;
    if (!status)
        status = solve(m, change);
    if (!status) {
        double values = m->places * (double)m->p;
        s->fit->before = m->square / values;
        s->fit->after = squares_left(m, change) / values;
        status = write_layer(s, change);
    }
    poet_free(change);
    return status;
}

static void free_all(fitter *s)
{
    poet_free(s->frames);
    poet_free(s->buffer);
    poet_free(s->sums.fr);
    poet_free(s->sums.ff);
}

static poet_status describe(poet_tokenizer *tokenizer, poet_decoder_fit *fit, fitter *s)
{
    poet_grid grid;
    const poet_tokenizer_config *c = &tokenizer->config;
    POET_TRY(poet_tokenizer_grid(c, fit->t, fit->h, fit->w, &grid));
    sums *m = &s->sums;
    *s = (fitter){.tokenizer = tokenizer, .fit = fit};
    m->n = (size_t)c->dim + (size_t)c->width + 1;
    m->p = (size_t)POET_PATCH_FRAMES * (size_t)c->patch * (size_t)c->patch * 3;
    s->places = (int64_t)grid.t * grid.h * grid.w;
    s->frame_bytes = (size_t)fit->t * (size_t)fit->h * (size_t)fit->w * 3;
    m->ff = poet_calloc(m->n * m->n, sizeof *m->ff);
    m->fr = poet_calloc(m->n * m->p, sizeof *m->fr);
    s->buffer = poet_alloc(m->n * (m->n > m->p ? m->n : m->p) * sizeof *s->buffer);
    s->frames = poet_alloc(s->frame_bytes);
    return m->ff && m->fr && s->buffer && s->frames ? POET_OK : POET_ERR_NOMEM;
}

poet_status poet_tokenizer_fit_decoder(poet_tokenizer *tokenizer, poet_decoder_fit *fit)
{
    fitter s = {.tokenizer = NULL};
    poet_status status = describe(tokenizer, fit, &s);
    if (!status)
        status = fit_layer(&s);
    free_all(&s);
    return status;
}

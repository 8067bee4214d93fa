#include "eval/coded_clip.h"

#include "base/memory.h"
#include "codec/png.h"
#include "eval/metrics.h"

#include <math.h>
#include <string.h>

poet_status poet_clip_coder_create(poet_tokenizer *tokenizer, poet_clip_coder *out)
{
    const poet_tokenizer_config *c = poet_tokenizer_get_config(tokenizer);
    *out = (poet_clip_coder){.tokenizer = tokenizer};
    if (c->quantizer != POET_QUANTIZER_VQ)
        return POET_FAIL(POET_ERR_UNSUPPORTED,
                         "a tokenizer with FSQ or LFQ has no codebook that a latent could be out "
                         "of: its codes are a grid over all latents");
    size_t dim = (size_t)c->dim, rows = (size_t)c->levels * (size_t)c->codes;
    out->vectors = poet_alloc(rows * dim * sizeof *out->vectors);
    out->metric = poet_alloc(dim * dim * sizeof *out->metric);
    if (!out->vectors || !out->metric)
        return POET_ERR_NOMEM;
    POET_TRY(poet_tokenizer_vectors(tokenizer, out->vectors));
    return poet_tokenizer_patch_metric(tokenizer, out->metric);
}

void poet_clip_coder_free(poet_clip_coder *coder)
{
    poet_free(coder->metric);
    poet_free(coder->vectors);
    *coder = (poet_clip_coder){0};
}

static double patch_length(const double *metric, const float *vector, int dim)
{
    double sum = 0;
    for (int j = 0; j < dim; j++) {
        double value = 0;
        for (int i = j; i < dim; i++)
            value += metric[i * dim + j] * (double)vector[i];
        sum += value * value;
    }
    return sqrt(sum);
}

/* rest (dim) is what is left of one place's latent: each level takes its code's vector away. */
static void measure_place(const poet_clip_coder *coder, const int32_t *codes, float *rest,
                          float *distances)
{
    const poet_tokenizer_config *c = poet_tokenizer_get_config(coder->tokenizer);
    for (int level = 0; level < c->levels; level++) {
        int64_t row = (int64_t)level * c->codes + codes[level];
        for (int d = 0; d < c->dim; d++)
            rest[d] -= coder->vectors[row * c->dim + d];
        distances[level] = (float)patch_length(coder->metric, rest, c->dim);
    }
}

static poet_status encode(const poet_clip_coder *coder, const poet_clip *clip, poet_coded_clip *out)
{
    int levels = out->grid.levels, dim = poet_tokenizer_get_config(coder->tokenizer)->dim;
    int64_t places = (int64_t)out->grid.t * out->grid.h * out->grid.w;
    float *latents = poet_alloc((size_t)places * (size_t)dim * sizeof *latents);
    poet_status status =
        latents ? poet_tokenizer_encode_latents(coder->tokenizer, clip->pixels, clip->t, clip->h,
                                                clip->w, out->codes, latents)
                : POET_ERR_NOMEM;
    for (int64_t i = 0; i < places && !status; i++)
        measure_place(coder, out->codes + i * levels, latents + i * dim,
                      out->distances + i * levels);
    poet_free(latents);
    return status;
}

poet_status poet_coded_clip_make(const poet_clip_coder *coder, const poet_clip *clip,
                                 poet_coded_clip *out)
{
    *out = (poet_coded_clip){.psnr = 0};
    POET_TRY(poet_tokenizer_grid(poet_tokenizer_get_config(coder->tokenizer), clip->t, clip->h,
                                 clip->w, &out->grid));
    size_t count = (size_t)poet_grid_codes(&out->grid);
    out->codes = poet_alloc(count * sizeof *out->codes);
    out->distances = poet_alloc(count * sizeof *out->distances);
    if (!out->codes || !out->distances)
        return POET_ERR_NOMEM;
    POET_TRY(poet_clip_create(clip->t, clip->h, clip->w, clip->fps, &out->back));
    POET_TRY(encode(coder, clip, out));
    POET_TRY(poet_tokenizer_decode(coder->tokenizer, out->codes, &out->grid, out->back.pixels));
    out->psnr =
        poet_psnr(clip->pixels, out->back.pixels, (size_t)clip->t * poet_clip_frame_bytes(clip));
    return poet_ssim(clip->pixels, out->back.pixels, clip->t, clip->h, clip->w, &out->ssim);
}

void poet_coded_clip_free(poet_coded_clip *coded)
{
    poet_clip_free(&coded->back);
    poet_free(coded->distances);
    poet_free(coded->codes);
    *coded = (poet_coded_clip){.psnr = 0};
}

/* ---- the picture ---- */

enum { ROWS = 3, COLUMNS = 8, GAP = 2, LARGE = 128 };

typedef struct sheet {
    const poet_coded_clip *coded;
    const poet_clip *clip;
    double limit;
    int columns, enlarge; /* frames drawn; pixels for one */
    int h, w;
    uint8_t *pixels; /* (h,w,3) */
} sheet;

/* The time of the grid that a column shows, and its last frame. */
static int time_of(const sheet *s, int column)
{
    return s->columns > 1 ? column * (s->coded->grid.t - 1) / (s->columns - 1) : 0;
}

/* Grey as bright as half the distance, or red to yellow. */
static void failing_colour(double distance, double limit, uint8_t out[3])
{
    double share = limit > 0 ? distance / limit : distance > 0 ? 2 : 0;
    uint8_t grey = (uint8_t)lround(110 * fmin(share, 1));
    bool fails = share > 1;
    out[0] = fails ? 255 : grey;
    out[1] = fails ? (uint8_t)lround(230 * fmin(share - 1, 1)) : grey;
    out[2] = fails ? 0 : grey;
}

static void cell_colour(const sheet *s, int time, int y, int x, uint8_t out[3])
{
    const poet_grid *g = &s->coded->grid;
    int patch = s->clip->h / g->h;
    int64_t place = ((int64_t)time * g->h + y / patch) * g->w + x / patch;
    failing_colour((double)s->coded->distances[place * g->levels + g->levels - 1], s->limit, out);
}

static void paint(const sheet *s, int row, int column)
{
    int time = time_of(s, column), high = s->clip->h * s->enlarge, wide = s->clip->w * s->enlarge;
    const poet_clip *source = row ? &s->coded->back : s->clip;
    const uint8_t *frame =
        source->pixels + (size_t)(time * POET_PATCH_FRAMES) * poet_clip_frame_bytes(source);
    for (int y = 0; y < high; y++)
        for (int x = 0; x < wide; x++) {
            int at_y = y / s->enlarge, at_x = x / s->enlarge;
            size_t to = (size_t)(row * (high + GAP) + y) * (size_t)s->w +
                        (size_t)(column * (wide + GAP) + x);
            if (row < 2)
                memcpy(s->pixels + 3 * to,
                       frame + 3 * ((size_t)at_y * (size_t)s->clip->w + (size_t)at_x), 3);
            else
                cell_colour(s, time, at_y, at_x, s->pixels + 3 * to);
        }
}

poet_status poet_coded_clip_picture(const poet_coded_clip *coded, const poet_clip *clip,
                                    double limit, const char *path, const poet_video_tag *tags,
                                    int tag_count)
{
    sheet s = {.coded = coded, .clip = clip, .limit = limit};
    s.columns = coded->grid.t < COLUMNS ? coded->grid.t : COLUMNS;
    s.enlarge = clip->w < LARGE ? LARGE / clip->w : 1;
    s.h = ROWS * (clip->h * s.enlarge + GAP) - GAP;
    s.w = s.columns * (clip->w * s.enlarge + GAP) - GAP;
    s.pixels = poet_alloc((size_t)s.h * (size_t)s.w * 3);
    if (!s.pixels)
        return POET_ERR_NOMEM;
    memset(s.pixels, 255, (size_t)s.h * (size_t)s.w * 3);
    for (int row = 0; row < ROWS; row++)
        for (int column = 0; column < s.columns; column++)
            paint(&s, row, column);
    poet_status status = poet_png_write(path, s.pixels, s.h, s.w, tags, tag_count);
    poet_free(s.pixels);
    return status;
}

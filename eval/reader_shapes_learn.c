/* What a reader of `shapes` knows: drawn grounds, colours, shapes, paths and sizes. */
#include "base/memory.h"
#include "eval/reader_shapes_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void blur(const poet_shapes_model *m, float *cover, float *scratch)
{
    int w = m->options.w, h = m->options.h;
    memcpy(scratch, cover, (size_t)m->pixels * sizeof *cover);
    for (int y = 1; y + 1 < h; y++)
        for (int x = 1; x + 1 < w; x++) {
            float sum = 0;
            for (int k = 0; k < 9; k++)
                sum += scratch[(y + k / 3 - 1) * w + x + k % 3 - 1] *
                       (float)((2 - abs(k / 3 - 1)) * (2 - abs(k % 3 - 1)));
            cover[y * w + x] = sum / 16;
        }
}

/* One white shape on black, alone in a frame of one, at a few places between the pixels. */
static poet_status learn_patch(const poet_shapes_model *m, int shape, float radius, int blurred,
                               float *cover, poet_shapes_patch *out)
{
    enum { PLACES = 4 };

    int value[POET_SYNTH_FIELDS] = {WHITE, shape, 0, MOTIONS - 1, 1, BLACK_GROUND};
    poet_synth_options still = m->options;
    poet_synth_scene scene;
    still.t = 1;
    memset(out, 0, sizeof *out);
    for (int k = 0; k < PLACES; k++) {
        poet_clip clip;
        POET_TRY(poet_synth_scene_of(POET_SYNTH_SHAPES, value, 0, &still, &scene));
        scene.path[0].radius = radius;
        scene.path[0].x = floorf((float)m->options.w / m->unit / 2) + 0.37F * (float)k;
        scene.path[0].y = floorf((float)m->options.h / m->unit / 2) + 0.61F * (float)k;
        POET_TRY(poet_synth_render(&scene, &clip));
        poet_shapes_cover(m, clip.pixels, m->ground[BLACK_GROUND][scene.style % LAYOUTS],
                          m->palette[WHITE], cover);
        if (blurred)
            blur(m, cover, cover + m->pixels);
        poet_shapes_blob b = poet_shapes_gather(m, cover, scene.path[0].x, scene.path[0].y, 1e6F);
        poet_shapes_add_patch(m, cover, b, 1.0F / PLACES, out->cover);
        out->mass += b.mass / PLACES;
        out->dx += (b.x - scene.path[0].x) / radius / PLACES;
        out->dy += (b.y - scene.path[0].y) / radius / PLACES;
        poet_clip_free(&clip);
    }
    return POET_OK;
}

static poet_status learn_shapes(poet_shapes_model *m)
{
    float *cover = poet_calloc(2 * (size_t)m->pixels, sizeof *cover);
    poet_status status = cover ? POET_OK : POET_ERR_NOMEM;
    for (int r = 0; r < RADII; r++)
        m->radius[r] = 2.2F * powf(1.22F, (float)r);
    for (int i = 0; i < SHAPES * RADII * BLURS && status == POET_OK; i++) {
        int shape = i % SHAPES, r = i / SHAPES % RADII, blurred = i / SHAPES / RADII;
        status = learn_patch(m, shape, m->radius[r], blurred, cover, &m->shape[shape][r][blurred]);
    }
    poet_free(cover);
    return status;
}

/* The empty stages, as many layouts as there are. */
static poet_status learn_grounds(poet_shapes_model *m)
{
    poet_synth_options still = m->options;
    still.t = 1;
    for (int g = 0; g < GROUNDS; g++) {
        int value[POET_SYNTH_FIELDS] = {0, 0, 0, MOTIONS - 1, 1, g};
        for (uint64_t layout = 0; layout < LAYOUTS; layout++) {
            poet_synth_scene scene;
            poet_clip clip;
            POET_TRY(poet_synth_scene_of(POET_SYNTH_SHAPES, value, 0, &still, &scene));
            scene.objects = 0;
            scene.style = layout;
            POET_TRY(poet_synth_render(&scene, &clip));
            m->ground[g][layout] = clip.pixels;
        }
    }
    return POET_OK;
}

/* A colour is the middle of a large square of it. */
static poet_status learn_palette(poet_shapes_model *m)
{
    poet_synth_options still = m->options;
    still.t = 1;
    for (int c = 0; c < COLOURS; c++) {
        int value[POET_SYNTH_FIELDS] = {c, SQUARE, 2, MOTIONS - 1, 1, BLACK_GROUND};
        poet_synth_scene scene;
        poet_clip clip;
        POET_TRY(poet_synth_scene_of(POET_SYNTH_SHAPES, value, 0, &still, &scene));
        POET_TRY(poet_synth_render(&scene, &clip));
        int x = (int)(scene.path[0].x * m->unit), y = (int)(scene.path[0].y * m->unit);
        m->palette[c] = poet_colour_at(clip.pixels, y * clip.w + x);
        poet_clip_free(&clip);
    }
    return POET_OK;
}

static poet_status learn_routes(poet_shapes_model *m)
{
    int t = m->options.t;
    m->routes_block = poet_calloc((size_t)MAX_ROUTES * 3 * (size_t)t, sizeof *m->routes_block);
    if (!m->routes_block)
        return POET_ERR_NOMEM;
    for (int i = 0; i < MAX_ROUTES; i++) {
        int motion = i % MOTIONS, speed = i / MOTIONS % SPEEDS, phase = i / MOTIONS / SPEEDS;
        int value[POET_SYNTH_FIELDS] = {0, 0, 1, motion, speed, 0};
        bool cyclic = motion == CIRCLING || motion == SWAYING;
        if (phase && !cyclic)
            continue;
        poet_synth_scene scene;
        POET_TRY(poet_synth_scene_of(POET_SYNTH_SHAPES, value, 0, &m->options, &scene));
        if (cyclic)
            scene.path[0].phase = (float)phase / PHASES;
        float *block = m->routes_block + (size_t)i * 3 * (size_t)t;
        poet_shapes_route r = {motion, speed, block, block + t, block + 2 * t};
        for (int f = 0; f < t; f++) {
            poet_synth_spot spot = poet_synth_place(&scene, 0, f);
            r.x[f] = spot.x;
            r.y[f] = spot.y;
            r.grow[f] = logf(spot.radius);
        }
        m->route[m->routes++] = r;
    }
    return POET_OK;
}

static poet_status learn_sizes(poet_shapes_model *m)
{
    for (int size = 0; size < SIZES; size++) {
        int value[POET_SYNTH_FIELDS] = {0, 0, size, MOTIONS - 1, 1, 0};
        poet_synth_scene scene;
        POET_TRY(poet_synth_scene_of(POET_SYNTH_SHAPES, value, 0, &m->options, &scene));
        m->size[size] = scene.path[0].radius;
    }
    return POET_OK;
}

void poet_shapes_destroy(void *opaque)
{
    poet_shapes_model *m = opaque;
    for (int g = 0; g < GROUNDS * LAYOUTS; g++)
        poet_free(m->ground[g / LAYOUTS][g % LAYOUTS]);
    poet_free(m->routes_block);
    poet_free(m);
}

poet_status poet_shapes_create(const poet_synth_options *options, void **out)
{
    poet_shapes_model *m = poet_calloc(1, sizeof *m);
    if (!m)
        return POET_ERR_NOMEM;
    m->options = *options;
    m->pixels = options->h * options->w;
    m->unit = (float)(options->h < options->w ? options->h : options->w) / 64;
    poet_status status;
    POET_TRY_DONE(learn_grounds(m));
    POET_TRY_DONE(learn_palette(m));
    POET_TRY_DONE(learn_shapes(m));
    POET_TRY_DONE(learn_routes(m));
    POET_TRY_DONE(learn_sizes(m));
    *out = m;
    return POET_OK;
done:
    poet_shapes_destroy(m);
    return status;
}

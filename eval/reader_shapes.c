/* Reading a `shapes` clip.
 *
 * 1. Ground: the drawn ground nearest to the clip (distances are cut, so that the shape counts
 *    little).
 * 2. Colour: every pixel that lies on the way from its ground to a colour of the palette votes.
 * 3. Cover: how far each pixel is on that way, 0..1: the shape's coverage. Its mass and centroid are
 *    the track.
 * 4. Shape: coverage, sampled around the centroid at a scale set by the mass and averaged over
 *    frames, against the same of drawn shapes at many radii, sharp and blurred.
 * 5. Motion and speed: the drawn path nearest to the track.
 * 6. Size: the drawn radius nearest to that at the beginning. */
#include "base/memory.h"
#include "eval/reader_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    COLOURS = 8,
    SHAPES = 8,
    MOTIONS = 14,
    SPEEDS = 3,
    GROUNDS = 8,
    LAYOUTS = 2,
    SIZES = 3,
    BLACK_GROUND = 0,
    WHITE = 7,
    SQUARE = 1,
    CIRCLING = 9,
    SWAYING = 10,
    RADII = 14,
    BLURS = 2,
    SIDE = 20, /* samples of a patch */
    PATCH = SIDE * SIDE
};

typedef struct patch {
    float mass;   /* covered area in square units */
    float dx, dy; /* from the shape's centre to its centroid, in radii */
    float cover[PATCH];
} patch;

/* A drawn path: where it goes and how it grows (log of the radius). */
typedef struct route {
    int motion, speed;
    float *x, *y, *grow;
} route;

enum { PHASES = 12, MAX_ROUTES = MOTIONS * SPEEDS * PHASES };

typedef struct model {
    poet_synth_options options;
    int pixels;
    float unit;
    uint8_t *ground[GROUNDS][LAYOUTS];
    poet_colour palette[COLOURS];
    float radius[RADII];
    float size[SIZES]; /* radius at the beginning */
    patch shape[SHAPES][RADII][BLURS];
    route route[MAX_ROUTES];
    int routes;
    float *routes_block;
} model;

/* --- coverage --- */

typedef struct blob {
    float mass, x, y; /* in units; mass 0: nothing there */
} blob;

/* How a pixel lies to the ways from its ground to a colour and to the darker shades of its rim:
 * share of the nearest way, and square distance from it. */
typedef struct way {
    float along, off2, length2;
} way;

static way nearest_way(poet_colour pixel, poet_colour ground, poet_colour colour)
{
    static const float shade[3] = {1, 0.86F, 0.72F};
    poet_colour r = poet_colour_minus(pixel, ground);
    way best = {.off2 = INFINITY};
    for (int k = 0; k < 3; k++) {
        poet_colour shaded = {shade[k] * colour.r, shade[k] * colour.g, shade[k] * colour.b};
        poet_colour d = poet_colour_minus(shaded, ground);
        float length2 = poet_colour_dot(d, d) + 1, along = poet_colour_dot(r, d) / length2;
        along = along < 1.05F ? along : 1.05F;
        poet_colour off = {r.r - along * d.r, r.g - along * d.g, r.b - along * d.b};
        float off2 = poet_colour_dot(off, off);
        if (off2 < best.off2 - 25) /* a darker shade only where it explains more */
            best = (way){along, off2, length2};
    }
    return best;
}

/* Coverage: the share of the way, 0 for pixels that are not on it. */
static float cover_of(poet_colour pixel, poet_colour ground, poet_colour colour)
{
    way w = nearest_way(pixel, ground, colour);
    if (w.along < 0.08F || w.off2 > 0.09F * w.length2 + 400)
        return 0;
    return w.along < 1 ? w.along : 1;
}

static void cover_frame(const model *m, const uint8_t *frame, const uint8_t *ground,
                        poet_colour colour, float *cover)
{
    for (int i = 0; i < m->pixels; i++)
        cover[i] = cover_of(poet_colour_at(frame, i), poet_colour_at(ground, i), colour);
}

/* Mass and centroid of what lies within reach of (x,y). */
static blob gather(const model *m, const float *cover, float x, float y, float reach)
{
    int w = m->options.w;
    float mass = 0, sx = 0, sy = 0, inside = reach * reach;
    for (int i = 0; i < m->pixels; i++) {
        if (cover[i] == 0)
            continue;
        float px = ((float)(i % w) + 0.5F) / m->unit, py = ((float)(i / w) + 0.5F) / m->unit;
        if ((px - x) * (px - x) + (py - y) * (py - y) > inside)
            continue;
        mass += cover[i];
        sx += cover[i] * px;
        sy += cover[i] * py;
    }
    if (mass * m->unit <= 0)
        return (blob){0};
    return (blob){mass / (m->unit * m->unit), sx / mass, sy / mass};
}

/* The densest place (by a box of 7x7 units), then what is around it, twice: stray pixels do not
 * count. */
static blob find_blob(const model *m, const float *cover)
{
    int w = m->options.w, h = m->options.h, half = (int)(4 * m->unit), step = (int)(m->unit * 2);
    float best = 0, x = 0, y = 0;
    step = step < 1 ? 1 : step;
    for (int cy = 0; cy < h; cy += step)
        for (int cx = 0; cx < w; cx += step) {
            float sum = 0;
            for (int py = cy < half ? 0 : cy - half; py <= cy + half && py < h; py++)
                for (int px = cx < half ? 0 : cx - half; px <= cx + half && px < w; px++)
                    sum += cover[py * w + px];
            if (sum > best) {
                best = sum;
                x = ((float)cx + 0.5F) / m->unit;
                y = ((float)cy + 0.5F) / m->unit;
            }
        }
    blob found = gather(m, cover, x, y, 16);
    for (int i = 0; i < 3 && found.mass > 0; i++) {
        float reach = 1.25F * sqrtf(found.mass) + 4; /* holds every shape of this mass */
        found = gather(m, cover, found.x, found.y, reach);
    }
    return found.mass > 2.5F ? found : (blob){0};
}

static float sample(const model *m, const float *cover, float x, float y)
{
    float px = x * m->unit - 0.5F, py = y * m->unit - 0.5F, sum = 0;
    int x0 = (int)floorf(px), y0 = (int)floorf(py);
    for (int k = 0; k < 4; k++) {
        int cx = x0 + (k & 1), cy = y0 + (k >> 1);
        if (cx < 0 || cy < 0 || cx >= m->options.w || cy >= m->options.h)
            continue;
        float fx = fabsf(px - (float)cx), fy = fabsf(py - (float)cy);
        sum += (1 - fx) * (1 - fy) * cover[cy * m->options.w + cx];
    }
    return sum;
}

/* Adds weight times the coverage around a blob, at the blob's own scale. */
static void add_patch(const model *m, const float *cover, blob at, float weight, float *out)
{
    float scale = sqrtf(at.mass) * 2.0F / SIDE;
    for (int i = 0; i < PATCH; i++) {
        float u = (float)(i % SIDE) - (SIDE - 1) / 2.0F, v = (float)(i / SIDE) - (SIDE - 1) / 2.0F;
        out[i] += weight * sample(m, cover, at.x + scale * u, at.y + scale * v);
    }
}

/* --- the model --- */

static void blur(const model *m, float *cover, float *scratch)
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
static poet_status learn_patch(const model *m, int shape, float radius, int blurred, float *cover,
                               patch *out)
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
        cover_frame(m, clip.pixels, m->ground[BLACK_GROUND][scene.style % LAYOUTS],
                    m->palette[WHITE], cover);
        if (blurred)
            blur(m, cover, cover + m->pixels);
        blob b = gather(m, cover, scene.path[0].x, scene.path[0].y, 1e6F);
        add_patch(m, cover, b, 1.0F / PLACES, out->cover);
        out->mass += b.mass / PLACES;
        out->dx += (b.x - scene.path[0].x) / radius / PLACES;
        out->dy += (b.y - scene.path[0].y) / radius / PLACES;
        poet_clip_free(&clip);
    }
    return POET_OK;
}

static poet_status learn_shapes(model *m)
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
static poet_status learn_grounds(model *m)
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
static poet_status learn_palette(model *m)
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

static poet_status learn_routes(model *m)
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
        route r = {motion, speed, block, block + t, block + 2 * t};
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

static poet_status learn_sizes(model *m)
{
    for (int size = 0; size < SIZES; size++) {
        int value[POET_SYNTH_FIELDS] = {0, 0, size, MOTIONS - 1, 1, 0};
        poet_synth_scene scene;
        POET_TRY(poet_synth_scene_of(POET_SYNTH_SHAPES, value, 0, &m->options, &scene));
        m->size[size] = scene.path[0].radius;
    }
    return POET_OK;
}

static void destroy(void *opaque)
{
    model *m = opaque;
    for (int g = 0; g < GROUNDS * LAYOUTS; g++)
        poet_free(m->ground[g / LAYOUTS][g % LAYOUTS]);
    poet_free(m->routes_block);
    poet_free(m);
}

static poet_status create(const poet_synth_options *options, void **out)
{
    model *m = poet_calloc(1, sizeof *m);
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
    destroy(m);
    return status;
}

/* --- reading --- */

static const uint8_t *frame_of(const poet_clip *clip, int t)
{
    return clip->pixels + (size_t)t * (size_t)clip->h * (size_t)clip->w * 3;
}

static const uint8_t *read_ground(const model *m, const poet_clip *clip, int *ground)
{
    const uint8_t *best = NULL;
    double least = INFINITY;
    for (int i = 0; i < GROUNDS * LAYOUTS; i++) {
        const uint8_t *candidate = m->ground[i / LAYOUTS][i % LAYOUTS];
        double distance = 0;
        for (int k = 0; k < 3; k++)
            distance += poet_frame_distance(frame_of(clip, k * (clip->t - 1) / 2), candidate,
                                            m->pixels, 90);
        if (distance < least) {
            least = distance;
            best = candidate;
            *ground = i / LAYOUTS;
        }
    }
    return best;
}

/* The colour whose way from the ground passes nearest to a pixel that is far along it, -1: none. */
static int vote(const model *m, poet_colour pixel, poet_colour ground, double *weight)
{
    int best = -1;
    float least = 40 * 40;
    for (int c = 0; c < COLOURS; c++) {
        way w = nearest_way(pixel, ground, m->palette[c]);
        float distance = w.off2 + 900 * (1 - w.along) * (1 - w.along);
        if (w.along > 0.4F && w.length2 > 40 * 40 && distance < least) {
            least = distance;
            best = c;
            *weight = (double)w.along;
        }
    }
    return best;
}

static int read_colour(const model *m, const poet_clip *clip, const uint8_t *ground)
{
    double votes[COLOURS] = {0};
    for (int t = 0; t < clip->t; t++) {
        const uint8_t *frame = frame_of(clip, t);
        for (int i = 0; i < m->pixels; i++) {
            poet_colour pixel = poet_colour_at(frame, i), under = poet_colour_at(ground, i);
            poet_colour r = poet_colour_minus(pixel, under);
            double weight = 0;
            int colour = poet_colour_dot(r, r) < 48 * 48 ? -1 : vote(m, pixel, under, &weight);
            if (colour >= 0)
                votes[colour] += weight;
        }
    }
    int best = 0;
    for (int c = 1; c < COLOURS; c++)
        if (votes[c] > votes[best])
            best = c;
    return votes[best] > 3 * (double)(m->unit * m->unit) * clip->t ? best : -1;
}

static float patch_distance(const float *a, const float *b)
{
    float sum = 0;
    for (int i = 0; i < PATCH; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

static int read_shape(const model *m, const float *seen, float mass)
{
    float least = INFINITY;
    int best = 0;
    for (int i = 0; i < SHAPES * RADII * BLURS; i++) {
        int shape = i % SHAPES, r = i / SHAPES % RADII, blurred = i / SHAPES / RADII;
        const struct patch *p = &m->shape[shape][r][blurred];
        if (p->mass < mass / 1.7F || p->mass > mass * 1.7F)
            continue;
        float distance = patch_distance(seen, p->cover);
        if (distance < least) {
            least = distance;
            best = shape;
        }
    }
    return best;
}

/* The radius at which a drawn shape has this mass. */
static float radius_of(const model *m, int shape, float mass)
{
    for (int r = 1; r < RADII; r++) {
        float low = m->shape[shape][r - 1][0].mass, high = m->shape[shape][r][0].mass;
        if (mass < high || r == RADII - 1) {
            float share = (sqrtf(mass) - sqrtf(low)) / (sqrtf(high) - sqrtf(low));
            return m->radius[r - 1] + share * (m->radius[r] - m->radius[r - 1]);
        }
    }
    return 0;
}

/* Mean square distance of a track and a route after their mean is taken out; far frames are cut.
 * *grow gets the mean log radius of the track less the route's. */
static float route_distance(const route *r, const poet_synth_spot *track, int t, float *grow)
{
    float mean[3] = {0}, sum = 0;
    int count = 0;
    for (int f = 0; f < t; f++) {
        if (track[f].radius <= 0)
            continue;
        mean[0] += track[f].x - r->x[f];
        mean[1] += track[f].y - r->y[f];
        mean[2] += logf(track[f].radius) - r->grow[f];
        count++;
    }
    for (int i = 0; i < 3; i++)
        mean[i] /= (float)count;
    for (int f = 0; f < t; f++) {
        if (track[f].radius <= 0)
            continue;
        float dx = track[f].x - r->x[f] - mean[0], dy = track[f].y - r->y[f] - mean[1];
        float dg = 16 * (logf(track[f].radius) - r->grow[f] - mean[2]);
        float distance = dx * dx + dy * dy + dg * dg;
        sum += distance < 60 ? distance : 60;
    }
    *grow = mean[2];
    return sum / (float)count;
}

static int nearest_size(const model *m, float radius)
{
    int best = 0;
    for (int size = 1; size < SIZES; size++)
        if (fabsf(m->size[size] - radius) < fabsf(m->size[best] - radius))
            best = size;
    return best;
}

static void read_motion(const model *m, poet_reading *out)
{
    float least = INFINITY, start = 0;
    int t = m->options.t;
    for (int i = 0; i < m->routes; i++) {
        float grow, distance = route_distance(&m->route[i], out->track, t, &grow);
        if (distance < least) {
            least = distance;
            out->value[POET_SHAPES_MOTION] = m->route[i].motion;
            out->value[POET_SHAPES_SPEED] = m->route[i].speed;
            start = expf(m->route[i].grow[0] + grow);
        }
    }
    out->value[POET_SHAPES_SIZE] = nearest_size(m, start);
}

/* Coverage of every frame, its blob, and the mean patch. Frames that show it. */
static int read_blobs(const model *m, const poet_clip *clip, const uint8_t *ground, int colour,
                      float *cover, blob *blobs, float *mean, float *mass)
{
    float weight = 0;
    int shown = 0;
    for (int t = 0; t < clip->t; t++) {
        cover_frame(m, frame_of(clip, t), ground, m->palette[colour], cover);
        blobs[t] = find_blob(m, cover);
        if (blobs[t].mass <= 0)
            continue;
        add_patch(m, cover, blobs[t], blobs[t].mass, mean);
        weight += blobs[t].mass;
        *mass += blobs[t].mass * blobs[t].mass;
        shown++;
    }
    for (int i = 0; i < PATCH && weight > 0; i++)
        mean[i] /= weight;
    *mass /= weight > 0 ? weight : 1;
    return shown;
}

static poet_status read_shapes(const void *opaque, const poet_clip *clip, poet_reading *out)
{
    const model *m = opaque;
    float mean[PATCH] = {0}, mass = 0;
    const uint8_t *ground = read_ground(m, clip, &out->value[POET_SHAPES_BACKGROUND]);
    int colour = read_colour(m, clip, ground);
    if (colour < 0)
        return POET_OK;
    out->value[POET_SHAPES_COLOUR] = colour;
    float *cover = poet_calloc((size_t)m->pixels, sizeof *cover);
    blob *blobs = poet_calloc((size_t)clip->t, sizeof *blobs);
    poet_status status = cover && blobs ? POET_OK : POET_ERR_NOMEM;
    if (status == POET_OK &&
        2 * read_blobs(m, clip, ground, colour, cover, blobs, mean, &mass) > clip->t) {
        int shape = read_shape(m, mean, mass);
        out->value[POET_SHAPES_SHAPE] = shape;
        for (int t = 0; t < clip->t; t++) {
            if (blobs[t].mass <= 0)
                continue;
            float radius = radius_of(m, shape, blobs[t].mass);
            const patch *p = &m->shape[shape][RADII / 2][0];
            out->track[t] =
                (poet_synth_spot){blobs[t].x - p->dx * radius, blobs[t].y - p->dy * radius, radius};
        }
        read_motion(m, out);
    }
    poet_free(cover);
    poet_free(blobs);
    return status;
}

const poet_reader_kind poet_reader_shapes = {create, destroy, read_shapes};

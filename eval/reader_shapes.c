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
#include "eval/reader_shapes_internal.h"

#include <math.h>

static const uint8_t *frame_of(const poet_clip *clip, int t)
{
    return clip->pixels + (size_t)t * (size_t)clip->h * (size_t)clip->w * 3;
}

static const uint8_t *read_ground(const poet_shapes_model *m, const poet_clip *clip, int *ground)
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
static int vote(const poet_shapes_model *m, poet_colour pixel, poet_colour ground, double *weight)
{
    int best = -1;
    float least = 40 * 40;
    for (int c = 0; c < COLOURS; c++) {
        poet_shapes_way w = poet_shapes_nearest_way(pixel, ground, m->palette[c]);
        float distance = w.off2 + 900 * (1 - w.along) * (1 - w.along);
        if (w.along > 0.4F && w.length2 > 40 * 40 && distance < least) {
            least = distance;
            best = c;
            *weight = (double)w.along;
        }
    }
    return best;
}

static int read_colour(const poet_shapes_model *m, const poet_clip *clip, const uint8_t *ground)
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

static int read_shape(const poet_shapes_model *m, const float *seen, float mass)
{
    float least = INFINITY;
    int best = 0;
    for (int i = 0; i < SHAPES * RADII * BLURS; i++) {
        int shape = i % SHAPES, r = i / SHAPES % RADII, blurred = i / SHAPES / RADII;
        const poet_shapes_patch *p = &m->shape[shape][r][blurred];
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
static float radius_of(const poet_shapes_model *m, int shape, float mass)
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
static float route_distance(const poet_shapes_route *r, const poet_synth_spot *track, int t,
                            float *grow)
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

static int nearest_size(const poet_shapes_model *m, float radius)
{
    int best = 0;
    for (int size = 1; size < SIZES; size++)
        if (fabsf(m->size[size] - radius) < fabsf(m->size[best] - radius))
            best = size;
    return best;
}

static void read_motion(const poet_shapes_model *m, poet_reading *out)
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
static int read_blobs(const poet_shapes_model *m, const poet_clip *clip, const uint8_t *ground,
                      int colour, float *cover, poet_shapes_blob *blobs, float *mean, float *mass)
{
    float weight = 0;
    int shown = 0;
    for (int t = 0; t < clip->t; t++) {
        poet_shapes_cover(m, frame_of(clip, t), ground, m->palette[colour], cover);
        blobs[t] = poet_shapes_find(m, cover);
        if (blobs[t].mass <= 0)
            continue;
        poet_shapes_add_patch(m, cover, blobs[t], blobs[t].mass, mean);
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
    const poet_shapes_model *m = opaque;
    float mean[PATCH] = {0}, mass = 0;
    const uint8_t *ground = read_ground(m, clip, &out->value[POET_SHAPES_BACKGROUND]);
    int colour = read_colour(m, clip, ground);
    if (colour < 0)
        return POET_OK;
    out->value[POET_SHAPES_COLOUR] = colour;
    float *cover = poet_calloc((size_t)m->pixels, sizeof *cover);
    poet_shapes_blob *blobs = poet_calloc((size_t)clip->t, sizeof *blobs);
    poet_status status = cover && blobs ? POET_OK : POET_ERR_NOMEM;
    if (status == POET_OK &&
        2 * read_blobs(m, clip, ground, colour, cover, blobs, mean, &mass) > clip->t) {
        int shape = read_shape(m, mean, mass);
        out->value[POET_SHAPES_SHAPE] = shape;
        for (int t = 0; t < clip->t; t++) {
            if (blobs[t].mass <= 0)
                continue;
            float radius = radius_of(m, shape, blobs[t].mass);
            const poet_shapes_patch *p = &m->shape[shape][RADII / 2][0];
            out->track[t] =
                (poet_synth_spot){blobs[t].x - p->dx * radius, blobs[t].y - p->dy * radius, radius};
        }
        read_motion(m, out);
    }
    poet_free(cover);
    poet_free(blobs);
    return status;
}

const poet_reader_kind poet_reader_shapes = {poet_shapes_create, poet_shapes_destroy, read_shapes};

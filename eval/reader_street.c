/* Reading a `street` clip by drawing it: of everything the set can draw, what explains the clip
 * best? First the empty street (time, weather, houses, camera), then on that street the tree, the
 * traffic light, the vehicle and the walker, one after the other, each kept if the clip is nearer to
 * the street with it than without. Five frames, evenly spread, are looked at. */
#include "base/memory.h"
#include "eval/reader_internal.h"

#include <math.h>
#include <string.h>

enum {
    FRAMES = 5,
    LAYOUTS = 8, /* rows of houses */
    TREES = 16,  /* places of the tree that are tried */
    LIMIT = 120, /* distance of a pixel that counts as entirely different */
    TIMES = 2,
    WEATHERS = 3,
    CAMERAS = 3,
    SIGNALS = 4,
    VEHICLES = 5,
    COLOURS = 6,
    TRIED_COLOURS = 2,
    COATS = 4,
    COAT_STEP = 1024
};

typedef struct model {
    poet_synth_options options; /* of the looked-at frames: t is FRAMES */
    int pixels;
} model;

static poet_status create(const poet_synth_options *options, void **out)
{
    model *m = poet_calloc(1, sizeof *m);
    if (!m)
        return POET_ERR_NOMEM;
    m->options = *options;
    m->options.t = FRAMES;
    m->pixels = options->h * options->w;
    *out = m;
    return POET_OK;
}

static void destroy(void *opaque)
{
    poet_free(opaque);
}

/* The clip's pixels and the street that explains them so far. */
typedef struct street {
    const model *m;
    poet_clip seen, drawn;
    poet_synth_scene scene;
} street;

/* A scene of values on a street of this style, with the first `objects` of its objects. */
static poet_status scene_of(const model *m, const int *value, uint64_t style, int objects,
                            poet_synth_scene *scene)
{
    POET_TRY(poet_synth_scene_of(POET_SYNTH_STREET, value, 0, &m->options, scene));
    scene->style = style;
    scene->objects = objects;
    return POET_OK;
}

/* How much nearer the clip is to the candidate than to what is drawn so far; *share is that as a
 * part of how much they differ: 1 when the candidate is exactly what is seen. */
static double gain_of(const street *s, const poet_clip *candidate, double *share)
{
    double gain = 0, support = 0;
    const uint8_t *a = s->drawn.pixels, *b = candidate->pixels, *c = s->seen.pixels;
    for (int i = 0; i < FRAMES * s->m->pixels; i++, a += 3, b += 3, c += 3) {
        if (memcmp(a, b, 3) == 0)
            continue;
        support += poet_frame_distance(a, b, 1, LIMIT);
        gain += poet_frame_distance(a, c, 1, LIMIT) - poet_frame_distance(b, c, 1, LIMIT);
    }
    *share = support > 0 ? gain / support : 0;
    return gain;
}

/* The candidate of the greatest gain so far. */
typedef struct choice {
    poet_synth_scene scene;
    poet_clip clip;
    double gain, share;
} choice;

static poet_status consider(const street *s, const poet_synth_scene *scene, choice *best)
{
    poet_clip clip;
    double share;
    POET_TRY(poet_synth_render(scene, &clip));
    double gain = gain_of(s, &clip, &share);
    if (gain <= best->gain) {
        poet_clip_free(&clip);
        return POET_OK;
    }
    poet_clip_free(&best->clip);
    *best = (choice){*scene, clip, gain, share};
    return POET_OK;
}

/* Takes the choice into the street if it explains enough. */
static bool accept(street *s, choice *best, double least_share)
{
    bool good = best->clip.pixels && best->share > least_share;
    if (good) {
        poet_clip_free(&s->drawn);
        s->drawn = best->clip;
        s->scene = best->scene;
    } else {
        poet_clip_free(&best->clip);
    }
    return good;
}

/* --- the empty street --- */

static poet_status consider_street(street *s, const int *value, uint64_t layout, double *least)
{
    poet_synth_scene scene;
    poet_clip clip;
    POET_TRY(scene_of(s->m, value, layout, 0, &scene));
    POET_TRY(poet_synth_render(&scene, &clip));
    double distance =
        poet_frame_distance(clip.pixels, s->seen.pixels, FRAMES * s->m->pixels, LIMIT);
    if (distance >= *least) {
        poet_clip_free(&clip);
        return POET_OK;
    }
    *least = distance;
    poet_clip_free(&s->drawn);
    s->drawn = clip;
    s->scene = scene;
    return POET_OK;
}

/* Time, weather and houses first: their middle frame is the same for every camera. */
static poet_status read_street(street *s)
{
    double least = INFINITY;
    int value[POET_SYNTH_FIELDS] = {0};
    for (int i = 0; i < TIMES * WEATHERS * LAYOUTS; i++) {
        value[POET_STREET_TIME] = i % TIMES;
        value[POET_STREET_WEATHER] = i / TIMES % WEATHERS;
        POET_TRY(consider_street(s, value, (uint64_t)(i / TIMES / WEATHERS), &least));
    }
    memcpy(value, s->scene.value, sizeof value);
    for (int i = 0; i < (CAMERAS - 1) * LAYOUTS; i++) {
        value[POET_STREET_CAMERA] = 1 + i / LAYOUTS;
        POET_TRY(consider_street(s, value, (uint64_t)(i % LAYOUTS), &least));
    }
    return POET_OK;
}

/* --- what is on it --- */

static poet_status read_tree(street *s)
{
    choice best = {.gain = 0};
    poet_status status = POET_OK;
    int value[POET_SYNTH_FIELDS];
    memcpy(value, s->scene.value, sizeof value);
    value[POET_STREET_TREE] = 1;
    for (uint64_t k = 0; k < TREES && status == POET_OK; k++) {
        poet_synth_scene scene;
        status = scene_of(s->m, value, s->scene.style % LAYOUTS + k * LAYOUTS, 0, &scene);
        if (status == POET_OK)
            status = consider(s, &scene, &best);
    }
    accept(s, &best, 0.25);
    return status;
}

static poet_status read_signal(street *s)
{
    choice best = {.gain = 0};
    poet_status status = POET_OK;
    for (int i = 0; i < 2 * (SIGNALS - 1) && status == POET_OK; i++) {
        int value[POET_SYNTH_FIELDS];
        poet_synth_scene scene;
        memcpy(value, s->scene.value, sizeof value);
        value[POET_STREET_SIGNAL] = 1 + i / 2;
        value[POET_STREET_DIRECTION] = i % 2;
        status = scene_of(s->m, value, s->scene.style, 0, &scene);
        if (status == POET_OK)
            status = consider(s, &scene, &best);
    }
    accept(s, &best, 0.15);
    return status;
}

/* The colours of vehicles in this light: the middle of a van. */
static poet_status vehicle_palette(const street *s, poet_colour palette[COLOURS])
{
    for (int c = 0; c < COLOURS; c++) {
        int value[POET_SYNTH_FIELDS];
        poet_synth_scene scene;
        poet_clip clip;
        memcpy(value, s->scene.value, sizeof value);
        value[POET_STREET_VEHICLE] = 1;
        value[POET_STREET_COLOUR] = c;
        value[POET_STREET_TREE] = value[POET_STREET_SIGNAL] = 0;
        POET_TRY(scene_of(s->m, value, 0, 1, &scene));
        POET_TRY(poet_synth_render(&scene, &clip));
        poet_synth_spot spot = poet_synth_place(&scene, 0, FRAMES / 2);
        float unit = (float)(clip.h < clip.w ? clip.h : clip.w) / 64;
        int x = (int)((spot.x - 3) * unit), y = (int)((spot.y - 8.5F) * unit);
        palette[c] = poet_colour_at(clip.pixels, (FRAMES / 2 * clip.h + y) * clip.w + x);
        poet_clip_free(&clip);
    }
    return POET_OK;
}

/* Colours by how many unexplained pixels have them, the most frequent first. */
static void rank_colours(const street *s, const poet_colour palette[COLOURS], int order[COLOURS])
{
    int votes[COLOURS] = {0};
    for (int i = 0; i < FRAMES * s->m->pixels; i++) {
        poet_colour seen = poet_colour_at(s->seen.pixels, i);
        if (poet_frame_distance(s->seen.pixels + 3 * i, s->drawn.pixels + 3 * i, 1, LIMIT) < 50)
            continue;
        int best = -1;
        float least = 45 * 45;
        for (int c = 0; c < COLOURS; c++) {
            poet_colour off = poet_colour_minus(seen, palette[c]);
            if (poet_colour_dot(off, off) < least) {
                least = poet_colour_dot(off, off);
                best = c;
            }
        }
        if (best >= 0)
            votes[best]++;
    }
    for (int i = 0; i < COLOURS; i++) {
        int k = i;
        for (; k > 0 && votes[order[k - 1]] < votes[i]; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
}

static poet_status try_vehicle(const street *s, int vehicle, int colour, int direction,
                               choice *best)
{
    int value[POET_SYNTH_FIELDS];
    poet_synth_scene scene;
    memcpy(value, s->scene.value, sizeof value);
    value[POET_STREET_VEHICLE] = vehicle;
    value[POET_STREET_COLOUR] = colour;
    value[POET_STREET_DIRECTION] = direction;
    POET_TRY(scene_of(s->m, value, s->scene.style, 1, &scene));
    float x = scene.path[0].x;
    for (float shift = -6; shift <= 6; shift += 1.5F) {
        scene.path[0].x = x + shift;
        POET_TRY(consider(s, &scene, best));
    }
    return POET_OK;
}

/* A light belongs to one direction: without one both are tried. */
static poet_status read_vehicle(street *s, bool *found)
{
    choice best = {.gain = 0};
    poet_colour palette[COLOURS];
    int order[COLOURS], signal = s->scene.value[POET_STREET_SIGNAL];
    POET_TRY(vehicle_palette(s, palette));
    rank_colours(s, palette, order);
    poet_status status = POET_OK;
    for (int i = 0; i < TRIED_COLOURS * VEHICLES * 2 && status == POET_OK; i++) {
        int direction = i % 2, vehicle = i / 2 % VEHICLES, colour = order[i / 2 / VEHICLES];
        if (!signal || direction == s->scene.value[POET_STREET_DIRECTION])
            status = try_vehicle(s, vehicle, colour, direction, &best);
    }
    poet_synth_scene scene = best.scene; /* a wrong colour is seen best in the right place */
    for (int colour = 0; colour < COLOURS && best.clip.pixels && status == POET_OK; colour++) {
        scene.value[POET_STREET_COLOUR] = colour;
        status = consider(s, &scene, &best);
    }
    *found = accept(s, &best, 0.1);
    return status;
}

/* Somebody who walks this way in this coat, from many places. */
static poet_status try_walker(const street *s, int person, uint64_t coat, choice *best)
{
    const poet_synth_options *o = &s->m->options;
    float width = 64 * (float)o->w / (float)(o->h < o->w ? o->h : o->w);
    float begin = person == 1 ? 20 : 0; /* a walk is 20 units long */
    int value[POET_SYNTH_FIELDS];
    poet_synth_scene scene;
    memcpy(value, s->scene.value, sizeof value);
    value[POET_STREET_PERSON] = person;
    POET_TRY(scene_of(s->m, value, s->scene.style + coat * COAT_STEP, 2, &scene));
    scene.path[0] = s->scene.path[0];
    for (float x = 8; x <= width - 28; x += 1.5F) {
        scene.path[1].x = x + begin;
        POET_TRY(consider(s, &scene, best));
    }
    return POET_OK;
}

static poet_status read_walker(street *s)
{
    choice best = {.gain = 0};
    poet_status status = POET_OK;
    for (int i = 0; i < 2 * COATS && status == POET_OK; i++)
        status = try_walker(s, 1 + i % 2, (uint64_t)(i / 2), &best);
    accept(s, &best, 0.1);
    return status;
}

/* --- all of it --- */

static poet_status take_frames(const model *m, const poet_clip *clip, poet_clip *out)
{
    size_t bytes = (size_t)m->pixels * 3;
    POET_TRY(poet_clip_create(FRAMES, clip->h, clip->w, clip->fps, out));
    for (int k = 0; k < FRAMES; k++) {
        int t = (int)lrint((double)k * (clip->t - 1) / (FRAMES - 1));
        memcpy(out->pixels + (size_t)k * bytes, clip->pixels + (size_t)t * bytes, bytes);
    }
    return POET_OK;
}

static poet_status read_clip(const void *opaque, const poet_clip *clip, poet_reading *out)
{
    street s = {.m = opaque};
    bool found = false;
    poet_status status;
    POET_TRY_DONE(take_frames(s.m, clip, &s.seen));
    POET_TRY_DONE(read_street(&s));
    POET_TRY_DONE(read_tree(&s));
    POET_TRY_DONE(read_signal(&s));
    POET_TRY_DONE(read_vehicle(&s, &found));
    POET_TRY_DONE(read_walker(&s));
    memcpy(out->value, s.scene.value, sizeof out->value);
    if (!found)
        out->value[POET_STREET_VEHICLE] = out->value[POET_STREET_COLOUR] =
            out->value[POET_STREET_DIRECTION] = -1;
done:
    poet_clip_free(&s.seen);
    poet_clip_free(&s.drawn);
    return status;
}

const poet_reader_kind poet_reader_street = {create, destroy, read_clip};

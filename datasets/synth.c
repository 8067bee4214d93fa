#include "datasets/synth.h"

#include "base/memory.h"
#include "datasets/synth_internal.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const poet_synth_kind *const kinds[POET_SYNTH_SETS] = {
    &poet_synth_shapes, &poet_synth_digits, &poet_synth_street};

static const char *const split_names[POET_SPLITS] = {"train", "heldout-seen", "heldout-unseen"};

poet_synth_options poet_synth_defaults(void)
{
    return (poet_synth_options){.t = 17, .h = 64, .w = 64, .fps = 8};
}

const char *poet_synth_name(poet_synth_set set)
{
    return kinds[set]->name;
}

const char *poet_split_name(poet_split split)
{
    return split_names[split];
}

poet_status poet_synth_find(const char *name, poet_synth_set *out)
{
    for (int i = 0; i < POET_SYNTH_SETS; i++) {
        if (strcmp(kinds[i]->name, name) == 0) {
            *out = (poet_synth_set)i;
            return POET_OK;
        }
    }
    return POET_FAIL(POET_ERR_ARG, "synth has no set \"%.60s\"; there are shapes, digits, street",
                     name);
}

const poet_synth_field *poet_synth_fields(poet_synth_set set, int *count)
{
    *count = kinds[set]->fields;
    return kinds[set]->field;
}

bool poet_synth_held_out(poet_synth_set set, const int *value)
{
    return kinds[set]->held_out(value);
}

float poet_synth_unit(const poet_synth_options *options)
{
    return (float)(options->h < options->w ? options->h : options->w) / 64;
}

float poet_synth_width(const poet_synth_options *options)
{
    return (float)options->w / poet_synth_unit(options);
}

float poet_synth_height(const poet_synth_options *options)
{
    return (float)options->h / poet_synth_unit(options);
}

bool poet_chance(poet_rng *rng, uint32_t n)
{
    return poet_rng_below(rng, n) == 0;
}

const char *poet_pick(poet_rng *rng, const char *const *words)
{
    uint32_t count = 0;
    while (words[count])
        count++;
    return words[poet_rng_below(rng, count)];
}

void poet_say(poet_synth_scene *scene, const char *words)
{
    char *text = scene->caption;
    size_t length = strlen(text);
    if (!*words)
        return;
    bool after_a = length && text[length - 1] == 'a' && (length == 1 || text[length - 2] == ' ');
    if (after_a && strchr("aeio", *words))
        text[length++] = 'n';
    if (length && *words != ',')
        text[length++] = ' ';
    size_t room = POET_SYNTH_CAPTION - 2 - length, count = strlen(words);
    memcpy(text + length, words, count < room ? count : room);
    text[length + (count < room ? count : room)] = 0;
}

static poet_status check_options(const poet_synth_options *o)
{
    if (o->t < 1 || o->t > 1025)
        return POET_FAIL(POET_ERR_ARG, "synth clips have 1 to 1025 frames, not %d", o->t);
    if (o->h < 16 || o->h > 1024 || o->w < 16 || o->w > 1024)
        return POET_FAIL(POET_ERR_ARG, "synth frames have sides of 16 to 1024 pixels, not %dx%d",
                         o->w, o->h);
    if (!(o->fps > 0 && o->fps <= 1000))
        return POET_FAIL(POET_ERR_ARG, "synth clips have up to 1000 frames a second, not %g",
                         o->fps);
    if (o->digits < 0 || o->digits > 2)
        return POET_FAIL(POET_ERR_ARG, "synth draws one or two digits, not %d", o->digits);
    return POET_OK;
}

/* Everything that follows from the values. */
static void finish(const poet_synth_kind *kind, poet_synth_scene *scene, poet_rng *rng)
{
    scene->style = (uint64_t)poet_rng_u32(rng) << 32 | poet_rng_u32(rng);
    kind->lay_out(scene, rng);
    kind->write_caption(scene, rng);
}

poet_status poet_synth_scene_make(poet_synth_set set, uint64_t seed, uint64_t index,
                                  poet_split split, const poet_synth_options *options,
                                  poet_synth_scene *out)
{
    POET_TRY(check_options(options));
    const poet_synth_kind *kind = kinds[set];
    uint64_t key[2] = {(uint64_t)split, index};
    uint64_t stream = poet_hash64(poet_hash64(0, kind->name, strlen(kind->name)), key, sizeof key);
    poet_rng rng;
    poet_rng_init(&rng, seed, stream);
    *out = (poet_synth_scene){
        .set = set, .split = split, .seed = seed, .index = index, .options = *options};
    do
        kind->draw_values(options, index, &rng, out->value);
    while (kind->held_out(out->value) != (split == POET_SPLIT_UNSEEN));
    finish(kind, out, &rng);
    return POET_OK;
}

poet_status poet_synth_scene_of(poet_synth_set set, const int *value, uint64_t seed,
                                const poet_synth_options *options, poet_synth_scene *out)
{
    POET_TRY(check_options(options));
    const poet_synth_kind *kind = kinds[set];
    poet_rng rng;
    poet_rng_init(&rng, seed, poet_hash64(0, kind->name, strlen(kind->name)));
    *out = (poet_synth_scene){.set = set, .seed = seed, .options = *options};
    for (int f = 0; f < kind->fields; f++) {
        if (value[f] < 0 || value[f] >= kind->field[f].count)
            return POET_FAIL(POET_ERR_ARG, "%s: %s has no value %d", kind->name,
                             kind->field[f].name, value[f]);
        out->value[f] = value[f];
    }
    out->split = kind->held_out(value) ? POET_SPLIT_UNSEEN : POET_SPLIT_TRAIN;
    finish(kind, out, &rng);
    return POET_OK;
}

poet_status poet_synth_render(const poet_synth_scene *scene, poet_clip *out)
{
    const poet_synth_options *o = &scene->options;
    POET_TRY(poet_clip_create(o->t, o->h, o->w, o->fps, out));
    poet_status status = kinds[scene->set]->paint(scene, out);
    if (status != POET_OK)
        poet_clip_free(out);
    return status;
}

poet_status poet_synth_clip(poet_synth_set set, uint64_t seed, uint64_t index, poet_split split,
                            const poet_synth_options *options, poet_clip *out,
                            poet_synth_scene *out_scene)
{
    poet_synth_scene scene;
    POET_TRY(poet_synth_scene_make(set, seed, index, split, options, &scene));
    if (out_scene)
        *out_scene = scene;
    return poet_synth_render(&scene, out);
}

static bool said_before(const poet_synth_scene *scenes, int n, const char *caption)
{
    for (int i = 0; i < n; i++)
        if (strcmp(scenes[i].caption, caption) == 0)
            return true;
    return false;
}

poet_status poet_synth_prompts(poet_synth_set set, uint64_t seed, poet_split split,
                               const poet_synth_options *options, int n, poet_synth_scene *scenes)
{
    enum { TRIES = 50 };

    uint64_t index = 0;
    for (int i = 0; i < n; i++) {
        for (int attempt = 0; attempt < TRIES; attempt++) {
            POET_TRY(poet_synth_scene_make(set, seed, index++, split, options, &scenes[i]));
            if (!said_before(scenes, i, scenes[i].caption))
                break;
        }
    }
    return POET_OK;
}

/* A walk 0, 1, 0, -1, 0 in one cycle, with constant speed. */
static float triangle_wave(float cycle)
{
    float at = cycle + 0.25F - floorf(cycle + 0.25F);
    return at < 0.5F ? 4 * at - 1 : 3 - 4 * at;
}

static float square(float x)
{
    return x * x;
}

poet_synth_spot poet_synth_place(const poet_synth_scene *scene, int object, int frame)
{
    const poet_synth_path *p = &scene->path[object];
    int t = scene->options.t;
    float u = t > 1 ? (float)frame / (float)(t - 1) : 0;
    float cycle = p->cycles * u + p->phase;
    double angle = 2 * 3.14159265358979323846 * (double)cycle;
    poet_synth_spot spot = {p->x - scene->pan * (u - 0.5F), p->y, p->radius * powf(p->growth, u)};
    float share = u; /* of (dx,dy), for the kinds that use it */
    switch (p->kind) {
    case POET_PATH_ORBIT:
        spot.x += p->dx * (float)sin(angle);
        spot.y -= p->dx * (float)cos(angle);
        return spot;
    case POET_PATH_HOP:
        cycle -= floorf(cycle);
        spot.y -= p->dy * 4 * cycle * (1 - cycle);
        return spot;
    case POET_PATH_WAVE: share = (float)sin(angle); break;
    case POET_PATH_SWING: share = triangle_wave(cycle); break;
    case POET_PATH_BRAKE: share = 1 - square(fmaxf(1 - 1.5F * u, 0)); break;
    case POET_PATH_START: share = square(fmaxf(u - 0.4F, 0) / 0.6F); break;
    default: break;
    }
    spot.x += p->dx * share;
    spot.y += p->dy * share;
    return spot;
}

static json_t *track_json(const poet_synth_scene *scene, int object)
{
    double unit = (double)poet_synth_unit(&scene->options);
    json_t *track = json_array();
    for (int f = 0; f < scene->options.t; f++) {
        poet_synth_spot spot = poet_synth_place(scene, object, f);
        double value[3] = {(double)spot.x, (double)spot.y, (double)spot.radius};
        json_t *row = json_array();
        for (int i = 0; i < 3; i++)
            json_array_append_new(row, json_real(round(value[i] * unit * 100) / 100));
        json_array_append_new(track, row);
    }
    return track;
}

char *poet_synth_json(const poet_synth_scene *scene)
{
    const poet_synth_kind *kind = kinds[scene->set];
    json_t *root = json_object(), *stated = json_array(), *tracks = json_array();
    json_object_set_new(root, "set", json_string(kind->name));
    for (int f = 0; f < kind->fields; f++) {
        const poet_synth_field *field = &kind->field[f];
        json_object_set_new(root, field->name, json_string(field->value[scene->value[f]]));
        if (scene->stated >> f & 1)
            json_array_append_new(stated, json_string(field->name));
    }
    for (int i = 0; i < scene->objects; i++)
        json_array_append_new(tracks, track_json(scene, i));
    json_object_set_new(root, "stated", stated);
    json_object_set_new(root, "track", tracks);
    char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(6));
    char *copy = text ? poet_strdup(text) : NULL;
    free(text);
    json_decref(root);
    return copy;
}

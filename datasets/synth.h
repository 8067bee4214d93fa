/* The built-in captioned clips: drawn on demand, without any download, with exact ground truth.
 *
 * A clip is a pure function of (set, seed, split, index) and the options: the same bytes on every
 * call, in any order, from any thread. Three sets:
 *
 * - shapes: shape x colour x size x motion x speed x background; a fifth of the
 *   colour-shape-motion triples is held out of training, chosen by hash, so that every colour,
 *   shape and motion is still seen.
 * - digits: the captioned moving digits of Sync-DRAW (Mittal, Marwah and Balasubramanian, "Sync-
 *   DRAW: automatic video generation using deep recurrent attentive architectures", 2017): one or
 *   two white digits on black, each moving left and right or up and down. Of the 20 combinations
 *   of one digit and its motion 10 are held out (one of each digit), of the 400 of two digits 200.
 * - street: a road with vehicles by kind and colour, a traffic light, a walker, trees that hide
 *   what passes behind them, day and night, clear sky, rain and snow, and a camera that may pan; a
 *   fifth of the vehicle-colour-time-weather combinations is held out.
 *
 * A scene is the whole description of a clip as plain values: what it shows (one value for each
 * field of its set), where everything goes, and the caption. Fields that the caption leaves open
 * are not in `stated`; nobody who reads the caption can know them.
 *
 * Scenes are laid out in units, 64 to the shorter side of the frame, so every frame size shows the
 * same thing. Speeds are distances per clip, so every length shows the whole motion. */
#ifndef POET_DATASETS_SYNTH_H
#define POET_DATASETS_SYNTH_H

#include "base/status.h"
#include "codec/frames.h"
#include "datasets/glyphs.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum poet_synth_set {
    POET_SYNTH_SHAPES,
    POET_SYNTH_DIGITS,
    POET_SYNTH_STREET,
    POET_SYNTH_SETS
} poet_synth_set;

typedef enum poet_split {
    POET_SPLIT_TRAIN,
    POET_SPLIT_SEEN,   /* combinations of the training split, clips that are not in it */
    POET_SPLIT_UNSEEN, /* combinations that training never shows */
    POET_SPLITS
} poet_split;

/* Indices into poet_synth_scene.value, and into poet_synth_fields. */
enum {
    POET_SHAPES_COLOUR,
    POET_SHAPES_SHAPE,
    POET_SHAPES_SIZE,
    POET_SHAPES_MOTION,
    POET_SHAPES_SPEED,
    POET_SHAPES_BACKGROUND
};

enum {
    POET_DIGITS_DIGIT,
    POET_DIGITS_MOTION,
    POET_DIGITS_DIGIT2, /* 10: there is no second digit */
    POET_DIGITS_MOTION2 /* 2: there is none */
};

enum {
    POET_STREET_VEHICLE,
    POET_STREET_COLOUR,
    POET_STREET_DIRECTION,
    POET_STREET_SIGNAL,
    POET_STREET_TIME,
    POET_STREET_WEATHER,
    POET_STREET_PERSON,
    POET_STREET_TREE,
    POET_STREET_CAMERA
};

enum { POET_SYNTH_FIELDS = 9, POET_SYNTH_OBJECTS = 2, POET_SYNTH_CAPTION = 256 };

typedef struct poet_synth_field {
    const char *name; /* "colour" */
    int count;
    const char *const *value; /* count names: "red", ... */
} poet_synth_field;

typedef struct poet_synth_options {
    int t, h, w;               /* 17, 64, 64; t from 1 to 1,025, sides from 16 to 1,024 */
    double fps;                /* 8 */
    int digits;                /* digits only: 1, 2, or 0 for both kinds in turn */
    const poet_glyphs *glyphs; /* digits only: drawn instead of our own strokes; NULL: ours */
} poet_synth_options;

poet_synth_options poet_synth_defaults(void);

/* How an object moves: x, y is the start (line) or the middle (others), in units; the rest is read
 * by poet_synth_place. */
typedef struct poet_synth_path {
    int kind;
    float x, y, radius; /* radius of the object when the clip begins */
    float dx, dy;       /* line: travel; wave: reach to each side */
    float cycles;       /* hops, turns or waves in the clip */
    float phase;        /* where in the cycle the clip begins, 0..1 */
    float growth;       /* radius at the end over radius at the beginning */
} poet_synth_path;

typedef struct poet_synth_scene {
    poet_synth_set set;
    poet_split split;
    uint64_t seed, index;
    poet_synth_options options;
    int value[POET_SYNTH_FIELDS];
    unsigned stated; /* bit f: the caption tells field f */
    char caption[POET_SYNTH_CAPTION];
    uint64_t style; /* seed of everything that no field describes: layout, tints, strokes */
    float pan;      /* units that the camera moves to the right during the clip */
    int objects;    /* 0 draws the empty stage */
    poet_synth_path path[POET_SYNTH_OBJECTS];
} poet_synth_scene;

/* Where an object is seen in a frame: centre and radius in units. */
typedef struct poet_synth_spot {
    float x, y, radius;
} poet_synth_spot;

const char *poet_synth_name(poet_synth_set set);
poet_status poet_synth_find(const char *name, poet_synth_set *out);
const char *poet_split_name(poet_split split);

/* The fields of a set; *count of them. */
const poet_synth_field *poet_synth_fields(poet_synth_set set, int *count);

/* The description of clip `index`. ARG for options out of range. */
poet_status poet_synth_scene_make(poet_synth_set set, uint64_t seed, uint64_t index,
                                  poet_split split, const poet_synth_options *options,
                                  poet_synth_scene *out);

/* A scene of chosen values, one for each field of the set: laid out and captioned as if the random
 * numbers of `seed` had drawn these values. ARG for a value out of range. */
poet_status poet_synth_scene_of(poet_synth_set set, const int *value, uint64_t seed,
                                const poet_synth_options *options, poet_synth_scene *out);

/* Draws a scene. The caller frees the clip. */
poet_status poet_synth_render(const poet_synth_scene *scene, poet_clip *out);

/* Both of the above; out_scene may be NULL. */
poet_status poet_synth_clip(poet_synth_set set, uint64_t seed, uint64_t index, poet_split split,
                            const poet_synth_options *options, poet_clip *out,
                            poet_synth_scene *out_scene);

/* n scenes of different captions, for judging what a generator makes of them, at random as
 * the set draws them. scenes has room for n. Fewer than n different captions
 * may exist (digits): then captions repeat. */
poet_status poet_synth_prompts(poet_synth_set set, uint64_t seed, poet_split split,
                               const poet_synth_options *options, int n, poet_synth_scene *scenes);

poet_synth_spot poet_synth_place(const poet_synth_scene *scene, int object, int frame);

/* Whether training never shows this combination of values. */
bool poet_synth_held_out(poet_synth_set set, const int *value);

/* The scene's attributes as one JSON object on one line: each field by name, "stated" (names of
 * the fields that the caption tells), and "track": per object, per frame [x, y, radius] in pixels.
 * The caller frees with poet_free; NULL when memory ran out. */
char *poet_synth_json(const poet_synth_scene *scene);

#endif

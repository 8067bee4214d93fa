/* `street`: a road seen from its near side. Traffic keeps to the right: what drives to the left
 * uses the far lane, what drives to the right the near one. A vehicle obeys the traffic light. */
#include "datasets/street_internal.h"

#include <string.h>

static const char *const vehicle_names[] = {"car", "van", "truck", "bus", "motorcycle"};
static const char *const colour_names[] = {"red", "orange", "yellow", "green", "blue", "white"};
static const char *const direction_names[] = {"left", "right"};
static const char *const signal_names[] = {"none", "green", "red", "turns green"};
static const char *const time_names[] = {"day", "night"};
static const char *const weather_names[] = {"clear", "rain", "snow"};
static const char *const person_names[] = {"none", "walks left", "walks right"};
static const char *const tree_names[] = {"none", "in front"};
static const char *const camera_names[] = {"still", "pans left", "pans right"};

static const poet_synth_field fields[] = {{"vehicle", POET_VEHICLES, vehicle_names},
                                          {"colour", POET_STREET_COLOURS, colour_names},
                                          {"direction", 2, direction_names},
                                          {"signal", 4, signal_names},
                                          {"time", 2, time_names},
                                          {"weather", 3, weather_names},
                                          {"person", 3, person_names},
                                          {"tree", 2, tree_names},
                                          {"camera", 3, camera_names}};

const float poet_street_length[POET_VEHICLES] = {20, 21, 27, 30, 13};

static void draw_values(const poet_synth_options *options, uint64_t index, poet_rng *rng,
                        int *value)
{
    (void)options;
    (void)index;
    for (int f = 0; f <= POET_STREET_CAMERA; f++)
        value[f] = (int)poet_rng_below(rng, (uint32_t)fields[f].count);
    if (poet_chance(rng, 2))
        value[POET_STREET_CAMERA] = POET_CAMERA_STILL;
    if (poet_chance(rng, 3))
        value[POET_STREET_TREE] = 0;
}

/* By the names, so that adding a value moves no other combination to the other side. */
static bool held_out(const int *value)
{
    static const int part[4] = {POET_STREET_VEHICLE, POET_STREET_COLOUR, POET_STREET_TIME,
                                POET_STREET_WEATHER};
    uint64_t hash = 0;
    for (int i = 0; i < 4; i++) {
        const char *name = fields[part[i]].value[value[part[i]]];
        hash = poet_hash64(hash, name, strlen(name));
    }
    return hash % 5 == 0;
}

/* --- captions --- */

/* What the vehicle does; every form tells the direction. */
static void say_drive(poet_synth_scene *scene, poet_rng *rng)
{
    const int *v = scene->value;
    bool left = v[POET_STREET_DIRECTION] == POET_TO_LEFT;
    const char *way = left ? poet_pick(rng, POET_WORDS("left", "to the left"))
                           : poet_pick(rng, POET_WORDS("right", "to the right"));
    switch (v[POET_STREET_SIGNAL]) {
    case POET_SIGNAL_RED:
        poet_say(scene, poet_pick(rng, POET_WORDS("driving", "going", "heading")));
        poet_say(scene, way);
        poet_say(scene,
                 poet_pick(rng, POET_WORDS("stops at the red light", "stops at a red traffic light",
                                           "brakes for the red light")));
        break;
    case POET_SIGNAL_TURNS:
        poet_say(scene, poet_pick(rng, POET_WORDS("waits and drives off", "waits and starts",
                                                  "drives off")));
        poet_say(scene, way);
        poet_say(scene, poet_pick(rng, POET_WORDS("when the light turns green",
                                                  "as the traffic light turns green")));
        break;
    default:
        poet_say(scene, poet_pick(rng, POET_WORDS("drives", "drives", "moves", "goes")));
        poet_say(scene, way);
        if (v[POET_STREET_SIGNAL] == POET_SIGNAL_GREEN) {
            poet_say(scene, poet_pick(rng, POET_WORDS("through the green light",
                                                      "past a green traffic light")));
        }
    }
}

static const char *conditions(const int *value, poet_rng *rng)
{
    bool night = value[POET_STREET_TIME] == POET_NIGHT;
    switch (value[POET_STREET_WEATHER]) {
    case POET_RAIN:
        return night ? poet_pick(rng, POET_WORDS("on a rainy night", "in the rain at night"))
                     : poet_pick(rng, POET_WORDS("on a rainy day", "in the rain by day"));
    case POET_SNOW:
        return night ? poet_pick(rng, POET_WORDS("on a snowy night", "in the snow at night"))
                     : poet_pick(rng, POET_WORDS("on a snowy day", "in the snow by day"));
    default:
        return night ? poet_pick(rng, POET_WORDS("at night", "on a clear night"))
                     : poet_pick(rng, POET_WORDS("on a sunny day", "by day", ""));
    }
}

static void say_rest(poet_synth_scene *scene, poet_rng *rng)
{
    const int *v = scene->value;
    if (v[POET_STREET_PERSON] != POET_NOBODY) {
        bool left = v[POET_STREET_PERSON] == POET_WALKS_LEFT;
        poet_say(scene, poet_pick(rng, POET_WORDS("while a person walks", "and a person walks")));
        poet_say(scene, left ? "to the left" : "to the right");
    }
    if (v[POET_STREET_CAMERA] != POET_CAMERA_STILL) {
        poet_say(scene, ", the camera pans");
        poet_say(scene, v[POET_STREET_CAMERA] == POET_CAMERA_LEFT ? "left" : "right");
    }
}

/* What is absent is not said, and not in stated. */
static void write_caption(poet_synth_scene *scene, poet_rng *rng)
{
    const int *v = scene->value;
    const char *when = conditions(v, rng);
    bool when_first = *when && poet_chance(rng, 4);
    if (when_first) {
        poet_say(scene, when);
        poet_say(scene, ",");
    }
    poet_say(scene, "a");
    poet_say(scene, colour_names[v[POET_STREET_COLOUR]]);
    poet_say(scene, vehicle_names[v[POET_STREET_VEHICLE]]);
    say_drive(scene, rng);
    if (v[POET_STREET_TREE])
        poet_say(scene, "behind a tree");
    if (!when_first)
        poet_say(scene, when);
    say_rest(scene, rng);
    scene->stated =
        1U << POET_STREET_VEHICLE | 1U << POET_STREET_COLOUR | 1U << POET_STREET_DIRECTION;
    scene->stated |= *when ? 1U << POET_STREET_TIME | 1U << POET_STREET_WEATHER : 0;
    for (int f = 0; f <= POET_STREET_CAMERA; f++)
        if (v[f] && (f == POET_STREET_SIGNAL || f == POET_STREET_PERSON || f == POET_STREET_TREE ||
                     f == POET_STREET_CAMERA))
            scene->stated |= 1U << f;
}

/* --- motion --- */

static void lay_out(poet_synth_scene *scene, poet_rng *rng)
{
    const int *v = scene->value;
    bool right = v[POET_STREET_DIRECTION] == POET_TO_RIGHT;
    float width = poet_synth_width(&scene->options), height = poet_synth_height(&scene->options);
    float half = poet_street_length[v[POET_STREET_VEHICLE]] / 2, sign = right ? 1.0F : -1.0F;
    float jitter = poet_rng_between(rng, -3, 3);
    poet_synth_path drive = {.growth = 1, .radius = half};
    drive.y = height - (right ? 11.5F : 22.5F);
    /* Where the middle of the vehicle is when its nose is at the stop line, before the light. */
    float stop = width / 2 + sign * (14 - half) + jitter / 2;
    if (v[POET_STREET_SIGNAL] == POET_SIGNAL_RED) {
        drive.kind = POET_PATH_BRAKE;
        drive.dx = sign * 30;
        drive.x = stop - drive.dx;
    } else if (v[POET_STREET_SIGNAL] == POET_SIGNAL_TURNS) {
        drive.kind = POET_PATH_START;
        drive.dx = sign * 30;
        drive.x = stop;
    } else {
        drive.kind = POET_PATH_LINE;
        drive.dx = sign * (width - 22);
        drive.x = width / 2 - drive.dx / 2 + jitter;
    }
    static const float pans[3] = {0, -20, 20};
    scene->pan = pans[v[POET_STREET_CAMERA]];
    scene->path[POET_STREET_MAIN] = drive;
    scene->objects = 1;
    if (v[POET_STREET_PERSON] == POET_NOBODY)
        return;
    float walk = v[POET_STREET_PERSON] == POET_WALKS_LEFT ? -20.0F : 20.0F;
    float start = poet_rng_between(rng, 8, width - 28);
    scene->path[POET_STREET_WALKER] = (poet_synth_path){.kind = POET_PATH_LINE,
                                                        .x = walk > 0 ? start : start + 20,
                                                        .y = height - 1.5F,
                                                        .dx = walk,
                                                        .radius = 7,
                                                        .growth = 1};
    scene->objects = 2;
}

const poet_synth_kind poet_synth_street = {"street",    fields,           POET_STREET_CAMERA + 1,
                                           draw_values, held_out,         write_caption,
                                           lay_out,     poet_street_paint};

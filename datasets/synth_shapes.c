/* `shapes`: one bright shape on a quiet ground.
 *
 * Colours of shapes are vivid and grounds are muted, so that a shape can be told from its ground
 * after any blur. A ground has two layouts, not endlessly many; colours and sizes are exact, and
 * shapes begin on whole units: what the caption says is what a small model should spend its bits
 * on. */
#include "base/memory.h"
#include "datasets/synth_internal.h"

#include <math.h>
#include <string.h>

enum {
    LEFT,
    RIGHT,
    UP,
    DOWN,
    UP_LEFT,
    UP_RIGHT,
    DOWN_LEFT,
    DOWN_RIGHT,
    BOUNCE,
    CIRCLE,
    SWAY,
    GROW,
    SHRINK,
    STILL,
    MOTIONS
};

enum { BLACK, WHITE, STARS, GRASS, SAND, CHECKS, BRICK, SKY, BACKGROUNDS };

enum { LAYOUTS = 2 };

static const char *const colour_names[] = {"red",  "orange", "yellow", "green",
                                           "blue", "purple", "pink",   "white"};

enum { COLOUR_WHITE = 7, COLOURS };

static const poet_rgb palette[COLOURS] = {{226, 36, 44},   {250, 130, 18}, {252, 216, 32},
                                          {36, 172, 66},   {36, 92, 230},  {148, 64, 212},
                                          {246, 116, 182}, {250, 250, 250}};

static const char *const shape_names[] = {"circle", "square", "triangle", "diamond",
                                          "star",   "heart",  "cross",    "ring"};

enum { SHAPE_CIRCLE, SQUARE, TRIANGLE, DIAMOND, STAR, HEART, CROSS, RING, SHAPES };

static const char *const size_names[] = {"small", "medium", "large"};
static const char *const motion_names[MOTIONS] = {
    "left",       "right",  "up",     "down", "up-left", "up-right", "down-left",
    "down-right", "bounce", "circle", "sway", "grow",    "shrink",   "still"};
static const char *const speed_names[] = {"slow", "normal", "quick"};
static const char *const background_names[BACKGROUNDS] = {"black", "white",  "stars", "grass",
                                                          "sand",  "checks", "brick", "sky"};

static const poet_synth_field fields[] = {
    {"colour", COLOURS, colour_names}, {"shape", SHAPES, shape_names},
    {"size", 3, size_names},           {"motion", MOTIONS, motion_names},
    {"speed", 3, speed_names},         {"background", BACKGROUNDS, background_names}};

static bool pale(int background)
{
    return background == WHITE || background == CHECKS || background == SKY || background == SAND;
}

static void draw_values(const poet_synth_options *options, uint64_t index, poet_rng *rng,
                        int *value)
{
    (void)options;
    (void)index;
    for (int f = 0; f <= POET_SHAPES_BACKGROUND; f++)
        value[f] = (int)poet_rng_below(rng, (uint32_t)fields[f].count);
    if (value[POET_SHAPES_MOTION] == STILL)
        value[POET_SHAPES_SPEED] = 1;
    while (value[POET_SHAPES_COLOUR] == COLOUR_WHITE && pale(value[POET_SHAPES_BACKGROUND]))
        value[POET_SHAPES_BACKGROUND] = (int)poet_rng_below(rng, BACKGROUNDS);
}

/* By the names, so that adding a value moves no other combination to the other side. */
static bool held_out(const int *value)
{
    const char *name[3] = {colour_names[value[POET_SHAPES_COLOUR]],
                           shape_names[value[POET_SHAPES_SHAPE]],
                           motion_names[value[POET_SHAPES_MOTION]]};
    uint64_t hash = 0;
    for (int i = 0; i < 3; i++)
        hash = poet_hash64(hash, name[i], strlen(name[i]));
    return hash % 5 == 0;
}

/* --- captions --- */

typedef struct wording {
    const char *verb[4]; /* third person */
    const char *doing;   /* participle */
    const char *tail[4];
} wording;

static const wording wordings[MOTIONS] = {
    [LEFT] = {{"moves", "slides", "goes"}, "moving", {"left", "to the left"}},
    [RIGHT] = {{"moves", "slides", "goes"}, "moving", {"right", "to the right"}},
    [UP] = {{"moves", "goes", "rises"}, "moving", {"up", "upwards"}},
    [DOWN] = {{"moves", "goes", "falls"}, "moving", {"down", "downwards"}},
    [UP_LEFT] = {{"moves", "goes"},
                 "moving",
                 {"up and to the left", "diagonally up and left", "to the upper left"}},
    [UP_RIGHT] = {{"moves", "goes"},
                  "moving",
                  {"up and to the right", "diagonally up and right", "to the upper right"}},
    [DOWN_LEFT] = {{"moves", "goes"},
                   "moving",
                   {"down and to the left", "diagonally down and left", "to the lower left"}},
    [DOWN_RIGHT] = {{"moves", "goes"},
                    "moving",
                    {"down and to the right", "diagonally down and right", "to the lower right"}},
    [BOUNCE] = {{"bounces"}, "bouncing", {"", "up and down"}},
    [CIRCLE] = {{"moves", "goes"}, "moving", {"in a circle", "in circles", "around in a circle"}},
    [SWAY] = {{"moves", "swings"},
              "moving",
              {"back and forth", "from side to side", "left and right"}},
    [GROW] = {{"grows"}, "growing", {"", "bigger"}},
    [SHRINK] = {{"shrinks"}, "shrinking", {""}},
    [STILL] = {{"stays still", "stands still", "does not move"}, "standing still", {""}}};

static const char *const background_words[BACKGROUNDS][4] = {
    [BLACK] = {"on a black background", "on black"},
    [WHITE] = {"on a white background", "on white"},
    [STARS] = {"in a starry sky", "under the stars", "in the night sky"},
    [GRASS] = {"on grass", "on green grass", "in a meadow"},
    [SAND] = {"on sand", "on a sandy beach"},
    [CHECKS] = {"on a checkered floor", "on a checkerboard"},
    [BRICK] = {"in front of a brick wall", "on a brick wall"},
    [SKY] = {"in a blue sky", "in the sky", "among the clouds"}};

static const char *size_word(int size, poet_rng *rng)
{
    if (size == 0)
        return poet_pick(rng, POET_WORDS("small", "small", "little", "tiny"));
    if (size == 2)
        return poet_pick(rng, POET_WORDS("large", "big"));
    return poet_pick(rng, POET_WORDS("", "", "medium-sized"));
}

static void say_thing(poet_synth_scene *scene, poet_rng *rng, bool article)
{
    const int *v = scene->value;
    if (article)
        poet_say(scene, poet_pick(rng, POET_WORDS("a", "a", "a", "the")));
    poet_say(scene, size_word(v[POET_SHAPES_SIZE], rng));
    poet_say(scene, colour_names[v[POET_SHAPES_COLOUR]]);
    poet_say(scene, shape_names[v[POET_SHAPES_SHAPE]]);
}

static void say_motion(poet_synth_scene *scene, poet_rng *rng, bool sentence)
{
    const int *v = scene->value;
    const wording *words = &wordings[v[POET_SHAPES_MOTION]];
    const char *tail = poet_pick(rng, words->tail), *adverb = "";
    if (v[POET_SHAPES_SPEED] == 0)
        adverb = "slowly";
    else if (v[POET_SHAPES_SPEED] == 2)
        adverb = poet_pick(rng, POET_WORDS("quickly", "quickly", "fast"));
    bool late = strcmp(adverb, "fast") == 0;
    uint32_t place = late ? 0 : poet_rng_below(rng, 4); /* 0, 1: at the end */
    bool continuous = sentence && v[POET_SHAPES_MOTION] != STILL && poet_chance(rng, 3);
    poet_say(scene, continuous ? "is" : "");
    poet_say(scene, place == 3 ? adverb : "");
    poet_say(scene, continuous || !sentence ? words->doing : poet_pick(rng, words->verb));
    poet_say(scene, place == 2 ? adverb : "");
    poet_say(scene, tail);
    poet_say(scene, place < 2 ? adverb : "");
}

static void write_caption(poet_synth_scene *scene, poet_rng *rng)
{
    const int *v = scene->value;
    const char *ground = poet_pick(rng, background_words[v[POET_SHAPES_BACKGROUND]]);
    bool tell_ground = !poet_chance(rng, 3);
    bool ground_first = tell_ground && poet_chance(rng, 6);
    bool sentence = ground_first || !poet_chance(rng, 4);
    scene->stated = 1U << POET_SHAPES_COLOUR | 1U << POET_SHAPES_SHAPE | 1U << POET_SHAPES_SIZE |
                    1U << POET_SHAPES_MOTION;
    scene->stated |= v[POET_SHAPES_MOTION] == STILL ? 0 : 1U << POET_SHAPES_SPEED;
    scene->stated |= tell_ground ? 1U << POET_SHAPES_BACKGROUND : 0;
    if (ground_first) {
        poet_say(scene, ground);
        poet_say(scene, ",");
    }
    say_thing(scene, rng, sentence || poet_chance(rng, 2));
    say_motion(scene, rng, sentence);
    if (tell_ground && !ground_first)
        poet_say(scene, ground);
}

/* --- motion --- */

/* A start, in whole units, from which an object of this reach travels d and stays in 0..extent; the
 * middle where there is no such place. */
static float start_for(poet_rng *rng, float extent, float reach, float d)
{
    float low = ceilf(reach - fminf(d, 0)), high = floorf(extent - reach - fmaxf(d, 0));
    if (low >= high)
        return floorf((low + high) / 2);
    return low + (float)poet_rng_below(rng, (uint32_t)(high - low) + 1);
}

static void lay_out(poet_synth_scene *scene, poet_rng *rng)
{
    static const float radii[3] = {7, 10, 13};
    static const float travel[3] = {12, 24, 40}, diagonal[3] = {8, 16, 28};
    static const float hops[3] = {1, 1.5F, 2}, turns[3] = {0.4F, 0.75F, 1.2F};
    static const float waves[3] = {0.6F, 1, 1.6F}, growths[3] = {1.35F, 1.75F, 2.25F};
    static const signed char heading[8][2] = {{-1, 0},  {1, 0},  {0, -1}, {0, 1},
                                              {-1, -1}, {1, -1}, {-1, 1}, {1, 1}};
    const int motion = scene->value[POET_SHAPES_MOTION], speed = scene->value[POET_SHAPES_SPEED];
    float width = poet_synth_width(&scene->options), height = poet_synth_height(&scene->options);
    float radius = radii[scene->value[POET_SHAPES_SIZE]];
    poet_synth_path p = {.kind = POET_PATH_LINE, .radius = radius, .growth = 1};
    float side_x = 0, side_y = 0, rise = 0; /* room that the motion takes beyond the radius */
    if (motion <= DOWN_RIGHT) {
        float length = motion >= UP_LEFT ? diagonal[speed] : travel[speed];
        p.dx = length * (float)heading[motion][0];
        p.dy = length * (float)heading[motion][1];
    } else if (motion == BOUNCE) {
        p.kind = POET_PATH_HOP;
        p.dy = rise = 16;
        p.cycles = hops[speed];
    } else if (motion == CIRCLE) {
        p.kind = POET_PATH_ORBIT;
        p.dx = side_x = side_y = 12;
        p.cycles = turns[speed];
        p.phase = (float)poet_rng_below(rng, 8) / 8;
    } else if (motion == SWAY) {
        p.kind = POET_PATH_WAVE;
        p.dx = side_x = 13;
        p.cycles = waves[speed];
        p.phase = poet_chance(rng, 2) ? 0 : 0.5F;
    } else if (motion == GROW) {
        p.growth = growths[speed];
    } else if (motion == SHRINK) {
        p.growth = 1 / growths[speed];
    }
    float reach = radius * fmaxf(p.growth, 1) * 1.15F;
    float line_dx = p.kind == POET_PATH_LINE ? p.dx : 0;
    float line_dy = p.kind == POET_PATH_LINE ? p.dy : -rise;
    p.x = start_for(rng, width, reach + side_x, line_dx);
    p.y = start_for(rng, height, reach + side_y, line_dy);
    scene->objects = 1;
    scene->path[0] = p;
}

/* --- pictures --- */

static void paint_stars(poet_raster *raster, poet_rng *rng, float width, float height)
{
    poet_raster_gradient(raster, 0, height, (poet_rgb){10, 14, 46}, (poet_rgb){38, 32, 78});
    for (int i = 0; i < 18; i++) {
        poet_point at = {poet_rng_uniform(rng) * width, poet_rng_uniform(rng) * height};
        poet_paint paint = poet_paint_solid((poet_rgb){255, 248, 220});
        paint.opacity = poet_rng_between(rng, 0.4F, 0.9F);
        poet_raster_disc(raster, at, poet_rng_between(rng, 0.5F, 0.85F), paint);
    }
}

static void paint_grass(poet_raster *raster, poet_rng *rng, float width, float height)
{
    poet_raster_gradient(raster, 0, height, (poet_rgb){128, 156, 100}, (poet_rgb){88, 122, 72});
    for (int i = 0; i < 40; i++) {
        float x = poet_rng_uniform(rng) * width, y = poet_rng_uniform(rng) * height;
        float lean = poet_rng_between(rng, -1, 1);
        poet_paint paint = {.opacity = 0.35F};
        paint.colour = i % 2 ? (poet_rgb){60, 92, 50} : (poet_rgb){160, 184, 124};
        poet_raster_line(raster, (poet_point){x, y}, (poet_point){x + lean, y - 3.5F}, 0.9F, paint);
    }
}

static void paint_sand(poet_raster *raster, poet_rng *rng, float width, float height)
{
    poet_raster_gradient(raster, 0, height, (poet_rgb){228, 210, 172}, (poet_rgb){204, 180, 138});
    float phase = poet_rng_uniform(rng);
    for (float y = 4; y < height; y += 9) {
        poet_point wave[24];
        for (int i = 0; i < 24; i++) {
            double angle = 6.2832 * ((double)i / 8 + (double)phase + (double)y * 0.37);
            wave[i] = (poet_point){width * (float)i / 23, y + 1.6F * (float)sin(angle)};
        }
        poet_paint paint = {.colour = {180, 152, 112}, .opacity = 0.4F, .soft = 1.5F};
        poet_raster_polyline(raster, wave, 24, 1, paint);
    }
}

static void paint_checks(poet_raster *raster, poet_rng *rng, float width, float height)
{
    poet_raster_gradient(raster, 0, height, (poet_rgb){232, 234, 240}, (poet_rgb){222, 224, 232});
    float dx = 8 * (float)poet_rng_below(rng, 2), dy = 8 * (float)poet_rng_below(rng, 2);
    poet_paint paint = poet_paint_solid((poet_rgb){184, 190, 204});
    for (int row = -1; (float)row * 16 < height; row++)
        for (int column = -1 - (row & 1); (float)column * 16 < width; column += 2) {
            float x = (float)column * 16 + dx, y = (float)row * 16 + dy;
            poet_raster_box(raster, x, y, x + 16, y + 16, 0, paint);
        }
}

static void paint_brick(poet_raster *raster, poet_rng *rng, float width, float height)
{
    poet_raster_gradient(raster, 0, height, (poet_rgb){176, 156, 144}, (poet_rgb){164, 144, 132});
    for (int row = 0; (float)row * 8 < height; row++) {
        for (int column = -1; (float)column * 16 < width; column++) {
            float x = (float)column * 16 + (row & 1 ? 8.0F : 0.0F), y = (float)row * 8;
            float tint = poet_rng_between(rng, -8, 8);
            poet_paint paint = poet_paint_solid((poet_rgb){140 + tint, 98 + tint, 88 + tint});
            poet_raster_box(raster, x + 0.5F, y + 0.5F, x + 15.5F, y + 7.5F, 0.6F, paint);
        }
    }
}

static void paint_sky(poet_raster *raster, poet_rng *rng, float width, float height)
{
    poet_raster_gradient(raster, 0, height, (poet_rgb){132, 184, 230}, (poet_rgb){208, 230, 244});
    poet_paint paint = {.colour = {255, 255, 255}, .opacity = 0.75F, .soft = 3};
    for (int i = 0; i < 3; i++) {
        float x = width * ((float)i + poet_rng_uniform(rng)) / 3;
        float y = height * poet_rng_between(rng, 0.1F, 0.85F);
        for (int puff = -1; puff <= 1; puff++) {
            poet_point at = {x + 5.5F * (float)puff, y - (puff ? 0.0F : 2.0F)};
            poet_raster_disc(raster, at, puff ? 3.5F : 5.0F, paint);
        }
    }
}

static void paint_background(poet_raster *raster, const poet_synth_scene *scene)
{
    float width = poet_synth_width(&scene->options), height = poet_synth_height(&scene->options);
    poet_rng rng;
    poet_rng_init(&rng, scene->style % LAYOUTS, 1);
    switch (scene->value[POET_SHAPES_BACKGROUND]) {
    case BLACK:
        poet_raster_gradient(raster, 0, height, (poet_rgb){10, 10, 14}, (poet_rgb){30, 30, 38});
        break;
    case WHITE:
        poet_raster_gradient(raster, 0, height, (poet_rgb){252, 252, 252},
                             (poet_rgb){230, 232, 238});
        break;
    case STARS: paint_stars(raster, &rng, width, height); break;
    case GRASS: paint_grass(raster, &rng, width, height); break;
    case SAND: paint_sand(raster, &rng, width, height); break;
    case CHECKS: paint_checks(raster, &rng, width, height); break;
    case BRICK: paint_brick(raster, &rng, width, height); break;
    default: paint_sky(raster, &rng, width, height);
    }
}

enum { HEART_CORNERS = 24 };

/* Corners of a shape of radius 1 around the origin; their number, or 0 when it has none. */
static int shape_corners(int shape, poet_point *corner)
{
    static const poet_point square[4] = {{-1, -1}, {1, -1}, {1, 1}, {-1, 1}};
    static const poet_point triangle[3] = {{0, -1.15F}, {1.1F, 0.85F}, {-1.1F, 0.85F}};
    static const poet_point diamond[4] = {{0, -1.15F}, {0.82F, 0}, {0, 1.15F}, {-0.82F, 0}};
    static const poet_point cross[12] = {{-0.37F, -1.05F}, {0.37F, -1.05F},  {0.37F, -0.37F},
                                         {1.05F, -0.37F},  {1.05F, 0.37F},   {0.37F, 0.37F},
                                         {0.37F, 1.05F},   {-0.37F, 1.05F},  {-0.37F, 0.37F},
                                         {-1.05F, 0.37F},  {-1.05F, -0.37F}, {-0.37F, -0.37F}};
    const double turn = 6.283185307179586;
    switch (shape) {
    case SQUARE:
        for (int i = 0; i < 4; i++)
            corner[i] = (poet_point){0.86F * square[i].x, 0.86F * square[i].y};
        return 4;
    case TRIANGLE: memcpy(corner, triangle, sizeof triangle); return 3;
    case DIAMOND: memcpy(corner, diamond, sizeof diamond); return 4;
    case CROSS: memcpy(corner, cross, sizeof cross); return 12;
    case STAR:
        for (int i = 0; i < 10; i++) {
            float reach = i % 2 ? 0.52F : 1.2F;
            corner[i] = (poet_point){reach * (float)sin(turn * i / 10),
                                     0.05F - reach * (float)cos(turn * i / 10)};
        }
        return 10;
    case HEART:
        for (int i = 0; i < HEART_CORNERS; i++) {
            double a = turn * i / HEART_CORNERS, s = sin(a);
            double y = 13 * cos(a) - 5 * cos(2 * a) - 2 * cos(3 * a) - cos(4 * a);
            corner[i] = (poet_point){(float)(16 * s * s * s / 15), (float)((-y - 2) / 14.5)};
        }
        return HEART_CORNERS;
    default: return 0;
    }
}

static void paint_shape(poet_raster *raster, int shape, poet_synth_spot spot, poet_rgb colour)
{
    poet_point corner[HEART_CORNERS], centre = {spot.x, spot.y};
    poet_paint paint = {.colour = colour, .opacity = 1, .rim = 0.28F};
    int count = shape_corners(shape, corner);
    for (int i = 0; i < count; i++)
        corner[i] =
            (poet_point){spot.x + spot.radius * corner[i].x, spot.y + spot.radius * corner[i].y};
    if (count)
        poet_raster_polygon(raster, corner, count, paint);
    else if (shape == RING)
        poet_raster_ring(raster, centre, 1.08F * spot.radius, 0.45F * spot.radius, paint);
    else
        poet_raster_disc(raster, centre, spot.radius, paint);
}

static poet_status paint(const poet_synth_scene *scene, poet_clip *clip)
{
    poet_raster ground = {0}, frame = {0};
    float unit = poet_synth_unit(&scene->options);
    poet_status status;
    POET_TRY_DONE(poet_raster_create(clip->h, clip->w, unit, &ground));
    POET_TRY_DONE(poet_raster_create(clip->h, clip->w, unit, &frame));
    paint_background(&ground, scene);
    poet_rgb colour = palette[scene->value[POET_SHAPES_COLOUR]];
    for (int f = 0; f < clip->t; f++) {
        poet_raster_copy(&frame, &ground);
        if (scene->objects)
            paint_shape(&frame, scene->value[POET_SHAPES_SHAPE], poet_synth_place(scene, 0, f),
                        colour);
        poet_raster_store(&frame, clip->pixels + (size_t)f * (size_t)clip->h * (size_t)clip->w * 3);
    }
done:
    poet_raster_free(&ground);
    poet_raster_free(&frame);
    return status;
}

const poet_synth_kind poet_synth_shapes = {"shapes",    fields,   POET_SHAPES_BACKGROUND + 1,
                                           draw_values, held_out, write_caption,
                                           lay_out,     paint};

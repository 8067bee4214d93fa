/* Pictures of the street set, back to front: sky, houses, far pavement with the traffic light,
 * road, vehicle, near pavement with walker and tree, weather. */
#include "datasets/street_internal.h"

#include <math.h>
#include <string.h>

/* One frame being painted. Heights are counted from the lower edge: up(7) is 7 units above it. */
typedef struct stage {
    poet_raster raster;
    const poet_synth_scene *scene;
    const int *value;
    float width, height;
    float u;   /* time in the clip, 0..1 */
    float pan; /* how far the camera has moved to the right */
} stage;

enum { NEAR_PAVEMENT = 10, ROAD_TOP = 31, HOUSES_BASE = 36 };

static const poet_rgb palette[POET_STREET_COLOURS] = {
    {214, 40, 44}, {244, 132, 24}, {250, 212, 44}, {44, 160, 72}, {44, 98, 216}, {244, 244, 246}};

static const poet_rgb dark = {34, 34, 40}, glass = {150, 190, 216}, lamp_light = {255, 244, 190};

static float up(const stage *s, float height)
{
    return s->height - height;
}

static bool is(const stage *s, int field, int value)
{
    return s->value[field] == value;
}

/* How night and clouds tone a colour that gives no light of its own; strength 0..1. */
static poet_rgb toned(const stage *s, poet_rgb c, float strength)
{
    poet_rgb tone = c;
    if (is(s, POET_STREET_TIME, POET_NIGHT))
        tone = (poet_rgb){0.36F * c.r, 0.40F * c.g, 0.56F * c.b + 12};
    else if (!is(s, POET_STREET_WEATHER, POET_CLEAR))
        tone = poet_rgb_mix(c, (poet_rgb){150, 158, 170}, 0.25F);
    return poet_rgb_mix(c, tone, strength);
}

static poet_paint lit(const stage *s, poet_rgb colour)
{
    return poet_paint_solid(toned(s, colour, 0.55F));
}

static poet_paint solid(const stage *s, poet_rgb colour)
{
    return poet_paint_solid(toned(s, colour, 1));
}

/* A box between two heights above the lower edge. */
static void block(stage *s, float x0, float x1, float low, float high, float round,
                  poet_paint paint)
{
    poet_raster_box(&s->raster, x0, up(s, high), x1, up(s, low), round, paint);
}

/* --- sky and houses --- */

static void paint_sky(stage *s, poet_rng *rng)
{
    static const poet_rgb top[2][3] = {{{96, 166, 232}, {118, 130, 146}, {172, 184, 200}},
                                       {{10, 14, 44}, {14, 18, 32}, {30, 36, 60}}};
    static const poet_rgb low[2][3] = {{{206, 230, 246}, {170, 178, 188}, {222, 228, 236}},
                                       {{46, 50, 92}, {38, 44, 60}, {70, 76, 104}}};
    int time = s->value[POET_STREET_TIME], weather = s->value[POET_STREET_WEATHER];
    float horizon = up(s, HOUSES_BASE);
    poet_raster_gradient(&s->raster, 0, horizon, top[time][weather], low[time][weather]);
    if (weather != POET_CLEAR)
        return;
    poet_point at = {s->width * poet_rng_between(rng, 0.15F, 0.85F), 8};
    if (time == POET_DAY) {
        poet_paint glow = {.colour = {255, 246, 200}, .opacity = 0.5F, .soft = 5};
        poet_raster_disc(&s->raster, at, 6, glow);
        poet_raster_disc(&s->raster, at, 4, poet_paint_solid((poet_rgb){255, 234, 130}));
        return;
    }
    poet_raster_disc(&s->raster, at, 3.5F, poet_paint_solid((poet_rgb){236, 236, 216}));
    for (int i = 0; i < 10; i++) {
        poet_point star = {poet_rng_uniform(rng) * s->width, poet_rng_uniform(rng) * 18};
        poet_raster_disc(&s->raster, star, 0.55F, poet_paint_solid((poet_rgb){220, 224, 240}));
    }
}

static void paint_windows(stage *s, poet_rng *rng, float x0, float x1, float high)
{
    bool night = is(s, POET_STREET_TIME, POET_NIGHT);
    for (float y = HOUSES_BASE + 3; y + 3 < high; y += 4.5F) {
        for (float x = x0 + 1.5F; x + 2 < x1; x += 3.5F) {
            bool bright = night && !poet_chance(rng, 3);
            poet_paint paint = bright ? poet_paint_solid((poet_rgb){250, 216, 122})
                                      : solid(s, (poet_rgb){98, 118, 140});
            block(s, x, x + 2, y, y + 2.5F, 0, paint);
        }
    }
}

/* Houses stand farther away, so they pass at half the camera's speed. */
static void paint_houses(stage *s, poet_rng *rng)
{
    static const poet_rgb walls[5] = {
        {188, 152, 128}, {170, 176, 186}, {204, 184, 150}, {158, 128, 120}, {146, 164, 158}};
    bool snow = is(s, POET_STREET_WEATHER, POET_SNOW);
    for (float x = -16 - 0.5F * s->pan; x < s->width + 16;) {
        float wide = poet_rng_between(rng, 10, 15);
        float high = HOUSES_BASE + poet_rng_between(rng, 9, 20);
        poet_rgb wall = walls[poet_rng_below(rng, 5)];
        block(s, x, x + wide - 0.4F, HOUSES_BASE, high, 0, solid(s, wall));
        poet_rgb roof = snow ? (poet_rgb){244, 246, 250} : poet_rgb_mix(wall, dark, 0.5F);
        block(s, x - 0.3F, x + wide - 0.1F, high - 1, high + 0.4F, 0, solid(s, roof));
        paint_windows(s, rng, x, x + wide, high - 1);
        x += wide;
    }
}

/* --- ground --- */

static void paint_ground(stage *s)
{
    int weather = s->value[POET_STREET_WEATHER];
    static const poet_rgb paved[3] = {{186, 182, 174}, {140, 142, 146}, {240, 243, 248}};
    static const poet_rgb asphalt[3] = {{98, 100, 106}, {70, 74, 82}, {148, 154, 166}};
    poet_rgb line = weather == POET_SNOW ? (poet_rgb){206, 210, 218} : (poet_rgb){232, 232, 224};
    float left = -1, right = s->width + 1;
    block(s, left, right, ROAD_TOP, HOUSES_BASE, 0, solid(s, paved[weather]));
    block(s, left, right, NEAR_PAVEMENT, ROAD_TOP, 0, solid(s, asphalt[weather]));
    block(s, left, right, ROAD_TOP - 0.8F, ROAD_TOP, 0,
          solid(s, poet_rgb_mix(paved[weather], dark, 0.35F)));
    for (float x = -32 - fmodf(s->pan, 12); x < s->width; x += 12)
        block(s, x, x + 6, 20.4F, 21.4F, 0, solid(s, line));
}

static void paint_near_pavement(stage *s)
{
    int weather = s->value[POET_STREET_WEATHER];
    static const poet_rgb paved[3] = {{196, 190, 180}, {150, 152, 154}, {246, 248, 252}};
    block(s, -1, s->width + 1, -1, NEAR_PAVEMENT, 0, solid(s, paved[weather]));
    block(s, -1, s->width + 1, NEAR_PAVEMENT - 1, NEAR_PAVEMENT, 0,
          solid(s, poet_rgb_mix(paved[weather], dark, 0.3F)));
}

static void paint_signal(stage *s)
{
    static const poet_rgb on[3] = {{255, 52, 44}, {255, 204, 40}, {50, 236, 96}};
    int signal = s->value[POET_STREET_SIGNAL];
    if (signal == POET_NO_SIGNAL)
        return;
    bool red = signal == POET_SIGNAL_RED || (signal == POET_SIGNAL_TURNS && s->u < 0.4F);
    float sign = is(s, POET_STREET_DIRECTION, POET_TO_RIGHT) ? 1.0F : -1.0F;
    float x = s->width / 2 + sign * 18 - s->pan;
    block(s, x - 0.7F, x + 0.7F, ROAD_TOP + 1, 44, 0, solid(s, (poet_rgb){70, 72, 78}));
    block(s, x - 3, x + 3, 43, 58, 1.2F, poet_paint_solid((poet_rgb){26, 28, 32}));
    for (int i = 0; i < 3; i++) {
        bool shines = i == (red ? 0 : 2);
        poet_point at = {x, up(s, 55.3F - 4.8F * (float)i)};
        poet_paint glow = {.colour = on[i], .opacity = 0.45F, .soft = 3};
        if (shines)
            poet_raster_disc(&s->raster, at, 3, glow);
        poet_rgb colour = shines ? on[i] : poet_rgb_mix(on[i], dark, 0.8F);
        poet_raster_disc(&s->raster, at, 1.9F, poet_paint_solid(colour));
    }
}

/* --- vehicles --- */

/* A vehicle's own coordinates: x forwards from its middle, y upwards from the road. */
typedef struct body {
    stage *stage;
    float x, y, sign;
    poet_rgb colour;
} body;

static void part(const body *b, float x0, float x1, float y0, float y1, float round,
                 poet_paint paint)
{
    float from = b->x + b->sign * x0, to = b->x + b->sign * x1;
    poet_raster_box(&b->stage->raster, fminf(from, to), b->y - y1, fmaxf(from, to), b->y - y0,
                    round, paint);
}

static void panel(const body *b, const poet_point *corner, int count, poet_paint paint)
{
    poet_point placed[8];
    for (int i = 0; i < count; i++)
        placed[i] = (poet_point){b->x + b->sign * corner[i].x, b->y - corner[i].y};
    poet_raster_polygon(&b->stage->raster, placed, count, paint);
}

static void wheel(const body *b, float x, float radius)
{
    poet_point at = {b->x + b->sign * x, b->y - radius};
    poet_raster_disc(&b->stage->raster, at, radius, poet_paint_solid((poet_rgb){24, 24, 28}));
    poet_raster_disc(&b->stage->raster, at, 0.42F * radius,
                     solid(b->stage, (poet_rgb){170, 172, 178}));
}

static poet_paint coat(const body *b)
{
    poet_paint paint = poet_paint_solid(b->colour);
    paint.rim = 0.2F;
    return paint;
}

static poet_paint window(const body *b)
{
    bool night = is(b->stage, POET_STREET_TIME, POET_NIGHT);
    return night ? poet_paint_solid((poet_rgb){84, 92, 116}) : poet_paint_solid(glass);
}

/* Headlight in front at height y, tail light at the back; at night the road is lit. */
static void lights(const body *b, float front, float back, float y)
{
    stage *s = b->stage;
    if (is(s, POET_STREET_TIME, POET_NIGHT)) {
        poet_point beam[3] = {{front, y}, {front + 15, y + 1.5F}, {front + 15, -1.5F}};
        poet_paint light = {.colour = lamp_light, .opacity = 0.3F, .soft = 2};
        panel(b, beam, 3, light);
    }
    part(b, front - 1, front + 0.3F, y - 0.8F, y + 0.8F, 0.6F, poet_paint_solid(lamp_light));
    part(b, back - 0.3F, back + 0.8F, y - 0.8F, y + 0.8F, 0.4F,
         poet_paint_solid((poet_rgb){236, 40, 36}));
}

static void paint_car(const body *b)
{
    static const poet_point roof[4] = {{-7, 5}, {-4.4F, 9.4F}, {2.6F, 9.4F}, {6.4F, 5}};
    static const poet_point rear[4] = {{-5.6F, 5.4F}, {-3.8F, 8.4F}, {-1.2F, 8.4F}, {-1.2F, 5.4F}};
    static const poet_point front[4] = {{-0.4F, 5.4F}, {-0.4F, 8.4F}, {2.2F, 8.4F}, {4.8F, 5.4F}};
    panel(b, roof, 4, coat(b));
    part(b, -10, 10, 1.8F, 6, 1.6F, coat(b));
    panel(b, rear, 4, window(b));
    panel(b, front, 4, window(b));
    lights(b, 10, -10, 4.2F);
    wheel(b, -6, 2.3F);
    wheel(b, 6, 2.3F);
}

static void paint_van(const body *b)
{
    static const poet_point nose[5] = {
        {4, 1.8F}, {4, 11.6F}, {6, 11.6F}, {10.5F, 6.4F}, {10.5F, 1.8F}};
    static const poet_point screen[4] = {{3.4F, 7}, {3.4F, 10.6F}, {5.8F, 10.6F}, {8.8F, 7}};
    panel(b, nose, 5, coat(b));
    part(b, -10.5F, 5, 1.8F, 12, 1.2F, coat(b));
    panel(b, screen, 4, window(b));
    part(b, -8.4F, 1.4F, 5.6F, 6.2F, 0, poet_paint_solid(poet_rgb_mix(b->colour, dark, 0.4F)));
    lights(b, 10.5F, -10.5F, 4);
    wheel(b, -6.2F, 2.4F);
    wheel(b, 6.4F, 2.4F);
}

static void paint_truck(const body *b)
{
    part(b, -13.5F, 13, 1.6F, 3.2F, 0, poet_paint_solid(dark));
    part(b, -13.5F, 4.4F, 3, 14, 0.6F, coat(b));
    for (float x = -10; x < 4; x += 3.6F)
        part(b, x, x + 0.6F, 4, 13, 0, poet_paint_solid(poet_rgb_mix(b->colour, dark, 0.25F)));
    part(b, 5.4F, 13.2F, 2.4F, 10.8F, 1.4F, coat(b));
    part(b, 8.6F, 12.4F, 6.4F, 9.8F, 0.5F, window(b));
    lights(b, 13.2F, -13.5F, 4);
    wheel(b, -9.5F, 2.4F);
    wheel(b, -4.2F, 2.4F);
    wheel(b, 9, 2.4F);
}

static void paint_bus(const body *b)
{
    part(b, -15, 15, 1.8F, 13.4F, 1.4F, coat(b));
    for (int i = 0; i < 5; i++) {
        float x = -13.4F + 5.2F * (float)i;
        part(b, x, x + 4.2F, 7.4F, 11.6F, 0.4F, window(b));
    }
    part(b, 12.6F, 14.6F, 6.4F, 11.6F, 0.4F, window(b));
    part(b, -14.6F, 14.6F, 5, 5.8F, 0, poet_paint_solid(poet_rgb_mix(b->colour, dark, 0.35F)));
    lights(b, 15, -15, 3.6F);
    wheel(b, -9, 2.4F);
    wheel(b, 9, 2.4F);
}

static void paint_motorcycle(const body *b)
{
    stage *s = b->stage;
    static const poet_point frame[6] = {{-4.6F, 5}, {-1.6F, 6.2F}, {2.8F, 6.8F},
                                        {4, 5.4F},  {2.4F, 2.4F},  {-2, 2.4F}};
    static const poet_point torso[4] = {{-2.6F, 5.8F}, {-0.4F, 11}, {1.8F, 10.4F}, {0.4F, 5.8F}};
    wheel(b, -4.4F, 2.7F);
    wheel(b, 4.4F, 2.7F);
    panel(b, torso, 4, solid(s, (poet_rgb){62, 62, 76}));
    panel(b, frame, 6, coat(b));
    poet_point shoulder = {b->x + b->sign * 0.8F, b->y - 9.8F},
               grip = {b->x + b->sign * 4, b->y - 7.4F};
    poet_raster_line(&s->raster, shoulder, grip, 1.4F, solid(s, (poet_rgb){62, 62, 76}));
    poet_point head = {b->x + b->sign * 1.2F, b->y - 12.4F};
    poet_raster_disc(&s->raster, head, 2, coat(b));
    lights(b, 5, -5.4F, 6);
}

static void paint_vehicle(stage *s)
{
    static void (*const painters[POET_VEHICLES])(const body *) = {paint_car, paint_van, paint_truck,
                                                                  paint_bus, paint_motorcycle};
    poet_synth_spot spot = poet_synth_place(s->scene, POET_STREET_MAIN,
                                            (int)lrintf(s->u * (float)(s->scene->options.t - 1)));
    body b = {.stage = s, .x = spot.x, .y = spot.y};
    b.sign = is(s, POET_STREET_DIRECTION, POET_TO_RIGHT) ? 1.0F : -1.0F;
    b.colour = toned(s, palette[s->value[POET_STREET_COLOUR]], 0.45F);
    float half = spot.radius;
    poet_paint shadow = {.colour = {0}, .opacity = 0.3F, .soft = 1.5F};
    poet_raster_box(&s->raster, b.x - half, b.y - 0.9F, b.x + half, b.y + 0.9F, 0.8F, shadow);
    painters[s->value[POET_STREET_VEHICLE]](&b);
}

/* --- near things --- */

static void paint_walker(stage *s)
{
    static const poet_rgb coats[4] = {{150, 62, 84}, {70, 92, 128}, {196, 140, 70}, {88, 120, 92}};
    poet_rgb colour = coats[s->scene->style / 1024 % 4];
    if (s->scene->objects < 2)
        return;
    poet_synth_spot spot = poet_synth_place(s->scene, POET_STREET_WALKER,
                                            (int)lrintf(s->u * (float)(s->scene->options.t - 1)));
    float x = spot.x, y = spot.y;
    float sign = is(s, POET_STREET_PERSON, POET_WALKS_RIGHT) ? 1.0F : -1.0F;
    float step = 2.6F * (float)sin(6.283185307179586 * 4 * (double)s->u);
    poet_raster *r = &s->raster;
    poet_point hip = {x, y - 6.2F};
    poet_paint trousers = lit(s, (poet_rgb){52, 54, 72});
    poet_raster_line(r, hip, (poet_point){x + step, y}, 1.8F, trousers);
    poet_raster_line(r, hip, (poet_point){x - step, y}, 1.8F, trousers);
    poet_raster_box(r, x - 2, y - 12, x + 2, y - 5.6F, 1.6F, lit(s, colour));
    poet_raster_line(r, (poet_point){x, y - 11}, (poet_point){x - 0.8F * step, y - 6.8F}, 1.3F,
                     lit(s, poet_rgb_mix(colour, dark, 0.3F)));
    poet_raster_disc(r, (poet_point){x + 0.3F * sign, y - 14}, 2.1F,
                     lit(s, (poet_rgb){226, 178, 146}));
    poet_raster_box(r, x - 2, y - 16.3F, x + 2, y - 14.4F, 1, lit(s, (poet_rgb){70, 48, 40}));
    if (is(s, POET_STREET_WEATHER, POET_RAIN)) {
        float hand = x + 2.4F * sign;
        poet_point roof[5] = {{hand - 6, y - 17},
                              {hand - 3.4F, y - 20},
                              {hand, y - 21},
                              {hand + 3.4F, y - 20},
                              {hand + 6, y - 17}};
        poet_raster_line(r, (poet_point){hand, y - 9}, (poet_point){hand, y - 18}, 0.8F,
                         lit(s, dark));
        poet_raster_polygon(r, roof, 5, lit(s, poet_rgb_mix(colour, dark, 0.15F)));
    }
}

static void paint_tree(stage *s, poet_rng *rng)
{
    static const signed char leaf[6][3] = {{0, 54, 9},  {-7, 49, 7}, {7, 49, 7},
                                           {-4, 57, 6}, {5, 57, 6},  {0, 47, 7}};
    float x = s->width / 2 + poet_rng_between(rng, -9, 9) - s->pan;
    bool snow = is(s, POET_STREET_WEATHER, POET_SNOW);
    if (!s->value[POET_STREET_TREE])
        return;
    block(s, x - 1.9F, x + 1.9F, 4, 46, 0.8F, solid(s, (poet_rgb){104, 76, 56}));
    for (int i = 0; i < 6; i++) {
        poet_rgb green = i % 2 ? (poet_rgb){84, 132, 78} : (poet_rgb){70, 116, 68};
        poet_point at = {x + (float)leaf[i][0], up(s, (float)leaf[i][1])};
        poet_raster_disc(&s->raster, at, (float)leaf[i][2], solid(s, green));
        at.y -= 2.5F;
        if (snow && i < 5)
            poet_raster_disc(&s->raster, at, (float)leaf[i][2] - 2,
                             solid(s, (poet_rgb){236, 240, 246}));
    }
}

/* Drops fall several frames' height a frame, flakes drift; both leave below and come in above. */
static void paint_weather(stage *s, poet_rng *rng)
{
    bool rain = is(s, POET_STREET_WEATHER, POET_RAIN);
    if (is(s, POET_STREET_WEATHER, POET_CLEAR))
        return;
    for (int i = 0; i < (rain ? 26 : 34); i++) {
        float x = poet_rng_uniform(rng) * s->width, y = poet_rng_uniform(rng);
        float falls = rain ? 3.0F : 1.0F;
        y = (y + falls * s->u - floorf(y + falls * s->u)) * (s->height + 6) - 3;
        float sway = rain ? 0.0F : 1.5F * (float)sin(6.2832 * ((double)s->u + i * 0.37));
        if (rain) {
            poet_paint paint = {.colour = {206, 220, 240}, .opacity = 0.5F};
            poet_raster_line(&s->raster, (poet_point){x, y}, (poet_point){x - 1, y + 4}, 0.8F,
                             paint);
        } else {
            poet_paint paint = {.colour = {255, 255, 255}, .opacity = 0.9F};
            poet_raster_disc(&s->raster, (poet_point){x + sway, y}, 0.85F, paint);
        }
    }
}

/* Parts of the style decide different things, so that each can be varied alone (eval does). */
static void paint_frame(stage *s)
{
    poet_rng sky, houses, tree, weather;
    poet_rng_init(&sky, s->scene->style, 0);
    poet_rng_init(&houses, s->scene->style % 8, 1);
    poet_rng_init(&tree, s->scene->style % 1024, 3);
    poet_rng_init(&weather, s->scene->style % 8, 4);
    s->pan = s->scene->pan * (s->u - 0.5F);
    paint_sky(s, &sky);
    paint_houses(s, &houses);
    paint_ground(s);
    paint_signal(s);
    if (s->scene->objects)
        paint_vehicle(s);
    paint_near_pavement(s);
    paint_tree(s, &tree);
    paint_walker(s);
    paint_weather(s, &weather);
}

poet_status poet_street_paint(const poet_synth_scene *scene, poet_clip *clip)
{
    const poet_synth_options *o = &scene->options;
    stage s = {.scene = scene,
               .value = scene->value,
               .width = poet_synth_width(o),
               .height = poet_synth_height(o)};
    POET_TRY(poet_raster_create(clip->h, clip->w, poet_synth_unit(o), &s.raster));
    for (int f = 0; f < clip->t; f++) {
        s.u = clip->t > 1 ? (float)f / (float)(clip->t - 1) : 0;
        paint_frame(&s);
        poet_raster_store(&s.raster,
                          clip->pixels + (size_t)f * (size_t)clip->h * (size_t)clip->w * 3);
    }
    poet_raster_free(&s.raster);
    return POET_OK;
}

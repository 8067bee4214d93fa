/* `digits`: the captioned moving digits of Sync-DRAW: one or two digits of 28x28 in a frame of
 * 64x64, white on black, each walking back and forth between two sides with constant speed.
 *
 * The digits are ours: strokes through control points, with random slant, proportions, thickness
 * and wobble, or glyphs from MNIST where the user has them. */
#include "base/memory.h"
#include "datasets/synth_internal.h"

#include <math.h>
#include <string.h>

enum { HORIZONTAL, VERTICAL, NO_MOTION };

enum { NO_DIGIT = 10, GLYPH = 28 };

static const char *const digit_names[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "none"};
static const char *const motion_names[] = {"left and right", "up and down", "none"};

static const poet_synth_field fields[] = {{"digit", 10, digit_names},
                                          {"motion", 2, motion_names},
                                          {"digit2", 11, digit_names},
                                          {"motion2", 3, motion_names}};

static void draw_values(const poet_synth_options *options, uint64_t index, poet_rng *rng,
                        int *value)
{
    int digits = options->digits ? options->digits : 1 + (int)(index & 1);
    value[POET_DIGITS_DIGIT] = (int)poet_rng_below(rng, 10);
    value[POET_DIGITS_MOTION] = (int)poet_rng_below(rng, 2);
    value[POET_DIGITS_DIGIT2] = digits == 2 ? (int)poet_rng_below(rng, 10) : NO_DIGIT;
    value[POET_DIGITS_MOTION2] = digits == 2 ? (int)poet_rng_below(rng, 2) : NO_MOTION;
}

/* One motion of each digit, and two of the four motions of each pair of digits. */
static bool held_out(const int *value)
{
    unsigned char pair[2] = {(unsigned char)value[POET_DIGITS_DIGIT],
                             (unsigned char)value[POET_DIGITS_DIGIT2]};
    int side = (int)(poet_hash64(0, pair, sizeof pair) & 1) ^ value[POET_DIGITS_MOTION];
    if (value[POET_DIGITS_DIGIT2] != NO_DIGIT)
        side ^= value[POET_DIGITS_MOTION2];
    return side;
}

static void say_digit(poet_synth_scene *scene, int form, int digit, int motion)
{
    static const char *const thing[] = {"the digit", "the digit", "a", "digit"};
    static const char *const verb[] = {"is moving", "moves", "moves", "moving"};
    poet_say(scene, thing[form]);
    poet_say(scene, digit_names[digit]);
    poet_say(scene, verb[form]);
    poet_say(scene, motion_names[motion]);
}

/* Form 0 is the protocol's own sentence, with its spaced full stop. */
static void write_caption(poet_synth_scene *scene, poet_rng *rng)
{
    const int *v = scene->value;
    int form = poet_chance(rng, 2) ? 0 : (int)poet_rng_below(rng, 4);
    say_digit(scene, form, v[POET_DIGITS_DIGIT], v[POET_DIGITS_MOTION]);
    if (v[POET_DIGITS_DIGIT2] != NO_DIGIT) {
        poet_say(scene, "and");
        say_digit(scene, form, v[POET_DIGITS_DIGIT2], v[POET_DIGITS_MOTION2]);
    }
    if (form == 0)
        poet_say(scene, ".");
    scene->stated = 0xF;
}

static poet_synth_path walk(bool across, float width, float height, poet_rng *rng)
{
    const float half = GLYPH / 2.0F;
    float x = across ? width / 2 : poet_rng_between(rng, half, width - half);
    float y = across ? poet_rng_between(rng, half, height - half) : height / 2;
    return (poet_synth_path){.kind = POET_PATH_SWING,
                             .x = x,
                             .y = y,
                             .radius = half,
                             .dx = across ? width / 2 - half : 0,
                             .dy = across ? 0 : height / 2 - half,
                             .cycles = poet_rng_between(rng, 0.8F, 1.3F),
                             .phase = poet_rng_uniform(rng),
                             .growth = 1};
}

/* Two digits on the same axis get lanes of their own, so that both can be read; on crossing axes
 * they meet and part. */
static void lay_out(poet_synth_scene *scene, poet_rng *rng)
{
    enum { LANE = 21 };

    const int *v = scene->value;
    poet_synth_path *path = scene->path;
    float width = poet_synth_width(&scene->options), height = poet_synth_height(&scene->options);
    bool parallel = v[POET_DIGITS_MOTION] == v[POET_DIGITS_MOTION2];
    scene->objects = v[POET_DIGITS_DIGIT2] == NO_DIGIT ? 1 : 2;
    do {
        path[0] = walk(v[POET_DIGITS_MOTION] == HORIZONTAL, width, height, rng);
        path[1] = walk(v[POET_DIGITS_MOTION2] == HORIZONTAL, width, height, rng);
    } while (parallel && fabsf(path[0].x - path[1].x) + fabsf(path[0].y - path[1].y) < LANE);
}

/* --- strokes --- */

typedef struct stroke {
    int count;
    bool smooth; /* a curve through the points, else straight lines */
    poet_point point[13];
} stroke;

typedef struct letter {
    int strokes;
    stroke stroke[3];
} letter;

enum { FORMS = 2, CURVE_STEPS = 6 };

/* Each digit in two hands; x and y from 0 to 1, y downwards. */
static const letter letters[10][FORMS] =
    {[0] = {{1,
             {{8,
               true,
               {{0.5F, 0},
                {0.16F, 0.14F},
                {0.05F, 0.5F},
                {0.18F, 0.88F},
                {0.5F, 1},
                {0.84F, 0.86F},
                {0.95F, 0.5F},
                {0.5F, 0}}}}},
            {1,
             {{9,
               true,
               {{0.6F, 0.02F},
                {0.25F, 0.06F},
                {0.06F, 0.4F},
                {0.14F, 0.85F},
                {0.48F, 1},
                {0.84F, 0.8F},
                {0.94F, 0.4F},
                {0.8F, 0.08F},
                {0.5F, 0}}}}}},
     [1] = {{1, {{2, false, {{0.5F, 0}, {0.5F, 1}}}}},
            {1, {{3, false, {{0.25F, 0.2F}, {0.55F, 0}, {0.55F, 1}}}}}},
     [2] = {{2,
             {{7,
               true,
               {{0.08F, 0.25F},
                {0.3F, 0.02F},
                {0.72F, 0.03F},
                {0.9F, 0.27F},
                {0.74F, 0.52F},
                {0.4F, 0.78F},
                {0.05F, 1}}},
              {2, false, {{0.05F, 1}, {0.97F, 1}}}}},
            {1,
             {{10,
               true,
               {{0.1F, 0.2F},
                {0.35F, 0},
                {0.75F, 0.08F},
                {0.82F, 0.38F},
                {0.5F, 0.72F},
                {0.16F, 0.98F},
                {0.08F, 0.84F},
                {0.3F, 0.82F},
                {0.6F, 0.96F},
                {0.98F, 0.92F}}}}}},
     [3] =
         {{2,
           {{5, true, {{0.08F, 0.12F}, {0.45F, 0}, {0.86F, 0.16F}, {0.76F, 0.4F}, {0.38F, 0.47F}}},
            {5, true, {{0.38F, 0.47F}, {0.84F, 0.56F}, {0.92F, 0.8F}, {0.5F, 1}, {0.05F, 0.88F}}}}},
          {2,
           {{3, false, {{0.1F, 0.02F}, {0.86F, 0.02F}, {0.45F, 0.42F}}},
            {5, true, {{0.45F, 0.42F}, {0.84F, 0.52F}, {0.9F, 0.8F}, {0.5F, 1}, {0.06F, 0.88F}}}}}},
     [4] = {{2,
             {{3, false, {{0.68F, 0}, {0.04F, 0.66F}, {0.98F, 0.66F}}},
              {2, false, {{0.7F, 0}, {0.7F, 1}}}}},
            {2,
             {{3, false, {{0.18F, 0}, {0.1F, 0.54F}, {0.92F, 0.5F}}},
              {2, false, {{0.8F, 0.06F}, {0.72F, 1}}}}}},
     [5] = {{2,
             {{3, false, {{0.86F, 0}, {0.2F, 0}, {0.14F, 0.42F}}},
              {6,
               true,
               {{0.14F, 0.42F},
                {0.5F, 0.34F},
                {0.88F, 0.52F},
                {0.86F, 0.84F},
                {0.45F, 1},
                {0.05F, 0.9F}}}}},
            {2,
             {{2, false, {{0.9F, 0.02F}, {0.28F, 0.04F}}},
              {7,
               true,
               {{0.28F, 0.04F},
                {0.16F, 0.44F},
                {0.5F, 0.4F},
                {0.84F, 0.58F},
                {0.8F, 0.86F},
                {0.42F, 1},
                {0.04F, 0.92F}}}}}},
     [6] = {{1,
             {{9,
               true,
               {{0.76F, 0},
                {0.34F, 0.22F},
                {0.08F, 0.62F},
                {0.22F, 0.94F},
                {0.6F, 1},
                {0.9F, 0.78F},
                {0.72F, 0.54F},
                {0.36F, 0.55F},
                {0.12F, 0.76F}}}}},
            {1,
             {{8,
               true,
               {{0.46F, 0},
                {0.16F, 0.4F},
                {0.1F, 0.8F},
                {0.45F, 1},
                {0.86F, 0.84F},
                {0.82F, 0.6F},
                {0.46F, 0.54F},
                {0.13F, 0.72F}}}}}},
     [7] = {{1, {{3, false, {{0.06F, 0.03F}, {0.94F, 0.03F}, {0.4F, 1}}}}},
            {2,
             {{3, false, {{0.06F, 0.05F}, {0.9F, 0.02F}, {0.46F, 1}}},
              {2, false, {{0.3F, 0.52F}, {0.86F, 0.48F}}}}}},
     [8] = {{1,
             {{13,
               true,
               {{0.5F, 0.47F},
                {0.17F, 0.3F},
                {0.2F, 0.07F},
                {0.5F, 0},
                {0.8F, 0.07F},
                {0.83F, 0.3F},
                {0.5F, 0.47F},
                {0.1F, 0.68F},
                {0.14F, 0.92F},
                {0.5F, 1},
                {0.86F, 0.92F},
                {0.9F, 0.68F},
                {0.5F, 0.47F}}}}},
            {1,
             {{9,
               true,
               {{0.86F, 0.12F},
                {0.5F, 0},
                {0.16F, 0.2F},
                {0.5F, 0.48F},
                {0.86F, 0.76F},
                {0.5F, 1},
                {0.12F, 0.8F},
                {0.5F, 0.46F},
                {0.86F, 0.12F}}}}}},
     [9] = {{2,
             {{7,
               true,
               {{0.86F, 0.28F},
                {0.58F, 0.5F},
                {0.2F, 0.44F},
                {0.12F, 0.18F},
                {0.45F, 0},
                {0.8F, 0.08F},
                {0.86F, 0.28F}}},
              {3, true, {{0.86F, 0.28F}, {0.82F, 0.68F}, {0.62F, 1}}}}},
            {2,
             {{7,
               true,
               {{0.84F, 0.26F},
                {0.56F, 0.5F},
                {0.2F, 0.42F},
                {0.14F, 0.16F},
                {0.46F, 0},
                {0.78F, 0.06F},
                {0.84F, 0.26F}}},
              {2, false, {{0.86F, 0.05F}, {0.84F, 1}}}}}}};

/* A hand: how letters' points land on the glyph, and with which pen. */
typedef struct hand {
    float width, height, slant, turn, wobble, pen;
} hand;

static hand draw_hand(poet_rng *rng)
{
    return (hand){.width = poet_rng_between(rng, 10, 14.5F),
                  .height = poet_rng_between(rng, 18, 20),
                  .slant = poet_rng_between(rng, -0.08F, 0.32F),
                  .turn = poet_rng_between(rng, -0.12F, 0.12F),
                  .wobble = 0.035F,
                  .pen = poet_rng_between(rng, 2.1F, 3.4F)};
}

static poet_point on_glyph(const hand *style, poet_point p)
{
    float y = (p.y - 0.5F) * style->height;
    float x = (p.x - 0.5F) * style->width - style->slant * y;
    return (poet_point){GLYPH / 2.0F + x - style->turn * y, GLYPH / 2.0F + y + style->turn * x};
}

/* Catmull-Rom: a curve through all points, its direction at each set by the neighbours. */
static poet_point on_curve(const poet_point *p, int count, int i, float s)
{
    poet_point a = p[i > 0 ? i - 1 : 0], b = p[i], c = p[i + 1],
               d = p[i + 2 < count ? i + 2 : i + 1];
    float s2 = s * s, s3 = s2 * s;
    float wa = -0.5F * s3 + s2 - 0.5F * s, wb = 1.5F * s3 - 2.5F * s2 + 1;
    float wc = -1.5F * s3 + 2 * s2 + 0.5F * s, wd = 0.5F * s3 - 0.5F * s2;
    return (poet_point){wa * a.x + wb * b.x + wc * c.x + wd * d.x,
                        wa * a.y + wb * b.y + wc * c.y + wd * d.y};
}

static void paint_stroke(poet_raster *raster, const stroke *s, const hand *style, poet_rng *rng)
{
    poet_point point[13], line[13 * CURVE_STEPS];
    float shift = style->wobble * style->width;
    for (int i = 0; i < s->count; i++) {
        poet_point p = on_glyph(style, s->point[i]);
        point[i] = (poet_point){p.x + shift * poet_rng_between(rng, -1, 1),
                                p.y + shift * poet_rng_between(rng, -1, 1)};
    }
    int steps = s->smooth ? CURVE_STEPS : 1, count = 0;
    for (int i = 0; i + 1 < s->count; i++)
        for (int k = 0; k < steps; k++)
            line[count++] = on_curve(point, s->count, i, (float)k / (float)steps);
    line[count++] = point[s->count - 1];
    poet_raster_polyline(raster, line, count, style->pen,
                         poet_paint_solid((poet_rgb){255, 255, 255}));
}

static void write_digit(poet_raster *raster, int digit, poet_rng *rng)
{
    hand style = draw_hand(rng);
    if (digit == 1)
        style.width *= 0.7F;
    const letter *form = &letters[digit][poet_rng_below(rng, FORMS)];
    for (int i = 0; i < form->strokes; i++)
        paint_stroke(raster, &form->stroke[i], &style, rng);
}

/* --- MNIST --- */

static float glyph_ink(const poet_glyphs *glyphs, int glyph, float x, float y)
{
    int x0 = (int)floorf(x), y0 = (int)floorf(y);
    float fx = x - (float)x0, fy = y - (float)y0, sum = 0;
    for (int k = 0; k < 4; k++) {
        int px = x0 + (k & 1), py = y0 + (k >> 1);
        if (px < 0 || py < 0 || px >= glyphs->w || py >= glyphs->h)
            continue;
        float weight = (k & 1 ? fx : 1 - fx) * (k >> 1 ? fy : 1 - fy);
        size_t at = ((size_t)glyph * (size_t)glyphs->h + (size_t)py) * (size_t)glyphs->w;
        sum += weight * (float)glyphs->pixels[at + (size_t)px];
    }
    return sum;
}

static void copy_digit(poet_raster *raster, const poet_glyphs *glyphs, int digit, poet_rng *rng)
{
    int first = glyphs->first[digit], count = glyphs->first[digit + 1] - first;
    int glyph = glyphs->index[first + (int)poet_rng_below(rng, (uint32_t)count)];
    float step_x = (float)glyphs->w / (float)raster->w,
          step_y = (float)glyphs->h / (float)raster->h;
    for (int y = 0; y < raster->h; y++)
        for (int x = 0; x < raster->w; x++) {
            float ink = glyph_ink(glyphs, glyph, ((float)x + 0.5F) * step_x - 0.5F,
                                  ((float)y + 0.5F) * step_y - 0.5F);
            poet_raster_blend(raster, x, y, (poet_rgb){255, 255, 255}, ink / 255);
        }
}

/* --- frames --- */

/* Adds the glyph at whole pixels, as the protocol does: it moves without changing. */
static void stamp(uint8_t *frame, const poet_clip *clip, const poet_raster *glyph, float x, float y)
{
    int left = (int)lrintf(x - (float)glyph->w / 2), top = (int)lrintf(y - (float)glyph->h / 2);
    for (int row = 0; row < glyph->h; row++) {
        for (int column = 0; column < glyph->w; column++) {
            int px = left + column, py = top + row;
            if (px < 0 || py < 0 || px >= clip->w || py >= clip->h)
                continue;
            float ink = glyph->pixel[(size_t)row * (size_t)glyph->w + (size_t)column].r;
            uint8_t *pixel = frame + 3 * ((size_t)py * (size_t)clip->w + (size_t)px);
            uint8_t value = (uint8_t)(ink + 0.5F);
            if (value > pixel[0])
                memset(pixel, value, 3);
        }
    }
}

static poet_status paint_object(const poet_synth_scene *scene, int object, poet_clip *clip)
{
    poet_raster glyph = {0};
    poet_rng rng;
    float unit = poet_synth_unit(&scene->options);
    int side = (int)lrintf(GLYPH * unit);
    int digit = scene->value[object ? POET_DIGITS_DIGIT2 : POET_DIGITS_DIGIT];
    POET_TRY(poet_raster_create(side, side, unit, &glyph));
    poet_rng_init(&rng, scene->style, (uint64_t)object);
    if (scene->options.glyphs)
        copy_digit(&glyph, scene->options.glyphs, digit, &rng);
    else
        write_digit(&glyph, digit, &rng);
    for (int f = 0; f < clip->t; f++) {
        poet_synth_spot spot = poet_synth_place(scene, object, f);
        uint8_t *frame = clip->pixels + (size_t)f * (size_t)clip->h * (size_t)clip->w * 3;
        stamp(frame, clip, &glyph, spot.x * unit, spot.y * unit);
    }
    poet_raster_free(&glyph);
    return POET_OK;
}

static poet_status paint(const poet_synth_scene *scene, poet_clip *clip)
{
    for (int i = 0; i < scene->objects; i++)
        POET_TRY(paint_object(scene, i, clip));
    return POET_OK;
}

const poet_synth_kind poet_synth_digits = {"digits",    fields,   POET_DIGITS_MOTION2 + 1,
                                           draw_values, held_out, write_caption,
                                           lay_out,     paint};

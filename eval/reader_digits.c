/* Reading a `digits` clip: connected ink in each frame; two digits are told apart by what they look
 * like and where they were; the mean picture of each is compared with drawn digits (three nearest
 * of many hands), and its track tells the axis of its motion. Frames in which the two touch are
 * left out. */
#include "base/memory.h"
#include "eval/reader_internal.h"

#include <math.h>
#include <string.h>

enum {
    HANDS = 60, /* drawn examples of each digit */
    SIDE = 28,  /* units of a picture's side */
    PICTURE = SIDE * SIDE,
    NEAREST = 3,
    PARTS = 4, /* connected parts kept per frame */
    NO_DIGIT = 10,
    NO_MOTION = 2,
    WIDEST = 27 /* units that one digit may span */
};

static const float ink_limit = 0.35F, least_mass = 12;

typedef struct picture {
    float ink[PICTURE]; /* unit length */
} picture;

typedef struct model {
    poet_synth_options options;
    float unit;
    picture example[10][HANDS];
} model;

/* A connected part: pixels with its label in the label map. */
typedef struct part {
    int label, x0, y0, x1, y1;
    float mass, x, y; /* square units; centroid in pixels */
} part;

/* Work space of one frame. */
typedef struct sheet {
    float *ink;
    int *label, *stack;
    part part[PARTS];
    int parts;
} sheet;

static poet_status sheet_create(int pixels, sheet *s)
{
    *s = (sheet){.ink = poet_calloc((size_t)pixels, sizeof *s->ink),
                 .label = poet_calloc((size_t)pixels, sizeof *s->label),
                 .stack = poet_calloc((size_t)pixels, sizeof *s->stack)};
    return s->ink && s->label && s->stack ? POET_OK : POET_ERR_NOMEM;
}

static void sheet_free(sheet *s)
{
    poet_free(s->ink);
    poet_free(s->label);
    poet_free(s->stack);
}

static void grow_box(part *p, int x, int y)
{
    p->x0 = x < p->x0 ? x : p->x0;
    p->x1 = x > p->x1 ? x : p->x1;
    p->y0 = y < p->y0 ? y : p->y0;
    p->y1 = y > p->y1 ? y : p->y1;
}

/* Fills everything that is connected to a pixel, across gaps of one pixel. */
static part flood(sheet *s, int w, int h, int start, int label)
{
    part p = {.label = label, .x0 = w, .y0 = h};
    int top = 0;
    s->stack[top++] = start;
    s->label[start] = label;
    while (top) {
        int at = s->stack[--top], x = at % w, y = at / w;
        p.mass += s->ink[at];
        p.x += s->ink[at] * (float)x;
        p.y += s->ink[at] * (float)y;
        grow_box(&p, x, y);
        for (int k = 0; k < 25; k++) {
            int nx = x + k % 5 - 2, ny = y + k / 5 - 2, next = ny * w + nx;
            if (nx < 0 || ny < 0 || nx >= w || ny >= h || s->label[next] ||
                s->ink[next] < ink_limit)
                continue;
            s->label[next] = label;
            s->stack[top++] = next;
        }
    }
    p.x /= p.mass;
    p.y /= p.mass;
    return p;
}

static void find_parts(const model *m, const uint8_t *frame, sheet *s)
{
    int w = m->options.w, h = m->options.h;
    for (int i = 0; i < w * h; i++) {
        poet_colour c = poet_colour_at(frame, i);
        s->ink[i] = (c.r + c.g + c.b) / 765;
        s->label[i] = 0;
    }
    s->parts = 0;
    for (int i = 0, label = 1; i < w * h; i++) {
        if (s->label[i] || s->ink[i] < ink_limit)
            continue;
        part p = flood(s, w, h, i, label++);
        p.mass /= m->unit * m->unit;
        if (p.mass >= least_mass && s->parts < PARTS)
            s->part[s->parts++] = p;
    }
}

static float ink_of(const model *m, const sheet *s, int label, float x, float y)
{
    int x0 = (int)floorf(x), y0 = (int)floorf(y);
    float sum = 0;
    for (int k = 0; k < 4; k++) {
        int px = x0 + (k & 1), py = y0 + (k >> 1), at = py * m->options.w + px;
        if (px < 0 || py < 0 || px >= m->options.w || py >= m->options.h || s->label[at] != label)
            continue;
        sum += (1 - fabsf(x - (float)px)) * (1 - fabsf(y - (float)py)) * s->ink[at];
    }
    return sum;
}

static void normalise(picture *p)
{
    float sum = 1e-12F;
    for (int i = 0; i < PICTURE; i++)
        sum += p->ink[i] * p->ink[i];
    for (int i = 0; i < PICTURE; i++)
        p->ink[i] /= sqrtf(sum);
}

/* The part around its centroid, a little blurred: hands differ by less than a pen's width. */
static void take_picture(const model *m, const sheet *s, const part *p, picture *out)
{
    float sharp[PICTURE];
    for (int i = 0; i < PICTURE; i++) {
        float dx = (float)(i % SIDE) - (SIDE - 1) / 2.0F,
              dy = (float)(i / SIDE) - (SIDE - 1) / 2.0F;
        sharp[i] = ink_of(m, s, p->label, p->x + dx * m->unit, p->y + dy * m->unit);
    }
    memset(out, 0, sizeof *out);
    for (int y = 1; y + 1 < SIDE; y++)
        for (int x = 1; x + 1 < SIDE; x++)
            for (int k = 0; k < 9; k++) {
                int from = (y + k / 3 - 1) * SIDE + x + k % 3 - 1;
                out->ink[y * SIDE + x] += sharp[from] * (k == 4 ? 4.0F : k % 2 ? 2.0F : 1.0F);
            }
    normalise(out);
}

static float likeness(const picture *a, const picture *b)
{
    float sum = 0;
    for (int i = 0; i < PICTURE; i++)
        sum += a->ink[i] * b->ink[i];
    return sum;
}

/* --- the model --- */

static poet_status learn_digit(model *m, sheet *s, int digit)
{
    int value[POET_SYNTH_FIELDS] = {digit, 0, NO_DIGIT, NO_MOTION};
    poet_synth_options still = m->options;
    still.t = 1;
    for (uint64_t hand = 0; hand < HANDS; hand++) {
        poet_synth_scene scene;
        poet_clip clip;
        POET_TRY(poet_synth_scene_of(POET_SYNTH_DIGITS, value, hand, &still, &scene));
        POET_TRY(poet_synth_render(&scene, &clip));
        find_parts(m, clip.pixels, s);
        if (s->parts)
            take_picture(m, s, &s->part[0], &m->example[digit][hand]);
        poet_clip_free(&clip);
    }
    return POET_OK;
}

static poet_status create(const poet_synth_options *options, void **out)
{
    model *m = poet_calloc(1, sizeof *m);
    if (!m)
        return POET_ERR_NOMEM;
    m->options = *options;
    m->unit = (float)(options->h < options->w ? options->h : options->w) / 64;
    sheet s;
    poet_status status = sheet_create(options->h * options->w, &s);
    for (int digit = 0; status == POET_OK && digit < 10; digit++)
        status = learn_digit(m, &s, digit);
    sheet_free(&s);
    if (status != POET_OK)
        poet_free(m);
    else
        *out = m;
    return status;
}

/* --- reading --- */

/* What is known of one digit of the clip. */
typedef struct track {
    picture sum;
    float x0, x1, y0, y1; /* range of its centroid */
    float x, y;           /* where it was seen last */
    int seen, last;
} track;

static void follow(track *t, const picture *seen, const part *p, int frame)
{
    if (!t->seen)
        *t = (track){.sum = {{0}}, .x0 = p->x, .x1 = p->x, .y0 = p->y, .y1 = p->y};
    for (int i = 0; i < PICTURE; i++)
        t->sum.ink[i] += seen->ink[i];
    t->x0 = fminf(t->x0, p->x);
    t->x1 = fmaxf(t->x1, p->x);
    t->y0 = fminf(t->y0, p->y);
    t->y1 = fmaxf(t->y1, p->y);
    t->x = p->x;
    t->y = p->y;
    t->last = frame;
    t->seen++;
}

/* How badly a part continues a track: unlike pictures, and jumps since it was seen last. */
static float misfit(const model *m, const track *t, const picture *seen, const part *p, int frame)
{
    picture mean = t->sum;
    normalise(&mean);
    float dx = (p->x - t->x) / m->unit, dy = (p->y - t->y) / m->unit;
    float jump = sqrtf(dx * dx + dy * dy) / (float)(frame - t->last);
    return 1 - likeness(&mean, seen) + 0.01F * fmaxf(jump - 4, 0);
}

static void follow_two(const model *m, sheet *s, track two[2], int frame)
{
    picture seen[2];
    float straight = 0, crossed = 0;
    for (int i = 0; i < 2; i++)
        take_picture(m, s, &s->part[i], &seen[i]);
    for (int i = 0; i < 2 && two[0].seen; i++) {
        straight += misfit(m, &two[i], &seen[i], &s->part[i], frame);
        crossed += misfit(m, &two[1 - i], &seen[i], &s->part[i], frame);
    }
    for (int i = 0; i < 2; i++)
        follow(&two[crossed < straight ? 1 - i : i], &seen[i], &s->part[i], frame);
}

static int name_digit(const model *m, const picture *seen)
{
    float best = -1;
    int digit = -1;
    for (int d = 0; d < 10; d++) {
        float top[NEAREST + 1] = {0}, sum = 0;
        for (int hand = 0; hand < HANDS; hand++) {
            int k = NEAREST;
            top[k] = likeness(&m->example[d][hand], seen);
            for (; k > 0 && top[k] > top[k - 1]; k--) {
                float higher = top[k];
                top[k] = top[k - 1];
                top[k - 1] = higher;
            }
        }
        for (int k = 0; k < NEAREST; k++)
            sum += top[k];
        if (sum > best) {
            best = sum;
            digit = d;
        }
    }
    return digit;
}

static void conclude(const model *m, const track *t, int *digit, int *motion)
{
    if (!t->seen)
        return;
    picture mean = t->sum;
    normalise(&mean);
    *digit = name_digit(m, &mean);
    *motion = t->x1 - t->x0 > t->y1 - t->y0 ? 0 : 1;
}

static poet_status read_digits(const void *opaque, const poet_clip *clip, poet_reading *out)
{
    const model *m = opaque;
    sheet s;
    track one, two[2];
    int wide = 0;
    memset(&one, 0, sizeof one);
    memset(two, 0, sizeof two);
    poet_status status = sheet_create(clip->h * clip->w, &s);
    for (int t = 0; status == POET_OK && t < clip->t; t++) {
        find_parts(m, clip->pixels + (size_t)t * (size_t)clip->h * (size_t)clip->w * 3, &s);
        if (s.parts == 2) {
            follow_two(m, &s, two, t);
        } else if (s.parts == 1) {
            const part *p = &s.part[0];
            float longest = fmaxf((float)(p->x1 - p->x0), (float)(p->y1 - p->y0)) / m->unit;
            picture seen;
            take_picture(m, &s, p, &seen);
            follow(&one, &seen, p, t);
            wide += longest > WIDEST;
        }
    }
    sheet_free(&s);
    int *v = out->value;
    if (two[0].seen + wide > (clip->t > 1) + clip->t / 12) {
        conclude(m, &two[0], &v[POET_DIGITS_DIGIT], &v[POET_DIGITS_MOTION]);
        conclude(m, &two[1], &v[POET_DIGITS_DIGIT2], &v[POET_DIGITS_MOTION2]);
    } else {
        conclude(m, &one, &v[POET_DIGITS_DIGIT], &v[POET_DIGITS_MOTION]);
        v[POET_DIGITS_DIGIT2] = one.seen ? NO_DIGIT : -1;
        v[POET_DIGITS_MOTION2] = one.seen ? NO_MOTION : -1;
    }
    return status;
}

static void destroy(void *opaque)
{
    poet_free(opaque);
}

const poet_reader_kind poet_reader_digits = {create, destroy, read_digits};

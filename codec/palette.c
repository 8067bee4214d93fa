#include "codec/palette_internal.h"

#include "base/memory.h"

#include <stdbool.h>
#include <string.h>

/* Exact colours stand in a hash table; for more than fit, six bits per channel make a bin. */
enum { SLOTS = 1024, BIN_BITS = 6, BINS = 1 << (3 * BIN_BITS), EMPTY = -1 };

struct poet_palette {
    int count;
    uint8_t colour[256][3];
    bool exact;
    int slot[SLOTS];    /* exact: index of a colour or EMPTY */
    int16_t near[BINS]; /* otherwise: index of the colour nearest to the bin's middle, or EMPTY */
};

typedef struct bin {
    uint64_t count, sum[3];
} bin;

/* Bins [from, to) of the list, and what they would lose by becoming one colour. */
typedef struct box {
    int from, to, axis;
    double mean, error;
} box;

/* ---- exact ---- */

/* The slot that holds the colour, or the empty one where it belongs. */
static int *find_slot(poet_palette *p, const uint8_t rgb[3])
{
    uint32_t key = (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];
    uint32_t at = key * 2654435761u >> 22;
    while (p->slot[at] != EMPTY && memcmp(p->colour[p->slot[at]], rgb, 3) != 0)
        at = (at + 1) % SLOTS;
    return &p->slot[at];
}

static bool collect_exact(poet_palette *p, const poet_clip *clip, int max_colours)
{
    const uint8_t *pixel = clip->pixels;
    size_t n = (size_t)clip->t * (size_t)clip->h * (size_t)clip->w;
    for (int i = 0; i < SLOTS; i++)
        p->slot[i] = EMPTY;
    for (size_t i = 0; i < n; i++, pixel += 3) {
        int *slot = find_slot(p, pixel);
        if (*slot != EMPTY)
            continue;
        if (p->count == max_colours)
            return false;
        memcpy(p->colour[p->count], pixel, 3);
        *slot = p->count++;
    }
    return true;
}

/* ---- median cut ---- */

static int bin_of(const uint8_t rgb[3])
{
    return rgb[0] >> 2 << 12 | rgb[1] >> 2 << 6 | rgb[2] >> 2;
}

/* The bins that are used, moved to the front; returns how many. */
static int count_bins(const poet_clip *clip, bin *bins)
{
    const uint8_t *pixel = clip->pixels;
    size_t n = (size_t)clip->t * (size_t)clip->h * (size_t)clip->w;
    for (size_t i = 0; i < n; i++, pixel += 3) {
        bin *b = &bins[bin_of(pixel)];
        b->count++;
        for (int c = 0; c < 3; c++)
            b->sum[c] += pixel[c];
    }
    int used = 0;
    for (int i = 0; i < BINS; i++)
        if (bins[i].count)
            bins[used++] = bins[i];
    return used;
}

static double value_of(const bin *b, int axis)
{
    return (double)b->sum[axis] / (double)b->count;
}

static box measure(const bin *bins, int from, int to)
{
    box result = {.from = from, .to = to};
    for (int axis = 0; axis < 3; axis++) {
        double count = 0, sum = 0, squares = 0;
        for (int i = from; i < to; i++) {
            double v = value_of(&bins[i], axis), n = (double)bins[i].count;
            count += n;
            sum += n * v;
            squares += n * v * v;
        }
        double error = squares - sum * sum / count;
        if (error > result.error) {
            result.error = error;
            result.axis = axis;
            result.mean = sum / count;
        }
    }
    return result;
}

/* Moves the bins below the mean to the front of the box; returns where the others begin. */
static int split(bin *bins, const box *b)
{
    int middle = b->from;
    for (int i = b->from; i < b->to; i++)
        if (value_of(&bins[i], b->axis) < b->mean) {
            bin other = bins[middle];
            bins[middle++] = bins[i];
            bins[i] = other;
        }
    return middle;
}

static void average(const bin *bins, const box *b, uint8_t colour[3])
{
    for (int c = 0; c < 3; c++) {
        uint64_t count = 0, sum = 0;
        for (int i = b->from; i < b->to; i++) {
            count += bins[i].count;
            sum += bins[i].sum[c];
        }
        /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): a box holds at least one pixel */
        colour[c] = (uint8_t)((sum + count / 2) / count);
    }
}

static void cut(poet_palette *p, bin *bins, int used, int max_colours)
{
    box boxes[256];
    int count = 1;
    boxes[0] = measure(bins, 0, used);
    while (count < max_colours) {
        int worst = 0;
        for (int i = 1; i < count; i++)
            if (boxes[i].error > boxes[worst].error)
                worst = i;
        box b = boxes[worst];
        int middle = b.error > 0 ? split(bins, &b) : b.to;
        if (middle == b.from || middle == b.to)
            break; /* all boxes hold one colour */
        boxes[worst] = measure(bins, b.from, middle);
        boxes[count++] = measure(bins, middle, b.to);
    }
    for (int i = 0; i < count; i++)
        average(bins, &boxes[i], p->colour[i]);
    p->count = count;
}

static poet_status collect_cut(poet_palette *p, const poet_clip *clip, int max_colours)
{
    bin *bins = poet_calloc(BINS, sizeof *bins);
    if (!bins)
        return POET_ERR_NOMEM;
    cut(p, bins, count_bins(clip, bins), max_colours);
    poet_free(bins);
    for (int i = 0; i < BINS; i++)
        p->near[i] = EMPTY;
    return POET_OK;
}

poet_status poet_palette_create(const poet_clip *clip, int max_colours, poet_palette **out)
{
    *out = NULL;
    poet_palette *p = poet_calloc(1, sizeof *p);
    if (!p)
        return POET_ERR_NOMEM;
    p->exact = collect_exact(p, clip, max_colours);
    poet_status status = p->exact ? POET_OK : collect_cut(p, clip, max_colours);
    if (status) {
        poet_free(p);
        return status;
    }
    *out = p;
    return POET_OK;
}

void poet_palette_destroy(poet_palette *palette)
{
    poet_free(palette);
}

int poet_palette_count(const poet_palette *palette)
{
    return palette->count;
}

const uint8_t *poet_palette_colour(const poet_palette *palette, int index)
{
    return palette->colour[index];
}

static int nearest(const poet_palette *p, const uint8_t rgb[3])
{
    int best = 0, best_distance = 1 << 30;
    for (int i = 0; i < p->count; i++) {
        int r = rgb[0] - p->colour[i][0], g = rgb[1] - p->colour[i][1],
            b = rgb[2] - p->colour[i][2];
        int distance = r * r + g * g + b * b;
        if (distance < best_distance) {
            best_distance = distance;
            best = i;
        }
    }
    return best;
}

int poet_palette_find(poet_palette *palette, const uint8_t rgb[3])
{
    if (palette->exact)
        return *find_slot(palette, rgb);
    int16_t *near = &palette->near[bin_of(rgb)];
    if (*near == EMPTY) {
        uint8_t middle[3] = {(uint8_t)((rgb[0] & 0xfc) + 2), (uint8_t)((rgb[1] & 0xfc) + 2),
                             (uint8_t)((rgb[2] & 0xfc) + 2)};
        *near = (int16_t)nearest(palette, middle);
    }
    return *near;
}

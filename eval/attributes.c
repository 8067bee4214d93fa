#include "eval/attributes.h"

#include "base/memory.h"
#include "eval/reader_internal.h"

#include <math.h>
#include <stdlib.h>

static const poet_reader_kind *const kinds[POET_SYNTH_SETS] = {
    &poet_reader_shapes, &poet_reader_digits, &poet_reader_street};

struct poet_reader {
    poet_synth_set set;
    poet_synth_options options;
    void *model;
};

poet_status poet_reader_create(poet_synth_set set, const poet_synth_options *options,
                               poet_reader **out)
{
    *out = NULL;
    poet_reader *reader = poet_calloc(1, sizeof *reader);
    if (!reader)
        return POET_ERR_NOMEM;
    reader->set = set;
    reader->options = *options;
    poet_status status = kinds[set]->create(options, &reader->model);
    if (status != POET_OK) {
        poet_reader_destroy(reader);
        return status;
    }
    *out = reader;
    return POET_OK;
}

void poet_reader_destroy(poet_reader *reader)
{
    if (reader && reader->model)
        kinds[reader->set]->destroy(reader->model);
    poet_free(reader);
}

poet_status poet_reader_read(const poet_reader *reader, const poet_clip *clip, poet_reading *out)
{
    const poet_synth_options *o = &reader->options;
    if (clip->t != o->t || clip->h != o->h || clip->w != o->w)
        return POET_FAIL(POET_ERR_MISMATCH,
                         "a clip of %d frames of %dx%d, but the reader is for %d of %dx%d", clip->t,
                         clip->w, clip->h, o->t, o->w, o->h);
    *out = (poet_reading){0};
    for (int f = 0; f < POET_SYNTH_FIELDS; f++)
        out->value[f] = -1;
    return kinds[reader->set]->read(reader->model, clip, out);
}

static unsigned wrong_fields(const int *read, const int *wanted, unsigned stated)
{
    unsigned wrong = 0;
    for (int f = 0; f < POET_SYNTH_FIELDS; f++)
        if (stated >> f & 1 && read[f] != wanted[f])
            wrong |= 1U << f;
    return wrong;
}

unsigned poet_reading_wrong(const poet_reading *reading, const poet_synth_scene *wanted)
{
    const int *v = reading->value;
    unsigned wrong = wrong_fields(v, wanted->value, wanted->stated);
    if (wanted->set != POET_SYNTH_DIGITS || wanted->objects < 2)
        return wrong;
    int turned[POET_SYNTH_FIELDS] = {v[POET_DIGITS_DIGIT2], v[POET_DIGITS_MOTION2],
                                     v[POET_DIGITS_DIGIT], v[POET_DIGITS_MOTION]};
    unsigned other = wrong_fields(turned, wanted->value, wanted->stated);
    return __builtin_popcount(other) < __builtin_popcount(wrong) ? other : wrong;
}

void poet_share_interval(poet_share share, double z, double *low, double *high)
{
    *low = 0;
    *high = 1;
    if (!share.total)
        return;
    double n = (double)share.total, p = (double)share.right / n, z2 = z * z;
    double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    double half = z / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    *low = fmax(middle - half, 0);
    *high = fmin(middle + half, 1);
}

void poet_attribute_score_add(poet_attribute_score *score, const poet_reading *reading,
                              const poet_synth_scene *wanted)
{
    unsigned wrong = poet_reading_wrong(reading, wanted);
    score->all.total++;
    score->all.right += wrong == 0;
    for (int f = 0; f < POET_SYNTH_FIELDS; f++) {
        if (!(wanted->stated >> f & 1))
            continue;
        score->field[f].total++;
        score->field[f].right += !(wrong >> f & 1);
    }
}

static poet_status judge_clip(const poet_reader *reader, const poet_synth_scene *scene,
                              poet_clip_change change, void *user, poet_reading *reading)
{
    poet_clip clip;
    POET_TRY(poet_synth_render(scene, &clip));
    poet_status status = change ? change(user, &clip) : POET_OK;
    if (status == POET_OK)
        status = poet_reader_read(reader, &clip, reading);
    poet_clip_free(&clip);
    return status;
}

poet_status poet_attributes_accuracy(const poet_reader *reader, uint64_t seed, poet_split split,
                                     uint64_t n, poet_clip_change change, void *user,
                                     const poet_task *task, poet_attribute_score *out)
{
    *out = (poet_attribute_score){0};
    poet_reading *reading = poet_alloc(sizeof *reading);
    if (!reading)
        return POET_ERR_NOMEM;
    poet_status status = POET_OK;
    for (uint64_t i = 0; status == POET_OK && i < n; i++) {
        poet_synth_scene scene;
        status = poet_synth_scene_make(reader->set, seed, i, split, &reader->options, &scene);
        if (status == POET_OK)
            status = judge_clip(reader, &scene, change, user, reading);
        if (status == POET_OK)
            poet_attribute_score_add(out, reading, &scene);
        if (status == POET_OK && poet_task_stopped(task))
            status = POET_FAIL(POET_ERR_INTERRUPTED, "stopped while the reader was judged");
        poet_progress progress = {.what = "judge the judge",
                                  .done = (double)(i + 1),
                                  .total = (double)n,
                                  .unit = "clips"};
        poet_task_progress(task, &progress);
    }
    poet_free(reading);
    return status;
}

double poet_frame_distance(const uint8_t *a, const uint8_t *b, int pixels, int limit)
{
    long sum = 0;
    for (int i = 0; i < pixels; i++) {
        int d = abs(a[3 * i] - b[3 * i]) + abs(a[3 * i + 1] - b[3 * i + 1]) +
                abs(a[3 * i + 2] - b[3 * i + 2]);
        sum += d < limit ? d : limit;
    }
    return (double)sum;
}

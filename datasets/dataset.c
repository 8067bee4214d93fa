#include "datasets/dataset.h"

#include "base/bits.h"
#include "base/memory.h"
#include "base/rng.h"
#include "datasets/mixture_internal.h"
#include "datasets/shards_internal.h"

#include <string.h>

enum { MAX_PARTS = 16 };

/* One set of a mixture. */
typedef struct synth_part {
    poet_synth_set set;
    int digits;
} synth_part;

struct poet_dataset {
    poet_mixture mixture; /* n 0: none, but one of these two */
    poet_shards *shards;  /* NULL: synth */
    synth_part part[MAX_PARTS];
    int parts;
    poet_synth_options synth;
    uint64_t seed, count[POET_SPLITS];
};

/* "digits1" and "digits2" are digits with a number of them. */
static poet_status find_part(const char *name, synth_part *out)
{
    *out = (synth_part){0};
    if (strcmp(name, "digits1") == 0 || strcmp(name, "digits2") == 0) {
        *out = (synth_part){POET_SYNTH_DIGITS, name[6] - '0'};
        return POET_OK;
    }
    return poet_synth_find(name, &out->set);
}

static poet_status parse_parts(const char *names, poet_dataset *d)
{
    for (;;) {
        char name[64];
        size_t length = strcspn(names, ",");
        if (d->parts == MAX_PARTS || length >= sizeof name)
            return POET_FAIL(POET_ERR_ARG,
                             "synth: more than %d sets, or the name of one is too long", MAX_PARTS);
        memcpy(name, names, length);
        name[length] = 0;
        POET_TRY(find_part(name, &d->part[d->parts++]));
        if (!names[length])
            return POET_OK;
        names += length + 1;
    }
}

static poet_status open_synth(const char *names, const poet_dataset_options *o, poet_dataset *d)
{
    d->synth = poet_synth_defaults();
    d->synth.t = o->t ? o->t : d->synth.t;
    d->synth.h = o->h ? o->h : d->synth.h;
    d->synth.w = o->w ? o->w : d->synth.w;
    d->synth.fps = o->fps > 0 ? o->fps : d->synth.fps;
    d->synth.glyphs = o->glyphs;
    d->seed = o->seed;
    d->count[POET_SPLIT_TRAIN] = o->train_clips ? o->train_clips : 100000;
    d->count[POET_SPLIT_SEEN] = d->count[POET_SPLIT_UNSEEN] =
        o->heldout_clips ? o->heldout_clips : 1000;
    POET_TRY(parse_parts(names, d));
    poet_synth_scene scene; /* refuses what cannot be drawn now rather than at the first clip */
    return poet_synth_scene_make(d->part[0].set, 0, 0, POET_SPLIT_TRAIN, &d->synth, &scene);
}

static poet_status open_shards(const char *folder, const poet_dataset_options *o, poet_dataset *d)
{
    POET_TRY(poet_shards_open(folder, &d->shards));
    const poet_manifest *m = poet_shards_manifest(d->shards);
    if ((o->t && o->t != m->t) || (o->h && o->h != m->h) || (o->w && o->w != m->w))
        return POET_FAIL(
            POET_ERR_MISMATCH, "%s: its clips have %d frames of %dx%d; asked for %d of %dx%d",
            folder, m->t, m->w, m->h, o->t ? o->t : m->t, o->w ? o->w : m->w, o->h ? o->h : m->h);
    d->count[POET_SPLIT_TRAIN] = poet_shards_count(d->shards, false);
    d->count[POET_SPLIT_SEEN] = poet_shards_count(d->shards, true);
    return POET_OK;
}

poet_status poet_dataset_open(const char *spec, const poet_dataset_options *options,
                              poet_dataset **out)
{
    static const char synth[] = "synth:";
    *out = NULL;
    poet_dataset_options o = options ? *options : (poet_dataset_options){0};
    poet_dataset *d = poet_calloc(1, sizeof *d);
    if (!d)
        return POET_ERR_NOMEM;
    poet_status status = strncmp(spec, synth, sizeof synth - 1) == 0
                             ? open_synth(spec + sizeof synth - 1, &o, d)
                             : open_shards(spec, &o, d);
    if (status != POET_OK) {
        poet_dataset_close(d);
        return status;
    }
    *out = d;
    return POET_OK;
}

poet_status poet_dataset_mix(poet_dataset *const *sources, int n, poet_dataset **out)
{
    poet_status status = POET_OK;
    poet_dataset *d = *out = poet_calloc(1, sizeof *d);
    poet_clip first = poet_dataset_geometry(sources[0]);
    for (int i = 0; i < n && !d; i++)
        poet_dataset_close(sources[i]);
    if (!d)
        return POET_ERR_NOMEM;
    for (int i = 0; i < n; i++) {
        poet_clip own = poet_dataset_geometry(sources[i]);
        d->mixture.source[d->mixture.n++] = sources[i];
        if (!status && (own.t != first.t || own.h != first.h || own.w != first.w))
            status = POET_FAIL(POET_ERR_MISMATCH,
                               "clips of %d frames of %dx%d and of %d of %dx%d cannot be mixed",
                               first.t, first.w, first.h, own.t, own.w, own.h);
    }
    for (int split = 0; split < POET_SPLITS; split++)
        d->count[split] = poet_mixture_count(&d->mixture, (poet_split)split);
    if (status) {
        poet_dataset_close(d);
        *out = NULL;
    }
    return status;
}

void poet_dataset_close(poet_dataset *dataset)
{
    if (!dataset)
        return;
    for (int i = 0; i < dataset->mixture.n; i++)
        poet_dataset_close(dataset->mixture.source[i]);
    poet_shards_close(dataset->shards);
    poet_free(dataset);
}

poet_clip poet_dataset_geometry(const poet_dataset *d)
{
    if (d->mixture.n)
        return poet_dataset_geometry(d->mixture.source[0]);
    if (d->shards) {
        const poet_manifest *m = poet_shards_manifest(d->shards);
        return (poet_clip){.t = m->t, .h = m->h, .w = m->w, .fps = m->fps};
    }
    return (poet_clip){.t = d->synth.t, .h = d->synth.h, .w = d->synth.w, .fps = d->synth.fps};
}

static poet_synth_options options_of(const poet_dataset *d, const synth_part *part)
{
    poet_synth_options options = d->synth;
    options.digits = part->digits;
    return options;
}

bool poet_dataset_part(const poet_dataset *dataset, int i, const char **name, poet_synth_set *set,
                       poet_synth_options *options)
{
    static const char *const digits[] = {"digits", "digits1", "digits2"};
    const synth_part *part = &dataset->part[i];
    if (i >= dataset->parts)
        return false;
    *name = part->digits ? digits[part->digits] : poet_synth_name(part->set);
    *set = part->set;
    *options = options_of(dataset, part);
    return true;
}

uint64_t poet_dataset_count(const poet_dataset *dataset, poet_split split)
{
    return dataset->count[split];
}

static uint64_t hash_number(uint64_t hash, uint64_t number)
{
    unsigned char bytes[8];
    poet_put_u64(bytes, number);
    return poet_hash64(hash, bytes, sizeof bytes);
}

static uint64_t synth_fingerprint(const poet_dataset *d)
{
    uint64_t hash = hash_number(0, d->seed);
    for (int i = 0; i < d->parts; i++)
        hash =
            hash_number(hash_number(hash, (uint64_t)d->part[i].set), (uint64_t)d->part[i].digits);
    return hash_number(hash, d->synth.glyphs != NULL);
}

static uint64_t shards_fingerprint(const poet_manifest *m)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < m->clips; i++) {
        const poet_clip_entry *c = &m->clip[i];
        hash = hash_number(hash_number(hash, c->crc), c->heldout);
        hash = poet_hash64(hash, c->caption, strlen(c->caption) + 1);
    }
    return hash;
}

uint64_t poet_dataset_fingerprint(const poet_dataset *dataset)
{
    const poet_dataset *d = dataset;
    poet_clip shape = poet_dataset_geometry(d);
    uint64_t fps, hash = 0;
    memcpy(&fps, &shape.fps, sizeof fps);
    for (int i = 0; i < d->mixture.n; i++)
        hash = hash_number(hash, poet_dataset_fingerprint(d->mixture.source[i]));
    if (!d->mixture.n)
        hash =
            d->shards ? shards_fingerprint(poet_shards_manifest(d->shards)) : synth_fingerprint(d);
    hash = hash_number(hash_number(hash, (uint64_t)shape.t), (uint64_t)shape.h);
    hash = hash_number(hash_number(hash, (uint64_t)shape.w), fps);
    for (int split = 0; split < POET_SPLITS; split++)
        hash = hash_number(hash, d->count[split]);
    return hash;
}

static poet_status describe_synth(const poet_dataset *d, poet_split split, uint64_t index,
                                  poet_synth_scene *scene, poet_example *out)
{
    const synth_part *part = &d->part[index % (uint64_t)d->parts];
    poet_synth_options options = options_of(d, part);
    POET_TRY(poet_synth_scene_make(part->set, d->seed, index / (uint64_t)d->parts, split, &options,
                                   scene));
    out->caption = poet_strdup(scene->caption);
    out->attributes = poet_synth_json(scene);
    return POET_OK;
}

static poet_status describe_shard(const poet_clip_entry *entry, poet_example *out)
{
    out->caption = poet_strdup(entry->caption);
    out->attributes = poet_strdup(entry->attributes);
    return POET_OK;
}

static poet_status read_pixels(const poet_dataset *d, const poet_clip_entry *entry,
                               const poet_synth_scene *scene, poet_clip *out)
{
    if (!d->shards)
        return poet_synth_render(scene, out);
    poet_clip shape = poet_dataset_geometry(d);
    POET_TRY(poet_clip_create(shape.t, shape.h, shape.w, shape.fps, out));
    return poet_shards_decode(d->shards, entry, out->pixels);
}

static poet_status read_example(const poet_dataset *d, poet_split split, uint64_t index,
                                bool pixels, poet_example *out)
{
    poet_synth_scene scene;
    *out = (poet_example){0};
    if (index >= d->count[split])
        return POET_FAIL(POET_ERR_ARG, "clip %llu is outside the %llu %s clips",
                         (unsigned long long)index, (unsigned long long)d->count[split],
                         poet_split_name(split));
    if (d->mixture.n) {
        const poet_dataset *source = poet_mixture_find(&d->mixture, split, index, &index);
        return read_example(source, split, index, pixels, out);
    }
    const poet_clip_entry *entry =
        d->shards ? poet_shards_find(d->shards, split == POET_SPLIT_SEEN, index) : NULL;
    poet_status status =
        d->shards ? describe_shard(entry, out) : describe_synth(d, split, index, &scene, out);
    if (status == POET_OK && (!out->caption || !out->attributes))
        status = POET_ERR_NOMEM;
    if (status == POET_OK && pixels)
        status = read_pixels(d, entry, &scene, &out->clip);
    if (status != POET_OK)
        poet_example_free(out);
    return status;
}

poet_status poet_dataset_read(const poet_dataset *dataset, poet_split split, uint64_t index,
                              poet_example *out)
{
    return read_example(dataset, split, index, true, out);
}

poet_status poet_dataset_describe(const poet_dataset *dataset, poet_split split, uint64_t index,
                                  poet_example *out)
{
    return read_example(dataset, split, index, false, out);
}

void poet_dataset_name(const poet_dataset *d, poet_split split, uint64_t index,
                       char out[POET_CLIP_NAME_BYTES])
{
    *out = 0;
    if (index >= d->count[split])
        return;
    if (d->mixture.n) {
        const poet_dataset *source = poet_mixture_find(&d->mixture, split, index, &index);
        poet_dataset_name(source, split, index, out);
        return;
    }
    if (!d->shards) {
        snprintf(out, POET_CLIP_NAME_BYTES, "%s/%llu", poet_split_name(split),
                 (unsigned long long)index);
        return;
    }
    const poet_clip_entry *entry = poet_shards_find(d->shards, split == POET_SPLIT_SEEN, index);
    if (entry->start)
        snprintf(out, POET_CLIP_NAME_BYTES, "%s, frame %lld", entry->file, (long long)entry->start);
    else
        snprintf(out, POET_CLIP_NAME_BYTES, "%s", entry->file);
}

poet_status poet_dataset_verify(const poet_dataset *dataset, const poet_task *task)
{
    for (int i = 0; i < dataset->mixture.n; i++)
        POET_TRY(poet_dataset_verify(dataset->mixture.source[i], task));
    return dataset->shards ? poet_shards_verify(dataset->shards, task) : POET_OK;
}

void poet_example_free(poet_example *example)
{
    poet_clip_free(&example->clip);
    poet_free(example->caption);
    poet_free(example->attributes);
    *example = (poet_example){0};
}

/* A ring of slots. Step s uses slot s % depth. Workers take steps in order, each waiting until its
 * slot is free; the consumer takes them in order, each waiting until its slot is full. */
#include "datasets/prefetch.h"

#include "base/memory.h"
#include "datasets/crop.h"
#include "datasets/sampler.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { MAX_BATCH = 4096, MAX_DEPTH = 64, MAX_THREADS = 16, SENTENCE = 1024 };

typedef struct slot {
    bool full;
    poet_status status;
    char sentence[SENTENCE];
    uint8_t *pixels;
    char **captions, **attributes;
} slot;

struct poet_prefetch {
    const poet_dataset *dataset;
    poet_split split;
    poet_sampler sampler;
    int batch, depth, threads, crop, align;
    uint64_t seed;
    size_t clip_bytes;
    slot slot[MAX_DEPTH];
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    pthread_t thread[MAX_THREADS];
    uint64_t next_to_fill, next_to_take, free_before; /* steps below free_before have a slot */
    bool stopping;
};

size_t poet_prefetch_bytes(const poet_dataset *dataset, int batch, int crop)
{
    poet_clip shape = poet_dataset_geometry(dataset);
    size_t h = (size_t)(crop ? crop : shape.h), w = (size_t)(crop ? crop : shape.w);
    size_t each = (size_t)shape.t * h * w * 3;
    return POET_PREFETCH_DEPTH * (size_t)batch * each +
           (size_t)shape.t * (size_t)shape.h * (size_t)shape.w * 3;
}

static void clear_texts(poet_prefetch *p, slot *s)
{
    for (int i = 0; i < p->batch; i++) {
        poet_free(s->captions[i]);
        poet_free(s->attributes[i]);
        s->captions[i] = s->attributes[i] = NULL;
    }
}

/* The crop is a draw of (seed, position) alone. */
static void store(const poet_prefetch *p, uint64_t position, const poet_clip *clip, uint8_t *out)
{
    if (!p->crop) {
        memcpy(out, clip->pixels, p->clip_bytes);
        return;
    }
    poet_rng rng;
    poet_rng_init(&rng, p->seed, position);
    poet_crop_copy(clip, poet_crop_moving(clip, p->crop, p->crop, p->align, &rng), out);
}

static poet_status fill(poet_prefetch *p, uint64_t step, slot *s)
{
    clear_texts(p, s);
    for (int i = 0; i < p->batch; i++) {
        uint64_t position = step * (uint64_t)p->batch + (uint64_t)i;
        poet_example example;
        POET_TRY(poet_dataset_read(p->dataset, p->split, poet_sampler_at(&p->sampler, position),
                                   &example));
        store(p, position, &example.clip, s->pixels + (size_t)i * p->clip_bytes);
        s->captions[i] = example.caption;
        s->attributes[i] = example.attributes;
        poet_clip_free(&example.clip);
    }
    return POET_OK;
}

static void *work(void *opaque)
{
    poet_prefetch *p = opaque;
    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        if (p->next_to_fill >= p->free_before) {
            pthread_cond_wait(&p->emptied, &p->lock);
            continue;
        }
        uint64_t step = p->next_to_fill++;
        slot *s = &p->slot[step % (uint64_t)p->depth];
        pthread_mutex_unlock(&p->lock);
        s->status = fill(p, step, s);
        if (s->status != POET_OK)
            snprintf(s->sentence, SENTENCE, "%s", poet_error_message());
        pthread_mutex_lock(&p->lock);
        s->full = true;
        pthread_cond_signal(&p->filled);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static poet_status create_slots(poet_prefetch *p)
{
    for (int i = 0; i < p->depth; i++) {
        slot *s = &p->slot[i];
        s->pixels = poet_alloc((size_t)p->batch * p->clip_bytes);
        s->captions = poet_calloc((size_t)p->batch, sizeof *s->captions);
        s->attributes = poet_calloc((size_t)p->batch, sizeof *s->attributes);
        if (!s->pixels || !s->captions || !s->attributes)
            return POET_ERR_NOMEM;
    }
    return POET_OK;
}

static poet_status start_threads(poet_prefetch *p, int threads)
{
    for (; p->threads < threads; p->threads++)
        if (pthread_create(&p->thread[p->threads], NULL, work, p) != 0)
            return POET_FAIL(POET_ERR_NOMEM, "a thread that reads clips could not be started");
    return POET_OK;
}

static poet_status check(const poet_dataset *dataset, const poet_prefetch_options *o)
{
    if (o->batch < 1 || o->batch > MAX_BATCH || o->depth < 0 || o->depth > MAX_DEPTH ||
        o->threads < 0 || o->threads > MAX_THREADS)
        return POET_FAIL(POET_ERR_ARG, "prefetch: batch %d, depth %d, threads %d are out of range",
                         o->batch, o->depth, o->threads);
    poet_clip shape = poet_dataset_geometry(dataset);
    if (o->crop && (o->crop < 1 || o->crop > shape.h || o->crop > shape.w || o->align < 1 ||
                    o->crop % o->align))
        return POET_FAIL(POET_ERR_ARG,
                         "a crop of %d pixels is not a multiple of %d inside clips of %dx%d",
                         o->crop, o->align, shape.w, shape.h);
    if (poet_dataset_count(dataset, o->split) == 0)
        return POET_FAIL(POET_ERR_ARG, "the dataset has no %s clips", poet_split_name(o->split));
    return POET_OK;
}

poet_status poet_prefetch_create(const poet_dataset *dataset, const poet_prefetch_options *options,
                                 poet_prefetch **out)
{
    *out = NULL;
    POET_TRY(check(dataset, options));
    poet_prefetch *p = poet_calloc(1, sizeof *p);
    if (!p)
        return POET_ERR_NOMEM;
    poet_clip shape = poet_dataset_geometry(dataset);
    p->dataset = dataset;
    p->split = options->split;
    p->sampler = (poet_sampler){options->seed, poet_dataset_count(dataset, options->split)};
    p->batch = options->batch;
    p->depth = options->depth ? options->depth : POET_PREFETCH_DEPTH;
    p->seed = options->seed;
    p->crop = options->crop;
    p->align = options->align;
    size_t h = (size_t)(p->crop ? p->crop : shape.h), w = (size_t)(p->crop ? p->crop : shape.w);
    p->clip_bytes = (size_t)shape.t * h * w * 3;
    p->next_to_fill = p->next_to_take = options->first;
    p->free_before = options->first + (uint64_t)p->depth;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->filled, NULL);
    pthread_cond_init(&p->emptied, NULL);
    poet_status status = create_slots(p);
    if (status == POET_OK)
        status = start_threads(p, options->threads ? options->threads : 1);
    if (status != POET_OK) {
        poet_prefetch_destroy(p);
        return status;
    }
    *out = p;
    return POET_OK;
}

poet_status poet_prefetch_next(poet_prefetch *p, poet_batch *out)
{
    pthread_mutex_lock(&p->lock);
    /* The slot of the batch before is given back only now. */
    p->free_before = p->next_to_take + (uint64_t)p->depth;
    pthread_cond_broadcast(&p->emptied);
    slot *s = &p->slot[p->next_to_take % (uint64_t)p->depth];
    while (!s->full)
        pthread_cond_wait(&p->filled, &p->lock);
    s->full = false;
    *out = (poet_batch){.step = p->next_to_take++,
                        .count = p->batch,
                        .pixels = s->pixels,
                        .bytes = (size_t)p->batch * p->clip_bytes,
                        .captions = (const char *const *)s->captions,
                        .attributes = (const char *const *)s->attributes};
    pthread_mutex_unlock(&p->lock);
    return s->status == POET_OK ? POET_OK : POET_FAIL(s->status, "%s", s->sentence);
}

void poet_prefetch_destroy(poet_prefetch *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->emptied);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->threads; i++)
        pthread_join(p->thread[i], NULL);
    for (int i = 0; i < p->depth; i++) {
        slot *s = &p->slot[i];
        if (s->captions && s->attributes)
            clear_texts(p, s);
        poet_free(s->pixels);
        poet_free(s->captions);
        poet_free(s->attributes);
    }
    pthread_cond_destroy(&p->emptied);
    pthread_cond_destroy(&p->filled);
    pthread_mutex_destroy(&p->lock);
    poet_free(p);
}

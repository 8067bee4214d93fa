/* Recordings: what is launched between two calls is kept with copies of its arguments, and done in that order whenever it
 * is asked for. A CUDA graph made by stream capture is no more than that on one stream. */
#include "cuda/simt/simt_internal.h"

#include "base/memory.h"

#include <stdatomic.h>
#include <string.h>

typedef enum kind { LAUNCH, COPY, POISON } kind;

typedef struct node {
    struct node *next;
    kind kind;
    poet_simt_index grid, block;
    size_t bytes; /* of shared memory, or of what is copied or poisoned */
    void (*kernel)(const void *arguments);
    void *arguments;
    void *dst;
    const void *src;
} node;

struct poet_simt_recording {
    node *first, *last;
    int broken; /* an error number: something could not be recorded */
};

static poet_simt_recording *open_recording;
static _Atomic int64_t counts[POET_SIMT_EVENTS];

void poet_simt_tell(poet_simt_event event)
{
    atomic_fetch_add(&counts[event], 1);
}

int64_t poet_simt_count(poet_simt_event event)
{
    return atomic_load(&counts[event]);
}

/* ---- recording ---- */

int poet_simt_record(void)
{
    if (open_recording)
        return POET_SIMT_CAPTURE_UNSUPPORTED;
    open_recording = poet_calloc(1, sizeof *open_recording);
    return open_recording ? POET_SIMT_OK : POET_SIMT_NO_MEMORY;
}

bool poet_simt_records(void)
{
    return open_recording != NULL;
}

int poet_simt_refuse(void)
{
    if (!open_recording)
        return POET_SIMT_OK;
    open_recording->broken = POET_SIMT_CAPTURE_UNSUPPORTED;
    return POET_SIMT_CAPTURE_UNSUPPORTED;
}

static int add(node what)
{
    node *n = poet_alloc(sizeof *n);
    if (!n)
        return open_recording->broken = POET_SIMT_NO_MEMORY;
    *n = what;
    if (open_recording->last)
        open_recording->last->next = n;
    else
        open_recording->first = n;
    open_recording->last = n;
    return POET_SIMT_OK;
}

int poet_simt_record_launch(poet_simt_index grid, poet_simt_index block, size_t shared_bytes,
                            void (*kernel)(const void *arguments), const void *arguments,
                            size_t argument_bytes)
{
    void *copy = poet_alloc(argument_bytes ? argument_bytes : 1);
    if (!copy)
        return open_recording->broken = POET_SIMT_NO_MEMORY;
    if (argument_bytes)
        memcpy(copy, arguments, argument_bytes);
    int code = add((node){.kind = LAUNCH,
                          .grid = grid,
                          .block = block,
                          .bytes = shared_bytes,
                          .kernel = kernel,
                          .arguments = copy});
    if (code)
        poet_free(copy);
    return code;
}

int poet_simt_record_copy(void *dst, const void *src, size_t bytes)
{
    return add((node){.kind = COPY, .dst = dst, .src = src, .bytes = bytes});
}

int poet_simt_record_poison(void *memory, size_t bytes)
{
    return add((node){.kind = POISON, .dst = memory, .bytes = bytes});
}

int poet_simt_record_end(poet_simt_recording **out)
{
    poet_simt_recording *done = open_recording;
    *out = NULL;
    if (!done)
        return POET_SIMT_INVALID_VALUE;
    open_recording = NULL;
    int code = done->broken;
    if (code)
        poet_simt_recording_free(done);
    else
        *out = done;
    return code;
}

/* ---- and doing it ---- */

static int run(const node *n)
{
    switch (n->kind) {
    case LAUNCH: return poet_simt_launch(n->grid, n->block, n->bytes, n->kernel, n->arguments, 0);
    case COPY: return poet_simt_copy(n->dst, n->src, n->bytes);
    case POISON: return poet_simt_poison(n->dst, n->bytes);
    }
    return POET_SIMT_INVALID_VALUE;
}

int poet_simt_replay(const poet_simt_recording *recording)
{
    int code = poet_simt_refuse();
    if (!code)
        poet_simt_tell(POET_SIMT_REPLAY);
    for (const node *n = recording->first; n && !code; n = n->next)
        code = run(n);
    return code;
}

void poet_simt_recording_free(poet_simt_recording *recording)
{
    if (!recording)
        return;
    for (node *n = recording->first; n;) {
        node *next = n->next;
        poet_free(n->arguments);
        poet_free(n);
        n = next;
    }
    poet_free(recording);
}

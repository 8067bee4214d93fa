/* A launch: blocks one after the other, each thread of a block until it waits. */
#include "tests/cuda/ptx/machine_internal.h"

#include "base/memory.h"

#include <string.h>

/* A thread that has done so many instructions will not end. */
enum { ENOUGH = 50000000 };

typedef enum state { READY, AT_BARRIER, AT_WARP, DONE } state;

typedef struct thread {
    state state;
    int at; /* the next instruction, or the one it waits at */
    long steps;
    uint64_t *slot;
    uint8_t *local, *local_written;
} thread;

/* One block at a time; the memory is used again for the next one. */
typedef struct block {
    const ptx_kernel *kernel;
    ptx_size grid, size, index;
    int n;
    thread *thread;
    ptx_view view;
    uint32_t turn[PTX_THREADS / PTX_WARP];
    uint64_t *slots;
    uint8_t *locals;
} block;

static bool reverse;

/* ---- errors ---- */

/* Puts the place before the sentence. */
static poet_status failed_at(const block *b, const thread *t)
{
    int i = (int)(t - b->thread);
    unsigned u = (unsigned)i;
    return poet_context(POET_ERR_DEVICE, "%s, line %d, block (%u,%u,%u), thread (%u,%u,%u)",
                        b->kernel->name, b->kernel->code[t->at].line, b->index.x, b->index.y,
                        b->index.z, u % b->size.x, u / b->size.x % b->size.y,
                        u / b->size.x / b->size.y);
}

#define FAILED(b, t, ...) ((void)POET_FAIL(POET_ERR_DEVICE, __VA_ARGS__), failed_at(b, t))

/* ---- memory ---- */

static uint64_t get(const uint8_t *at, int bytes, bool extends)
{
    uint64_t x = 0;
    memcpy(&x, at, (size_t)bytes);
    int unused = 64 - 8 * bytes;
    if (!extends || bytes >= 4)
        return x;
    return (uint32_t)((int64_t)(x << unused) >> unused);
}

static uint8_t *reach(block *b, const thread *t, const ptx_instruction *i, bool writes)
{
    b->view.thread = (int)(t - b->thread);
    b->view.turn = b->turn[b->view.thread / PTX_WARP];
    b->view.local = t->local;
    b->view.local_written = t->local_written;
    return ptx_reach(&b->view, i->space, t->slot[i->src[0]] + (uint64_t)i->offset, i->bytes * i->n,
                     writes);
}

static poet_status load(block *b, thread *t, const ptx_instruction *i)
{
    const uint8_t *from = reach(b, t, i, false);
    if (!from)
        return failed_at(b, t);
    for (int j = 0; j < i->n; j++)
        t->slot[i->dst[j]] = get(from + j * i->bytes, i->bytes, i->extends);
    return POET_OK;
}

static poet_status store(block *b, thread *t, const ptx_instruction *i)
{
    uint8_t *to = reach(b, t, i, true);
    if (!to)
        return failed_at(b, t);
    for (int j = 0; j < i->n; j++)
        memcpy(to + j * i->bytes, &t->slot[i->src[1 + j]], (size_t)i->bytes);
    return POET_OK;
}

static poet_status atomic(block *b, thread *t, const ptx_instruction *i)
{
    const uint8_t *from = reach(b, t, i, false);
    uint8_t *to = from ? reach(b, t, i, true) : NULL;
    if (!to)
        return failed_at(b, t);
    uint64_t old = get(from, i->bytes, false), now = i->function(old, t->slot[i->src[1]], 0);
    memcpy(to, &now, (size_t)i->bytes);
    t->slot[i->dst[0]] = old;
    return POET_OK;
}

static void pack(thread *t, const ptx_instruction *i)
{
    uint64_t whole = 0;
    for (int j = 0; j < i->n; j++)
        memcpy((uint8_t *)&whole + j * i->bytes, &t->slot[i->src[j]], (size_t)i->bytes);
    t->slot[i->dst[0]] = whole;
}

static void unpack(thread *t, const ptx_instruction *i)
{
    uint64_t whole = t->slot[i->src[0]];
    for (int j = 0; j < i->n; j++)
        t->slot[i->dst[j]] = get((uint8_t *)&whole + j * i->bytes, i->bytes, false);
}

/* ---- a thread ---- */

static poet_status step(block *b, thread *t, const ptx_instruction *i)
{
    uint64_t *slot = t->slot;
    switch (i->kind) {
    case PTX_COMPUTE:
        slot[i->dst[0]] = i->function(slot[i->src[0]], slot[i->src[1]], slot[i->src[2]]);
        break;
    case PTX_LOAD: POET_TRY(load(b, t, i)); break;
    case PTX_STORE: POET_TRY(store(b, t, i)); break;
    case PTX_ATOMIC: POET_TRY(atomic(b, t, i)); break;
    case PTX_PACK: pack(t, i); break;
    case PTX_UNPACK: unpack(t, i); break;
    case PTX_BRANCH: t->at = i->target; return POET_OK;
    case PTX_RETURN: t->state = DONE; return POET_OK;
    case PTX_BARRIER: t->state = AT_BARRIER; return POET_OK;
    default: t->state = AT_WARP; return POET_OK;
    }
    t->at++;
    return POET_OK;
}

static bool is_skipped(const thread *t, const ptx_instruction *i)
{
    return i->guard >= 0 && (t->slot[i->guard] & 1) == (uint64_t)i->unless;
}

static poet_status run_thread(block *b, thread *t)
{
    const ptx_instruction *code = b->kernel->code;
    while (t->state == READY) {
        if (t->steps++ > ENOUGH)
            return FAILED(b, t, "no end after %d instructions", (int)ENOUGH);
        if (is_skipped(t, &code[t->at]))
            t->at++;
        else
            POET_TRY(step(b, t, &code[t->at]));
    }
    return POET_OK;
}

/* ---- a warp: its lanes meet at one instruction ---- */

/* Lanes that are there; *first is lane 0. */
static int lanes_of(block *b, const thread *t, thread **first)
{
    int base = (int)(t - b->thread) / PTX_WARP * PTX_WARP;
    *first = &b->thread[base];
    return b->n - base < PTX_WARP ? b->n - base : PTX_WARP;
}

static uint32_t mask_of(const block *b, const thread *t)
{
    return (uint32_t)t->slot[b->kernel->code[t->at].src[3]];
}

/* ISA, "shfl.sync": which lane a value comes from; *inside: is that one within the segment? */
static int source_lane(const ptx_instruction *i, const thread *t, int lane, bool *inside)
{
    int by = t->slot[i->src[1]] & 31, clamp = t->slot[i->src[2]] & 31;
    int segment = (int)(t->slot[i->src[2]] >> 8 & 31);
    int lowest = lane & segment, highest = lowest | (clamp & ~segment);
    int from = i->shuffle == PTX_UP      ? lane - by
               : i->shuffle == PTX_DOWN  ? lane + by
               : i->shuffle == PTX_CROSS ? lane ^ by
                                         : lowest | (by & ~segment);
    *inside = i->shuffle == PTX_UP ? from >= highest : from <= highest;
    return *inside ? from : lane;
}

static poet_status shuffle(block *b, thread *lanes, int n, uint32_t mask, const ptx_instruction *i)
{
    uint64_t given[PTX_WARP];
    for (int l = 0; l < n; l++)
        given[l] = lanes[l].slot[i->src[0]];
    for (int l = 0; l < n; l++) {
        bool inside;
        if (!(mask >> l & 1))
            continue;
        int from = source_lane(i, &lanes[l], l, &inside);
        if (from >= n || !(mask >> from & 1))
            return FAILED(b, &lanes[l], "a shuffle from lane %d, which does not take part", from);
        lanes[l].slot[i->dst[0]] = (uint32_t)given[from];
        lanes[l].slot[i->dst[1]] = inside;
    }
    return POET_OK;
}

static void ballot(thread *lanes, int n, uint32_t mask, const ptx_instruction *i)
{
    uint32_t votes = 0;
    for (int l = 0; l < n; l++)
        votes |= (uint32_t)(mask >> l & lanes[l].slot[i->src[0]] & 1) << l;
    for (int l = 0; l < n; l++)
        if (mask >> l & 1)
            lanes[l].slot[i->dst[0]] = votes;
}

static poet_status product(block *b, thread *lanes, int n, const ptx_instruction *i)
{
    uint64_t *slot[PTX_WARP];
    if (n < PTX_WARP)
        return FAILED(b, lanes, "a product in a warp of %d lanes", n);
    for (int l = 0; l < n; l++)
        slot[l] = lanes[l].slot;
    ptx_product(i, slot);
    return POET_OK;
}

/* Does the exchange t waits at, when all lanes of its mask are there. */
static poet_status release_warp(block *b, thread *t, bool *released)
{
    thread *lanes;
    int n = lanes_of(b, t, &lanes);
    uint32_t mask = mask_of(b, t);
    const ptx_instruction *i = &b->kernel->code[t->at];
    if (!(mask >> (t - lanes) & 1))
        return FAILED(b, t, "a lane takes part in an exchange whose mask leaves it out");
    for (int l = 0; l < n; l++)
        if (mask >> l & 1 &&
            !(lanes[l].state == AT_WARP && lanes[l].at == t->at && mask_of(b, &lanes[l]) == mask))
            return POET_OK;
    if (i->kind == PTX_SHUFFLE)
        POET_TRY(shuffle(b, lanes, n, mask, i));
    else if (i->kind == PTX_PRODUCT)
        POET_TRY(product(b, lanes, n, i));
    else if (i->kind == PTX_BALLOT)
        ballot(lanes, n, mask, i);
    else if ((mask | ~(uint32_t)0 << (n - 1) << 1) == UINT32_MAX) /* a barrier of the whole warp */
        b->turn[(lanes - b->thread) / PTX_WARP]++;
    for (int l = 0; l < n; l++)
        if (mask >> l & 1) {
            lanes[l].state = READY;
            lanes[l].at++;
        }
    *released = true;
    return POET_OK;
}

/* ---- a block ---- */

static void release_barrier(block *b, bool *released)
{
    for (int i = 0; i < b->n; i++)
        if (b->thread[i].state != AT_BARRIER || b->thread[i].at != b->thread[0].at)
            return;
    for (int i = 0; i < b->n; i++) {
        b->thread[i].state = READY;
        b->thread[i].at++;
    }
    b->view.phase++;
    *released = true;
}

static poet_status stuck(const block *b)
{
    static const char *const words[] = {"runs", "waits at a barrier", "waits for its warp",
                                        "has ended"};
    const thread *first = &b->thread[0], *other = first;
    while (first->state == DONE)
        first++;
    for (int i = 0; i < b->n; i++)
        if (b->thread[i].state != first->state || b->thread[i].at != first->at)
            other = &b->thread[i];
    return FAILED(b, first, "it %s, and thread %d %s at line %d: they wait for ever",
                  words[first->state], (int)(other - b->thread), words[other->state],
                  b->kernel->code[other->at].line);
}

static poet_status run_block(block *b)
{
    for (int ended = 0; ended < b->n;) {
        bool released = false;
        for (int i = 0; i < b->n; i++)
            POET_TRY(run_thread(b, &b->thread[reverse ? b->n - 1 - i : i]));
        for (int i = 0; i < b->n; i++)
            if (b->thread[i].state == AT_WARP)
                POET_TRY(release_warp(b, &b->thread[i], &released));
        if (!released)
            release_barrier(b, &released);
        ended = 0;
        for (int i = 0; i < b->n; i++)
            ended += b->thread[i].state == DONE;
        if (!released && ended < b->n)
            return stuck(b);
    }
    return POET_OK;
}

static void begin_thread(const block *b, int i)
{
    const ptx_kernel *k = b->kernel;
    thread *t = &b->thread[i];
    unsigned u = (unsigned)i;
    const ptx_size tid = {u % b->size.x, u / b->size.x % b->size.y, u / b->size.x / b->size.y};
    const ptx_size special[] = {tid, b->size, b->index, b->grid};
    t->state = READY;
    t->at = 0;
    t->steps = 0;
    memcpy(t->slot, k->slot, sizeof *k->slot * (size_t)k->n_slots);
    for (int s = 0; s < 4; s++) {
        t->slot[3 * s] = special[s].x;
        t->slot[3 * s + 1] = special[s].y;
        t->slot[3 * s + 2] = special[s].z;
    }
    t->slot[PTX_LANEID] = u % PTX_WARP;
    if (k->local)
        memset(t->local_written, 0, k->local);
}

static void begin_block(block *b)
{
    memset(b->view.trace, 0, sizeof *b->view.trace * b->kernel->shared);
    memset(b->view.trace + PTX_DYNAMIC, 0, sizeof *b->view.trace * b->view.dynamic);
    for (int t = 0; t < b->n; t++)
        begin_thread(b, t);
}

static poet_status run_blocks(block *b)
{
    uint64_t n = (uint64_t)b->grid.x * b->grid.y * b->grid.z;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = reverse ? n - 1 - i : i;
        b->index = (ptx_size){(unsigned)(at % b->grid.x), (unsigned)(at / b->grid.x % b->grid.y),
                              (unsigned)(at / b->grid.x / b->grid.y)};
        begin_block(b);
        POET_TRY(run_block(b));
    }
    return POET_OK;
}

static poet_status allocate(block *b)
{
    const ptx_kernel *k = b->kernel;
    size_t shared = PTX_DYNAMIC + b->view.dynamic;
    size_t n = (size_t)b->n;
    b->thread = poet_calloc(n, sizeof *b->thread);
    b->slots = poet_calloc(n * (size_t)k->n_slots, sizeof *b->slots);
    b->locals = poet_calloc(n, 2 * k->local + 1);
    b->view.shared = poet_calloc(1, shared);
    b->view.trace = poet_calloc(shared, sizeof *b->view.trace);
    b->view.param = poet_calloc(1, k->param + 1);
    if (!b->thread || !b->slots || !b->locals || !b->view.shared || !b->view.trace ||
        !b->view.param)
        return POET_ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        b->thread[i].slot = b->slots + i * (size_t)k->n_slots;
        b->thread[i].local = b->locals + i * 2 * k->local;
        b->thread[i].local_written = b->thread[i].local + k->local;
    }
    return POET_OK;
}

static void release(block *b)
{
    poet_free(b->thread);
    poet_free(b->slots);
    poet_free(b->locals);
    poet_free(b->view.shared);
    poet_free(b->view.trace);
    poet_free(b->view.param);
}

poet_status ptx_run(const ptx_kernel *k, ptx_size grid, ptx_size size, size_t shared_bytes,
                    void *const *argument)
{
    block b = {.kernel = k, .grid = grid, .size = size, .n = (int)(size.x * size.y * size.z)};
    b.view.kernel = k;
    b.view.dynamic = shared_bytes;
    poet_status status = allocate(&b);
    for (int i = 0; i < k->n_params && !status; i++)
        memcpy(b.view.param + (k->variable[i].at - PTX_PARAM_BASE), argument[i],
               k->variable[i].bytes);
    if (!status)
        status = run_blocks(&b);
    release(&b);
    return status;
}

void ptx_set_reverse(bool wanted)
{
    reverse = wanted;
}

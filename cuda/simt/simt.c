/* The scheduler: blocks one after the other, each thread of a block until it waits, and those that wait together go on
 * together. */
#include "base/memory.h"
#include "cuda/simt/simt_fiber_internal.h"
#include "cuda/simt/simt_internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Limits of every card of compute capability 6.1 and newer. */
enum {
    WARP = 32,
    MAX_THREADS = 1024,
    MAX_BLOCK_Z = 64,
    MAX_GRID_YZ = 65535,
    MAX_SHARED = 48 << 10
};

typedef enum state { READY, AT_BARRIER, AT_WARP, DONE } state;

typedef struct thread {
    poet_simt_thread face;
    poet_fiber *fiber;
    poet_simt_place place; /* where it waits */
    state state;
    poet_simt_exchange kind;
    uint32_t mask;
    unsigned lane; /* asked for */
    uint64_t value, result;
} thread;

const poet_simt_thread *poet_simt_now;

static pthread_mutex_t launching = PTHREAD_MUTEX_INITIALIZER;
static thread threads[MAX_THREADS];
static int n_threads; /* of the running block */
static thread *running;
static void (*running_kernel)(const void *arguments);
static const void *running_arguments;
static int chosen = -1;
static _Alignas(16) char dynamic[MAX_SHARED];

/* Static shared memory of all kernels: the linker gathers it, see simt.cuh. */
extern char shared_begin[] __asm__("__start_poet_simt_shared") __attribute__((weak));
extern char shared_end[] __asm__("__stop_poet_simt_shared") __attribute__((weak));

const char *poet_simt_error_text(int code)
{
    switch (code) {
    case POET_SIMT_OK: return "no error";
    case POET_SIMT_INVALID_VALUE: return "invalid argument";
    case POET_SIMT_NO_MEMORY: return "out of memory";
    case POET_SIMT_CAPTURE_UNSUPPORTED: return "operation not permitted when stream is capturing";
    case POET_SIMT_INVALID_CONFIGURATION: return "invalid configuration argument";
    default: return "unknown error";
    }
}

/* ---- orders ---- */

void poet_simt_set_order(poet_simt_order order)
{
    chosen = (int)order;
}

static poet_simt_order order_now(void)
{
    static const char *const names[] = {"forward", "reverse", "shuffled", "mixed"};
    const char *name = chosen < 0 ? getenv("POET_SIMT_ORDER") : NULL;
    if (chosen < 0)
        chosen = POET_SIMT_FORWARD;
    for (int i = 0; name && i < POET_SIMT_ORDERS; i++)
        if (strcmp(name, names[i]) == 0)
            chosen = i;
    return (poet_simt_order)chosen;
}

/* Which of n comes at place i. Shuffled: i -> (a i + b) mod n with a prime to n, which also parts neighbours. */
static int64_t permuted(poet_simt_order order, int64_t i, int64_t n)
{
    static const int64_t primes[] = {7919, 104729, 15485863};
    if (order == POET_SIMT_FORWARD)
        return i;
    if (order == POET_SIMT_REVERSE)
        return n - 1 - i;
    int k = order == POET_SIMT_SHUFFLED ? 0 : 1;
    int64_t a = n % primes[k] ? primes[k] : primes[2];
    return (i % n * (a % n) + n / (2 + k)) % n;
}

/* ---- threads that wait ---- */

_Noreturn static void die(const char *reason)
{
    static const char *const words[] = {"runs", "waits at a barrier", "waits for its warp",
                                        "has ended"};
    fflush(stdout);
    fprintf(stderr, "simt: %s\n", reason);
    for (int i = 0; i < n_threads; i++) {
        const thread *t = &threads[i];
        const poet_simt_thread *f = &t->face;
        fprintf(stderr, "  block (%u,%u,%u) thread (%u,%u,%u) %s", f->block.x, f->block.y,
                f->block.z, f->thread.x, f->thread.y, f->thread.z, words[t->state]);
        if (t->state == AT_BARRIER || t->state == AT_WARP)
            fprintf(stderr, ", %s:%d", t->place.file, t->place.line);
        if (t->state == AT_WARP)
            fprintf(stderr, ", mask %08x", t->mask);
        fprintf(stderr, "\n");
    }
    fflush(stderr);
    abort();
}

static void wait_in(state how, poet_simt_place place)
{
    thread *self = running;
    self->state = how;
    self->place = place;
    poet_fiber_yield();
}

static bool same_place(const thread *a, const thread *b)
{
    const char *file = a->place.file, *other = b->place.file;
    return a->state == b->state && a->place.line == b->place.line &&
           (file == other || strcmp(file, other) == 0);
}

void poet_simt_barrier(poet_simt_place place)
{
    wait_in(AT_BARRIER, place);
}

uint64_t poet_simt_warp(poet_simt_place place, poet_simt_exchange kind, uint32_t mask,
                        uint64_t value, unsigned lane)
{
    thread *self = running;
    self->kind = kind;
    self->mask = mask;
    self->value = value;
    self->lane = lane;
    wait_in(AT_WARP, place);
    return self->result;
}

/* The lanes of a thread's warp that are there; *first is lane 0. */
static int lanes_of(const thread *t, thread **first)
{
    int base = (int)(t - threads) / WARP * WARP;
    *first = &threads[base];
    return n_threads - base < WARP ? n_threads - base : WARP;
}

static void give_result(thread *t)
{
    const uint64_t poison = (uint64_t)POET_SIMT_POISON << 32 | POET_SIMT_POISON;
    thread *lanes;
    int n = lanes_of(t, &lanes);
    if (t->kind == POET_SIMT_READ) {
        bool there = t->lane < (unsigned)n && t->mask >> t->lane & 1;
        t->result = there ? lanes[t->lane].value : poison;
        return;
    }
    t->result = 0;
    for (int i = 0; t->kind == POET_SIMT_BALLOT && i < n; i++)
        if (t->mask >> i & 1 && lanes[i].value)
            t->result |= (uint64_t)1 << i;
}

/* Lets the lanes of t's mask go on when all of them are there. */
static bool release_warp(thread *t)
{
    thread *lanes;
    int n = lanes_of(t, &lanes);
    if (!(t->mask >> (t - lanes) & 1))
        die("a lane takes part in an exchange whose mask leaves it out");
    for (int i = 0; i < n; i++)
        if (t->mask >> i & 1 && !(same_place(&lanes[i], t) && lanes[i].mask == t->mask))
            return false;
    for (int i = 0; i < n; i++)
        if (t->mask >> i & 1)
            give_result(&lanes[i]);
    for (int i = 0; i < n; i++)
        if (t->mask >> i & 1)
            lanes[i].state = READY;
    return true;
}

static bool release_warps(void)
{
    bool released = false;
    for (int i = 0; i < n_threads; i++)
        if (threads[i].state == AT_WARP)
            released = release_warp(&threads[i]) || released;
    return released;
}

static bool release_barrier(void)
{
    for (int i = 0; i < n_threads; i++)
        if (threads[i].state != AT_BARRIER || !same_place(&threads[i], &threads[0]))
            return false;
    for (int i = 0; i < n_threads; i++)
        threads[i].state = READY;
    return true;
}

/* ---- blocks ---- */

static void live(void *argument)
{
    for (thread *self = argument;;) {
        running_kernel(running_arguments);
        self->state = DONE;
        poet_fiber_yield();
    }
}

static void resume(thread *t)
{
    running = t;
    poet_simt_now = &t->face;
    poet_fiber_resume(t->fiber);
    poet_simt_now = NULL;
}

/* In the straight orders a warp runs ahead of the others until it waits for them; in the others all warps take turns. */
static bool runs_ahead(poet_simt_order order)
{
    return order == POET_SIMT_FORWARD || order == POET_SIMT_REVERSE;
}

/* The first place, in a straight order, of the warp that has thread t. */
static int place_of_warp(poet_simt_order order, const thread *t)
{
    int begin = (int)(t - threads) / WARP * WARP;
    int end = n_threads - begin < WARP ? n_threads : begin + WARP;
    return order == POET_SIMT_FORWARD ? begin : n_threads - end;
}

/* One turn for every thread that can go on; false when all have ended. */
static bool run_turn(poet_simt_order order)
{
    int ended = 0;
    for (int i = 0; i < n_threads; i++) {
        thread *t = &threads[permuted(order, i, n_threads)];
        if (t->state == READY)
            resume(t);
        if (runs_ahead(order) && t->state == AT_WARP && release_warp(t))
            i = place_of_warp(order, t) - 1;
    }
    for (int i = 0; i < n_threads; i++)
        ended += threads[i].state == DONE;
    return ended < n_threads;
}

/* The section holds the redzones of AddressSanitizer too. */
__attribute__((no_sanitize("address", "undefined"))) static void poison_shared(void)
{
    for (volatile uint32_t *word = (void *)shared_begin; (volatile char *)word < shared_end; word++)
        *word = POET_SIMT_POISON;
    for (volatile uint32_t *word = (void *)dynamic; (volatile char *)word < dynamic + MAX_SHARED;
         word++)
        *word = POET_SIMT_POISON;
}

static void run_block(poet_simt_order order, poet_simt_index block, poet_simt_index block_dim,
                      poet_simt_index grid_dim, size_t shared_bytes)
{
    poison_shared();
    for (int i = 0; i < n_threads; i++) {
        unsigned u = (unsigned)i;
        threads[i].state = READY;
        threads[i].face =
            (poet_simt_thread){.thread = {u % block_dim.x, u / block_dim.x % block_dim.y,
                                          u / block_dim.x / block_dim.y},
                               .block = block,
                               .block_dim = block_dim,
                               .grid_dim = grid_dim,
                               .shared = dynamic + MAX_SHARED - (shared_bytes + 15) / 16 * 16};
    }
    while (run_turn(order))
        if (!release_warps() && !release_barrier())
            die("some threads wait for others that will not come");
}

static int make_fibers(int n)
{
    for (int i = 0; i < n; i++) {
        if (!threads[i].fiber)
            threads[i].fiber = poet_fiber_create(live, &threads[i]);
        if (!threads[i].fiber)
            return POET_SIMT_NO_MEMORY;
    }
    return POET_SIMT_OK;
}

static bool is_possible(poet_simt_index grid, poet_simt_index block)
{
    uint64_t n = (uint64_t)block.x * block.y * block.z;
    return n >= 1 && n <= MAX_THREADS && block.z <= MAX_BLOCK_Z && grid.x >= 1 &&
           grid.x <= INT32_MAX && grid.y >= 1 && grid.y <= MAX_GRID_YZ && grid.z >= 1 &&
           grid.z <= MAX_GRID_YZ;
}

static int launch(poet_simt_index grid, poet_simt_index block, size_t shared_bytes)
{
    poet_simt_order order = order_now();
    int64_t blocks = (int64_t)grid.x * grid.y * grid.z;
    n_threads = (int)(block.x * block.y * block.z);
    int code = make_fibers(n_threads);
    for (int64_t i = 0; !code && i < blocks; i++) {
        unsigned b = (unsigned)permuted(order, i, blocks);
        poet_simt_index at = {b % grid.x, b / grid.x % grid.y, b / grid.x / grid.y};
        run_block(order, at, block, grid, shared_bytes);
    }
    return code;
}

int poet_simt_launch(poet_simt_index grid, poet_simt_index block, size_t shared_bytes,
                     void (*kernel)(const void *arguments), const void *arguments,
                     size_t argument_bytes)
{
    if (!is_possible(grid, block))
        return POET_SIMT_INVALID_CONFIGURATION;
    if (shared_bytes > MAX_SHARED)
        return POET_SIMT_INVALID_VALUE;
    if (poet_simt_records())
        return poet_simt_record_launch(grid, block, shared_bytes, kernel, arguments,
                                       argument_bytes);
    poet_simt_tell(POET_SIMT_LAUNCH);
    pthread_mutex_lock(&launching);
    running_kernel = kernel;
    running_arguments = arguments;
    poet_simt_memory_open();
    int code = launch(grid, block, shared_bytes);
    poet_simt_memory_close();
    pthread_mutex_unlock(&launching);
    return code;
}

/* The memory of the machine: what is allocated, what has been written, and who touched what in between barriers. */
#include "tests/cuda/ptx/machine_internal.h"

#include "base/memory.h"

#include <string.h>

typedef struct allocation {
    uint8_t *begin;
    size_t bytes;
    uint8_t *written; /* a flag for each byte */
} allocation;

static allocation *allocations; /* by address */
static int n_allocations;

/* ---- global memory ---- */

static int first_at_or_above(uint64_t address)
{
    int low = 0, high = n_allocations;
    while (low < high) {
        int middle = (low + high) / 2;
        if ((uintptr_t)allocations[middle].begin < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The one that has all bytes; NULL: none. */
static allocation *find(uint64_t address, size_t bytes)
{
    int i = first_at_or_above(address + 1) - 1;
    if (i < 0)
        return NULL;
    uint64_t offset = address - (uintptr_t)allocations[i].begin;
    return offset + bytes <= allocations[i].bytes ? &allocations[i] : NULL;
}

poet_status ptx_alloc(size_t bytes, void **out)
{
    allocation a = {
        .begin = poet_alloc(bytes), .bytes = bytes, .written = poet_calloc(1, bytes + 1)};
    allocation *grown = poet_realloc(allocations, sizeof a * (size_t)(n_allocations + 1));
    allocations = grown ? grown : allocations;
    *out = a.begin;
    if (!a.begin || !a.written || !grown) {
        poet_free(a.begin);
        poet_free(a.written);
        return POET_ERR_NOMEM;
    }
    memset(a.begin, 0xFF, bytes);
    int at = first_at_or_above((uintptr_t)a.begin);
    memmove(&allocations[at + 1], &allocations[at], sizeof a * (size_t)(n_allocations - at));
    allocations[at] = a;
    n_allocations++;
    return POET_OK;
}

void ptx_free(void *memory)
{
    int at = first_at_or_above((uintptr_t)memory);
    if (!memory || at == n_allocations || allocations[at].begin != memory)
        return;
    poet_free(allocations[at].begin);
    poet_free(allocations[at].written);
    n_allocations--;
    memmove(&allocations[at], &allocations[at + 1],
            sizeof *allocations * (size_t)(n_allocations - at));
}

void ptx_free_all(void)
{
    while (n_allocations)
        ptx_free(allocations[0].begin);
    poet_free(allocations);
    allocations = NULL;
}

static void set_written(void *memory, size_t bytes, int written)
{
    allocation *a = find((uintptr_t)memory, bytes);
    if (a)
        memset(a->written + ((uint8_t *)memory - a->begin), written, bytes);
}

void ptx_copy(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
    set_written(to, bytes, 1);
}

void ptx_forget(void *memory, size_t bytes)
{
    set_written(memory, bytes, 0);
}

/* ---- checks ---- */

static uint8_t *refuse(const char *what, uint64_t address, int bytes)
{
    poet_fail(POET_ERR_DEVICE, "%s: %d bytes at 0x%llx", what, bytes, (unsigned long long)address);
    return NULL;
}

/* The flags of what is written are set, or looked at. */
static bool flags_allow(uint8_t *written, int bytes, bool writes)
{
    if (writes)
        memset(written, 1, (size_t)bytes);
    return memchr(written, 0, (size_t)bytes) == NULL;
}

static uint8_t *reach_global(uint64_t address, int bytes, bool writes)
{
    allocation *a = find(address, (size_t)bytes);
    if (!a)
        return refuse("outside of global memory", address, bytes);
    size_t offset = address - (uintptr_t)a->begin;
    if (!flags_allow(a->written + offset, bytes, writes))
        return refuse("a read of global memory that nobody has written", address, bytes);
    return a->begin + offset;
}

/* Within one variable of the space. */
static bool is_declared(const ptx_view *view, ptx_space space, uint64_t address, int bytes)
{
    const ptx_kernel *k = view->kernel;
    for (int i = 0; i < k->n_variables; i++) {
        const ptx_variable *v = &k->variable[i];
        size_t size = space == PTX_SHARED && v->at == k->dynamic ? view->dynamic : v->bytes;
        if (v->space == space && address >= v->at && address - v->at + (size_t)bytes <= size)
            return true;
    }
    return false;
}

static uint8_t *reach_param(const ptx_view *view, uint64_t address, int bytes, bool writes)
{
    if (writes || !is_declared(view, PTX_PARAM, address, bytes))
        return refuse("outside of the parameters", address, bytes);
    return view->param + (address - PTX_PARAM_BASE);
}

static uint8_t *reach_local(const ptx_view *view, uint64_t address, int bytes, bool writes)
{
    uint64_t offset = address - PTX_LOCAL_BASE;
    if (!is_declared(view, PTX_LOCAL, address, bytes))
        return refuse("outside of local memory", address, bytes);
    if (!flags_allow(view->local_written + offset, bytes, writes))
        return refuse("a read of local memory that nobody has written", address, bytes);
    return view->local + offset;
}

/* ---- shared memory ---- */

/* No barrier lies between an access of another thread and one of this thread, now. */
static bool at_once(const ptx_view *view, int other, uint32_t phase, uint32_t turn)
{
    bool same_warp = other / PTX_WARP == view->thread / PTX_WARP;
    return phase == view->phase && !(same_warp && turn < view->turn);
}

static bool races_with_writer(const ptx_view *view, const ptx_trace *t)
{
    int other = t->writer - 1;
    return other >= 0 && other != view->thread &&
           at_once(view, other, t->write_phase, t->write_turn);
}

static bool races_with_reader(const ptx_view *view, const ptx_trace *t)
{
    int other = t->reader - 1;
    if (other < 0 || (t->readers == PTX_ONE && other == view->thread))
        return false;
    return t->readers == PTX_MANY ? t->read_phase == view->phase
                                  : at_once(view, other, t->read_phase, t->read_turn);
}

static void note_read(const ptx_view *view, ptx_trace *t)
{
    int other = t->reader - 1;
    if (other < 0 || t->read_phase != view->phase)
        t->readers = PTX_ONE;
    else if (other / PTX_WARP != view->thread / PTX_WARP)
        t->readers = PTX_MANY;
    else if (other != view->thread && t->readers == PTX_ONE)
        t->readers = PTX_ONE_WARP;
    t->reader = (uint16_t)(view->thread + 1);
    t->read_phase = view->phase;
    t->read_turn = view->turn;
}

static const char *touch(const ptx_view *view, ptx_trace *t, bool writes)
{
    if (!writes && !t->writer)
        return "a read of shared memory that nobody has written";
    if (races_with_writer(view, t))
        return writes ? "a race: two threads write shared memory"
                      : "a race: shared memory is read that another thread has just written";
    if (writes && races_with_reader(view, t))
        return "a race: shared memory is written that another thread has just read";
    if (!writes) {
        note_read(view, t);
        return NULL;
    }
    t->writer = (uint16_t)(view->thread + 1);
    t->write_phase = view->phase;
    t->write_turn = view->turn;
    return NULL;
}

static uint8_t *reach_shared(const ptx_view *view, uint64_t address, int bytes, bool writes)
{
    uint64_t offset = address - PTX_SHARED_BASE;
    if (!is_declared(view, PTX_SHARED, address, bytes))
        return refuse("outside of shared memory", address, bytes);
    for (int i = 0; i < bytes; i++) {
        const char *wrong = touch(view, &view->trace[offset + (uint64_t)i], writes);
        if (wrong)
            return refuse(wrong, address, bytes);
    }
    return view->shared + offset;
}

/* ---- any space ---- */

static ptx_space space_of(uint64_t address)
{
    const uint64_t size = PTX_LOCAL_BASE - PTX_SHARED_BASE;
    if (address - PTX_SHARED_BASE < size)
        return PTX_SHARED;
    if (address - PTX_LOCAL_BASE < size)
        return PTX_LOCAL;
    return address - PTX_PARAM_BASE < size ? PTX_PARAM : PTX_GLOBAL;
}

uint8_t *ptx_reach(const ptx_view *view, ptx_space space, uint64_t address, int bytes, bool writes)
{
    if (address % (unsigned)bytes)
        return refuse("an access that is not aligned", address, bytes);
    switch (space == PTX_GENERIC ? space_of(address) : space) {
    case PTX_SHARED: return reach_shared(view, address, bytes, writes);
    case PTX_LOCAL: return reach_local(view, address, bytes, writes);
    case PTX_PARAM: return reach_param(view, address, bytes, writes);
    default: return reach_global(address, bytes, writes);
    }
}

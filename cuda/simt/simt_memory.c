/* Device memory of the simulated device: one range of addresses in which blocks lie between guard zones, and which is out
 * of reach of the host as a whole. */
#include "cuda/simt/simt_internal.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#endif

enum { GUARD_BYTES = 256, PAGE_BYTES = 1 << 16 /* a multiple of every page size in use */ };

static const size_t range_bytes = (size_t)1 << 40;

typedef struct block {
    struct block *next; /* by address */
    size_t offset;      /* of the memory itself, after its guard zone */
    size_t bytes;
} block;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char *range;
static size_t reached; /* bytes of the range that were ever in use */
static size_t held;
static block *blocks;
static int openings;

static size_t limit(void)
{
    const char *text = getenv("POET_SIMT_MEMORY");
    return text ? (size_t)strtoull(text, NULL, 10) : range_bytes;
}

static size_t rounded(size_t bytes, size_t step)
{
    return (bytes + step - 1) / step * step;
}

static size_t end_of(const block *b)
{
    return rounded(b->offset + b->bytes, GUARD_BYTES) + GUARD_BYTES;
}

static void protect(void)
{
    if (reached)
        mprotect(range, reached, openings ? PROT_READ | PROT_WRITE : PROT_NONE);
}

void poet_simt_memory_open(void)
{
    pthread_mutex_lock(&mutex);
    if (openings++ == 0)
        protect();
    pthread_mutex_unlock(&mutex);
}

void poet_simt_memory_close(void)
{
    pthread_mutex_lock(&mutex);
    if (--openings == 0)
        protect();
    pthread_mutex_unlock(&mutex);
}

static void fill(char *memory, size_t bytes)
{
    const uint32_t word = POET_SIMT_POISON;
    for (size_t i = 0; i < bytes; i += sizeof word)
        memcpy(memory + i, &word, bytes - i < sizeof word ? bytes - i : sizeof word);
}

/* The first gap that the block fits into. */
static int place(block *b)
{
    block **at = &blocks;
    size_t end = 0;
    for (; *at && end + GUARD_BYTES + b->bytes + 2 * (size_t)GUARD_BYTES > (*at)->offset;
         at = &(*at)->next)
        end = end_of(*at);
    b->offset = end + GUARD_BYTES;
    if (b->bytes > range_bytes || end_of(b) > range_bytes)
        return POET_SIMT_NO_MEMORY;
    b->next = *at;
    *at = b;
    if (end_of(b) > reached)
        reached = rounded(end_of(b), PAGE_BYTES);
    return POET_SIMT_OK;
}

static int reserve(size_t bytes)
{
    if (!range) {
        void *memory =
            mmap(NULL, range_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        range = memory == MAP_FAILED ? NULL : memory;
    }
    bool fits = range && bytes <= limit() && held <= limit() - bytes;
    return fits ? POET_SIMT_OK : POET_SIMT_NO_MEMORY;
}

static int alloc(block *b)
{
    int code = reserve(b->bytes);
    if (!code)
        code = place(b);
    if (code)
        return code;
    held += b->bytes;
    openings++;
    protect();
    char *memory = range + b->offset;
    ASAN_UNPOISON_MEMORY_REGION(memory - GUARD_BYTES, end_of(b) - b->offset + GUARD_BYTES);
    fill(memory - GUARD_BYTES, end_of(b) - b->offset + GUARD_BYTES);
    ASAN_POISON_MEMORY_REGION(memory - GUARD_BYTES, GUARD_BYTES);
    ASAN_POISON_MEMORY_REGION(memory + b->bytes, end_of(b) - b->offset - b->bytes);
    openings--;
    protect();
    return POET_SIMT_OK;
}

int poet_simt_alloc(size_t bytes, void **out)
{
    *out = NULL;
    if (poet_simt_refuse())
        return POET_SIMT_CAPTURE_UNSUPPORTED;
    poet_simt_tell(POET_SIMT_ALLOCATION);
    block *b = poet_calloc(1, sizeof *b);
    if (!b)
        return POET_SIMT_NO_MEMORY;
    b->bytes = bytes ? bytes : 1;
    pthread_mutex_lock(&mutex);
    int code = alloc(b);
    pthread_mutex_unlock(&mutex);
    if (code)
        poet_free(b);
    else
        *out = range + b->offset;
    return code;
}

/* Both guard zones as they were filled. */
static bool is_intact(const block *b)
{
    char before[GUARD_BYTES], after[2 * GUARD_BYTES + sizeof(uint32_t)];
    const char *memory = range + b->offset;
    size_t skip = b->bytes % sizeof(uint32_t);
    fill(before, sizeof before);
    fill(after, sizeof after);
    return memcmp(memory - GUARD_BYTES, before, sizeof before) == 0 &&
           memcmp(memory + b->bytes, after + skip, end_of(b) - b->offset - b->bytes) == 0;
}

bool poet_simt_free(void *memory)
{
    if (!memory)
        return true;
    pthread_mutex_lock(&mutex);
    block **at = &blocks;
    while (*at && range + (*at)->offset != (char *)memory)
        at = &(*at)->next;
    block *b = *at;
    bool intact = false;
    if (b) {
        openings++;
        protect();
        ASAN_UNPOISON_MEMORY_REGION(range + b->offset - GUARD_BYTES,
                                    end_of(b) - b->offset + GUARD_BYTES);
        intact = is_intact(b);
        ASAN_POISON_MEMORY_REGION(range + b->offset - GUARD_BYTES,
                                  end_of(b) - b->offset + GUARD_BYTES);
        openings--;
        protect();
        held -= b->bytes;
        *at = b->next;
    }
    pthread_mutex_unlock(&mutex);
    poet_free(b);
    return intact;
}

static bool is_device_memory(const void *address)
{
    return range && (const char *)address >= range && (const char *)address < range + range_bytes;
}

int poet_simt_copy(void *dst, const void *src, size_t bytes)
{
    bool inside = is_device_memory(dst) && is_device_memory(src);
    if (!inside && poet_simt_refuse())
        return POET_SIMT_CAPTURE_UNSUPPORTED;
    if (poet_simt_records())
        return poet_simt_record_copy(dst, src, bytes);
    poet_simt_tell(inside ? POET_SIMT_DEVICE_COPY : POET_SIMT_HOST_COPY);
    poet_simt_memory_open();
    if (bytes)
        memcpy(dst, src, bytes);
    poet_simt_memory_close();
    return POET_SIMT_OK;
}

int poet_simt_poison(void *memory, size_t bytes)
{
    if (poet_simt_records())
        return poet_simt_record_poison(memory, bytes);
    poet_simt_memory_open();
    fill(memory, bytes);
    poet_simt_memory_close();
    return POET_SIMT_OK;
}

void poet_simt_memory(size_t *left, size_t *most)
{
    pthread_mutex_lock(&mutex);
    *most = limit();
    *left = *most > held ? *most - held : 0;
    pthread_mutex_unlock(&mutex);
}

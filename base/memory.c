#include "base/memory.h"

#include "base/status.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Each block is preceded by a header that keeps its size; 64 bytes, so that the block stays aligned
 * for vectors. */
enum { ALIGNMENT = 64 };

typedef struct header {
    size_t bytes;
} header;

static atomic_size_t held_bytes, held_blocks, peak_bytes;
static atomic_long fail_countdown;

static int must_fail(void)
{
    long n = atomic_load(&fail_countdown);
    return n > 0 && atomic_fetch_sub(&fail_countdown, 1) == 1;
}

static void count_up(size_t bytes)
{
    size_t now = atomic_fetch_add(&held_bytes, bytes) + bytes;
    atomic_fetch_add(&held_blocks, 1);
    size_t peak = atomic_load(&peak_bytes);
    while (now > peak && !atomic_compare_exchange_weak(&peak_bytes, &peak, now)) {
    }
}

static header *header_of(void *block)
{
    return (header *)(void *)((char *)block - ALIGNMENT);
}

void *poet_alloc(size_t bytes)
{
    char *raw = NULL;
    if (bytes <= SIZE_MAX - 2 * (size_t)ALIGNMENT && !must_fail()) {
        size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        raw = aligned_alloc(ALIGNMENT, rounded + ALIGNMENT);
    }
    if (!raw) {
        poet_fail(POET_ERR_NOMEM, "out of memory: %zu bytes could not be allocated", bytes);
        return NULL;
    }
    ((header *)(void *)raw)->bytes = bytes;
    count_up(bytes);
    return raw + ALIGNMENT;
}

void *poet_calloc(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size) {
        poet_fail(POET_ERR_NOMEM, "out of memory: %zu x %zu bytes could not be allocated", count,
                  size);
        return NULL;
    }
    void *block = poet_alloc(count * size);
    if (block)
        memset(block, 0, count * size);
    return block;
}

void *poet_realloc(void *block, size_t bytes)
{
    void *grown = poet_alloc(bytes);
    if (grown && block) {
        size_t old = header_of(block)->bytes;
        memcpy(grown, block, old < bytes ? old : bytes);
        poet_free(block);
    }
    return grown;
}

void poet_free(void *block)
{
    if (!block)
        return;
    header *h = header_of(block);
    atomic_fetch_sub(&held_bytes, h->bytes);
    atomic_fetch_sub(&held_blocks, 1);
    free(h);
}

char *poet_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = poet_alloc(bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

poet_memory_stats poet_memory_get_stats(void)
{
    return (poet_memory_stats){.bytes = atomic_load(&held_bytes),
                               .peak = atomic_load(&peak_bytes),
                               .blocks = atomic_load(&held_blocks)};
}

void poet_memory_fail_at(long n)
{
    atomic_store(&fail_countdown, n);
}

/* Blocks form a list; a request larger than a block gets a block of its own. */
enum { BLOCK_BYTES = 16 * 1024, ARENA_ALIGNMENT = 16 };

typedef struct block {
    struct block *next;
    size_t used, size;
} block;

struct poet_arena {
    block *first;
};

static size_t align_up(size_t bytes)
{
    return (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
}

poet_arena *poet_arena_create(void)
{
    return poet_calloc(1, sizeof(poet_arena));
}

void poet_arena_destroy(poet_arena *arena)
{
    if (!arena)
        return;
    for (block *b = arena->first; b;) {
        block *next = b->next;
        poet_free(b);
        b = next;
    }
    poet_free(arena);
}

void *poet_arena_alloc(poet_arena *arena, size_t bytes)
{
    size_t need = align_up(bytes ? bytes : 1);
    block *b = arena->first;
    if (!b || b->size - b->used < need) {
        size_t size = need > BLOCK_BYTES ? need : BLOCK_BYTES;
        b = poet_alloc(align_up(sizeof *b) + size);
        if (!b)
            return NULL;
        *b = (block){.next = arena->first, .used = 0, .size = size};
        arena->first = b;
    }
    char *memory = (char *)b + align_up(sizeof *b) + b->used;
    b->used += need;
    return memset(memory, 0, need);
}

char *poet_arena_strdup(poet_arena *arena, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = poet_arena_alloc(arena, bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

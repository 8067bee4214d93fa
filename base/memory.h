/* Host memory: counted allocation that tests can make fail, and a bump arena for metadata that is
 * freed at once. */
#ifndef POET_BASE_MEMORY_H
#define POET_BASE_MEMORY_H

#include <stddef.h>

/* 64-byte aligned, uninitialised; NULL with a POET_ERR_NOMEM sentence when there is none. bytes = 0
 * gives a valid pointer. */
void *poet_alloc(size_t bytes);

/* count * size bytes of zeros; NULL also when the product overflows. */
void *poet_calloc(size_t count, size_t size);

/* Grows or shrinks, keeping the contents; on failure the old block stays valid. */
void *poet_realloc(void *block, size_t bytes);

/* NULL is fine. Only for blocks of the three functions above. */
void poet_free(void *block);

char *poet_strdup(const char *text);

typedef struct poet_memory_stats {
    size_t bytes;  /* held now */
    size_t peak;   /* most ever held */
    size_t blocks; /* held now: 0 at exit, or something leaked */
} poet_memory_stats;

poet_memory_stats poet_memory_get_stats(void);

/* Tests: the n-th allocation from now (1 = the next) fails once; 0 switches it off. */
void poet_memory_fail_at(long n);

/* An arena hands out memory that lives until the arena is destroyed. */
typedef struct poet_arena poet_arena;

poet_arena *poet_arena_create(void);
void poet_arena_destroy(poet_arena *arena);

/* 16-byte aligned zeros; NULL when memory ran out. */
void *poet_arena_alloc(poet_arena *arena, size_t bytes);
char *poet_arena_strdup(poet_arena *arena, const char *text);

#endif

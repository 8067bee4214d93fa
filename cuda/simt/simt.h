/* CUDA's execution model on one processor thread, so that kernels can be tested where there is no GPU.
 *
 * A launch runs its blocks one after the other, and each thread of a block as a fiber that goes on until it waits: at a
 * barrier, or for the lanes of its warp. Nothing moves in step. What a GPU would hide or do at random is made visible:
 *
 * - threads and blocks run in one of four orders, in two of which a warp runs ahead of the others as far as it can; a
 *   kernel whose results differ between them has a race;
 * - shared memory, device memory and lanes that do not take part hold POET_SIMT_POISON, which is NaN as f32, bf16 and f64;
 * - a barrier that only some threads of a block reach, or reach at another line, ends the process with a list of them;
 * - device memory cannot be touched outside a launch or a copy: a host that reads through a device pointer dies of SIGSEGV;
 * - each block of device memory lies between guard zones, which AddressSanitizer watches; without it, writes into them are
 *   found when the memory is freed.
 *
 * It does not see races between two blocks that both orders hide, alignment beyond that of the types, speed, or what needs
 * a grid-wide order. One launch at a time in a process: callers of several threads wait for each other. */
#ifndef POET_CUDA_SIMT_SIMT_H
#define POET_CUDA_SIMT_SIMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What undefined memory holds, in 32-bit words: NaN as f32, as f64, and the upper half as bf16; no code as an integer. */
#define POET_SIMT_POISON 0x7FF77FF7U

typedef struct poet_simt_index {
    unsigned x, y, z;
} poet_simt_index;

/* What a running thread sees of itself. */
typedef struct poet_simt_thread {
    poet_simt_index thread, block, block_dim, grid_dim;
    void *shared; /* dynamic shared memory */
} poet_simt_thread;

/* The running thread; NULL on the host. */
extern const poet_simt_thread *poet_simt_now;

typedef enum poet_simt_order {
    POET_SIMT_FORWARD,
    POET_SIMT_REVERSE,
    POET_SIMT_SHUFFLED, /* by a fixed permutation, */
    POET_SIMT_MIXED,    /* and by another one */
    POET_SIMT_ORDERS
} poet_simt_order;

/* For all launches from now on; at the start it is what the environment variable POET_SIMT_ORDER says ("forward",
 * "reverse", "shuffled", "mixed"), or forward. */
void poet_simt_set_order(poet_simt_order order);

/* Results of a launch and of memory; numbers are those of CUDA's runtime. */
enum {
    POET_SIMT_OK = 0,
    POET_SIMT_INVALID_VALUE = 1,
    POET_SIMT_NO_MEMORY = 2,
    POET_SIMT_INVALID_CONFIGURATION = 9, /* beyond the limits of compute capability 6.1 */
    POET_SIMT_CAPTURE_UNSUPPORTED = 900  /* not during a recording */
};

const char *poet_simt_error_text(int code);

/* kernel(arguments) in every thread of the grid. shared_bytes of dynamic shared memory, at most 48 KiB. A recording keeps
 * a copy of argument_bytes. */
int poet_simt_launch(poet_simt_index grid, poet_simt_index block, size_t shared_bytes,
                     void (*kernel)(const void *arguments), const void *arguments,
                     size_t argument_bytes);

/* Where a thread stands when it waits. */
typedef struct poet_simt_place {
    const char *file;
    int line;
} poet_simt_place;

void poet_simt_barrier(poet_simt_place place);

typedef enum poet_simt_exchange {
    POET_SIMT_READ,   /* the value of lane `lane`; poison where that does not take part */
    POET_SIMT_BALLOT, /* a bit for each lane whose value is not 0 */
    POET_SIMT_SYNC    /* nothing but to wait */
} poet_simt_exchange;

/* Waits for the lanes in mask, which all have to come to the same place with the same mask; the result by kind. */
uint64_t poet_simt_warp(poet_simt_place place, poet_simt_exchange kind, uint32_t mask,
                        uint64_t value, unsigned lane);

/* ---- device memory ---- */

/* Poisoned, aligned to 256 bytes. The environment variable POET_SIMT_MEMORY limits how many bytes there are together. */
int poet_simt_alloc(size_t bytes, void **out);

/* False: something wrote over its ends. NULL is fine. */
bool poet_simt_free(void *memory);

/* memcpy where either side may be device memory. */
int poet_simt_copy(void *dst, const void *src, size_t bytes);

/* Makes the memory undefined again. */
int poet_simt_poison(void *memory, size_t bytes);

/* What is left of the limit, and that itself; 1 TiB where there is none. */
void poet_simt_memory(size_t *left, size_t *most);

/* Between the two the host may touch device memory; they nest. */
void poet_simt_memory_open(void);
void poet_simt_memory_close(void);

/* ---- recordings ---- */

/* Launches, and copies inside device memory, that are kept instead of done: what CUDA makes of a captured stream, a graph.
 * What has no place in one is refused while recording, and spoils it: memory, and copies from and to the host. */
typedef struct poet_simt_recording poet_simt_recording;

int poet_simt_record(void);
int poet_simt_record_end(poet_simt_recording **out);

/* Does all of it, in the order in which it was recorded. */
int poet_simt_replay(const poet_simt_recording *recording);
void poet_simt_recording_free(poet_simt_recording *recording);

/* What was done since the start of the process, inside of replays too. */
typedef enum poet_simt_event {
    POET_SIMT_LAUNCH,
    POET_SIMT_DEVICE_COPY, /* inside device memory */
    POET_SIMT_HOST_COPY,   /* from or to the host */
    POET_SIMT_ALLOCATION,
    POET_SIMT_REPLAY,
    POET_SIMT_EVENTS
} poet_simt_event;

int64_t poet_simt_count(poet_simt_event event);

#ifdef __cplusplus
}
#endif

#endif

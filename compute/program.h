/* A graph made ready to run: memory planned, kernels prepared.
 *
 * Liveness over the one linear list of operations, forward and backward alike, gives each
 * intermediate tensor an offset in one block (best fit on a sorted free list). Inference simply has
 * no gradient operations, so little is kept alive. The figures are known before the first run.
 * Setting the environment variable POET_PLAN=separate gives each tensor a block of its own: slower,
 * bit-identical, and every overrun becomes visible to AddressSanitizer. */
#ifndef POET_COMPUTE_PROGRAM_H
#define POET_COMPUTE_PROGRAM_H

#include "compute/backend.h"
#include "compute/cost.h"
#include "compute/graph.h"

typedef struct poet_program poet_program;

typedef struct poet_memory {
    size_t params, buffers, moments, caches; /* of the params store */
    size_t packed;                           /* constant weights in the backend's own form */
    size_t activations;                      /* the planned block, scratch included */
    size_t inputs;                           /* staging: inputs and outputs */
    size_t host; /* what the caller of programs keeps beside them: batches, clips */
} poet_memory;

size_t poet_memory_total(const poet_memory *memory);

/* Activations, staging and packed weights of one more program of the same params. */
void poet_memory_add(poet_memory *memory, const poet_program *program);

/* All that other work takes at the same time, with other params. */
void poet_memory_join(poet_memory *memory, const poet_memory *other);

/* Of work that goes before or after on the same memory: what takes more of the two. */
void poet_memory_most(poet_memory *memory, const poet_memory *other);

/* "weights 9.1, optimizer 0.0, caches 69.2, activations 4.1, staging 1.2, batches 0.3: 83.9 MB" into out; packed ones are
 * weights, and batches are what the host keeps. Returns out. */
const char *poet_memory_text(const poet_memory *memory, char out[192]);

/* POET_ERR_NOMEM, with what is needed and what is there, when a device has less than that; of the processor's memory, less
 * than all that the machine has (base/limits.h), whoever may use it now. held: bytes of it that the device holds already;
 * what: the work, "to write clips". */
poet_status poet_memory_check(poet_device *device, const poet_memory *memory, size_t held,
                              const char *what);

/* Takes the graph over, also when it fails (then it is destroyed). The params must outlive the
 * program. */
poet_status poet_program_create(poet_graph *graph, poet_program **out);
void poet_program_destroy(poet_program *program);

/* Index by name; POET_NONE when there is none. */
poet_val poet_program_input(poet_program *program, const char *name);
poet_val poet_program_output(poet_program *program, const char *name);

/* Host to input, output to host; bytes must be the tensor's size in the type it was declared with
 * (an f64 backend converts). */
poet_status poet_program_set(poet_program *program, poet_val input, const void *host, size_t bytes);
poet_status poet_program_get(poet_program *program, poet_val output, void *host, size_t bytes);
poet_status poet_program_set_by_name(poet_program *program, const char *name, const void *host,
                                     size_t bytes);
poet_status poet_program_get_by_name(poet_program *program, const char *name, void *host,
                                     size_t bytes);

/* Runs every operation once, in order. */
poet_status poet_program_run(poet_program *program);

/* The same without waiting for the device: poet_device_wait, and copies to the host, do. */
poet_status poet_program_launch(poet_program *program);

/* An output of one program becomes an input of another of the same device, behind what was launched. */
poet_status poet_program_pass(poet_program *from, const char *output, poet_program *to,
                              const char *input);

/* Added to by poet_program_run while profiling is on: what was called and took so long. The device is waited for after each
 * call. */
typedef struct poet_profile {
    poet_work work;
    double *call_seconds; /* by poet_program_call's index, the caller's; NULL: not wanted */
} poet_profile;

void poet_program_profile(poet_program *program, poet_profile *profile); /* NULL switches it off */

poet_memory poet_program_memory(const poet_program *program);
int poet_program_calls(const poet_program *program);
const poet_call *poet_program_call(const poet_program *program, int index);

/* Adds so many runs, without running. */
void poet_program_count(const poet_program *program, double runs, poet_work *work);

#endif

/* What the files of the machine share: decoded kernels, and memory. */
#ifndef POET_TESTS_CUDA_PTX_MACHINE_INTERNAL_H
#define POET_TESTS_CUDA_PTX_MACHINE_INTERNAL_H

#include "tests/cuda/ptx/machine.h"

enum { PTX_WARP = 32, PTX_THREADS = 1024, PTX_VECTOR = 4, PTX_PARTS = 10 };

/* ---- operations: pure functions of the bits of up to three operands ---- */

/* Reals are their bits; narrow values lie in the lower bits, with zeros above; a predicate is 0 or 1. */
typedef uint64_t (*ptx_function)(uint64_t a, uint64_t b, uint64_t c);

typedef struct ptx_operation {
    const char *name; /* with all suffixes: "fma.rn.f32" */
    ptx_function function;
} ptx_operation;

extern const ptx_operation ptx_integer_operations[], ptx_real_operations[]; /* end with NULL */

/* NULL: there is none. */
ptx_function ptx_find_operation(const char *name);

/* ---- decoded kernels ---- */

typedef enum ptx_kind {
    PTX_COMPUTE, /* dst = function(src) */
    PTX_LOAD,    /* dst[0..n) = memory at src[0] + offset */
    PTX_STORE,   /* memory at src[0] + offset = src[1..n] */
    PTX_ATOMIC,  /* dst = memory; memory = function(memory, src[1]) */
    PTX_PACK,    /* dst = src[0..n), the lowest first */
    PTX_UNPACK,  /* and its reverse */
    PTX_BRANCH,
    PTX_RETURN,
    PTX_BARRIER, /* of the block */
    PTX_WARP_BARRIER,
    PTX_SHUFFLE, /* dst[0] = the value of another lane, dst[1]: was that in range? */
    PTX_BALLOT,
    PTX_PRODUCT /* of matrices that the warp holds: dst = part[0..4) part[4..6) + part[6..10), n terms; function: elements as f32 */
} ptx_kind;

typedef enum ptx_shuffle { PTX_UP, PTX_DOWN, PTX_CROSS, PTX_FROM } ptx_shuffle;

typedef enum ptx_space { PTX_GENERIC, PTX_GLOBAL, PTX_SHARED, PTX_LOCAL, PTX_PARAM } ptx_space;

/* A slot is a place in a thread's file of registers, which also holds what the kernel has of constants. */
typedef struct ptx_instruction {
    ptx_kind kind;
    int line;
    int guard; /* slot of the predicate; -1: none */
    bool unless;
    ptx_function function;
    int dst[PTX_VECTOR], src[PTX_VECTOR + 1];
    int part[PTX_PARTS]; /* products */
    int n;               /* elements of a vector, terms of a product; 1 otherwise */
    int bytes;           /* of an element */
    bool extends;        /* loads: by the sign */
    ptx_space space;
    ptx_shuffle shuffle;
    int64_t offset;
    int target; /* branches: index of the instruction */
} ptx_instruction;

/* The first slots are the special registers. */
enum { PTX_TID, PTX_NTID = 3, PTX_CTAID = 6, PTX_NCTAID = 9, PTX_LANEID = 12, PTX_ZERO, PTX_SLOTS };

/* Addresses of the small spaces begin here, also in the generic space. */
#define PTX_SHARED_BASE 0x01000000U
#define PTX_LOCAL_BASE 0x02000000U
#define PTX_PARAM_BASE 0x03000000U

/* Where dynamic shared memory begins, behind what a block can have of static one and the gaps in it. */
enum { PTX_DYNAMIC = 1 << 17 };

typedef struct ptx_variable {
    char *name;
    ptx_space space;
    uint64_t at; /* address */
    size_t bytes, alignment;
} ptx_variable;

typedef struct ptx_kernel {
    char *name;
    const char *body; /* in the text of the module */
    int line;         /* where that begins */
    bool decoded;
    ptx_instruction *code;
    int n_code;
    uint64_t *slot; /* what a thread's file holds at its start */
    int n_slots;
    ptx_variable *variable; /* parameters first, in order; then shared and local ones */
    int n_variables, n_params;
    size_t shared, local, param; /* bytes, gaps between shared variables included */
    size_t static_shared;        /* without gaps */
    uint64_t dynamic;            /* address of dynamic shared memory; 0: not asked for */
} ptx_kernel;

typedef struct ptx_module {
    char *text;
    int target;           /* 80: sm_80 */
    ptx_variable *shared; /* declared outside of kernels */
    int n_shared;
    ptx_kernel *kernel;
    int n_kernels;
} ptx_module;

/* Takes text over. Finds kernels and variables; leaves bodies for ptx_decode. */
poet_status ptx_parse(char *text, ptx_module *out);
void ptx_module_free(ptx_module *module);

poet_status ptx_decode(const ptx_module *module, ptx_kernel *kernel);

/* A launch whose sizes are within the limits. */
poet_status ptx_run(const ptx_kernel *kernel, ptx_size grid, ptx_size block, size_t shared_bytes,
                    void *const *argument);

/* Does a product; the registers of each lane. product.c */
void ptx_product(const ptx_instruction *instruction, uint64_t *const slot[PTX_WARP]);

/* ---- memory ---- */

/* Who touched a byte of shared memory last: thread + 1, 0: nobody. phase: barriers of the block before that; turn: those
 * of the thread's warp. */
typedef struct ptx_trace {
    uint16_t writer, reader;

    enum { PTX_ONE, PTX_ONE_WARP, PTX_MANY } readers; /* in read_phase */

    uint32_t write_phase, write_turn, read_phase, read_turn;
} ptx_trace;

/* What a running thread can reach besides global memory. */
typedef struct ptx_view {
    const ptx_kernel *kernel;
    int thread;
    uint32_t phase, turn;
    size_t dynamic; /* bytes of dynamic shared memory */
    uint8_t *shared, *local, *param;
    ptx_trace *trace; /* of shared memory */
    uint8_t *local_written;
} ptx_view;

/* bytes at address, checked; NULL with a sentence without the place. */
uint8_t *ptx_reach(const ptx_view *view, ptx_space space, uint64_t address, int bytes, bool writes);

void ptx_free_all(void);

#endif

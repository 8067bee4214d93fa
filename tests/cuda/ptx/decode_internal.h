/* A kernel while it is decoded, for decode.c, operands.c and instructions.c. */
#ifndef POET_TESTS_CUDA_PTX_DECODE_INTERNAL_H
#define POET_TESTS_CUDA_PTX_DECODE_INTERNAL_H

#include "tests/cuda/ptx/parse_internal.h"

enum { PTX_OPERANDS = 10, PTX_STATEMENT = 1024 };

/* `.reg .f32 %f<8>` has the names %f0 to %f7, `.reg .b32 %lhs` one. */
typedef struct registers {
    char name[32];
    int count; /* 0: the name as it is */
    int slot;
} registers;

typedef struct label {
    char name[64];
    int at; /* index of the instruction; -1: not seen yet */
} label;

typedef struct decoder {
    const ptx_module *module;
    ptx_kernel *kernel;
    int line;
    registers *range;
    int n_ranges;
    label *label;
    int n_labels;
} decoder;

/* A statement taken apart in place: "@!%p1", "ld.param.v2.u32" and what the commas separate. */
typedef struct statement {
    char text[PTX_STATEMENT];
    char *guard, *name, *operand[PTX_OPERANDS];
    int n;
} statement;

#define WRONG(d, ...) ((void)POET_FAIL(POET_ERR_FORMAT, __VA_ARGS__), ptx_wrong_at(d))

/* Puts kernel and line before the sentence. */
poet_status ptx_wrong_at(const decoder *d);

/* ---- slots ---- */

poet_status ptx_add_slot(decoder *d, uint64_t value, int *slot);

/* "%f<8>" or "%lhs" of a `.reg`. */
poet_status ptx_add_registers(decoder *d, const char *text);

/* Takes the name of v over, also when it fails. */
poet_status ptx_add_variable(decoder *d, ptx_variable v);

/* ---- operands ---- */

/* The slot of a register, a number or the address of a variable. */
poet_status ptx_value(decoder *d, const char *text, int *slot);

/* The slot of a register that is written to. */
poet_status ptx_register(decoder *d, const char *text, int *slot);

/* "[%rd1+-8]" */
poet_status ptx_address(decoder *d, char *text, ptx_instruction *out);

/* "{%f1, %f2}" or one, by one of the functions above. */
poet_status ptx_list(decoder *d, char *text, poet_status (*each)(decoder *, const char *, int *),
                     int *slots, int *n);

/* The number of a label, which may come later. */
poet_status ptx_label(decoder *d, const char *name, int *out);

/* ---- instructions ---- */

/* Appends to the kernel's code. */
poet_status ptx_decode_instruction(decoder *d, statement *s);

#endif

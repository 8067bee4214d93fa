/* Reading of PTX text, for parse.c and decode.c. */
#ifndef POET_TESTS_CUDA_PTX_PARSE_INTERNAL_H
#define POET_TESTS_CUDA_PTX_PARSE_INTERNAL_H

#include "tests/cuda/ptx/machine_internal.h"

/* Behind spaces and comments; *line counts on. */
const char *ptx_skip(const char *at, int *line);

/* Behind word, when that comes next. */
bool ptx_take(const char **at, const char *word);

/* Of the name at the place; 0: there is none. */
size_t ptx_name_length(const char *at);
char *ptx_copy_name(const char *at, size_t length);

/* "u32" -> 4; 0: no type. What comes behind it is not looked at. */
int ptx_type_bytes(const char *type);

/* `.align 16 .b8 name[64]`, which follows the space. */
poet_status ptx_parse_variable(const char **at, int *line, ptx_variable *out);

/* Gives v its address, at the end of its space. */
void ptx_place(ptx_kernel *kernel, ptx_variable *v);

/* Appends to an array of n items; NULL when memory ran out, and then the array is as it was. */
void *ptx_append(void *array, int *n, size_t size, const void *item);

#endif

/* Shapes, element types and tensors: what flows along the edges of a graph.
 *
 * Every tensor is dense, row-major and channels-last: video is (B,T,H,W,C), token features (B,N,C),
 * linear weights (out,in), convolution weights (Cout,kT,kH,kW,Cin). */
#ifndef POET_COMPUTE_TENSOR_H
#define POET_COMPUTE_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POET_MAX_DIMS = 5 };

typedef enum poet_dtype {
    POET_F32,
    POET_BF16,
    POET_F64, /* the reference backend of the gradient tests only */
    POET_I32, /* codes, positions, lengths */
    POET_U8,  /* pixels */
    POET_DTYPE_COUNT
} poet_dtype;

typedef struct poet_shape {
    int ndim; /* 0 is a scalar of one element */
    int64_t dim[POET_MAX_DIMS];
} poet_shape;

/* POET_SHAPE(3, 8, 16); scalars are POET_SCALAR. */
#define POET_SHAPE(...)                                                                            \
    ((poet_shape){.ndim = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),               \
                  .dim = {__VA_ARGS__}})
#define POET_SCALAR ((poet_shape){.ndim = 0})

int64_t poet_shape_count(const poet_shape *shape);
bool poet_shape_equal(const poet_shape *a, const poet_shape *b);

/* The product of dims [from, to). */
int64_t poet_shape_span(const poet_shape *shape, int from, int to);

/* The last dim; 1 for a scalar. */
int64_t poet_shape_last(const poet_shape *shape);

/* "(4, 5, 16)" into out, for error sentences. Returns out. */
const char *poet_shape_text(const poet_shape *shape, char out[96]);

size_t poet_dtype_bytes(poet_dtype dtype);
const char *poet_dtype_name(poet_dtype dtype);
bool poet_dtype_is_real(poet_dtype dtype);

/* What a kernel sees: a typed block of memory. data points into the device's memory. */
typedef struct poet_tensor {
    poet_dtype dtype;
    poet_shape shape;
    void *data;
} poet_tensor;

int64_t poet_tensor_count(const poet_tensor *tensor);
size_t poet_tensor_bytes(const poet_tensor *tensor);

/* Element access for reference kernels and tests, whatever the real type is; host memory only.
 * Rounding to bf16 is to nearest, ties to even. */
double poet_get(const poet_tensor *tensor, int64_t index);
void poet_put(poet_tensor *tensor, int64_t index, double value);
int32_t poet_get_int(const poet_tensor *tensor, int64_t index);

uint16_t poet_bf16_from_f32(float value);
float poet_bf16_to_f32(uint16_t value);

#endif

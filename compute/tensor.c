#include "compute/tensor.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t bytes;
    bool real;
} types[POET_DTYPE_COUNT] = {
    [POET_F32] = {"f32", 4, true},  [POET_BF16] = {"bf16", 2, true}, [POET_F64] = {"f64", 8, true},
    [POET_I32] = {"i32", 4, false}, [POET_U8] = {"u8", 1, false},
};

int64_t poet_shape_span(const poet_shape *shape, int from, int to)
{
    int64_t count = 1;
    for (int i = from; i < to; i++)
        count *= shape->dim[i];
    return count;
}

int64_t poet_shape_count(const poet_shape *shape)
{
    return poet_shape_span(shape, 0, shape->ndim);
}

bool poet_shape_equal(const poet_shape *a, const poet_shape *b)
{
    return a->ndim == b->ndim && memcmp(a->dim, b->dim, (size_t)a->ndim * sizeof a->dim[0]) == 0;
}

int64_t poet_shape_last(const poet_shape *shape)
{
    return shape->ndim ? shape->dim[shape->ndim - 1] : 1;
}

const char *poet_shape_text(const poet_shape *shape, char out[96])
{
    int used = snprintf(out, 96, "(");
    for (int i = 0; i < shape->ndim && used < 90; i++)
        used += snprintf(out + used, (size_t)(96 - used), i ? ", %lld" : "%lld",
                         (long long)shape->dim[i]);
    if (used < 95)
        snprintf(out + used, (size_t)(96 - used), ")");
    return out;
}

size_t poet_dtype_bytes(poet_dtype dtype)
{
    return types[dtype].bytes;
}

const char *poet_dtype_name(poet_dtype dtype)
{
    return types[dtype].name;
}

bool poet_dtype_is_real(poet_dtype dtype)
{
    return types[dtype].real;
}

int64_t poet_tensor_count(const poet_tensor *tensor)
{
    return poet_shape_count(&tensor->shape);
}

size_t poet_tensor_bytes(const poet_tensor *tensor)
{
    return (size_t)poet_tensor_count(tensor) * poet_dtype_bytes(tensor->dtype);
}

uint16_t poet_bf16_from_f32(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7FFFFFFF) > 0x7F800000)
        return (uint16_t)(bits >> 16 | 0x40); /* a NaN stays one */
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

float poet_bf16_to_f32(uint16_t value)
{
    uint32_t bits = (uint32_t)value << 16;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

double poet_get(const poet_tensor *tensor, int64_t index)
{
    assert(index >= 0 && index < poet_tensor_count(tensor));
    switch (tensor->dtype) {
    case POET_F32: return (double)((const float *)tensor->data)[index];
    case POET_F64: return ((const double *)tensor->data)[index];
    case POET_BF16: return (double)poet_bf16_to_f32(((const uint16_t *)tensor->data)[index]);
    case POET_I32: return ((const int32_t *)tensor->data)[index];
    case POET_U8: return ((const uint8_t *)tensor->data)[index];
    case POET_DTYPE_COUNT: break;
    }
    return 0;
}

void poet_put(poet_tensor *tensor, int64_t index, double value)
{
    assert(index >= 0 && index < poet_tensor_count(tensor));
    switch (tensor->dtype) {
    case POET_F32: ((float *)tensor->data)[index] = (float)value; break;
    case POET_F64: ((double *)tensor->data)[index] = value; break;
    case POET_BF16: ((uint16_t *)tensor->data)[index] = poet_bf16_from_f32((float)value); break;
    case POET_I32: ((int32_t *)tensor->data)[index] = (int32_t)value; break;
    case POET_U8: ((uint8_t *)tensor->data)[index] = (uint8_t)value; break;
    case POET_DTYPE_COUNT: break;
    }
}

int32_t poet_get_int(const poet_tensor *tensor, int64_t index)
{
    assert(index >= 0 && index < poet_tensor_count(tensor));
    return tensor->dtype == POET_I32 ? ((const int32_t *)tensor->data)[index]
                                     : ((const uint8_t *)tensor->data)[index];
}

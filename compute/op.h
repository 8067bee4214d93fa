/* Operations as data: the enum, their attributes, and for each its shape rule, gradient rule and
 * reference kernel. */
#ifndef POET_COMPUTE_OP_H
#define POET_COMPUTE_OP_H

#include "base/status.h"
#include "compute/tensor.h"

typedef enum poet_op {

#define POET_OP(name, NAME, sources, destinations) POET_OP_##NAME,
#include "compute/ops.def"
#undef POET_OP
    POET_OP_COUNT
} poet_op;

enum { POET_MAX_DST = 3, POET_MAX_LEVELS = 16 };

/* What an op knows besides its sources; which member is used follows from the op. */
typedef union poet_attr {
    struct {
        float factor;
    } scale; /* fill: the value */

    struct {
        int act; /* poet_activation */
    } act;

    struct {
        int dtype; /* poet_dtype */
    } cast;

    struct {
        float share;
        uint64_t seed;
    } dropout;

    struct {
        int axis;
        int64_t begin, end; /* slice: [begin, end); pad: zeros before, after */
    } range;

    struct {
        poet_shape shape;
    } shape; /* reshape, sum_to, expand; embed_bwd, conv3d_dw, conv3d_dx: the shape of what is
                differentiated */

    struct {
        int patch;
    } patch;

    struct {
        bool transpose_a, transpose_b;
    } matmul;

    struct {
        int groups, act;
    } norm;

    struct {
        int heads, prefix;
    } attention;

    struct {
        int heads;
        bool back;
    } rotary;

    struct {
        float decay, restart;
        uint64_t seed;
    } ema;

    struct {
        int channels;
        bool binary;
        int levels[POET_MAX_LEVELS];
    } fsq;

    struct {
        float temperature, gamma;
    } entropy;

    struct {
        float limit;
    } clip;

    struct {
        float beta1, beta2, eps, weight_decay, rate_scale;
    } optim; /* adamw, momentum (beta1), descend, average (beta1 = decay) */
} poet_attr;

const char *poet_op_name(poet_op op);

/* Sources the op must have at least, and destinations it has. */
int poet_op_sources(poet_op op);
int poet_op_destinations(poet_op op);

#endif

/* What records the operation of each family of cases: its sources, the operation, its results. The letters of a case's name are
 * explained where the builder is. */
#ifndef POET_TESTS_SUPPORT_OP_BUILDERS_H
#define POET_TESTS_SUPPORT_OP_BUILDERS_H

#include "tests/support/op_cases.h"

/* op_build_arrays.c */
void op_build_add(op_case *c);
void op_build_mul(op_case *c);
void op_build_fill(op_case *c);
void op_build_scale(op_case *c);
void op_build_act(op_case *c);
void op_build_cast(op_case *c);
void op_build_stop_grad(op_case *c);
void op_build_straight_through(op_case *c);
void op_build_dropout(op_case *c);
void op_build_reshape(op_case *c);
void op_build_concat(op_case *c);
void op_build_slice(op_case *c);
void op_build_pad(op_case *c);
void op_build_sum_to(op_case *c);
void op_build_expand(op_case *c);
void op_build_transpose(op_case *c);
void op_build_patchify(op_case *c);
void op_build_unpatchify(op_case *c);
void op_build_to_bytes(op_case *c);
void op_build_embed(op_case *c);
void op_build_gather(op_case *c);
void op_build_scatter(op_case *c);

/* op_build_layers.c */
void op_build_matmul(op_case *c);
void op_build_conv3d(op_case *c);
void op_build_group_norm(op_case *c);
void op_build_rms_norm(op_case *c);
void op_build_rotary(op_case *c);
void op_build_attention(op_case *c);
void op_build_attention_cached(op_case *c);
void op_build_nearest(op_case *c);
void op_build_codebook_ema(op_case *c);
void op_build_fsq(op_case *c);
void op_build_fsq_codes(op_case *c);
void op_build_count_codes(op_case *c);

/* op_build_training.c */
void op_build_mse(op_case *c);
void op_build_l1(op_case *c);
void op_build_cross_entropy(op_case *c);
void op_build_lfq_entropy(op_case *c);
void op_build_sample(op_case *c);
void op_build_clip_factor(op_case *c);
void op_build_adamw(op_case *c);
void op_build_momentum(op_case *c);
void op_build_unit_norm(op_case *c);
void op_build_descend(op_case *c);
void op_build_average(op_case *c);

/* The first operand's shape, where a case is (b,n,c); m of element-wise cases may ask for five dims. */
poet_shape op_first_shape(const op_case *c);

/* Of poet_nearest: how many codes there are, and the squared distance; source 0 is z, source 1 the codebook. */
int64_t op_nearest_codes(const op_case *c);
double op_nearest_worth(const op_case *c, void *const *host, int64_t row, int32_t code);

#endif

/* Building a computation: values, parameters, operations, gradients.
 *
 * A graph is recorded once per (configuration, batch shape), differentiated by appending gradient
 * operations to the same list, planned, and run many times (program.h). Model code nests
 * constructors; errors are sticky: the first failure is kept with the path of scopes it happened in
 * ("dec.2.conv1: 96 channels into 64"), later calls do nothing, and poet_program_create reports it.
 *
 * Operations are coarse (a convolution, an attention), never "exp, sum, divide": ops.def lists them
 * all. */
#ifndef POET_COMPUTE_GRAPH_H
#define POET_COMPUTE_GRAPH_H

#include "base/status.h"
#include "compute/params.h"
#include "compute/tensor.h"

typedef struct poet_graph poet_graph;

/* A handle on one tensor of a graph; id < 0 is "none" (an absent option, or the result of a failed
 * constructor). */
typedef struct poet_val {
    int id;
} poet_val;

#define POET_NONE ((poet_val){-1})

/* The graph refers to params (created by the constructors below where they do not exist yet) and
 * does not own them. NULL when memory ran out. */
poet_graph *poet_graph_create(poet_params *params);
void poet_graph_destroy(poet_graph *graph);

/* The sticky error: POET_OK, or the status of the first failure with its sentence stored again. */
poet_status poet_graph_status(poet_graph *g);

/* Matrix products, convolutions and attention read their operands in this type (F32 or BF16); sums
 * are always kept in f32, as are norms, softmax, losses and distances. F32 at the start. */
void poet_graph_set_precision(poet_graph *g, poet_dtype dtype);

/* Names of parameters and errors are prefixed by the open scopes: "enc.res0.conv1.weight". */
void poet_scope_begin(poet_graph *g, const char *name);
void poet_scope_end(poet_graph *g);

const poet_shape *poet_val_shape(poet_graph *g, poet_val v); /* a scalar shape after a failure */
int64_t poet_dim(poet_graph *g, poet_val v,
                 int axis); /* axis may be negative, from the end; 1 after a failure */
poet_dtype poet_val_dtype(poet_graph *g, poet_val v);

/* ---- leaves ---- */

/* Filled by the caller before a run (program.h); keeps its contents between runs. Name unique in
 * the graph. */
poet_val poet_input(poet_graph *g, const char *name, poet_dtype dtype, poet_shape shape);

/* A tensor of params, created with init when it is not there; a different shape there is an error
 * that names both. */
poet_val poet_param(poet_graph *g, const char *name, poet_shape shape, poet_init init);

/* Like poet_param for what is kept but not learned by gradient: codebooks, counters, caches,
 * moments. */
poet_val poet_state(poet_graph *g, const char *name, poet_kind kind, poet_dtype dtype,
                    poet_shape shape, poet_init init);

/* Marks a weight matrix of a hidden layer: what Muon is for, where the optimizer uses it. */
void poet_mark_hidden(poet_graph *g, poet_val weight);

/* The value stays readable after a run, under this name; a value may have several. */
poet_val poet_result(poet_graph *g, const char *name, poet_val v);

/* ---- element-wise ---- */

typedef enum poet_activation {
    POET_ACT_NONE,
    POET_ACT_SILU,  /* x * sigmoid(x) */
    POET_ACT_GELU,  /* x * Phi(x), the tanh form: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
    POET_ACT_RELU2, /* max(x, 0)^2 (So et al., Primer, 2021) */
    POET_ACT_TANH
} poet_activation;

/* a + b; b broadcasts: aligned at the last axis, each of its dims equals a's or is 1. The result
 * has a's shape. */
poet_val poet_add(poet_graph *g, poet_val a, poet_val b);
poet_val poet_mul(poet_graph *g, poet_val a, poet_val b);
poet_val poet_scale(poet_graph *g, poet_val x, float factor);
/* The value everywhere, in the shape of like, which is not read. No gradient. */
poet_val poet_fill(poet_graph *g, poet_val like, float value);
poet_val poet_act(poet_graph *g, poet_val x, poet_activation act);
poet_val poet_cast(poet_graph *g, poet_val x, poet_dtype dtype); /* no-op when it has that type */

/* x forward; no gradient flows back. */
poet_val poet_stop_grad(poet_graph *g, poet_val x);

/* value forward, the gradient goes to through (the straight-through estimator, Bengio et al. 2013).
 * Equal shapes. */
poet_val poet_straight_through(poet_graph *g, poet_val value, poet_val through);

/* Zeroes a share of x and scales the rest by 1/(1-share): element i is dropped when word i % 4 of
 * Philox(seed, step, i / 4) is below share * 2^32. step: I32 (1). */
poet_val poet_dropout(poet_graph *g, poet_val x, poet_val step, float share, uint64_t seed);

/* ---- layout ---- */

poet_val poet_reshape(poet_graph *g, poet_val x,
                      poet_shape shape); /* a view: same count, same memory */
poet_val poet_concat(poet_graph *g, int n, const poet_val *x, int axis);
poet_val poet_slice(poet_graph *g, poet_val x, int axis, int64_t begin, int64_t length);
poet_val poet_pad(poet_graph *g, poet_val x, int axis, int64_t before,
                  int64_t after); /* with zeros */

/* Sums x down to a shape that broadcasts to x's; the gradient of a broadcast. expand is its
 * reverse. */
poet_val poet_sum_to(poet_graph *g, poet_val x, poet_shape shape);
poet_val poet_expand(poet_graph *g, poet_val x, poet_shape shape);
poet_val poet_transpose(poet_graph *g, poet_val x); /* (R,C) -> (C,R) */

/* Space-time patches. video (B,1+4n,H,W,3), U8 or real; the first frame is repeated four times so
 * that each patch holds four frames: -> (B,1+n,H/p,W/p,4*p*p*3), inner order time, row, column,
 * colour. U8 is mapped to real -1..1 by v/127.5 - 1. */
poet_val poet_patchify(poet_graph *g, poet_val video, int patch);

/* The reverse, real: (B,1+n,h,w,4*p*p*3) -> (B,1+4n,h*p,w*p,3); the first frame is the mean of its
 * four copies. */
poet_val poet_unpatchify(poet_graph *g, poet_val patches, int patch);

/* real -1..1 -> U8 0..255, rounded to nearest and clamped. No gradient. */
poet_val poet_to_bytes(poet_graph *g, poet_val x);

/* ---- linear maps ---- */

/* op(a) op(b) + bias with op = transpose where asked. b has two dims (K,N), or (N,K) when
 * transposed; a has two dims, or more when it is not transposed (its leading dims are rows). bias
 * (N) or POET_NONE. Result real f32. */
poet_val poet_matmul(poet_graph *g, poet_val a, bool transpose_a, poet_val b, bool transpose_b,
                     poet_val bias);

/* Causal convolution, stride 1: x (B,T,H,W,Cin), w (Cout,kT,kH,kW,Cin), odd kH, kW, bias (Cout) or
 * POET_NONE -> (B,T,H,W,Cout). Zero padding: kT-1 frames before and none after, kH/2 and kW/2 on
 * each side. */
poet_val poet_conv3d(poet_graph *g, poet_val x, poet_val w, poet_val bias);

/* ---- norms ---- */

/* Per frame, so that it is causal: mean and variance over (H,W,C/groups) of each (B,T), then * gain
 * + bias (C each), then the activation (NONE or SILU, fused). x (B,T,H,W,C). epsilon 1e-5. (Wu and
 * He 2018, made causal) */
poet_val poet_group_norm(poet_graph *g, poet_val x, poet_val gain, poet_val bias, int n_groups,
                         poet_activation act);

/* x / sqrt(mean(x^2) + 1e-6) * gain over the last axis (Zhang and Sennrich 2019). gain (C). */
poet_val poet_rms_norm(poet_graph *g, poet_val x, poet_val gain);

/* ---- attention ---- */

/* Turns q and k by their positions, so that scores depend on distances (Su et al., RoFormer, 2021).
 * qkv (B,T,3*C) as for attention, turns (T,D): D/2 cosines, then D/2 sines, the same for all rows
 * and heads. The pair (x[i], x[D/2 + i]) of a head becomes (x[i] cos[i] - x[D/2+i] sin[i], x[i]
 * sin[i] + x[D/2+i] cos[i]). No gradient to turns. */
poet_val poet_rotary(poet_graph *g, poet_val qkv, poet_val turns, int heads);

/* Self-attention over rows of one sequence, softmax(q k' / sqrt(D)) v. qkv (B,T,3*C), C = heads *
 * D, in the order q, k, v, each head-major; lengths I32 (B), how many of the first `prefix`
 * positions are real (1..prefix; ignored when prefix is 0). Position i sees: all real prefix
 * positions; and, if i >= prefix, positions prefix..i. -> (B,T,C). Rows of unreal prefix positions
 * hold finite values that nothing may use. */
poet_val poet_attention(poet_graph *g, poet_val qkv, poet_val lengths, int heads, int prefix);

/* The same, incrementally, without gradient. qkv (B,T,3*C) holds the T newest positions; keys and
 * values are states (B,S,C) that are updated in place; position I32 (B): how many positions of each
 * row are already cached, position + T <= S. Either the T rows are the whole prefix (position 0, T
 * = prefix), or they come after it (position >= prefix). */
poet_val poet_attention_cached(poet_graph *g, poet_val qkv, poet_val keys, poet_val values,
                               poet_val position, poet_val lengths, int heads, int prefix);

/* ---- tables ---- */

/* table (V,C), index I32 (...) -> (..., C). Or table (S,V,C), index (...,S) -> (..., C): the sum
 * over s of table[s][index[s]]. An index outside 0..V-1 is an error at run time. A table (V,C) of I32 gives I32. */
poet_val poet_embed(poet_graph *g, poet_val table, poet_val index);

/* Integers at places that a table names: y[b][m] = x[b][index[row[b]][m]] + offset[m]. x (B,L), index (N,M), row (B), or
 * (1) for all rows of x alike, offset (M) or POET_NONE, all I32 -> I32 (B,M). A row or place outside is an error at run
 * time. */
poet_val poet_gather(poet_graph *g, poet_val x, poet_val index, poet_val row, poet_val offset);

/* The reverse, in place: x[b][index[row[b]][m]] = values[b][m]; values (B,M). The places of one row of the index must
 * differ. Returns x as it is then. */
poet_val poet_scatter(poet_graph *g, poet_val x, poet_val index, poet_val row, poet_val values);

/* ---- quantizers ---- */

/* Nearest row of codebook (K,C) for each row of z (...,C): index I32 (...), and the squared
 * distance in *distance when it is not NULL. Ties go to the lowest index. No gradient. */
poet_val poet_nearest(poet_graph *g, poet_val z, poet_val codebook, poet_val *distance);

/* Updates, in place, codebook (K,C), total (K,C), count (K) from z (...,C) and its index (van den
 * Oord et al. 2017, appendix A.1): count and total decay by `decay` towards this batch's counts and
 * sums; a code whose count is below restart * N/K (N rows in z) takes the row (word 0 * N) >> 32 of
 * z by Philox(seed, step, code), with a count of N/K and the total that fits; codebook =
 * total/count (left alone while the count is under 1e-6). step: I32 (1). Returns the updated
 * codebook (to be kept alive by poet_result or by use). */
poet_val poet_codebook_ema(poet_graph *g, poet_val codebook, poet_val total, poet_val count,
                           poet_val z, poet_val index, poet_val step, float decay, float restart,
                           uint64_t seed);

/* Finite scalar quantization (Mentzer et al. 2023): z (...,C) with C levels[]; each channel is
 * bounded by tanh to its level count and rounded; returns the quantized value in -1..1 with the
 * straight-through gradient of the bounding, and the code in *index (may be NULL): mixed radix, the
 * first channel lowest. At most 16 channels and 2^31 codes. levels 2 for every channel and binary =
 * true is LFQ (Yu et al. 2023): sign(z), and the gradient passes unchanged. */
poet_val poet_fsq(poet_graph *g, poet_val z, const int *levels, bool binary, poet_val *index);

/* The value of codes under the same levels: index (...) -> (...,C). */
poet_val poet_fsq_codes(poet_graph *g, poet_val index, int channels, const int *levels,
                        bool binary);

/* histogram (K) f32, updated in place: + occurrences of each code in index. */
poet_val poet_count_codes(poet_graph *g, poet_val histogram, poet_val index);

/* ---- losses: scalars, means over all elements or rows ---- */

poet_val poet_mse(poet_graph *g, poet_val x, poet_val target); /* no gradient to target */
poet_val poet_l1(poet_graph *g, poet_val x, poet_val target);

/* Mean over rows of -log softmax(logits)[target], nats. logits (...,V), target I32 (...); rows with
 * a negative target do not count. *row_loss (may be NULL): the loss of every row, (...), 0 where it
 * does not count; it carries no gradient. */
poet_val poet_cross_entropy(poet_graph *g, poet_val logits, poet_val target, poet_val *row_loss);

/* LFQ's entropy loss per channel bit, p = sigmoid(4 z / temperature): mean entropy of p minus gamma
 * times the entropy of the mean p (the factorised form of Yu et al. 2023, eq. 4). z (...,C). Nats,
 * averaged over channels. */
poet_val poet_lfq_entropy(poet_graph *g, poet_val z, float temperature, float gamma);

/* ---- sampling ---- */

/* One code per row. logits (R,V): R = B, or R = 2B with the unconditional rows after the
 * conditional ones (classifier-free guidance, Ho and Salimans 2022: l = l_u + guidance (l_c -
 * l_u)). settings f32 (B,5): guidance, temperature (0: argmax, lowest index wins), top_k (0: off),
 * top_p (1: off), min_p (0: off). keys I32 (B,4): seed low, seed high, stream, counter, for Philox.
 * Order: guidance, temperature, top-k, top-p, min-p, as in llama.cpp; ties go to the lowest code.
 * The draw: u = (word 0 of Philox + 1/2) / 2^32; the lowest code at which the sum of the shares
 * that were kept, in order of codes, passes u. A logit that is not a number, or none that is finite, is an error. -> I32
 * (B). */
poet_val poet_sample(poet_graph *g, poet_val logits, poet_val settings, poet_val keys);

/* ---- gradients and updates: normally called through train.h ---- */

/* Appends the gradient of a scalar to the graph; afterwards poet_grad gives d loss / d v for
 * parameters and inputs that were marked with poet_wants_grad. Call once. */
void poet_graph_backward(poet_graph *g, poet_val loss);
void poet_wants_grad(poet_graph *g, poet_val v);
poet_val poet_grad(poet_graph *g, poet_val v); /* POET_NONE when nothing flows to v */

/* factor = min(1, limit / (norm + 1e-6)), 1 when limit <= 0, norm over all n tensors together;
 * *norm (scalar) may be NULL. */
poet_val poet_clip_factor(poet_graph *g, int n, const poet_val *grads, float limit, poet_val *norm);

/* In place: AdamW (Loshchilov and Hutter 2019) on param with moments m, v; the gradient is
 * multiplied by factor first. hyper f32 (2): learning rate, step (counted from 1, for the bias
 * correction). */
void poet_adamw(poet_graph *g, poet_val param, poet_val grad, poet_val m, poet_val v,
                poet_val factor, poet_val hyper, float beta1, float beta2, float eps,
                float weight_decay, float rate_scale);

/* Pieces of Muon (Jordan et al. 2024). momentum, in place on m: m = beta m + factor grad; returns
 * factor grad + beta m (Nesterov). unit_norm: x / (|x|_F + 1e-7). descend, in place: param -=
 * hyper[0] rate_scale (update + weight_decay param). */
poet_val poet_momentum(poet_graph *g, poet_val grad, poet_val m, poet_val factor, float beta);
poet_val poet_unit_norm(poet_graph *g, poet_val x);
void poet_descend(poet_graph *g, poet_val param, poet_val update, poet_val hyper, float rate_scale,
                  float weight_decay);

/* In place: mean += (param - mean) * max(1 - decay, 1/step), with hyper[1] = step: a running
 * average of weights. */
void poet_average(poet_graph *g, poet_val mean, poet_val param, poet_val hyper, float decay);

#endif

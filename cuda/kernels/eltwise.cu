/* Element-wise operations: one thread for each element (dropout: for each block of four random words). All are bound by
 * memory: what counts is that neighbours read neighbours.
 *
 * Activations, with s = 1 / (1 + exp(-x)):
 *   SiLU (Elfwing et al. 2018)         x s                            slope  s (1 + x (1 - s))
 *   GELU (Hendrycks and Gimpel 2016)   x g, g = sigmoid(2 u), u = sqrt(2/pi) (x + 0.044715 x^3): the tanh form without
 *                                      its cancellation               slope  g + x g (1 - g) 2 u'
 *   ReLU^2 (So et al. 2021)            max(x, 0)^2                    slope  2 max(x, 0)
 *   tanh                                                              slope  4 e / (1 + e)^2, e = exp(-2 |x|)
 */
extern "C" {
#include "compute/graph.h"
}
#include "cuda/kernels/eltwise.h"
#include "cuda/kernels/philox.cuh"
#include "cuda/kernels/strides.cuh"

/* ---- two sources ---- */

enum binary { ADD, MUL, SECOND };

template <int op>
static __global__ void combine(const float *a, const float *b, float *y, int n,
                               poet_strides strides)
{
    int64_t i = poet_thread();
    if (i >= n)
        return;
    float second = b[poet_offset(strides, static_cast<int>(i))];
    y[i] = op == ADD ? a[i] + second : op == MUL ? a[i] * second : second;
}

int poet_cuda_add(poet_stream stream, const float *a, const float *b, float *y, int n,
                  const poet_strides *strides)
{
    return POET_LAUNCH(combine<ADD>, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, a, b, y, n,
                       *strides);
}

int poet_cuda_mul(poet_stream stream, const float *a, const float *b, float *y, int n,
                  const poet_strides *strides)
{
    return POET_LAUNCH(combine<MUL>, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, a, b, y, n,
                       *strides);
}

int poet_cuda_expand(poet_stream stream, const float *b, float *y, int n,
                     const poet_strides *strides)
{
    return POET_LAUNCH(combine<SECOND>, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, nullptr,
                       b, y, n, *strides);
}

/* ---- one source ---- */

static __global__ void scale(const float *x, float factor, float *y, int n)
{
    int64_t i = poet_thread();
    if (i < n)
        y[i] = x[i] * factor;
}

int poet_cuda_scale(poet_stream stream, const float *x, float factor, float *y, int n)
{
    return POET_LAUNCH(scale, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, x, factor, y, n);
}

static __global__ void fill(float value, float *y, int n)
{
    int64_t i = poet_thread();
    if (i < n)
        y[i] = value;
}

int poet_cuda_fill(poet_stream stream, float value, float *y, int n)
{
    return POET_LAUNCH(fill, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, value, y, n);
}

template <typename From, typename To> static __global__ void cast(const From *x, To *y, int n)
{
    int64_t i = poet_thread();
    if (i < n)
        poet_store(y, i, poet_load(x, i));
}

template <typename From, typename To>
static int launch_cast(poet_stream stream, const void *x, void *y, int n)
{
    return POET_LAUNCH((cast<From, To>), poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream,
                       static_cast<const From *>(x), static_cast<To *>(y), n);
}

int poet_cuda_cast(poet_stream stream, poet_operand x, void *y, int y_bf16, int n)
{
    if (x.bf16)
        return y_bf16 ? launch_cast<uint16_t, uint16_t>(stream, x.data, y, n)
                      : launch_cast<uint16_t, float>(stream, x.data, y, n);
    return y_bf16 ? launch_cast<float, uint16_t>(stream, x.data, y, n)
                  : launch_cast<float, float>(stream, x.data, y, n);
}

/* ---- activations ---- */

static inline __device__ float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

static const float gelu_c = 0.7978845608F; /* sqrt(2 / pi) */

static inline __device__ float gelu_gate(float x)
{
    return sigmoid(2 * gelu_c * fmaf(x * x * 0.044715F, x, x));
}

template <int act> static inline __device__ float activate(float x)
{
    switch (act) {
    case POET_ACT_SILU: return x * sigmoid(x);
    case POET_ACT_GELU: return x * gelu_gate(x);
    case POET_ACT_RELU2: return x > 0 ? x * x : 0;
    case POET_ACT_TANH: return tanhf(x);
    default: return x;
    }
}

template <int act> static inline __device__ float slope(float x)
{
    switch (act) {
    case POET_ACT_SILU: {
        float s = sigmoid(x);
        return s * (1 + x * (1 - s));
    }
    case POET_ACT_GELU: {
        float g = gelu_gate(x);
        return g + x * g * (1 - g) * 2 * gelu_c * fmaf(x * x, 3 * 0.044715F, 1.0F);
    }
    case POET_ACT_RELU2: return x > 0 ? 2 * x : 0;
    case POET_ACT_TANH: {
        float e = expf(-2 * fabsf(x));
        return 4 * e / ((1 + e) * (1 + e));
    }
    default: return 1;
    }
}

template <int act> static __global__ void activation(const float *x, float *y, int n)
{
    int64_t i = poet_thread();
    if (i < n)
        y[i] = activate<act>(x[i]);
}

template <int act>
static __global__ void activation_bwd(const float *x, const float *dy, float *dx, int n)
{
    int64_t i = poet_thread();
    if (i < n)
        dx[i] = dy[i] * slope<act>(x[i]);
}

typedef int (*act_launcher)(poet_stream stream, const float *x, const float *dy, float *y, int n);

template <int act>
static int launch_act(poet_stream stream, const float *x, const float *, float *y, int n)
{
    return POET_LAUNCH(activation<act>, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, x, y, n);
}

template <int act>
static int launch_act_bwd(poet_stream stream, const float *x, const float *dy, float *dx, int n)
{
    return POET_LAUNCH(activation_bwd<act>, poet_blocks(n, POET_BLOCK), POET_BLOCK, 0, stream, x,
                       dy, dx, n);
}

int poet_cuda_act(poet_stream stream, int act, const float *x, float *y, int n)
{
    static const act_launcher launchers[] = {launch_act<POET_ACT_NONE>, launch_act<POET_ACT_SILU>,
                                             launch_act<POET_ACT_GELU>, launch_act<POET_ACT_RELU2>,
                                             launch_act<POET_ACT_TANH>};
    return launchers[act](stream, x, nullptr, y, n);
}

int poet_cuda_act_bwd(poet_stream stream, int act, const float *x, const float *dy, float *dx,
                      int n)
{
    static const act_launcher launchers[] = {
        launch_act_bwd<POET_ACT_NONE>, launch_act_bwd<POET_ACT_SILU>, launch_act_bwd<POET_ACT_GELU>,
        launch_act_bwd<POET_ACT_RELU2>, launch_act_bwd<POET_ACT_TANH>};
    return launchers[act](stream, x, dy, dx, n);
}

/* ---- dropout ---- */

static __global__ void dropout(const float *x, const int32_t *step, uint64_t seed,
                               uint32_t threshold, float factor, float *y, int n)
{
    int64_t four = poet_thread(), first = 4 * four;
    if (first >= n)
        return;
    uint64_t counter = static_cast<uint64_t>(static_cast<int64_t>(*step));
    poet_words words = poet_philox_words(seed, counter, static_cast<uint64_t>(four));
    for (int k = 0; k < 4; k++)
        if (first + k < n)
            y[first + k] = words.word[k] >= threshold ? x[first + k] * factor : 0;
}

int poet_cuda_dropout(poet_stream stream, const float *x, const int32_t *step, uint64_t seed,
                      uint32_t threshold, float factor, float *y, int n)
{
    return POET_LAUNCH(dropout, poet_blocks((n + 3LL) / 4, POET_BLOCK), POET_BLOCK, 0, stream, x,
                       step, seed, threshold, factor, y, n);
}

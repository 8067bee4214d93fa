/* Causal convolution as matrix products whose operands compute where their elements lie ("implicit GEMM": Chetlur et al.,
 * "cuDNN: efficient primitives for deep learning", 2014). With P pixels (b,t,i,j) and taps (dt,di,dj):
 *
 *     y  (P, co)       = X (P, (tap,ci))  w (co, (tap,ci))'      X(p, tap, c) = x(p + shift(tap), c)
 *     dx (P, ci)       = D (P, (tap,co))  w (ci, (tap,co))'      D(p, tap, o) = dy(p - shift(tap), o)
 *     dw (co,(tap,ci)) = dy (co, P)       X ((tap,ci), P)'
 *
 * with shift = (dt - kT + 1, di - kH/2, dj - kW/2), and 0 outside of the clip. */
#include "cuda/kernels/conv3d.h"
#include "cuda/kernels/divide.cuh"
#include "cuda/kernels/gemm.cuh"

/* ---- where taps look ---- */

struct field {
    int kt;
    poet_divisor frames, height, width, kh, kw;
};

/* The pixel at which `pixel` looks by a tap, way 1, or which looks at it, way -1; negative outside of the clip. */
template <int way> static inline __device__ int neighbour(const field &f, int pixel, int tap)
{
    int line = poet_divide(pixel, f.width), frame = poet_divide(line, f.height);
    int j = pixel - line * f.width.by, i = line - frame * f.height.by;
    int t = frame - poet_divide(frame, f.frames) * f.frames.by;
    int tap_line = poet_divide(tap, f.kw), tap_frame = poet_divide(tap_line, f.kh);
    int dj = tap - tap_line * f.kw.by - f.kw.by / 2;
    int di = tap_line - tap_frame * f.kh.by - f.kh.by / 2;
    int dt = tap_frame - f.kt + 1;
    t += way * dt;
    i += way * di;
    j += way * dj;
    bool inside =
        t >= 0 && t < f.frames.by && i >= 0 && i < f.height.by && j >= 0 && j < f.width.by;
    return inside ? pixel + way * ((dt * f.height.by + di) * f.width.by + dj) : -1;
}

/* ---- operands ---- */

/* What the taps of each pixel see of x (pixels,channels): rows are pixels, k is (tap,channel). */
template <typename T, int way> struct seen {
    static const bool along_k = true;
    typedef T element;
    const T *x;
    field where;
    poet_divisor channels;
    int pixels, n_k;

    __device__ T raw(int pixel, int k) const
    {
        if (pixel >= pixels || k >= n_k)
            return 0;
        int tap = poet_divide(k, channels), from = neighbour<way>(where, pixel, tap);
        return from < 0 ? T() : x[from * channels.by + k - tap * channels.by];
    }
};

/* w (co,taps,ci): rows are channels of x, k is (tap,channel of y). */
template <typename T> struct weights_back {
    static const bool along_k = false;
    typedef T element;
    const T *w;
    poet_divisor co;
    int taps, ci;

    __device__ T raw(int c, int k) const
    {
        int tap = poet_divide(k, co), o = k - tap * co.by;
        return c < ci && tap < taps ? w[(o * taps + tap) * ci + c] : T();
    }
};

static field field_of(const poet_conv3d_sizes *s)
{
    return {s->kt,
            poet_divisor_of(s->frames),
            poet_divisor_of(s->height),
            poet_divisor_of(s->width),
            poet_divisor_of(s->kh),
            poet_divisor_of(s->kw)};
}

static int pixels_of(const poet_conv3d_sizes *s)
{
    return s->batch * s->frames * s->height * s->width;
}

static int taps_of(const poet_conv3d_sizes *s)
{
    return s->kt * s->kh * s->kw;
}

template <typename T, int way>
static seen<T, way> seen_of(const poet_conv3d_sizes *s, const void *x, int channels)
{
    return {static_cast<const T *>(x), field_of(s), poet_divisor_of(channels), pixels_of(s),
            taps_of(s) * channels};
}

/* ---- products ---- */

static poet_gemm_plan plan_of(const poet_conv3d_sizes *s, int m, int n, int k)
{
    poet_gemm_plan plan = poet_cuda_gemm_plan(m, n, k);
    plan.tensor_cores = s->tensor_cores;
    return plan;
}

poet_gemm_plan poet_cuda_conv3d_plan(const poet_conv3d_sizes *sizes)
{
    return plan_of(sizes, pixels_of(sizes), sizes->co, taps_of(sizes) * sizes->ci);
}

poet_gemm_plan poet_cuda_conv3d_dx_plan(const poet_conv3d_sizes *sizes)
{
    return plan_of(sizes, pixels_of(sizes), sizes->ci, taps_of(sizes) * sizes->co);
}

poet_gemm_plan poet_cuda_conv3d_dw_plan(const poet_conv3d_sizes *sizes)
{
    return plan_of(sizes, sizes->co, taps_of(sizes) * sizes->ci, pixels_of(sizes));
}

template <typename T>
static int forward(poet_stream stream, const void *x, const void *w, const float *bias, float *y,
                   float *parts, const poet_conv3d_sizes *s)
{
    poet_gemm_plan plan = poet_cuda_conv3d_plan(s);
    poet_matrix<T, true> b = {static_cast<const T *>(w), plan.n, plan.k};
    return poet_launch_gemm(stream, seen_of<T, 1>(s, x, s->ci), b, bias, y, parts, &plan);
}

int poet_cuda_conv3d(poet_stream stream, poet_operand x, poet_operand w, const float *bias,
                     float *y, float *parts, const poet_conv3d_sizes *sizes)
{
    return x.bf16 ? forward<uint16_t>(stream, x.data, w.data, bias, y, parts, sizes)
                  : forward<float>(stream, x.data, w.data, bias, y, parts, sizes);
}

template <typename T>
static int to_x(poet_stream stream, const void *dy, const void *w, float *dx, float *parts,
                const poet_conv3d_sizes *s)
{
    poet_gemm_plan plan = poet_cuda_conv3d_dx_plan(s);
    weights_back<T> b = {static_cast<const T *>(w), poet_divisor_of(s->co), taps_of(s), s->ci};
    return poet_launch_gemm(stream, seen_of<T, -1>(s, dy, s->co), b, nullptr, dx, parts, &plan);
}

int poet_cuda_conv3d_dx(poet_stream stream, poet_operand dy, poet_operand w, float *dx,
                        float *parts, const poet_conv3d_sizes *sizes)
{
    return dy.bf16 ? to_x<uint16_t>(stream, dy.data, w.data, dx, parts, sizes)
                   : to_x<float>(stream, dy.data, w.data, dx, parts, sizes);
}

template <typename T>
static int to_w(poet_stream stream, const void *x, const void *dy, float *dw, float *parts,
                const poet_conv3d_sizes *s)
{
    poet_gemm_plan plan = poet_cuda_conv3d_dw_plan(s);
    poet_matrix<T, false> a = {static_cast<const T *>(dy), plan.m, plan.k};
    poet_turned<seen<T, 1>> b = {seen_of<T, 1>(s, x, s->ci)};
    return poet_launch_gemm(stream, a, b, nullptr, dw, parts, &plan);
}

int poet_cuda_conv3d_dw(poet_stream stream, poet_operand x, poet_operand dy, float *dw,
                        float *parts, const poet_conv3d_sizes *sizes)
{
    return x.bf16 ? to_w<uint16_t>(stream, x.data, dy.data, dw, parts, sizes)
                  : to_w<float>(stream, x.data, dy.data, dw, parts, sizes);
}

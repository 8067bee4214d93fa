/* What a .cu file sees when it is compiled as host C++: CUDA's keywords, types and functions, as far as the kernels use
 * them, over simt.h. Functions have the names and meanings of the CUDA C++ Programming Guide. */
#pragma once

#include "cuda/simt/simt.h"

#include <cmath>
#include <cstring>
#include <tuple>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
/* One block runs at a time; the section lets simt.c poison it before each. */
#define __shared__ static __attribute__((section("poet_simt_shared")))

struct dim3 {
    unsigned x, y, z;

    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

struct alignas(8) float2 {
    float x, y;
};

struct alignas(16) float4 {
    float x, y, z, w;
};

struct alignas(8) uint2 {
    unsigned x, y;
};

struct alignas(16) uint4 {
    unsigned x, y, z, w;
};

#define threadIdx (poet_simt_now->thread)
#define blockIdx (poet_simt_now->block)
#define blockDim (poet_simt_now->block_dim)
#define gridDim (poet_simt_now->grid_dim)
#define warpSize 32

/* ---- launches ---- */

namespace poet_simt
{
template <typename T> struct as_declared {
    using type = T;
};

template <typename... P> struct bound {
    void (*kernel)(P...);
    std::tuple<P...> arguments;
};

template <typename... P> void call(const void *opaque)
{
    const bound<P...> *b = static_cast<const bound<P...> *>(opaque);
    std::apply(b->kernel, b->arguments);
}

/* Arguments are converted to the kernel's parameters once, on the host. */
template <typename... P>
int launch(dim3 grid, dim3 block, size_t shared_bytes, void (*kernel)(P...),
           typename as_declared<P>::type... arguments)
{
    bound<P...> b = {kernel, std::tuple<P...>(arguments...)};
    return poet_simt_launch({grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared_bytes,
                            call<P...>, &b, sizeof b);
}

template <typename T> uint64_t to_bits(T value)
{
    static_assert(std::is_trivially_copyable<T>::value && sizeof(T) <= sizeof(uint64_t),
                  "a register");
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
}

template <typename T> T from_bits(uint64_t bits)
{
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline unsigned lane_now()
{
    unsigned t = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    return t % warpSize;
}

/* The lane to read: within the segment of `width` lanes, one's own where that is left. */
enum direction { FROM, UP, DOWN, CROSS };

inline unsigned source_lane(direction way, int by, int width)
{
    int lane = static_cast<int>(lane_now()), first = lane / width * width, in = lane - first;
    int to = way == FROM ? by % width : way == UP ? in - by : way == DOWN ? in + by : in ^ by;
    bool inside = to >= 0 && to < width;
    return static_cast<unsigned>(inside ? first + to : lane);
}

template <typename T>
T shuffle(poet_simt_place place, direction way, unsigned mask, T value, int by,
          int width = warpSize)
{
    return from_bits<T>(
        poet_simt_warp(place, POET_SIMT_READ, mask, to_bits(value), source_lane(way, by, width)));
}

inline unsigned ballot(poet_simt_place place, unsigned mask, bool vote)
{
    return static_cast<unsigned>(poet_simt_warp(place, POET_SIMT_BALLOT, mask, vote, 0));
}

inline unsigned mask_of_block()
{
    unsigned n = blockDim.x * blockDim.y * blockDim.z;
    unsigned t = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    unsigned left = n - t / warpSize * warpSize;
    return left >= warpSize ? 0xFFFFFFFFU : (1U << left) - 1;
}

inline bool all(poet_simt_place place, unsigned mask, bool vote)
{
    return ballot(place, mask, !vote) == 0;
}
} // namespace poet_simt

#define POET_SIMT_HERE (poet_simt_place{__FILE__, __LINE__})

#define __syncthreads() poet_simt_barrier(POET_SIMT_HERE)
#define __syncwarp(...)                                                                            \
    ((void)poet_simt_warp(POET_SIMT_HERE, POET_SIMT_SYNC, poet_simt::mask_of_block(), 0, 0))
#define __shfl_sync(mask, ...)                                                                     \
    poet_simt::shuffle(POET_SIMT_HERE, poet_simt::FROM, mask, __VA_ARGS__)
#define __shfl_up_sync(mask, ...)                                                                  \
    poet_simt::shuffle(POET_SIMT_HERE, poet_simt::UP, mask, __VA_ARGS__)
#define __shfl_down_sync(mask, ...)                                                                \
    poet_simt::shuffle(POET_SIMT_HERE, poet_simt::DOWN, mask, __VA_ARGS__)
#define __shfl_xor_sync(mask, ...)                                                                 \
    poet_simt::shuffle(POET_SIMT_HERE, poet_simt::CROSS, mask, __VA_ARGS__)
#define __ballot_sync(mask, vote) poet_simt::ballot(POET_SIMT_HERE, mask, vote)
#define __any_sync(mask, vote) (poet_simt::ballot(POET_SIMT_HERE, mask, vote) != 0)
#define __all_sync(mask, vote) poet_simt::all(POET_SIMT_HERE, mask, vote)

/* ---- functions ---- */

using std::isfinite;

template <typename T> T __ldg(const T *address)
{
    return *address;
}

inline unsigned __float_as_uint(float x)
{
    return poet_simt::from_bits<unsigned>(poet_simt::to_bits(x));
}

inline float __uint_as_float(unsigned x)
{
    return poet_simt::from_bits<float>(x);
}

inline unsigned __umulhi(unsigned a, unsigned b)
{
    return static_cast<unsigned>(static_cast<uint64_t>(a) * b >> 32);
}

inline int __popc(unsigned x)
{
    return __builtin_popcount(x);
}

inline int __ffs(int x)
{
    return __builtin_ffs(x);
}

inline int __clz(int x)
{
    return x ? __builtin_clz(static_cast<unsigned>(x)) : 32;
}

inline int __float2int_rn(float x)
{
    return static_cast<int>(std::nearbyint(x));
}

inline float rsqrtf(float x)
{
    return 1 / std::sqrt(x);
}

/* Four products of signed bytes, summed onto c (compute capability 6.1). */
inline int __dp4a(int a, int b, int c)
{
    for (int shift = 0; shift < 32; shift += 8)
        c += static_cast<int8_t>(a >> shift) * static_cast<int8_t>(b >> shift);
    return c;
}

template <typename T> T min(T a, T b)
{
    return b < a ? b : a;
}

template <typename T> T max(T a, T b)
{
    return a < b ? b : a;
}

/* A half is its bits (cuda_fp16.h). */
struct __half {
    unsigned short bits;
};

inline __half __ushort_as_half(unsigned short bits)
{
    return {bits};
}

inline unsigned short __half_as_ushort(__half x)
{
    return x.bits;
}

inline float __half2float(__half x)
{
    int exponent = x.bits >> 10 & 31, fraction = x.bits & 1023;
    float size = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                               : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
    if (exponent == 31)
        size = fraction ? NAN : INFINITY;
    return x.bits >> 15 ? -size : size;
}

/* Units are 2^-24 below 2^-13, where the bits count them, and twice as much for each power of two from there. */
inline __half __float2half_rn(float x)
{
    float size = std::fabs(x);
    int sign = std::signbit(x) ? 0x8000 : 0, exponent = 0;
    if (std::isnan(x))
        return {0x7FFF};
    if (size >= 65520)
        return {static_cast<unsigned short>(sign | 0x7C00)};
    std::frexp(size, &exponent);
    int doublings = size < 0x1p-13F ? 0 : exponent + 13;
    int units = static_cast<int>(std::nearbyint(std::ldexp(size, 24 - doublings)));
    return {static_cast<unsigned short>(sign | (doublings * 1024 + units))};
}

/* Fibers do not interrupt each other: plain reads and writes are atomic. */
template <typename T> T atomicMin(T *address, T value)
{
    T old = *address;
    *address = min(old, value);
    return old;
}

template <typename T> T atomicAdd(T *address, T value)
{
    static_assert(std::is_integral<T>::value, "sums of floats in no fixed order");
    T old = *address;
    *address = old + value;
    return old;
}

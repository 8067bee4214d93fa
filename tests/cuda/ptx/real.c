/* Operations on f32 and f64, and conversions from and to 16 bits (PTX ISA, "Floating-Point Instructions"). */
#include "tests/cuda/ptx/machine_internal.h"

#include <math.h>
#include <string.h>

static float f32(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float x;
    memcpy(&x, &low, sizeof x);
    return x;
}

static double f64(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint64_t of_f32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint64_t of_f64(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

#define OPERATION(name, value)                                                                     \
    static uint64_t name(uint64_t a, uint64_t b, uint64_t c)                                       \
    {                                                                                              \
        (void)a;                                                                                   \
        (void)b;                                                                                   \
        (void)c;                                                                                   \
        return (value);                                                                            \
    }

/* The same for both types. -0 is below +0, and a number is preferred to what is none. */
#define ARITHMETIC(type, real, FMA, SQRT, MIN, MAX, ABS, SIGN)                                     \
    OPERATION(add_##type, of_##type(type(a) + type(b)))                                            \
    OPERATION(sub_##type, of_##type(type(a) - type(b)))                                            \
    OPERATION(mul_##type, of_##type(type(a) * type(b)))                                            \
    OPERATION(div_##type, of_##type(type(a) / type(b)))                                            \
    OPERATION(rcp_##type, of_##type(1 / type(a)))                                                  \
    OPERATION(fma_##type, of_##type(FMA(type(a), type(b), type(c))))                               \
    OPERATION(sqrt_##type, of_##type(SQRT(type(a))))                                               \
    OPERATION(neg_##type, of_##type(-type(a)))                                                     \
    OPERATION(abs_##type, of_##type(ABS(type(a))))                                                 \
    OPERATION(copysign_##type, of_##type(SIGN(type(b), type(a))))                                  \
    OPERATION(min_##type, type(a) == type(b) ? a | b : of_##type(MIN(type(a), type(b))))           \
    OPERATION(max_##type, type(a) == type(b) ? a & b : of_##type(MAX(type(a), type(b))))           \
    OPERATION(eq_##type, type(a) == type(b))                                                       \
    OPERATION(ne_##type, type(a) < type(b) || type(a) > type(b))                                   \
    OPERATION(lt_##type, type(a) < type(b))                                                        \
    OPERATION(le_##type, type(a) <= type(b))                                                       \
    OPERATION(gt_##type, type(a) > type(b))                                                        \
    OPERATION(ge_##type, type(a) >= type(b))                                                       \
    OPERATION(equ_##type, !(type(a) < type(b) || type(a) > type(b)))                               \
    OPERATION(neu_##type, !(type(a) == type(b)))                                                   \
    OPERATION(ltu_##type, !(type(a) >= type(b)))                                                   \
    OPERATION(leu_##type, !(type(a) > type(b)))                                                    \
    OPERATION(gtu_##type, !(type(a) <= type(b)))                                                   \
    OPERATION(geu_##type, !(type(a) < type(b)))                                                    \
    OPERATION(num_##type, !isnan(type(a)) && !isnan(type(b)))                                      \
    OPERATION(nan_##type, isnan(type(a)) || isnan(type(b)))                                        \
    OPERATION(nearest_##type, of_##type((real)nearbyint((double)type(a))))                         \
    OPERATION(down_##type, of_##type((real)floor((double)type(a))))                                \
    OPERATION(up_##type, of_##type((real)ceil((double)type(a))))                                   \
    OPERATION(towards_0_##type, of_##type((real)trunc((double)type(a))))

ARITHMETIC(f32, float, fmaf, sqrtf, fminf, fmaxf, fabsf, copysignf)
ARITHMETIC(f64, double, fma, sqrt, fmin, fmax, fabs, copysign)

/* a b + c, rounded downwards: the product is exact in f64, and `error` is what the sum there loses (Knuth's TwoSum), so
 * that the sum to nearest can be compared with the exact one. */
static uint64_t fma_down_f32(uint64_t a, uint64_t b, uint64_t c)
{
    float nearest = fmaf(f32(a), f32(b), f32(c));
    double product = (double)f32(a) * (double)f32(b), addend = (double)f32(c);
    double sum = product + addend, part = sum - product;
    double error = (product - (sum - part)) + (addend - part);
    bool above = (double)nearest > sum || ((double)nearest == sum && error < 0);
    return of_f32(isfinite(sum) && above ? nextafterf(nearest, -INFINITY) : nearest);
}

/* To 0..1; what is no number becomes 0. */
OPERATION(saturate_f32, of_f32(f32(a) > 0 ? fminf(f32(a), 1) : 0))

/* ---- approximations ---- */

static float without_subnormals(float x)
{
    return fabsf(x) < 0x1p-126F ? copysignf(0, x) : x;
}

/* x is off by half of 2^-bits, up or down by the bits of the argument: the bounds of tests/parity leave room for that, not
 * for all that the ISA allows a card. */
static float off(double x, uint64_t argument, int bits)
{
    double part = argument * 0x9E3779B97F4A7C15U >> 63 ? 1 : -1;
    return (float)(x * (1 + part * ldexp(0.5, -bits)));
}

/* "Maximum relative error 2^-22", and 1 of zero. */
static float ex2(float x, uint64_t argument)
{
    return x < 0 || x > 0 ? off(exp2((double)x), argument, 22) : exp2f(x);
}

OPERATION(ex2_f32, of_f32(ex2(f32(a), a)))
OPERATION(ex2_ftz_f32, of_f32(without_subnormals(ex2(without_subnormals(f32(a)), a))))
/* "Maximum absolute error 2^-22 when 0.5 < a < 2, relative 2^-22 outside." */
OPERATION(lg2_f32, of_f32(off(log2((double)f32(a)), a, 22)))
/* "Maximum relative error 2^-22.4." */
OPERATION(rsqrt_f32, of_f32(off(1 / sqrt((double)f32(a)), a, 23)))
/* "Maximum 1 ulp." */
OPERATION(rcp_ftz_f32,
          of_f32(without_subnormals(off(1 / (double)without_subnormals(f32(a)), a, 24))))

/* "Gross": of the argument's upper 32 bits, and the lower ones of the result are zero. */
OPERATION(rcp_gross_f64, of_f64(1 / f64(a & ~(uint64_t)UINT32_MAX)) & ~(uint64_t)UINT32_MAX)

/* ---- conversions: reals outside the range become its end, what is no number becomes 0 ---- */

static uint64_t to_integer(double x, double low, double high, uint64_t lowest, uint64_t highest)
{
    if (isnan(x))
        return 0;
    if (x <= low)
        return lowest;
    if (x >= high)
        return highest;
    return x < 0 ? (uint64_t)(int64_t)x : (uint64_t)x;
}

static uint64_t to_s32(double x)
{
    return (uint32_t)to_integer(x, -0x1p31, 0x1p31 - 1, (uint32_t)INT32_MIN, INT32_MAX);
}

static uint64_t to_u32(double x)
{
    return to_integer(x, 0, 0x1p32 - 1, 0, UINT32_MAX);
}

static uint64_t to_s64(double x)
{
    return to_integer(x, -0x1p63, 0x1p63, (uint64_t)INT64_MIN, INT64_MAX);
}

static uint64_t to_u64(double x)
{
    return to_integer(x, 0, 0x1p64, 0, UINT64_MAX);
}

/* IEEE 754: 10 bits behind the point, exponents from -14 to 15. */
static double f16_value(uint64_t bits)
{
    double fraction = (double)(bits & 0x3FF) / 1024, sign = bits & 0x8000 ? -1 : 1;
    int exponent = (int)(bits >> 10 & 0x1F);
    if (exponent == 31)
        return fraction > 0 ? (double)NAN : sign * (double)INFINITY;
    return sign * (exponent ? ldexp(1 + fraction, exponent - 15) : ldexp(fraction, -14));
}

/* The multiple of the last bit that is nearest, and its pattern: patterns of sizes are in ascending order. */
static uint64_t f16_bits(double x)
{
    uint64_t sign = signbit(x) ? 0x8000 : 0;
    double size = fabs(x);
    if (isnan(x))
        return 0x7FFF;
    if (size >= 65520)
        return sign | 0x7C00;
    int exponent = size < 0x1p-14 ? -14 : ilogb(size);
    double steps = nearbyint(ldexp(size, 10 - exponent));
    return sign | (uint64_t)(steps + 1024 * (exponent + 14));
}

OPERATION(f16_to_f32, of_f32((float)f16_value(a)))
OPERATION(f32_to_f16, f16_bits((double)f32(a)))
OPERATION(bf16_to_f32, a << 16 & UINT32_MAX)
OPERATION(f32_to_f64, of_f64((double)f32(a)))
OPERATION(f64_to_f32, of_f32((float)f64(a)))
OPERATION(s32_to_f32, of_f32((float)(int32_t)(uint32_t)a))
OPERATION(u32_to_f32, of_f32((float)(uint32_t)a))
OPERATION(u16_to_f32, of_f32((float)(uint16_t)a))
OPERATION(s64_to_f32, of_f32((float)(int64_t)a))
OPERATION(u64_to_f32, of_f32((float)a))
OPERATION(s32_to_f64, of_f64((double)(int32_t)(uint32_t)a))
OPERATION(u32_to_f64, of_f64((double)(uint32_t)a))
OPERATION(s64_to_f64, of_f64((double)(int64_t)a))
OPERATION(u64_to_f64, of_f64((double)a))
OPERATION(f32_nearest_s32, to_s32(nearbyint((double)f32(a))))
OPERATION(f32_trunc_s32, to_s32(trunc((double)f32(a))))
OPERATION(f32_floor_s32, to_s32(floor((double)f32(a))))
OPERATION(f32_trunc_u32, to_u32(trunc((double)f32(a))))
OPERATION(f32_trunc_s64, to_s64(trunc((double)f32(a))))
OPERATION(f32_trunc_u64, to_u64(trunc((double)f32(a))))
OPERATION(f64_trunc_s32, to_s32(trunc(f64(a))))
OPERATION(f64_trunc_u32, to_u32(trunc(f64(a))))
OPERATION(f64_trunc_s64, to_s64(trunc(f64(a))))
OPERATION(f64_trunc_u64, to_u64(trunc(f64(a))))

#define ROW(name, type, function)                                                                  \
    {                                                                                              \
        name "." #type, function##_##type                                                          \
    }
#define ROWS(type)                                                                                 \
    ROW("add", type, add), ROW("add.rn", type, add), ROW("sub", type, sub),                        \
        ROW("sub.rn", type, sub), ROW("mul", type, mul), ROW("mul.rn", type, mul),                 \
        ROW("div.rn", type, div), ROW("rcp.rn", type, rcp), ROW("fma.rn", type, fma),              \
        ROW("sqrt.rn", type, sqrt), ROW("neg", type, neg), ROW("abs", type, abs),                  \
        ROW("copysign", type, copysign), ROW("min", type, min), ROW("max", type, max),             \
        ROW("setp.eq", type, eq), ROW("setp.ne", type, ne), ROW("setp.lt", type, lt),              \
        ROW("setp.le", type, le), ROW("setp.gt", type, gt), ROW("setp.ge", type, ge),              \
        ROW("setp.equ", type, equ), ROW("setp.neu", type, neu), ROW("setp.ltu", type, ltu),        \
        ROW("setp.leu", type, leu), ROW("setp.gtu", type, gtu), ROW("setp.geu", type, geu),        \
        ROW("setp.num", type, num), ROW("setp.nan", type, nan),                                    \
        ROW("cvt.rni." #type, type, nearest), ROW("cvt.rmi." #type, type, down),                   \
        ROW("cvt.rpi." #type, type, up), ROW("cvt.rzi." #type, type, towards_0)

const ptx_operation ptx_real_operations[] = {ROWS(f32),
                                             ROWS(f64),
                                             {"fma.rm.f32", fma_down_f32},
                                             {"cvt.sat.f32.f32", saturate_f32},
                                             {"ex2.approx.f32", ex2_f32},
                                             {"ex2.approx.ftz.f32", ex2_ftz_f32},
                                             {"lg2.approx.f32", lg2_f32},
                                             {"rsqrt.approx.f32", rsqrt_f32},
                                             {"rcp.approx.ftz.f32", rcp_ftz_f32},
                                             {"rcp.approx.ftz.f64", rcp_gross_f64},
                                             {"cvt.f32.f16", f16_to_f32},
                                             {"cvt.rn.f16.f32", f32_to_f16},
                                             {"cvt.f32.bf16", bf16_to_f32},
                                             {"cvt.f64.f32", f32_to_f64},
                                             {"cvt.rn.f32.f64", f64_to_f32},
                                             {"cvt.rn.f32.s32", s32_to_f32},
                                             {"cvt.rn.f32.u32", u32_to_f32},
                                             {"cvt.rn.f32.u16", u16_to_f32},
                                             {"cvt.rn.f32.s64", s64_to_f32},
                                             {"cvt.rn.f32.u64", u64_to_f32},
                                             {"cvt.rn.f64.s32", s32_to_f64},
                                             {"cvt.rn.f64.u32", u32_to_f64},
                                             {"cvt.rn.f64.s64", s64_to_f64},
                                             {"cvt.rn.f64.u64", u64_to_f64},
                                             {"cvt.rni.s32.f32", f32_nearest_s32},
                                             {"cvt.rzi.s32.f32", f32_trunc_s32},
                                             {"cvt.rmi.s32.f32", f32_floor_s32},
                                             {"cvt.rzi.u32.f32", f32_trunc_u32},
                                             {"cvt.rzi.s64.f32", f32_trunc_s64},
                                             {"cvt.rzi.u64.f32", f32_trunc_u64},
                                             {"cvt.rzi.s32.f64", f64_trunc_s32},
                                             {"cvt.rzi.u32.f64", f64_trunc_u32},
                                             {"cvt.rzi.s64.f64", f64_trunc_s64},
                                             {"cvt.rzi.u64.f64", f64_trunc_u64},
                                             {NULL, NULL}};

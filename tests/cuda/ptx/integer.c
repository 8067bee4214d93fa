/* Operations on integers, bits and predicates (PTX ISA, "Integer Arithmetic", "Comparison and Selection", "Logic and Shift"). */
#include "tests/cuda/ptx/machine_internal.h"

#define U16(x) ((uint16_t)(x))
#define U32(x) ((uint32_t)(x))
#define S32(x) ((int32_t)(uint32_t)(x))
#define U64(x) ((uint64_t)(x))
#define S64(x) ((int64_t)(x))

#define OPERATION(name, value)                                                                     \
    static uint64_t name(uint64_t a, uint64_t b, uint64_t c)                                       \
    {                                                                                              \
        (void)a;                                                                                   \
        (void)b;                                                                                   \
        (void)c;                                                                                   \
        return U64(value);                                                                         \
    }

/* ---- sums and products: the lower bits do not know of signs ---- */

OPERATION(add_32, U32(a + b))
OPERATION(add_64, a + b)
OPERATION(sub_32, U32(a - b))
OPERATION(sub_64, a - b)
OPERATION(neg_32, U32(0 - a))
OPERATION(neg_64, 0 - a)
OPERATION(mul_lo_32, U32(a *b))
OPERATION(mul_lo_64, a *b)
OPERATION(mad_lo_32, U32(a *b + c))
OPERATION(mad_lo_64, a *b + c)
OPERATION(mul_wide_u16, U32(U16(a)) * U16(b))
OPERATION(mul_wide_u32, U64(U32(a)) * U32(b))
OPERATION(mul_wide_s32, S64(S32(a)) * S32(b))
OPERATION(mad_wide_u32, U64(U32(a)) * U32(b) + c)
OPERATION(mad_wide_s32, U64(S64(S32(a)) * S32(b)) + c)
OPERATION(mul_hi_u32, U64(U32(a)) * U32(b) >> 32)
OPERATION(mul_hi_s32, U32(U64(S64(S32(a)) * S32(b)) >> 32))
__extension__ typedef unsigned __int128 product_128;
OPERATION(mul_hi_u64, (product_128)a *b >> 64)
OPERATION(abs_32, S32(a) < 0 ? U32(0 - a) : U32(a))

/* Division by zero gives all ones; the smallest number by -1 gives itself. */
OPERATION(div_u32, U32(b) ? U32(a) / U32(b) : U32(-1))
OPERATION(div_s32, U32(b) ? U32(S64(S32(a)) / S32(b)) : U32(-1))
OPERATION(div_u64, b ? a / b : U64(-1))
OPERATION(div_s64, b == 0 ? U64(-1) : b == U64(-1) ? 0 - a : U64(S64(a) / S64(b)))
OPERATION(rem_u32, U32(b) ? U32(a) % U32(b) : U32(a))
OPERATION(rem_s32, U32(b) ? U32(S64(S32(a)) % S32(b)) : U32(a))
OPERATION(rem_u64, b ? a % b : a)
OPERATION(rem_s64, b == 0 ? a : b == U64(-1) ? 0 : U64(S64(a) % S64(b)))

OPERATION(min_u32, U32(a) < U32(b) ? U32(a) : U32(b))
OPERATION(min_s32, S32(a) < S32(b) ? U32(a) : U32(b))
OPERATION(min_u64, a < b ? a : b)
OPERATION(min_s64, S64(a) < S64(b) ? a : b)
OPERATION(max_u32, U32(a) > U32(b) ? U32(a) : U32(b))
OPERATION(max_s32, S32(a) > S32(b) ? U32(a) : U32(b))
OPERATION(max_u64, a > b ? a : b)
OPERATION(max_s64, S64(a) > S64(b) ? a : b)

/* Four products of signed bytes, summed onto c. */
static uint64_t dp4a(uint64_t a, uint64_t b, uint64_t c)
{
    uint32_t sum = U32(c);
    for (int i = 0; i < 32; i += 8)
        sum += U32((int8_t)(a >> i) * (int8_t)(b >> i));
    return sum;
}

/* ---- bits ---- */

OPERATION(and_, a &b)
OPERATION(or_, a | b)
OPERATION(xor_, a ^ b)
OPERATION(not_16, U16(~a))
OPERATION(not_32, U32(~a))
OPERATION(not_64, ~a)
OPERATION(not_pred, !(a & 1))

/* Shifts beyond the width move everything out. */
OPERATION(shl_32, U32(b) < 32 ? U32(a << U32(b)) : 0)
OPERATION(shl_64, U32(b) < 64 ? a << U32(b) : 0)
OPERATION(shr_u32, U32(b) < 32 ? U32(a) >> U32(b) : 0)
OPERATION(shr_s32, U32(S32(a) >> (U32(b) < 31 ? U32(b) : 31)))
OPERATION(shr_u64, U32(b) < 64 ? a >> U32(b) : 0)
OPERATION(shr_s64, S64(a) >> (U32(b) < 63 ? U32(b) : 63))

OPERATION(popc_32, __builtin_popcount(U32(a)))
OPERATION(clz_32, U32(a) ? __builtin_clz(U32(a)) : 32)
OPERATION(bfind_shift_u32, U32(a) ? U32(__builtin_clz(U32(a))) : U32(-1))

static uint64_t brev_32(uint64_t a, uint64_t b, uint64_t c)
{
    uint32_t out = 0;
    (void)b;
    (void)c;
    for (int i = 0; i < 32; i++)
        out |= U32(a >> i & 1) << (31 - i);
    return out;
}

static uint64_t bfe_u32(uint64_t a, uint64_t position, uint64_t length)
{
    unsigned from = position & 255, bits = length & 255;
    uint32_t moved = from < 32 ? U32(a) >> from : 0;
    return bits < 32 ? moved & ((1U << bits) - 1) : moved;
}

/* Each nibble of c names one of the eight bytes of b and a, its upper bit asks for the byte's sign. */
static uint64_t prmt_b32(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t eight = U64(U32(b)) << 32 | U32(a);
    uint32_t out = 0;
    for (int i = 0; i < 4; i++) {
        unsigned choice = c >> 4 * i & 15;
        uint8_t byte = (uint8_t)(eight >> 8 * (choice & 7));
        if (choice & 8)
            byte = byte & 0x80 ? 0xFF : 0;
        out |= U32(byte) << 8 * i;
    }
    return out;
}

/* ---- choice and conversion ---- */

OPERATION(move, a)
OPERATION(move_pred, (a & 1))
OPERATION(selp, c & 1 ? a : b)
OPERATION(to_u16, U16(a))
OPERATION(to_u32, U32(a))
OPERATION(s32_to_s64, S64(S32(a)))
OPERATION(u16_to_u32, U16(a))
OPERATION(s16_to_s32, U32((int16_t)U16(a)))

#define COMPARISONS(type, CAST)                                                                    \
    OPERATION(eq_##type, CAST(a) == CAST(b))                                                       \
    OPERATION(ne_##type, CAST(a) != CAST(b))                                                       \
    OPERATION(lt_##type, CAST(a) < CAST(b))                                                        \
    OPERATION(le_##type, CAST(a) <= CAST(b))                                                       \
    OPERATION(gt_##type, CAST(a) > CAST(b))                                                        \
    OPERATION(ge_##type, CAST(a) >= CAST(b))

COMPARISONS(u16, U16)
COMPARISONS(u32, U32)
COMPARISONS(s32, S32)
COMPARISONS(u64, U64)
COMPARISONS(s64, S64)

#define COMPARISON_ROWS(type)                                                                      \
    {"setp.eq." #type, eq_##type}, {"setp.ne." #type, ne_##type}, {"setp.lt." #type, lt_##type},   \
        {"setp.le." #type, le_##type}, {"setp.gt." #type, gt_##type},                              \
    {                                                                                              \
        "setp.ge." #type, ge_##type                                                                \
    }

const ptx_operation ptx_integer_operations[] = {{"add.s32", add_32},
                                                {"add.u32", add_32},
                                                {"add.s64", add_64},
                                                {"add.u64", add_64},
                                                {"sub.s32", sub_32},
                                                {"sub.u32", sub_32},
                                                {"sub.s64", sub_64},
                                                {"sub.u64", sub_64},
                                                {"neg.s32", neg_32},
                                                {"neg.s64", neg_64},
                                                {"abs.s32", abs_32},
                                                {"mul.lo.s32", mul_lo_32},
                                                {"mul.lo.u32", mul_lo_32},
                                                {"mul.lo.s64", mul_lo_64},
                                                {"mul.lo.u64", mul_lo_64},
                                                {"mad.lo.s32", mad_lo_32},
                                                {"mad.lo.u32", mad_lo_32},
                                                {"mad.lo.s64", mad_lo_64},
                                                {"mad.lo.u64", mad_lo_64},
                                                {"mul.wide.u16", mul_wide_u16},
                                                {"mul.wide.u32", mul_wide_u32},
                                                {"mul.wide.s32", mul_wide_s32},
                                                {"mad.wide.u32", mad_wide_u32},
                                                {"mad.wide.s32", mad_wide_s32},
                                                {"mul.hi.u32", mul_hi_u32},
                                                {"mul.hi.s32", mul_hi_s32},
                                                {"mul.hi.u64", mul_hi_u64},
                                                {"div.u32", div_u32},
                                                {"div.s32", div_s32},
                                                {"div.u64", div_u64},
                                                {"div.s64", div_s64},
                                                {"rem.u32", rem_u32},
                                                {"rem.s32", rem_s32},
                                                {"rem.u64", rem_u64},
                                                {"rem.s64", rem_s64},
                                                {"min.u32", min_u32},
                                                {"min.s32", min_s32},
                                                {"min.u64", min_u64},
                                                {"min.s64", min_s64},
                                                {"max.u32", max_u32},
                                                {"max.s32", max_s32},
                                                {"max.u64", max_u64},
                                                {"max.s64", max_s64},
                                                {"dp4a.s32.s32", dp4a},
                                                {"and.b16", and_},
                                                {"and.b32", and_},
                                                {"and.b64", and_},
                                                {"and.pred", and_},
                                                {"or.b16", or_},
                                                {"or.b32", or_},
                                                {"or.b64", or_},
                                                {"or.pred", or_},
                                                {"xor.b16", xor_},
                                                {"xor.b32", xor_},
                                                {"xor.b64", xor_},
                                                {"xor.pred", xor_},
                                                {"not.b16", not_16},
                                                {"not.b32", not_32},
                                                {"not.b64", not_64},
                                                {"not.pred", not_pred},
                                                {"shl.b32", shl_32},
                                                {"shl.b64", shl_64},
                                                {"shr.u32", shr_u32},
                                                {"shr.b32", shr_u32},
                                                {"shr.s32", shr_s32},
                                                {"shr.u64", shr_u64},
                                                {"shr.b64", shr_u64},
                                                {"shr.s64", shr_s64},
                                                {"popc.b32", popc_32},
                                                {"clz.b32", clz_32},
                                                {"brev.b32", brev_32},
                                                {"bfind.shiftamt.u32", bfind_shift_u32},
                                                {"bfe.u32", bfe_u32},
                                                {"prmt.b32", prmt_b32},
                                                {"mov.b16", to_u16},
                                                {"mov.u16", to_u16},
                                                {"mov.b32", to_u32},
                                                {"mov.u32", to_u32},
                                                {"mov.s32", to_u32},
                                                {"mov.f32", to_u32},
                                                {"mov.b64", move},
                                                {"mov.u64", move},
                                                {"mov.s64", move},
                                                {"mov.f64", move},
                                                {"mov.pred", move_pred},
                                                {"cvta.to.global.u64", move},
                                                {"cvta.to.shared.u64", move},
                                                {"cvta.to.local.u64", move},
                                                {"cvta.global.u64", move},
                                                {"cvta.shared.u64", move},
                                                {"cvta.local.u64", move},
                                                {"selp.b16", selp},
                                                {"selp.u16", selp},
                                                {"selp.b32", selp},
                                                {"selp.u32", selp},
                                                {"selp.s32", selp},
                                                {"selp.f32", selp},
                                                {"selp.b64", selp},
                                                {"selp.u64", selp},
                                                {"selp.s64", selp},
                                                {"selp.f64", selp},
                                                {"cvt.u16.u32", to_u16},
                                                {"cvt.u32.u16", u16_to_u32},
                                                {"cvt.s32.s16", s16_to_s32},
                                                {"cvt.u32.u64", to_u32},
                                                {"cvt.u64.u32", to_u32},
                                                {"cvt.s64.s32", s32_to_s64},
                                                COMPARISON_ROWS(u16),
                                                COMPARISON_ROWS(u32),
                                                COMPARISON_ROWS(s32),
                                                COMPARISON_ROWS(u64),
                                                COMPARISON_ROWS(s64),
                                                {"setp.eq.b32", eq_u32},
                                                {"setp.ne.b32", ne_u32},
                                                {"setp.eq.b64", eq_u64},
                                                {"setp.ne.b64", ne_u64},
                                                {NULL, NULL}};

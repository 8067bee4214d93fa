/* The machine is checked: instructions against the ISA's words, and each error it can find, planted into a sound kernel. */
#include "base/memory.h"
#include "tests/cuda/ptx/machine_internal.h"
#include "tests/support/check.h"

#include <stdlib.h>

enum { N = 64 };

/* ---- operations ---- */

static uint64_t f32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float real_of(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float x;
    memcpy(&x, &low, sizeof x);
    return x;
}

static uint64_t f64(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint64_t apply(const char *name, uint64_t a, uint64_t b, uint64_t c)
{
    ptx_function function = ptx_find_operation(name);
    if (!function) {
        fprintf(stderr, "there is no %s\n", name);
        CHECK(function != NULL);
        return 0;
    }
    return function(a, b, c);
}

static void check(const char *name, uint64_t a, uint64_t b, uint64_t c, uint64_t want)
{
    uint64_t got = apply(name, a, b, c);
    if (got != want)
        fprintf(stderr, "%s of %llx %llx %llx\n", name, (unsigned long long)a,
                (unsigned long long)b, (unsigned long long)c);
    CHECK_INT(got, want);
}

static void test_integers(void)
{
    const uint64_t minus = UINT32_MAX; /* -1 in 32 bits */
    check("add.s32", minus, 2, 0, 1);
    check("mul.hi.u32", minus, minus, 0, 0xFFFFFFFE);
    check("mul.hi.s32", minus, 5, 0, minus);
    check("mul.wide.s32", minus, 5, 0, (uint64_t)-5);
    check("mul.wide.u32", minus, 5, 0, 0x4FFFFFFFBU);
    check("mad.lo.s32", 7, minus, 3, (uint32_t)-4);
    check("div.s32", (uint32_t)-7, 2, 0, (uint32_t)-3);
    check("rem.s32", (uint32_t)-7, 2, 0, minus);
    check("div.u32", (uint32_t)-7, 2, 0, 0x7FFFFFFC);
    check("shl.b32", 1, 32, 0, 0);
    check("shr.s32", (uint32_t)-8, 99, 0, minus);
    check("shr.u64", (uint64_t)-8, 64, 0, 0);
    check("bfind.shiftamt.u32", 1, 0, 0, 31);
    check("bfind.shiftamt.u32", 0, 0, 0, minus);
    check("bfe.u32", 0x12345678, 8, 12, 0x456);
    check("brev.b32", 1, 0, 0, 0x80000000);
    check("prmt.b32", 0x33221100, 0x77665544, 0x7410, 0x77441100);
    check("prmt.b32", 0x80FF7F00, 0, 0xBA98, 0xFFFF0000);
    check("dp4a.s32.s32", 0x01FF7F80, 0x02037F80, 10, 10 + 2 - 3 + 127 * 127 + 128 * 128);
    check("setp.lt.s32", minus, 0, 0, 1);
    check("setp.lt.u32", minus, 0, 0, 0);
    check("selp.b32", 4, 5, 0, 5);
    check("cvt.s64.s32", minus, 0, 0, (uint64_t)-1);
}

static void test_reals(void)
{
    const uint64_t nan = f32(NAN), zero = f32(0), minus_zero = f32(-0.0F);
    check("fma.rn.f32", f32(1 + 0x1p-23F), f32(1 - 0x1p-23F), f32(-1), f32(-0x1p-46F));
    check("fma.rm.f32", f32(1), f32(1), f32(-0x1p-40F), f32(1 - 0x1p-24F));
    check("fma.rm.f32", f32(1), f32(1), f32(0x1p-40F), f32(1));
    check("fma.rm.f32", f32(3), f32(5), f32(7), f32(22));
    check("min.f32", zero, minus_zero, 0, minus_zero);
    check("max.f32", minus_zero, zero, 0, zero);
    check("max.f32", nan, f32(2), 0, f32(2));
    check("setp.ne.f32", nan, nan, 0, 0);
    check("setp.neu.f32", nan, nan, 0, 1);
    check("setp.leu.f32", nan, f32(1), 0, 1);
    check("setp.nan.f32", f32(1), nan, 0, 1);
    check("cvt.sat.f32.f32", nan, 0, 0, zero);
    check("cvt.sat.f32.f32", f32(1.5F), 0, 0, f32(1));
    check("cvt.rni.s32.f32", f32(2.5F), 0, 0, 2);
    check("cvt.rni.s32.f32", f32(-1e20F), 0, 0, 0x80000000);
    check("cvt.rzi.u64.f32", f32(-1), 0, 0, 0);
    check("cvt.rzi.u64.f64", f64(1e30), 0, 0, UINT64_MAX);
    check("cvt.rn.f32.f64", f64(1 + 0x1p-24), 0, 0, f32(1));
    check("cvt.rn.f16.f32", f32(1 + 0x1p-11F), 0, 0, 0x3C00); /* ties go to even */
    check("cvt.rn.f16.f32", f32(1 + 3 * 0x1p-11F), 0, 0, 0x3C02);
    check("cvt.rn.f16.f32", f32(-65519), 0, 0, 0xFBFF);
    check("cvt.rn.f16.f32", f32(65520), 0, 0, 0x7C00);
    check("cvt.rn.f16.f32", f32(0x1p-14F - 0x1p-26F), 0, 0, 0x0400);
    check("cvt.rn.f16.f32", f32(-0x1p-25F), 0, 0, 0x8000);
    check("cvt.rn.f16.f32", nan, 0, 0, 0x7FFF);
    check("cvt.f32.f16", 0x3C01, 0, 0, f32(1 + 0x1p-10F));
    check("cvt.f32.f16", 0x8001, 0, 0, f32(-0x1p-24F));
    check("cvt.f32.f16", 0xFBFF, 0, 0, f32(-65504));
    check("cvt.f32.f16", 0x7C00, 0, 0, f32(INFINITY));
    check("copysign.f32", minus_zero, f32(3), 0, f32(-3));
    check("ex2.approx.ftz.f32", f32(-130), 0, 0, zero);
    int inexact = 0;
    for (int i = -40; i < 40; i++) {
        double x = 0.37 * i, got = (double)real_of(apply("ex2.approx.f32", f32((float)x), 0, 0));
        CHECK_CLOSE(got / exp2((double)(float)x), 1, 0x1p-22);
        inexact += (float)got < exp2f((float)x) || (float)got > exp2f((float)x);
    }
    CHECK(inexact > 20);
}

/* ---- a kernel, and what can be wrong with it ---- */

/* y[i] = x[63 - i], through shared memory. Lines are counted: see the places below. */
static const char sound[] = ".version 7.8\n"
                            ".target sm_61\n"
                            ".address_size 64\n"
                            ".visible .entry mirror(.param .u64 x, .param .u64 y)\n"
                            "{\n"
                            "    .reg .pred %p<3>; .reg .b32 %r<9>; .reg .b64 %rd<9>;\n"
                            "    .shared .align 4 .b8 tile[256];\n"
                            "    ld.param.u64 %rd1, [x];\n"
                            "    ld.param.u64 %rd2, [y];\n"
                            "    mov.u32 %r1, %tid.x;\n"
                            "    mul.wide.u32 %rd3, %r1, 4;\n"
                            "    add.s64 %rd1, %rd1, %rd3;\n"
                            "    ld.global.u32 %r2, [%rd1];\n"
                            "    mov.u64 %rd4, tile;\n"
                            "    add.s64 %rd5, %rd4, %rd3;\n"
                            "    st.shared.u32 [%rd5], %r2;\n"
                            "    bar.sync 0;\n"
                            "    sub.s64 %rd6, %rd4, %rd3;\n"
                            "    ld.shared.u32 %r3, [%rd6+252];\n"
                            "    add.s64 %rd2, %rd2, %rd3;\n"
                            "    st.global.u32 [%rd2], %r3;\n"
                            "    ret;\n"
                            "}\n";

typedef struct fault {
    const char *from, *to, *sentence;
} fault;

static const fault faults[] = {
    {"bar.sync 0;", "",
     "line 19, block (0,0,0), thread (0,0,0): a read of shared memory that nobody"},
    {"bar.sync 0;", "bar.warp.sync -1;", "a race"},
    {"bar.sync 0;", "setp.eq.s32 %p1, %r1, 5; @%p1 ret; bar.sync 0;", "for ever"},
    {"bar.sync 0;", "bar.warp.sync 3;", "whose mask leaves it out"},
    {"st.shared.u32 [%rd5], %r2;", "", "line 19, block (0,0,0), thread (0,0,0): a read of shared"},
    {"st.shared.u32 [%rd5]", "st.shared.u32 [tile]", "a race: two threads write"},
    {"add.s64 %rd2,", "setp.gt.u32 %p1, %r1, 31; @%p1 st.shared.u32 [%rd5], %r2; add.s64 %rd2,",
     "line 20, block (0,0,0), thread (32,0,0): a race: shared memory is written that another"},
    {"[%rd6+252]", "[%rd6+256]", "line 19, block (0,0,0), thread (0,0,0): outside of shared"},
    {"[%rd6+252]", "[%rd6+250]", "not aligned"},
    {"ld.global.u32 %r2, [%rd1]", "ld.global.u32 %r2, [%rd1+4]",
     "mirror, line 13, block (0,0,0), thread (63,0,0): outside of global memory"},
    {"ld.global.u32 %r2, [%rd1]", "ld.global.u32 %r2, [%rd2]", "global memory that nobody has"},
    {"[%rd2], %r3;\n    ret", "[0], %r3;\n    ret", "outside of global memory"},
    {"bar.sync 0;", "AGAIN: bra AGAIN;", "no end"},
    {"bar.sync 0;", "bar.sinc 0;", "bar.sinc is not known to the machine"},
    {"%r1, 4;", "%r1, 0x4; shfl.sync.bfly.b32 %r4|%p1, %r1, 32, 31, -1;", NULL},
    {"%r1, 4;", "%r1, 4; shfl.sync.idx.b32 %r4, %r1, 3, 31, 7;", "which does not take part"},
    {"%r1, 4;", "%r1, 4; setp.lt.s32 %p1, %r1, 3; @%p1 shfl.sync.idx.b32 %r4, %r1, 3, 31, 7;",
     "which does not take part"}};

/* sound, with one text for another. */
static char *changed(const char *from, const char *to)
{
    const char *at = strstr(sound, from);
    size_t before = at ? (size_t)(at - sound) : strlen(sound);
    char *text = malloc(sizeof sound + strlen(to));
    if (text)
        sprintf(text, "%.*s%s%s", (int)before, sound, at ? to : "", at ? at + strlen(from) : "");
    return text;
}

/* The kernel's status; *right: are the results? */
static poet_status run(const char *text, unsigned threads, bool *right)
{
    uint32_t x[N], y[N] = {0};
    void *device_x, *device_y;
    for (uint32_t i = 0; i < N; i++)
        x[i] = 1000 + i;
    CHECK_OK(ptx_load_text(text));
    CHECK_OK(ptx_alloc(sizeof x, &device_x));
    CHECK_OK(ptx_alloc(sizeof y, &device_y));
    ptx_copy(device_x, x, sizeof x);
    void *argument[] = {&device_x, &device_y};
    poet_status status =
        ptx_launch("mirror", (ptx_size){1, 1, 1}, (ptx_size){threads, 1, 1}, 0, argument);
    ptx_copy(y, device_y, sizeof y);
    *right = true;
    for (uint32_t i = 0; i < N; i++)
        *right = *right && y[i] == x[N - 1 - i];
    ptx_unload();
    return status;
}

static void test_faults(void)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        const fault *f = &faults[i];
        char *text = changed(f->from, f->to);
        bool right;
        poet_status status = text ? run(text, N, &right) : POET_ERR_NOMEM;
        bool found =
            f->sentence ? status && strstr(poet_error_message(), f->sentence) : !status && right;
        if (!found)
            fprintf(stderr, "%s -> %s: status %d, %s\n", f->from, f->to, (int)status,
                    poet_error_message());
        CHECK(found);
        free(text);
    }
}

static void test_launches(void)
{
    bool right;
    for (int reverse = 0; reverse < 2; reverse++) {
        ptx_set_reverse(reverse);
        CHECK_OK(run(sound, N, &right));
        CHECK(right);
    }
    ptx_set_reverse(false);
    CHECK_FAILS(run(sound, 2000, &right), POET_ERR_ARG, "blocks of (2000,1,1)");
    CHECK_FAILS(run(sound, N + 1, &right), POET_ERR_DEVICE, "thread (64,0,0): outside of global");
    CHECK_FAILS(ptx_launch("mirror", (ptx_size){1, 1, 1}, (ptx_size){1, 1, 1}, 0, NULL),
                POET_ERR_ARG, "there is no kernel mirror");
    CHECK_FAILS(ptx_load_text(".entry k() { bar.sync 0;"), POET_ERR_FORMAT, "ends in a kernel");
    CHECK_FAILS(ptx_load_text("hello"), POET_ERR_FORMAT, "is not known");
    CHECK_FAILS(ptx_load("/nowhere"), POET_ERR_IO, "there is no PTX");
    ptx_unload();
}

/* ---- a product of a warp ---- */

/* d = a b + 1 by one warp; lane l finds its ten words at x + 40 l, and puts four of d at y + 16 l. */
/* PRODUCT stands for the instruction, of which the operands are below. */
static const char product[] = ".version 7.8\n"
                              ".target sm_80\n"
                              ".address_size 64\n"
                              ".visible .entry product(.param .u64 x, .param .u64 y)\n"
                              "{\n"
                              "    .reg .b32 %r<20>; .reg .b64 %rd<9>;\n"
                              "    ld.param.u64 %rd1, [x];\n"
                              "    ld.param.u64 %rd2, [y];\n"
                              "    mov.u32 %r1, %tid.x;\n"
                              "    mul.wide.u32 %rd3, %r1, 24;\n"
                              "    add.s64 %rd1, %rd1, %rd3;\n"
                              "    mul.wide.u32 %rd3, %r1, 16;\n"
                              "    add.s64 %rd2, %rd2, %rd3;\n"
                              "    ld.global.u32 %r2, [%rd1];\n"
                              "    ld.global.u32 %r3, [%rd1+4];\n"
                              "    ld.global.u32 %r4, [%rd1+8];\n"
                              "    ld.global.u32 %r5, [%rd1+12];\n"
                              "    ld.global.u32 %r6, [%rd1+16];\n"
                              "    ld.global.u32 %r7, [%rd1+20];\n"
                              "    mov.b32 %r8, 0x3f800000;\n"
                              "    PRODUCT;\n"
                              "    st.global.u32 [%rd2], %r9;\n"
                              "    st.global.u32 [%rd2+4], %r10;\n"
                              "    st.global.u32 [%rd2+8], %r11;\n"
                              "    st.global.u32 [%rd2+12], %r12;\n"
                              "    ret;\n"
                              "}\n";

typedef struct product_case {
    const char *instruction, *operands;
    const char *older; /* a card that does not have it */
    int terms;
    bool f16; /* bf16 otherwise */
} product_case;

#define RESULT "{%r9, %r10, %r11, %r12}, "
#define ADDEND "{%r8, %r8, %r8, %r8}"

static const product_case product_cases[] = {
    {"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32",
     RESULT "{%r2, %r3, %r4, %r5}, {%r6, %r7}, " ADDEND, "sm_75", 16, false},
    {"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32",
     RESULT "{%r2, %r3, %r4, %r5}, {%r6, %r7}, " ADDEND, "sm_75", 16, true},
    {"mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32", RESULT "{%r2, %r3}, {%r6}, " ADDEND,
     "sm_61", 8, true}};

static float a_at(int row, int k)
{
    return (float)(16 * row + k);
}

static float b_at(int k, int column)
{
    return k / 2 == column ? (float)(1 + k % 2) : 0;
}

/* Whole numbers below 256 are whole in both types. */
static uint32_t half(bool f16, float x)
{
    if (!f16)
        return (uint32_t)(f32(x) >> 16);
    int exponent = x > 0 ? ilogbf(x) : -15;
    return x > 0 ? (uint32_t)((exponent + 15) * 1024 + (int)ldexpf(x, 10 - exponent) - 1024) : 0;
}

/* Two neighbours in k in one word, the lower half the first. */
static uint32_t word(bool f16, float low, float high)
{
    return half(f16, low) | half(f16, high) << 16;
}

static void load_product(const product_case *c, const char *card)
{
    char text[2048];
    const char *at = strstr(product, "PRODUCT");
    snprintf(text, sizeof text, "%.*s%s %s%s", (int)(at - product), product, c->instruction,
             c->operands, at + strlen("PRODUCT"));
    memcpy(strstr(text, "sm_80"), card, strlen(card));
    CHECK_OK(ptx_load_text(text));
}

static void test_product(const product_case *c)
{
    uint32_t x[PTX_WARP][6], y[PTX_WARP][4];
    void *device_x, *device_y;
    for (int lane = 0; lane < PTX_WARP; lane++)
        for (int i = 0; i < 6; i++) {
            int group = lane / 4, k = lane % 4 * 2 + (i < 4 ? i / 2 : i - 4) * 8;
            int row = group + i % 2 * 8;
            x[lane][i] = i < 4 ? word(c->f16, a_at(row, k), a_at(row, k + 1))
                               : word(c->f16, b_at(k, group), b_at(k + 1, group));
        }
    load_product(c, "sm_80");
    CHECK_INT(ptx_target(), 80);
    CHECK_OK(ptx_alloc(sizeof x, &device_x));
    CHECK_OK(ptx_alloc(sizeof y, &device_y));
    ptx_copy(device_x, x, sizeof x);
    void *argument[] = {&device_x, &device_y};
    CHECK_OK(ptx_launch("product", (ptx_size){1, 1, 1}, (ptx_size){PTX_WARP, 1, 1}, 0, argument));
    ptx_copy(y, device_y, sizeof y);
    for (int lane = 0; lane < PTX_WARP; lane++)
        for (int i = 0; i < 4; i++) {
            int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
            float want = a_at(row, 2 * column) + 2 * a_at(row, 2 * column + 1) + 1;
            CHECK_INT(y[lane][i], f32(2 * column < c->terms ? want : 1));
        }
    CHECK_FAILS(ptx_launch("product", (ptx_size){1, 1, 1}, (ptx_size){8, 1, 1}, 0, argument),
                POET_ERR_DEVICE, "a warp of 8 lanes");
    ptx_unload();
    char refusal[64];
    snprintf(refusal, sizeof refusal, "%s has no mma.sync", c->older);
    load_product(c, c->older);
    CHECK_FAILS(ptx_launch("product", (ptx_size){1, 1, 1}, (ptx_size){8, 1, 1}, 0, argument),
                POET_ERR_FORMAT, refusal);
    ptx_unload();
}

int main(void)
{
    for (size_t i = 0; i < sizeof product_cases / sizeof *product_cases; i++)
        test_product(&product_cases[i]);
    test_integers();
    test_reals();
    test_launches();
    test_faults();
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}

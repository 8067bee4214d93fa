/* An operation that writes bf16 itself leaves the bits that a cast of its f32 result leaves, and the cast is gone. */
#include "base/rng.h"
#include "tests/support/rig.h"

enum { B = 5, C = 37, EVEN = 36 }; /* no whole vectors */

typedef poet_val (*builder)(poet_graph *g, poet_val x);

static poet_val build_act(poet_graph *g, poet_val x)
{
    return poet_act(g, x, POET_ACT_GELU);
}

static poet_val build_act_bwd(poet_graph *g, poet_val x)
{
    poet_wants_grad(g, x);
    poet_graph_backward(g, poet_mse(g, poet_act(g, x, POET_ACT_RELU2), x));
    return poet_grad(g, x);
}

static poet_val build_add(poet_graph *g, poet_val x)
{
    return poet_add(g, x, x);
}

static poet_val build_mul(poet_graph *g, poet_val x)
{
    return poet_mul(g, x, x);
}

static poet_val build_scale(poet_graph *g, poet_val x)
{
    return poet_scale(g, x, 0.3F);
}

static poet_val build_expand(poet_graph *g, poet_val x)
{
    return poet_expand(g, poet_slice(g, x, 0, 1, 1), POET_SHAPE(B, C));
}

static poet_val build_rms_norm(poet_graph *g, poet_val x)
{
    return poet_rms_norm(g, x, poet_param(g, "gain", POET_SHAPE(C), POET_NORMAL(1)));
}

static poet_val build_rotary(poet_graph *g, poet_val x)
{
    poet_val qkv = poet_reshape(g, poet_slice(g, x, 1, 0, EVEN), POET_SHAPE(1, B, EVEN));
    poet_val turns = poet_param(g, "turns", POET_SHAPE(B, EVEN / 6), POET_NORMAL(1));
    return poet_rotary(g, qkv, turns, 2);
}

/* Behind a view. */
static poet_val build_embed(poet_graph *g, poet_val x)
{
    poet_val index = poet_state(g, "index", POET_BUFFER, POET_I32, POET_SHAPE(3, 4), POET_ZEROS);
    return poet_reshape(g, poet_embed(g, x, index), POET_SHAPE(3, 4 * C));
}

static poet_val build_matmul(poet_graph *g, poet_val x)
{
    poet_graph_set_precision(g, POET_BF16);
    return poet_matmul(g, x, false, x, true, POET_NONE);
}

/* y: the result rounded to bf16. seen: somebody else reads the result too, which keeps it f32. Returns the casts to bf16. */
static int run(builder build, bool seen, const float *x, float y[B * 4 * C], size_t *bytes)
{
    rig r = rig_open(poet_backend_cpu());
    poet_val v = build(r.g, poet_input(r.g, "x", POET_F32, POET_SHAPE(B, C)));
    *bytes = (size_t)poet_shape_count(poet_val_shape(r.g, v)) * sizeof *y;
    CHECK(*bytes <= B * 4 * C * sizeof *y);
    poet_result(r.g, "y", poet_cast(r.g, poet_cast(r.g, v, POET_BF16), POET_F32));
    if (seen)
        poet_result(r.g, "seen", v);
    rig_ready(&r);
    CHECK_OK(poet_program_set_by_name(r.program, "x", x, B * C * sizeof *x));
    RIG_RUN(&r);
    CHECK_OK(poet_program_get_by_name(r.program, "y", y, *bytes));
    int casts = 0;
    for (int i = 0; i < poet_program_calls(r.program); i++) {
        const poet_call *call = poet_program_call(r.program, i);
        casts += call->op == POET_OP_CAST && call->dst[0]->dtype == POET_BF16;
    }
    rig_close(&r);
    return casts;
}

static void test_builder(builder build)
{
    float x[B * C], fused[B * 4 * C], plain[B * 4 * C];
    size_t fused_bytes, plain_bytes;
    poet_rng rng;
    poet_rng_init(&rng, 7, 0);
    for (int i = 0; i < B * C; i++)
        x[i] = poet_rng_normal(&rng);
    int fewer = run(build, false, x, fused, &fused_bytes);
    int more = run(build, true, x, plain, &plain_bytes);
    CHECK(more == fewer + 1);
    CHECK(fused_bytes == plain_bytes && memcmp(fused, plain, fused_bytes) == 0);
}

int main(void)
{
    const builder builders[] = {build_act,   build_act_bwd, build_add,      build_mul,
                                build_scale, build_expand,  build_rms_norm, build_rotary,
                                build_embed, build_matmul};
    if (!poet_backend_cpu()->bf16) {
        puts("skipped: this processor has no bf16");
        return CHECK_SKIPPED;
    }
    for (size_t i = 0; i < sizeof builders / sizeof builders[0]; i++)
        test_builder(builders[i]);
    return CHECK_RESULT();
}

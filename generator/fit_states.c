/* The way from the large transformer into the small one, fitted to the old model's by least squares.
 *
 * A group's state enters the small transformer as W x. The smaller model's states x are not the old ones y, since they come of
 * means of members; the W' that makes the mean of |W' x - W y|^2 over written groups least is, with D = W (y - x),
 *
 *     W' = W + (sum D x') (sum x x' + r I)^-1,
 *
 * what linear regression takes from x of what is missing. */
#include "generator/shrink_internal.h"

#include "base/matrix.h"
#include "base/memory.h"

static const double ridge = 1e-3; /* r, of the mean diagonal of sum x x' */

typedef struct normal_equations {
    int in, out;     /* width, slot width */
    float *weight;   /* (out,in): W, then W' */
    double *moments; /* (in,in), lower triangle: sum x x', then its Cholesky factor */
    double *missing; /* (out,in): sum D x' */
} normal_equations;

static void equations_free(normal_equations *e)
{
    poet_free(e->weight);
    poet_free(e->moments);
    poet_free(e->missing);
}

static poet_status equations_create(const poet_generator *m, normal_equations *e)
{
    size_t in = (size_t)m->config.width, out = (size_t)m->config.slot_width;
    *e = (normal_equations){.in = (int)in,
                            .out = (int)out,
                            .weight = poet_alloc(out * in * sizeof *e->weight),
                            .moments = poet_calloc(in * in, sizeof *e->moments),
                            .missing = poet_calloc(out * in, sizeof *e->missing)};
    return e->weight && e->moments && e->missing ? POET_OK : POET_ERR_NOMEM;
}

static void add_group(normal_equations *e, const float *x, const float *y)
{
    for (int i = 0; i < e->in; i++)
        for (int j = 0; j <= i; j++)
            e->moments[(int64_t)i * e->in + j] += (double)x[i] * (double)x[j];
    for (int o = 0; o < e->out; o++) {
        const float *w = e->weight + (int64_t)o * e->in;
        double missing = 0;
        for (int i = 0; i < e->in; i++)
            missing += (double)w[i] * ((double)y[i] - (double)x[i]);
        for (int i = 0; i < e->in; i++)
            e->missing[(int64_t)o * e->in + i] += missing * (double)x[i];
    }
}

/* weight += missing moments^-1, row by row: L L' t = d. */
static void solve(normal_equations *e)
{
    int n = e->in;
    const double *l = e->moments;
    double trace = 0;
    for (int i = 0; i < n; i++)
        trace += e->moments[(int64_t)i * n + i];
    for (int i = 0; i < n; i++)
        e->moments[(int64_t)i * n + i] += ridge * trace / n + 1e-30;
    poet_cholesky_factor(e->moments, n);
    for (int o = 0; o < e->out; o++) {
        double *t = e->missing + (int64_t)o * n;
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < i; j++)
                t[i] -= l[(int64_t)i * n + j] * t[j];
            t[i] /= l[(int64_t)i * n + i];
        }
        for (int i = n - 1; i >= 0; i--) {
            for (int j = i + 1; j < n; j++)
                t[i] -= l[(int64_t)j * n + i] * t[j];
            t[i] /= l[(int64_t)i * n + i];
            e->weight[(int64_t)o * n + i] += (float)t[i];
        }
    }
}

/* n clips at once, 1..POET_WHOLE_CLIPS. */
static poet_status add_clips(normal_equations *e, poet_whole *teacher, poet_whole *student,
                             const poet_shrink_map *map, int n, const int32_t *codes,
                             const char *const *captions, int32_t *merged)
{
    const poet_generator_config *c = &student->m->config;
    int64_t per_clip = poet_grid_codes(&c->grid), groups = poet_generator_groups(c);
    POET_TRY(poet_whole_run(teacher, n, codes, captions));
    POET_TRY(poet_whole_run_merged(student, map, n, codes, captions));
    for (int64_t row = 0; row < n * groups; row++) {
        if (row % groups == 0)
            poet_merged_clip(c, map, codes + row / groups * per_clip, merged);
        if (poet_group_is_written(c, merged, (int)(row % groups)))
            add_group(e, student->states + row * c->width, teacher->states + row * c->width);
    }
    return POET_OK;
}

poet_status poet_fit_states(poet_generator *generator, const poet_shrink_map *map,
                            poet_generator *smaller, int n, const int32_t *codes,
                            const char *const *captions, const poet_task *task)
{
    enum { ENOUGH = 96 }; /* clips: a linear map of states has few numbers to learn */

    int64_t per_clip = poet_grid_codes(&smaller->config.grid);
    int weight = poet_params_find(smaller->params, "slots.state.weight");
    normal_equations e;
    poet_whole teacher = {0}, student = {0};
    int32_t *merged = poet_alloc((size_t)per_clip * sizeof *merged);
    poet_status status = equations_create(smaller, &e);
    size_t bytes = (size_t)e.in * (size_t)e.out * sizeof *e.weight;
    if (!status && (!merged || weight < 0))
        status = merged ? POET_FAIL(POET_ERR_MISMATCH, "slots.state.weight: no such parameter")
                        : POET_ERR_NOMEM;
    if (!status)
        status = poet_params_read(smaller->params, weight, e.weight, bytes);
    if (!status)
        status = poet_whole_create(generator, &teacher);
    if (!status)
        status = poet_whole_create(smaller, &student);
    n = n < ENOUGH ? n : ENOUGH;
    for (int i = 0; i < n && !status; i += POET_WHOLE_CLIPS) {
        int some = n - i < POET_WHOLE_CLIPS ? n - i : POET_WHOLE_CLIPS;
        status = add_clips(&e, &teacher, &student, map, some, codes + i * per_clip, captions + i,
                           merged);
        poet_task_progress(
            task, &(poet_progress){
                      .what = "compare states", .done = i + some, .total = n, .unit = "clips"});
        if (!status && poet_task_stopped(task))
            status = POET_FAIL(POET_ERR_INTERRUPTED, "stopped after %d of %d clips", i + some, n);
    }
    if (!status) {
        solve(&e);
        status = poet_params_write(smaller->params, weight, e.weight, bytes);
    }
    poet_whole_free(&student);
    poet_whole_free(&teacher);
    equations_free(&e);
    poet_free(merged);
    return status;
}

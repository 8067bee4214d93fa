/* Softmax regression by L-BFGS (Liu, Nocedal 1989) in coordinates in which the problem is nearly round.
 *
 * With rows z = x and a one, M = mean of z z' = L L', a class's row t becomes u = L't and z becomes L^-1 z, whose second
 * moments are the identity: logits are the same. The Hessian of class c's row is the mean of p_c (1 - p_c) z z', about
 * share_c times the identity, so a step starts from the gradient divided by the class's share.
 *
 * The prior is a Gaussian around the start, of the same width in each of these coordinates: a class with many rows
 * hardly feels it, one with few stays where it began. */
#include "generator/shrink_internal.h"

#include "base/matrix.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

enum { HISTORY = 8 };

static const double good_enough = 1e-4; /* nats: a step that promises less is the last */

typedef struct fit {
    const poet_regression *r;
    int64_t rows, n, count; /* n = dim + 1; count = classes * n */
    poet_params *params;
    poet_program *forward, *backward;
    double *factor; /* (n,n): L */
    float *z;       /* (rows,n) */
    float *logits;  /* (rows,classes), then the error of each */
    float *single;  /* (count) */
    double ridge;   /* of the mean loss */
    double *share; /* (classes): of the labels, and the ridge: about the Hessian of a class's row */
    double *first; /* (count): the start */
} fit;

static void fit_free(fit *f)
{
    poet_program_destroy(f->forward);
    poet_program_destroy(f->backward);
    poet_params_destroy(f->params);
    poet_free(f->factor);
    poet_free(f->z);
    poet_free(f->logits);
    poet_free(f->single);
    poet_free(f->share);
    poet_free(f->first);
}

/* z = L^-1 (x, 1). */
static void whiten(fit *f)
{
    int64_t n = f->n, dim = f->r->dim;
    for (int64_t row = 0; row < f->rows; row++) {
        float *z = f->z + row * n;
        memcpy(z, f->r->x + row * dim, (size_t)dim * sizeof *z);
        z[dim] = 1;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j <= i; j++)
                f->factor[i * n + j] += (double)z[i] * (double)z[j] / (double)f->rows;
    }
    double trace = 0;
    for (int64_t i = 0; i < n; i++)
        trace += f->factor[i * n + i];
    for (int64_t i = 0; i < n; i++)
        f->factor[i * n + i] += 1e-6 * trace / (double)n;
    poet_cholesky_factor(f->factor, (int)n);
    for (int64_t row = 0; row < f->rows; row++)
        for (int64_t i = 0; i < n; i++) {
            double sum = (double)f->z[row * n + i];
            for (int64_t j = 0; j < i; j++)
                sum -= f->factor[i * n + j] * (double)f->z[row * n + j];
            f->z[row * n + i] = (float)(sum / f->factor[i * n + i]);
        }
}

/* u = L't. */
static void to_round(const fit *f, double *u)
{
    int64_t n = f->n, dim = f->r->dim;
    for (int64_t c = 0; c < f->r->classes; c++)
        for (int64_t j = 0; j < n; j++) {
            u[c * n + j] = 0;
            for (int64_t i = j; i < n; i++) {
                float t = i < dim ? f->r->weight[c * dim + i] : f->r->bias[c];
                u[c * n + j] += f->factor[i * n + j] * (double)t;
            }
        }
}

/* t = L^-T u, which is overwritten. */
static void from_round(const fit *f, double *u)
{
    int64_t n = f->n, dim = f->r->dim;
    for (int64_t c = 0; c < f->r->classes; c++) {
        double *t = u + c * n;
        for (int64_t j = n - 1; j >= 0; j--) {
            for (int64_t i = j + 1; i < n; i++)
                t[j] -= f->factor[i * n + j] * t[i];
            t[j] /= f->factor[j * n + j];
        }
        for (int64_t i = 0; i < dim; i++)
            f->r->weight[c * dim + i] = (float)t[i];
        f->r->bias[c] = (float)t[dim];
    }
}

/* forward: logits = z u'; backward: gradient = error' z. */
static poet_status build(fit *f, poet_device *device)
{
    int64_t classes = f->r->classes;
    POET_TRY(poet_params_create(device, 0, &f->params));
    poet_graph *g = poet_graph_create(f->params);
    if (!g)
        return POET_ERR_NOMEM;
    poet_val z = poet_input(g, "z", POET_F32, POET_SHAPE(f->rows, f->n));
    poet_val u = poet_input(g, "u", POET_F32, POET_SHAPE(classes, f->n));
    poet_result(g, "logits", poet_matmul(g, z, false, u, true, POET_NONE));
    POET_TRY(poet_program_create(g, &f->forward));
    g = poet_graph_create(f->params);
    if (!g)
        return POET_ERR_NOMEM;
    z = poet_input(g, "z", POET_F32, POET_SHAPE(f->rows, f->n));
    poet_val error = poet_input(g, "error", POET_F32, POET_SHAPE(f->rows, classes));
    poet_result(g, "gradient", poet_matmul(g, error, true, z, false, POET_NONE));
    POET_TRY(poet_program_create(g, &f->backward));
    size_t bytes = (size_t)(f->rows * f->n) * sizeof *f->z;
    POET_TRY(poet_program_set_by_name(f->forward, "z", f->z, bytes));
    return poet_program_set_by_name(f->backward, "z", f->z, bytes);
}

static poet_status prepare(fit *f, poet_device *device)
{
    int64_t classes = f->r->classes;
    f->factor = poet_calloc((size_t)(f->n * f->n), sizeof *f->factor);
    f->z = poet_alloc((size_t)(f->rows * f->n) * sizeof *f->z);
    f->logits = poet_alloc((size_t)(f->rows * classes) * sizeof *f->logits);
    f->single = poet_alloc((size_t)f->count * sizeof *f->single);
    f->share = poet_calloc((size_t)classes, sizeof *f->share);
    f->first = poet_alloc((size_t)f->count * sizeof *f->first);
    if (!f->factor || !f->z || !f->logits || !f->single || !f->share || !f->first)
        return POET_ERR_NOMEM;
    for (int64_t i = 0; i < f->rows * classes; i++)
        f->share[i % classes] += (double)f->r->labels[i] / (double)f->rows;
    for (int64_t c = 0; c < classes; c++)
        f->share[c] += f->ridge;
    whiten(f);
    to_round(f, f->first);
    return build(f, device);
}

/* -sum label log softmax(logits) of a row; logits become softmax - label, over the number of rows. */
static double row_loss(const fit *f, const float *labels, float *logits)
{
    int classes = f->r->classes;
    float greatest = logits[0];
    double sum = 0, at = 0;
    for (int c = 1; c < classes; c++)
        greatest = fmaxf(greatest, logits[c]);
    for (int c = 0; c < classes; c++) {
        at += (double)labels[c] * (double)(logits[c] - greatest);
        logits[c] = expf(logits[c] - greatest);
        sum += (double)logits[c];
    }
    float scale = (float)(1 / sum), share = 1 / (float)f->rows;
    for (int c = 0; c < classes; c++)
        logits[c] = (logits[c] * scale - labels[c]) * share;
    return log(sum) - at;
}

/* *total is *loss and the ridge; gradient (count) is that of *total. */
static poet_status evaluate(fit *f, const double *u, double *gradient, double *loss, double *total)
{
    size_t errors = (size_t)(f->rows * f->r->classes) * sizeof *f->logits;
    size_t bytes = (size_t)f->count * sizeof *f->single;
    for (int64_t i = 0; i < f->count; i++)
        f->single[i] = (float)u[i];
    POET_TRY(poet_program_set_by_name(f->forward, "u", f->single, bytes));
    POET_TRY(poet_program_run(f->forward));
    POET_TRY(poet_program_get_by_name(f->forward, "logits", f->logits, errors));
    *loss = 0;
    for (int64_t row = 0; row < f->rows; row++)
        *loss += row_loss(f, f->r->labels + row * f->r->classes, f->logits + row * f->r->classes) /
                 (double)f->rows;
    POET_TRY(poet_program_set_by_name(f->backward, "error", f->logits, errors));
    POET_TRY(poet_program_run(f->backward));
    POET_TRY(poet_program_get_by_name(f->backward, "gradient", f->single, bytes));
    *total = *loss;
    for (int64_t i = 0; i < f->count; i++) {
        double away = u[i] - f->first[i];
        gradient[i] = (double)f->single[i] + f->ridge * away;
        *total += 0.5 * f->ridge * away * away;
    }
    return POET_OK;
}

/* ---- L-BFGS ---- */

typedef struct search {
    fit *f;
    double *at, *gradient;        /* (count), where the search stands */
    double *next, *next_gradient; /* where it tries */
    double *step;                 /* (count): direction */
    double *moves, *turns;        /* (HISTORY,count): differences of places and of gradients */
    double rho[HISTORY];
    int kept, newest;
    double loss, total;
} search;

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void add_scaled(double *to, const double *x, double factor, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] += factor * x[i];
}

/* The two loops: -H gradient. */
static void find_direction(search *s)
{
    int64_t n = s->f->count;
    double alpha[HISTORY];
    for (int64_t i = 0; i < n; i++)
        s->step[i] = -s->gradient[i];
    for (int k = 0; k < s->kept; k++) {
        int h = (s->newest - k + HISTORY) % HISTORY;
        alpha[h] = s->rho[h] * dot(s->moves + h * n, s->step, n);
        add_scaled(s->step, s->turns + h * n, -alpha[h], n);
    }
    for (int64_t i = 0; i < n; i++)
        s->step[i] /= s->f->share[i / s->f->n];
    for (int k = s->kept - 1; k >= 0; k--) {
        int h = (s->newest - k + HISTORY) % HISTORY;
        double beta = s->rho[h] * dot(s->turns + h * n, s->step, n);
        add_scaled(s->step, s->moves + h * n, alpha[h] - beta, n);
    }
}

static void remember(search *s)
{
    int64_t n = s->f->count;
    int h = (s->newest + 1) % HISTORY;
    double *move = s->moves + h * n, *turn = s->turns + h * n, curvature = 0;
    for (int64_t i = 0; i < n; i++)
        curvature += (s->next[i] - s->at[i]) * (s->next_gradient[i] - s->gradient[i]);
    if (!(curvature > 0)) /* rounding: the loss is convex */
        return;
    for (int64_t i = 0; i < n; i++) {
        move[i] = s->next[i] - s->at[i];
        turn[i] = s->next_gradient[i] - s->gradient[i];
    }
    s->rho[h] = 1 / curvature;
    s->newest = h;
    s->kept += s->kept < HISTORY;
}

/* Halves the step until it gains a part of what the slope promises. *promise: what the loss would fall by along the
 * whole step if it were quadratic, with its least value there; 0 where no length gains anything. What one step has
 * gained says less: after a step in a bent valley the next may gain a hundred times as much. */
static poet_status advance(search *s, double *promise)
{
    enum { HALVINGS = 12 };

    int64_t n = s->f->count;
    double slope = dot(s->step, s->gradient, n), length = 1;
    *promise = 0;
    for (int i = 0; i < HALVINGS && slope < 0; i++, length /= 2) {
        double loss, total;
        memcpy(s->next, s->at, (size_t)n * sizeof *s->next);
        add_scaled(s->next, s->step, length, n);
        POET_TRY(evaluate(s->f, s->next, s->next_gradient, &loss, &total));
        if (!(total <= s->total + 1e-4 * length * slope))
            continue;
        *promise = -slope / 2;
        s->loss = loss;
        s->total = total;
        remember(s);
        memcpy(s->at, s->next, (size_t)n * sizeof *s->at);
        memcpy(s->gradient, s->next_gradient, (size_t)n * sizeof *s->gradient);
        return POET_OK;
    }
    return POET_OK;
}

static poet_status minimise(search *s, const poet_task *task, poet_fit_result *out)
{
    fit *f = s->f;
    memcpy(s->at, f->first, (size_t)f->count * sizeof *s->at);
    POET_TRY(evaluate(f, s->at, s->gradient, &s->loss, &s->total));
    out->before = s->loss;
    double promise = INFINITY;
    for (int step = 0; step < f->r->steps && promise > good_enough; step++) {
        find_direction(s);
        POET_TRY(advance(s, &promise));
        poet_task_progress(task, &(poet_progress){.what = "fit the head",
                                                  .done = step + 1,
                                                  .total = f->r->steps,
                                                  .unit = "steps"});
        if (poet_task_stopped(task))
            return POET_FAIL(POET_ERR_INTERRUPTED, "stopped while the head was fitted");
    }
    out->after = s->loss;
    from_round(f, s->at);
    return POET_OK;
}

static double entropy(const poet_regression *r)
{
    double sum = 0;
    for (int64_t i = 0; i < r->rows * r->classes; i++)
        if (r->labels[i] > 0)
            sum -= (double)r->labels[i] * log((double)r->labels[i]);
    return sum / (double)r->rows;
}

poet_status poet_regression_fit(poet_device *device, poet_regression *r, const poet_task *task,
                                poet_fit_result *out)
{
    int64_t n = r->dim + 1;
    fit f = {.r = r, .rows = r->rows, .n = n, .count = r->classes * n};
    f.ridge = r->prior / (double)r->rows;
    size_t count = (size_t)f.count;
    search s = {.f = &f,
                .at = poet_alloc(count * sizeof(double)),
                .gradient = poet_alloc(count * sizeof(double)),
                .next = poet_alloc(count * sizeof(double)),
                .next_gradient = poet_alloc(count * sizeof(double)),
                .step = poet_alloc(count * sizeof(double)),
                .moves = poet_alloc(HISTORY * count * sizeof(double)),
                .turns = poet_alloc(HISTORY * count * sizeof(double))};
    bool all = s.at && s.gradient && s.next && s.next_gradient && s.step && s.moves && s.turns;
    *out = (poet_fit_result){.rows = r->rows, .least = entropy(r)};
    poet_status status = all ? prepare(&f, device) : POET_ERR_NOMEM;
    if (!status)
        status = minimise(&s, task, out);
    poet_free(s.at);
    poet_free(s.gradient);
    poet_free(s.next);
    poet_free(s.next_gradient);
    poet_free(s.step);
    poet_free(s.moves);
    poet_free(s.turns);
    fit_free(&f);
    return status;
}

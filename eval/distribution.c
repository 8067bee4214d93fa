#include "eval/distribution.h"

#include "base/matrix.h"
#include "base/memory.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* ---- Fréchet distance ---- */

/* mean (dim), covariance (dim,dim) of x (n,dim), the one without bias. */
static void fit_gaussian(const float *x, int n, int dim, double *mean, double *covariance)
{
    for (int j = 0; j < dim; j++) {
        mean[j] = 0;
        for (int i = 0; i < n; i++)
            mean[j] += (double)x[i * dim + j] / n;
    }
    memset(covariance, 0, (size_t)dim * (size_t)dim * sizeof *covariance);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < dim; j++) {
            double a = ((double)x[i * dim + j] - mean[j]) / (n - 1);
            for (int k = 0; k <= j; k++)
                covariance[j * dim + k] += a * ((double)x[i * dim + k] - mean[k]);
        }
    for (int j = 0; j < dim; j++)
        for (int k = 0; k < j; k++)
            covariance[k * dim + j] = covariance[j * dim + k];
}

static double trace(const double *matrix, int dim)
{
    double sum = 0;
    for (int j = 0; j < dim; j++)
        sum += matrix[j * dim + j];
    return sum;
}

/* out = L' D L; L is the lower triangle of l. */
static void between_factors(const double *l, const double *d, int dim, double *product, double *out)
{
    for (int i = 0; i < dim; i++)
        for (int j = 0; j < dim; j++) {
            double sum = 0;
            for (int k = j; k < dim; k++)
                sum += d[i * dim + k] * l[k * dim + j];
            product[i * dim + j] = sum;
        }
    for (int i = 0; i < dim; i++)
        for (int j = 0; j < dim; j++) {
            double sum = 0;
            for (int k = i; k < dim; k++)
                sum += l[k * dim + i] * product[k * dim + j];
            out[i * dim + j] = sum;
        }
}

static poet_status frechet(const float *real, int n, const float *other, int m, int dim,
                           double *out)
{
    size_t square = (size_t)dim * (size_t)dim, side = (size_t)dim;
    double *space = poet_alloc((4 * square + 3 * side) * sizeof *space);
    if (!space)
        return POET_ERR_NOMEM;
    double *c = space, *d = c + square, *product = d + square, *inner = product + square;
    double *mean = inner + square, *other_mean = mean + side, *roots = other_mean + side;
    fit_gaussian(real, n, dim, mean, c);
    fit_gaussian(other, m, dim, other_mean, d);
    double sum = trace(c, dim) + trace(d, dim);
    for (int j = 0; j < dim; j++)
        sum += (mean[j] - other_mean[j]) * (mean[j] - other_mean[j]);
    if (!isfinite(sum)) {
        poet_free(space);
        return POET_FAIL(POET_ERR_ARG, "the features of clips are not finite numbers");
    }
    poet_cholesky_factor(c, dim);
    between_factors(c, d, dim, product, inner);
    poet_symmetric_eigenvalues(inner, dim, roots);
    for (int j = 0; j < dim; j++)
        sum -= 2 * sqrt(fmax(roots[j], 0));
    *out = fmax(sum, 0); /* rounding */
    poet_free(space);
    return POET_OK;
}

/* ---- neighbourhoods ---- */

static double squared(const float *a, const float *b, int dim)
{
    double sum = 0;
    for (int j = 0; j < dim; j++) {
        double d = (double)a[j] - (double)b[j];
        sum += d * d;
    }
    return sum;
}

/* radius[n]: the squared distance of each point to its k-th nearest among the others of its set; k is below n. */
static void reach(const float *x, int n, int dim, int k, double *radius)
{
    for (int i = 0; i < n; i++) {
        double nearest[POET_DENSITY_NEIGHBOURS];
        int found = 0;
        for (int other = 0; other < n; other++) {
            if (other == i)
                continue;
            double d = squared(x + (long)i * dim, x + (long)other * dim, dim);
            int at = found < k ? found++ : d < nearest[k - 1] ? k - 1 : k;
            for (; at < k && at > 0 && nearest[at - 1] > d; at--)
                nearest[at] = nearest[at - 1];
            if (at < k)
                nearest[at] = d;
        }
        radius[i] = nearest[k - 1];
    }
}

/* How the points of y (m) lie in the balls around those of x (n). */
typedef struct cover {
    int inside;       /* points of y in a ball or more */
    int occupied;     /* balls with a point or more */
    double incidence; /* pairs of a ball and a point in it */
} cover;

static cover count_cover(const float *x, int n, const double *radius, const float *y, int m,
                         int dim, bool *occupied)
{
    cover c = {0};
    memset(occupied, 0, (size_t)n * sizeof *occupied);
    for (int j = 0; j < m; j++) {
        int balls = 0;
        for (int i = 0; i < n; i++)
            if (squared(x + (long)i * dim, y + (long)j * dim, dim) <= radius[i]) {
                balls++;
                occupied[i] = true;
            }
        c.inside += balls > 0;
        c.incidence += balls;
    }
    for (int i = 0; i < n; i++)
        c.occupied += occupied[i];
    return c;
}

static poet_status neighbourhoods(const float *real, int n, const float *other, int m, int dim,
                                  poet_distribution *out)
{
    size_t most = (size_t)(n > m ? n : m);
    double *radius = poet_alloc(most * sizeof *radius);
    bool *occupied = poet_alloc(most * sizeof *occupied);
    poet_status status = radius && occupied ? POET_OK : POET_ERR_NOMEM;
    if (!status) {
        reach(real, n, dim, POET_PRECISION_NEIGHBOURS, radius);
        out->precision = count_cover(real, n, radius, other, m, dim, occupied).inside / (double)m;
        reach(other, m, dim, POET_PRECISION_NEIGHBOURS, radius);
        out->recall = count_cover(other, m, radius, real, n, dim, occupied).inside / (double)n;
        reach(real, n, dim, POET_DENSITY_NEIGHBOURS, radius);
        cover c = count_cover(real, n, radius, other, m, dim, occupied);
        out->density = c.incidence / ((double)POET_DENSITY_NEIGHBOURS * m);
        out->coverage = c.occupied / (double)n;
    }
    poet_free(occupied);
    poet_free(radius);
    return status;
}

poet_status poet_distribution_compare(const float *real, int n, const float *other, int m, int dim,
                                      poet_distribution *out)
{
    *out = (poet_distribution){0};
    if (n <= POET_DENSITY_NEIGHBOURS || m <= POET_DENSITY_NEIGHBOURS)
        return POET_FAIL(POET_ERR_ARG, "%d and %d clips are too few to compare: %d are wanted", n,
                         m, POET_DENSITY_NEIGHBOURS + 1);
    POET_TRY(frechet(real, n, other, m, dim, &out->frechet));
    return neighbourhoods(real, n, other, m, dim, out);
}

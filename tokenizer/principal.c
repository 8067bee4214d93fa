#include "tokenizer/tokenizer_internal.h"

#include "base/memory.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

static double dot(const double *a, const double *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Rows of v become orthonormal (modified Gram-Schmidt, twice for safety); returns each row's length
 * before in length. */
static void orthonormalize(double *v, int rows, int n, double *length)
{
    for (int i = 0; i < rows; i++) {
        double *row = v + (size_t)i * n;
        length[i] = sqrt(dot(row, row, n));
        for (int pass = 0; pass < 2; pass++) {
            for (int j = 0; j < i; j++) {
                const double *other = v + (size_t)j * n;
                double part = dot(row, other, n);
                for (int k = 0; k < n; k++)
                    row[k] -= part * other[k];
            }
            double norm = sqrt(dot(row, row, n));
            for (int k = 0; k < n; k++)
                row[k] /= norm > 1e-30 ? norm : 1;
        }
    }
}

poet_status poet_principal(const double *matrix, int n, int count, uint64_t seed, double *vectors,
                           double *values)
{
    /* A few spare vectors make the wanted ones converge by the ratio to the first unwanted
     * eigenvalue, not the next. */
    enum { SPARE = 8, ITERATIONS = 60 };

    int rows = count + SPARE < n ? count + SPARE : n;
    double *v = poet_alloc((size_t)rows * n * sizeof *v);
    double *next = poet_alloc((size_t)rows * n * sizeof *next);
    double *length = poet_alloc((size_t)rows * sizeof *length);
    poet_status status = v && next && length ? POET_OK : POET_ERR_NOMEM;
    if (!status) {
        poet_rng rng;
        poet_rng_init(&rng, seed, 0);
        for (int64_t i = 0; i < (int64_t)rows * n; i++)
            v[i] = (double)poet_rng_normal(&rng);
        orthonormalize(v, rows, n, length);
        for (int iteration = 0; iteration < ITERATIONS; iteration++) {
            for (int r = 0; r < rows; r++)
                for (int i = 0; i < n; i++)
                    next[(size_t)r * n + i] = dot(matrix + (size_t)i * n, v + (size_t)r * n, n);
            orthonormalize(next, rows, n, length);
            memcpy(v, next, (size_t)rows * n * sizeof *v);
        }
        memcpy(vectors, v, (size_t)count * n * sizeof *v);
        memcpy(values, length, (size_t)count * sizeof *values);
    }
    poet_free(length);
    poet_free(next);
    poet_free(v);
    return status;
}

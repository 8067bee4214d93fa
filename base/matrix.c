#include "base/matrix.h"

#include <math.h>

void poet_cholesky_factor(double *matrix, int n)
{
    double *m = matrix, trace = 0;
    for (int i = 0; i < n; i++)
        trace += m[i * n + i];
    for (int j = 0; j < n; j++) {
        for (int k = 0; k < j; k++)
            m[j * n + j] -= m[j * n + k] * m[j * n + k];
        double pivot = m[j * n + j] > 1e-12 * trace ? sqrt(m[j * n + j]) : 0;
        m[j * n + j] = pivot;
        for (int i = j + 1; i < n; i++) {
            for (int k = 0; k < j; k++)
                m[i * n + j] -= m[i * n + k] * m[j * n + k];
            m[i * n + j] = pivot > 0 ? m[i * n + j] / pivot : 0;
        }
    }
}

static void divide_row(double *row, int columns, double pivot)
{
    for (int c = 0; c < columns; c++)
        row[c] = pivot > 0 ? row[c] / pivot : 0;
}

static void subtract_row(double *row, const double *other, int columns, double times)
{
    for (int c = 0; c < columns; c++)
        row[c] -= times * other[c];
}

void poet_cholesky_solve(const double *factor, int n, double *b, int columns)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++)
            subtract_row(b + i * columns, b + j * columns, columns, factor[i * n + j]);
        divide_row(b + i * columns, columns, factor[i * n + i]);
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int j = i + 1; j < n; j++)
            subtract_row(b + i * columns, b + j * columns, columns, factor[j * n + i]);
        divide_row(b + i * columns, columns, factor[i * n + i]);
    }
}

/* Makes elements (p,q) and (q,p) zero: rows and columns p and q turn by the angle of tangent t. */
static void rotate(double *m, int n, int p, int q)
{
    double theta = (m[q * n + q] - m[p * n + p]) / (2 * m[p * n + q]);
    double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;
    for (int i = 0; i < n; i++) {
        double a = m[i * n + p], b = m[i * n + q];
        m[i * n + p] = c * a - s * b;
        m[i * n + q] = s * a + c * b;
    }
    for (int i = 0; i < n; i++) {
        double a = m[p * n + i], b = m[q * n + i];
        m[p * n + i] = c * a - s * b;
        m[q * n + i] = s * a + c * b;
    }
}

void poet_symmetric_eigenvalues(double *matrix, int n, double *out)
{
    enum { MOST_SWEEPS = 50 }; /* convergence is quadratic: ten are many */

    double *m = matrix, all = 0, beside = INFINITY;
    for (int i = 0; i < n * n; i++)
        all += m[i] * m[i];
    for (int sweep = 0; sweep < MOST_SWEEPS && beside > 1e-28 * all; sweep++) {
        beside = 0;
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++) {
                beside += m[p * n + q] * m[p * n + q];
                if (m[p * n + q] != 0)
                    rotate(m, n, p, q);
            }
    }
    for (int i = 0; i < n; i++)
        out[i] = m[i * n + i];
}

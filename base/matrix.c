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

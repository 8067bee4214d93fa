/* Small dense matrices on the host, in double. */
#ifndef POET_BASE_MATRIX_H
#define POET_BASE_MATRIX_H

/* matrix (n,n), row-major, symmetric and positive semidefinite: its lower triangle becomes L with L L' = matrix
 * (Cholesky); the upper one is left as it was. A pivot below 1e-12 of the trace counts as zero, and so does its
 * column: such directions count for nothing. */
void poet_cholesky_factor(double *matrix, int n);

/* What poet_cholesky_factor made, and b (n,columns), row-major, which becomes X with L L' X = b; rows of zero pivots become
 * zero. */
void poet_cholesky_solve(const double *factor, int n, double *b, int columns);

/* matrix (n,n), row-major, symmetric: its eigenvalues in out[n], in no order, by Jacobi's rotations (1846; the cyclic order of
 * Forsythe and Henrici 1960). The matrix is overwritten. */
void poet_symmetric_eigenvalues(double *matrix, int n, double *out);

#endif

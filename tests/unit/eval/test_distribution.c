/* Distances between sets against closed forms, and energy counters against a tree made up for them. */
#include "base/file.h"
#include "base/rng.h"
#include "eval/distribution.h"
#include "eval/energy.h"
#include "tests/support/check.h"

#include <stdlib.h>
#include <unistd.h>

enum { N = 40, DIM = 5 };

static void draw(uint64_t seed, float *x, int count)
{
    poet_rng rng;
    poet_rng_init(&rng, seed, 0);
    for (int i = 0; i < count; i++)
        x[i] = poet_rng_normal(&rng) + (i % DIM ? 0.5F * x[i - 1] : 0);
}

/* x and a x + b have the covariances C and a^2 C: their distance is |m - a m - b|^2 + (1 - a)^2 tr C, whatever C is. */
static void test_scaled(void)
{
    const float a = 1.5F, b = 0.25F;
    float x[N * DIM], y[N * DIM];
    double wanted = 0;
    poet_distribution d;
    draw(1, x, N * DIM);
    for (int i = 0; i < N * DIM; i++)
        y[i] = a * x[i] + b;
    for (int j = 0; j < DIM; j++) {
        double mean = 0, variance = 0;
        for (int i = 0; i < N; i++)
            mean += (double)x[i * DIM + j] / N;
        for (int i = 0; i < N; i++)
            variance += pow((double)x[i * DIM + j] - mean, 2) / (N - 1);
        wanted += pow(mean - (double)a * mean - (double)b, 2) + pow(1 - (double)a, 2) * variance;
    }
    CHECK_OK(poet_distribution_compare(x, N, y, N, DIM, &d));
    CHECK_CLOSE(d.frechet, wanted, 1e-5 * wanted);
    CHECK_OK(poet_distribution_compare(y, N, x, N, DIM, &d));
    CHECK_CLOSE(d.frechet, wanted, 1e-5 * wanted);
}

/* A cross of four points along axes that are turned: mean 0, covariance R diag(p^2, q^2) R' times 2 copies / 7. */
static void cross(double angle, double p, double q, float x[8 * 2])
{
    for (int i = 0; i < 8; i++) {
        double u = i % 4 == 0 ? p : i % 4 == 1 ? -p : 0, v = i % 4 == 2 ? q : i % 4 == 3 ? -q : 0;
        x[2 * i] = (float)(cos(angle) * u - sin(angle) * v);
        x[2 * i + 1] = (float)(sin(angle) * u + cos(angle) * v);
    }
}

/* In two dimensions tr (CD)^(1/2) = (tr CD + 2 (det CD)^(1/2))^(1/2), also where C and D do not commute. */
static void test_turned(void)
{
    const double angle = 0.6, p = 3, q = 0.5, r = 1.25, s = 2, factor = 4.0 / 7;
    float x[16], y[16];
    poet_distribution d;
    cross(0, p, q, x);
    cross(angle, r, s, y);
    double c0 = factor * p * p, c1 = factor * q * q, d0 = factor * r * r, d1 = factor * s * s;
    double cc = cos(angle) * cos(angle), ss = 1 - cc;
    double both = c0 * (d0 * cc + d1 * ss) + c1 * (d0 * ss + d1 * cc);
    double wanted = c0 + c1 + d0 + d1 - 2 * sqrt(both + 2 * sqrt(c0 * c1 * d0 * d1));
    CHECK_OK(poet_distribution_compare(x, 8, y, 8, 2, &d));
    CHECK_CLOSE(d.frechet, wanted, 1e-5);
}

/* Fewer points than dimensions: covariances have no inverse. */
static void test_equal(void)
{
    float x[8 * 20];
    poet_distribution d;
    draw(3, x, 8 * 20);
    CHECK_OK(poet_distribution_compare(x, 8, x, 8, 20, &d));
    CHECK_CLOSE(d.frechet, 0, 1e-5);
    CHECK_CLOSE(d.precision, 1, 0);
    CHECK_CLOSE(d.recall, 1, 0);
    CHECK_CLOSE(d.coverage, 1, 0);
}

/* Real points 0..9 on a line reach 5, 4, 3, 3, 3, 3, 3, 3, 4, 5 to their fifth neighbour. */
static void test_line(void)
{
    float line[10], away[10], one[10];
    poet_distribution d;
    for (int i = 0; i < 10; i++) {
        line[i] = (float)i;
        away[i] = 1000 + 20 * (float)i;
        one[i] = 0;
    }
    CHECK_OK(poet_distribution_compare(line, 10, away, 10, 1, &d));
    CHECK(d.precision == 0 && d.recall == 0 && d.density == 0 && d.coverage == 0);
    /* All at 0: in the balls of 0, 1, 2 and 3; of their own, which have no size, only the real 0 is in one. */
    CHECK_OK(poet_distribution_compare(line, 10, one, 10, 1, &d));
    CHECK_CLOSE(d.precision, 1, 0);
    CHECK_CLOSE(d.recall, 0.1, 1e-12);
    CHECK_CLOSE(d.density, 4.0 / 5, 1e-12);
    CHECK_CLOSE(d.coverage, 0.4, 1e-12);
    /* Half of them at 4, which is in all ten balls, the others far away. */
    for (int i = 0; i < 10; i++)
        one[i] = i < 5 ? 4 : 500;
    CHECK_OK(poet_distribution_compare(line, 10, one, 10, 1, &d));
    CHECK_CLOSE(d.precision, 0.5, 1e-12);
    CHECK_CLOSE(d.coverage, 1, 1e-12);
    CHECK_CLOSE(d.density, 10 * 5 / (5.0 * 10), 1e-12);
    CHECK(poet_distribution_compare(line, 5, one, 10, 1, &d) == POET_ERR_ARG);
    CHECK(poet_distribution_compare(line, 10, one, 5, 1, &d) == POET_ERR_ARG);
}

/* ---- energy ---- */

static void put(const char *folder, const char *name, const char *text)
{
    char path[512];
    CHECK_OK(poet_make_directory(folder));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    CHECK(file && fputs(text, file) >= 0);
    if (file)
        fclose(file);
}

static void test_energy(void)
{
    char root[] = "/tmp/poet-energy-XXXXXX", zero[256], one[256], part[256], other[256],
         command[300];
    poet_energy energy;
    CHECK(mkdtemp(root) != NULL);
    snprintf(zero, sizeof zero, "%s/rapl:0", root);
    snprintf(one, sizeof one, "%s/rapl:1", root);
    snprintf(part, sizeof part, "%s/rapl:0:0", root);
    snprintf(other, sizeof other, "%s/rapl:2", root);
    CHECK(!poet_energy_open(root, &energy));
    CHECK_CLOSE(poet_energy_read(&energy), 0, 0);
    const char *const folders[] = {zero, one, part, other};
    for (int i = 0; i < 4; i++) {
        put(folders[i], "name", i == 3 ? "psys\n" : i == 2 ? "core\n" : "package-0\n");
        put(folders[i], "max_energy_range_uj", "9000000\n");
        put(folders[i], "energy_uj", "8000000\n");
    }
    CHECK(poet_energy_open(root, &energy));
    CHECK_INT(energy.packages, 2);
    put(zero, "energy_uj", "8500000\n");
    put(part, "energy_uj", "8900000\n");
    CHECK_CLOSE(poet_energy_read(&energy), 0.5, 1e-9);
    put(one, "energy_uj", "250000\n"); /* it began again after 9 joules */
    CHECK_CLOSE(poet_energy_read(&energy), 1.25, 1e-9);
    CHECK_CLOSE(poet_energy_read(&energy), 0, 1e-9);
    snprintf(command, sizeof command, "rm -r %s", root);
    CHECK_INT(system(command), 0);
}

int main(void)
{
    test_scaled();
    test_turned();
    test_equal();
    test_line();
    test_energy();
    return CHECK_RESULT();
}

/* The inner loop of cpu_linear.c, included once for each width of vector. The includer defines
 * WIDE(name), which makes names unique; WIDE_LANES; WIDE_TARGET, the attribute of functions that
 * may hold such vectors; WIDE_ALL and WIDE_FMA; and WIDE_PANELS(rows), how many panels a step takes
 * for so many rows: enough independent sums to fill the pipelines, few enough to stay in registers.
 */

typedef float WIDE(vector) __attribute__((vector_size(WIDE_LANES * 4)));

enum { WIDE(PARTS) = PANEL / WIDE_LANES };

/* Results of `rows` rows and `panels` neighbouring panels. */
static inline __attribute__((always_inline)) WIDE_TARGET void
WIDE(step)(const int rows, const int panels, const linear_job *job, int64_t row, int64_t panel)
{
    const int parts = panels * WIDE(PARTS);
    WIDE(vector) sum[WIDE_MAX_SUMS];
    const float *a = job->a + row * job->k, *b = job->packed + panel * job->k * PANEL;
#pragma GCC unroll 32
    for (int i = 0; i < rows * parts; i++)
        sum[i] = WIDE_ALL(0);
    for (int64_t k = 0; k < job->k; k++, b += PANEL)
#pragma GCC unroll 8
        for (int p = 0; p < parts; p++) {
            WIDE(vector) bp;
            const float *at = b + p / WIDE(PARTS) * job->k * PANEL + p % WIDE(PARTS) * WIDE_LANES;
            memcpy(&bp, at, sizeof bp);
#pragma GCC unroll 8
            for (int i = 0; i < rows; i++)
                sum[i * parts + p] = WIDE_FMA(WIDE_ALL(a[i * job->k + k]), bp, sum[i * parts + p]);
        }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
        WIDE(vector) row_sum[WIDE_MAX_SUMS]; /* a copy: sum itself has no address, only registers */
#pragma GCC unroll 8
        for (int p = 0; p < parts; p++)
            row_sum[p] = sum[i * parts + p];
        linear_store(job, row + i, panel * PANEL, panels * PANEL, (const float *)row_sum);
    }
}

/* All panels of [begin, end) for `rows` rows. */
static inline __attribute__((always_inline)) WIDE_TARGET void
WIDE(rows)(const int rows, const linear_job *job, int64_t row, int64_t begin, int64_t end)
{
    for (; begin + WIDE_PANELS(rows) <= end; begin += WIDE_PANELS(rows))
        WIDE(step)(rows, WIDE_PANELS(rows), job, row, begin);
    for (; begin < end; begin++)
        WIDE(step)(rows, 1, job, row, begin);
}

static WIDE_TARGET void WIDE(range)(const void *context, int64_t begin, int64_t end)
{
    const linear_job *job = context;
    for (int64_t row = 0, rows; row < job->m; row += rows) {
        rows = linear_rows(job->m - row);
        switch (rows) {
        case 1: WIDE(rows)(1, job, row, begin, end); break;
        case 2: WIDE(rows)(2, job, row, begin, end); break;
        case 3: WIDE(rows)(3, job, row, begin, end); break;
        case 4: WIDE(rows)(4, job, row, begin, end); break;
        case 5: WIDE(rows)(5, job, row, begin, end); break;
        default: WIDE(rows)(6, job, row, begin, end); break;
        }
    }
}

#undef WIDE
#undef WIDE_LANES
#undef WIDE_TARGET
#undef WIDE_ALL
#undef WIDE_FMA
#undef WIDE_PANELS
#undef WIDE_MAX_SUMS

/* The inner loop of cpu_linear.c, included once for each width of vector. The includer defines
 * WIDE(name), which makes names unique; WIDE_LANES; WIDE_TARGET, the attribute of functions that
 * may hold such vectors; WIDE_ALL and WIDE_FMA; WIDE_FROM_HALF(p), which widens bf16 numbers; and
 * WIDE_PANELS(rows), how many panels a step takes
 * for so many rows: enough independent sums to fill the pipelines, few enough to stay in registers.
 */

typedef float WIDE(vector) __attribute__((vector_size(WIDE_LANES * 4)));

enum { WIDE(PARTS) = PANEL / WIDE_LANES };

/* Weights from element `at` on. */
static inline __attribute__((always_inline)) WIDE_TARGET WIDE(vector)
    WIDE(load)(const bool half, const void *packed, int64_t at)
{
    WIDE(vector) v;
    if (half)
        return WIDE_FROM_HALF((const uint16_t *)packed + at);
    memcpy(&v, (const float *)packed + at, sizeof v);
    return v;
}

/* sum (rows x parts) += a's column k times the panels' row k. Whichever of the two has fewer
 * vectors stays in registers, so that they suffice. */
static inline __attribute__((always_inline)) WIDE_TARGET void
WIDE(multiply)(const bool half, const int rows, const int parts, const float *a, int64_t a_row,
               const void *packed, int64_t at, int64_t panel, WIDE(vector) * sum)
{
    WIDE(vector) bp[WIDE_MAX_SUMS], ai[TILE_ROWS];
    const bool keep_a = rows < parts;
#pragma GCC unroll 8
    for (int i = 0; i < rows && keep_a; i++)
        ai[i] = WIDE_ALL(a[i * a_row]);
#pragma GCC unroll 8
    for (int p = 0; p < parts; p++) {
        int64_t part = p / WIDE(PARTS) * panel + p % WIDE(PARTS) * WIDE_LANES;
        bp[p] = WIDE(load)(half, packed, at + part);
#pragma GCC unroll 8
        for (int i = 0; i < rows && keep_a; i++)
            sum[i * parts + p] = WIDE_FMA(ai[i], bp[p], sum[i * parts + p]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows && !keep_a; i++) {
        WIDE(vector) one = WIDE_ALL(a[i * a_row]);
#pragma GCC unroll 8
        for (int p = 0; p < parts; p++)
            sum[i * parts + p] = WIDE_FMA(one, bp[p], sum[i * parts + p]);
    }
}

/* y[row][column..] = sum + bias, for the columns that exist. */
static inline __attribute__((always_inline)) WIDE_TARGET void
WIDE(store)(const linear_job *job, int64_t row, int64_t column, WIDE(vector) sum)
{
    float *y = job->y + row * job->n + column;
    WIDE(vector) bias = WIDE_ALL(0);
    int64_t left = job->n - column;
    if (left >= WIDE_LANES) {
        if (job->bias)
            memcpy(&bias, job->bias + column, sizeof bias);
        sum += bias;
        memcpy(y, &sum, sizeof sum);
        return;
    }
    for (int64_t j = 0; j < left; j++)
        y[j] = sum[j] + (job->bias ? job->bias[column + j] : 0);
}

/* Results of `rows` rows and `panels` neighbouring panels. */
static inline __attribute__((always_inline)) WIDE_TARGET void
WIDE(step)(const bool half, const int rows, const int panels, const linear_job *job, int64_t row,
           int64_t panel)
{
    const int parts = panels * WIDE(PARTS);
    WIDE(vector) sum[WIDE_MAX_SUMS];
    const int64_t k_count = job->k, panel_floats = k_count * PANEL;
    const float *a = job->a + row * k_count;
#pragma GCC unroll 32
    for (int i = 0; i < rows * parts; i++)
        sum[i] = WIDE_ALL(0);
    for (int64_t k = 0; k < k_count; k++)
        WIDE(multiply)
    (half, rows, parts, a + k, k_count, job->packed, panel * panel_floats + k * PANEL, panel_floats,
     sum);
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int p = 0; p < parts; p++)
            WIDE(store)(job, row + i, panel * PANEL + p * WIDE_LANES, sum[i * parts + p]);
}

/* All panels of [begin, end) for `rows` rows: as many at a time as there are registers for, of the rest half as many, and so on,
 * since a panel alone waits for each of its additions. */
static inline __attribute__((always_inline)) WIDE_TARGET void
WIDE(rows)(const bool half, const int rows, const linear_job *job, int64_t row, int64_t begin,
           int64_t end)
{
#pragma GCC unroll 4
    for (int panels = WIDE_PANELS(rows); panels > 0; panels /= 2)
        for (; begin + panels <= end; begin += panels)
            WIDE(step)(half, rows, panels, job, row, begin);
}

static inline __attribute__((always_inline)) WIDE_TARGET void
WIDE(all_rows)(const bool half, const linear_job *job, int64_t begin, int64_t end)
{
    for (int64_t row = 0, rows; row < job->m; row += rows) {
        rows = linear_rows(job->m - row);
        switch (rows) {
        case 1: WIDE(rows)(half, 1, job, row, begin, end); break;
        case 2: WIDE(rows)(half, 2, job, row, begin, end); break;
        case 3: WIDE(rows)(half, 3, job, row, begin, end); break;
        case 4: WIDE(rows)(half, 4, job, row, begin, end); break;
        case 5: WIDE(rows)(half, 5, job, row, begin, end); break;
        default: WIDE(rows)(half, 6, job, row, begin, end); break;
        }
    }
}

static WIDE_TARGET void WIDE(range)(const void *context, int64_t begin, int64_t end)
{
    const linear_job *job = context;
    if (job->half)
        WIDE(all_rows)(true, job, begin, end);
    else
        WIDE(all_rows)(false, job, begin, end);
}

#undef WIDE
#undef WIDE_LANES
#undef WIDE_TARGET
#undef WIDE_ALL
#undef WIDE_FMA
#undef WIDE_FROM_HALF
#undef WIDE_PANELS
#undef WIDE_MAX_SUMS

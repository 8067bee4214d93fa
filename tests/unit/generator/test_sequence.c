/* The order of writing: groups, what is around them, turns, batches of what is written. */
#include "tests/unit/generator/small_generator.h"

#include <math.h>

static void test_sequence(void)
{
    poet_generator_config c = small(2, 2, true);
    int slots = poet_generator_slots(&c), groups = poet_generator_groups(&c);
    CHECK(slots == 8 && groups == 12);
    int32_t codes[96], grouped[96], back[96], near[8 * POET_NEIGHBOURS];
    int32_t around[8 * POET_AROUND], poisoned_around[8 * POET_AROUND];
    for (int i = 0; i < 96; i++)
        codes[i] = i % K;
    poet_sequence_group(&c, codes, grouped);
    poet_sequence_ungroup(&c, grouped, back);
    CHECK(memcmp(codes, back, sizeof codes) == 0);
    /* Group 1 is rows 0-1, columns 2-3 of time 0; its third cell is row 1, column 2. */
    CHECK_INT(grouped[1 * 8 + 2 * 2 + 1], codes[(1 * 4 + 2) * 2 + 1]);

    /* Group 0 has no neighbours: zero rows of both levels. Group 7 (time 1, row 1, column 1) has
     * the one to its left after those above, and its own place in the time before in the middle of the last nine. */
    poet_sequence_neighbours(&c, grouped, 0, near);
    for (int i = 0; i < 8 * POET_NEIGHBOURS; i++)
        CHECK_INT(near[i], K + i % 2 * (K + 1));
    poet_sequence_neighbours(&c, grouped, 7, near);
    for (int s = 0; s < 8; s++) {
        CHECK_INT(near[(POET_ABOVE + 1) * 8 + s], s % 2 * (K + 1) + grouped[6 * 8 + s]);
        CHECK_INT(near[(POET_ABOVE + 2 + 4) * 8 + s], s % 2 * (K + 1) + grouped[3 * 8 + s]);
        CHECK_INT(near[(3 * 5 + 1) * 8 + s], s % 2 * (K + 1) + grouped[4 * 8 + s]);
    }

    /* Only groups that are already written are read: poisoning the others changes nothing. */
    for (int n = 0; n < groups; n++) {
        int32_t poisoned[96], other[8 * POET_NEIGHBOURS];
        memcpy(poisoned, grouped, sizeof poisoned);
        for (int i = n * 8; i < 96; i++)
            poisoned[i] = -1000000;
        poet_sequence_neighbours(&c, grouped, n, near);
        poet_sequence_neighbours(&c, poisoned, n, other);
        CHECK(memcmp(near, other, sizeof near) == 0);
        poet_sequence_around(&c, grouped, n, around);
        poet_sequence_around(&c, poisoned, n, poisoned_around);
        CHECK(memcmp(around, poisoned_around, sizeof around) == 0);
    }
    /* Group 7 again, its first cell: to the left row 2, column 1 of the same time; the same place before; two above that. */
    poet_sequence_around(&c, grouped, 7, around);
    for (int level = 0; level < 2; level++) {
        CHECK_INT(around[11 * 2 + level], level * (K + 1) + codes[((4 + 2) * 4 + 1) * 2 + level]);
        CHECK_INT(around[(POET_BESIDE + 12) * 2 + level],
                  level * (K + 1) + codes[(2 * 4 + 2) * 2 + level]);
        CHECK_INT(around[(POET_BESIDE + 2) * 2 + level],
                  level * (K + 1) + codes[(0 * 4 + 2) * 2 + level]);
        CHECK_INT(around[12 * 2 + level], level * (K + 1) + K); /* inside the group */
    }
}

/* Turned by their places, two vectors have a product that depends on the distance of the places alone; text does not turn. */
static void test_turns(void)
{
    enum { D = 8, HALF = 4 };

    poet_generator_config c = small(2, 1, true);
    c.heads = c.width / D;
    float turns[(2 + 12) * D];
    poet_sequence_turns(&c, -2, 14, turns);
    for (int i = 0; i < 2 * D; i++)
        CHECK(turns[i] == (i % D < HALF ? 1.0F : 0.0F));
    /* Groups 0 and 3 are one row and one column apart, as are 4 and 7; groups 0 and 2 are not. */
    static const int pairs[3][2] = {{0, 3}, {4, 7}, {0, 2}};
    double cosine[3][HALF];
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < HALF; i++) {
            const float *a = turns + (2 + pairs[k][0]) * D + i,
                        *b = turns + (2 + pairs[k][1]) * D + i;
            cosine[k][i] = (double)(a[0] * b[0] + a[HALF] * b[HALF]);
        }
    for (int i = 0; i < HALF; i++)
        CHECK(fabs(cosine[0][i] - cosine[1][i]) < 1e-6);
    CHECK(fabs(cosine[0][2] - cosine[2][2]) > 0.1);
    CHECK(fabs(cosine[0][2] - cos(1)) < 1e-6); /* the pair of the columns */
    CHECK(cosine[0][3] == 1);                  /* left over */
}

/* Packing moves the rows of written groups to the front, drops some where there is no room, and
 * marks what is not used. */
static void test_pack(poet_device *device)
{
    poet_generator_config c = small(2, 1, true);
    poet_generator *m = make(device, c);
    int32_t codes[48];
    for (int i = 0; i < 48; i++)
        codes[i] = i % 16 < 8 ? i % 8 : i % K; /* the two upper groups stand still */
    for (int room = 12; room >= 3; room -= 3) {
        poet_sequence_batch batch;
        CHECK_OK(poet_sequence_batch_create(&m->config, 1, room, &batch));
        CHECK_OK(poet_sequence_batch_fill(m, &batch, 0, codes, NULL, 0, NULL));
        int32_t targets[48], around[12 * 4 * POET_AROUND];
        memcpy(targets, batch.targets, sizeof targets);
        memcpy(around, batch.around, sizeof around);
        poet_sequence_batch_pack(&m->config, &batch, 7, 1);
        CHECK_CLOSE(batch.share, 8.0 / 12, 1e-6);
        int used = room < 8 ? room : 8;
        for (int i = 0; i < room; i++) {
            int row = batch.rows[i];
            CHECK(i >= used || i == 0 || row > batch.rows[i - 1]);
            CHECK(i >= used || (row < 4 || row % 4 >= 2));
            for (int k = 0; k < 4; k++)
                CHECK_INT(batch.targets[i * 4 + k], i < used ? targets[row * 4 + k] : -1);
            CHECK(i >= used ||
                  memcmp(batch.around + i * 4 * POET_AROUND, around + row * 4 * POET_AROUND,
                         4 * POET_AROUND * sizeof *around) == 0);
        }
        poet_sequence_batch_free(&batch);
    }
    poet_generator_destroy(m);
}

int main(void)
{
    poet_device *device;
    CHECK_OK(poet_device_open(poet_backend_cpu(), 0, 0, &device));
    test_sequence();
    test_turns();
    test_pack(device);
    poet_device_close(device);
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}

#include "tests/simt/device_under_test.h"

int device_orders(void)
{
    return 1;
}

void device_set_order(int order)
{
    (void)order;
}

bool device_count(int64_t counts[POET_SIMT_EVENTS])
{
    (void)counts;
    return false;
}

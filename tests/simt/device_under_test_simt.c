#include "tests/simt/device_under_test.h"

int device_orders(void)
{
    return POET_SIMT_ORDERS;
}

void device_set_order(int order)
{
    poet_simt_set_order((poet_simt_order)order);
}

bool device_count(int64_t counts[POET_SIMT_EVENTS])
{
    for (int event = 0; event < POET_SIMT_EVENTS; event++)
        counts[event] = poet_simt_count((poet_simt_event)event);
    return true;
}

/* What tests of kernels ask of the device below the backend's table: the simulated one, or in tests/gpu a card. */
#ifndef POET_TESTS_SIMT_DEVICE_UNDER_TEST_H
#define POET_TESTS_SIMT_DEVICE_UNDER_TEST_H

#include "cuda/simt/simt.h"

#include <stdbool.h>
#include <stdint.h>

/* In how many orders it can be told to run threads: 1 when they run as they like. */
int device_orders(void);
void device_set_order(int order);

/* What has happened on it so far, by poet_simt_event; false when nothing counts. */
bool device_count(int64_t counts[POET_SIMT_EVENTS]);

#endif

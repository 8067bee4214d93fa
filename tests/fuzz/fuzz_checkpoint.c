/* Models and checkpoints, with the checksum made right. */
#include "base/bits.h"
#include "base/memory.h"
#include "compute/backend.h"
#include "compute/checkpoint.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void mend(unsigned char *bytes, size_t size)
{
    static const char key[] = "\"poet.crc32\": \"";
    unsigned char *at = memmem(bytes, size, key, sizeof key - 1);
    char digits[9];
    if (!at || (size_t)(bytes + size - at) < sizeof key - 1 + 8)
        return;
    memcpy(at + sizeof key - 1, "00000000", 8);
    snprintf(digits, sizeof digits, "%08x", (unsigned)poet_crc32(0, bytes, size));
    memcpy(at + sizeof key - 1, digits, 8);
}

static void count_pair(void *opaque, poet_pair pair)
{
    *(size_t *)opaque += strlen(pair.key) + (pair.value ? strlen(pair.value) : 0);
}

/* Reads the texts and loads the tensors. */
static void use(const poet_checkpoint *checkpoint)
{
    poet_device *device;
    poet_params *params;
    size_t length = 0;
    poet_checkpoint_each_value(checkpoint, count_pair, &length);
    for (int i = 0; i < poet_checkpoint_count(checkpoint); i++)
        FUZZ_CHECK(poet_checkpoint_tensor(checkpoint, i)->shape.ndim <= POET_MAX_DIMS &&
                   poet_checkpoint_name(checkpoint, i));
    FUZZ_CHECK(poet_device_open(poet_backend_ref(), 0, 1, &device) == POET_OK);
    FUZZ_CHECK(poet_params_create(device, 1, &params) == POET_OK);
    if (poet_checkpoint_load(checkpoint, params) == POET_OK)
        FUZZ_CHECK(poet_params_count(params) == poet_checkpoint_count(checkpoint));
    poet_params_destroy(params);
    poet_device_close(device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    poet_checkpoint *checkpoint;
    unsigned char *bytes = malloc(size + 1);
    memcpy(bytes, data, size);
    mend(bytes, size);
    if (poet_checkpoint_open(fuzz_file(bytes, size), &checkpoint) == POET_OK) {
        use(checkpoint);
        poet_checkpoint_close(checkpoint);
    }
    free(bytes);
    FUZZ_CHECK(poet_memory_get_stats().blocks == 0);
    return 0;
}

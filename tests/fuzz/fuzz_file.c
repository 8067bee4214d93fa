#include "base/file.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const uint8_t *input;
static size_t input_size;

const char *fuzz_file(const uint8_t *data, size_t size)
{
    input = data;
    input_size = size;
    return "input";
}

/* The linker puts these in place of poet_map_open and poet_map_close. */
poet_status __wrap_poet_map_open(const char *path, poet_map *out);
void __wrap_poet_map_close(poet_map *map);

poet_status __wrap_poet_map_open(const char *path, poet_map *out)
{
    unsigned char *copy = input_size ? malloc(input_size) : NULL;
    FUZZ_CHECK(strcmp(path, "input") == 0 && !copy == !input_size);
    if (copy)
        memcpy(copy, input, input_size);
    *out = (poet_map){copy, input_size};
    return POET_OK;
}

void __wrap_poet_map_close(poet_map *map)
{
    free((void *)(uintptr_t)map->bytes);
    *map = (poet_map){0};
}

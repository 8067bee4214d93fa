/* captions.jsonl, or with a first byte of 'c' captions.csv, beside two files that lines may name. */
#include "codec/tags_internal.h"
#include "datasets/import_internal.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/poet-fuzz-XXXXXX";

/* A list of clips asks whether there are pictures, and reads none. */
poet_status poet_tags_add(poet_tags *tags, const char *key, const char *value, size_t length)
{
    (void)tags;
    (void)key;
    (void)value;
    (void)length;
    abort();
}

static void put(const char *name, const uint8_t *data, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    FUZZ_CHECK(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

static void drop(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

static void clean_up(void)
{
    drop("a.mp4");
    drop("b.mp4");
    drop("captions.jsonl");
    drop("captions.csv");
    rmdir(folder);
}

static void begin(void)
{
    static bool begun;
    if (begun)
        return;
    begun = true;
    FUZZ_CHECK(mkdtemp(folder));
    atexit(clean_up);
    put("a.mp4", NULL, 0);
    put("b.mp4", NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    poet_import_report report = {0};
    poet_import_sink sink = {.folder = folder, .report = &report};
    poet_import_list list;
    begin();
    bool csv = size && data[0] == 'c';
    put(csv ? "captions.csv" : "captions.jsonl", data + csv, size - csv);
    if (poet_import_list_read(&sink, 0.3, &list) == POET_OK) {
        FUZZ_CHECK(list.count <= 2);
        for (size_t i = 0; i < list.count; i++) {
            const poet_import_item *item = &list.item[i];
            FUZZ_CHECK(*item->file && *item->caption && strlen(item->caption) <= 4096);
            FUZZ_CHECK(item->source && *item->attributes == '{');
            FUZZ_CHECK(item->side == POET_SIDE_TRAIN || item->side == POET_SIDE_HELDOUT);
        }
        poet_import_list_free(&list);
    }
    drop(csv ? "captions.csv" : "captions.jsonl");
    FUZZ_CHECK(poet_memory_get_stats().blocks == 0);
    return 0;
}

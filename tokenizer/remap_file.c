/* Remap files: safetensors with a map and, where there is one, its tree. */
#include "tokenizer/shrink.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static poet_status put(poet_params *params, const char *name, poet_dtype dtype, poet_shape shape,
                       const void *values)
{
    int index;
    POET_TRY(poet_params_get(params, name, POET_BUFFER, dtype, &shape, POET_ZEROS, &index));
    return poet_params_write(params, index, values,
                             poet_tensor_bytes(poet_params_tensor(params, index)));
}

static poet_status put_tree(poet_params *params, const poet_merge_tree *tree)
{
    size_t n = (size_t)tree->levels * ((size_t)tree->codes - 1);
    int32_t *nodes = poet_alloc(2 * n * sizeof *nodes);
    float *costs = poet_alloc(n * sizeof *costs);
    poet_status status = nodes && costs ? POET_OK : POET_ERR_NOMEM;
    for (size_t i = 0; i < n && !status; i++) {
        nodes[2 * i] = tree->merges[i].a;
        nodes[2 * i + 1] = tree->merges[i].b;
        costs[i] = (float)tree->merges[i].cost;
    }
    if (!status)
        status = put(params, "tree", POET_I32, POET_SHAPE(tree->levels, tree->codes - 1, 2), nodes);
    if (!status)
        status =
            put(params, "tree.cost", POET_F32, POET_SHAPE(tree->levels, tree->codes - 1), costs);
    poet_free(costs);
    poet_free(nodes);
    return status;
}

static poet_status save(poet_params *params, const char *path, const poet_remap *remap)
{
    char from[24], to[24], kept[16];
    snprintf(from, sizeof from, "%016" PRIx64, remap->from);
    snprintf(to, sizeof to, "%016" PRIx64, remap->to);
    snprintf(kept, sizeof kept, "%d", remap->map.kept);
    poet_pair pairs[] = {{"remap.from", from}, {"remap.to", to}, {"remap.codes", kept}};
    poet_save_options options = {.pairs = pairs, .n_pairs = 3};
    POET_TRY(put(params, "map", POET_I32, POET_SHAPE(remap->map.levels, remap->map.codes),
                 remap->map.map));
    if (remap->tree.levels)
        POET_TRY(put_tree(params, &remap->tree));
    return poet_checkpoint_save(path, params, &options);
}

poet_status poet_remap_save(poet_device *device, const char *path, const poet_remap *remap)
{
    poet_params *params;
    poet_status status = poet_params_create(device, 0, &params);
    if (!status)
        status = save(params, path, remap);
    poet_params_destroy(params);
    return status;
}

/* ---- reading ---- */

static const poet_tensor *find(const poet_checkpoint *file, const char *name)
{
    for (int i = 0; i < poet_checkpoint_count(file); i++)
        if (strcmp(poet_checkpoint_name(file, i), name) == 0)
            return poet_checkpoint_tensor(file, i);
    return NULL;
}

static poet_status broken(const char *path)
{
    return POET_FAIL(POET_ERR_FORMAT, "%s: its map of codes is broken", path);
}

/* Every new code must have an old one, and none may be outside. */
static bool is_onto(const poet_shrink_map *map, bool *reached)
{
    for (int level = 0; level < map->levels; level++) {
        int count = 0;
        memset(reached, 0, (size_t)map->kept * sizeof *reached);
        for (int i = 0; i < map->codes; i++) {
            int32_t code = map->map[level * map->codes + i];
            if (code < 0 || code >= map->kept)
                return false;
            count += !reached[code];
            reached[code] = true;
        }
        if (count != map->kept)
            return false;
    }
    return true;
}

static poet_status read_map(const poet_checkpoint *file, const char *path, poet_shrink_map *map)
{
    const poet_tensor *tensor = find(file, "map");
    const char *kept = poet_checkpoint_value(file, "remap.codes");
    if (!tensor || !kept)
        return POET_FAIL(POET_ERR_FORMAT, "%s: is not a remap file", path);
    const poet_shape *shape = &tensor->shape;
    long codes = strtol(kept, NULL, 10);
    if (tensor->dtype != POET_I32 || shape->ndim != 2 || shape->dim[0] > POET_MAX_RESIDUAL_LEVELS ||
        shape->dim[1] > POET_MAX_CODES || codes < 2 || codes > shape->dim[1])
        return broken(path);
    *map = (poet_shrink_map){
        .levels = (int)shape->dim[0], .codes = (int)shape->dim[1], .kept = (int)codes};
    map->map = poet_alloc(poet_tensor_bytes(tensor));
    bool *reached = poet_alloc((size_t)codes * sizeof *reached);
    poet_status status = map->map && reached ? POET_OK : POET_ERR_NOMEM;
    if (!status)
        memcpy(map->map, tensor->data, poet_tensor_bytes(tensor));
    if (!status && !is_onto(map, reached))
        status = broken(path);
    poet_free(reached);
    return status;
}

static poet_status read_tree(const poet_checkpoint *file, const char *path, poet_remap *out)
{
    const poet_tensor *nodes = find(file, "tree"), *costs = find(file, "tree.cost");
    int levels = out->map.levels, codes = out->map.codes;
    poet_shape pairs = POET_SHAPE(levels, codes - 1, 2), single = POET_SHAPE(levels, codes - 1);
    if (!nodes)
        return POET_OK;
    if (!costs || nodes->dtype != POET_I32 || costs->dtype != POET_F32 ||
        !poet_shape_equal(&nodes->shape, &pairs) || !poet_shape_equal(&costs->shape, &single))
        return broken(path);
    size_t n = (size_t)levels * ((size_t)codes - 1);
    out->tree = (poet_merge_tree){levels, codes, poet_alloc(n * sizeof *out->tree.merges)};
    if (!out->tree.merges)
        return POET_ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        int32_t a = poet_get_int(nodes, (int64_t)(2 * i));
        int32_t b = poet_get_int(nodes, (int64_t)(2 * i + 1));
        if (a < 0 || a >= b || b >= codes + (int32_t)(i % ((size_t)codes - 1)))
            return broken(path);
        out->tree.merges[i] = (poet_merge){a, b, poet_get(costs, (int64_t)i)};
    }
    return POET_OK;
}

static poet_status load(const poet_checkpoint *file, const char *path, poet_remap *out)
{
    const char *from = poet_checkpoint_value(file, "remap.from");
    const char *to = poet_checkpoint_value(file, "remap.to");
    if (!from || !to)
        return POET_FAIL(POET_ERR_FORMAT, "%s: is not a remap file", path);
    out->from = strtoull(from, NULL, 16);
    out->to = strtoull(to, NULL, 16);
    POET_TRY(read_map(file, path, &out->map));
    return read_tree(file, path, out);
}

poet_status poet_remap_load(const char *path, poet_remap *out)
{
    poet_checkpoint *file;
    *out = (poet_remap){0};
    POET_TRY(poet_checkpoint_open(path, &file));
    poet_status status = load(file, path, out);
    poet_checkpoint_close(file);
    return status;
}

void poet_remap_free(poet_remap *remap)
{
    poet_shrink_map_free(&remap->map);
    poet_merge_tree_free(&remap->tree);
}

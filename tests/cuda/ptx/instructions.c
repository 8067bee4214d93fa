/* One statement becomes one instruction. What computes is in the tables of integer.c and real.c; the others have a function
 * each. */
#include "tests/cuda/ptx/decode_internal.h"

#include <stdio.h>
#include <string.h>

ptx_function ptx_find_operation(const char *name)
{
    const ptx_operation *const tables[] = {ptx_integer_operations, ptx_real_operations};
    for (int i = 0; i < 2; i++)
        for (const ptx_operation *o = tables[i]; o->name; o++)
            if (strcmp(o->name, name) == 0)
                return o->function;
    return NULL;
}

static poet_status want_operands(const decoder *d, const statement *s, int least, int most)
{
    if (s->n < least || s->n > most)
        return WRONG(d, "%s has %d operands", s->name, s->n);
    return POET_OK;
}

/* ---- instructions ---- */

static poet_status decode_compute(decoder *d, statement *s, ptx_instruction *out)
{
    out->kind = PTX_COMPUTE;
    out->function = ptx_find_operation(s->name);
    POET_TRY(want_operands(d, s, 2, 4));
    POET_TRY(ptx_register(d, s->operand[0], &out->dst[0]));
    for (int i = 0; i < 3; i++)
        if (i + 1 < s->n)
            POET_TRY(ptx_value(d, s->operand[i + 1], &out->src[i]));
    return POET_OK;
}

/* mov between a register and a vector of halves. */
static poet_status decode_vector_move(decoder *d, statement *s, ptx_instruction *out)
{
    int ignored;
    bool unpack = s->operand[0][0] == '{';
    POET_TRY(want_operands(d, s, 2, 2));
    out->kind = unpack ? PTX_UNPACK : PTX_PACK;
    POET_TRY(ptx_list(d, s->operand[0], ptx_register, out->dst, unpack ? &out->n : &ignored));
    POET_TRY(ptx_list(d, s->operand[1], ptx_value, out->src, unpack ? &ignored : &out->n));
    out->bytes = ptx_type_bytes(s->name + strlen("mov.")) / out->n;
    return POET_OK;
}

static bool known_modifier(const char *word)
{
    static const char *const words[] = {"nc", "volatile", "relaxed", "weak", "ca",  "cg", "cs",
                                        "v2", "v4",       "gpu",     "sys",  "cta", NULL};
    int i = 0;
    while (words[i] && strcmp(words[i], word) != 0)
        i++;
    return words[i] != NULL;
}

static bool is_space(const char *word, ptx_space *out)
{
    static const char *const names[] = {"generic", "global", "shared", "local", "param"};
    for (int i = PTX_GLOBAL; i <= PTX_PARAM; i++)
        if (strcmp(word, names[i]) == 0) {
            *out = (ptx_space)i;
            return true;
        }
    return false;
}

/* ld, st, atom, red and their suffixes. *operation: what is left, as the name of an operation: "min.u64". */
static poet_status decode_access(decoder *d, statement *s, ptx_instruction *out, char *operation)
{
    char name[64], *rest, *type = NULL;
    snprintf(name, sizeof name, "%s", s->name);
    strtok_r(name, ".", &rest);
    *operation = 0;
    for (char *word = strtok_r(NULL, ".", &rest); word; word = strtok_r(NULL, ".", &rest)) {
        out->extends = *word == 's' && ptx_type_bytes(word);
        if (ptx_type_bytes(word))
            type = word;
        else if (!is_space(word, &out->space) && !known_modifier(word))
            snprintf(operation, 16, "%s", word);
    }
    if (!type)
        return WRONG(d, "%s has no type", s->name);
    out->bytes = ptx_type_bytes(type);
    if (*operation)
        snprintf(operation + strlen(operation), 8, ".%s", type);
    return POET_OK;
}

/* An access that does nothing besides. */
static poet_status decode_plain_access(decoder *d, statement *s, ptx_instruction *out)
{
    char operation[32];
    POET_TRY(want_operands(d, s, 2, 2));
    POET_TRY(decode_access(d, s, out, operation));
    return *operation ? WRONG(d, "%s is not known to the machine", s->name) : POET_OK;
}

static poet_status decode_load(decoder *d, statement *s, ptx_instruction *out)
{
    out->kind = PTX_LOAD;
    POET_TRY(decode_plain_access(d, s, out));
    POET_TRY(ptx_list(d, s->operand[0], ptx_register, out->dst, &out->n));
    return ptx_address(d, s->operand[1], out);
}

static poet_status decode_store(decoder *d, statement *s, ptx_instruction *out)
{
    out->kind = PTX_STORE;
    POET_TRY(decode_plain_access(d, s, out));
    POET_TRY(ptx_list(d, s->operand[1], ptx_value, out->src + 1, &out->n));
    return ptx_address(d, s->operand[0], out);
}

static poet_status decode_atomic(decoder *d, statement *s, ptx_instruction *out)
{
    char operation[32];
    out->kind = PTX_ATOMIC;
    POET_TRY(want_operands(d, s, 3, 3));
    POET_TRY(decode_access(d, s, out, operation));
    out->function = ptx_find_operation(operation);
    if (!out->function)
        return WRONG(d, "%s is not known to the machine", s->name);
    POET_TRY(ptx_register(d, s->operand[0], &out->dst[0]));
    POET_TRY(ptx_value(d, s->operand[2], &out->src[1]));
    return ptx_address(d, s->operand[1], out);
}

static poet_status decode_branch(decoder *d, statement *s, ptx_instruction *out)
{
    out->kind = PTX_BRANCH;
    POET_TRY(want_operands(d, s, 1, 1));
    return ptx_label(d, s->operand[0], &out->target);
}

static poet_status decode_return(decoder *d, statement *s, ptx_instruction *out)
{
    out->kind = PTX_RETURN;
    return want_operands(d, s, 0, 0);
}

/* The one barrier of the block that __syncthreads is. */
static poet_status decode_barrier(decoder *d, statement *s, ptx_instruction *out)
{
    out->kind = PTX_BARRIER;
    POET_TRY(want_operands(d, s, 1, 1));
    return strcmp(s->operand[0], "0") == 0
               ? POET_OK
               : WRONG(d, "barrier %s is not known to the machine", s->operand[0]);
}

static poet_status decode_warp_barrier(decoder *d, statement *s, ptx_instruction *out)
{
    out->kind = PTX_WARP_BARRIER;
    POET_TRY(want_operands(d, s, 1, 1));
    return ptx_value(d, s->operand[0], &out->src[3]);
}

/* shfl.sync.bfly.b32 value|inside, x, lane, clamp, mask */
static poet_status decode_shuffle(decoder *d, statement *s, ptx_instruction *out)
{
    static const char *const modes[] = {"up", "down", "bfly", "idx"};
    int mode = 0;
    POET_TRY(want_operands(d, s, 5, 5));
    while (mode < 4 &&
           strncmp(s->name + strlen("shfl.sync."), modes[mode], strlen(modes[mode])) != 0)
        mode++;
    if (mode == 4)
        return WRONG(d, "%s is not known to the machine", s->name);
    out->kind = PTX_SHUFFLE;
    out->shuffle = (ptx_shuffle)mode;
    char *bar = strchr(s->operand[0], '|');
    POET_TRY(ptx_add_slot(d, 0, &out->dst[1]));
    if (bar) {
        *bar = 0;
        POET_TRY(ptx_register(d, bar + 1, &out->dst[1]));
    }
    POET_TRY(ptx_register(d, s->operand[0], &out->dst[0]));
    for (int i = 0; i < 4; i++)
        POET_TRY(ptx_value(d, s->operand[i + 1], &out->src[i]));
    return POET_OK;
}

static poet_status decode_ballot(decoder *d, statement *s, ptx_instruction *out)
{
    out->kind = PTX_BALLOT;
    POET_TRY(want_operands(d, s, 3, 3));
    POET_TRY(ptx_register(d, s->operand[0], &out->dst[0]));
    POET_TRY(ptx_value(d, s->operand[1], &out->src[0]));
    return ptx_value(d, s->operand[2], &out->src[3]);
}

typedef struct product_kind {
    const char *name, *element; /* what makes f32 of an element */
    int target, terms;          /* the first card that has it */
} product_kind;

static const product_kind *find_product(const char *name)
{
    static const product_kind kinds[] = {
        {"mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32", "cvt.f32.f16", 75, 8},
        {"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", "cvt.f32.f16", 80, 16},
        {"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", "cvt.f32.bf16", 80, 16}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

/* mma.sync: {d}, {a}, {b}, {c}. All lanes take part. */
static poet_status decode_product(decoder *d, statement *s, ptx_instruction *out)
{
    const product_kind *kind = find_product(s->name);
    if (!kind)
        return WRONG(d, "%s is not known to the machine", s->name);
    if (d->module->target < kind->target)
        return WRONG(d, "sm_%d has no %s", d->module->target, s->name);
    out->kind = PTX_PRODUCT;
    out->n = kind->terms;
    out->function = ptx_find_operation(kind->element);
    int wanted[] = {4, kind->terms / 4, kind->terms / 8, 4}, n;
    int *const slots[] = {out->dst, out->part, out->part + 4, out->part + 6};
    POET_TRY(want_operands(d, s, 4, 4));
    for (int i = 0; i < 4; i++) {
        POET_TRY(ptx_list(d, s->operand[i], i ? ptx_value : ptx_register, slots[i], &n));
        if (n != wanted[i])
            return WRONG(d, "%d registers where %s has %d", n, s->name, wanted[i]);
    }
    return ptx_add_slot(d, UINT32_MAX, &out->src[3]);
}

typedef poet_status (*decode_function)(decoder *, statement *, ptx_instruction *);

static decode_function decoder_of(const statement *s)
{
    static const struct {
        const char *name;
        decode_function decode;
    } rows[] = {{"ld.", decode_load},
                {"st.", decode_store},
                {"atom.", decode_atomic},
                {"bra", decode_branch},
                {"ret", decode_return},
                {"exit", decode_return},
                {"bar.sync", decode_barrier},
                {"barrier.sync", decode_barrier},
                {"bar.warp.sync", decode_warp_barrier},
                {"shfl.sync.", decode_shuffle},
                {"vote.sync.ballot.b32", decode_ballot},
                {"mma.sync.", decode_product}};

    bool vector = false;
    for (int i = 0; i < s->n; i++)
        vector = vector || s->operand[i][0] == '{';
    if (vector && strncmp(s->name, "mov.b", 5) == 0)
        return decode_vector_move;
    if (ptx_find_operation(s->name))
        return decode_compute;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strncmp(s->name, rows[i].name, strlen(rows[i].name)) == 0)
            return rows[i].decode;
    return NULL;
}

static poet_status decode_guard(decoder *d, const statement *s, ptx_instruction *out)
{
    out->guard = -1;
    if (!s->guard)
        return POET_OK;
    out->unless = s->guard[1] == '!';
    return ptx_register(d, s->guard + 1 + out->unless, &out->guard);
}

poet_status ptx_decode_instruction(decoder *d, statement *s)
{
    ptx_instruction i = {.line = d->line, .n = 1};
    ptx_kernel *k = d->kernel;
    for (int j = 0; j <= PTX_VECTOR; j++)
        i.src[j] = PTX_ZERO;
    decode_function decode = decoder_of(s);
    if (!decode)
        return WRONG(d, "%s is not known to the machine", s->name);
    POET_TRY(decode_guard(d, s, &i));
    POET_TRY(decode(d, s, &i));
    void *grown = ptx_append(k->code, &k->n_code, sizeof i, &i);
    if (!grown)
        return POET_ERR_NOMEM;
    k->code = grown;
    return POET_OK;
}

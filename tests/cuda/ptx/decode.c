/* The inside of a kernel: its text becomes instructions over slots. */
#include "tests/cuda/ptx/parse_internal.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPERANDS = 10, MAX_STATEMENT = 1024 };

/* `.reg .f32 %f<8>` has the names %f0 to %f7, `.reg .b32 %lhs` one. */
typedef struct registers {
    char name[32];
    int count; /* 0: the name as it is */
    int slot;
} registers;

typedef struct label {
    char name[64];
    int at; /* index of the instruction; -1: not seen yet */
} label;

typedef struct decoder {
    const ptx_module *module;
    ptx_kernel *kernel;
    int line;
    registers *range;
    int n_ranges;
    label *label;
    int n_labels;
} decoder;

/* A statement taken apart in place: "@!%p1", "ld.param.v2.u32" and what the commas separate. */
typedef struct statement {
    char text[MAX_STATEMENT];
    char *guard, *name, *operand[MAX_OPERANDS];
    int n;
} statement;

#define WRONG(d, ...) ((void)POET_FAIL(POET_ERR_FORMAT, __VA_ARGS__), wrong_at(d))

static poet_status wrong_at(const decoder *d)
{
    return poet_context(POET_ERR_FORMAT, "%s, line %d", d->kernel->name, d->line);
}

ptx_function ptx_find_operation(const char *name)
{
    const ptx_operation *const tables[] = {ptx_integer_operations, ptx_real_operations};
    for (int i = 0; i < 2; i++)
        for (const ptx_operation *o = tables[i]; o->name; o++)
            if (strcmp(o->name, name) == 0)
                return o->function;
    return NULL;
}

/* ---- slots ---- */

static poet_status add_slot(decoder *d, uint64_t value, int *slot)
{
    ptx_kernel *k = d->kernel;
    *slot = k->n_slots;
    void *grown = ptx_append(k->slot, &k->n_slots, sizeof value, &value);
    if (!grown)
        return POET_ERR_NOMEM;
    k->slot = grown;
    return POET_OK;
}

static poet_status add_constant(decoder *d, uint64_t value, int *slot)
{
    return add_slot(d, value, slot);
}

/* What nobody has written is a NaN in both types, and no index. */
static poet_status add_registers(decoder *d, const char *text)
{
    registers r = {.slot = d->kernel->n_slots};
    size_t n = ptx_name_length(text);
    int ignored;
    snprintf(r.name, sizeof r.name, "%.*s", (int)n, text);
    if (text[n] == '<')
        r.count = atoi(text + n + 1);
    for (int i = 0; i < (r.count ? r.count : 1); i++)
        POET_TRY(add_slot(d, 0x7FF77FF77FF77FF7U, &ignored));
    void *grown = ptx_append(d->range, &d->n_ranges, sizeof r, &r);
    if (!grown)
        return POET_ERR_NOMEM;
    d->range = grown;
    return POET_OK;
}

/* The latest of a name counts: blocks in braces may declare theirs again. */
static int find_register(const decoder *d, const char *name)
{
    for (int i = d->n_ranges - 1; i >= 0; i--) {
        const registers *r = &d->range[i];
        size_t n = strlen(r->name);
        if (!r->count && strcmp(name, r->name) == 0)
            return r->slot;
        if (!r->count || strncmp(name, r->name, n) != 0 || !name[n] ||
            strspn(name + n, "0123456789") != strlen(name + n))
            continue;
        int number = atoi(name + n);
        return number < r->count ? r->slot + number : -1;
    }
    return -1;
}

static int find_special(const char *name)
{
    static const struct {
        const char *name;
        int slot;
    } specials[] = {
        {"%tid.", PTX_TID}, {"%ntid.", PTX_NTID}, {"%ctaid.", PTX_CTAID}, {"%nctaid.", PTX_NCTAID}};

    for (int i = 0; i < 4; i++) {
        size_t n = strlen(specials[i].name);
        if (strncmp(name, specials[i].name, n) == 0 && name[n] >= 'x' && name[n] <= 'z')
            return specials[i].slot + (name[n] - 'x');
    }
    return strcmp(name, "%laneid") == 0 ? PTX_LANEID : -1;
}

/* ---- operands ---- */

static poet_status add_variable(decoder *d, ptx_variable v)
{
    ptx_kernel *k = d->kernel;
    ptx_place(k, &v);
    void *grown = ptx_append(k->variable, &k->n_variables, sizeof v, &v);
    if (!grown) {
        poet_free(v.name);
        return POET_ERR_NOMEM;
    }
    k->variable = grown;
    return POET_OK;
}

/* The address of a variable; one of the module becomes one of the kernel where it is first named. */
static poet_status address_of(decoder *d, const char *name, uint64_t *out)
{
    ptx_kernel *k = d->kernel;
    for (int i = 0; i < k->n_variables; i++)
        if (strcmp(k->variable[i].name, name) == 0) {
            *out = k->variable[i].at;
            return POET_OK;
        }
    for (int i = 0; i < d->module->n_shared; i++) {
        ptx_variable v = d->module->shared[i];
        if (strcmp(v.name, name) != 0)
            continue;
        v.name = poet_strdup(name);
        if (!v.name)
            return POET_ERR_NOMEM;
        POET_TRY(add_variable(d, v));
        *out = k->variable[k->n_variables - 1].at;
        if (!v.bytes)
            k->dynamic = *out;
        return POET_OK;
    }
    return WRONG(d, "\"%s\" is not declared", name);
}

static bool is_number(const char *text, uint64_t *out)
{
    char *end;
    bool real = text[0] == '0' && text[1] && strchr("fFdD", text[1]);
    *out = real             ? strtoull(text + 2, &end, 16)
           : text[0] == '-' ? (uint64_t)strtoll(text, &end, 0)
                            : strtoull(text, &end, 0);
    return end != text && (!*end || strcmp(end, "U") == 0);
}

/* The slot of a register, a number or the address of a variable. */
static poet_status value(decoder *d, const char *text, int *slot)
{
    uint64_t constant;
    *slot = find_special(text);
    if (*slot < 0)
        *slot = find_register(d, text);
    if (*slot >= 0)
        return POET_OK;
    if (!is_number(text, &constant))
        POET_TRY(address_of(d, text, &constant));
    return add_constant(d, constant, slot);
}

/* A place to write to: a register, "_" or nothing for none. */
static poet_status place(decoder *d, const char *text, int *slot)
{
    *slot = find_register(d, text);
    if (*slot < 0)
        return WRONG(d, "\"%s\" is no register", text);
    return POET_OK;
}

/* "[%rd1+-8]" */
static poet_status address(decoder *d, char *text, ptx_instruction *out)
{
    char *plus = strchr(text, '+'), *close = strchr(text, ']');
    if (*text != '[' || !close)
        return WRONG(d, "\"%s\" is no address", text);
    *close = 0;
    if (plus) {
        *plus = 0;
        out->offset = strtoll(plus + 1, NULL, 0);
    }
    return value(d, text + 1, &out->src[0]);
}

/* "{%f1, %f2}" or one. */
static poet_status list(decoder *d, char *text, poet_status (*each)(decoder *, const char *, int *),
                        int *slots, int *n)
{
    char *rest = text;
    *n = 0;
    if (*text != '{') {
        *n = 1;
        return each(d, text, slots);
    }
    for (char *item = strtok_r(text, "{}, \t", &rest); item;
         item = strtok_r(NULL, "{}, \t", &rest)) {
        if (*n == PTX_VECTOR)
            return WRONG(d, "more than %d in a vector", (int)PTX_VECTOR);
        POET_TRY(each(d, item, &slots[(*n)++]));
    }
    return POET_OK;
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
    POET_TRY(place(d, s->operand[0], &out->dst[0]));
    for (int i = 0; i < 3; i++)
        if (i + 1 < s->n)
            POET_TRY(value(d, s->operand[i + 1], &out->src[i]));
    return POET_OK;
}

/* mov between a register and a vector of halves. */
static poet_status decode_vector_move(decoder *d, statement *s, ptx_instruction *out)
{
    int ignored;
    bool unpack = s->operand[0][0] == '{';
    POET_TRY(want_operands(d, s, 2, 2));
    out->kind = unpack ? PTX_UNPACK : PTX_PACK;
    POET_TRY(list(d, s->operand[0], place, out->dst, unpack ? &out->n : &ignored));
    POET_TRY(list(d, s->operand[1], value, out->src, unpack ? &ignored : &out->n));
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

static poet_status decode_load(decoder *d, statement *s, ptx_instruction *out)
{
    char operation[32];
    out->kind = PTX_LOAD;
    POET_TRY(want_operands(d, s, 2, 2));
    POET_TRY(decode_access(d, s, out, operation));
    if (*operation)
        return WRONG(d, "%s is not known to the machine", s->name);
    POET_TRY(list(d, s->operand[0], place, out->dst, &out->n));
    return address(d, s->operand[1], out);
}

static poet_status decode_store(decoder *d, statement *s, ptx_instruction *out)
{
    char operation[32];
    out->kind = PTX_STORE;
    POET_TRY(want_operands(d, s, 2, 2));
    POET_TRY(decode_access(d, s, out, operation));
    if (*operation)
        return WRONG(d, "%s is not known to the machine", s->name);
    POET_TRY(list(d, s->operand[1], value, out->src + 1, &out->n));
    return address(d, s->operand[0], out);
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
    POET_TRY(place(d, s->operand[0], &out->dst[0]));
    POET_TRY(value(d, s->operand[2], &out->src[1]));
    return address(d, s->operand[1], out);
}

static poet_status label_of(decoder *d, const char *name, int *out)
{
    label l = {.at = -1};
    for (*out = 0; *out < d->n_labels; ++*out)
        if (strcmp(d->label[*out].name, name) == 0)
            return POET_OK;
    if (strlen(name) >= sizeof l.name)
        return WRONG(d, "the label \"%s\" is too long", name);
    snprintf(l.name, sizeof l.name, "%s", name);
    void *grown = ptx_append(d->label, &d->n_labels, sizeof l, &l);
    if (!grown)
        return POET_ERR_NOMEM;
    d->label = grown;
    return POET_OK;
}

static poet_status decode_branch(decoder *d, statement *s, ptx_instruction *out)
{
    out->kind = PTX_BRANCH;
    POET_TRY(want_operands(d, s, 1, 1));
    return label_of(d, s->operand[0], &out->target);
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
    return value(d, s->operand[0], &out->src[3]);
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
    POET_TRY(add_constant(d, 0, &out->dst[1]));
    if (bar) {
        *bar = 0;
        POET_TRY(place(d, bar + 1, &out->dst[1]));
    }
    POET_TRY(place(d, s->operand[0], &out->dst[0]));
    for (int i = 0; i < 4; i++)
        POET_TRY(value(d, s->operand[i + 1], &out->src[i]));
    return POET_OK;
}

static poet_status decode_ballot(decoder *d, statement *s, ptx_instruction *out)
{
    out->kind = PTX_BALLOT;
    POET_TRY(want_operands(d, s, 3, 3));
    POET_TRY(place(d, s->operand[0], &out->dst[0]));
    POET_TRY(value(d, s->operand[1], &out->src[0]));
    return value(d, s->operand[2], &out->src[3]);
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
                {"vote.sync.ballot.b32", decode_ballot}};

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
    return place(d, s->guard + 1 + out->unless, &out->guard);
}

static poet_status decode_instruction(decoder *d, statement *s)
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

/* ---- statements ---- */

static char *trimmed(char *text)
{
    size_t n;
    text += strspn(text, " \t\n");
    for (n = strlen(text); n && strchr(" \t\n", text[n - 1]); n--)
        text[n - 1] = 0;
    return text;
}

/* Up to the ";", which is not part of it. */
static poet_status split(decoder *d, const char *text, size_t length, statement *s)
{
    int depth = 0;
    if (length >= sizeof s->text)
        return WRONG(d, "a statement of %zu characters", length);
    memcpy(s->text, text, length);
    s->text[length] = 0;
    s->n = 0;
    s->guard = NULL;
    char *at = s->text;
    if (*at == '@') {
        s->guard = at;
        at += strcspn(at, " \t\n");
        *at++ = 0;
    }
    s->name = at = trimmed(at);
    at += strcspn(at, " \t\n");
    if (!*at)
        return POET_OK;
    *at++ = 0;
    for (char *begin = at;; at++) {
        depth += (*at == '{') - (*at == '}');
        if (*at && (*at != ',' || depth))
            continue;
        bool last = !*at;
        *at = 0;
        if (s->n == MAX_OPERANDS)
            return WRONG(d, "%s has too many operands", s->name);
        s->operand[s->n++] = trimmed(begin);
        begin = at + 1;
        if (last)
            return POET_OK;
    }
}

/* `.reg .b32 %lhs, %rhs`, split as if .reg were an instruction. */
static poet_status declare_registers(decoder *d, const statement *s)
{
    for (int i = 0; i < s->n; i++) {
        const char *name = strchr(s->operand[i], '%');
        if (!name)
            return WRONG(d, "\"%s\" is no register", s->operand[i]);
        POET_TRY(add_registers(d, name));
    }
    return POET_OK;
}

static poet_status declare_variable(decoder *d, ptx_space space, const char *text)
{
    ptx_variable v = {.space = space};
    int line = d->line;
    poet_status status = ptx_parse_variable(&text, &line, &v);
    if (status) {
        poet_free(v.name);
        return status;
    }
    return add_variable(d, v);
}

static poet_status decode_statement(decoder *d, const char *text, size_t length)
{
    statement s;
    const char *rest = text;
    if (ptx_take(&rest, ".pragma"))
        return POET_OK;
    if (ptx_take(&rest, ".shared"))
        return declare_variable(d, PTX_SHARED, rest);
    if (ptx_take(&rest, ".local"))
        return declare_variable(d, PTX_LOCAL, rest);
    POET_TRY(split(d, text, length, &s));
    return strcmp(s.name, ".reg") == 0 ? declare_registers(d, &s) : decode_instruction(d, &s);
}

static poet_status set_label(decoder *d, const char *name, size_t length)
{
    char copy[64];
    int l;
    snprintf(copy, sizeof copy, "%.*s", (int)length, name);
    POET_TRY(label_of(d, copy, &l));
    d->label[l].at = d->kernel->n_code;
    return POET_OK;
}

static poet_status decode_body(decoder *d)
{
    int depth = 0;
    const char *at = d->kernel->body;
    d->line = d->kernel->line;
    do {
        at = ptx_skip(at, &d->line);
        size_t name = ptx_name_length(at);
        if (*at == '{' || *at == '}')
            depth += *at++ == '{' ? 1 : -1;
        else if (name && at[name] == ':') {
            POET_TRY(set_label(d, at, name));
            at += name + 1;
        } else {
            size_t length = strcspn(at, ";");
            POET_TRY(decode_statement(d, at, length));
            for (const char *end = at + length; at < end; at++)
                d->line += *at == '\n';
            at++;
        }
    } while (depth > 0);
    return POET_OK;
}

/* Branches know their labels until all of those have been seen. */
static poet_status resolve(decoder *d)
{
    ptx_kernel *k = d->kernel;
    for (int i = 0; i < k->n_code; i++) {
        if (k->code[i].kind != PTX_BRANCH)
            continue;
        const label *l = &d->label[k->code[i].target];
        d->line = k->code[i].line;
        if (l->at < 0)
            return WRONG(d, "there is no label %s", l->name);
        k->code[i].target = l->at;
    }
    return POET_OK;
}

/* A kernel may end without a `ret`. */
static poet_status finish(decoder *d)
{
    statement end = {.name = (char[]){"ret"}};
    poet_status status = decode_instruction(d, &end);
    return status ? status : resolve(d);
}

/* So that another launch says the same. */
static void undo(ptx_kernel *k)
{
    for (int i = k->n_params; i < k->n_variables; i++)
        poet_free(k->variable[i].name);
    k->n_variables = k->n_params;
    k->n_code = k->n_slots = 0;
    k->shared = k->static_shared = k->local = 0;
}

poet_status ptx_decode(const ptx_module *module, ptx_kernel *kernel)
{
    decoder d = {.module = module, .kernel = kernel};
    poet_status status = POET_OK;
    int ignored;
    for (int i = 0; i < PTX_SLOTS && !status; i++)
        status = add_slot(&d, 0, &ignored);
    if (!status)
        status = decode_body(&d);
    if (!status)
        status = finish(&d);
    if (status)
        undo(kernel);
    kernel->decoded = !status;
    poet_free(d.range);
    poet_free(d.label);
    return status;
}

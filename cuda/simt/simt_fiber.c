/* Fibers by a switch of stacks: ten instructions on x86-64, ucontext elsewhere. AddressSanitizer is told of every switch, as
 * it keeps the bounds of the stack it believes to be on. */
#include "cuda/simt/simt_fiber_internal.h"

#include "base/memory.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define start_switch(fake, bottom, bytes) __sanitizer_start_switch_fiber(fake, bottom, bytes)
#define finish_switch(fake, bottom, bytes) __sanitizer_finish_switch_fiber(fake, bottom, bytes)
#else
static void start_switch(void **fake, const void *bottom, size_t bytes)
{
    (void)fake;
    (void)bottom;
    (void)bytes;
}

static void finish_switch(void *fake, const void **bottom, size_t *bytes)
{
    (void)fake;
    (void)bottom;
    (void)bytes;
}
#endif

#if defined(__x86_64__)
typedef void *context; /* the stack pointer; what a call preserves lies on the stack */
#else
#include <ucontext.h>
typedef ucontext_t context;
#endif

enum { STACK_BYTES = 64 << 10 };

struct poet_fiber {
    context self;
    void *memory; /* a guard page, then the stack */
    size_t bytes;
    char *bottom;
    void *fake; /* of AddressSanitizer */
    void (*entry)(void *argument);
    void *argument;
};

/* Whoever resumed the running fiber. */
static struct {
    context self;
    const void *bottom;
    size_t bytes;
    void *fake;
} scheduler;

static poet_fiber *running;

static _Noreturn void start(void)
{
    finish_switch(NULL, &scheduler.bottom, &scheduler.bytes);
    running->entry(running->argument);
    __builtin_trap(); /* entry has returned */
}

#if defined(__x86_64__)

/* Saves what a call preserves (System V ABI, 3.2.1) on this stack, its pointer in *from, and goes on at *to. */
void poet_fiber_switch(context *from, const context *to);
__asm__(".text\n"
        ".globl poet_fiber_switch\n"
        ".hidden poet_fiber_switch\n"
        ".type poet_fiber_switch, @function\n"
        "poet_fiber_switch:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq (%rsi), %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size poet_fiber_switch, . - poet_fiber_switch\n");

enum { PRESERVED = 6 };

/* As if start had been called: the stack pointer is 8 off a multiple of 16 when it begins. */
static void set_up(poet_fiber *fiber)
{
    uintptr_t *top = (uintptr_t *)(void *)(fiber->bottom + STACK_BYTES);
    top[-1] = 0; /* where a backtrace ends */
    top[-2] = (uintptr_t)start;
    for (int i = 0; i < PRESERVED; i++)
        top[-3 - i] = 0;
    fiber->self = &top[-2 - PRESERVED];
}

#else

static void set_up(poet_fiber *fiber)
{
    getcontext(&fiber->self);
    fiber->self.uc_stack.ss_sp = fiber->bottom;
    fiber->self.uc_stack.ss_size = STACK_BYTES;
    makecontext(&fiber->self, start, 0);
}

static void poet_fiber_switch(context *from, const context *to)
{
    swapcontext(from, to);
}

#endif

poet_fiber *poet_fiber_create(void (*entry)(void *argument), void *argument)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    poet_fiber *fiber = poet_calloc(1, sizeof *fiber);
    if (!fiber)
        return NULL;
    fiber->bytes = page + STACK_BYTES;
    fiber->memory = mmap(NULL, fiber->bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fiber->memory == MAP_FAILED || mprotect(fiber->memory, page, PROT_NONE) != 0) {
        poet_free(fiber);
        return NULL;
    }
    fiber->bottom = (char *)fiber->memory + page;
    fiber->entry = entry;
    fiber->argument = argument;
    set_up(fiber);
    return fiber;
}

void poet_fiber_destroy(poet_fiber *fiber)
{
    if (!fiber)
        return;
    munmap(fiber->memory, fiber->bytes);
    poet_free(fiber);
}

void poet_fiber_resume(poet_fiber *fiber)
{
    running = fiber;
    start_switch(&scheduler.fake, fiber->bottom, STACK_BYTES);
    poet_fiber_switch(&scheduler.self, &fiber->self);
    finish_switch(scheduler.fake, NULL, NULL);
    running = NULL;
}

void poet_fiber_yield(void)
{
    poet_fiber *self = running;
    start_switch(&self->fake, scheduler.bottom, scheduler.bytes);
    poet_fiber_switch(&self->self, &scheduler.self);
    finish_switch(self->fake, &scheduler.bottom, &scheduler.bytes);
}

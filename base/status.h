/* Status codes and error sentences.
 *
 * A function that can fail returns a poet_status and leaves one sentence in thread-local storage
 * that names the file (or the layer, or the option) and the reason. Libraries never print and never
 * exit; the command line prints the sentence.
 *
 *     if (code >= k)
 *         return POET_FAIL(POET_ERR_FORMAT, "%s: code %u is outside the codebook of %u", path,
 * code, k);
 *
 * Use POET_TRY while nothing is owned, and one `done:` label with NULL-safe frees once something
 * is. */
#ifndef POET_BASE_STATUS_H
#define POET_BASE_STATUS_H

typedef enum poet_status {
    POET_OK = 0,
    POET_ERR_ARG = -1,         /* the caller asked for something meaningless */
    POET_ERR_NOMEM = -2,       /* memory ran out, or the announced limit would be passed */
    POET_ERR_IO = -3,          /* the operating system said no: missing, unreadable, full disk */
    POET_ERR_FORMAT = -4,      /* a file's contents are broken or of another version */
    POET_ERR_UNSUPPORTED = -5, /* this build, device or library cannot do it */
    POET_ERR_DEVICE = -6,      /* a backend failed */
    POET_ERR_MISMATCH = -7,    /* two things do not belong together: shapes, fingerprints */
    POET_ERR_INTERRUPTED = -8, /* the user asked to stop (Ctrl-C); what was done is saved */
    POET_ERR_LIMIT = -9        /* all was done, and a figure is beyond what the caller allows */
} poet_status;

/* Stores the sentence (at most 1023 bytes are kept) and returns code. */
poet_status poet_fail(poet_status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Prepends "text: " to the stored sentence, and returns code unchanged: for use while unwinding. */
poet_status poet_context(poet_status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The last failure's sentence in this thread; "" before the first. Owned by the library, valid
 * until the next failure. */
const char *poet_error_message(void);

#ifdef __clang_analyzer__ /* so that it knows that a failure is not POET_OK */
#define POET_FAIL(code, ...) (poet_fail((code), __VA_ARGS__), (code))
#else
#define POET_FAIL(code, ...) poet_fail((code), __VA_ARGS__)
#endif

#define POET_TRY(expression)                                                                       \
    do {                                                                                           \
        poet_status poet_try_status_ = (expression);                                               \
        if (poet_try_status_ != POET_OK)                                                           \
            return poet_try_status_;                                                               \
    } while (0)

/* Inside a function with a local `poet_status status` and a `done:` label. */
#define POET_TRY_DONE(expression)                                                                  \
    do {                                                                                           \
        status = (expression);                                                                     \
        if (status != POET_OK)                                                                     \
            goto done;                                                                             \
    } while (0)

#endif

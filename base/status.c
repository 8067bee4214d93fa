#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = 1024 };

static _Thread_local char message[MESSAGE_BYTES];

poet_status poet_fail(poet_status code, const char *format, ...)
{
    /* Formatted aside first: an argument may be the stored message itself. */
    char text[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(message, text, sizeof message);
    return code;
}

poet_status poet_context(poet_status code, const char *format, ...)
{
    char text[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    strncat(text, ": ", sizeof text - strlen(text) - 1);
    strncat(text, message, sizeof text - strlen(text) - 1);
    memcpy(message, text, sizeof message);
    return code;
}

const char *poet_error_message(void)
{
    return message;
}

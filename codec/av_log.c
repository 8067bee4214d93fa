#include "codec/av_internal.h"

#include <libavutil/error.h>
#include <libavutil/log.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_complaint[192];

static void keep_complaint(void *who, int level, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

static void keep_complaint(void *who, int level, const char *format, va_list arguments)
{
    (void)who;
    if (level > AV_LOG_ERROR)
        return;
    char text[sizeof last_complaint];
    vsnprintf(text, sizeof text, format, arguments);
    size_t n = strcspn(text, "\r\n");
    while (n > 0 && (text[n - 1] == '.' || text[n - 1] == ' '))
        n--;
    text[n] = 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ')
            text[i] = ' ';
    if (n)
        memcpy(last_complaint, text, sizeof text);
}

static void silence(void)
{
    av_log_set_callback(keep_complaint);
}

void poet_av_begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, silence);
    last_complaint[0] = 0;
}

bool poet_av_complained(void)
{
    return last_complaint[0] != 0;
}

poet_status poet_av_fail(poet_status code, const char *path, const char *what, int av_error)
{
    char reason[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(av_error, reason, sizeof reason);
    if (av_error == AVERROR(ENOMEM))
        code = POET_ERR_NOMEM;
    if (last_complaint[0])
        return POET_FAIL(code, "%s: %s: %s (%s)", path, what, reason, last_complaint);
    return POET_FAIL(code, "%s: %s: %s", path, what, reason);
}

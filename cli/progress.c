#include "cli/progress.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR = 24, LINE = 512 };

static const double terminal_interval = 0.1, plain_interval = 10; /* seconds */

/* ---- signals ---- */

static volatile sig_atomic_t stop_wanted;

/* A key may come twice, from the terminal and from a program in between, and a terminal that is closed may say so twice. */
static void on_signal(int number)
{
    static const char text[] = "\nstopping after this step; once more to stop at once\n";
    static const double same_key = 0.3; /* seconds */
    static double first;
    if (!stop_wanted) {
        stop_wanted = 1;
        first = poet_seconds();
        ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
        (void)ignored;
    } else if (number != SIGHUP && poet_seconds() - first > same_key) {
        signal(number, SIG_DFL);
        raise(number);
    }
}

static void catch_signals(void)
{
    static bool caught;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    if (caught)
        return;
    caught = true;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction hangup;
    if (sigaction(SIGHUP, NULL, &hangup) == 0 &&
        hangup.sa_handler != SIG_IGN) /* nohup ignores it */
        sigaction(SIGHUP, &action, NULL);
}

static bool stop(void *user)
{
    (void)user;
    catch_signals();
    return stop_wanted;
}

/* ---- lines ---- */

void cli_format_time(double seconds, char *text, size_t room)
{
    long long s = seconds < 0 ? 0 : seconds < 1e9 ? llround(seconds) : 1000000000;
    if (s < 3600)
        snprintf(text, room, "%lld:%02lld", s / 60, s % 60);
    else
        snprintf(text, room, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
}

static int screen_width(FILE *out)
{
    struct winsize size;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 10)
        return size.ws_col;
    return 80;
}

void cli_progress_clear(cli_progress *p)
{
    if (p->drawn)
        fputs("\r\033[K", p->out);
    p->drawn = false;
    fflush(p->out);
}

/* "12.3 clips/s", or seconds each when that is slower than one a second. */
static void format_rate(double done, double seconds, const char *unit, char *text, size_t room)
{
    double rate = done / (seconds > 1e-6 ? seconds : 1e-6);
    if (rate >= 1)
        snprintf(text, room, "%.*f %s/s", rate < 100 ? 1 : 0, rate, unit);
    else
        snprintf(text, room, "%.*f s each", rate > 0.1 ? 2 : 1, rate > 0 ? 1 / rate : 0);
}

static void append(char *line, size_t room, const char *text, const char *suffix)
{
    size_t used = strlen(line);
    snprintf(line + used, room - used, "  %s%s", text, suffix);
}

/* Rate and time left are known from the second report on. */
static void format_line(const cli_progress *p, const poet_progress *now, char *line, size_t room)
{
    char bar[BAR + 1], text[64];
    double seconds = poet_seconds() - p->began, fresh = now->done - p->began_done;
    if (now->total <= 0) {
        snprintf(line, room, "%s %.0f %s", now->what, now->done, now->unit);
    } else {
        double share = fmin(fmax(now->done / now->total, 0), 1);
        memset(bar, ' ', BAR);
        memset(bar, '=', (size_t)(share * BAR));
        bar[BAR] = 0;
        snprintf(line, room, "%s%s%s%s %.0f/%.0f %s", now->what, p->terminal ? " [" : "",
                 p->terminal ? bar : "", p->terminal ? "]" : ":", now->done, now->total, now->unit);
    }
    if (fresh > 0) {
        format_rate(fresh, seconds, now->unit, text, sizeof text);
        append(line, room, text, "");
    }
    if (fresh > 0 && now->total > 0) {
        cli_format_time(seconds / fresh * (now->total - now->done), text, sizeof text);
        append(line, room, text, " left");
    }
    if (now->note && *now->note)
        append(line, room, now->note, "");
}

/* A task that had nothing to do, or reports its end twice, leaves no line. */
static void finish_task(cli_progress *p, const poet_progress *now)
{
    char rate[64], took[64];
    double seconds = poet_seconds() - p->began, fresh = now->done - p->began_done;
    cli_progress_clear(p);
    p->what[0] = 0;
    if (fresh <= 0)
        return;
    format_rate(fresh, seconds, now->unit, rate, sizeof rate);
    cli_format_time(seconds, took, sizeof took);
    fprintf(p->out, "%s: %.0f %s in %s, %s%s%s\n", now->what, now->done, now->unit, took, rate,
            now->note && *now->note ? ", " : "", now->note ? now->note : "");
}

static void on_progress(void *user, const poet_progress *now)
{
    cli_progress *p = user;
    char line[LINE];
    double seconds = poet_seconds();
    if (p->quiet)
        return;
    if (strncmp(p->what, now->what, sizeof p->what - 1) != 0) {
        snprintf(p->what, sizeof p->what, "%s", now->what);
        p->began = seconds;
        p->began_done = now->done;
        p->shown = p->terminal ? 0 : seconds;
    }
    if (now->total > 0 && now->done >= now->total) {
        finish_task(p, now);
        return;
    }
    if (seconds - p->shown < (p->terminal ? terminal_interval : plain_interval))
        return;
    p->shown = seconds;
    format_line(p, now, line, sizeof line);
    if (p->terminal)
        fprintf(p->out, "\r%.*s\033[K", screen_width(p->out) - 1, line);
    else
        fprintf(p->out, "%s\n", line);
    p->drawn = p->terminal;
    fflush(p->out);
}

static void on_message(void *user, const char *sentence)
{
    cli_progress *p = user;
    cli_progress_clear(p);
    fprintf(p->out, "%s\n", sentence);
    p->shown = p->terminal ? 0 : p->shown;
}

static void on_info(void *user, const char *sentence)
{
    const cli_progress *p = user;
    if (!p->quiet)
        on_message(user, sentence);
}

void cli_progress_init(cli_progress *progress, FILE *out, bool quiet)
{
    *progress = (cli_progress){.out = out, .quiet = quiet, .terminal = isatty(fileno(out)) == 1};
}

poet_task cli_progress_task(cli_progress *progress)
{
    return (poet_task){.progress = on_progress,
                       .info = on_info,
                       .message = on_message,
                       .stop = stop,
                       .user = progress};
}

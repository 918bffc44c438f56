/*
 * progress.c - how far a long work is, on one line of a terminal.
 */
#include "app/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "app/text.h"
#include "base/clock.h"

void progress_start(progress *p, const char *what, bool quiet)
{
    *p = (progress){!quiet && isatty(STDERR_FILENO), what, dpli_now(), 0};
}

void progress_step(progress *p, int64_t n_done, int64_t n_total)
{
    const double now = p->shown ? dpli_now() : 0;
    char done[32], total[32];

    if (!p->shown || n_done <= 0 || (now - p->drawn_s < 0.1 && n_done < n_total))
        return;
    p->drawn_s = now;
    const double seconds = now - p->start_s;
    const double rate = seconds > 0 ? (double)n_done / seconds : 0;
    const int64_t left_s = rate > 0 ? (int64_t)((double)(n_total - n_done) / rate + 0.5) : 0;
    fprintf(stderr, "\r\033[K%s of %s %s, %.1f/s, %lld:%02lld left", text_count(done, n_done),
            text_count(total, n_total), p->what, rate, (long long)(left_s / 60),
            (long long)(left_s % 60));
    fflush(stderr);
}

void progress_wipe(progress *p)
{
    if (p->shown && p->drawn_s > 0) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}

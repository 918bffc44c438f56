/*
 * progress.c - how far a long work is, on one line of a terminal.
 */
#include "app/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/text.h"
#include "base/clock.h"

#define MARK_S 15 /* the rate is that of the last 15 to 30 s */

void progress_start(progress *p, const char *what, bool quiet)
{
    *p = (progress){.shown = !quiet && isatty(STDERR_FILENO), .what = what, .start_s = dpli_now()};
}

/* @param left_s  below 0: not known */
static void draw(progress *p, double now_s, int64_t n_done, int64_t n_total, double rate,
                 double left_s)
{
    char done[32], total[32];

    p->drawn_s = now_s;
    fprintf(stderr, "\r\033[K%s of %s %s, %.1f/s", text_count(done, n_done),
            text_count(total, n_total), p->what, rate);
    if (left_s >= 0) {
        const int64_t s = (int64_t)(left_s + 0.5);

        if (s >= 3600)
            fprintf(stderr, ", %lld:%02d:%02d left", (long long)(s / 3600), (int)(s / 60 % 60),
                    (int)(s % 60));
        else
            fprintf(stderr, ", %d:%02d left", (int)(s / 60), (int)(s % 60));
    }
    fflush(stderr);
}

static bool is_due(const progress *p, double now_s, int64_t n_done, int64_t n_total)
{
    return n_done > 0 && (now_s - p->drawn_s >= 0.1 || n_done >= n_total);
}

void progress_step(progress *p, int64_t n_done, int64_t n_total)
{
    const double now_s = p->shown ? dpli_now() : 0;
    const double seconds = now_s - p->start_s;
    const double rate = seconds > 0 ? (double)n_done / seconds : 0;

    if (p->shown && is_due(p, now_s, n_done, n_total))
        draw(p, now_s, n_done, n_total, rate, rate > 0 ? (double)(n_total - n_done) / rate : 0);
}

void progress_step_work(progress *p, int64_t n_done, int64_t n_total, int64_t work_done,
                        int64_t work_total)
{
    const double now_s = p->shown ? dpli_now() : 0;

    if (!p->shown)
        return;
    if (p->marks[1].s <= 0) {
        p->start_s = now_s;
        p->marks[0].s = p->marks[1].s = now_s;
    }
    if (now_s - p->marks[1].s > MARK_S) {
        p->marks[0] = p->marks[1];
        p->marks[1].s = now_s;
        p->marks[1].n = n_done;
    }
    if (!is_due(p, now_s, n_done, n_total))
        return;
    const double span_s = now_s - p->marks[0].s;
    const double rate = span_s > 0 ? (double)(n_done - p->marks[0].n) / span_s : 0;
    /* Of known files, which are no work, so many are looked at in a second that they take none. */
    const double left = (double)(work_total > work_done ? work_total - work_done : 0);
    const double left_s = work_done > 0    ? left * (now_s - p->start_s) / (double)work_done
                          : work_total > 0 ? -1
                          : rate > 0       ? (double)(n_total - n_done) / rate
                                           : 0;

    draw(p, now_s, n_done, n_total, rate, left_s);
}

void progress_wipe(progress *p)
{
    if (p->shown && p->drawn_s > 0) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}

void progress_of_gallery(void *ctx, const char *what, int64_t n_done, int64_t n_total)
{
    progress *p = ctx;

    if (!p->shown)
        return;
    if (strcmp(p->what, what) != 0 || n_done < p->n_last) {
        progress_wipe(p);
        p->what = what;
        p->start_s = dpli_now();
        p->drawn_s = 0;
    }
    p->n_last = n_done;
    if (n_done < n_total)
        progress_step(p, n_done, n_total);
    else
        progress_wipe(p);
}

/*
 * answer_calibrate.c - what `doppel calibrate` says: as text with tables, and as JSON.
 */
#include "app/answer_calibrate.h"

#include <math.h>
#include <stdlib.h>

#include "app/json.h"
#include "app/text.h"

#define N_DOUBLES 20 /* probable double entries in the text */

/* ------------------------------------------------------------------ JSON */

static json_t *rows_json(const dpl_point_row *rows, size_t n, bool genuine)
{
    json_t *all = json_array();

    for (size_t i = 0; i < n; i++) {
        json_t *row = json_object();

        json_put_real(&row, "at", (double)rows[i].at);
        json_put_real(&row, genuine ? "fnmr" : "fmr", rows[i].rate);
        if (!genuine) {
            json_put_real(&row, "low", rows[i].low);
            json_put_real(&row, "high", rows[i].high);
            json_put_real(&row, "bar", rows[i].bar);
        }
        json_add(&all, row);
    }
    return all;
}

static json_t *strata_json(const dpl_calibrated *c)
{
    json_t *all = json_array();

    for (size_t i = 0; i < c->n_strata; i++) {
        const dpl_stratum_row *s = &c->strata[i];
        json_t *row = json_object();

        json_put_text(&row, "name", s->name);
        json_put_int(&row, "people", s->n_people);
        json_put_int(&row, "pairs", s->n_pairs);
        json_put_real(&row, "lowest_fmr", s->lowest_rate);
        json_put_real(&row, "factor", s->factor);
        json_add(&all, row);
    }
    return all;
}

static json_t *doubles_json(const calibration_run *r, const dpl_calibrated *c)
{
    json_t *all = json_array();

    for (size_t i = 0; i < c->n_doubles; i++) {
        const dpl_double *d = &c->doubles[i];
        json_t *row = json_object();

        json_put_text(&row, "person_a", r->own.samples.people_names[d->person_a]);
        json_put_text(&row, "person_b", r->own.samples.people_names[d->person_b]);
        json_put_text(&row, "photo_a", r->own.samples.names[d->sample_a]);
        json_put_text(&row, "photo_b", r->own.samples.names[d->sample_b]);
        json_put_real(&row, "score", (double)d->score);
        json_put_real(&row, "expected", d->expected);
        json_put_int(&row, "pairs", d->n_pairs);
        json_put_int(&row, "alike", d->n_alike);
        json_add(&all, row);
    }
    return all;
}

json_t *calibrate_json(const calibration_run *r, const dpl_calibrated *c, const char *written)
{
    json_t *answer = json_answer(r->self->name);

    json_put_text(&answer, "data", r->data);
    json_put_model(&answer, r->pipeline);
    json_put_int(&answer, "people", c->n_people);
    json_put_int(&answer, "merged", r->n_merged);
    json_put_int(&answer, "faces", c->n_faces);
    json_put_int(&answer, "failed", (int64_t)r->n_failed);
    json_put_int(&answer, "too_poor", c->n_too_poor);
    json_put_int(&answer, "left_out", c->n_left_out);
    json_put_int(&answer, "pairs", c->n_pairs);
    json_put_int(&answer, "poor_pairs", c->n_poor_pairs);
    json_put_int(&answer, "genuine_pairs", c->n_genuine_pairs);
    json_put_real(&answer, "lowest_fmr", c->points[c->n_points - 1].bar);
    json_put(&answer, "points", rows_json(c->points, c->n_points, false));
    if (c->n_poor > 0)
        json_put(&answer, "poor", rows_json(c->poor, c->n_poor, false));
    if (c->n_genuine > 0)
        json_put(&answer, "genuine", rows_json(c->genuine, c->n_genuine, true));
    json_put_real(&answer, "mean_factor", c->mean_factor);
    if (c->n_strata > 0)
        json_put(&answer, "strata", strata_json(c));
    json_put(&answer, "doubles", doubles_json(r, c));
    json_put_text(&answer, "written", written);
    return answer;
}

/* ------------------------------------------------------------------ text */

/* The share of genuine pairs below, between the table's points. */
static double missed(const dpl_calibrated *c, float at)
{
    const dpl_point_row *g = c->genuine;

    if (c->n_genuine == 0 || at < g[0].at || at > g[c->n_genuine - 1].at)
        return NAN;
    for (size_t i = 1; i < c->n_genuine; i++)
        if (at <= g[i].at)
            return g[i - 1].rate + ((double)at - (double)g[i - 1].at) /
                                       ((double)g[i].at - (double)g[i - 1].at) *
                                       (g[i].rate - g[i - 1].rate);
    return g[0].rate;
}

static void add_row(table *t, const dpl_calibrated *c, const dpl_point_row *row)
{
    const double share = missed(c, row->at);
    char *cells[] = {text_format("%.4g", (double)row->at), text_format("%.2g", row->rate),
                     text_format("%.2g", row->low), text_format("%.2g", row->high),
                     isfinite(share) ? text_format("%.3g", share) : text_format("-")};

    table_add(t, TONE_PLAIN, (const char *const *)cells);
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        free(cells[i]);
}

static void tell_points(const calibration_run *r, const dpl_calibrated *c)
{
    static const char *const heads[] = {"score", "false match rate", "at least", "at most",
                                        "of one person below"};
    table t = {.align = "rrrrr"};

    table_add(&t, TONE_FAINT, heads);
    for (size_t i = 0; i < c->n_points; i++)
        add_row(&t, c, &c->points[i]);
    table_print(&t, stdout, (color_when)r->o->common.color, 0);
    table_clear(&t);
    if (c->n_poor == 0)
        return;
    puts("\nwhere a face is poor:");
    table_add(&t, TONE_FAINT, heads);
    for (size_t i = 0; i < c->n_poor; i++) {
        const dpl_calibrated none = {0};
        add_row(&t, &none, &c->poor[i]);
    }
    table_print(&t, stdout, (color_when)r->o->common.color, 0);
    table_clear(&t);
}

static void tell_strata(const calibration_run *r, const dpl_calibrated *c)
{
    static const char *const heads[] = {"stratum", "people", "pairs", "times the rate", "at"};
    table t = {.align = "lrrrr"};

    if (c->n_strata == 0)
        return;
    putchar('\n');
    table_add(&t, TONE_FAINT, heads);
    for (size_t i = 0; i < c->n_strata; i++) {
        const dpl_stratum_row *s = &c->strata[i];
        const bool speaks = isfinite(s->lowest_rate);
        char people[32], pairs[32];
        char *factor = speaks ? text_format("%.2f", s->factor) : text_format("too few");
        char *rate = speaks ? text_format("%.0e", s->lowest_rate) : text_format("-");
        const char *cells[] = {s->name, text_count(people, s->n_people),
                               text_count(pairs, s->n_pairs), factor, rate};

        table_add(&t, TONE_PLAIN, cells);
        free(factor);
        free(rate);
    }
    table_print(&t, stdout, (color_when)r->o->common.color, 0);
    table_clear(&t);
}

static void tell_doubles(const calibration_run *r, const dpl_calibrated *c)
{
    if (c->n_doubles == 0)
        return;
    printf("\nperhaps one person under two names, counted as two (look at them; --review says who "
           "is the same):\n");
    for (size_t i = 0; i < c->n_doubles && i < N_DOUBLES; i++) {
        const dpl_double *d = &c->doubles[i];

        printf("  %.4f  ", (double)d->score);
        text_put(stdout, r->own.samples.people_names[d->person_a]);
        fputs(" (", stdout);
        text_put(stdout, r->own.samples.names[d->sample_a]);
        fputs("), ", stdout);
        text_put(stdout, r->own.samples.people_names[d->person_b]);
        fputs(" (", stdout);
        text_put(stdout, r->own.samples.names[d->sample_b]);
        printf("); %lld of their %lld pairs as alike as one person's\n", (long long)d->n_alike,
               (long long)d->n_pairs);
    }
    if (c->n_doubles > N_DOUBLES)
        printf("  and %zu more (--json lists them)\n", c->n_doubles - N_DOUBLES);
}

void calibrate_tell(const calibration_run *r, const dpl_calibrated *c, const char *written)
{
    char people[64], faces[64], pairs[32], one[32], rate[64];

    printf(
        "%s, %s", text_counted(people, c->n_people, "person"),
        text_counted(faces, c->n_faces, dpl_pipeline_detector(r->pipeline) ? "face" : "picture"));
    if (c->n_too_poor > 0)
        printf(" (%lld more are too poor to be compared)", (long long)c->n_too_poor);
    if (c->n_left_out > 0)
        printf(" (drawn; %lld more are of people left out, as %d faces are compared at most)",
               (long long)c->n_left_out, DPL_CALIBRATE_MAX_FACES);
    printf("\n%s pairs of strangers, %s pairs of one person, head %s\n\n",
           text_count(pairs, c->n_pairs), text_count(one, c->n_genuine_pairs),
           dpl_head_name(dpl_pipeline_head(r->pipeline)));
    tell_points(r, c);
    tell_strata(r, c);
    if (isfinite(c->mean_factor))
        printf("\nagainst the mean of several photos of a person: up to %.2f times as often\n",
               c->mean_factor);
    tell_doubles(r, c);
    printf("\nsupports false match rates down to %.2g (%s)\n", c->points[c->n_points - 1].bar,
           text_fmr(rate, c->points[c->n_points - 1].bar));
    if (written) {
        fputs("written to ", stdout);
        text_put(stdout, written);
        putchar('\n');
    } else {
        puts("nothing was written");
    }
}

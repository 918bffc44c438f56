/*
 * split.c - what a run trains on and what it holds out.
 *
 * Held out are whole groups (alphabets), whole classes, and the last items of every class
 * (drawers). With whole classes held out, validation is on those, by the held-out drawers if there
 * are any; else on the held-out items of all classes.
 */
#include "train/split.h"

#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/hash.h"
#include "base/mem.h"
#include "train/feed_captions.h"

#define MOST_HELD_CLASSES  200
#define MOST_HELD_PICTURES 1000

enum { SALT_HOLD = 31, SALT_HOLD_PAIRS = 32 };

/* A class of the first dataset, and what becomes of it. */
typedef struct choice {
    int32_t cls[DPLI_TOWERS]; /* by tower; -1: not in that dataset */
    int32_t group;
    bool held;
} choice;

typedef struct splitter {
    dpli_trainer *t;
    int32_t n;
    choice *choices;
} splitter;

/* Items of a class that could be read, to out; how many. */
static int32_t usable(const dpl_dataset *data, const dpli_feed *feed, int32_t cls, int32_t *out)
{
    int32_t n, kept = 0;
    const int32_t first = dpl_dataset_class_items(data, cls, &n);

    for (int32_t i = first; i < first + n; i++)
        if (feed->has(feed, i))
            out[kept++] = i;
    return kept;
}

/* The pictures from..to (of the n in reading order, in every tower) of a class into the pool. */
static void pool_add(dpli_draws *pool, const splitter *s, const choice *c, bool other_data,
                     int32_t skip_last, int32_t only_last, int32_t least)
{
    const dpli_trainer *t = s->t;
    dpli_draw_class k = {c->cls[0], c->group, {0}, {0}};
    int32_t at = pool->n_items;

    for (int32_t w = 0; w < pool->n_towers; w++) {
        const dpl_dataset *data = other_data ? t->held_data : t->towers[w].data;
        const dpli_feed *feed = other_data ? t->held_feeds[w] : t->towers[w].feed;
        int32_t *items = pool->items + at, n = usable(data, feed, c->cls[w], items);
        if (only_last && n > only_last) {
            memmove(items, items + (n - only_last), (size_t)only_last * sizeof *items);
            n = only_last;
        }
        n -= skip_last;
        if (n < (pool->n_towers > 1 ? 1 : least))
            return;
        k.items[w] = items;
        k.n[w] = n;
        at += n;
    }
    pool->n_items = at;
    pool->classes[pool->n_classes++] = k;
}

static dpl_status pool_init(dpli_draws *pool, int32_t n_towers, size_t n_classes, size_t n_items,
                            dpl_error *err)
{
    *pool = (dpli_draws){.n_towers = n_towers};
    pool->classes = dpli_alloc(n_classes, sizeof *pool->classes, err);
    pool->items = dpli_alloc(n_items, sizeof *pool->items, err);
    return pool->classes && pool->items ? DPL_OK : DPL_E_MEMORY;
}

/* ------------------------------------------------------------------ choosing */

/* Classes that all towers have. */
static dpl_status list_classes(splitter *s, dpl_error *err)
{
    const dpli_trainer *t = s->t;
    const dpl_dataset *data = t->towers[0].data;
    const int32_t n = dpl_dataset_n_classes(data);

    s->choices = dpli_calloc((size_t)n, sizeof *s->choices, err);
    if (!s->choices)
        return DPL_E_MEMORY;
    for (int32_t c = 0; c < n; c++) {
        choice k = {{c, c}, dpl_dataset_group_of(data, c), false};
        if (t->n_towers > 1)
            k.cls[1] = dpl_dataset_find_class(t->towers[1].data, dpl_dataset_class_name(data, c));
        if (k.cls[1] >= 0)
            s->choices[s->n++] = k;
    }
    if (s->n == 0)
        return dpli_fail(err, DPL_E_INPUT, "the two towers' data have no class in common");
    return DPL_OK;
}

static void hold_group(splitter *s, int32_t group)
{
    for (int32_t i = 0; i < s->n; i++)
        s->choices[i].held = s->choices[i].held || s->choices[i].group == group;
}

static dpl_status hold_groups(splitter *s, dpl_error *err)
{
    const dpl_train_options *o = &s->t->settings.o;
    const dpl_dataset *data = s->t->towers[0].data;
    const int32_t n = dpl_dataset_n_groups(data);
    int32_t *order;
    dpli_rng rng;

    for (int32_t i = 0; o->hold_group && o->hold_group[i]; i++) {
        int32_t g = 0;
        while (g < n && strcmp(dpl_dataset_group_name(data, g), o->hold_group[i]) != 0)
            g++;
        if (g == n)
            return dpli_fail(err, DPL_E_ARGUMENT, "no group of the data is named \"%.80s\"",
                             o->hold_group[i]);
        hold_group(s, g);
    }
    if (o->hold_groups == 0)
        return DPL_OK;
    if (o->hold_groups >= n)
        return dpli_fail(err, DPL_E_ARGUMENT, "%d groups cannot be held out of %d", o->hold_groups,
                         (int)n);
    order = dpli_alloc((size_t)n, sizeof *order, err);
    if (!order)
        return DPL_E_MEMORY;
    for (int32_t g = 0; g < n; g++)
        order[g] = g;
    dpli_seed_at(&rng, (uint64_t)o->seed, SALT_HOLD, 0, 0);
    dpli_draw_front(order, n, o->hold_groups, &rng);
    for (int32_t g = 0; g < o->hold_groups; g++)
        hold_group(s, order[g]);
    free(order);
    return DPL_OK;
}

static dpl_status hold_classes(splitter *s, dpl_error *err)
{
    const int32_t tenth = s->n / 10;
    int32_t want = s->t->settings.o.hold_classes, n = 0;
    int32_t *order;
    dpli_rng rng;

    if (want == DPLI_HOLD_A_TENTH) { /* a single one could not be validated on */
        dpl_status status;
        want = tenth > MOST_HELD_CLASSES ? MOST_HELD_CLASSES : tenth == 1 ? 2 : tenth;
        status = dpli_settings_hold_classes(&s->t->settings, want, err);
        if (status != DPL_OK)
            return status;
    }
    if (want == 0)
        return DPL_OK;
    order = dpli_alloc((size_t)s->n, sizeof *order, err);
    if (!order)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < s->n; i++)
        if (!s->choices[i].held)
            order[n++] = i;
    if (want > n - 2) {
        free(order);
        return dpli_fail(err, DPL_E_ARGUMENT, "%d classes cannot be held out of %d", (int)want,
                         (int)n);
    }
    dpli_seed_at(&rng, (uint64_t)s->t->settings.o.seed, SALT_HOLD, 1, 0);
    dpli_draw_front(order, n, want, &rng);
    for (int32_t i = 0; i < want; i++)
        s->choices[order[i]].held = true;
    free(order);
    return DPL_OK;
}

/* ------------------------------------------------------------------ pools */

static dpl_status fill_pools(splitter *s, dpl_error *err)
{
    dpli_trainer *t = s->t;
    const int32_t least = t->settings.o.min_items, last = t->settings.o.hold_items;
    size_t n_items = 0;
    bool any_held = false;
    dpl_status status;

    for (int32_t w = 0; w < t->n_towers; w++)
        n_items += (size_t)dpl_dataset_n_items(t->towers[w].data);
    for (int32_t i = 0; i < s->n; i++)
        any_held = any_held || s->choices[i].held;
    status = pool_init(&t->pool, t->n_towers, (size_t)s->n, n_items, err);
    if (status == DPL_OK)
        status = pool_init(&t->held, t->n_towers, (size_t)s->n, n_items, err);
    for (int32_t i = 0; i < s->n && status == DPL_OK; i++) {
        if (!s->choices[i].held)
            pool_add(&t->pool, s, &s->choices[i], false, last, 0, least);
        if (any_held ? s->choices[i].held : last > 0)
            pool_add(&t->held, s, &s->choices[i], false, 0, last, 2);
    }
    return status;
}

static dpl_status fill_held_from_other(dpli_trainer *t, dpl_error *err)
{
    const int32_t n = dpl_dataset_n_classes(t->held_data);
    const splitter s = {.t = t};
    dpl_status status =
        pool_init(&t->held, 1, (size_t)n, (size_t)dpl_dataset_n_items(t->held_data), err);

    for (int32_t c = 0; c < n && status == DPL_OK; c++) {
        const choice k = {{c, c}, dpl_dataset_group_of(t->held_data, c), false};
        pool_add(&t->held, &s, &k, true, 0, 0, 2);
    }
    return status;
}

/* A dataset without classes: each picture is a class of its own, whose items are its distortions
 * (Dosovitskiy et al. 2014). Distillation does not look at classes. */
static dpl_status fill_plain(dpli_trainer *t, dpl_error *err)
{
    const dpli_feed *feed = t->towers[0].feed;
    const int32_t n = dpl_dataset_n_items(t->towers[0].data);
    dpl_status status = pool_init(&t->pool, 1, (size_t)n, (size_t)n, err);

    for (int32_t i = 0; i < n && status == DPL_OK; i++) {
        int32_t *item = &t->pool.items[t->pool.n_items];

        if (!feed->has(feed, i))
            continue;
        *item = i;
        t->pool.classes[t->pool.n_classes++] = (dpli_draw_class){i, -1, {item}, {1}};
        t->pool.n_items++;
    }
    return status;
}

/* ------------------------------------------------------------------ given pairs */

/* The pairs of a dataset of which both sides could be read. */
static dpl_status list_given(dpli_draws *pool, const dpli_trainer *t, const dpl_dataset *data,
                             dpli_feed *const *feeds, dpl_error *err)
{
    const int32_t n = dpl_dataset_n_pairs(data);
    const dpli_feed *a = feeds[0], *b = feeds[t->n_towers > 1];

    *pool = (dpli_draws){.n_towers = t->n_towers};
    pool->pairs = dpli_alloc((size_t)n, sizeof *pool->pairs, err);
    if (!pool->pairs)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < n; i++) {
        const dpl_given_pair *p = dpl_dataset_pair(data, i);
        dpli_given *to = &pool->pairs[pool->n_pairs];

        if (!a->has(a, p->a) || !b->has(b, p->b))
            continue;
        *to = (dpli_given){p->a, p->b, p->grade, 0};
        if (a->steps)
            to->steps = a->steps(a, p->a);
        if (b->steps && b->steps(b, p->b) > to->steps)
            to->steps = b->steps(b, p->b);
        pool->n_pairs++;
    }
    return DPL_OK;
}

static dpl_status split_given(dpli_trainer *t, dpl_error *err)
{
    const int32_t hold = t->settings.o.hold_pairs;
    dpli_feed *const feeds[] = {t->towers[0].feed, t->towers[1].feed};
    dpli_given *pairs;
    dpl_status status = list_given(&t->pool, t, t->towers[0].data, feeds, err);
    int32_t *order;
    dpli_rng rng;

    if (status == DPL_OK && t->held_data)
        status = list_given(&t->held, t, t->held_data, t->held_feeds, err);
    if (status != DPL_OK || hold == 0)
        return status;
    if (hold >= t->pool.n_pairs)
        return dpli_fail(err, DPL_E_ARGUMENT, "%d pairs cannot be held out of %d", (int)hold,
                         (int)t->pool.n_pairs);
    t->held = (dpli_draws){.n_towers = t->n_towers};
    order = dpli_alloc((size_t)t->pool.n_pairs, sizeof *order, err);
    pairs = dpli_alloc((size_t)t->pool.n_pairs, sizeof *pairs, err);
    t->held.pairs = dpli_alloc((size_t)hold, sizeof *t->held.pairs, err);
    if (!order || !pairs || !t->held.pairs) {
        free(order);
        free(pairs);
        return DPL_E_MEMORY;
    }
    for (int32_t i = 0; i < t->pool.n_pairs; i++)
        order[i] = i;
    dpli_seed_at(&rng, (uint64_t)t->settings.o.seed, SALT_HOLD_PAIRS, 0, 0);
    dpli_draw_front(order, t->pool.n_pairs, hold, &rng);
    for (int32_t i = 0; i < t->pool.n_pairs; i++)
        pairs[i] = t->pool.pairs[order[i]];
    memcpy(t->held.pairs, pairs, (size_t)hold * sizeof *pairs);
    memmove(pairs, pairs + hold, (size_t)(t->pool.n_pairs - hold) * sizeof *pairs);
    t->held.n_pairs = hold;
    t->pool.n_pairs -= hold;
    free(t->pool.pairs);
    t->pool.pairs = pairs;
    free(order);
    return DPL_OK;
}

static uint64_t sum_given(const dpli_trainer *t)
{
    uint64_t sum = 0;

    for (int pass = 0; pass < 2; pass++) {
        const dpli_draws *pool = pass ? &t->held : &t->pool;
        const dpl_dataset *data = pass && t->held_data ? t->held_data : t->towers[0].data;

        for (int32_t i = 0; i < pool->n_pairs; i++) {
            const dpli_given *p = &pool->pairs[i];
            const char *a = dpl_dataset_item_name(data, p->a),
                       *b = dpl_dataset_item_name(data, p->b);

            sum = dpli_sum64(sum, a, strlen(a) + 1);
            sum = dpli_sum64(sum, b, strlen(b) + 1);
            sum = dpli_sum64(sum, &p->target, sizeof p->target);
        }
    }
    return sum;
}

/* ------------------------------------------------------------------ pictures with sentences */

/* Pictures are the classes, the sentences that they are a pair of one with are the items; what
 * could not be read is left out. Of pictures, those whose held is as said; NULL: all. */
static dpl_status list_captions(dpli_draws *pool, const dpli_trainer *t, const dpl_dataset *data,
                                const dpli_feed *feed, const bool *held, bool wanted,
                                dpl_error *err)
{
    const int32_t n_pairs = dpl_dataset_n_pairs(data);
    int32_t n, first = dpl_dataset_side_items(data, 1 - t->sentence_side, &n);
    dpl_status status = pool_init(pool, 1, (size_t)n, (size_t)n_pairs, err);
    int32_t *starts = dpli_calloc((size_t)n + 2, sizeof *starts, err);

    if (status != DPL_OK || !starts) {
        free(starts);
        return DPL_E_MEMORY;
    }
    /* counted, then put where each picture's begin: starts[p + 1] is where its next one goes */
    for (int pass = 0; pass < 2; pass++) {
        for (int32_t i = 0; i < n_pairs; i++) {
            const dpl_given_pair *pair = dpl_dataset_pair(data, i);
            const int32_t sentence = t->sentence_side ? pair->b : pair->a;
            const int32_t picture = (t->sentence_side ? pair->a : pair->b) - first;

            if (pair->grade < 1 || !feed->has(feed, sentence) ||
                !dpli_caption_feed_vector(feed, picture + first) ||
                (held && held[picture] != wanted))
                continue;
            if (pass == 0)
                starts[picture + 2]++;
            else
                pool->items[starts[picture + 1]++] = sentence;
        }
        for (int32_t p = 0; pass == 0 && p < n; p++)
            starts[p + 2] += starts[p + 1];
    }
    for (int32_t p = 0; p < n; p++) { /* now starts[p] is where picture p begins */
        const int32_t n_own = starts[p + 1] - starts[p];

        if (n_own > 0)
            pool->classes[pool->n_classes++] =
                (dpli_draw_class){first + p, -1, {pool->items + starts[p]}, {n_own}};
    }
    pool->n_items = starts[n];
    free(starts);
    return DPL_OK;
}

/* Pictures that are held out, drawn by the seed, [n] to held. */
static dpl_status draw_held_pictures(bool *held, dpli_trainer *t, int32_t n, dpl_error *err)
{
    int32_t want = t->settings.o.hold_classes, *order;
    dpl_status status;
    dpli_rng rng;

    if (want == DPLI_HOLD_A_TENTH) {
        want = n / 10 > MOST_HELD_PICTURES ? MOST_HELD_PICTURES : n / 10 < 2 ? 2 : n / 10;
        status = dpli_settings_hold_classes(&t->settings, want, err);
        if (status != DPL_OK)
            return status;
    }
    if (want > n - 2)
        return dpli_fail(err, DPL_E_ARGUMENT,
                         "%d pictures cannot be held out of %d; \"hold-classes\" 0 holds none",
                         (int)want, (int)n);
    order = dpli_alloc((size_t)n, sizeof *order, err);
    if (!order)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < n; i++)
        order[i] = i;
    dpli_seed_at(&rng, (uint64_t)t->settings.o.seed, SALT_HOLD, 1, 0);
    dpli_draw_front(order, n, want, &rng);
    for (int32_t i = 0; i < want; i++)
        held[order[i]] = true;
    free(order);
    return DPL_OK;
}

static uint64_t sum_captions(const dpli_trainer *t)
{
    uint64_t sum = 0;

    for (int pass = 0; pass < 2; pass++) {
        const dpli_draws *pool = pass ? &t->held : &t->pool;
        const dpl_dataset *data = pass && t->held_data ? t->held_data : t->towers[0].data;

        for (int32_t c = 0; c < pool->n_classes; c++) {
            const dpli_draw_class *k = &pool->classes[c];
            const char *name = dpl_dataset_item_name(data, k->cls);

            sum = dpli_sum64(sum, name, strlen(name) + 1);
            for (int32_t i = 0; i < k->n[0]; i++) {
                name = dpl_dataset_item_name(data, k->items[0][i]);
                sum = dpli_sum64(sum, name, strlen(name) + 1);
            }
        }
    }
    return sum;
}

static dpl_status split_captions(dpli_trainer *t, dpl_error *err)
{
    const dpl_dataset *data = t->towers[0].data;
    const dpli_feed *feed = t->towers[0].feed;
    bool *held;
    dpl_status status = DPL_OK;
    int32_t n;

    dpl_dataset_side_items(data, 1 - t->sentence_side, &n);
    held = dpli_calloc((size_t)n, sizeof *held, err);
    if (!held)
        return DPL_E_MEMORY;
    if (!t->held_data && t->settings.o.hold_classes > 0)
        status = draw_held_pictures(held, t, n, err);
    if (status == DPL_OK)
        status = list_captions(&t->pool, t, data, feed, held, false, err);
    if (status == DPL_OK)
        status = t->held_data
                     ? list_captions(&t->held, t, t->held_data, t->held_feeds[0], NULL, true, err)
                     : list_captions(&t->held, t, data, feed, held, true, err);
    free(held);
    if (status == DPL_OK && t->pool.n_classes < 2)
        status = dpli_fail(err, DPL_E_INPUT,
                           "%d pictures with a sentence are left to train on, two are needed",
                           (int)t->pool.n_classes);
    if (status == DPL_OK && t->held.n_classes == 1)
        status = dpli_fail(err, DPL_E_INPUT,
                           "one picture with a sentence is left to validate on, two are needed");
    t->data_sum = status == DPL_OK ? sum_captions(t) : 0;
    return status;
}

/* Names of what is trained on and validated on: a resumed run has the same. */
static uint64_t sum_names(const dpli_trainer *t)
{
    uint64_t sum = 0;

    for (int pass = 0; pass < 2; pass++) {
        const dpli_draws *pool = pass ? &t->held : &t->pool;
        for (int32_t c = 0; c < pool->n_classes; c++)
            for (int32_t w = 0; w < pool->n_towers; w++)
                for (int32_t i = 0; i < pool->classes[c].n[w]; i++) {
                    const dpl_dataset *data =
                        pass && t->held_data ? t->held_data : t->towers[w].data;
                    const char *name = dpl_dataset_item_name(data, pool->classes[c].items[w][i]);
                    sum = dpli_sum64(sum, name, strlen(name) + 1);
                }
    }
    return sum;
}

dpl_status dpli_trainer_split(dpli_trainer *t, dpl_error *err)
{
    splitter s = {.t = t};
    dpl_status status = DPL_OK;

    if (t->captions)
        return split_captions(t, err);
    if (t->given) {
        status = split_given(t, err);
        if (status == DPL_OK && t->pool.n_pairs == 0)
            status = dpli_fail(err, DPL_E_INPUT, "no pair is left to train on");
        t->data_sum = status == DPL_OK ? sum_given(t) : 0;
        return status;
    }
    if (t->settings.o.plain) {
        status = fill_plain(t, err);
    } else {
        status = list_classes(&s, err);
        if (status == DPL_OK)
            status = hold_groups(&s, err);
        if (status == DPL_OK)
            status = hold_classes(&s, err);
        if (status == DPL_OK)
            status = fill_pools(&s, err);
    }
    if (status == DPL_OK && t->held_data) {
        dpli_draws_clear(&t->held);
        status = fill_held_from_other(t, err);
    }
    free(s.choices);
    if (status != DPL_OK)
        return status;
    if (t->pool.n_items == 0 || (!t->settings.o.plain && t->pool.n_classes < 2))
        return dpli_fail(err, DPL_E_INPUT,
                         "%d classes are left to train on, two are needed (classes with fewer than "
                         "%d readable pictures are left out)",
                         (int)t->pool.n_classes, t->settings.o.min_items);
    if (t->held.n_classes == 1)
        return dpli_fail(err, DPL_E_INPUT,
                         "one class is left to validate on, two are needed, with two pictures "
                         "each");
    t->data_sum = sum_names(t);
    return DPL_OK;
}

/*
 * sampler.c - which pictures make a batch.
 *
 * Classes x items (each picture embedded once, all pairs used; same and different pairs weigh one
 * half each), or Koch's independent pairs, or pictures one by one for losses that need no pairs, or
 * pairs that the data gives.
 */
#include "train/sampler.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { SALT_BATCH = 1, SALT_EPOCH = 2, SALT_TURN = 3, SALT_GIVEN = 4 };

/* Batches of given pairs between which pairs are exchanged, so that each has such as are about as
 * long; more makes them more alike in other ways, too. */
#define CHUNK_BATCHES 16

struct dpli_sampler {
    dpli_sampler_options o;
    int32_t rows, n_towers;
    int32_t *order;  /* [n_classes], scratch */
    int32_t *picks;  /* [items of the largest class], scratch */
    int32_t *chosen; /* [classes] */
    int32_t *flat;   /* by_item: [n_items], the epoch's order of class x item */
    int32_t *class_of;
    int32_t *turn; /* given pairs: [batches], the epoch's order of batches; flat: [n_pairs] */
    int32_t *sorted, *counts, most_steps; /* [n_pairs], [most_steps + 1], scratch */
    int64_t epoch;                        /* that flat is of */
};

void dpli_draws_clear(dpli_draws *pool)
{
    free(pool->classes);
    free(pool->items);
    free(pool->pairs);
    *pool = (dpli_draws){0};
}

static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

void dpli_seed_at(dpli_rng *rng, uint64_t seed, uint64_t salt, uint64_t a, uint64_t b)
{
    dpli_rng_seed(rng, mix(mix(mix(mix(seed) ^ salt) ^ a) ^ b));
}

void dpli_draw_front(int32_t *order, int32_t n, int32_t m, dpli_rng *rng)
{
    for (int32_t i = 0; i < m; i++) {
        const int32_t j = i + (int32_t)dpli_rng_below(rng, (uint64_t)(n - i));
        const int32_t t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
}

int32_t dpli_draws_group(int32_t *out, const dpli_draws *pool, int32_t c)
{
    int32_t n = 0;

    for (int32_t i = 0; i < pool->n_classes; i++)
        if (pool->classes[i].group == pool->classes[c].group)
            out[n++] = i;
    return n;
}

static int32_t n_batches(const dpli_sampler *s)
{
    return s->o.pool->n_pairs > s->o.pairs ? s->o.pool->n_pairs / s->o.pairs : 1;
}

static dpl_status given_init(dpli_sampler *s, dpl_error *err)
{
    const dpli_draws *pool = s->o.pool;
    const size_t n = (size_t)pool->n_pairs;

    for (int32_t i = 0; i < pool->n_pairs; i++)
        s->most_steps = pool->pairs[i].steps > s->most_steps ? pool->pairs[i].steps : s->most_steps;
    s->flat = dpli_alloc(n, sizeof *s->flat, err);
    s->sorted = dpli_alloc(n, sizeof *s->sorted, err);
    s->turn = dpli_alloc((size_t)n_batches(s), sizeof *s->turn, err);
    s->counts = dpli_alloc((size_t)s->most_steps + 2, sizeof *s->counts, err);
    return s->flat && s->sorted && s->turn && s->counts ? DPL_OK : DPL_E_MEMORY;
}

dpl_status dpli_sampler_new(dpli_sampler **out, const dpli_sampler_options *options, dpl_error *err)
{
    const dpli_draws *pool = options->pool;
    dpli_sampler *s = dpli_calloc(1, sizeof *s, err);
    int32_t most = 1;

    *out = NULL;
    if (!s)
        return DPL_E_MEMORY;
    s->o = *options;
    s->n_towers = pool->n_towers;
    s->rows = !options->pairs   ? options->classes * options->items
              : s->n_towers > 1 ? options->pairs
                                : 2 * options->pairs;
    s->epoch = -1;
    for (int32_t c = 0; c < pool->n_classes; c++)
        for (int32_t t = 0; t < s->n_towers; t++)
            most = pool->classes[c].n[t] > most ? pool->classes[c].n[t] : most;
    s->order = dpli_alloc((size_t)pool->n_classes, sizeof *s->order, err);
    s->picks = dpli_alloc((size_t)most, sizeof *s->picks, err);
    s->chosen =
        dpli_alloc((size_t)(options->classes > 0 ? options->classes : 1), sizeof *s->chosen, err);
    if (options->by_item) {
        s->flat = dpli_alloc((size_t)pool->n_items, sizeof *s->flat, err);
        s->class_of = dpli_alloc((size_t)pool->n_items, sizeof *s->class_of, err);
    }
    if (!s->order || !s->picks || !s->chosen || (options->by_item && (!s->flat || !s->class_of)) ||
        (pool->n_pairs && given_init(s, err) != DPL_OK)) {
        dpli_sampler_free(s);
        return DPL_E_MEMORY;
    }
    for (int32_t c = 0, at = 0; options->by_item && c < pool->n_classes; c++)
        for (int32_t i = 0; i < pool->classes[c].n[0]; i++)
            s->class_of[at++] = c;
    *out = s;
    return DPL_OK;
}

void dpli_sampler_free(dpli_sampler *s)
{
    if (!s)
        return;
    free(s->order);
    free(s->picks);
    free(s->chosen);
    free(s->flat);
    free(s->class_of);
    free(s->turn);
    free(s->sorted);
    free(s->counts);
    free(s);
}

int32_t dpli_sampler_rows(const dpli_sampler *s)
{
    return s->rows;
}

size_t dpli_sampler_pairs(const dpli_sampler *s)
{
    const size_t n = (size_t)s->rows;

    if (!s->o.want_pairs)
        return 0;
    return s->o.pairs ? (size_t)s->o.pairs : s->n_towers > 1 ? n * n : n * (n - 1) / 2;
}

static dpli_row row_of(const dpli_sampler *s, int32_t tower, int32_t c, int32_t pick, int32_t turns)
{
    const dpli_draws *pool = s->o.pool;

    return (dpli_row){.item = pool->classes[c].items[tower][pick],
                      .label = turns * pool->n_classes + c,
                      .cls = pool->classes[c].cls,
                      .turns = turns};
}

static int32_t draw_turns(const dpli_sampler *s, dpli_rng *rng)
{
    return s->o.turned ? (int32_t)dpli_rng_below(rng, 4) : 0;
}

/* ------------------------------------------------------------------ classes x items */

/* Classes of the batch, to chosen. A group that is too small is filled up from all classes. */
static void choose_classes(dpli_sampler *s, bool within, dpli_rng *rng)
{
    const dpli_draws *pool = s->o.pool;
    const int32_t want = s->o.classes < pool->n_classes ? s->o.classes : pool->n_classes;
    int32_t n = 0, got = 0;

    if (within) {
        n = dpli_draws_group(s->order, pool,
                             (int32_t)dpli_rng_below(rng, (uint64_t)pool->n_classes));
        got = n < want ? n : want;
        dpli_draw_front(s->order, n, got, rng);
        for (int32_t i = 0; i < got; i++)
            s->chosen[i] = s->order[i];
    }
    if (got < want) {
        const int32_t group = got ? pool->classes[s->chosen[0]].group : -2;
        for (int32_t c = n = 0; c < pool->n_classes; c++)
            if (pool->classes[c].group != group)
                s->order[n++] = c;
        dpli_draw_front(s->order, n, want - got, rng);
        for (int32_t i = got; i < want; i++)
            s->chosen[i] = s->order[i - got];
    }
    /* fewer classes than asked for: the first ones again, with other items */
    for (int32_t i = want; i < s->o.classes; i++)
        s->chosen[i] = s->chosen[i - want];
}

/* items of a class, each once before any is repeated. */
static void draw_items(dpli_sampler *s, dpli_row *rows, int32_t tower, int32_t c, int32_t turns,
                       dpli_rng *rng)
{
    const int32_t n = s->o.pool->classes[c].n[tower];

    for (int32_t i = 0; i < s->o.items; i++) {
        if (i % n == 0) {
            for (int32_t k = 0; k < n; k++)
                s->picks[k] = k;
            dpli_draw_front(s->picks, n, n, rng);
        }
        rows[i] = row_of(s, tower, c, s->picks[i % n], turns);
    }
}

static size_t all_pairs(const dpli_sampler *s, const dpli_row *rows, dpli_pair *pairs)
{
    const int32_t n = s->rows;
    size_t at = 0, n_same = 0;

    for (int32_t i = 0; i < n; i++)
        for (int32_t j = s->n_towers > 1 ? n : i + 1; j < (s->n_towers > 1 ? 2 * n : n); j++) {
            const bool same = rows[i].label == rows[j].label;
            pairs[at++] = (dpli_pair){i, j, same ? 1.0f : 0.0f, 0};
            n_same += same;
        }
    const size_t n_other = at - n_same;
    const float w_same = n_same ? (n_other ? 0.5f : 1.0f) / (float)n_same : 0;
    const float w_other = n_other ? (n_same ? 0.5f : 1.0f) / (float)n_other : 0;
    for (size_t k = 0; k < at; k++)
        pairs[k].weight = pairs[k].target > 0.5f ? w_same : w_other;
    return at;
}

static void draw_classes(dpli_sampler *s, dpli_row *rows, dpli_rng *rng)
{
    const bool within = dpli_rng_unit(rng) < s->o.within_group;
    const int32_t all_turn = draw_turns(s, rng);

    choose_classes(s, within, rng);
    for (int32_t k = 0; k < s->o.classes; k++) {
        /* a turned group is a group: its classes all lie the same way */
        const int32_t turns = within ? all_turn : draw_turns(s, rng);
        for (int32_t t = 0; t < s->n_towers; t++)
            draw_items(s, rows + t * s->rows + k * s->o.items, t, s->chosen[k], turns, rng);
    }
}

/* ------------------------------------------------------------------ random pairs */

static size_t draw_pairs(dpli_sampler *s, dpli_row *rows, dpli_pair *pairs, dpli_rng *rng)
{
    const dpli_draws *pool = s->o.pool;
    const int32_t second = s->n_towers > 1 ? 1 : 0;

    for (int32_t k = 0; k < s->o.pairs; k++) {
        const bool same = k % 2 == 0;
        const int32_t a = (int32_t)dpli_rng_below(rng, (uint64_t)pool->n_classes);
        const int32_t turns = draw_turns(s, rng);
        const int32_t row_a = second ? k : 2 * k, row_b = second ? s->rows + k : 2 * k + 1;
        int32_t b = a, pick_a, pick_b;

        if (!same && dpli_rng_unit(rng) < s->o.within_group) {
            const int32_t n = dpli_draws_group(s->order, pool, a);
            if (n > 1)
                do {
                    b = s->order[dpli_rng_below(rng, (uint64_t)n)];
                } while (b == a);
        }
        while (!same && b == a)
            b = (int32_t)dpli_rng_below(rng, (uint64_t)pool->n_classes);
        pick_a = (int32_t)dpli_rng_below(rng, (uint64_t)pool->classes[a].n[0]);
        do {
            pick_b = (int32_t)dpli_rng_below(rng, (uint64_t)pool->classes[b].n[second]);
        } while (same && !second && pool->classes[a].n[0] > 1 && pick_b == pick_a);
        rows[row_a] = row_of(s, 0, a, pick_a, turns);
        rows[row_b] = row_of(s, second, b, pick_b, turns);
        pairs[k] = (dpli_pair){row_a, row_b, same ? 1.0f : 0.0f, 1.0f / (float)s->o.pairs};
    }
    return (size_t)s->o.pairs;
}

/* ------------------------------------------------------------------ one by one */

static void draw_singles(dpli_sampler *s, dpli_row *rows, int64_t step)
{
    const dpli_draws *pool = s->o.pool;
    const int32_t n = pool->n_items;
    dpli_rng rng;

    dpli_seed_at(&rng, s->o.seed, SALT_TURN, (uint64_t)step, 0);
    for (int32_t r = 0; r < s->rows; r++) {
        const int64_t at = step * s->rows + r, epoch = at / n;
        if (epoch != s->epoch) {
            dpli_rng shuffle;
            dpli_seed_at(&shuffle, s->o.seed, SALT_EPOCH, (uint64_t)epoch, 0);
            for (int32_t i = 0; i < n; i++)
                s->flat[i] = i;
            dpli_draw_front(s->flat, n, n, &shuffle);
            s->epoch = epoch;
        }
        const int32_t which = s->flat[at % n], c = s->class_of[which];
        const int32_t first = (int32_t)(pool->classes[c].items[0] - pool->items);
        rows[r] = row_of(s, 0, c, which - first, draw_turns(s, &rng));
    }
}

/* ------------------------------------------------------------------ given pairs */

/* n of flat, from there on, by how long they are; those that are as long stay in their order. */
static void sort_given(dpli_sampler *s, int32_t from, int32_t n)
{
    const dpli_given *pairs = s->o.pool->pairs;
    int32_t *at = s->counts;

    memset(at, 0, ((size_t)s->most_steps + 2) * sizeof *at);
    for (int32_t i = from; i < from + n; i++)
        at[pairs[s->flat[i]].steps + 1]++;
    for (int32_t k = 0; k <= s->most_steps; k++)
        at[k + 1] += at[k];
    for (int32_t i = from; i < from + n; i++)
        s->sorted[at[pairs[s->flat[i]].steps]++] = s->flat[i];
    memcpy(s->flat + from, s->sorted, (size_t)n * sizeof *s->sorted);
}

static void begin_epoch(dpli_sampler *s, int64_t epoch)
{
    const int32_t n = s->o.pool->n_pairs, chunk = CHUNK_BATCHES * s->o.pairs;
    const int32_t n_turns = n_batches(s);
    dpli_rng rng;

    dpli_seed_at(&rng, s->o.seed, SALT_GIVEN, (uint64_t)epoch, 0);
    for (int32_t i = 0; i < n; i++)
        s->flat[i] = i;
    dpli_draw_front(s->flat, n, n, &rng);
    for (int32_t i = 0; s->most_steps && i < n_turns * s->o.pairs && i < n; i += chunk) {
        const int32_t whole = n_turns * s->o.pairs < n ? n_turns * s->o.pairs : n;

        sort_given(s, i, whole - i < chunk ? whole - i : chunk);
    }
    for (int32_t i = 0; i < n_turns; i++)
        s->turn[i] = i;
    dpli_draw_front(s->turn, n_turns, n_turns, &rng);
    s->epoch = epoch;
}

static size_t draw_given(dpli_sampler *s, int64_t step, dpli_row *rows, dpli_pair *pairs)
{
    const int32_t n = s->o.pool->n_pairs, n_turns = n_batches(s);
    const bool two = s->n_towers > 1;

    if (step / n_turns != s->epoch)
        begin_epoch(s, step / n_turns);
    for (int32_t k = 0; k < s->o.pairs; k++) {
        /* fewer than a batch: again from the first */
        const int32_t at = (int32_t)(((int64_t)s->turn[step % n_turns] * s->o.pairs + k) % n);
        const dpli_given *p = &s->o.pool->pairs[s->flat[at]];
        const int32_t a = two ? k : 2 * k, b = two ? s->rows + k : 2 * k + 1;

        rows[a] = (dpli_row){.item = p->a};
        rows[b] = (dpli_row){.item = p->b};
        pairs[k] = (dpli_pair){a, b, p->target, 1.0f / (float)s->o.pairs};
    }
    return (size_t)s->o.pairs;
}

void dpli_sampler_draw(dpli_sampler *s, int64_t step, dpli_row *rows, dpli_pair *pairs,
                       size_t *n_pairs)
{
    dpli_rng rng;

    *n_pairs = 0;
    dpli_seed_at(&rng, s->o.seed, SALT_BATCH, (uint64_t)step, 0);
    if (s->o.by_item) {
        draw_singles(s, rows, step);
    } else if (s->o.pool->n_pairs) {
        *n_pairs = draw_given(s, step, rows, pairs);
    } else if (s->o.pairs) {
        *n_pairs = draw_pairs(s, rows, pairs, &rng);
    } else {
        draw_classes(s, rows, &rng);
        if (s->o.want_pairs)
            *n_pairs = all_pairs(s, rows, pairs);
    }
}

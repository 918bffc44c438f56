/*
 * draw.c - classes and items of a data set, made ready for drawing pairs and trials.
 */
#include "index/draw.h"

#include <stdlib.h>

#include "base/mem.h"

static int by_size(const void *a, const void *b)
{
    const dpli_group *x = a, *y = b;

    return x->n != y->n ? (x->n < y->n) - (x->n > y->n)
                        : (x->first > y->first) - (x->first < y->first);
}

dpl_status dpli_classes_sort(dpli_classes *out, const dpl_dataset *dataset, int32_t min_items,
                             dpl_error *err)
{
    const int32_t n_classes = dpl_dataset_n_classes(dataset);
    const int32_t n_groups = dpl_dataset_n_groups(dataset);
    dpli_classes c = {0};
    dpl_status status = DPL_E_MEMORY;
    int32_t at = 0, n_items;

    *out = c;
    c.of = dpli_alloc((size_t)n_classes, sizeof *c.of, err);
    c.groups = dpli_calloc((size_t)n_groups, sizeof *c.groups, err);
    if (!c.of || !c.groups)
        goto done;
    for (int32_t i = 0; i < n_classes; i++) {
        dpl_dataset_class_items(dataset, i, &n_items);
        c.groups[dpl_dataset_group_of(dataset, i)].n += n_items >= min_items;
    }
    for (int32_t g = 0; g < n_groups; g++) {
        c.groups[g].first = c.n;
        c.n += c.groups[g].n;
        c.groups[g].n = 0;
    }
    for (int32_t i = 0; i < n_classes; i++) {
        dpli_group *g = &c.groups[dpl_dataset_group_of(dataset, i)];
        dpl_dataset_class_items(dataset, i, &n_items);
        if (n_items >= min_items)
            c.of[g->first + g->n++] = i;
    }
    for (int32_t g = 0; g < n_groups; g++)
        if (c.groups[g].n > 0)
            c.groups[at++] = c.groups[g];
    c.n_groups = at;
    if (at > 0) {
        qsort(c.groups, (size_t)at, sizeof *c.groups, by_size);
        c.largest = c.groups[0].n;
    }
    *out = c;
    c = (dpli_classes){0};
    status = DPL_OK;
done:
    dpli_classes_clear(&c);
    return status;
}

void dpli_classes_clear(dpli_classes *classes)
{
    free(classes->of);
    free(classes->groups);
    *classes = (dpli_classes){0};
}

const dpli_group *dpli_classes_group(const dpli_classes *classes, dpli_rng *rng, int32_t at_least)
{
    int32_t n = classes->n_groups;

    while (n > 1 && classes->groups[n - 1].n < at_least)
        n--;
    return &classes->groups[dpli_rng_below(rng, (uint64_t)n)];
}

dpl_status dpli_renumber_begin(dpli_renumber *r, const dpl_dataset *dataset, dpl_error *err)
{
    const int32_t n = dpl_dataset_n_items(dataset);

    *r = (dpli_renumber){0};
    r->number = dpli_alloc((size_t)n, sizeof *r->number, err);
    r->items = dpli_alloc((size_t)n, sizeof *r->items, err);
    if (!r->number || !r->items)
        return DPL_E_MEMORY;
    for (int32_t i = 0; i < n; i++)
        r->number[i] = -1;
    return DPL_OK;
}

void dpli_renumber_one(dpli_renumber *r, int32_t *item)
{
    int32_t *number = &r->number[*item];

    if (*number < 0) {
        *number = (int32_t)r->n;
        r->items[r->n++] = *item;
    }
    *item = *number;
}

void dpli_renumber_end(dpli_renumber *r, int32_t **items, size_t *n)
{
    free(r->number);
    *items = r->items;
    *n = r->n;
    *r = (dpli_renumber){0};
}

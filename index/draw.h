/* Drawing classes and items of a data set, for pairs and trials. */
#ifndef DOPPEL_INDEX_DRAW_H
#define DOPPEL_INDEX_DRAW_H

#include "base/rng.h"
#include "doppel/dataset.h"

/* A group's classes: of[first .. first + n - 1]. */
typedef struct dpli_group {
    int32_t first, n;
} dpli_group;

/* The classes with enough items, by group. */
typedef struct dpli_classes {
    int32_t *of; /* [n] classes of the data set */
    int32_t n;
    dpli_group *groups;        /* [n_groups], largest first */
    int32_t n_groups, largest; /* groups with a class; classes in the largest */
} dpli_classes;

dpl_status dpli_classes_sort(dpli_classes *out, const dpl_dataset *dataset, int32_t min_items,
                             dpl_error *err);
void dpli_classes_clear(dpli_classes *classes);

/** One of the groups with at least this many classes, each as likely; there must be one. */
const dpli_group *dpli_classes_group(const dpli_classes *classes, dpli_rng *rng, int32_t at_least);

/* Items of a data set to numbers of those in use, in the order in which they are met. */
typedef struct dpli_renumber {
    int32_t *number; /* [items of the data set], -1: not met */
    int32_t *items;  /* [n] */
    size_t n;
} dpli_renumber;

dpl_status dpli_renumber_begin(dpli_renumber *r, const dpl_dataset *dataset, dpl_error *err);
void dpli_renumber_one(dpli_renumber *r, int32_t *item);
/** Gives the list out, freed by free(). */
void dpli_renumber_end(dpli_renumber *r, int32_t **items, size_t *n);

#endif

/* What a source of a data set lists: items, or pairs of them, before they are sorted and numbered.
 */
#ifndef DOPPEL_DATA_LIST_H
#define DOPPEL_DATA_LIST_H

#include "doppel/dataset.h"

/* An item as its source tells it. */
typedef struct dpli_found {
    char *name, *cls, *group; /* cls and group NULL when plain */
    size_t at;                /* zip: the member; list: the line; .npy: the row */
    char *stratum, *role;     /* NULL: not said */
    const void *values;       /* of a vector or codes, in own or in one of the arrays */
    int32_t n_values;
    void *own;
} dpli_found;

/* A pair as its list tells it. */
typedef struct dpli_found_pair {
    char *side[2];
    dpl_given_pair pair; /* all but a and b */
} dpli_found_pair;

/* Vectors read from a file. */
typedef struct dpli_array {
    char *path;
    float *values; /* [n, dim] */
    int32_t n, dim;
} dpli_array;

typedef struct dpli_list {
    const char *root; /* borrowed: where a list's paths begin */
    dpl_item_kind kinds[2];
    bool paired, graded;
    dpli_found *items; /* of pairs: none until dpli_list_number */
    size_t n, cap;
    dpli_found_pair *pairs;
    size_t n_pairs, cap_pairs;
    dpli_array *arrays;
    size_t n_arrays, cap_arrays;
} dpli_list;

void dpli_found_clear(dpli_found *found);
void dpli_list_clear(dpli_list *list);

/** What one item of this kind is called in a message, and what many are. */
const char *dpli_kind_name(dpl_item_kind kind);
const char *dpli_kind_names(dpl_item_kind kind);

/** Add an item. Takes what f points to, also on failure. */
dpl_status dpli_list_add(dpli_list *list, dpli_found f, dpl_error *err);

/** Take text [n], which has a NUL behind it and is taken apart, for a CSV or TSV. Errors name the
 * line. */
dpl_status dpli_list_text(dpli_list *list, char *text, size_t n, const dpl_dataset_options *options,
                          dpl_error *err);
/** Every row of an .npy, with its class. */
dpl_status dpli_list_npy(dpli_list *list, const char *path, const dpl_dataset_options *options,
                         dpl_error *err);

/**
 * The items of the pairs, each once, sorted by their bytes, side by side.
 * @param[out] pairs  [list->n_pairs] freed with free(); items by their number in list->items
 * @param[out] n      items of either side; of one kind: n[0], shared
 */
dpl_status dpli_list_number(dpl_given_pair **pairs, int32_t n[2], dpli_list *list, dpl_error *err);

#endif

/* References that may be wrong, in words and as JSON. */
#ifndef DOPPEL_APP_DOUBT_H
#define DOPPEL_APP_DOUBT_H

#include <jansson.h>

#include "doppel/doppel.h"

/** "Ann/3.jpg is unlike the other 4 photos of Ann (score 0.12, strangers score so high in 30 % of
 * pairs)". Freed by free(). */
char *doubt_words(const dpl_doubt *doubt);

/** The same for programs; NULL when there is no memory. */
json_t *doubt_json(const dpl_doubt *doubt);

enum { DOUBT_MENDS = 3 };

/* A command that mends it, and when it is the right one: "if it is Bob's". */
typedef struct doubt_mend {
    char *when, *command; /* each freed by free(), or NULL */
} doubt_mend;

/** What mends a doubt, ready to be pasted: at most DOUBT_MENDS, the rest NULL. */
void doubt_mends(doubt_mend out[DOUBT_MENDS], dpl_gallery *gallery, const dpl_doubt *doubt);
void doubt_mends_clear(doubt_mend mends[DOUBT_MENDS]);

/** doppel.check/1: a doubt with what mends it. */
json_t *doubt_check_json(const dpl_doubt *doubt, const doubt_mend mends[DOUBT_MENDS]);

/* Doubts being gathered as lines. */
typedef struct doubt_list {
    char **lines; /* each freed by free(), as the list */
    json_t *json; /* array of the same; NULL: none */
    size_t n, cap;
} doubt_list;

/** Gather what dpl_gallery_doubts tells: its fn, with the list as ctx. */
void doubt_gather(void *ctx, const dpl_doubt *doubt);
void doubt_list_clear(doubt_list *list);

#endif

/* What a copy has to do with the picture that it is one of, in words and as JSON. */
#ifndef DOPPEL_APP_COPY_WORDS_H
#define DOPPEL_APP_COPY_WORDS_H

#include <jansson.h>

#include "doppel/doppel.h"

/**
 * "mirrored, cropped to 64 % of the area"; "": nothing that is worth a word. Freed by free(); NULL:
 * no memory.
 *
 * @param o      the copy laid over the first
 * @param first  what the first is called: "the one to keep"
 */
char *copy_words(const dpl_overlay *o, const char *first);

/** The same in numbers. @param first_shown  the name of how much of the first is shown */
void copy_put_json(json_t **to, const dpl_overlay *o, const char *first_shown);

#endif

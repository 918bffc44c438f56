/* An answer of `query` in words, for tables and for pages. */
#ifndef DOPPEL_APP_QUERY_WORDS_H
#define DOPPEL_APP_QUERY_WORDS_H

#include "app/answer_query.h"

/** Whether it is what was asked for: somebody known, or a picture alike where nothing judges it. */
bool query_is_found(const dpl_answer *answer);

/** The name, or what there is in its place: "unknown", "inconclusive". */
const char *query_who(const dpl_answer *answer);

/** "sharpness (quality 0.12, at least 0.30 is needed)". Freed by free(). */
char *query_too_poor(const query_facts *f, const dpl_answer *answer);

/** "mean of 3 photos; most like photo.jpg". Freed by free(). */
char *query_compared(const dpl_candidate *c, const dpl_answer_hit *hit);

/** "photo.jpg", and of a copy of it "photo.jpg (same picture: mirrored)". Freed by free(). */
char *query_photo(const dpl_answer_hit *hit);

/** The person to be told of; NULL: every other stranger is as like them. */
const dpl_candidate *query_leading(const query_facts *f, const dpl_answer *answer);

/** "face 2: two people match, Ann and Bob: …", or NULL: as it should be. Freed by free(). */
char *query_two_people(const dpl_answer *answer);

/** "21 faces, 2 known: Barack Obama, Marie Curie". Freed by free(). */
char *query_headline(const query_facts *f);

#endif

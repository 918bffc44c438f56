/* The answer of `query` as tables for people. */
#ifndef DOPPEL_APP_QUERY_TABLE_H
#define DOPPEL_APP_QUERY_TABLE_H

#include <stdio.h>

#include "app/answer_query.h"
#include "app/doubt.h"
#include "app/text.h"

/**
 * Print a photo's table, with what is odd about it below.
 *
 * @param news     doubts that no photo before had
 * @param in_full  all hits of strangers, too, where there are several faces
 */
void query_table(const query_facts *facts, const doubt_list *news, bool in_full, color_when color);

/** What is odd about who was named. @param where  before what is of this photo alone */
void query_notes(const query_facts *facts, const doubt_list *news, color_when color, FILE *f,
                 const char *indent, const char *where);

#endif

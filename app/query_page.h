/* The answer of `query` as a page for the browser: a card a photo. */
#ifndef DOPPEL_APP_QUERY_PAGE_H
#define DOPPEL_APP_QUERY_PAGE_H

#include "app/answer_query.h"
#include "app/doubt.h"
#include "app/html.h"

/**
 * A photo with its answers.
 *
 * @param doubts    of the references of who was named
 * @param is_alone  there is no other: it heads the page
 */
void query_page(html *page, const query_facts *facts, const doubt_list *doubts, bool is_alone);

/** A photo without an answer. */
void query_page_failure(const html *page, const char *name, const dpl_error *err);

#endif

/* `doppel query --text`: photos found by what they show. */
#ifndef DOPPEL_APP_QUERY_TEXT_H
#define DOPPEL_APP_QUERY_TEXT_H

#include "app/common.h"
#include "app/query_person.h"

/* What it is asked with. */
typedef struct query_text_options {
    int k; /* photos told of each sentence */
    dpl_text_by by;
    double fmr, threshold; /* NaN: not given */
    query_form form;
} query_text_options;

/** The whole command, for n sentences; the exit code. */
int query_text(const command *self, common *o, const query_text_options *asked,
               const char *const *texts, size_t n);

#endif

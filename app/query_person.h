/* `doppel query --person`: the photos in which a person is. */
#ifndef DOPPEL_APP_QUERY_PERSON_H
#define DOPPEL_APP_QUERY_PERSON_H

#include "app/common.h"

typedef enum query_form { QUERY_TEXT, QUERY_LINES, QUERY_NUL, QUERY_JSON } query_form;

/** List them, by path. Returns the exit code: 1 when no photo shows them, 4 when nobody is so
 * called. */
int query_person(const command *self, const common *o, const char *name, query_form form);

#endif

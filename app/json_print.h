/* JSON for programs: one object a line on stdout. */
#ifndef DOPPEL_APP_JSON_PRINT_H
#define DOPPEL_APP_JSON_PRINT_H

#include <jansson.h>

/** Print on a line of its own, flush, and let go. What could drive a terminal or mislead its reader
 * is written as \uNNNN, which is the same JSON. NULL, an object that there was no memory for, ends
 * the program with exit code 5. */
void json_print(json_t *object);

#endif

/* Lines of a text, whatever ends them. */
#ifndef DOPPEL_BASE_LINES_H
#define DOPPEL_BASE_LINES_H

#include <stddef.h>

/** Give a text [n] that has carriage returns and not one line feed, as old programs end lines, line
 * feeds in their place. In any other text a lone carriage return is a character like others. */
void dpli_lines_end(char *text, size_t n);

#endif

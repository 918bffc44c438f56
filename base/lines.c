/* lines.c - LF and CRLF are read by who reads lines; a text of bare CRs is brought to LF before. */
#include "base/lines.h"

#include <string.h>

void dpli_lines_end(char *text, size_t n)
{
    if (n == 0 || memchr(text, '\n', n))
        return;
    for (char *at = memchr(text, '\r', n); at; at = memchr(at, '\r', n - (size_t)(at - text)))
        *at = '\n';
}

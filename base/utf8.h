/* UTF-8 (RFC 3629): what is a character, and what only looks like one. */
#ifndef DOPPEL_BASE_UTF8_H
#define DOPPEL_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The character that s begins with: its bytes, 1 to 4, or 0 when it begins with none (overlong, a
 * surrogate, past the last code point, cut off). At the end of s, 1 and *point 0. */
size_t dpli_utf8_next(uint32_t *point, const char *s);

/** Whether all of s is UTF-8. */
bool dpli_is_utf8(const char *s);

/** Whether a character moves a terminal's cursor, ends a line, is not seen, or turns the direction
 * of the text after it. */
bool dpli_utf8_is_unsafe(uint32_t point);

#endif

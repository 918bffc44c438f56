/*
 * unicode.c - classes of characters, lower case, and the composed form.
 *
 * Source: the Unicode Character Database and Standard Annex 15, as utf8proc has them.
 */
#include "base/unicode.h"

#include <stdlib.h>

#include <utf8proc.h>

#include "base/fail.h"

dpli_character dpli_character_of(uint32_t point)
{
    if ((point >= '\t' && point <= '\r') || point == 0x85)
        return DPLI_CHARACTER_SPACE;
    switch (utf8proc_category((utf8proc_int32_t)point)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return DPLI_CHARACTER_SPACE;
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF: return DPLI_CHARACTER_CONTROL;
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return DPLI_CHARACTER_LETTER;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME: return DPLI_CHARACTER_MARK;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return DPLI_CHARACTER_NUMBER;
    default: return DPLI_CHARACTER_OTHER;
    }
}

uint32_t dpli_lower(uint32_t point)
{
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)point);
}

size_t dpli_utf8_put(char out[4], uint32_t point)
{
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)point, (utf8proc_uint8_t *)out);
}

char *dpli_compose(size_t *n_out, const char *text, size_t n, dpl_error *err)
{
    utf8proc_uint8_t *composed = NULL;
    const utf8proc_ssize_t length =
        utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, &composed,
                     UTF8PROC_STABLE | UTF8PROC_COMPOSE);

    *n_out = 0;
    if (length < 0) {
        free(composed);
        dpli_fail(err, DPL_E_MEMORY, "out of memory composing a text of %zu bytes", n);
        return NULL;
    }
    *n_out = (size_t)length;
    return (char *)composed;
}

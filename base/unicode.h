/* What Unicode knows of characters, as utf8proc has it. */
#ifndef DOPPEL_BASE_UNICODE_H
#define DOPPEL_BASE_UNICODE_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

typedef enum dpli_character {
    DPLI_CHARACTER_SPACE,   /* Unicode's White_Space */
    DPLI_CHARACTER_CONTROL, /* other control and format characters */
    DPLI_CHARACTER_LETTER,
    DPLI_CHARACTER_MARK,
    DPLI_CHARACTER_NUMBER,
    DPLI_CHARACTER_OTHER
} dpli_character;

dpli_character dpli_character_of(uint32_t point);

/** The simple lower-case mapping; point itself where it has none. */
uint32_t dpli_lower(uint32_t point);

/** UTF-8 of a code point; the number of bytes. */
size_t dpli_utf8_put(char out[4], uint32_t point);

/**
 * The composed form (NFC) of n bytes that are UTF-8.
 *
 * @param[out] n_out  its bytes; a NUL stands behind them
 * @return     freed with free(); NULL: DPL_E_MEMORY
 */
char *dpli_compose(size_t *n_out, const char *text, size_t n, dpl_error *err);

#endif

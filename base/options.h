/* The options structs of the public API: one way to read what a caller gives. */
#ifndef DOPPEL_BASE_OPTIONS_H
#define DOPPEL_BASE_OPTIONS_H

#include <stddef.h>

#include "doppel/error.h"

/**
 * Read a caller's options as far as both sides know them: its struct may be older and shorter than
 * ours, or newer and longer.
 *
 * @param      ours   of ours_size bytes, whose first member is struct_size; comes with the defaults
 * @param      given  the caller's, or NULL for the defaults
 * @param      what   the kind of options, for the message: "decode"
 * @retval DPL_E_ARGUMENT  struct_size is too small to be one: the struct was not initialised
 */
dpl_status dpli_options(void *ours, size_t ours_size, const void *given, const char *what,
                        dpl_error *err);

#endif

/* Names as people read them. */
#ifndef DOPPEL_BASE_NAME_H
#define DOPPEL_BASE_NAME_H

#include "doppel/error.h"

/**
 * The composed form of a name (Unicode's NFC), in which two names that read alike have the same
 * bytes: "é" as one character or as "e" with an accent. Case is kept. A name that is not UTF-8 is
 * its own.
 *
 * @return  freed with free(); NULL: DPL_E_MEMORY
 */
char *dpli_name_composed(const char *name, dpl_error *err);

#endif

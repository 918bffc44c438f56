/*
 * name.c - names in the one form in which they are compared. A file system may give a name composed
 * (NFC) or decomposed (NFD, as macOS writes them), and an archive that has been on both has both.
 *
 * Source: Unicode Standard Annex 15, as utf8proc has it.
 */
#include "base/name.h"

#include <stdlib.h>

#include <utf8proc.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/utf8.h"

char *dpli_name_composed(const char *name, dpl_error *err)
{
    utf8proc_uint8_t *composed = NULL;

    if (!dpli_is_utf8(name))
        return dpli_strdup(name, err);
    if (utf8proc_map((const utf8proc_uint8_t *)name, 0, &composed,
                     UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE) < 0) {
        free(composed);
        dpli_fail(err, DPL_E_MEMORY, "out of memory composing a name");
        return NULL;
    }
    return (char *)composed;
}

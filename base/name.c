/*
 * name.c - names in the one form in which they are compared. A file system may give a name composed
 * (NFC) or decomposed (NFD, as macOS writes them), and an archive that has been on both has both.
 */
#include "base/name.h"

#include <string.h>

#include "base/mem.h"
#include "base/unicode.h"
#include "base/utf8.h"

char *dpli_name_composed(const char *name, dpl_error *err)
{
    size_t n;

    if (!dpli_is_utf8(name))
        return dpli_strdup(name, err);
    return dpli_compose(&n, name, strlen(name), err);
}

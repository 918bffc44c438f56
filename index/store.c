/*
 * store.c - which keeper a gallery's address names.
 */
#include "index/store.h"

#include <string.h>

#include "base/fail.h"
#include "index/store_sqlite.h"

/* "scheme://": its length, else 0. */
static size_t scheme_of(const char *address)
{
    const size_t n = strspn(address, "abcdefghijklmnopqrstuvwxyz0123456789+.-");

    return n > 0 && strncmp(address + n, "://", 3) == 0 ? n : 0;
}

dpl_status dpli_store_open(dpli_store **out, const char *address, dpl_gallery_mode mode,
                           dpl_error *err)
{
    static const struct {
        const char *scheme; /* "": a folder */
        dpl_status (*open)(dpli_store **out, const char *address, dpl_gallery_mode mode,
                           dpl_error *err);
    } keepers[] = {
        {"", dpli_store_sqlite_open},
    };
    const size_t n = scheme_of(address);

    *out = NULL;
    for (size_t i = 0; i < sizeof keepers / sizeof keepers[0]; i++)
        if (strlen(keepers[i].scheme) == n && strncmp(keepers[i].scheme, address, n) == 0)
            return keepers[i].open(out, address, mode, err);
    /* Not the whole address: it may hold a password. */
    return dpli_fail(err, DPL_E_GALLERY, "this doppel keeps no gallery at \"%.*s://\"", (int)n,
                     address);
}

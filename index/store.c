/*
 * store.c - which keeper a gallery's address names.
 */
#include "index/store.h"

#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "index/store_sqlite.h"
#if defined(DPL_HAS_POSTGRES)
#include "index/store_postgres.h"
#endif

/* "scheme://": its length, else 0. */
static size_t scheme_of(const char *address)
{
    const size_t n = strspn(address, "abcdefghijklmnopqrstuvwxyz0123456789+.-");

    return n > 0 && strncmp(address + n, "://", 3) == 0 ? n : 0;
}

typedef struct keeper {
    const char *scheme; /* "": a folder */
    dpl_status (*open)(dpli_store **out, const char *address, dpl_gallery_mode mode,
                       dpl_error *err);
    dpl_status (*name)(char **name, const char *address, dpl_error *err);
} keeper;

static dpl_status name_folder(char **name, const char *address, dpl_error *err)
{
    *name = dpli_strdup(address, err);
    return *name ? DPL_OK : DPL_E_MEMORY;
}

#if defined(DPL_HAS_POSTGRES)
#define OPEN_POSTGRES dpli_store_postgres_open
#define NAME_POSTGRES dpli_postgres_name
#else
#define OPEN_POSTGRES NULL
#define NAME_POSTGRES NULL
#endif

static const keeper keepers[] = {
    {"", dpli_store_sqlite_open, name_folder},
    {"postgresql", OPEN_POSTGRES, NAME_POSTGRES},
    {"postgres", OPEN_POSTGRES, NAME_POSTGRES},
};

static dpl_status find_keeper(const keeper **out, const char *address, dpl_error *err)
{
    const size_t n = scheme_of(address);

    for (size_t i = 0; i < sizeof keepers / sizeof keepers[0]; i++) {
        if (strlen(keepers[i].scheme) != n || strncmp(keepers[i].scheme, address, n) != 0)
            continue;
        *out = &keepers[i];
        return keepers[i].open
                   ? DPL_OK
                   : dpli_fail(err, DPL_E_GALLERY, "this doppel was built without PostgreSQL");
    }
    /* Not the whole address: it may hold a password. */
    return dpli_fail(err, DPL_E_GALLERY, "this doppel keeps no gallery at \"%.*s://\"", (int)n,
                     address);
}

dpl_status dpli_store_open(dpli_store **out, const char *address, dpl_gallery_mode mode,
                           dpl_error *err)
{
    const keeper *found;
    dpl_status status = find_keeper(&found, address, err);

    *out = NULL;
    return status == DPL_OK ? found->open(out, address, mode, err) : status;
}

dpl_status dpli_store_name(char **name, const char *address, dpl_error *err)
{
    const keeper *found;
    dpl_status status = find_keeper(&found, address, err);

    *name = NULL;
    return status == DPL_OK ? found->name(name, address, err) : status;
}

/* assets.h - files in the program: the page, the schemas, the description of the routes. The build
 * makes assets.c from them. */
#ifndef DOPPEL_SERVE_ASSETS_H
#define DOPPEL_SERVE_ASSETS_H

#include <stddef.h>

typedef struct asset {
    const char *folder, *name; /* "page", "page.html" */
    const unsigned char *bytes;
    size_t n;
} asset;

extern const asset assets[]; /* ends at a NULL name */

#endif

/* pages.h - rows of the gallery as JSON arrays, so many at a time. */
#ifndef DOPPEL_SERVE_PAGES_H
#define DOPPEL_SERVE_PAGES_H

#include "serve/server.h"

/* limit rows behind the one called `after`, in the gallery's order. */
typedef struct page_of_rows {
    json_t *rows;
    int64_t limit, n;
    const char *after; /* NULL: from the first on */
    bool begun, is_more;
    char *last;
    int64_t *ids; /* of photos, [n] */
} page_of_rows;

/** Read limit and after. Ended by page_end, also after a failure. */
dpl_status page_begin(page_of_rows *p, const http_request *r, dpl_error *err);

/** A row, whose JSON is taken; DPL_E_CANCELLED ends the walk when there are enough. */
dpl_status page_take(page_of_rows *p, const char *key, json_t *row);

/** A photo's, of which page_add_templates adds "templates" when the walk has ended. */
dpl_status page_take_photo(page_of_rows *p, const dpl_photo_row *row);
dpl_status page_add_templates(page_of_rows *p, dpl_gallery *gallery, dpl_error *err);

/** Answer, with a link to the next where there are more. path: NULL: as it was asked for. */
void page_end(page_of_rows *p, http_request *r, dpl_status status, const dpl_error *err,
              const char *path);

#endif

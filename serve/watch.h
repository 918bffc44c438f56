/* The search indexes of a gallery that others change, made fresh before anybody asks. */
#ifndef DOPPEL_SERVE_WATCH_H
#define DOPPEL_SERVE_WATCH_H

#include "serve/server.h"

typedef struct watcher watcher;

/** Watch the server's gallery from a thread of its own. NULL when that is of no use, or could not be
 * begun: then whoever searches first makes the index fresh. */
watcher *watch_start(server *s);
/** End it. Takes NULL. */
void watch_stop(watcher *w);

#endif

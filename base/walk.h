/* All files below a folder, in the order of their names. */
#ifndef DOPPEL_BASE_WALK_H
#define DOPPEL_BASE_WALK_H

#include <stdbool.h>

#include "doppel/error.h"

typedef enum dpli_walked {
    DPLI_WALKED_FILE,       /* a regular file */
    DPLI_WALKED_OTHER,      /* a link to nothing, a socket, … */
    DPLI_WALKED_LINK,       /* a link that leads out of the folder walked, not followed */
    DPLI_WALKED_PSEUDO,     /* a folder of a file system that holds no files (proc, sys …) */
    DPLI_WALKED_UNREADABLE, /* a folder that cannot be listed: errno is set */
    DPLI_WALKED_DEEP,       /* a folder at DPLI_WALK_DEPTH, not listed */
    DPLI_WALKED_LEFT_OUT    /* a file or folder that a tidy walk leaves out */
} dpli_walked;

#define DPLI_WALK_DEPTH 200

/** @param below  the path below the folder walked; "" for itself */
typedef dpl_status (*dpli_walk_fn)(void *ctx, dpli_walked what, const char *path, const char *below,
                                   dpl_error *err);

/* Begins zeroed. */
typedef struct dpli_walker {
    bool follow_links; /* out of the folder walked, too */
    bool tidy;         /* leave out what base/ignore.h does */
    void *seen;        /* folders visited so far, by device and inode: each is walked once, whatever
                          links lead to it */
} dpli_walker;

/** Call fn for what is below folder, but not for hidden names (".…"). The folder itself may be a
 * link. A status other than DPL_OK ends the walk and is returned. */
dpl_status dpli_walk(dpli_walker *w, const char *folder, dpli_walk_fn fn, void *ctx,
                     dpl_error *err);
void dpli_walker_clear(dpli_walker *w);

#endif

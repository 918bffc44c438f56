/* The folders that hold a gallery's photos, for who must say beforehand what it will touch. */
#ifndef DOPPEL_APP_PHOTO_FOLDERS_H
#define DOPPEL_APP_PHOTO_FOLDERS_H

#include <stddef.h>

#include "doppel/gallery.h"

typedef struct photo_folders {
    const char **paths; /* absolute, hardly one below another; not NULL where there are none */
    size_t n;
} photo_folders;

/**
 * @param out  cleared by photo_folders_clear, also after a failure
 * @return     DPL_OK, or what the gallery said
 */
dpl_status photo_folders_find(photo_folders *out, dpl_gallery *gallery, dpl_error *err);
void photo_folders_clear(photo_folders *folders);

#endif

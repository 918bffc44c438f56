/*
 * keep.h - the files of enrolled photos: the server's own copies, in a folder of theirs, called
 * by their content.
 *
 * They are what a photo enrolled by the command line is in somebody's folder: what a later model or
 * a repair reads again. Nothing of a request is written before it is known to be enrolled, and a
 * photo that is forgotten takes its file with it.
 */
#ifndef DOPPEL_SERVE_KEEP_H
#define DOPPEL_SERVE_KEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "doppel/doppel.h"

/** Make the folder where it is not there, for its owner alone, and remove files of the server's
 * making in it that the gallery does not know: a kill between two steps has left them.
 * @param[out] out  its real path, freed by free() */
dpl_status keep_open(char **out, const char *folder, dpl_gallery *gallery, dpl_error *err);

/** Where a photo's file is, or would be. Freed by free(); NULL: no memory. */
char *keep_path(const char *folder, const dpl_photo *photo);

/** Whether a path is that of such a file. */
bool keep_owns(const char *folder, const char *path);

/** Write it, so that it is there with all its content after a loss of power, or not at all. A file
 * that is there is the same content and stays. @param[out] made  whether it was written now */
dpl_status keep_write(bool *made, const char *folder, const char *path, const void *bytes, size_t n,
                      dpl_error *err);

/** Remove it, and see that it is gone after a loss of power, too. */
dpl_status keep_remove(const char *folder, const char *path, dpl_error *err);

#endif

/*
 * What a walk leaves out: folders that machines make beside people's files, and what an ignore file
 * names.
 */
#ifndef DOPPEL_BASE_IGNORE_H
#define DOPPEL_BASE_IGNORE_H

#include <stdbool.h>

#include "doppel/error.h"

#define DPLI_IGNORE_FILE ".doppelignore"

/** Whether a folder's name is one that a file server, a desktop or an archiver gives to what it
 * puts aside: thumbnails, bins, snapshots. */
bool dpli_is_junk_folder(const char *name);

/* The patterns of one folder's ignore file, and of those above it. */
typedef struct dpli_ignore dpli_ignore;

/**
 * Read a folder's ignore file. A line is a pattern, blank lines and those that begin with "#" are
 * not. A pattern is a shell's (*, ?, [a-z]; * does not match "/"); the last one that matches
 * decides:
 *
 *     NAME        a file or folder of this name in this folder or below
 *     NAME/       only a folder
 *     /NAME, A/B  with a "/" before its end: from this folder on
 *     !…          not to be left out after all
 *
 * A folder that is left out is not looked into, so that nothing below it can be brought back.
 *
 * @param[out] out    above when the folder has no such file; freed by dpli_ignore_free
 * @param      above  of the folder that this one is in, kept; NULL: none
 * @param      below  the folder, below the one that the walk began at; ""
 * @retval DPL_E_LIMIT, DPL_E_INPUT  over 64 KiB, a pattern over 1000 bytes; unreadable
 */
dpl_status dpli_ignore_read(dpli_ignore **out, dpli_ignore *above, const char *folder,
                            const char *below, dpl_error *err);
/** Free what dpli_ignore_read has given, but for what is above. */
void dpli_ignore_free(dpli_ignore *ignore, const dpli_ignore *above);

/** Whether a path below the folder that the walk began at is left out. Takes NULL. */
bool dpli_is_ignored(const dpli_ignore *ignore, const char *below, bool is_folder);

#endif

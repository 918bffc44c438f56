/* What the process may still touch once it is known what it has to. */
#ifndef DOPPEL_APP_SANDBOX_H
#define DOPPEL_APP_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sandbox_paths {
    const char *const
        *read; /* files and folders to read, n_read of them; NULL among them is nothing */
    size_t n_read;
    const char *const *write; /* folders to read, make, change and remove files in */
    size_t n_write;
    const char *tidies; /* a folder in and below which empty folders may be removed; NULL: none */
    bool connects; /* to a database, again and again: sockets are made, and what says where it is, and
                      who asks, is read */
} sandbox_paths;

/**
 * From here on this thread and those it starts open only these, and what the system's libraries
 * need; they make no network connection (unless it connects) and start no program. It cannot be undone. What the kernel
 * cannot restrict stays as it is, and $DOPPEL_SANDBOX=off leaves all of it out.
 *
 * @return  a bit for each that holds: 1 files, 2 network and programs
 */
int sandbox_enter(const sandbox_paths *paths);

#endif

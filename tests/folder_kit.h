/* Folders for tests: an empty one to work in, and one removed with all in it. */
#ifndef DOPPEL_TESTS_FOLDER_KIT_H
#define DOPPEL_TESTS_FOLDER_KIT_H

/* cmocka wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline int folder_remove_one(const char *path, const struct stat *st, int type,
                                    struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

/** 0, or not where something could not be removed. */
static inline int folder_remove(const char *path)
{
    return nftw(path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Where the program was started, and the test's own folder in it. */
static char folder_home[4096], folder_work[4096 + 32];

/** A cmocka setup: into an empty folder of the test's own. */
static inline int folder_enter(void **state)
{
    (void)state;
    assert_non_null(getcwd(folder_home, sizeof folder_home));
    snprintf(folder_work, sizeof folder_work, "%s/folder.XXXXXX", folder_home);
    assert_non_null(mkdtemp(folder_work));
    return chdir(folder_work);
}

/** Its teardown: out of it again, and it is gone. */
static inline int folder_leave(void **state)
{
    (void)state;
    return chdir(folder_home) != 0 || folder_remove(folder_work) != 0;
}

#endif

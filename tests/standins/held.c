/*
 * held.c - the program, standing still at a known place of its work until the test lets it go on,
 * so that a signal, or a kill, comes to it there and not when it happens to have got so far. Linked
 * with all of its objects and the library's. $DOPPEL_HOLD is the place:
 *
 *     read:END   it is about to read a file whose path ends so
 *     step:N     it tells the Nth step of what it does as progress
 *
 * There it says so at descriptor 9 and waits for the end of what comes from descriptor 8. See
 * "holds" in tests/cli/lib.sh.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "index/gallery.h"

enum { GO = 8, HELD = 9 };

dpl_status __real_dpli_file_read(uint8_t **out, size_t *n_out, const char *path, size_t max_bytes,
                                 dpl_error *err);
dpl_status __wrap_dpli_file_read(uint8_t **out, size_t *n_out, const char *path, size_t max_bytes,
                                 dpl_error *err);
void __real_dpli_progress_step(dpl_gallery *gallery, int64_t n);
void __wrap_dpli_progress_step(dpl_gallery *gallery, int64_t n);

/* What follows kind in the place, or NULL. */
static const char *place(const char *kind)
{
    const char *at = getenv("DOPPEL_HOLD");
    const size_t n = strlen(kind);

    return at && strncmp(at, kind, n) == 0 ? at + n : NULL;
}

static void hold(void)
{
    char byte;
    ssize_t n;

    if (write(HELD, "here\n", 5) != 5)
        _exit(99);
    do
        n = read(GO, &byte, 1);
    while (n > 0 || (n < 0 && errno == EINTR));
}

dpl_status __wrap_dpli_file_read(uint8_t **out, size_t *n_out, const char *path, size_t max_bytes,
                                 dpl_error *err)
{
    const char *end = place("read:");

    if (end && strlen(path) >= strlen(end) && strcmp(path + strlen(path) - strlen(end), end) == 0)
        hold();
    return __real_dpli_file_read(out, n_out, path, max_bytes, err);
}

void __wrap_dpli_progress_step(dpl_gallery *gallery, int64_t n)
{
    static int64_t n_told;
    const char *nth = place("step:");

    n_told += n;
    if (nth && n_told == strtoll(nth, NULL, 10))
        hold();
    __real_dpli_progress_step(gallery, n);
}

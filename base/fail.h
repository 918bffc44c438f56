/* Filling in a dpl_error. Who detects an error words it; who passes it on does not. */
#ifndef DOPPEL_BASE_FAIL_H
#define DOPPEL_BASE_FAIL_H

#include <stdarg.h>

#include "doppel/error.h"

/** Write status and message into err (which may be NULL) and return the status. The message is cut
 * at the buffer's end, on a UTF-8 boundary. */
dpl_status dpli_fail(dpl_error *err, dpl_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** As dpli_fail with ": " and errno's words appended; ENOMEM becomes DPL_E_MEMORY. */
dpl_status dpli_fail_errno(dpl_error *err, dpl_status status, int saved_errno, const char *format,
                           ...) __attribute__((format(printf, 4, 5)));

/** Put `"name": ` before the message in err: for the border that knows the file's name. */
dpl_status dpli_fail_in(dpl_error *err, dpl_status status, const char *name);

#endif

/* listen.h - the socket on which a server listens. */
#ifndef DOPPEL_SERVE_LISTEN_H
#define DOPPEL_SERVE_LISTEN_H

#include <stdbool.h>

#include "doppel/error.h"

typedef struct listener {
    int socket;
    bool is_given;       /* by who started the program (systemd's socket units) */
    bool is_local;       /* only this machine reaches it */
    bool is_socket_file; /* and not by an address */
    char where[96];      /* "127.0.0.1:8080", "[::1]:8080", "unix:…" */
} listener;

/**
 * Listen.
 *
 * @param address  "127.0.0.1:8080", "[::]:8080", "localhost:8080", "8080" (of 127.0.0.1); port 0:
 *                 any that is free. NULL: what the program was started with (LISTEN_FDS), else
 *                 127.0.0.1:8080
 * @retval DPL_E_ARGUMENT  no address of this form, or none of this machine's
 * @retval DPL_E_SYSTEM    it cannot be listened on; err says why
 */
dpl_status listen_on(listener *out, const char *address, dpl_error *err);

#endif

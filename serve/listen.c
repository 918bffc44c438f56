/*
 * listen.c - the socket on which a server listens: one of our own, or the one that systemd has
 * opened for us.
 *
 * Source: sd_listen_fds(3), the protocol of LISTEN_PID and LISTEN_FDS.
 */
#include "serve/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_ADDRESS "127.0.0.1:8080"
enum { FIRST_GIVEN = 3, BACKLOG = 4096 };

static bool is_loopback(const struct sockaddr_storage *a)
{
    const struct sockaddr_in *v4 = (const void *)a;
    const struct sockaddr_in6 *v6 = (const void *)a;

    if (a->ss_family == AF_INET)
        return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
    if (a->ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    return a->ss_family == AF_UNIX;
}

/* What a socket's address is, as it is told and judged. */
static bool describe(listener *l)
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a;
    char host[64], port[16];

    if (getsockname(l->socket, (struct sockaddr *)&a, &n) != 0)
        return false;
    l->is_local = is_loopback(&a);
    l->is_socket_file = a.ss_family == AF_UNIX;
    if (l->is_socket_file) {
        snprintf(l->where, sizeof l->where, "unix:%.80s", ((struct sockaddr_un *)&a)->sun_path);
        return true;
    }
    if (getnameinfo((struct sockaddr *)&a, n, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return false;
    snprintf(l->where, sizeof l->where, a.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    return true;
}

static dpl_status fail(dpl_error *err, dpl_status status, const char *what, const char *address,
                       const char *why)
{
    err->status = status;
    snprintf(err->message, sizeof err->message, "%s \"%.200s\"%s%s", what, address,
             why[0] ? ": " : "", why);
    return status;
}

/* The one socket that the program was started with; false: there is none. */
static dpl_status take_given(listener *l, bool *found, dpl_error *err)
{
    const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
    int listens = 0;
    socklen_t size = sizeof listens;

    *found = pid && n && strtol(pid, NULL, 10) == (long)getpid();
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (!*found)
        return DPL_OK;
    if (strcmp(n, "1") != 0)
        return fail(err, DPL_E_ARGUMENT, "one socket is listened on, and LISTEN_FDS is", n, "");
    l->socket = FIRST_GIVEN;
    l->is_given = true;
    if (getsockopt(l->socket, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens ||
        !describe(l))
        return fail(err, DPL_E_ARGUMENT, "what LISTEN_FDS says is no socket that listens:", "3",
                    "");
    (void)fcntl(l->socket, F_SETFD, FD_CLOEXEC);
    (void)fcntl(l->socket, F_SETFL, fcntl(l->socket, F_GETFL) | O_NONBLOCK);
    return DPL_OK;
}

/* "[::1]:80" and the like to host and port; false: it is none. */
static bool split(char host[64], char port[8], const char *address)
{
    const char *colon = strrchr(address, ':'), *from = address;
    const char *digits = colon ? colon + 1 : address;
    size_t n = colon ? (size_t)(colon - address) : 0;

    if (!digits[0] || strlen(digits) > 5 || digits[strspn(digits, "0123456789")] ||
        strtol(digits, NULL, 10) > 65535)
        return false;
    if (n > 1 && from[0] == '[' && from[n - 1] == ']') {
        from++;
        n -= 2;
    } else if (memchr(from, ':', n)) {
        return false;
    }
    if (n > 63 || (colon && n == 0))
        return false;
    snprintf(host, 64, "%.*s", colon ? (int)n : 9, colon ? from : "127.0.0.1");
    snprintf(port, 8, "%.5s", digits);
    return true;
}

dpl_status listen_on(listener *out, const char *address, dpl_error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char host[64], port[8];
    const int on = 1;
    bool given = false;
    dpl_status status;
    int why = EADDRNOTAVAIL;

    *out = (listener){.socket = -1};
    status = address ? DPL_OK : take_given(out, &given, err);
    if (status != DPL_OK || given)
        return status;
    address = address ? address : DEFAULT_ADDRESS;
    if (!split(host, port, address))
        return fail(err, DPL_E_ARGUMENT, "no address and port to listen on:", address,
                    "127.0.0.1:8080 and [::1]:8080 are some");
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return fail(err, DPL_E_ARGUMENT, "no address of this machine:", address, "");
    for (const struct addrinfo *a = found; a && out->socket < 0; a = a->ai_next) {
        const int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
            continue;
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) {
            out->socket = fd;
        } else {
            why = errno;
            close(fd);
        }
    }
    freeaddrinfo(found);
    if (out->socket < 0)
        return fail(err, DPL_E_SYSTEM, "cannot listen on", address, strerror(why));
    if (!describe(out))
        return fail(err, DPL_E_SYSTEM, "cannot listen on", address, strerror(errno));
    return DPL_OK;
}

/*
 * audit.c - a line for each change of the gallery that came through the server.
 */
#include "serve/audit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/json.h"

void audit_change(const desk *d, const http_request *r, const char *action, int64_t n_photos,
                  int64_t n_faces)
{
    char *path = text_format("%s/audit.jsonl", dpl_gallery_dir(d->gallery)), *line;
    const time_t now = time(NULL);
    json_t *object = json_answer("audit");
    char when[32] = "";
    struct tm t;
    size_t n;
    int fd;

    if (gmtime_r(&now, &t))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &t);
    json_put_text(&object, "time", when);
    json_put_text(&object, "action", action);
    json_put_int(&object, "token", d->s->tokens ? tokens_find(d->s->tokens, r->token) : 0);
    json_put_int(&object, "n_photos", n_photos);
    json_put_int(&object, "n_faces", n_faces);
    line = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    fd = line ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    n = line ? strlen(line) : 0;
    if (n > 0)
        line[n] = '\n'; /* in the place of its NUL: one write, one line */
    if (fd < 0 || write(fd, line, n + 1) != (ssize_t)n + 1 || fdatasync(fd) != 0)
        fprintf(stderr, "doppel serve: a change (%s) could not be written to audit.jsonl\n",
                action);
    if (fd >= 0)
        close(fd);
    free(line);
    free(path);
}

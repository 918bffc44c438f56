/*
 * described.c - what is written about a photo: a text beside it, the description in its XMP
 * sidecar, and those that a JPEG carries.
 *
 * Source: JPEG's segments, ITU T.81 annex B; XMP specification part 3, 1.1.3; IPTC-NAA Information
 * Interchange Model 4.2, dataset 2:120 (caption), in Photoshop's resource 0x0404.
 */
#include "data/described.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/lines.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "data/packet.h"
#include "doppel/text.h"
#include "doppel/xmp.h"

#define SIDECAR_BYTES ((size_t)1 << 20)
/* Segments before the picture: a packet and a resource are of 64 KiB at most, and so is each of the
 * many that a colour profile takes. */
#define HEAD_BYTES ((size_t)4 << 20)

#define XMP_MARK   "http://ns.adobe.com/xap/1.0/"
#define PHOTO_MARK "Photoshop 3.0"

/* ------------------------------------------------------------------ the list */

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

dpl_status dpli_captions_add(dpli_captions *c, const char *text, size_t n, const char *source,
                             dpl_error *err)
{
    dpli_caption *items;
    char *copy;

    while (n > 0 && is_white(text[0])) {
        text++;
        n--;
    }
    while (n > 0 && is_white(text[n - 1]))
        n--;
    if (n == 0 || n > DPL_MAX_SENTENCE_BYTES || memchr(text, '\0', n) || c->n == DPLI_MAX_CAPTIONS)
        return DPL_OK;
    copy = dpli_alloc(n + 1, 1, err);
    if (!copy)
        return DPL_E_MEMORY;
    memcpy(copy, text, n);
    copy[n] = '\0';
    bool taken = dpli_is_utf8(copy);

    for (size_t i = 0; i < c->n && taken; i++)
        taken = strcmp(c->items[i].text, copy) != 0;
    if (!taken) {
        free(copy);
        return DPL_OK;
    }
    items = dpli_grow(c->items, &c->cap, c->n + 1, sizeof *items, err);
    if (!items) {
        free(copy);
        return DPL_E_MEMORY;
    }
    c->items = items;
    items[c->n++] = (dpli_caption){copy, source};
    return DPL_OK;
}

void dpli_captions_clear(dpli_captions *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->items[i].text);
    free(c->items);
    *c = (dpli_captions){0};
}

/* A file that was not read: the first is told. Memory is not the file's fault. */
static dpl_status refuse(dpli_captions *c, const char *path, const dpl_error *why, dpl_error *err)
{
    if (why->status == DPL_E_MEMORY)
        return dpli_fail(err, DPL_E_MEMORY, "%s", why->message);
    if (!c->refused[0])
        snprintf(c->refused, sizeof c->refused, "\"%.120s\": %.120s", path, why->message);
    return DPL_OK;
}

/* ------------------------------------------------------------------ beside it */

/* A small file beside a photo that is one: no link, which could lead anywhere. *bytes NULL: there
 * is none. */
static dpl_status read_beside(uint8_t **bytes, size_t *n, dpli_captions *c, const char *path,
                              size_t max_bytes, dpl_error *err)
{
    dpl_error why = {DPL_OK, ""};
    struct stat st;

    *bytes = NULL;
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return DPL_OK;
    if (dpli_file_read(bytes, n, path, max_bytes, &why) == DPL_OK)
        return DPL_OK;
    *bytes = NULL;
    return refuse(c, path, &why, err);
}

static dpl_status add_lines(dpli_captions *c, const char *path, char *text, size_t n,
                            dpl_error *err)
{
    dpl_status status = DPL_OK;
    dpl_error why = {DPL_OK, ""};

    if (strlen(text) != n || !dpli_is_utf8(text)) {
        dpli_fail(&why, DPL_E_INPUT, strlen(text) != n ? "has a NUL in it" : "is not UTF-8");
        return refuse(c, path, &why, err);
    }
    dpli_lines_end(text, n);
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    while (*text && status == DPL_OK) {
        const size_t line = strcspn(text, "\n");

        if (line > DPL_MAX_SENTENCE_BYTES) {
            dpli_fail(&why, DPL_E_LIMIT, "has a line of %zu bytes, limit is %d", line,
                      DPL_MAX_SENTENCE_BYTES);
            status = refuse(c, path, &why, err);
        } else {
            status = dpli_captions_add(c, text, line, DPLI_FROM_SIDECAR, err);
        }
        text += line + (text[line] == '\n');
    }
    return status;
}

static dpl_status add_packet(dpli_captions *c, const uint8_t *bytes, size_t n, const char *source,
                             dpl_error *err)
{
    char **texts = NULL;
    size_t n_texts = 0;
    dpl_status status = dpli_packet_descriptions(&texts, &n_texts, bytes, n, err);

    for (size_t i = 0; i < n_texts; i++) {
        if (status == DPL_OK)
            status = dpli_captions_add(c, texts[i], strlen(texts[i]), source, err);
        free(texts[i]);
    }
    free(texts);
    return status;
}

static dpl_status add_sidecar(dpli_captions *c, const char *photo, dpl_error *err)
{
    char *path = NULL;
    bool there;
    uint8_t *bytes = NULL;
    dpl_error why = {DPL_OK, ""};
    size_t n;
    dpl_status status = dpl_sidecar_find(&path, &there, photo, false, err);

    if (status == DPL_OK && there)
        status = read_beside(&bytes, &n, c, path, DPLI_PACKET_BYTES, err);
    if (bytes && add_packet(c, bytes, n, DPLI_FROM_XMP, &why) != DPL_OK)
        status = refuse(c, path, &why, err);
    free(bytes);
    free(path);
    return status;
}

/* ------------------------------------------------------------------ in it */

static size_t big16(const uint8_t *p)
{
    return (size_t)p[0] << 8 | p[1];
}

/* IIM: records of 0x1c, record, dataset, length. Of a text that is not UTF-8, Latin-1 is taken,
 * which is what programs without a coded character set wrote. */
static dpl_status add_iim(dpli_captions *c, const uint8_t *p, size_t n, dpl_error *err)
{
    while (n >= 5 && p[0] == 0x1c) {
        const size_t length = big16(p + 3);
        const bool is_caption = p[1] == 2 && p[2] == 120;

        /* From here on lengths of lengths, which captions have none of. */
        if (length > 0x7fff || length > n - 5)
            return DPL_OK;
        if (is_caption && length > 0) {
            char *text = dpli_alloc(2 * length + 1, 1, err), *to = text;
            dpl_status status;

            if (!text)
                return DPL_E_MEMORY;
            memcpy(text, p + 5, length);
            text[length] = '\0';
            to = text + length;
            if (!dpli_is_utf8(text)) {
                to = text;
                for (size_t i = 0; i < length; i++) {
                    const uint8_t b = p[5 + i];

                    if (b >= 0x80)
                        *to++ = (char)(0xc0 | b >> 6);
                    *to++ = (char)(b >= 0x80 ? 0x80 | (b & 0x3f) : b);
                }
            }
            status = dpli_captions_add(c, text, (size_t)(to - text), DPLI_FROM_PHOTO, err);
            free(text);
            if (status != DPL_OK)
                return status;
        }
        p += 5 + length;
        n -= 5 + length;
    }
    return DPL_OK;
}

/* Photoshop's resources: "8BIM", id, a name as Pascal has strings, length, data; even sizes. */
static dpl_status add_resources(dpli_captions *c, const uint8_t *p, size_t n, dpl_error *err)
{
    while (n >= 12 && memcmp(p, "8BIM", 4) == 0) {
        const size_t id = big16(p + 4), name = ((size_t)p[6] + 2) & ~(size_t)1;
        size_t at = 6 + name, length;

        if (at + 4 > n)
            return DPL_OK;
        length = big16(p + at) << 16 | big16(p + at + 2);
        at += 4;
        if (length > n - at)
            return DPL_OK;
        if (id == 0x0404) {
            const dpl_status status = add_iim(c, p + at, length, err);

            if (status != DPL_OK)
                return status;
        }
        at += length + (length & 1);
        if (at > n)
            return DPL_OK;
        p += at;
        n -= at;
    }
    return DPL_OK;
}

dpl_status dpli_captions_in_jpeg(dpli_captions *c, const uint8_t *bytes, size_t n, dpl_error *err)
{
    size_t at = 2;

    if (n < 4 || bytes[0] != 0xff || bytes[1] != 0xd8)
        return DPL_OK;
    while (at + 4 <= n && bytes[at] == 0xff) {
        const uint8_t marker = bytes[at + 1];
        const uint8_t *body = bytes + at + 4;
        dpl_error why = {DPL_OK, ""};
        dpl_status status = DPL_OK;
        size_t length;

        if (marker == 0xff) { /* fill */
            at++;
            continue;
        }
        length = big16(bytes + at + 2);
        /* The picture itself, or its end, or nothing that has a length. */
        if (marker == 0xda || marker == 0xd9 || marker < 0xc0 || length < 2 || length > n - at - 2)
            return DPL_OK;
        if (marker == 0xe1 && length - 2 > sizeof XMP_MARK &&
            memcmp(body, XMP_MARK, sizeof XMP_MARK) == 0) {
            const size_t n_packet = length - 2 - sizeof XMP_MARK;
            uint8_t *packet = dpli_alloc(n_packet + 1, 1, err);

            if (!packet)
                return DPL_E_MEMORY;
            memcpy(packet, body + sizeof XMP_MARK, n_packet);
            packet[n_packet] = '\0';
            if (add_packet(c, packet, n_packet, DPLI_FROM_PHOTO, &why) != DPL_OK)
                status = refuse(c, "the XMP in the photo", &why, err);
            free(packet);
        } else if (marker == 0xed && length - 2 > sizeof PHOTO_MARK &&
                   memcmp(body, PHOTO_MARK, sizeof PHOTO_MARK) == 0) {
            status =
                add_resources(c, body + sizeof PHOTO_MARK, length - 2 - sizeof PHOTO_MARK, err);
        }
        if (status != DPL_OK)
            return status;
        at += 2 + length;
    }
    return DPL_OK;
}

static dpl_status add_embedded(dpli_captions *c, const char *photo, dpl_error *err)
{
    uint8_t *bytes = NULL;
    const int fd = open(photo, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    size_t n = 0;
    struct stat st;
    dpl_status status = DPL_OK;

    if (fd < 0)
        return DPL_OK;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        const size_t want = (uint64_t)st.st_size < HEAD_BYTES ? (size_t)st.st_size : HEAD_BYTES;

        bytes = dpli_alloc(want + 1, 1, err);
        status = bytes ? DPL_OK : DPL_E_MEMORY;
        while (bytes && n < want) {
            const ssize_t got = read(fd, bytes + n, want - n);

            if (got <= 0)
                break;
            n += (size_t)got;
            /* Of what is no JPEG nobody needs more. */
            if (n >= 2 && (bytes[0] != 0xff || bytes[1] != 0xd8))
                break;
        }
    }
    close(fd);
    if (status == DPL_OK && bytes)
        status = dpli_captions_in_jpeg(c, bytes, n, err);
    free(bytes);
    return status;
}

dpl_status dpli_captions_find(dpli_captions *out, const char *photo, bool in_photo, dpl_error *err)
{
    char *path = dpli_asprintf(err, "%s.txt", photo);
    uint8_t *bytes = NULL;
    size_t n;
    dpl_status status = DPL_E_MEMORY;

    *out = (dpli_captions){0};
    if (path)
        status = read_beside(&bytes, &n, out, path, SIDECAR_BYTES, err);
    if (status == DPL_OK && bytes)
        status = add_lines(out, path, (char *)bytes, n, err);
    free(bytes);
    free(path);
    if (status == DPL_OK && dpl_xmp_is_built())
        status = add_sidecar(out, photo, err);
    if (status == DPL_OK && in_photo)
        status = add_embedded(out, photo, err);
    if (status != DPL_OK)
        dpli_captions_clear(out);
    return status;
}

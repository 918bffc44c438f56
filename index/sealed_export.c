/*
 * sealed_export.c - an export sealed by a passphrase.
 *
 *     "doppelex", salt [16], memory u64, passes u32, 0 u32 | head [24] |
 *     pieces of 65,536 bytes and 17, the last one shorter and marked as the last
 *
 * The key is made of the passphrase by Argon2id; the pieces are libsodium's secretstream, which
 * opens in its order and to its end, or not.
 */
#include "index/sealed_export.h"

#include <errno.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/secret.h"

#define MAGIC "doppelex"

enum { PIECE_BYTES = 64 << 10, PASSES = 3, MEMORY_BYTES = 64 << 20 };

typedef struct export_head {
    char magic[8];
    uint8_t salt[DPLI_SALT_BYTES];
    uint64_t memory_bytes;
    uint32_t passes, zero;
    uint8_t stream[DPLI_STREAM_HEAD];
} export_head;
_Static_assert(sizeof(export_head) == 64, "no padding");

struct dpli_sealed_export {
    FILE *behind;
    dpli_stream *stream;
    uint8_t plain[PIECE_BYTES], sealed[PIECE_BYTES + DPLI_STREAM_EXTRA];
    size_t n, at; /* plain bytes; of them taken */
    bool ended, is_bad;
};

void dpli_sealed_export_free(dpli_sealed_export *s)
{
    if (!s)
        return;
    dpli_secret_free(s->stream);
    dpli_secret_wipe(s->plain, sizeof s->plain);
    free(s);
}

bool dpli_sealed_export_is_bad(const dpli_sealed_export *s)
{
    return s->is_bad;
}

static dpl_status new_seal(dpli_sealed_export **out, FILE *behind, dpl_error *err)
{
    const dpl_status status = dpli_secret_start(err);

    *out = status == DPL_OK ? dpli_calloc(1, sizeof **out, err) : NULL;
    if (!*out)
        return status == DPL_OK ? DPL_E_MEMORY : status;
    (*out)->behind = behind;
    return DPL_OK;
}

/* ------------------------------------------------------------------ writing */

static bool put_piece(dpli_sealed_export *s, bool last)
{
    dpli_stream_seal(s->sealed, s->stream, s->plain, s->n, last);
    if (fwrite(s->sealed, 1, s->n + DPLI_STREAM_EXTRA, s->behind) != s->n + DPLI_STREAM_EXTRA)
        return false;
    s->n = 0;
    return true;
}

static ssize_t on_write(void *cookie, const char *bytes, size_t n)
{
    dpli_sealed_export *s = cookie;

    for (size_t done = 0; done < n;) {
        const size_t room = PIECE_BYTES - s->n, now = n - done < room ? n - done : room;

        /* A full piece waits until there is more: the last one is marked. */
        if (now == 0) {
            if (!put_piece(s, false))
                return 0;
            continue;
        }
        memcpy(s->plain + s->n, bytes + done, now);
        s->n += now;
        done += now;
    }
    return (ssize_t)n;
}

bool dpli_sealed_export_end(dpli_sealed_export *s)
{
    return put_piece(s, true);
}

dpl_status dpli_sealed_export_to(FILE **out, dpli_sealed_export **seal, FILE *behind,
                                 const void *secret, size_t n_secret, dpl_error *err)
{
    export_head head = {.memory_bytes = MEMORY_BYTES, .passes = PASSES};
    uint8_t key[DPLI_KEY_BYTES];
    dpl_status status = new_seal(seal, behind, err);

    *out = NULL;
    if (status != DPL_OK)
        return status;
    memcpy(head.magic, MAGIC, sizeof head.magic);
    dpli_secret_random(head.salt, sizeof head.salt);
    status = dpli_secret_stretch(key, secret, n_secret, head.salt, PASSES, MEMORY_BYTES, err);
    if (status == DPL_OK)
        status = dpli_stream_seal_from(&(*seal)->stream, head.stream, key, err);
    if (status == DPL_OK && fwrite(&head, sizeof head, 1, behind) != 1)
        status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "an export cannot be written");
    if (status == DPL_OK) {
        *out = fopencookie(*seal, "w", (cookie_io_functions_t){.write = on_write});
        status = *out ? DPL_OK : dpli_fail(err, DPL_E_MEMORY, "out of memory writing an export");
    }
    dpli_secret_wipe(key, sizeof key);
    if (status != DPL_OK) {
        dpli_sealed_export_free(*seal);
        *seal = NULL;
    }
    return status;
}

/* ------------------------------------------------------------------ reading */

bool dpli_is_sealed_export(FILE *file)
{
    const int first = getc(file);

    if (first != EOF)
        ungetc(first, file);
    return first == MAGIC[0];
}

static bool take_piece(dpli_sealed_export *s)
{
    const size_t n = fread(s->sealed, 1, sizeof s->sealed, s->behind);
    bool last;

    if (!dpli_stream_open(s->plain, &last, s->stream, s->sealed, n) ||
        (last && getc(s->behind) != EOF)) {
        s->is_bad = !ferror(s->behind);
        errno = s->is_bad ? EBADMSG : EIO;
        return false;
    }
    s->ended = last;
    s->n = n - DPLI_STREAM_EXTRA;
    s->at = 0;
    return true;
}

static ssize_t on_read(void *cookie, char *bytes, size_t n)
{
    dpli_sealed_export *s = cookie;
    size_t now;

    while (s->at == s->n && !s->ended)
        if (!take_piece(s))
            return -1;
    now = s->n - s->at < n ? s->n - s->at : n;
    memcpy(bytes, s->plain + s->at, now);
    s->at += now;
    return (ssize_t)now;
}

dpl_status dpli_sealed_export_from(FILE **out, dpli_sealed_export **seal, FILE *behind,
                                   const void *secret, size_t n_secret, dpl_error *err)
{
    export_head head;
    uint8_t key[DPLI_KEY_BYTES];
    size_t n;
    dpl_status status = new_seal(seal, behind, err);

    *out = NULL;
    if (status != DPL_OK)
        return status;
    n = fread(&head, 1, sizeof head, behind);
    if (n < sizeof head.magic || memcmp(head.magic, MAGIC, sizeof head.magic) != 0)
        status = dpli_fail(err, DPL_E_INPUT, "it is no export");
    else if (n < sizeof head || head.zero != 0)
        status = dpli_fail(err, DPL_E_GALLERY, "it has been cut short, or is not what was written");
    if (status == DPL_OK)
        status = dpli_secret_stretch(key, secret, n_secret, head.salt, head.passes,
                                     head.memory_bytes, err);
    if (status == DPL_OK)
        status = dpli_stream_open_from(&(*seal)->stream, head.stream, key, err);
    dpli_secret_wipe(key, sizeof key);
    /* The first piece tells whether it is the right passphrase. */
    if (status == DPL_OK && !take_piece(*seal))
        status = dpli_fail(err, DPL_E_GALLERY,
                           "that is not its passphrase, or it is not what was written");
    if (status == DPL_OK) {
        *out = fopencookie(*seal, "r", (cookie_io_functions_t){.read = on_read});
        status = *out ? DPL_OK : dpli_fail(err, DPL_E_MEMORY, "out of memory reading an export");
    }
    if (status != DPL_OK) {
        dpli_sealed_export_free(*seal);
        *seal = NULL;
    }
    return status;
}

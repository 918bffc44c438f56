/*
 * vault.c - a file sealed piece by piece.
 *
 *     "doppelva" or "doppelvc", salt [16] | pieces: 8192 bytes and a tag of 16, the last one
 * shorter
 *
 * Its key is made of the one that is given and the salt, so it is no other file's, and the number
 * of a piece is its nonce: a piece opens nowhere but in its place. By which cipher, AES or
 * ChaCha20, the machine's processor decides that wrote it (piece.h). A file that was cut between
 * two pieces is whole pieces; what is read from it has to know its own length, as a snapshot does.
 */
#include "index/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/piece.h"

static const char magics[DPLI_N_CIPHERS][8] = {
    [DPLI_AES] = {'d', 'o', 'p', 'p', 'e', 'l', 'v', 'a'},
    [DPLI_CHACHA20] = {'d', 'o', 'p', 'p', 'e', 'l', 'v', 'c'},
};

enum {
    PIECE_BYTES = 8192, /* larger ones are faster in a row, and slower for one vector */
    SEALED_BYTES = PIECE_BYTES + DPLI_PIECE_EXTRA,
    AT_ONCE = 4,
    N_MAGIC = sizeof magics[0],
    N_HEAD = N_MAGIC + DPLI_SALT_BYTES,
    BUFFER_PIECES = 8,
    BUFFER_BYTES = BUFFER_PIECES * PIECE_BYTES
};

struct dpli_vault {
    int fd;
    uint8_t *key; /* in memory for keys; NULL: plain */
    dpli_cipher cipher;
    uint64_t n_bytes;   /* put, or there when it was opened */
    uint64_t n_in_file; /* when it was opened */
    /* Writing: what is not in the file yet, and room for it sealed. */
    dpli_pieces *pieces;
    uint8_t *pending, *sealed;
    size_t n_pending;
};

static dpl_status new_vault(dpli_vault **out, dpl_error *err)
{
    *out = dpli_calloc(1, sizeof **out, err);
    if (!*out)
        return DPL_E_MEMORY;
    (*out)->fd = -1;
    return DPL_OK;
}

static dpl_status set_key(dpli_vault *v, const uint8_t *key, const uint8_t *salt, dpl_error *err)
{
    v->key = dpli_secret_alloc(DPLI_KEY_BYTES, err);
    if (!v->key)
        return DPL_E_MEMORY;
    dpli_secret_hash(v->key, key, salt, DPLI_SALT_BYTES);
    return DPL_OK;
}

void dpli_vault_close(dpli_vault *v)
{
    if (!v)
        return;
    if (v->fd >= 0)
        close(v->fd);
    if (v->pending)
        dpli_secret_wipe(v->pending, BUFFER_BYTES);
    free(v->pending);
    free(v->sealed);
    dpli_pieces_free(v->pieces);
    dpli_secret_free(v->key);
    free(v);
}

uint64_t dpli_vault_bytes(const dpli_vault *v)
{
    return v->n_bytes;
}

uint64_t dpli_vault_file_bytes(const dpli_vault *v)
{
    return v->n_in_file;
}

/* ------------------------------------------------------------------ writing */

static bool write_all(int fd, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t put = write(fd, bytes, n);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        bytes += put;
        n -= (size_t)put;
    }
    return true;
}

dpl_status dpli_vault_make(dpli_vault **out, const char *path, const uint8_t *key, dpl_error *err)
{
    uint8_t head[N_HEAD];
    dpli_vault *v;
    dpl_status status = new_vault(&v, err);

    *out = NULL;
    if (status != DPL_OK)
        return status;
    v->pending = dpli_alloc(BUFFER_BYTES, 1, err);
    v->sealed = v->pending && key ? dpli_alloc(BUFFER_PIECES * SEALED_BYTES, 1, err) : NULL;
    if (!v->pending || (key && !v->sealed)) {
        status = DPL_E_MEMORY;
        goto done;
    }
    v->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
    if (v->fd < 0) {
        status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", path);
        goto done;
    }
    if (key) {
        v->cipher = dpli_cipher_here();
        memcpy(head, magics[v->cipher], N_MAGIC);
        dpli_secret_random(head + N_MAGIC, DPLI_SALT_BYTES);
        status = set_key(v, key, head + N_MAGIC, err);
        if (status == DPL_OK)
            status = dpli_pieces_new(&v->pieces, v->cipher, v->key, err);
        if (status == DPL_OK && !write_all(v->fd, head, sizeof head))
            status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot write \"%s\"", path);
    }
    if (status == DPL_OK) {
        *out = v;
        v = NULL;
    }
done:
    dpli_vault_close(v);
    return status;
}

/* The pending bytes begin with a piece's. */
static bool flush(dpli_vault *v)
{
    uint64_t number = (v->n_bytes - v->n_pending) / PIECE_BYTES;
    uint8_t *to = v->sealed;

    if (!v->key && !write_all(v->fd, v->pending, v->n_pending))
        return false;
    for (size_t at = 0; v->key && at < v->n_pending; at += PIECE_BYTES) {
        const size_t left = v->n_pending - at, n = left < PIECE_BYTES ? left : PIECE_BYTES;

        if (!dpli_seal_piece(to, v->pieces, number++, v->pending + at, n)) {
            errno = ENOMEM;
            return false;
        }
        to += n + DPLI_PIECE_EXTRA;
    }
    if (v->key && !write_all(v->fd, v->sealed, (size_t)(to - v->sealed)))
        return false;
    v->n_pending = 0;
    return true;
}

bool dpli_vault_put(dpli_vault *v, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;

    while (n > 0) {
        const size_t room = BUFFER_BYTES - v->n_pending, now = n < room ? n : room;

        memcpy(v->pending + v->n_pending, from, now);
        v->n_pending += now;
        v->n_bytes += now;
        from += now;
        n -= now;
        if (v->n_pending == BUFFER_BYTES && !flush(v))
            return false;
    }
    return true;
}

bool dpli_vault_finish(dpli_vault *v)
{
    return flush(v);
}

/* ------------------------------------------------------------------ reading */

static dpl_status read_at(int fd, uint8_t *to, size_t n, uint64_t at, dpl_error *err)
{
    for (size_t done = 0; done < n;) {
        const ssize_t got = pread(fd, to + done, n - done, (off_t)(at + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return dpli_fail_errno(err, DPL_E_INPUT, errno, "cannot be read");
        if (got == 0)
            return dpli_fail(err, DPL_E_INPUT, "the index has been cut short");
        done += (size_t)got;
    }
    return DPL_OK;
}

static bool take_cipher(dpli_cipher *cipher, const uint8_t *head)
{
    for (int i = 0; i < DPLI_N_CIPHERS; i++)
        if (memcmp(head, magics[i], N_MAGIC) == 0) {
            *cipher = (dpli_cipher)i;
            return true;
        }
    return false;
}

dpl_status dpli_vault_open(dpli_vault **out, const char *path, const uint8_t *key, dpl_error *err)
{
    uint8_t head[N_HEAD];
    dpli_vault *v;
    struct stat st;
    dpl_status status = new_vault(&v, err);

    *out = NULL;
    if (status != DPL_OK)
        return status;
    /* A named pipe in the file's place must not hang the search, and a link leads elsewhere. */
    v->fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (v->fd < 0 && errno == ENOENT)
        status = dpli_fail(err, DPL_E_NOT_FOUND, "there is no \"%s\"", path);
    else if (v->fd < 0)
        status = dpli_fail_errno(err, DPL_E_INPUT, errno, "cannot be opened");
    else if (fstat(v->fd, &st) != 0 || !S_ISREG(st.st_mode))
        status = dpli_fail(err, DPL_E_INPUT, "no file");
    if (status != DPL_OK)
        goto done;
    v->n_bytes = v->n_in_file = (uint64_t)st.st_size;
    if (key) {
        const uint64_t n = v->n_bytes < N_HEAD ? 0 : v->n_bytes - N_HEAD;
        const uint64_t rest = n % SEALED_BYTES;

        if (v->n_bytes < N_HEAD || read_at(v->fd, head, sizeof head, 0, NULL) != DPL_OK ||
            !take_cipher(&v->cipher, head) || (rest > 0 && rest <= DPLI_PIECE_EXTRA)) {
            status = dpli_fail(err, DPL_E_INPUT, "it is not sealed as the gallery is");
            goto done;
        }
        v->n_bytes = n / SEALED_BYTES * PIECE_BYTES + (rest ? rest - DPLI_PIECE_EXTRA : 0);
        status = set_key(v, key, head + N_MAGIC, err);
    }
    if (status == DPL_OK) {
        *out = v;
        v = NULL;
    }
done:
    dpli_vault_close(v);
    return status;
}

dpl_status dpli_vault_again(dpli_vault **out, const dpli_vault *vault, dpl_error *err)
{
    dpli_vault *v;
    dpl_status status = new_vault(&v, err);

    *out = NULL;
    if (status != DPL_OK)
        return status;
    v->n_bytes = vault->n_bytes;
    v->cipher = vault->cipher;
    v->fd = fcntl(vault->fd, F_DUPFD_CLOEXEC, 0);
    if (v->fd < 0)
        status = dpli_fail_errno(err, DPL_E_SYSTEM, errno, "cannot keep the index open");
    if (status == DPL_OK && vault->key) {
        v->key = dpli_secret_alloc(DPLI_KEY_BYTES, err);
        status = v->key ? DPL_OK : DPL_E_MEMORY;
        if (v->key)
            memcpy(v->key, vault->key, DPLI_KEY_BYTES);
    }
    if (status == DPL_OK) {
        *out = v;
        v = NULL;
    }
    dpli_vault_close(v);
    return status;
}

/* Whole pieces from number on, at most AT_ONCE, opened into plain; n_plain: of them. */
static dpl_status open_pieces(uint8_t *plain, const dpli_vault *v, dpli_pieces *pieces,
                              uint64_t number, size_t n_plain, dpl_error *err)
{
    uint8_t sealed[AT_ONCE * SEALED_BYTES];
    const size_t n_pieces = (n_plain + PIECE_BYTES - 1) / PIECE_BYTES;
    dpl_status status = read_at(v->fd, sealed, n_plain + n_pieces * DPLI_PIECE_EXTRA,
                                N_HEAD + number * SEALED_BYTES, err);

    for (size_t i = 0; i < n_pieces && status == DPL_OK; i++) {
        const size_t left = n_plain - i * PIECE_BYTES, n = left < PIECE_BYTES ? left : PIECE_BYTES;

        if (!dpli_unseal_piece(plain + i * PIECE_BYTES, pieces, number + i,
                               sealed + i * SEALED_BYTES, n + DPLI_PIECE_EXTRA))
            status = dpli_fail(err, DPL_E_INPUT, "it is not what was written");
    }
    return status;
}

/* What is asked for of one that is sealed: whole pieces to where they are wanted, others aside. */
static dpl_status read_sealed(const dpli_vault *v, uint8_t *out, size_t n, uint64_t at,
                              dpl_error *err)
{
    uint8_t aside[PIECE_BYTES];
    dpli_pieces *pieces;
    dpl_status status = dpli_pieces_new(&pieces, v->cipher, v->key, err);

    while (n > 0 && status == DPL_OK) {
        const size_t skip = (size_t)(at % PIECE_BYTES);
        const uint64_t from = at - skip, left = v->n_bytes - from;
        const size_t n_piece = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        size_t now = n < AT_ONCE * PIECE_BYTES ? n : AT_ONCE * PIECE_BYTES;

        if (skip == 0 && n >= n_piece) {
            /* The last piece of all is whole, however short. */
            now = now == left ? now : now / PIECE_BYTES * PIECE_BYTES;
            status = open_pieces(out, v, pieces, from / PIECE_BYTES, now, err);
        } else {
            now = n_piece - skip < n ? n_piece - skip : n;
            status = open_pieces(aside, v, pieces, from / PIECE_BYTES, n_piece, err);
            if (status == DPL_OK)
                memcpy(out, aside + skip, now);
        }
        out += now;
        at += now;
        n -= now;
    }
    dpli_secret_wipe(aside, sizeof aside);
    dpli_pieces_free(pieces);
    return status;
}

dpl_status dpli_vault_read(const dpli_vault *v, void *to, size_t n, uint64_t at, dpl_error *err)
{
    if (v->n_bytes < n || at > v->n_bytes - n)
        return dpli_fail(err, DPL_E_INPUT, "the index has been cut short");
    return v->key ? read_sealed(v, to, n, at, err) : read_at(v->fd, to, n, at, err);
}

/*
 * A gallery that nobody reads without its key: vectors, thumbnails, names, paths, settings, the log
 * of the last change and the snapshots of the index are sealed on the disk (XChaCha20-Poly1305),
 * each bound to its row and column, and opened in memory.
 *
 * The key is a file: a key file of its own, which is best kept apart from the gallery and from its
 * backups, or "gallery.keys" in the gallery's folder. Either can be locked by a secret (a
 * passphrase, by Argon2id); the one in the gallery's folder has to be. Forgetting destroys keys in
 * that file, so that what a copy of the gallery made before holds of whoever was forgotten is read
 * by nobody who has only the file as it is now. docs/encryption.md says what this protects from,
 * and what it does not.
 */
#ifndef DOPPEL_ENCRYPTION_H
#define DOPPEL_ENCRYPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"
#include "doppel/gallery.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A secret has at most so many bytes. */
#define DPL_SECRET_MAX_BYTES 4096

/* What opens a gallery. Nothing in it is kept; the library wipes its own copies. */
typedef struct dpl_key_options {
    size_t struct_size;
    const char *key_file; /* NULL: "gallery.keys" in the gallery's folder */
    const void *secret;   /* a passphrase, or any bytes; NULL: none */
    size_t n_secret;
    /* Asked when a secret is wanted and none was given: fills in at most room bytes and *n, or
       fails. file is what it opens. NULL: nobody is asked. */
    dpl_status (*ask)(void *ctx, const char *file, uint8_t *secret, size_t room, size_t *n,
                      dpl_error *err);
    void *ctx;
} dpl_key_options;

#define DPL_KEY_OPTIONS_INIT                                                                       \
    {                                                                                              \
        sizeof(dpl_key_options), NULL, NULL, 0, NULL, NULL                                         \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_key_options_init(dpl_key_options *key, size_t struct_size);

/**
 * dpl_gallery_open of a gallery that may be encrypted. A key that is given to one that is not is
 * not looked at.
 *
 * @param key  NULL: none
 * @retval DPL_E_GALLERY  also: it is encrypted and no key was given; the key is another gallery's;
 *                        the secret is wrong; the key file is damaged, or others than its owner may
 *                        read it. err says which
 */
DPL_API dpl_status dpl_gallery_open_with_key(dpl_gallery **out, const char *dir,
                                             dpl_gallery_mode mode, const dpl_key_options *key,
                                             dpl_error *err);

typedef struct dpl_encryption {
    bool is_encrypted;
    bool has_secret;      /* the key file is locked by one */
    const char *key_file; /* borrowed from the gallery; NULL when it is not encrypted */
} dpl_encryption;
/** Whether a gallery is encrypted, and by what it was opened. */
DPL_API void dpl_gallery_encryption(dpl_encryption *out, const dpl_gallery *gallery);

/**
 * Encrypt a gallery that is not: makes the key file, seals every row in one transaction, removes
 * snapshots of the index and waiting vectors, and writes the database's file anew, so that no plain
 * byte is left in the folder. Killed at any instant the gallery is as it was, or encrypted; what is
 * then left plain is removed by whoever next opens it for writing.
 *
 * It is a change that cannot be taken back, and ends what could be. Needs room for about three
 * times the database meanwhile. A process that has the gallery open meanwhile has to open it again.
 *
 * @param key  a new key file, which must not be there; or none, and a secret
 * @retval DPL_E_ARGUMENT  it is encrypted already; neither a key file nor a secret is given
 * @retval DPL_E_GALLERY   a row is damaged; the key file is there already
 * @retval DPL_E_LOCKED    it is encrypted, but a reader keeps plain bytes in the log; the next
 *                         writer removes them
 */
DPL_API dpl_status dpl_gallery_encrypt(dpl_gallery *gallery, const dpl_key_options *key,
                                       dpl_error *err);

/**
 * Give an encrypted gallery another key: every row is sealed anew with it, in one transaction. The
 * former key opens copies made before and nothing else; "gallery.keys" of before is overwritten,
 * and a former key file too where the new one has its name, else it is left to the caller.
 *
 * @param key  as of dpl_gallery_encrypt, but the key file may be the one that it has
 */
DPL_API dpl_status dpl_gallery_rekey(dpl_gallery *gallery, const dpl_key_options *key,
                                     dpl_error *err);

/** Make an encrypted gallery plain again, in one transaction; "gallery.keys" is overwritten and
 * removed, a key file of its own is left to the caller. Statuses as of dpl_gallery_encrypt. */
DPL_API dpl_status dpl_gallery_decrypt(dpl_gallery *gallery, dpl_error *err);

/**
 * dpl_gallery_export sealed by a secret: who has not that reads nothing of it. It is no other than
 * the export of any gallery, encrypted or not.
 *
 * @param key  its secret, given or asked for; a key file is not looked at
 * @retval DPL_E_ARGUMENT  there is no secret
 */
DPL_API dpl_status dpl_gallery_export_sealed(dpl_gallery *gallery, const char *path,
                                             const dpl_key_options *key, dpl_error *err);

/**
 * dpl_gallery_import of an export that may be sealed.
 *
 * @param key  NULL: none. Asked for a secret only where the export wants one
 * @retval DPL_E_GALLERY  also: the secret is wrong, or was not given; it was changed or cut short
 */
DPL_API dpl_status dpl_gallery_import_sealed(dpl_gallery *gallery, const char *path,
                                             const dpl_key_options *key, int64_t *n_photos,
                                             int64_t *n_templates, dpl_error *err);

#ifdef __cplusplus
}
#endif

#endif

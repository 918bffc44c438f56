/*
 * keys.h - the keys and passphrases that the options name, systemd gives, or somebody types. None
 * is ever in an argument or an environment variable, and copies are wiped.
 */
#ifndef DOPPEL_APP_KEYS_H
#define DOPPEL_APP_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "app/common.h"
#include "doppel/encryption.h"

/* A key as the options say it; zero-initialise, wipe with keys_clear. */
typedef struct keys {
    dpl_key_options key;
    char *file; /* of a systemd credential */
    uint8_t secret[DPL_SECRET_MAX_BYTES];
    char *prompt; /* for who types it; NULL: "passphrase" */
    bool twice;   /* a new one is typed twice */
} keys;

/**
 * What opens the gallery: --key-file, --passphrase-file, else the credentials doppel.key and
 * doppel.passphrase; a passphrase that is wanted then is asked for on the terminal.
 */
dpl_status keys_of_gallery(keys *out, const common *o, dpl_error *err);

/** A key from a key file and a file with a passphrase, each NULL: none. asked: where no passphrase
 * is in a file, one is asked for, twice when it is new. */
dpl_status keys_of(keys *out, const char *key_file, const char *passphrase_file, bool asked,
                   bool is_new, const char *what, dpl_error *err);

void keys_clear(keys *k);

/** Tell by what a gallery is opened now, or that it is plain: the answer of a command. */
void tell_encryption(const command *self, bool json, bool quiet, const char *did,
                     const dpl_gallery *gallery);

#endif

/* What the tests of the gallery share: folders of their own, photos made of numbers, and a look
 * into every file of a folder. All of it fails the test when it cannot do its work. */
#ifndef DOPPEL_TESTS_INDEX_GALLERY_KIT_H
#define DOPPEL_TESTS_INDEX_GALLERY_KIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/gallery.h"
#include "index/db.h"

enum { KIT_DIM = 8, KIT_THUMB = 185 };

#define KIT_HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/** Whether galleries are in a server of PostgreSQL: tests/postgres. Then what is said here of a
 * folder holds of a database of it, and of its files of the rows of its tables. */
bool kit_is_database(void);
/** A test of the folder's own files: left out where galleries are there. */
void kit_needs_folder(void **state);
#define kit_unit_test_of_folder(test) kit_unit_test_of_folder_in(test, NULL, NULL)
#define kit_unit_test_of_folder_in(test, set_up, tear_down)                                        \
    {                                                                                              \
        #test, kit_is_database() ? kit_needs_folder : test, set_up, tear_down, NULL                \
    }

/** Whether galleries are encrypted ($DOPPEL_ENCRYPTED): of kit_new, with a key that opens without
 * being asked for. */
bool kit_is_sealed(void);
/** Of a gallery's folder, what its snapshots are sealed with; NULL: they are plain. The next call
 * writes over it. */
const uint8_t *kit_file_key(const char *dir);
/** A test of what is plain in the files: left out where they are encrypted;
 * tests/index/test_encryption.c asks for what holds instead. */
#define kit_unit_test_of_plain(test)                                                               \
    {                                                                                              \
#test, kit_is_sealed() ? kit_needs_folder : test, NULL, NULL, NULL                         \
    }

/** A fresh folder's path, removed with all in it by kit_drop, which frees the path, too. */
char *kit_folder(void);
void kit_drop(char *dir);
/** A fresh one that holds what this one does, which nobody has open. */
char *kit_copy(const char *dir);
/** Where a file is that lies in a gallery's folder: of a database in the one that this machine
 * keeps for it. */
void kit_beside(char path[512], const char *dir, const char *name);

/** Open; err is printed when it fails. */
dpl_gallery *kit_open(const char *dir, dpl_gallery_mode mode);
/** A new gallery with a face model (KIT_HASH, KIT_DIM) and an image model (its dim 2 * KIT_DIM). */
dpl_gallery *kit_new(const char *dir);

/** A gallery that was made otherwise is encrypted from here on where galleries are
 * ($DOPPEL_ENCRYPTED), unless it is already. */
void kit_seal(dpl_gallery *gallery);

/** The database under a gallery. */
dpli_db *kit_db(dpl_gallery *gallery);
/** Run a statement in it, as SQLite's has it: also where vectors stand in a table of their own. */
void kit_exec(dpl_gallery *gallery, const char *sql);
/** What refers to what is right. */
void kit_check(dpl_gallery *gallery);
/** What is in SQLite's log is in its file from here on. */
void kit_checkpoint(dpl_gallery *gallery);

/** The status, with a message printed when it is not the one wanted. */
void kit_expect(dpl_status wanted, dpl_status got, const dpl_error *err);

/* A photo whose numbers all come from seed: n_templates of them, the last of an even seed being
 * an image vector. What it points to lives as long as the struct. */
typedef struct kit_photo {
    dpl_new_photo photo;
    dpl_new_template templates[4];
    float vectors[4][2 * KIT_DIM];
    uint8_t thumbs[4][KIT_THUMB];
    char path[256], person[256], sha256[65], reason[64];
} kit_photo;
void kit_photo_make(kit_photo *p, uint64_t seed, const char *path, const char *person,
                    size_t n_templates);
dpl_status kit_put(dpl_gallery *gallery, uint64_t seed, const char *path, const char *person,
                   size_t n_templates, dpl_error *err);

/** The same, which must succeed. */
void kit_put_well(dpl_gallery *gallery, uint64_t seed, const char *path, const char *person,
                  size_t n_templates);

/** A setting, NULL when unset. */
const char *kit_setting(dpl_gallery *gallery, const char *key);

/** How many files of the folder contain these bytes; of a database rows, and files beside it. */
int kit_files_with(const char *dir, const void *bytes, size_t n);

/** What fn says of a folder that holds nothing but files, freed with free(). Asked once of each
 * content: what was true of a folder is true of the next with the same files, to the byte, SQLite's
 * shared memory apart. Most of what is left behind by a failure is what was there before it. */
char *kit_once(const char *dir, char *(*fn)(const char *dir));

/** All of the gallery in a string, freed with free(): its export. */
char *kit_dump(dpl_gallery *gallery);
/** It is as it was when this was its dump, which is freed. */
void kit_is_still(dpl_gallery *gallery, char *before);
/** The end of a test: closes, and drops the folder. */
void kit_end(dpl_gallery *gallery, char *dir);
/** The whole content of a file, with a NUL after it. */
char *kit_read(const char *path, size_t *n);
void kit_write(const char *path, const void *bytes, size_t n);

#endif

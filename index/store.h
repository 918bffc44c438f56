/*
 * What a gallery asks of its database: the one contract. Above it are rules (what a name may be,
 * what forgetting means, what is damaged); below it a keeper, which knows one database and no
 * rules. SQLite in a folder (store_sqlite*.c) is the first. Another is a file with a table of these
 * operations and a row in store.c: store_postgres*.c is PostgreSQL, and what keepers in SQL share
 * is in store_sql*.c.
 *
 * A keeper's messages name its database (name). Its statuses: DPL_E_GALLERY what is kept is damaged
 * or not a gallery's, DPL_E_LOCKED somebody else is in the way, DPL_E_SYSTEM the disk or the
 * server, DPL_E_MEMORY, DPL_E_LIMIT.
 */
#ifndef DOPPEL_INDEX_STORE_H
#define DOPPEL_INDEX_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/gallery.h"
#include "index/record.h"

typedef struct dpli_store dpli_store;

enum { DPLI_IDENTITY = 33 }; /* 32 hex digits, made at creation, and a NUL */

typedef struct dpli_counts {
    int64_t n_persons, n_photos, n_failed, n_templates[DPLI_N_SPACES], n_bytes;
    int64_t n_nobodys; /* of the templates of faces */
} dpli_counts;

typedef enum dpli_photos_by {
    DPLI_ALL_PHOTOS,       /* by source */
    DPLI_ALL_PHOTOS_BY_ID, /* by id */
    DPLI_PHOTOS_OF,        /* a person's, or with a face of theirs, by source; id: the person */
    DPLI_PHOTOS_MEANT_FOR, /* refused ones that were to be a person's, by source; text: the name */
    DPLI_PHOTOS_UNDER,     /* in a folder or below it, by source; text: its own, with a slash at the
                              end */
    DPLI_PHOTO_AT,         /* text: the source */
    DPLI_PHOTOS_LIKE,      /* text: the content's SHA-256; by id */
    DPLI_PHOTO_BY_ID
} dpli_photos_by;
typedef struct dpli_photo_query {
    dpli_photos_by by;
    const char *text;
    int64_t id;
} dpli_photo_query;

typedef enum dpli_templates_by {
    DPLI_ALL_TEMPLATES, /* by id, as all */
    DPLI_TEMPLATES_OF,  /* a person's; id: the person */
    DPLI_TEMPLATES_IN,  /* a photo's; id */
    DPLI_TEMPLATE_BY_ID
} dpli_templates_by;
typedef struct dpli_template_query {
    dpli_templates_by by;
    int64_t id;
    const char *space; /* NULL: of any; not looked at when by id */
} dpli_template_query;

/* The last change: what a run of a command, or a call of a function, has made of the gallery. */
typedef struct dpli_change_record {
    int64_t id; /* 0: there is none */
    int64_t made_unix_s;
    bool is_final;     /* it cannot be taken back */
    const char *words; /* what it was */
} dpli_change_record;

/* What is in the log of the last change, by table. */
typedef struct dpli_change_rows {
    int64_t n_added, n_changed, n_removed;
} dpli_change_rows;
typedef struct dpli_change_counts {
    dpli_change_rows persons, photos, templates, others;
    dpli_change_rows owners; /* n_changed: faces that were there before and after, and changed hands
                                or got or lost a person */
} dpli_change_counts;

/* A row's strings and bytes live until the function returns. A status other than DPL_OK ends the
   walk and is passed on. The function may read, but not change. */
typedef dpl_status dpli_on_setting(void *ctx, const char *key, const char *value, dpl_error *err);
typedef dpl_status dpli_on_person(void *ctx, const dpli_person_record *row, dpl_error *err);
typedef dpl_status dpli_on_photo(void *ctx, const dpli_photo_record *row, dpl_error *err);
typedef dpl_status dpli_on_template(void *ctx, const dpli_template_record *row, dpl_error *err);
typedef dpl_status dpli_on_vector(void *ctx, const dpli_vector_record *row, dpl_error *err);
typedef dpl_status dpli_on_alias(void *ctx, const dpli_alias_record *row, dpl_error *err);
typedef dpl_status dpli_on_refusal(void *ctx, const dpli_refusal_record *row, dpl_error *err);
typedef dpl_status dpli_on_member(void *ctx, const dpli_member_record *row, dpl_error *err);
typedef dpl_status dpli_on_change(void *ctx, const dpli_change_record *row, dpl_error *err);

/* What a database can find by itself in a space. */
typedef struct dpli_near_info {
    bool is_there;  /* it could */
    int64_t n, dim; /* of what is indexed; n 0: nothing */
    int64_t width;  /* that a walk through the index keeps */
    double recall;  /* of the ten most alike, measured when it was made */
} dpli_near_info;

/* More templates that have changed are not told one by one: all are had sooner. */
enum { DPLI_TOUCHED_MAX = 2000 };

/* A row's bytes as the database has them, and its table. */
typedef dpl_status dpli_on_bytes(void *ctx, const char *table, const void *bytes, size_t n,
                                 dpl_error *err);
typedef dpl_status dpli_on_touched(void *ctx, int64_t template_id, dpl_error *err);
typedef dpl_status dpli_on_audit(void *ctx, const dpli_audit_record *row, dpl_error *err);
/* A line of the audit, without its newline. */
typedef dpl_status dpli_on_line(void *ctx, const char *line, dpl_error *err);
/* Given the last line (NULL: there is none), the next: *line is freed by free(); NULL: none is to
   be written. */
typedef dpl_status dpli_next_line(void *ctx, char **line, const char *last, dpl_error *err);

/* Something that is wrong with the database, in words; a status as above. */
typedef dpl_status dpli_on_fault(void *ctx, const char *what, dpl_error *err);

typedef struct dpli_store_ops {
    void (*close)(dpli_store *store);
    /* As close, and the database is gone. */
    void (*discard)(dpli_store *store);

    /* A transaction: one consistent view when reading; all or nothing, and on disk when it ends,
       when writing. Not nested. end commits when status is DPL_OK, else takes everything back; it
       gives the status, or why the commit failed. */
    dpl_status (*begin)(dpli_store *store, bool write, dpl_error *err);
    dpl_status (*end)(dpli_store *store, dpl_status status, dpl_error *err);

    /* -------- what it is */
    /* Every commit that touches templates raises the generation. */
    dpl_status (*generation)(dpli_store *store, int64_t *generation, char identity[DPLI_IDENTITY],
                             dpl_error *err);
    dpl_status (*touch)(dpli_store *store, dpl_error *err);
    /* Of one instant; people of whom there is a photo or a template. */
    dpl_status (*count)(dpli_store *store, dpli_counts *out, dpl_error *err);
    /* Its first number alone, which costs what people cost, and not what photos do. */
    dpl_status (*n_persons)(dpli_store *store, int64_t *n, dpl_error *err);
    /* The highest id that a table ever gave; raise: ids up to this one are taken. */
    dpl_status (*last_id)(dpli_store *store, int64_t *id, dpli_numbered table, dpl_error *err);
    dpl_status (*raise_last_id)(dpli_store *store, dpli_numbered table, int64_t id, dpl_error *err);

    /* -------- settings, and the model of each space */
    /* *value is the caller's, NULL when the key is unset. */
    dpl_status (*setting)(dpli_store *store, char **value, const char *key, dpl_error *err);
    /* value NULL: unset. */
    dpl_status (*set_setting)(dpli_store *store, const char *key, const char *value,
                              dpl_error *err);
    /* By key. */
    dpl_status (*each_setting)(dpli_store *store, dpli_on_setting *fn, void *ctx, dpl_error *err);
    /* *id 0 when the space has no model of this hash. */
    dpl_status (*find_model)(dpli_store *store, int64_t *id, int64_t *dim, const char *space,
                             const char *hash, dpl_error *err);
    /* The space's only model from now on; it has no template of another. */
    dpl_status (*set_model)(dpli_store *store, const char *space, const char *hash, int32_t dim,
                            dpl_error *err);
    /* The space's model is another from now on, also of its templates: whoever calls this puts
       their vectors in the same transaction (set_vector). *id: as it was. */
    dpl_status (*change_model)(dpli_store *store, int64_t *id, const char *space, const char *hash,
                               int32_t dim, dpl_error *err);
    /* Its identity is a new one: what was derived from it before is another gallery's. */
    dpl_status (*change_identity)(dpli_store *store, dpl_error *err);
    /* Whether a space, or with NULL any, holds templates. */
    dpl_status (*has_templates)(dpli_store *store, bool *any, const char *space, dpl_error *err);

    /* -------- reading; a walk is of one instant whatever a writer does meanwhile */
    /* One person, without their numbers; fn is not called when there is none of this id. */
    dpl_status (*one_person)(dpli_store *store, int64_t id, dpli_on_person *fn, void *ctx,
                             dpl_error *err);
    /* By name and with their numbers of photos and templates, where there are any; or all by id,
       without. */
    dpl_status (*each_person)(dpli_store *store, bool by_id, dpli_on_person *fn, void *ctx,
                              dpl_error *err);
    dpl_status (*each_photo)(dpli_store *store, const dpli_photo_query *query, dpli_on_photo *fn,
                             void *ctx, dpl_error *err);
    dpl_status (*each_template)(dpli_store *store, const dpli_template_query *query,
                                dpli_on_template *fn, void *ctx, dpl_error *err);
    /* Of a model, by id; or without bytes, which are then NULL, and n_bytes 0, by photo. */
    dpl_status (*n_vectors)(dpli_store *store, int64_t *n, int64_t model_id, dpl_error *err);
    dpl_status (*each_vector)(dpli_store *store, int64_t model_id, bool with_bytes,
                              dpli_on_vector *fn, void *ctx, dpl_error *err);
    /* By name; by id, all or those that name a template; by template. */
    dpl_status (*each_alias)(dpli_store *store, dpli_on_alias *fn, void *ctx, dpl_error *err);
    dpl_status (*each_refusal)(dpli_store *store, int64_t template_id, dpli_on_refusal *fn,
                               void *ctx, dpl_error *err);
    dpl_status (*each_member)(dpli_store *store, dpli_on_member *fn, void *ctx, dpl_error *err);

    /* -------- writing; within a transaction. An id that is 0 is chosen, and given out */
    /* *id 0 when there is none of this name. */
    dpl_status (*find_person)(dpli_store *store, int64_t *id, const char *name, dpl_error *err);
    dpl_status (*add_person)(dpli_store *store, int64_t *id, const char *name, uint64_t sum,
                             dpl_error *err);
    dpl_status (*rename_person)(dpli_store *store, int64_t id, const char *name, uint64_t sum,
                                dpl_error *err);
    /* Remove a person if neither a photo nor a template is theirs, or was said not to be;
       everybody of whom none is or was. With a person go their other names. */
    dpl_status (*drop_if_lonely)(dpli_store *store, int64_t id, dpl_error *err);
    dpl_status (*drop_lonely)(dpli_store *store, dpl_error *err);
    /* *id 0 when the source is unknown; *person_id 0 when the photo is nobody's. */
    dpl_status (*find_photo)(dpli_store *store, int64_t *id, int64_t *person_id, const char *uri,
                             dpl_error *err);
    dpl_status (*add_photo)(dpli_store *store, int64_t *id, const dpli_photo_record *row,
                            dpl_error *err);
    /* Over the one with the row's id. */
    dpl_status (*set_photo)(dpli_store *store, const dpli_photo_record *row, dpl_error *err);
    /* With its templates. */
    dpl_status (*drop_photo)(dpli_store *store, int64_t id, dpl_error *err);
    /* A photo's; *n: how many there were. */
    dpl_status (*drop_templates)(dpli_store *store, int64_t *n, int64_t photo_id, dpl_error *err);
    dpl_status (*drop_template)(dpli_store *store, int64_t id, dpl_error *err);
    dpl_status (*add_vector)(dpli_store *store, int64_t *id, const dpli_vector_record *row,
                             dpl_error *err);
    /* Over the one of the row's template: vector and sum. */
    dpl_status (*set_vector)(dpli_store *store, const dpli_vector_record *row, dpl_error *err);
    /* Over what there was. */
    dpl_status (*set_face)(dpli_store *store, int64_t template_id, const double face[DPLI_N_FACE],
                           const char *weakest, uint64_t sum, dpl_error *err);
    dpl_status (*add_face)(dpli_store *store, int64_t template_id, const double face[DPLI_N_FACE],
                           const char *weakest, uint64_t sum, dpl_error *err);
    /* Over what there was, as is the next. */
    dpl_status (*add_thumb)(dpli_store *store, int64_t template_id, const void *bytes, size_t n,
                            uint64_t sum, dpl_error *err);

    dpl_status (*add_caption)(dpli_store *store, int64_t template_id, const char *source,
                              const char *caption, uint64_t sum, dpl_error *err);

    /* Whose a template is, over what was known; person_id 0: nobody's. */
    dpl_status (*set_owner)(dpli_store *store, const dpli_owner_record *row, dpl_error *err);
    /* What is known of a photo's file, over what was; nothing: no row. */
    dpl_status (*set_file)(dpli_store *store, const dpli_file_record *row, dpl_error *err);
    /* The person whom another name than theirs means; *person_id 0: none. Set: over whom it meant;
       person_id 0: nobody any more. */
    dpl_status (*find_alias)(dpli_store *store, int64_t *person_id, const char *name,
                             dpl_error *err);
    dpl_status (*set_alias)(dpli_store *store, const dpli_alias_record *row, dpl_error *err);
    /* One that is there already is not added again. */
    dpl_status (*add_refusal)(dpli_store *store, int64_t *id, const dpli_refusal_record *row,
                              dpl_error *err);
    dpl_status (*drop_refusal)(dpli_store *store, int64_t id, dpl_error *err);
    /* group_number 0: in none. */
    dpl_status (*set_member)(dpli_store *store, const dpli_member_record *row, dpl_error *err);
    dpl_status (*drop_members)(dpli_store *store, dpl_error *err);

    /* -------- the last change, and taking it back */
    /* Within a writing transaction: what it changes from here on can be taken back. *id: of a
     * change under way, of which this is more, or 0; a change that begins forgets the one before,
     * and its id is given out. Settings, models and the highest ids are not logged. */
    dpl_status (*log_change)(dpli_store *store, int64_t *id, const char *words, dpl_error *err);
    /* Within a writing transaction: from here on nothing is logged, the log is emptied, and the
       last change is a final one of these words. */
    dpl_status (*end_log)(dpli_store *store, const char *words, dpl_error *err);
    /* fn is called once, or when nothing was ever changed not at all. */
    dpl_status (*last_change)(dpli_store *store, dpli_on_change *fn, void *ctx, dpl_error *err);
    /* What the log of the last change says, by its id. */
    dpl_status (*count_change)(dpli_store *store, int64_t id, dpli_change_counts *out,
                               dpl_error *err);
    /* Within a writing transaction: take the last change back, which is itself one that can be.
     * DPL_E_GALLERY when the log is not what was written. */
    dpl_status (*undo)(dpli_store *store, const char *words, dpl_error *err);

    /* -------- what has changed since */
    /* Within a transaction: templates that came, went or changed hands after a generation, by id;
     *is_all false, and none is given, where that is not known: too long ago, too many. */
    dpl_status (*each_touched)(dpli_store *store, bool *is_all, int64_t since, dpli_on_touched *fn,
                               void *ctx, dpl_error *err);
    /* Wait for a change of the gallery, at most so long. *changed also when it is not known.
       Outside of a transaction. NULL: nobody is told. */
    dpl_status (*wait_for_change)(dpli_store *store, bool *changed, int timeout_ms, dpl_error *err);

    /* -------- candidates. NULL: the database finds none itself */
    dpl_status (*near_info)(dpli_store *store, dpli_near_info *out, const char *space,
                            dpl_error *err);
    /* Templates of a space most like a probe [info->dim] by direction, some more than n and in no
       order. Outside of a transaction. */
    dpl_status (*near)(dpli_store *store, const char *space, const dpli_near_info *info,
                       const float *probe, size_t n, dpli_on_vector *fn, void *ctx, dpl_error *err);

    /* The i-th file that is read when it connects; NULL: there are no more. NULL: there are none.
     */
    const char *(*connection_file)(const dpli_store *store, size_t i);

    /* -------- what stands beside the gallery, by name. NULL: files in its folder */
    /* *bytes is the caller's, NULL when there is none. Set: over what was, in a transaction of its
       own; NULL bytes: none any more. */
    dpl_status (*beside)(dpli_store *store, uint8_t **bytes, size_t *n, const char *name,
                         dpl_error *err);
    dpl_status (*set_beside)(dpli_store *store, const char *name, const void *bytes, size_t n,
                             dpl_error *err);

    /* -------- the audit (audit.h) */
    /* fn is called once, or when there never was one not at all. Set: within a writing transaction.
     */
    dpl_status (*audit_record)(dpli_store *store, dpli_on_audit *fn, void *ctx, dpl_error *err);
    dpl_status (*set_audit_record)(dpli_store *store, const dpli_audit_record *row, dpl_error *err);
    /* Of many who add one, one at a time. On disk when this returns; half a line that a kill has
       left is removed. Also a reader's, and also outside of a transaction. */
    dpl_status (*add_line)(dpli_store *store, dpli_next_line *make, void *ctx, dpl_error *err);
    /* From the first one; half a line at the end is none. */
    dpl_status (*each_line)(dpli_store *store, dpli_on_line *fn, void *ctx, dpl_error *err);

    /* -------- damage */
    /* Read all of it and tell what is wrong (up to some hundred findings) beyond what the rows' own
     * sums show: structure, what refers to what, and what carries no sum in its row (settings,
     * models, ids given). Within a transaction. */
    dpl_status (*faults)(dpli_store *store, dpli_on_fault *fn, void *ctx, dpl_error *err);

    /* -------- for a keeper that stands before this one and writes names so that others cannot
       read them; NULL: none can */
    /* As find_person and find_alias, by how a kept name begins; *name: all of it, the caller's,
       NULL when there is none. */
    dpl_status (*find_person_by)(dpli_store *store, int64_t *id, const char *beginning,
                                 dpl_error *err);
    dpl_status (*find_alias_by)(dpli_store *store, int64_t *person_id, char **name,
                                const char *beginning, dpl_error *err);

    /* -------- leaving no byte of what was removed */
    /* After the transaction that removes, and before scrub: copies of the gallery that were made
       before cannot be read either, as far as the keeper can see to that. NULL: it cannot. */
    dpl_status (*destroy_keys)(dpli_store *store, dpl_error *err);
    /* Within the transaction that removes: what is removed is to be scrubbed. */
    dpl_status (*want_scrub)(dpli_store *store, dpl_error *err);
    dpl_status (*wants_scrub)(dpli_store *store, bool *wanted, dpl_error *err);
    /* No byte of a removed row is left where the database keeps its data; the wish is fulfilled.
     * DPL_E_LOCKED when a reader still needs them. Outside of a transaction. */
    dpl_status (*scrub)(dpli_store *store, dpl_error *err);
    /* Every row of every table. NULL: what the database keeps is files in the gallery's folder. */
    dpl_status (*each_row)(dpli_store *store, dpli_on_bytes *fn, void *ctx, dpl_error *err);
} dpli_store_ops;

/* What every keeper's own struct begins with. */
struct dpli_store {
    const dpli_store_ops *ops;
    char *name;   /* of the database, for messages */
    char *folder; /* where what is derived from the gallery lies on this machine */
    bool shared;  /* others may write between two transactions of this one */
    bool clashed; /* the last transaction that wrote was taken back as another's came between:
                     the same again may go well */
    bool writing; /* opened for it */
    bool in_transaction;     /* between begin and end */
    bool made;               /* opening has made it */
    int64_t was_version;     /* of the schema that opening has brought up to date; 0: it was */
    const uint8_t *file_key; /* by which files derived from it are sealed; NULL: they are not */
    const uint8_t *former_file_key; /* by which they were, before keys were destroyed; NULL: none */
};

/**
 * Open the database of a gallery, by the keeper that its address names: a folder, or
 * postgresql://… where this doppel was built with it. An address may hold a password, which is in
 * no message and not in the store's name.
 *
 * @retval DPL_E_GALLERY  missing, damaged, not a gallery's, of a version this doppel does not know,
 *                        or of an older one and opened for reading
 * @retval DPL_E_LOCKED   somebody else is writing
 */
dpl_status dpli_store_open(dpli_store **out, const char *address, dpl_gallery_mode mode,
                           dpl_error *err);
/** What may be said of an address: a folder, or a URL without its password; the caller's. */
dpl_status dpli_store_name(char **name, const char *address, dpl_error *err);
static inline void dpli_store_close(dpli_store *store)
{
    if (store)
        store->ops->close(store);
}

#endif

/*
 * enroll.c - folders of photos into the gallery.
 *
 * Files are listed; what is known of those given and of what is in the folders given (the ledger)
 * is read once, and they are gone through in chunks. A chunk's files are looked at in parallel: one
 * stat for what is unchanged, else read, hashed and, when the content is new, taken through the
 * pipeline. Then the chunk is committed in one transaction and its events are reported. So memory
 * is bounded by the chunk, a kill loses at most one chunk's work, and events are of what is on
 * disk.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/pool.h"
#include "index/captions.h"
#include "index/files.h"
#include "index/gallery.h"
#include "index/pipeline.h"
#include "index/source.h"

#define CHUNK 64

/* A photo takes about as long as this power of its bytes: a large one is decoded reduced, and faces
   are looked for in no more than so many pixels. docs/speed-log.md has the measurement. */
#define WORK_POWER 0.6

/* ------------------------------------------------------------------ ledger */

typedef struct known {
    int64_t id, size_bytes, mtime_ns, file_system, unreadable_since_unix_s;
    char *path, *person; /* person NULL: nobody's */
    char *meant;         /* whose it was to be; NULL: not known */
    char *reason;        /* NULL: none */
    const char *tried;   /* see row.options; the ledger's, one for all that have the same */
    char sha256[65];
    dpl_status status;
    int32_t n_faces;
    bool claimed; /* a file of this run is this photo (by path or because it moved) */
} known;

typedef struct ledger {
    known *items; /* of the files and folders that are looked at, by path */
    size_t n, cap;
    void *elsewhere; /* known ones that have moved from there, a tree by id */
    int64_t last_id; /* what has a higher one came later */
    char **tried;    /* all that occur */
    size_t n_tried, cap_tried;
} ledger;

/* The one string of its content. Few differ: runs are mostly made with the same options. */
static const char *same_tried(ledger *l, const char *tried)
{
    char **all;

    for (size_t i = l->n_tried; i-- > 0;)
        if (strcmp(l->tried[i], tried) == 0)
            return l->tried[i];
    all = dpli_grow(l->tried, &l->cap_tried, l->n_tried + 1, sizeof *all, NULL);
    if (!all)
        return NULL;
    l->tried = all;
    all[l->n_tried] = dpli_strdup(tried, NULL);
    return all[l->n_tried] ? all[l->n_tried++] : NULL;
}

/* What the ledger keeps of a row; cleared also when it fails. */
static dpl_status make_known(known *out, ledger *l, const dpl_photo_row *row)
{
    known k = {.id = row->id,
               .size_bytes = row->size_bytes,
               .mtime_ns = row->mtime_ns,
               .file_system = row->file_system,
               .unreadable_since_unix_s = row->unreadable_since_unix_s,
               .status = row->status,
               .n_faces = row->n_faces};

    snprintf(k.sha256, sizeof k.sha256, "%s", row->sha256);
    k.path = dpli_strdup(row->path, NULL);
    k.person = row->person ? dpli_strdup(row->person, NULL) : NULL;
    k.meant = row->meant ? dpli_strdup(row->meant, NULL) : NULL;
    k.reason = row->reason[0] ? dpli_strdup(row->reason, NULL) : NULL;
    k.tried = same_tried(l, row->options);
    *out = k;
    return k.path && k.tried && (k.person || !row->person) && (k.meant || !row->meant) &&
                   (k.reason || !row->reason[0])
               ? DPL_OK
               : DPL_E_MEMORY;
}

static void clear_known(known *k)
{
    free(k->path);
    free(k->person);
    free(k->meant);
    free(k->reason);
}

static dpl_status add_known(void *ctx, const dpl_photo_row *row)
{
    ledger *l = ctx;
    known *items = dpli_grow(l->items, &l->cap, l->n + 1, sizeof *items, NULL);

    if (!items)
        return DPL_E_MEMORY;
    l->items = items;
    return make_known(&items[l->n++], l, row);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const known *)a)->path, ((const known *)b)->path);
}

static int by_id(const void *a, const void *b)
{
    const known *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

/* @param roots  the absolute paths of what is looked at */
static dpl_status read_ledger(ledger *l, dpl_gallery *gallery, char *const *roots, size_t n_roots,
                              dpl_error *err)
{
    dpli_store *s = gallery->store;
    dpl_status status = s->ops->last_id(s, &l->last_id, DPLI_PHOTO_IDS, err);
    size_t n = 0;

    for (size_t i = 0; i < n_roots && status == DPL_OK; i++) {
        struct stat st;
        int found;

        status = dpl_gallery_find_photo(gallery, roots[i], NULL, add_known, l, &found, err);
        if (status == DPL_OK && stat(roots[i], &st) == 0 && S_ISDIR(st.st_mode))
            status = dpli_photos_under(gallery, roots[i], add_known, l, err);
    }
    if (status == DPL_E_MEMORY) /* the callback's, which cannot word it */
        return dpli_fail(err, status, "no memory for the ledger of %zu photos", l->n);
    if (status != DPL_OK || l->n == 0)
        return status;
    qsort(l->items, l->n, sizeof l->items[0], by_path);
    /* Of what is in two of them one. */
    for (size_t i = 1; i < l->n; i++) {
        if (l->items[i].id == l->items[n].id)
            clear_known(&l->items[i]);
        else
            l->items[++n] = l->items[i];
    }
    l->n = n + 1;
    return DPL_OK;
}

static void free_known(void *item)
{
    clear_known(item);
    free(item);
}

static void clear_ledger(ledger *l)
{
    for (size_t i = 0; i < l->n; i++)
        clear_known(&l->items[i]);
    tdestroy(l->elsewhere, free_known);
    for (size_t i = 0; i < l->n_tried; i++)
        free(l->tried[i]);
    free(l->tried);
    free(l->items);
}

static known *find_path(const ledger *l, const char *path)
{
    size_t low = 0, high = l->n;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        const int order = strcmp(path, l->items[mid].path);
        if (order == 0)
            return &l->items[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

/* The photo of a row if no file of this run is it so far; from now on one is. *out NULL: one was.
 */
static dpl_status claim(known **out, ledger *l, const dpl_photo_row *row)
{
    known *k = find_path(l, row->path), **slot;

    *out = NULL;
    if (k && k->id == row->id) {
        if (!__atomic_test_and_set(&k->claimed, __ATOMIC_RELAXED))
            *out = k;
        return DPL_OK;
    }
    k = dpli_alloc(1, sizeof *k, NULL);
    if (!k)
        return DPL_E_MEMORY;
    dpl_status status = make_known(k, l, row);
    slot = status == DPL_OK ? tsearch(k, &l->elsewhere, by_id) : NULL;
    if (slot && *slot == k)
        *out = k;
    else
        free_known(k);
    return slot ? DPL_OK : DPL_E_MEMORY;
}

/* ------------------------------------------------------------------ one file */

/* What became of one file of the chunk. Filled by a worker, then committed and reported. */
typedef struct item {
    const dpli_found_file *file;
    known *before; /* what the ledger knows of this path, or of the photo that has moved here */
    bool looked;   /* a worker came to it */
    bool record;   /* photo and templates are to be put */
    bool moved;    /* before is another path's, whose file is gone */
    bool twice;    /* error names somebody else, whose photo it is, too */
    bool nobodys;  /* none of its faces is known to be the person's */
    bool seen;     /* it was refused before, and is not looked at again */
    bool unread;   /* it could not be read, and what was enrolled of it stays */
    bool found;    /* its vectors were made from thumbnails, and are made from the photo again */
    char *tried;   /* of one that is found: the options that it was enrolled with */
    const char *person; /* whose it is, or was to be; NULL: nobody's */
    size_t n_poor;      /* faces that are too poor to be templates */
    int64_t file_system;
    dpl_outcome outcome;
    dpl_status status;
    dpl_error error; /* reason or warning */
    char sha256[65];
    int64_t size_bytes, mtime_ns;
    dpl_photo photo;
    int32_t width_px, height_px;
    dpl_new_template *templates;
    size_t n_templates;
} item;

typedef struct job {
    dpl_gallery *gallery;
    const dpl_pipeline *pipeline;
    const dpl_enroll_options *options;
    ledger ledger;
    pthread_mutex_t asking; /* the gallery, which one worker does at a time */
    char **roots;           /* the paths given, absolute */
    size_t n_roots;
    dpli_found_files files;
    char tried[128];         /* what decides what is refused: see name_tried */
    dpl_scratch **scratches; /* one a worker */
    int n_threads;
    item items[CHUNK];
    size_t n_items;
    int64_t n_looked, work_done, work_total; /* see dpl_enroll_progress */
    dpl_enroll_options own_options;          /* with the name as it is kept */
    char *name, *last_name;
    dpli_captioning *captioning; /* NULL: nobody asks for captions */
    dpl_enroll_report *report;
} job;

static bool cancelled(const job *j)
{
    return dpli_cancelled(j->options->cancel);
}

static bool file_gone(const char *path)
{
    struct stat st;

    return dpli_source_is_file(path) && stat(path, &st) != 0 &&
           (errno == ENOENT || errno == ENOTDIR);
}

/* The person that a file is to be enrolled as: a photo once known keeps its own unless a name is
 * given. A scan names nobody, so that of it only what is somebody's is. */
static const char *person_of(const job *j, const item *it)
{
    if (j->options->nobodys)
        return it->before ? it->before->person : NULL;
    if (j->options->name)
        return j->options->name;
    if (it->before && it->before->person)
        return it->before->person;
    return it->before && it->before->meant ? it->before->meant : it->file->person;
}

/* A refused photo is nobody's, and would be refused whoever's it were. */
static bool same_person(const job *j, const known *k)
{
    const char *whose = k->person ? k->person : k->meant;

    return !j->options->name || k->status != DPL_OK ||
           (whose && strcmp(whose, j->options->name) == 0);
}

#define BY_DECODER ",decode="

/* Whether a photo that was refused, or left to nobody, was so by what decides now. Where it could
 * not be decoded, faces do not come into it: a scan would find what enrolling found. What a doppel
 * before wrote does not say how it decoded, and counts as the same. */
static bool was_tried(const job *j, const known *k)
{
    const char *mine = strstr(j->tried, BY_DECODER), *its = strstr(k->tried, BY_DECODER);
    const bool undecoded = k->status == DPL_E_INPUT || k->status == DPL_E_LIMIT;

    if (undecoded)
        return !its || strncmp(its, mine, strcspn(mine + 1, ",") + 1) == 0;
    return its ? strcmp(k->tried, j->tried) == 0
               : strlen(k->tried) == (size_t)(mine - j->tried) &&
                     strncmp(k->tried, j->tried, strlen(k->tried)) == 0;
}

/* Nothing to decide anew: somebody's photo stays theirs whatever the options (force aside), a
 * refused one or nobody's is tried again under others, and once when it is not known whose it was
 * to be. */
static bool is_settled(const job *j, const known *k)
{
    const bool is_theirs = k->status == DPL_OK && k->person;

    if (j->options->nobodys && is_theirs) /* is none of a scan's, forced or not */
        return true;
    if (j->options->force || dpli_is_from_thumbnail(k->tried))
        return false;
    if (j->options->nobodys)
        return k->status == DPL_OK || was_tried(j, k);
    return same_person(j, k) && (is_theirs || (k->meant && was_tried(j, k)));
}

/* Known content: nothing to encode. A refusal stays one, with its reason. */
static void keep(item *it, dpl_outcome outcome)
{
    const known *k = it->before;

    it->outcome = k->status == DPL_OK ? outcome : DPL_OUTCOME_REFUSED;
    it->seen = k->status != DPL_OK;
    it->status = k->status;
    it->nobodys = k->status == DPL_OK && !k->person;
    snprintf(it->error.message, sizeof it->error.message, "%s", k->reason ? k->reason : "");
}

struct same_walk {
    job *j;
    item *it;
};

static dpl_status see_same(void *ctx, const dpl_photo_row *row)
{
    const struct same_walk *w = ctx;
    item *it = w->it;

    if (it->moved || row->id > w->j->ledger.last_id)
        return DPL_OK;
    if (file_gone(row->path)) {
        const dpl_status status = claim(&it->before, &w->j->ledger, row);

        it->moved = it->before != NULL;
        if (status != DPL_OK || it->moved)
            return status;
    }
    if (row->person && it->person && strcmp(row->person, it->person) != 0) {
        dpli_fail(&it->error, DPL_OK, "the same photo is enrolled as \"%s\" (%s)", row->person,
                  row->path);
        it->twice = true;
    }
    return DPL_OK;
}

/* The same content under a path that is gone is this file before it moved; elsewhere it is a copy,
 * worth a word when it is somebody else's. */
static dpl_status look_for_same(job *j, item *it, dpl_error *err)
{
    struct same_walk w = {j, it};
    dpl_status status;
    int found;

    pthread_mutex_lock(&j->asking);
    status = dpl_gallery_find_photo(j->gallery, NULL, it->sha256, see_same, &w, &found, err);
    pthread_mutex_unlock(&j->asking);
    if (it->moved) {
        it->twice = false;
        it->error.message[0] = '\0';
    }
    if (status == DPL_E_MEMORY) /* the callback's, which cannot word it */
        return dpli_fail(err, status, "no memory for the ledger");
    return status;
}

static dpl_status add_template(item *it, const char *space, const float *vector, int32_t dim,
                               const dpl_face *face, const dpl_encoder *encoder,
                               const uint8_t *chip, dpl_error *err)
{
    dpl_new_template *t = &it->templates[it->n_templates];
    uint8_t *thumb = NULL;

    *t = (dpl_new_template){.space = space, .vector = vector, .dim = dim};
    if (face)
        t->face = *face;
    const dpl_status status =
        dpli_thumb(&thumb, &t->n_thumb, encoder, &it->photo.image, face, chip, err);
    if (status != DPL_OK)
        return status;
    t->thumb = thumb;
    it->n_templates++;
    return DPL_OK;
}

static dpl_status add_face(const job *j, item *it, size_t i, dpl_error *err)
{
    const dpl_encoder *encoder = dpl_pipeline_encoder(j->pipeline);
    const size_t dim = (size_t)dpl_encoder_dim(encoder);
    const dpl_face *face = &it->photo.faces[i];

    if (face->quality.overall < dpli_pipeline_min_quality(j->pipeline))
        return dpli_fail(
            err, DPL_E_QUALITY,
            "face is too poor: %s (quality %.2f, at least %.2f is asked; "
            "--min-quality)",
            strcmp(face->quality.weakest, "size") == 0 ? "too small" : face->quality.weakest,
            (double)face->quality.overall, (double)dpli_pipeline_min_quality(j->pipeline));
    return add_template(it, dpl_encoder_space(encoder), it->photo.vectors + i * dim, (int32_t)dim,
                        face, encoder, it->photo.chips + i * dpli_chip_bytes(encoder), err);
}

/* All faces, of which the main one is the person's if it is clear which that is: the others are
   nobody's. A face that is too poor is left out, and DPL_E_QUALITY says that all are. */
static dpl_status take_all_faces(const job *j, item *it, bool clear, dpl_error *err)
{
    const size_t main_face = dpli_main_face(&it->photo);
    dpl_status status = DPL_OK;

    it->nobodys = true;
    for (size_t i = 0; i < it->photo.n_faces; i++) {
        const dpl_status one = add_face(j, it, i, err);

        if (one != DPL_OK && one != DPL_E_QUALITY)
            return one;
        if (one != DPL_OK) {
            it->n_poor++;
            status = one;
            continue;
        }
        it->templates[it->n_templates - 1].is_nobodys = !clear || i != main_face;
        it->nobodys &= it->templates[it->n_templates - 1].is_nobodys;
    }
    if (it->n_templates == 0)
        return status;
    if (it->nobodys && it->photo.n_faces > 1 && it->person)
        dpli_fail(&it->error, DPL_OK,
                  "%zu faces, and which one is meant is not clear: they are nobody's",
                  it->photo.n_faces);
    return DPL_OK;
}

/* A photo that is found again is as it was, whatever this run does with new ones. */
static dpl_faces_policy policy_of(const job *j, const item *it)
{
    int faces;

    if (it->found && sscanf(it->before->tried, "faces=%d", &faces) == 1 &&
        faces >= DPL_FACES_REFUSE && faces <= DPL_FACES_ALL)
        return (dpl_faces_policy)faces;
    return j->options->faces;
}

/* Of a photo that is looked at for whatever is in it: none or only poor ones is no failure. */
static dpl_status scan_faces(const job *j, item *it, bool clear, dpl_error *err)
{
    dpl_error why = {DPL_OK, ""};
    const dpl_status status = take_all_faces(j, it, clear && it->person, &why);

    if (status != DPL_OK && status != DPL_E_QUALITY)
        return dpli_fail(err, status, "%s", why.message);
    it->nobodys |= !it->person;
    return DPL_OK;
}

/* What was nobody's and cannot be the person's either stays: nothing that was found is lost. */
static dpl_status stay_nobodys(const job *j, item *it, dpl_error *err)
{
    dpl_error why = {DPL_OK, ""};
    dpl_status status;

    if (err)
        why = *err;
    it->n_poor = 0;
    status = scan_faces(j, it, false, err);
    if (status == DPL_OK)
        dpli_fail(&it->error, DPL_OK, "it stays nobody's: %s", why.message);
    return status;
}

/* Which of the photo's faces become templates. */
static dpl_status choose_faces(const job *j, item *it, dpl_error *err)
{
    const dpl_faces_policy policy = policy_of(j, it);
    const dpl_photo *photo = &it->photo;
    const bool clear = photo->n_faces == 1 || (photo->n_faces > 1 && dpli_has_dominant_face(photo));

    if (j->options->nobodys)
        return scan_faces(j, it, clear, err);
    if (photo->n_faces == 0)
        return dpli_no_face(photo, err);
    if (!clear && policy == DPL_FACES_REFUSE)
        return dpli_fail(
            err, DPL_E_MANY_FACES,
            "%zu faces found, which one is meant is not clear (--faces largest takes the "
            "main one)",
            photo->n_faces);
    if (policy == DPL_FACES_ALL)
        return take_all_faces(j, it, clear, err);
    return add_face(j, it, dpli_main_face(photo), err);
}

/* Whether a photo was read and found not to be one of a person. */
static bool is_judgement(dpl_status status)
{
    return status == DPL_E_NO_FACE || status == DPL_E_MANY_FACES || status == DPL_E_QUALITY;
}

/* The templates of it->photo; a status of the photo's own when it is nobody's. */
static dpl_status make_templates(const job *j, item *it, dpl_error *err)
{
    const dpl_encoder *image_encoder = dpl_pipeline_image_encoder(j->pipeline);
    dpl_status status;

    it->width_px = it->photo.image.full_width_px;
    it->height_px = it->photo.image.full_height_px;
    if (it->photo.image.warning[0]) {
        dpli_fail(&it->error, DPL_OK, "%s", it->photo.image.warning);
        it->twice = false;
    }
    it->templates = dpli_calloc(it->photo.n_faces + 1, sizeof *it->templates, err);
    if (!it->templates)
        return DPL_E_MEMORY;
    status = choose_faces(j, it, err);
    if (is_judgement(status) && it->before && it->before->status == DPL_OK && !it->before->person)
        status = stay_nobodys(j, it, err);
    /* A picture without a usable face is still a picture: its image vector is kept, its status says
       why it is nobody's. */
    if (image_encoder && it->photo.image_vector && status != DPL_E_MEMORY) {
        const dpl_status whole =
            add_template(it, dpl_encoder_space(image_encoder), it->photo.image_vector,
                         dpl_encoder_dim(image_encoder), NULL, image_encoder, NULL, err);
        if (whole != DPL_OK)
            return whole;
    }
    return status;
}

static dpl_status encode_file(const job *j, item *it, dpl_scratch *scratch, const uint8_t *bytes,
                              size_t n_bytes, dpl_error *err)
{
    size_t claim;
    dpl_status status =
        dpli_photo_process(&it->photo, &claim, j->pipeline, scratch, bytes, n_bytes, err);

    if (status == DPL_OK) {
        status = make_templates(j, it, err);
        const dpl_status shrunk = dpli_photo_shrink(&it->photo, j->options->preview_px, err);
        if (status == DPL_OK)
            status = shrunk;
    }
    dpli_pipeline_end(j->pipeline, scratch, claim);
    return status;
}

/* Whether what was enrolled of a photo would be lost for a reason that is not the photo's: its file
   is gone, empty, unreadable or no picture today. What was read and judged is another matter,
   unless nobody has asked for it to be judged again. */
static bool keeps_what_was(const item *it, dpl_status status)
{
    return it->before && it->before->status == DPL_OK && (!is_judgement(status) || it->found) &&
           !dpli_stops_the_run(status);
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Whether the ledger says already what became of a file that is tried again each time, as it cannot
   be read: to write it once more would be a change, and the last change can be taken back. */
static bool is_known_refusal(const job *j, const item *it, dpl_status status)
{
    const known *k = it->before;

    return k && status != DPL_OK && k->status == status && !k->sha256[0] && !it->sha256[0] &&
           was_tried(j, k) && same_text(k->reason, it->error.message) &&
           same_text(k->meant, it->person ? it->person : k->meant);
}

static void keep_unread(item *it, dpl_status status)
{
    it->unread = true;
    it->record = false;
    it->outcome = DPL_OUTCOME_KEPT;
    it->status = status;
    it->nobodys = false;
}

/* A photo that moved keeps its person, which may not be whom its folder is named after. */
static void tell_move(const job *j, item *it)
{
    const char *kept = it->before->person, *by_folder = it->file->person;

    if (it->moved && kept && by_folder && !j->options->name && strcmp(kept, by_folder) != 0 &&
        !it->error.message[0])
        dpli_fail(&it->error, DPL_OK,
                  "it stays %s's (\"doppel assign FILE NAME\" makes it somebody else's)", kept);
}

/* Not enrolled for want of a name: told, not recorded, so that another run may name it. */
static void refuse_nameless(item *it)
{
    it->outcome = DPL_OUTCOME_REFUSED;
    it->status = DPL_E_INPUT;
    it->sha256[0] = '\0';
    it->twice = false;
    dpli_fail(&it->error, DPL_OK, "%s", it->file->nobody);
}

static int64_t file_system_of(const char *path)
{
    struct statfs st;
    uint64_t id = 0;

    if (statfs(path, &st) != 0)
        return 0;
    memcpy(&id, &st.f_fsid, sizeof id < sizeof st.f_fsid ? sizeof id : sizeof st.f_fsid);
    id = id * 0x9E3779B97F4A7C15U + (uint64_t)st.f_type;
    return (int64_t)(id >> 1) + (id < 2);
}

static void read_stat(item *it, const struct stat *st)
{
    it->size_bytes = (int64_t)st->st_size;
    it->mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* Whether a file is, by its time and size, the one that the ledger knows. */
static bool is_same_file(const item *it)
{
    const known *k = it->before;

    return k && k->sha256[0] && k->size_bytes == it->size_bytes && k->mtime_ns == it->mtime_ns;
}

/* And the ledger says all of it. */
static bool is_unchanged(const job *j, const item *it)
{
    return is_same_file(it) && is_settled(j, it->before);
}

/* From its thumbnails no more, and otherwise as it was enrolled. */
static dpl_status keep_tried(item *it, dpl_error *err)
{
    it->tried = dpli_strdup(it->before->tried, err);
    if (!it->tried)
        return DPL_E_MEMORY;
    it->tried[strlen(it->tried) - (sizeof DPLI_FROM_THUMBNAIL - 1)] = '\0';
    return DPL_OK;
}

/* What a file costs that is to be read. */
static int64_t work_of(const item *it)
{
    return 1 + (int64_t)pow((double)it->size_bytes, WORK_POWER);
}

/* Add up the work there is, so that the time left can be told from the start: of a library that is
   mostly known it is in the few files that are not, wherever they come. */
static void measure_work(job *j)
{
    const uint8_t none = 0;

    for (size_t i = 0; i < j->files.n && !cancelled(j); i++) {
        item it = {.file = &j->files.items[i]};
        struct stat st;

        it.before = find_path(&j->ledger, it.file->path);
        if (stat(it.file->path, &st) != 0 || !S_ISREG(st.st_mode))
            continue;
        read_stat(&it, &st);
        if (!is_unchanged(j, &it) && dpl_image_is_meant(it.file->path, &none, 0))
            j->work_total += work_of(&it);
    }
}

static void tell_progress(const job *j)
{
    const dpl_enroll_progress progress = {
        .n_done = __atomic_load_n(&j->n_looked, __ATOMIC_RELAXED),
        .n_total = (int64_t)j->files.n,
        .work_done = __atomic_load_n(&j->work_done, __ATOMIC_RELAXED),
        .work_total = j->work_total,
    };

    if (j->options->on_progress)
        j->options->on_progress(j->options->ctx, &progress);
}

/* Look at one file. A file's own failure is its status; only the system's and the model's stop the
 * run.
 */
static dpl_status look_at_file(job *j, int worker, item *it, dpl_error *err)
{
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    struct stat st = {0};
    dpl_status status;

    it->before = find_path(&j->ledger, it->file->path);
    it->person = person_of(j, it);
    if (it->before)
        __atomic_store_n(&it->before->claimed, true, __ATOMIC_RELAXED);
    if (stat(it->file->path, &st) == 0) {
        read_stat(it, &st);
        it->file_system = file_system_of(it->file->path);
    }
    if (is_unchanged(j, it)) {
        keep(it, DPL_OUTCOME_UNCHANGED);
        return DPL_OK;
    }
    if (!it->person && it->file->nobody && is_same_file(it)) {
        refuse_nameless(it);
        return DPL_OK;
    }
    if (!keeps_what_was(it, DPL_E_INPUT) && !dpli_is_photo(it->file, &st)) {
        it->outcome = DPL_OUTCOME_PASSED_OVER;
        dpli_fail(&it->error, DPL_OK, "is no picture");
        return DPL_OK;
    }
    const bool had_path = it->before != NULL;
    status = dpli_photo_read(&bytes, &n_bytes, it->sha256, j->pipeline, it->file->path, &it->error);
    if (status == DPL_OK) {
        if (!had_path)
            status = look_for_same(j, it, err);
        if (status != DPL_OK) {
            dpli_photo_unread(bytes, n_bytes, j->pipeline);
            return status;
        }
        it->person = person_of(j, it);
        if (it->before && is_settled(j, it->before) &&
            strcmp(it->before->sha256, it->sha256) == 0) {
            keep(it, had_path ? DPL_OUTCOME_UNCHANGED : DPL_OUTCOME_MOVED);
            tell_move(j, it);
            dpli_photo_unread(bytes, n_bytes, j->pipeline);
            return DPL_OK;
        }
        if (!it->person && it->file->nobody) {
            refuse_nameless(it);
            dpli_photo_unread(bytes, n_bytes, j->pipeline);
            return DPL_OK;
        }
        it->found = it->before && (it->before->person || j->options->nobodys) &&
                    !j->options->force && dpli_is_from_thumbnail(it->before->tried) &&
                    strcmp(it->before->sha256, it->sha256) == 0;
        dpl_error why = {DPL_OK, ""};
        status = it->found ? keep_tried(it, &why) : DPL_OK;
        if (status == DPL_OK)
            status = encode_file(j, it, j->scratches[worker], bytes, n_bytes, &why);
        if (status != DPL_OK)
            it->error = why;
    }
    dpli_photo_unread(bytes, n_bytes, j->pipeline);
    it->status = status;
    it->record = !is_known_refusal(j, it, status);
    it->outcome = status != DPL_OK ? DPL_OUTCOME_REFUSED
                  : had_path       ? DPL_OUTCOME_UPDATED
                  : it->moved      ? DPL_OUTCOME_MOVED
                                   : DPL_OUTCOME_ADDED;
    if (status != DPL_OK && keeps_what_was(it, status))
        keep_unread(it, status);
    else if (it->moved)
        tell_move(j, it);
    if (dpli_stops_the_run(status)) {
        *err = it->error;
        return dpli_fail_in(err, status, it->file->path);
    }
    return DPL_OK;
}

static dpl_status look_at(void *ctx, int worker, size_t index, dpl_error *err)
{
    job *j = ctx;
    item *it = &j->items[index];
    dpl_status status;

    if (cancelled(j))
        return DPL_OK;
    status = look_at_file(j, worker, it, err);
    it->looked = status == DPL_OK; /* what it could not be looked at for is not its own */
    __atomic_add_fetch(&j->n_looked, 1, __ATOMIC_RELAXED);
    if (it->sha256[0])
        __atomic_add_fetch(&j->work_done, work_of(it), __ATOMIC_RELAXED);
    if (worker == 0) /* the caller's thread */
        tell_progress(j);
    return status;
}

static void clear_templates(item *it)
{
    for (size_t i = 0; i < it->n_templates; i++)
        dpl_bytes_free((void *)(uintptr_t)it->templates[i].thumb);
    free(it->templates);
}

static void clear_item(item *it)
{
    clear_templates(it);
    free(it->tried);
    dpl_photo_clear(&it->photo);
}

/* ------------------------------------------------------------------ a chunk */

static void report_event(job *j, const dpl_enroll_event *event)
{
    dpl_enroll_report *r = j->report;
    int64_t *const counts[] = {&r->n_added,   &r->n_updated, &r->n_unchanged,   &r->n_moved,
                               &r->n_refused, &r->n_pruned,  &r->n_passed_over, &r->n_kept};

    (*counts[event->outcome])++;
    /* the worst is the one with the highest exit code */
    if (dpl_status_exit_code(event->status) > dpl_status_exit_code(r->worst))
        r->worst = event->status;
    if (j->options->on_event)
        j->options->on_event(j->options->ctx, event);
}

static void report_item(job *j, const item *it)
{
    const bool passed_over = it->outcome == DPL_OUTCOME_PASSED_OVER;

    j->report->n_files += !passed_over;
    if (it->record && it->status == DPL_OK) {
        j->report->n_faces += (int64_t)it->photo.n_faces;
        j->report->n_poor += (int64_t)it->n_poor;
    }
    const dpl_enroll_event event = {
        .path = it->file->path,
        .person = it->nobodys ? NULL : it->person,
        .outcome = it->outcome,
        .status = it->status,
        .message = it->error.message,
        .n_faces = it->record   ? it->photo.n_faces
                   : it->before ? (size_t)it->before->n_faces
                                : 0,
        .n_poor = it->record ? it->n_poor : 0,
        .photo = it->photo.faces || it->photo.image.full_width_px ? &it->photo : NULL,
        .n_done = j->report->n_files + j->report->n_passed_over + passed_over,
        .n_total = (int64_t)j->files.n,
    };

    j->report->n_refused_again += it->seen;
    report_event(j, &event);
}

static dpl_new_photo new_photo(const job *j, const item *it, int64_t now_s)
{
    const bool theirs = it->status == DPL_OK && !it->nobodys;
    /* A scan does not know whose it is to be; somebody may have said so before. */
    const char *meant = it->person ? it->person : it->before ? it->before->meant : NULL;

    return (dpl_new_photo){
        .row = {.path = it->file->path,
                .sha256 = it->sha256,
                .person = theirs ? it->person : NULL,
                .meant = theirs ? NULL : meant,
                .status = it->status,
                /* No name stays in a row but its own person's: it would outlive the other. */
                .reason = it->twice && it->status == DPL_OK
                              ? "the same photo is enrolled as somebody else"
                          : it->moved && it->status == DPL_OK ? it->photo.image.warning
                                                              : it->error.message,
                .options = it->tried ? it->tried : j->tried,
                .size_bytes = it->size_bytes,
                .mtime_ns = it->mtime_ns,
                .enrolled_unix_s = now_s,
                .width_px = it->width_px,
                .height_px = it->height_px,
                .n_faces = (int32_t)it->photo.n_faces,
                .file_system = it->file_system},
        .templates = it->templates,
        .n_templates = it->n_templates,
        .moved_id = it->moved ? it->before->id : 0,
    };
}

/* What is known now of the file of a photo whose row stays. */
static dpl_photo_row file_row(const item *it, int64_t now_s)
{
    const known *k = it->before;

    if (!it->unread)
        return (dpl_photo_row){.file_system = it->file_system ? it->file_system : k->file_system};
    return (dpl_photo_row){
        .file_system = k->file_system,
        .unreadable_since_unix_s = k->unreadable_since_unix_s ? k->unreadable_since_unix_s : now_s,
        .unreadable_status = it->status,
        .unreadable_reason = it->error.message,
    };
}

/* Whether anything of a file is new whose photo was not put. */
static bool is_news(const item *it)
{
    const known *k = it->before;

    if (it->unread)
        return !k->unreadable_since_unix_s;
    return it->sha256[0] || k->unreadable_since_unix_s ||
           (it->file_system && it->file_system != k->file_system);
}

/* All of a chunk in one transaction: photos put, moved, touched without a change, unreadable. */
static dpl_status commit_chunk(job *j, dpl_error *err)
{
    dpl_new_photo photos[CHUNK];
    dpl_photo_row files[CHUNK];
    dpli_step steps[CHUNK];
    const int64_t now_s = (int64_t)time(NULL);
    size_t n = 0;

    for (size_t i = 0; i < j->n_items; i++) {
        const item *it = &j->items[i];

        if (it->looked && it->record) {
            photos[n] = new_photo(j, it, now_s);
            steps[n] = (dpli_step){.put = &photos[n], .was_unknown = !it->before};
            n++;
        } else if (it->looked && it->before && is_news(it)) {
            files[n] = file_row(it, now_s);
            steps[n] = (dpli_step){.photo_id = it->before->id,
                                   .path = it->sha256[0] && !it->unread ? it->file->path : NULL,
                                   .mtime_ns = it->mtime_ns,
                                   .file = &files[n],
                                   .is_note = !it->moved};
            n++;
        }
    }
    return n > 0 && !j->options->dry_run ? dpli_take_steps(j->gallery, steps, n, err) : DPL_OK;
}

/* Whose a photo has become: what somebody has said of its faces goes before its folder and --name.
 */
static dpl_status see_owner(void *ctx, const dpl_photo_row *row)
{
    item *it = ctx;

    if (row->person && strcmp(row->person, it->person) == 0)
        return DPL_OK;
    if (!it->error.message[0])
        dpli_fail(&it->error, DPL_OK,
                  "it is not %s's, as was said by hand (\"doppel assign FILE NAME\" says whose it "
                  "is)",
                  it->person);
    it->nobodys = true; /* or somebody else's: in no case theirs */
    return DPL_OK;
}

static void see_owners(job *j)
{
    int found;

    for (size_t i = 0; i < j->n_items && !j->options->dry_run; i++) {
        item *it = &j->items[i];

        if (it->looked && it->record && it->status == DPL_OK && it->person && !it->nobodys)
            (void)dpl_gallery_find_photo(j->gallery, it->file->path, NULL, see_owner, it, &found,
                                         NULL);
    }
}

/* What is written about the chunk's photos. */
static dpl_status caption_chunk(job *j, dpl_error *err)
{
    const char *paths[CHUNK];
    bool changed[CHUNK];
    size_t n = 0;

    for (size_t i = 0; i < j->n_items; i++) {
        const item *it = &j->items[i];

        if (!it->looked || it->outcome == DPL_OUTCOME_PASSED_OVER)
            continue;
        paths[n] = it->file->path;
        changed[n++] = j->options->force || it->outcome != DPL_OUTCOME_UNCHANGED;
    }
    return n > 0 ? dpli_captioning_photos(j->captioning, paths, changed, n, j->report, err)
                 : DPL_OK;
}

/* Look, commit, report. What a worker could not finish for the system's sake is not recorded. */
static dpl_status do_chunk(job *j, size_t first, dpl_error *err)
{
    const size_t left = j->files.n - first;
    dpl_status status, committed;

    j->n_items = left < CHUNK ? left : CHUNK;
    for (size_t i = 0; i < j->n_items; i++)
        j->items[i] = (item){.file = &j->files.items[first + i], .photo = DPL_PHOTO_INIT};
    status = dpli_pool_run(j->n_threads, j->n_items, look_at, j, err);
    committed = commit_chunk(j, status == DPL_OK ? err : NULL);
    if (committed == DPL_OK)
        see_owners(j);
    if (committed == DPL_OK && status == DPL_OK && j->captioning)
        status = caption_chunk(j, err);
    for (size_t i = 0; i < j->n_items; i++) {
        if (j->items[i].looked && committed == DPL_OK)
            report_item(j, &j->items[i]);
        clear_item(&j->items[i]);
    }
    return status != DPL_OK ? status : committed;
}

/* ------------------------------------------------------------------ what is gone */

/* Photos of the ledger that no file of this run is. */
typedef struct gone {
    const known **items;
    size_t n;
} gone;

/* Whether a path is that of a folder, or lies below it. */
static bool is_under(const char *path, const char *folder)
{
    const size_t n = strlen(folder);

    return strncmp(path, folder, n) == 0 &&
           (path[n] == '/' || path[n] == '\0' || (n == 1 && folder[0] == '/'));
}

static dpl_status find_gone(gone *g, const job *j, dpl_error *err)
{
    g->items = dpli_alloc(j->ledger.n + 1, sizeof *g->items, err);
    if (!g->items)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < j->ledger.n; i++) {
        const known *k = &j->ledger.items[i];

        if (!k->claimed && file_gone(k->path))
            g->items[g->n++] = k;
    }
    return DPL_OK;
}

/* They stay, and the ledger says since when their files are gone. */
static dpl_status note_gone(job *j, const gone *g, dpl_error *err)
{
    const int64_t now_s = (int64_t)time(NULL);
    dpl_photo_row files[CHUNK];
    dpli_step steps[CHUNK];
    dpl_status status = DPL_OK;
    size_t n = 0;

    for (size_t i = 0; i <= g->n && status == DPL_OK; i++) {
        if (n > 0 && (n == CHUNK || i == g->n)) {
            status = dpli_take_steps(j->gallery, steps, n, err);
            n = 0;
        }
        if (i == g->n || g->items[i]->unreadable_since_unix_s)
            continue;
        files[n] = (dpl_photo_row){.file_system = g->items[i]->file_system,
                                   .unreadable_since_unix_s = now_s,
                                   .unreadable_status = DPL_E_INPUT,
                                   .unreadable_reason = "file is gone"};
        steps[n] = (dpli_step){.photo_id = g->items[i]->id, .file = &files[n], .is_note = true};
        n++;
    }
    return status;
}

/* The file system of the nearest folder above a path that is there. */
static int64_t file_system_above(const char *path, dpl_error *err)
{
    char *folder = dpli_strdup(path, err), *slash;
    int64_t id = 0;

    for (slash = folder ? strrchr(folder, '/') : NULL; slash && !id; slash = strrchr(folder, '/')) {
        slash[slash == folder] = '\0';
        id = file_system_of(folder);
        if (slash == folder)
            break;
    }
    free(folder);
    return id;
}

/* A disk that is not there looks like one from which everything was removed. */
static dpl_status check_absence(const job *j, const gone *g, const char *const *paths,
                                dpl_error *err)
{
    static const char insist[] = "nothing was pruned; --prune-absent forgets them all the same";

    for (size_t i = 0; i < j->n_roots; i++) {
        const char *root = j->roots[i];
        size_t n_known = 0, n_gone = 0, n_files = 0;

        for (size_t k = 0; k < j->ledger.n; k++)
            n_known += is_under(j->ledger.items[k].path, root);
        for (size_t k = 0; k < g->n; k++)
            n_gone += is_under(g->items[k]->path, root);
        for (size_t k = 0; k < j->files.n; k++)
            n_files += is_under(j->files.items[k].path, root);
        if (n_gone > 0 && n_files == 0)
            return dpli_fail(err, DPL_E_INPUT,
                             "\"%s\" is empty, and %zu photos were enrolled from it: is its disk "
                             "there? %s",
                             paths[i], n_gone, insist);
        if (n_gone > n_known / 2)
            return dpli_fail(
                err, DPL_E_INPUT,
                "of the %zu photos that were enrolled from \"%s\" %zu are gone: is its "
                "disk there? %s",
                n_known, paths[i], n_gone, insist);
    }
    for (size_t i = 0; i < g->n; i++) {
        const known *k = g->items[i];

        if (k->file_system && file_system_above(k->path, NULL) != k->file_system)
            return dpli_fail(
                err, DPL_E_INPUT,
                "\"%s\" was on another file system than its folder is now: is its disk "
                "there? %s",
                k->path, insist);
    }
    return DPL_OK;
}

static dpl_status prune(job *j, const gone *g, dpl_error *err)
{
    int64_t *ids = dpli_alloc(g->n + 1, sizeof *ids, err);
    dpl_status status = ids ? DPL_OK : DPL_E_MEMORY;

    for (size_t i = 0; i < g->n && ids; i++)
        ids[i] = g->items[i]->id;
    if (status == DPL_OK && g->n > 0 && !j->options->dry_run)
        status = dpli_drop_photos(j->gallery, ids, g->n, err);
    for (size_t i = 0; i < g->n && status == DPL_OK; i++) {
        const dpl_enroll_event event = {.path = g->items[i]->path,
                                        .person = g->items[i]->person,
                                        .outcome = DPL_OUTCOME_PRUNED,
                                        .message = "file is gone",
                                        .n_done = j->report->n_files,
                                        .n_total = (int64_t)j->files.n};
        report_event(j, &event);
    }
    free(ids);
    return status;
}

static dpl_status see_to_gone(job *j, const char *const *paths, dpl_error *err)
{
    dpl_status status = DPL_OK;
    gone g = {0};

    for (size_t i = 0; i < j->n_roots; i++)
        if (access(paths[i], F_OK) != 0) /* it was there when the run began */
            status = dpli_fail_errno(err, DPL_E_INPUT, errno, "\"%s\"", paths[i]);
    if (status == DPL_OK)
        status = find_gone(&g, j, err);
    if (status == DPL_OK && j->options->prune && !j->options->prune_absent)
        status = check_absence(j, &g, paths, err);
    if (status == DPL_OK && j->options->prune) {
        status = prune(j, &g, err);
    } else if (g.items) {
        dpl_error why = {DPL_OK, ""};
        const dpl_status noted = j->options->dry_run ? DPL_OK : note_gone(j, &g, &why);

        j->report->n_gone = (int64_t)g.n;
        if (status == DPL_OK && noted != DPL_OK)
            status = dpli_fail(err, noted, "%s", why.message);
    }
    free(g.items);
    return status;
}

/* ------------------------------------------------------------------ the whole run */

static dpl_status find_roots(job *j, const char *const *paths, size_t n_paths, dpl_error *err)
{
    j->roots = dpli_calloc(n_paths + 1, sizeof *j->roots, err);
    if (!j->roots)
        return DPL_E_MEMORY;
    for (; j->n_roots < n_paths; j->n_roots++) {
        j->roots[j->n_roots] = realpath(paths[j->n_roots], NULL);
        if (!j->roots[j->n_roots]) /* it was there when files were listed */
            return dpli_fail_errno(err, errno == ENOMEM ? DPL_E_MEMORY : DPL_E_INPUT, errno,
                                   "\"%s\"", paths[j->n_roots]);
    }
    return DPL_OK;
}

static dpl_status bind_gallery(const job *j, dpl_error *err)
{
    const dpl_encoder *image_encoder = dpl_pipeline_image_encoder(j->pipeline);
    const char *detect = dpl_pipeline_detector(j->pipeline) ? "faces" : "none";
    dpl_status status = dpl_gallery_bind(j->gallery, dpl_pipeline_encoder(j->pipeline), err);

    if (status == DPL_OK && image_encoder)
        status = dpl_gallery_bind(j->gallery, image_encoder, err);
    if (status == DPL_OK)
        status = dpl_gallery_remember(j->gallery, "detect", detect, err);
    return status;
}

static dpl_status is_known(void *ctx, bool *is, const char *name, dpl_error *err)
{
    int64_t id;
    dpl_status status = dpli_find_person(&id, ctx, name, err);

    *is = status == DPL_OK && id;
    return status;
}

/* A name as the gallery has it, if it has: the caller's. */
static dpl_status kept_name(char **kept, dpl_gallery *gallery, const char *name, dpl_error *err)
{
    int64_t id;
    dpl_status status = dpli_find_person(&id, gallery, name, err);

    *kept = NULL;
    return status == DPL_OK && id ? dpli_name_of(kept, gallery, id, err) : status;
}

/* People are called as they are called in the gallery, whatever a folder says. */
static dpl_status keep_names(job *j, dpl_error *err)
{
    const char *last = NULL;
    dpl_status status = DPL_OK;
    char *kept = NULL;

    for (size_t i = 0; i < j->files.n && status == DPL_OK; i++) {
        dpli_found_file *file = &j->files.items[i];

        if (!file->person)
            continue;
        if (!last || strcmp(last, file->person) != 0) {
            free(kept);
            status = kept_name(&kept, j->gallery, file->person, err);
            free(j->last_name);
            last = j->last_name = dpli_strdup(file->person, err);
            if (!last)
                status = DPL_E_MEMORY;
        }
        if (status == DPL_OK && kept && strcmp(kept, file->person) != 0) {
            char *copy = dpli_strdup(kept, err);

            if (!copy)
                status = DPL_E_MEMORY;
            free(file->person);
            file->person = copy;
        }
    }
    free(kept);
    if (status == DPL_OK && j->options->name)
        status = kept_name(&j->name, j->gallery, j->options->name, err);
    if (j->name)
        j->own_options.name = j->name;
    return status;
}

/* --name over photos of other people renames these: it is asked whether that is meant. */
static dpl_status may_rename(job *j, dpl_error *err)
{
    const char *name = j->options->name, *other = NULL;
    size_t n_photos = 0, n_people = 0;

    for (size_t i = 0; i < j->files.n && name; i++) {
        const known *k = find_path(&j->ledger, j->files.items[i].path);

        if (!k || !k->person || strcmp(k->person, name) == 0)
            continue;
        n_photos++;
        n_people += !other || strcmp(other, k->person) != 0;
        other = k->person;
    }
    if (n_photos == 0 || !j->options->may_rename ||
        j->options->may_rename(j->options->ctx, name, (int64_t)n_photos, other, n_people > 1))
        return DPL_OK;
    return dpli_fail(err, DPL_E_ARGUMENT,
                     "%zu photo%s of \"%s\"%s would become \"%s\"'s (--yes says that it is meant)",
                     n_photos, n_photos == 1 ? "" : "s", other, n_people > 1 ? " and others" : "",
                     name);
}

static dpl_status begin_change(const job *j, const char *const *paths, size_t n_paths,
                               dpl_error *err)
{
    char *words =
        dpli_asprintf(err, "%s \"%s\"%s%s%s%s", j->options->nobodys ? "scan" : "enroll",
                      n_paths > 0 ? paths[0] : "", n_paths > 1 ? " and more" : "",
                      j->options->name ? " --name \"" : "",
                      j->options->name ? j->options->name : "", j->options->name ? "\"" : "");
    dpl_status status = words ? dpli_change_begin(j->gallery, words, err) : DPL_E_MEMORY;

    free(words);
    return status;
}

static void free_job(job *j)
{
    dpli_captioning_free(j->captioning);
    dpli_scratches_free(j->scratches, j->n_threads);
    free(j->name);
    free(j->last_name);
    dpli_found_files_clear(&j->files);
    clear_ledger(&j->ledger);
    for (size_t i = 0; i < j->n_roots; i++)
        free(j->roots[i]);
    free(j->roots);
    pthread_mutex_destroy(&j->asking);
    free(j);
}

/* The options that decide, and a sum of those by which photos are decoded and of those by which
 * faces are found: a photo that was refused under others is worth another look. */
static dpl_status name_tried(job *j, dpl_error *err)
{
    char decode[65], detect[65], how[24] = "scan";
    dpl_status status = dpli_pipeline_decoding_sum(decode, j->pipeline, err);

    if (status == DPL_OK)
        status = dpli_pipeline_detecting_sum(detect, j->pipeline, err);
    if (status != DPL_OK)
        return status;
    if (!j->options->nobodys)
        snprintf(how, sizeof how, "faces=%d", (int)j->options->faces);
    snprintf(j->tried, sizeof j->tried, "%s,quality=%.3f" BY_DECODER "%.8s,detect=%.8s", how,
             (double)dpli_pipeline_min_quality(j->pipeline), decode, detect);
    return DPL_OK;
}

/* @param options  outlive the job */
static dpl_status new_job(job **out, dpl_gallery *gallery, const dpl_pipeline *pipeline,
                          const dpl_enroll_options *options, dpl_error *err)
{
    job *j = dpli_calloc(1, sizeof *j, err);

    *out = j;
    if (!j)
        return DPL_E_MEMORY;
    if (options->nobodys && options->name) {
        free(j);
        *out = NULL;
        return dpli_fail(err, DPL_E_ARGUMENT, "photos that are to be nobody's cannot be \"%s\"'s",
                         options->name);
    }
    if (pthread_mutex_init(&j->asking, NULL) != 0) {
        free(j);
        *out = NULL;
        return dpli_fail(err, DPL_E_MEMORY, "no memory for a lock");
    }
    j->gallery = gallery;
    j->pipeline = pipeline;
    j->own_options = *options;
    j->options = &j->own_options;
    if (name_tried(j, err) == DPL_OK)
        return DPL_OK;
    free_job(j);
    *out = NULL;
    return DPL_E_MEMORY;
}

dpl_status dpl_enroll(dpl_enroll_report *report, dpl_gallery *gallery, const dpl_pipeline *pipeline,
                      const char *const *paths, size_t n_paths, const dpl_enroll_options *options,
                      dpl_error *err)
{
    dpl_enroll_options o = DPL_ENROLL_OPTIONS_INIT;
    const double start = dpli_now();
    dpli_find_options find = {.is_known = is_known, .ctx = gallery};
    const bool rehearsing = gallery->rehearsing;
    job *j;
    dpl_status status;

    *report = (dpl_enroll_report){0};
    status = dpli_options(&o, sizeof o, options, "enrolment", err);
    if (status == DPL_OK)
        status = new_job(&j, gallery, pipeline, &o, err);
    if (status != DPL_OK)
        return status;
    j->report = report;
    find.follow_links = o.follow_links;
    find.whose = o.nobodys ? DPLI_FIND_NOBODYS : DPLI_FIND_PEOPLES;
    dpl_gallery_rehearse(gallery, rehearsing || o.dry_run);
    j->n_threads = o.n_threads > 0 ? o.n_threads : dpli_n_cores();
    status = bind_gallery(j, err);
    if (status == DPL_OK)
        status = dpli_scratches_new(&j->scratches, j->n_threads, err);
    if (status == DPL_OK)
        status = dpli_find_files(&j->files, paths, n_paths, &find, err);
    report->n_links = j->files.n_links;
    report->n_left_out = j->files.n_left_out;
    if (status == DPL_OK)
        status = keep_names(j, err);
    if (status == DPL_OK)
        status = find_roots(j, paths, n_paths, err);
    if (status == DPL_OK)
        status = read_ledger(&j->ledger, gallery, j->roots, j->n_roots, err);
    if (status == DPL_OK)
        status = may_rename(j, err);
    if (status == DPL_OK)
        status = begin_change(j, paths, n_paths, err);
    if (status == DPL_OK && o.text)
        status =
            dpli_captioning_new(&j->captioning, gallery, o.text, o.captions, j->n_threads, err);
    if (status == DPL_OK && o.on_progress) {
        measure_work(j);
        tell_progress(j);
    }
    for (size_t first = 0; status == DPL_OK && first < j->files.n && !cancelled(j); first += CHUNK)
        status = do_chunk(j, first, err);
    if (status == DPL_OK && cancelled(j))
        status = dpli_fail(
            err, DPL_E_CANCELLED,
            "interrupted after %lld of %zu files; what was done is kept, run it again to go on",
            (long long)report->n_files, j->files.n);
    if (status == DPL_OK && j->ledger.n > 0)
        status = see_to_gone(j, paths, err);
    if (j->captioning)
        dpli_captioning_unmatched(report, j->captioning);
    dpli_change_end(gallery);
    if (status == DPL_OK)
        dpli_search_ready(gallery, report->n_added + report->n_updated);
    dpl_gallery_rehearse(gallery, rehearsing);
    report->seconds = dpli_now() - start;
    free_job(j);
    return status;
}

dpl_status dpl_enroll_photo(dpl_gallery *gallery, const dpl_pipeline *pipeline,
                            const dpl_photo *photo, const char *source,
                            const dpl_enroll_options *options, dpl_error *err)
{
    dpl_enroll_options o = DPL_ENROLL_OPTIONS_INIT;
    const dpli_found_file file = {.path = (char *)(uintptr_t)source};
    dpl_error why = {DPL_OK, ""};
    dpl_new_photo row;
    job *j;
    item *it;
    dpl_status status = dpli_options(&o, sizeof o, options, "enrolment", err);

    if (status == DPL_OK)
        status = new_job(&j, gallery, pipeline, &o, err);
    if (status != DPL_OK)
        return status;
    it = &j->items[0];
    *it = (item){.file = &file, .photo = *photo, .person = o.name, .size_bytes = photo->n_bytes};
    memcpy(it->sha256, photo->sha256, sizeof it->sha256);
    status = bind_gallery(j, err);
    if (status != DPL_OK)
        goto done;
    it->status = make_templates(j, it, &why);
    if (it->status != DPL_OK)
        it->error = why;
    if (!dpli_stops_the_run(it->status)) {
        row = new_photo(j, it, (int64_t)time(NULL));
        status = dpl_gallery_put(gallery, &row, 1, err);
    }
    if (status == DPL_OK && it->status != DPL_OK) {
        if (err)
            *err = why;
        status = dpli_fail_in(err, it->status, photo->name ? photo->name : source);
    }
done:
    clear_templates(it); /* the photo is the caller's */
    free_job(j);
    return status;
}

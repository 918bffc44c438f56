/*
 * cmd_info.c - `doppel info`: what the gallery is, and what it knows of a person or a photo.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/answer_gallery.h"
#include "app/commands.h"
#include "app/common.h"
#include "app/json.h"
#include "app/json_print.h"

typedef struct info_options {
    common common;
    bool failed;
} info_options;

static const option_spec own[] = {{.name = "failed",
                                   .kind = OPTION_FLAG,
                                   .offset = offsetof(info_options, failed),
                                   .once = true,
                                   .help = "the files that enrolment refused, with the reasons"},
                                  {0}};

const option_spec *const options_of_info[] = {own, options_gallery, options_output, NULL};

typedef struct info {
    const command *self;
    const info_options *o;
    dpl_gallery *gallery;
    table table;
    int64_t n; /* rows told */
} info;

/* ------------------------------------------------------------------ photos */

static dpl_status take_photo(void *ctx, const dpl_photo_row *row)
{
    info *i = ctx;

    if (i->o->failed && row->status == DPL_OK)
        return DPL_OK;
    i->n++;
    if (i->o->common.json) {
        json_print(info_photo_json(row));
    } else {
        const bool ok = row->status == DPL_OK;
        const char *cells[] = {ok ? "enrolled" : dpl_status_words(row->status), row->path,
                               row->reason};
        table_add(&i->table, ok ? row->reason[0] ? TONE_WARN : TONE_PLAIN : TONE_BAD, cells);
    }
    return DPL_OK;
}

static int tell_photos(info *i, const char *person)
{
    dpl_error err;
    char count[64];

    i->table.align = "lll";
    if (dpl_gallery_each_photo(i->gallery, person, take_photo, i, &err) != DPL_OK)
        return common_fail(i->self, &i->o->common, &err);
    if (i->o->common.json)
        return 0;
    if (person) {
        text_put(stdout, person);
        printf(": %s\n", text_counted(count, i->n, "photo"));
    } else {
        printf("%s refused\n", text_counted(count, i->n, "file"));
    }
    table_print(&i->table, stdout, (color_when)i->o->common.color, 2);
    return 0;
}

/* ------------------------------------------------------------------ one photo */

/* The faces of a photo, told as text, or into the array. */
typedef struct telling {
    dpl_gallery *gallery;
    bool json;
    json_t *array;
    int32_t n_faces;
    json_t *refused; /* of the face at hand, as JSON */
    int n_refused;
    dpl_error *err;
} telling;

static dpl_status take_refusal(void *ctx, const dpl_refusal *row)
{
    telling *t = ctx;

    if (!row->person)
        return DPL_OK;
    if (t->json) {
        json_t *refused = json_object();

        json_put_text(&refused, "person", row->person);
        json_add(&t->refused, refused);
    } else {
        fputs(t->n_refused ? ", " : "      said not to be ", stdout);
        text_put(stdout, row->person);
    }
    t->n_refused++;
    return DPL_OK;
}

/* What it was said not to be. */
static dpl_status tell_refusals(telling *t, int64_t template_id)
{
    dpl_status status;

    t->n_refused = 0;
    if (t->json)
        t->refused = text_need(json_array());
    status = dpl_gallery_each_refusal(t->gallery, template_id, take_refusal, t, t->err);
    if (t->n_refused && !t->json)
        putchar('\n');
    return status;
}

static dpl_status take_template(void *ctx, const dpl_template_row *row)
{
    telling *t = ctx;
    const dpl_face *f = &row->face;
    dpl_status status = DPL_OK;

    t->n_faces += row->is_face;
    if (t->json) {
        json_t *object = info_template_json(row->is_face ? t->n_faces : 0, row);

        status = row->is_face ? tell_refusals(t, row->id) : DPL_OK;
        if (t->n_refused)
            json_put(&object, "not", t->refused);
        else
            json_decref(t->refused);
        t->refused = NULL;
        t->n_refused = 0;
        json_add(&t->array, object);
    } else if (row->is_face) {
        printf("  #%d, template %lld: ", (int)t->n_faces, (long long)row->id);
        text_put(stdout, row->person ? row->person : "nobody");
        printf("'s face%s at %.0f,%.0f,%.0f,%.0f, quality %.2f%s%s, %d numbers, vectors %.12s\n",
               row->by_hand ? " (by hand)" : "", (double)f->x_px, (double)f->y_px, (double)f->w_px,
               (double)f->h_px, (double)f->quality.overall,
               f->quality.weakest[0] ? ", least good: " : "", f->quality.weakest, (int)row->dim,
               row->model_hash);
        status = tell_refusals(t, row->id);
    } else if (row->caption) {
        printf("  template %lld: caption \"", (long long)row->id);
        text_put(stdout, row->caption);
        printf("\" (%s), %d numbers, vectors %.12s\n", row->caption_source, (int)row->dim,
               row->model_hash);
    } else {
        printf("  template %lld: the whole picture, %d numbers, vectors %.12s\n",
               (long long)row->id, (int)row->dim, row->model_hash);
    }
    return status;
}

/* The row's strings do not outlive the callback, and the gallery is not to be asked within it. */
typedef struct kept_photo {
    info *info;
    json_t *object;
    int64_t id;
} kept_photo;

static dpl_status keep_photo(void *ctx, const dpl_photo_row *row)
{
    kept_photo *k = ctx;
    char when[32], bytes[32];

    k->id = row->id;
    if (k->info->o->common.json) {
        k->object = text_need(info_photo_json(row));
        return DPL_OK;
    }
    text_when(when, row->enrolled_unix_s);
    text_put(stdout, row->path);
    fputs("\n  ", stdout);
    text_tone(stdout, (color_when)k->info->o->common.color,
              row->status == DPL_OK ? TONE_GOOD : TONE_BAD,
              row->status == DPL_OK ? "enrolled" : dpl_status_words(row->status));
    if (row->status == DPL_OK && row->person) {
        fputs(" as ", stdout);
        text_put(stdout, row->person);
    }
    if (row->reason[0]) {
        fputs(": ", stdout);
        text_put(stdout, row->reason);
    }
    printf("\n  %d x %d pixels, %s bytes, %d found in it, looked at %s\n", (int)row->width_px,
           (int)row->height_px, text_count(bytes, row->size_bytes), (int)row->n_faces, when);
    if (row->sha256[0])
        printf("  sha256 %s\n", row->sha256);
    if (dpl_photo_is_from_thumbnail(row))
        puts("  its vectors were made from thumbnails, until enroll or migrate finds the photo");
    if (row->unreadable_since_unix_s) {
        text_when(when, row->unreadable_since_unix_s);
        printf("  unreadable since %s: ", when);
        text_put(stdout, row->unreadable_reason);
        fputs("; what was enrolled stays\n", stdout);
    }
    return DPL_OK;
}

static int tell_photo(info *i, const char *typed)
{
    kept_photo kept = {.info = i};
    char *path = common_full_path(typed);
    dpl_error err;
    telling t = {.gallery = i->gallery, .json = i->o->common.json, .err = &err};
    int found = 0, code = 0;
    dpl_status status =
        dpl_gallery_find_photo(i->gallery, path, NULL, keep_photo, &kept, &found, &err);

    if (status == DPL_OK && !found) {
        code = common_no_person_or_photo(i->self, &i->o->common, i->gallery, typed, "");
    } else if (status == DPL_OK) {
        if (kept.object)
            t.array = json_array();
        status = dpl_gallery_each_template_of(i->gallery, kept.id, take_template, &t, &err);
        if (kept.object) {
            json_put(&kept.object, "templates", t.array);
            if (status == DPL_OK)
                json_print(kept.object);
            else
                json_decref(kept.object);
        }
    }
    if (status != DPL_OK)
        code = common_fail(i->self, &i->o->common, &err);
    free(path);
    return code;
}

/* ------------------------------------------------------------------ the gallery */

/* Bytes of the index snapshots in the gallery's folder. */
static int64_t index_bytes(const char *dir)
{
    DIR *folder = opendir(dir);
    const struct dirent *entry;
    int64_t bytes = 0;
    struct stat st;

    if (!folder)
        return 0;
    for (entry = readdir(folder); entry; entry = readdir(folder)) {
        const size_t n = strlen(entry->d_name);
        if (n > 6 && strcmp(entry->d_name + n - 6, ".faiss") == 0 &&
            fstatat(dirfd(folder), entry->d_name, &st, 0) == 0)
            bytes += (int64_t)st.st_size;
    }
    closedir(folder);
    return bytes;
}

enum { N_MODELS = 3, N_INDEXES = 2 };

/* The gallery as it is told. */
typedef struct facts {
    dpl_gallery_counts counts;
    int64_t by_status[N_STATUSES];
    int64_t n_from_thumbnail; /* photos */
    char *detect;             /* NULL: unset */
    gallery_model models[N_MODELS];
    gallery_index indexes[N_INDEXES];
} facts;

static dpl_status count_photo(void *ctx, const dpl_photo_row *row)
{
    facts *f = ctx;

    f->by_status[row->status]++;
    f->n_from_thumbnail += dpl_photo_is_from_thumbnail(row);
    return DPL_OK;
}

static dpl_status read_setting(char **value, dpl_gallery *gallery, const char *key, dpl_error *err)
{
    const char *text;
    const dpl_status status = dpl_gallery_setting(&text, gallery, key, err);

    *value = text ? text_format("%s", text) : NULL;
    return status;
}

static dpl_status read_model(gallery_model *m, dpl_gallery *gallery, const char *space,
                             dpl_error *err)
{
    char **const values[] = {&m->name, &m->vectors, &m->path, &m->preset, &m->head, &m->dim};
    static const char *const names[] = {"name", "hash", "path", "preset", "head", "dim"};
    dpl_status status = DPL_OK;

    m->space = space;
    for (size_t i = 0; i < sizeof names / sizeof *names && status == DPL_OK; i++) {
        char *key = text_format("model.%s.%s", space, names[i]);

        status = read_setting(values[i], gallery, key, err);
        free(key);
    }
    return status;
}

static dpl_status read_facts(facts *f, dpl_gallery *gallery, dpl_error *err)
{
    static const char *const spaces[N_MODELS] = {"face", "image", "text"};
    dpl_status status = dpl_gallery_count(&f->counts, gallery, err);

    if (status == DPL_OK)
        status = dpl_gallery_each_photo(gallery, NULL, count_photo, f, err);
    if (status == DPL_OK)
        status = read_setting(&f->detect, gallery, "detect", err);
    for (int i = 0; i < N_MODELS && status == DPL_OK; i++)
        status = read_model(&f->models[i], gallery, spaces[i], err);
    for (int i = 0; i < N_INDEXES && status == DPL_OK; i++) {
        f->indexes[i].space = spaces[i];
        /* What is not there, or is not one, the next search makes. */
        status = dpl_gallery_index(&f->indexes[i].is, gallery, spaces[i], err);
        if (status == DPL_E_NOT_FOUND || status == DPL_E_INPUT)
            status = DPL_OK;
    }
    return status;
}

static void free_facts(facts *f)
{
    for (int i = 0; i < N_MODELS; i++) {
        gallery_model *m = &f->models[i];

        free(m->name);
        free(m->vectors);
        free(m->path);
        free(m->preset);
        free(m->head);
        free(m->dim);
    }
    free(f->detect);
}

static bool is_in_a_database(const info *i)
{
    return strstr(dpl_gallery_dir(i->gallery), "://") != NULL;
}

static void gallery_json(const info *i, facts *f)
{
    dpl_near_info near;
    const char *dir = dpl_gallery_dir(i->gallery);
    gallery_facts told = {
        .dir = dir,
        .counts = f->counts,
        .index_bytes = index_bytes(dpl_gallery_folder(i->gallery)),
        .indexes = f->indexes,
        .near = is_in_a_database(i) && dpl_gallery_near(&near, i->gallery, "face", NULL) == DPL_OK
                    ? &near
                    : NULL,
        .n_indexes = N_INDEXES,
        .n_by_status = f->by_status,
        .n_from_thumbnail = f->n_from_thumbnail,
        .detect = f->detect,
        .models = f->models,
        .n_models = N_MODELS,
    };

    dpl_gallery_encryption(&told.encryption, i->gallery);
    json_print(info_gallery_json(&told));
}

static void put_model(const gallery_model *m)
{
    char *title = text_format("%s model", m->space);

    if (m->vectors) {
        printf("  %-11s ", title);
        text_put(stdout, m->name ? m->name : "");
        printf(", vectors %.12s\n", m->vectors);
    }
    if (m->vectors && m->path) {
        fputs("              ", stdout);
        text_put(stdout, m->path);
        if (!strchr(m->path, '/'))
            fputs(", which comes with doppel", stdout);
        if (m->preset && m->preset[0]) {
            fputs(", preset ", stdout);
            text_put(stdout, m->preset);
        }
        putchar('\n');
    }
    free(title);
}

static void put_index(const gallery_index *index)
{
    const dpl_index_info *is = &index->is;
    char n[64];

    if (is->n_templates == 0)
        return;
    printf("    %s: %s, ", index->space, text_counted(n, is->n_templates, "template"));
    if (is->exact_is_faster)
        printf("each compared: no faster way finds enough of the most alike");
    else if (is->exact)
        printf("each compared");
    else
        printf("approximate, finds %.1f %% of the ten most alike", 100 * is->recall);
    if (!is->exact && is->exact_ms > 0)
        printf("; %.2g ms a search, not %.2g", is->search_ms, is->exact_ms);
    putchar('\n');
}

/* What the database could find by itself. */
static void put_near(dpl_gallery *gallery)
{
    dpl_near_info near;
    char n[64];

    if (dpl_gallery_near(&near, gallery, "face", NULL) != DPL_OK)
        return;
    if (!near.is_there)
        puts("  pgvector    is not in the database: each reader holds an index");
    else if (near.n_templates == 0)
        puts("  pgvector    has no index of faces yet: doppel migrate makes one");
    else
        printf(
            "  pgvector    finds %.1f %% of the ten most alike of %s; each reader holds an index\n"
            "              unless that is larger than $DOPPEL_INDEX_MEMORY\n",
            100 * near.recall, text_counted(n, near.n_templates, "face"));
}

static void gallery_text(const info *i, const facts *f)
{
    const dpl_gallery_counts *c = &f->counts;
    const int64_t bytes = index_bytes(dpl_gallery_folder(i->gallery));
    dpl_encryption is;
    char a[64], b[64];

    text_put(stdout, dpl_gallery_dir(i->gallery));
    printf("\n  %s, %s\n", text_counted(a, c->n_persons, "person"),
           text_counted(b, c->n_photos - c->n_failed, "photo"));
    printf("  %s of faces, %s of whole pictures\n",
           text_counted(a, c->n_templates_face, "template"), text_count(b, c->n_templates_image));
    if (c->n_templates_text)
        printf("  %s of photos\n", text_counted(a, c->n_templates_text, "caption"));
    if (c->n_faces_nobodys)
        printf("  %s nobody's: doppel group gathers them by who they show\n",
               text_counted(a, c->n_faces_nobodys, "face"));
    for (int m = 0; m < N_MODELS; m++)
        put_model(&f->models[m]);
    if (f->n_from_thumbnail)
        printf("  thumbnails  made the vectors of %s that migrate did not find\n",
               text_counted(a, f->n_from_thumbnail, "photo"));
    if (f->detect)
        printf("  faces       %s\n", strcmp(f->detect, "none") == 0
                                         ? "none are looked for: each picture is taken whole"
                                         : "are found in the photos");
    dpl_gallery_encryption(&is, i->gallery);
    if (is.is_encrypted) {
        fputs("  encrypted   key ", stdout);
        text_put(stdout, is.key_file);
        puts(is.has_secret ? ", which a passphrase opens" : "");
    }
    printf("  database    %s bytes\n", text_count(a, c->db_bytes));
    if (bytes > 0)
        printf("  index       %s bytes, made again from the database when needed\n",
               text_count(a, bytes));
    else
        printf("  index       none needed so far: searches compare every template\n");
    for (int x = 0; x < N_INDEXES; x++)
        put_index(&f->indexes[x]);
    if (is_in_a_database(i))
        put_near(i->gallery);
    printf("  refused     %s\n", text_counted(a, c->n_failed, "file"));
    for (int s = 1; s < N_STATUSES; s++)
        if (f->by_status[s])
            printf("    %s: %s\n", dpl_status_words((dpl_status)s), text_count(a, f->by_status[s]));
}

static int tell_gallery(info *i)
{
    facts f = {0};
    dpl_error err;
    int code = 0;

    if (read_facts(&f, i->gallery, &err) != DPL_OK)
        code = common_fail(i->self, &i->o->common, &err);
    else if (i->o->common.json)
        gallery_json(i, &f);
    else
        gallery_text(i, &f);
    free_facts(&f);
    return code;
}

int cmd_info(const command *self, int argc, char **argv)
{
    info_options o = {.common = COMMON_INIT};
    info i = {.self = self, .o = &o, .table = {.align = "lll"}};
    int n, code = options_read(self, &o, argc, argv, &n);

    if (!code && (n > 1 || (n == 1 && o.failed)))
        code = options_usage(self, "it takes one person or photo, or --failed");
    if (!code)
        code = common_open_gallery(&i.gallery, self, &o.common, DPL_GALLERY_READ);
    if (code)
        return code;
    if (n == 0) {
        code = o.failed ? tell_photos(&i, NULL) : tell_gallery(&i);
    } else {
        bool person;
        code = common_has_person(&person, self, &o.common, i.gallery, argv[1]);
        if (!code)
            code = person ? tell_photos(&i, argv[1]) : tell_photo(&i, argv[1]);
    }
    table_clear(&i.table);
    dpl_gallery_close(i.gallery);
    return code;
}

/*
 * decisions_faces.c - the faces that bench_decisions counts over: from galleries, with the labels
 * of their data sets, ready to be compared.
 */
#include "bench/decisions.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "index/pipeline.h"

enum { MAX_NUMBER = 30000 };

const double rates[N_RATES] = {1e-2, 1e-3, 1e-4};
const char *galleries, *data;
struct judges judges;

void die(const char *format, ...)
{
    va_list words;

    fputs("bench_decisions: ", stderr);
    va_start(words, format);
    vfprintf(stderr, format, words);
    va_end(words);
    fputc('\n', stderr);
    exit(5);
}

void check(dpl_status status, const dpl_error *err)
{
    if (status != DPL_OK)
        die("%s", err->message);
}

void *get(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);

    if (!p)
        die("out of memory");
    return p;
}

char *copy(const char *s)
{
    char *p = get(strlen(s) + 1, 1);

    return strcpy(p, s);
}

/* The same numbers at each run. */
uint32_t draw(uint32_t n)
{
    static uint64_t state = 88172645463325252ULL;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) * n >> 32);
}

/* ------------------------------------------------------------------ faces */

void judge(verdict *v, const face *a, const face *b)
{
    const double times = fmax(a->times, b->times);
    const dpl_comparison c = dpli_compare(&judges.judge[0], &a->side, &b->side, times);

    v->score = c.score;
    v->evidence = c.evidence;
    v->too_poor = c.decision == DPL_DECISION_TOO_POOR;
    v->now[0] = c.decision;
    for (int r = 1; r < N_RATES; r++)
        v->now[r] = times > 1 ? dpli_compare(&judges.judge[r], &a->side, &b->side, times).decision
                              : dpl_decide_faces(&judges.policy[r], c.fitness, c.evidence);
    for (int r = 0; r < N_RATES; r++)
        v->before[r] = dpl_accepts((double)v->score, (double)judges.bar_before[r]);
}

/* Ready to be compared. */
static void make_side(face *f, double times)
{
    f->side = dpli_side_of(&judges.judge[0], f->vector,
                           dpl_calibration_fitness(judges.calibration, &f->face));
    f->times = times;
}

char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = copy(slash ? slash + 1 : path), *dot = strrchr(name, '.');

    if (dot)
        *dot = '\0';
    return name;
}

static int number_of(const char *name)
{
    const long n = strtol(name, NULL, 10);

    if (n < 0 || n >= MAX_NUMBER)
        die("\"%s\" is no number below %d", name, MAX_NUMBER);
    return (int)n;
}

struct photo {
    int64_t id;
    dpl_image size;
};

struct photos {
    size_t n, cap;
    struct photo *at;
};

static dpl_status take_photo(void *ctx, const dpl_photo_row *row)
{
    struct photos *p = ctx;

    if (p->n == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 1024;
        p->at = realloc(p->at, p->cap * sizeof *p->at);
        if (!p->at)
            die("out of memory");
    }
    p->at[p->n++] = (struct photo){.id = row->id,
                                   .size = {.width_px = row->width_px,
                                            .height_px = row->height_px,
                                            .full_width_px = row->width_px,
                                            .full_height_px = row->height_px}};
    return DPL_OK;
}

static int by_id(const void *a, const void *b)
{
    const struct photo *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

/* Whose a photo is: also of a face that enrolling left to nobody, as it was not clear which of
 * several is meant, that is its folder. Freed by free(). */
static char *whose(const dpl_template_row *row)
{
    const char *end = strrchr(row->photo_path, '/'), *start = end;

    if (row->person || !end)
        return copy(row->person ? row->person : "");
    while (start > row->photo_path && start[-1] != '/')
        start--;
    char *folder = get((size_t)(end - start) + 1, 1);
    memcpy(folder, start, (size_t)(end - start));
    return folder;
}

static dpl_status take_template(void *ctx, const dpl_template_row *row)
{
    set *s = ctx;

    if (!row->is_face || row->dim != judges.dim)
        return DPL_OK;
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 1024;
        s->at = realloc(s->at, s->cap * sizeof *s->at);
        if (!s->at)
            die("out of memory");
    }
    face *f = &s->at[s->n++];
    *f = (face){.name = base_name(row->photo_path),
                .photo = row->photo_id,
                .face = row->face,
                .vector = get((size_t)row->dim, sizeof(float))};
    memcpy(f->vector, row->vector, (size_t)row->dim * sizeof(float));
    make_side(f, 1);
    /* templates come by photo, so that a person's follow each other but not always */
    char *person = whose(row);
    int p = s->n_people - 1;
    while (p >= 0 && strcmp(s->people[p], person) != 0)
        p--;
    if (p < 0) {
        s->people = realloc(s->people, (size_t)(s->n_people + 1) * sizeof *s->people);
        if (!s->people)
            die("out of memory");
        p = s->n_people++;
        s->people[p] = copy(person);
    }
    free(person);
    f->person = p;
    return DPL_OK;
}

/* Mark each photo's main face. Templates come by id, a photo's one after the other. */
static void mark_main(set *s, struct photos *photos)
{
    qsort(photos->at, photos->n, sizeof *photos->at, by_id);
    for (size_t i = 0, j; i < s->n; i = j) {
        dpl_face faces[256];
        size_t n = 0;

        for (j = i; j < s->n && s->at[j].photo == s->at[i].photo; j++)
            if (n < 256)
                faces[n++] = s->at[j].face;
        const struct photo key = {.id = s->at[i].photo};
        const struct photo *p = bsearch(&key, photos->at, photos->n, sizeof key, by_id);
        if (!p)
            die("photo %lld of \"%s\" is not there", (long long)key.id, s->name);
        s->at[i + dpl_main_face(faces, n, &p->size)].main = true;
    }
}

static void read_same(set *s, const char *line, char **a, char **b)
{
    char kind[64], left[256], right[256];

    *a = *b = NULL;
    if (line[0] == '#' || sscanf(line, "%63s %255s %255s", kind, left, right) != 3 ||
        strcmp(kind, s->name) != 0)
        return;
    *a = copy(left);
    *b = copy(right);
}

static struct {
    size_t n;
    char *a[1024], *b[1024];
} same;

/* Whether a line's word is a photo's name or, without its number, its person's. */
static bool covers(const char *word, const char *name)
{
    const size_t n = strlen(word);

    return strncmp(word, name, n) == 0 &&
           (name[n] == '\0' ||
            (name[n] == '_' && strspn(name + n + 1, "0123456789") == strlen(name + n + 1)));
}

/* The reviewed doubles of this set: same.a[i] and same.b[i] show one person. */
static void load_same(set *s, const char *path)
{
    char line[LINE];
    FILE *f = fopen(path, "r");

    same.n = 0;
    if (!f)
        die("\"%s\": %s", path, strerror(errno));
    while (fgets(line, sizeof line, f)) {
        char *a, *b;

        read_same(s, line, &a, &b);
        if (!a)
            continue;
        if (same.n == sizeof same.a / sizeof same.a[0])
            die("\"%s\" has too many lines", path);
        same.a[same.n] = a;
        same.b[same.n++] = b;
        for (size_t i = 0; i < s->n; i++)
            s->at[i].listed |= covers(a, s->at[i].name) || covers(b, s->at[i].name);
    }
    fclose(f);
}

bool is_same(const face *a, const face *b)
{
    if (!a->listed || !b->listed)
        return false;
    for (size_t i = 0; i < same.n; i++)
        if ((covers(same.a[i], a->name) && covers(same.b[i], b->name)) ||
            (covers(same.a[i], b->name) && covers(same.b[i], a->name)))
            return true;
    return false;
}

void load(set *s, const char *name)
{
    struct photos photos = {0};
    char path[LINE];
    dpl_gallery *gallery;
    dpl_error err = {0};

    *s = (set){0};
    snprintf(s->name, sizeof s->name, "%s", name);
    snprintf(path, sizeof path, "%s/%s", galleries, name);
    check(dpl_gallery_open(&gallery, path, DPL_GALLERY_READ, &err), &err);
    check(dpl_gallery_each_photo(gallery, NULL, take_photo, &photos, &err), &err);
    check(dpl_gallery_each_template(gallery, NULL, "face", take_template, s, &err), &err);
    dpl_gallery_close(gallery);
    if (s->n == 0)
        die("gallery \"%s\" has no faces of this model", path);
    mark_main(s, &photos);
    free(photos.at);
    load_same(s, "bench/decisions-same.txt");
}

void unload(set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->at[i].name);
        free(s->at[i].vector);
    }
    for (int i = 0; i < s->n_people; i++)
        free(s->people[i]);
    free(s->people);
    free(s->at);
}

/* Keep the faces for which keep is true. */
void filter(set *s, bool (*keep)(face *f))
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (keep(&s->at[i])) {
            s->at[n++] = s->at[i];
        } else {
            free(s->at[i].name);
            free(s->at[i].vector);
        }
    }
    s->n = n;
}

bool is_main(face *f)
{
    return f->main;
}

/* A CSV of DATA without quotes; its first column a chip, whose name is a number. */
FILE *open_csv(const char *name)
{
    char path[LINE], line[LINE];
    snprintf(path, sizeof path, "%s/faces-train/%s", data, name);
    FILE *f = fopen(path, "r");

    if (!f || !fgets(line, sizeof line, f))
        die("\"%s\": %s", path, f ? "is empty" : strerror(errno));
    return f;
}

int next_row(FILE *f, char line[LINE], char *columns[8])
{
    int n = 0;

    if (!fgets(line, LINE, f)) {
        fclose(f);
        return 0;
    }
    line[strcspn(line, "\r\n")] = '\0';
    for (char *p = line; p && n < 8; n++) {
        columns[n] = p;
        p = strchr(p, ',');
        if (p)
            *p++ = '\0';
    }
    return n;
}

static int identity[MAX_NUMBER], age[MAX_NUMBER], group[MAX_NUMBER];

static bool label_celeba(face *f)
{
    f->person = identity[number_of(f->name)];
    return f->main && f->person > 0;
}

/* celeba-test's development people, one face a photo. */
void load_celeba(set *s)
{
    char line[LINE], *c[8];
    FILE *f = open_csv("celeba-test.csv");
    int n_people = 0;
    static int number[1000000];

    memset(identity, 0, sizeof identity);
    memset(number, 0, sizeof number);
    while (next_row(f, line, c) >= 3) {
        char *name = base_name(c[0]);
        const long id = strtol(c[1], NULL, 10);

        if (id < 0 || id >= 1000000)
            die("celeba-test.csv: no identity \"%s\"", c[1]);
        if (strcmp(c[2], "dev") == 0) {
            if (!number[id])
                number[id] = ++n_people;
            identity[number_of(name)] = number[id];
        }
        free(name);
    }
    load(s, "ctest");
    filter(s, label_celeba);
    for (size_t i = 0; i < s->n; i++)
        s->at[i].person--;
    for (int i = 0; i < s->n_people; i++)
        free(s->people[i]);
    free(s->people);
    s->people = NULL;
    s->n_people = 0;
    s->n_people = n_people;
    s->people = get((size_t)n_people, sizeof *s->people);
    for (int i = 0; i < n_people; i++)
        s->people[i] = copy("");
}

static bool label_utkface(face *f)
{
    const int n = number_of(f->name);

    f->age = age[n];
    f->group = group[n];
    return f->main && n % 2 == 1 && f->age > 0;
}

/* UTKFace's odd numbers, each face a person of its own. */
void load_utkface(set *s)
{
    char line[LINE], *c[8];
    FILE *f = open_csv("utkface.csv");

    while (next_row(f, line, c) >= 4) {
        char *name = base_name(c[0]);
        const int n = number_of(name);

        /* age 0 is not kept apart from no age: those below 1 are 1 */
        age[n] = atoi(c[1]) > 0 ? atoi(c[1]) : 1;
        group[n] = c[3][0] ? atoi(c[3]) : -1; /* some have none */
        free(name);
    }
    load(s, "utk");
    filter(s, label_utkface);
    for (int i = 0; i < s->n_people; i++)
        free(s->people[i]);
    s->n_people = (int)s->n;
    s->people = realloc(s->people, s->n * sizeof *s->people);
    if (!s->people)
        die("out of memory");
    for (size_t i = 0; i < s->n; i++) {
        s->at[i].person = (int)i;
        s->people[i] = copy("");
    }
}

int by_name(const void *a, const void *b)
{
    const face *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/*
 * copies.c - which of many photos show the same picture, and which of them to keep.
 *
 * What has the same content is one from the start. Of the rest a picture's vector proposes what is
 * alike, few for each, and their sketches are laid over each other (overlay.c), which decides. The
 * photos are then gone through from the best to keep downwards, and each takes its copies, but for
 * those that are far more like a photo that does not come along: of things that look the same, each
 * is to have its own copies. It is a star, not a chain: what a copy is like is no reason to remove
 * anything.
 *
 * Does not remove, and does not draw.
 */
#include "doppel/copies.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cancel.h"
#include "base/fail.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/options.h"
#include "base/pool.h"
#include "index/gallery.h"
#include "index/overlay.h"
#include "index/photos.h"
#include "index/retrieve.h"
#include "index/space.h"

enum {
    PREVIEW_PX = 512, /* sketches are made from this */
    BATCH = 256,      /* probes searched for at once */
    STEP = 512        /* pairs compared between looks at the caller */
};
#define EXACT_UP_TO 50000 /* pictures; from there on an index proposes */
#define MIN_RECALL  0.95
#define SAME_SCORE                                                                                 \
    0.9995f          /* near copies of one size that agree so well may have the same pixels        \
                      */
#define SHARPER 1.1f /* one photo than another, to be kept for it */
#define FAR_MORE_LIKE                                                                              \
    2.0f /* the one's score lacks so many times less of 1 than the other's                         \
          */
/* Photos of a burst are alike; where only their files tell the time, very much so, laid over each
 * other nearly as copies are, and not written within a second: files that were copied or unpacked
 * have times close together, too, and portraits of two people are alike. */
#define BURST_ALIKE         0.6f
#define BURST_ALIKE_BY_FILE 0.85f
#define BURST_AGREE_BY_FILE 0.9f
#define BURST_FILES_APART_S 1.0

/* ------------------------------------------------------------------ photos */

typedef struct picture {
    char *path;
    char sha256[65];
    dpl_sketch *sketch;
    int64_t size_bytes, mtime_ns;
    char taken[28];
    double taken_s; /* NaN: not known */
    char *pixels;   /* SHA-256 of all of them; NULL: not asked yet, "": not to be had */
    size_t rank;    /* of all photos, by which is rather kept */
    size_t first;   /* the one rather kept of those with the same content; itself, if it is that */
    size_t next;    /* the next of those with the same content; NOTHING: none */
    size_t keeper;  /* of its group; NOTHING: in none */
    size_t asked;   /* the photo whose copies are being gathered, with which this one may go */
} picture;
#define NOTHING SIZE_MAX

typedef struct pair {
    size_t a, b; /* by rank, a before b */
    float alike;
    dpl_overlay overlay; /* b on a */
    dpl_copy_kind kind;
    bool is_copy, is_burst;
    double apart_s;
    bool by_file_time;
} pair;

typedef struct job {
    const dpl_pipeline *pipeline;
    dpl_copies_options options;
    dpl_copies_report *report;
    int32_t dim;
    picture *pictures;
    float *vectors; /* [n, dim] */
    size_t n, cap, cap_vectors;
    pair *pairs;                        /* by a, then b */
    size_t *by_b;                       /* [n_pairs] them by b, then a */
    size_t n_pairs, cap_pairs, n_begun; /* begun: of those, compared when this step's come */
    size_t *order;                      /* [n] pictures from the best to keep downwards */
    dpl_status status;                  /* the first failure of a callback, and its error */
    dpl_error error;
} job;

static double seconds_of(const char *taken)
{
    struct tm tm = {0};
    double part = 0;

    if (sscanf(taken, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec) != 6)
        return (double)NAN;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    if (taken[19] == '.') {
        double unit = 0.1;

        for (const char *c = taken + 20; *c >= '0' && *c <= '9'; c++, unit /= 10)
            part += unit * (*c - '0');
    }
    return (double)timegm(&tm) + part;
}

static dpl_status add_picture(job *j, const dpl_photos_event *event, dpl_error *err)
{
    const dpl_photo *photo = event->photo;
    const float *vector = photo->image_vector ? photo->image_vector : photo->vectors;
    const size_t dim = (size_t)j->dim;
    picture p = {.first = j->n, .next = NOTHING, .keeper = NOTHING, .asked = NOTHING};
    struct stat st;
    dpl_status status = DPL_E_MEMORY;
    picture *pictures = dpli_grow(j->pictures, &j->cap, j->n + 1, sizeof *pictures, err);
    float *vectors;

    if (!pictures)
        return DPL_E_MEMORY;
    j->pictures = pictures;
    vectors = dpli_grow(j->vectors, &j->cap_vectors, j->n + 1, dim * sizeof *vectors, err);
    if (!vectors)
        return DPL_E_MEMORY;
    j->vectors = vectors;
    memcpy(vectors + j->n * dim, vector, dim * sizeof *vectors);
    if (stat(event->path, &st) == 0) {
        p.size_bytes = (int64_t)st.st_size;
        p.mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    }
    memcpy(p.sha256, photo->sha256, sizeof p.sha256);
    snprintf(p.taken, sizeof p.taken, "%s", photo->image.taken);
    p.taken_s = seconds_of(p.taken);
    p.path = dpli_strdup(event->path, err);
    p.sketch = dpli_alloc(1, sizeof *p.sketch, err);
    if (p.path && p.sketch)
        status = dpl_sketch_make(p.sketch, &photo->image, err);
    if (status != DPL_OK) {
        free(p.path);
        free(p.sketch);
        return status;
    }
    j->pictures[j->n++] = p;
    return DPL_OK;
}

static void on_photo(void *ctx, const dpl_photos_event *event)
{
    job *j = ctx;

    if (event->photo && j->status == DPL_OK)
        j->status = add_picture(j, event, &j->error);
    if (j->options.on_photo)
        j->options.on_photo(j->options.ctx, event);
}

/* ------------------------------------------------------------------ which to keep */

static int compare_numbers(double a, double b)
{
    return (a > b) - (a < b);
}

static int64_t area(const picture *p)
{
    return (int64_t)p->sketch->full_width_px * p->sketch->full_height_px;
}

static int by_age(const picture *a, const picture *b)
{
    const bool known_a = !isnan(a->taken_s), known_b = !isnan(b->taken_s);
    int order = 0;

    if (known_a != known_b)
        return known_a ? -1 : 1;
    if (known_a)
        order = compare_numbers(a->taken_s, b->taken_s);
    if (order == 0)
        order = (a->mtime_ns > b->mtime_ns) - (a->mtime_ns < b->mtime_ns);
    return order ? order : strcmp(a->path, b->path);
}

static int rather_kept(const void *x, const void *y, void *ctx)
{
    const picture *pictures = ctx;
    const picture *a = &pictures[*(const size_t *)x], *b = &pictures[*(const size_t *)y];
    int order = (area(b) > area(a)) - (area(b) < area(a));

    if (order == 0)
        order = compare_numbers((double)b->sketch->sharpness, (double)a->sketch->sharpness);
    return order ? order : by_age(a, b);
}

static int by_content(const void *x, const void *y, void *ctx)
{
    const picture *pictures = ctx;
    const picture *a = &pictures[*(const size_t *)x], *b = &pictures[*(const size_t *)y];
    const int order = strcmp(a->sha256, b->sha256);

    return order ? order : (a->rank > b->rank) - (a->rank < b->rank);
}

/* Rank all, and tie together those with the same content. */
static dpl_status sort_out(job *j, dpl_error *err)
{
    size_t *same = dpli_alloc(j->n, sizeof *same, err);

    j->order = dpli_alloc(j->n, sizeof *j->order, err);
    if (!same || !j->order) {
        free(same);
        return DPL_E_MEMORY;
    }
    for (size_t i = 0; i < j->n; i++)
        j->order[i] = same[i] = i;
    if (j->n > 1)
        qsort_r(j->order, j->n, sizeof *j->order, rather_kept, j->pictures);
    for (size_t i = 0; i < j->n; i++)
        j->pictures[j->order[i]].rank = i;
    if (j->n > 1)
        qsort_r(same, j->n, sizeof *same, by_content, j->pictures);
    for (size_t i = 1; i < j->n; i++) {
        picture *before = &j->pictures[same[i - 1]], *p = &j->pictures[same[i]];

        if (strcmp(before->sha256, p->sha256) == 0) {
            p->first = before->first;
            before->next = same[i];
        }
    }
    free(same);
    return DPL_OK;
}

/* ------------------------------------------------------------------ proposals */

static dpl_status propose(job *j, size_t a, size_t b, float alike, dpl_error *err)
{
    const bool turned = j->pictures[b].rank < j->pictures[a].rank;
    pair *pairs = dpli_grow(j->pairs, &j->cap_pairs, j->n_pairs + 1, sizeof *pairs, err);

    if (!pairs)
        return DPL_E_MEMORY;
    j->pairs = pairs;
    pairs[j->n_pairs++] = (pair){.a = turned ? b : a, .b = turned ? a : b, .alike = alike};
    return DPL_OK;
}

/* @param pictures  [n] whose vectors are rows [n, dim] */
static dpl_status take_found(job *j, const size_t *pictures, size_t probe, const dpli_found *found,
                             size_t k, dpl_error *err)
{
    size_t place = 0;

    for (size_t i = 0; i < k && found[i].at != DPLI_NOWHERE; i++) {
        if (found[i].at == probe)
            continue;
        if (!dpli_is_proposed(place, found[i].score))
            break;
        place++;
        const dpl_status status =
            propose(j, pictures[probe], pictures[found[i].at], found[i].score, err);
        if (status != DPL_OK)
            return status;
    }
    return DPL_OK;
}

/* An index over rows, which are copied. */
static dpl_status make_index(dpli_index *index, const job *j, const dpl_head *head,
                             const float *rows, size_t n, dpl_error *err)
{
    const size_t dim = (size_t)j->dim;
    dpli_vectors v = {.n = n, .dim = j->dim};

    v.ids = dpli_calloc(n, sizeof *v.ids, err);
    v.owners = dpli_calloc(n, sizeof *v.owners, err);
    v.photos = dpli_calloc(n, sizeof *v.photos, err);
    v.rows = dpli_alloc(n * dim, sizeof *v.rows, err);
    if (!v.ids || !v.owners || !v.photos || !v.rows) {
        dpli_vectors_clear(&v);
        return DPL_E_MEMORY;
    }
    for (size_t i = 0; i < n; i++)
        v.ids[i] = (int64_t)i + 1;
    memcpy(v.rows, rows, n * dim * sizeof *rows);
    return dpli_index_make(index, &v, head, (dpli_wish){EXACT_UP_TO, MIN_RECALL}, err);
}

static int by_pair(const void *x, const void *y)
{
    const pair *p = x, *q = y;

    if (p->a != q->a)
        return p->a < q->a ? -1 : 1;
    return p->b == q->b ? 0 : p->b < q->b ? -1 : 1;
}

static dpl_status propose_all(job *j, dpl_error *err)
{
    const size_t dim = (size_t)j->dim;
    size_t n = 0, *pictures = dpli_alloc(j->n, sizeof *pictures, err);
    float *rows = dpli_alloc(j->n * dim, sizeof *rows, err);
    dpli_found *found = dpli_alloc((size_t)BATCH * DPLI_MOST_PROPOSED, sizeof *found, err);
    dpli_index index = {0};
    dpl_head *head = NULL;
    dpl_status status = DPL_E_MEMORY;

    if (!pictures || !rows || !found)
        goto done;
    for (size_t i = 0; i < j->n; i++)
        if (j->pictures[i].first == i) {
            memcpy(rows + n * dim, j->vectors + i * dim, dim * sizeof *rows);
            pictures[n++] = i;
        }
    status = dpl_head_new(&head, DPL_HEAD_COSINE, j->dim, NULL, 0, err);
    if (status == DPL_OK && n > EXACT_UP_TO)
        status = make_index(&index, j, head, rows, n, err);
    j->report->exact = n <= EXACT_UP_TO || !dpli_index_is_approximate(&index);
    j->report->recall = j->report->exact ? 1 : index.recall;
    for (size_t at = 0; at < n && status == DPL_OK; at += BATCH) {
        const size_t m = n - at < BATCH ? n - at : BATCH;

        if (dpli_cancelled(j->options.cancel))
            status = dpli_fail(err, DPL_E_CANCELLED, "interrupted before the photos were compared");
        else if (n > EXACT_UP_TO)
            status =
                dpli_index_search(found, &index, head, rows + at * dim, m, DPLI_MOST_PROPOSED, err);
        else
            status =
                dpli_flat_search(found, head, rows, n, rows + at * dim, m, DPLI_MOST_PROPOSED, err);
        for (size_t i = 0; i < m && status == DPL_OK; i++)
            status = take_found(j, pictures, at + i, found + i * DPLI_MOST_PROPOSED,
                                DPLI_MOST_PROPOSED, err);
    }
    if (status == DPL_OK && j->n_pairs > 1) {
        size_t kept = 1;

        qsort(j->pairs, j->n_pairs, sizeof *j->pairs, by_pair);
        for (size_t i = 1; i < j->n_pairs; i++)
            if (by_pair(&j->pairs[i], &j->pairs[kept - 1]) != 0)
                j->pairs[kept++] = j->pairs[i];
        j->n_pairs = kept;
    }
done:
    dpli_index_clear(&index);
    dpl_head_free(head);
    free(found);
    free(rows);
    free(pictures);
    return status;
}

/* ------------------------------------------------------------------ pairs */

static dpl_status compare_one(void *ctx, int worker, size_t item, dpl_error *err)
{
    job *j = ctx;
    pair *p = &j->pairs[j->n_begun + item];

    (void)worker, (void)err;
    dpl_sketch_compare(&p->overlay, j->pictures[p->a].sketch, j->pictures[p->b].sketch);
    return DPL_OK;
}

/* A sum over all pixels of the upright photo; "" when they are not to be had. */
static dpl_status sum_pixels(job *j, picture *p, dpl_error *err)
{
    dpl_decode_options options = *dpli_pipeline_decode(j->pipeline);
    dpl_image image;
    char hex[65] = "";
    dpl_status status;

    if (p->pixels)
        return DPL_OK;
    options.enough_px = 0;
    if (dpl_image_open(&image, p->path, &options, NULL) == DPL_OK) {
        const size_t n = 3 * (size_t)image.width_px * (size_t)image.height_px;

        status = dpli_sha256_of(hex, image.pixels, n, err);
        dpl_image_clear(&image);
        if (status != DPL_OK)
            return status;
    }
    p->pixels = dpli_strdup(hex, err);
    return p->pixels ? DPL_OK : DPL_E_MEMORY;
}

/* Whether two pictures of one size have the same pixels. Both are decoded whole, which only pays
 * where it is likely. */
static dpl_status look_at_pixels(job *j, pair *p, dpl_error *err)
{
    picture *a = &j->pictures[p->a], *b = &j->pictures[p->b];
    dpl_status status = DPL_OK;

    if (a->sketch->full_width_px != b->sketch->full_width_px ||
        a->sketch->full_height_px != b->sketch->full_height_px ||
        (a->sketch->pixels != b->sketch->pixels &&
         (p->overlay.score < SAME_SCORE || p->overlay.orientation != 1)))
        return DPL_OK;
    status = sum_pixels(j, a, err);
    if (status == DPL_OK)
        status = sum_pixels(j, b, err);
    if (status != DPL_OK || !a->pixels[0] || strcmp(a->pixels, b->pixels) != 0)
        return status;
    p->kind = DPL_COPY_PIXELS;
    p->is_copy = true;
    return DPL_OK;
}

/* How far apart two photos were taken; false where nothing tells. */
static bool measure_time(pair *p, const picture *a, const picture *b)
{
    const bool known = !isnan(a->taken_s) && !isnan(b->taken_s);

    p->by_file_time = !known;
    p->apart_s =
        known ? fabs(a->taken_s - b->taken_s) : fabs((double)(a->mtime_ns - b->mtime_ns) * 1e-9);
    /* One that says when it was taken and one that does not have nothing to compare. */
    return known || (isnan(a->taken_s) && isnan(b->taken_s) && a->mtime_ns && b->mtime_ns);
}

static dpl_status judge(job *j, pair *p, dpl_error *err)
{
    const picture *a = &j->pictures[p->a], *b = &j->pictures[p->b];
    const bool timed = measure_time(p, a, b) && p->apart_s <= j->options.burst_s;
    /* Taken at two moments, they are two photos however alike. */
    const bool two_moments = timed && !p->by_file_time && p->apart_s > 0;

    p->kind = DPL_COPY_NEAR;
    p->is_copy = dpl_overlay_is_copy(&p->overlay) && !two_moments;
    p->is_burst = !p->is_copy && timed && j->options.burst_s > 0 &&
                  (p->by_file_time ? p->alike >= BURST_ALIKE_BY_FILE &&
                                         p->overlay.score >= BURST_AGREE_BY_FILE &&
                                         p->apart_s >= BURST_FILES_APART_S
                                   : p->alike >= BURST_ALIKE);
    return look_at_pixels(j, p, err);
}

static dpl_status compare_all(job *j, dpl_error *err)
{
    dpl_status status = DPL_OK;

    while (j->n_begun < j->n_pairs && status == DPL_OK) {
        const size_t left = j->n_pairs - j->n_begun, n = left < STEP ? left : STEP;

        if (dpli_cancelled(j->options.cancel))
            return dpli_fail(err, DPL_E_CANCELLED, "interrupted after %zu of %zu pairs", j->n_begun,
                             j->n_pairs);
        status = dpli_pool_run(j->options.n_threads, n, compare_one, j, err);
        for (size_t i = 0; i < n && status == DPL_OK; i++) {
            pair *p = &j->pairs[j->n_begun + i];

            status = judge(j, p, err);
            if (j->options.on_pair)
                j->options.on_pair(j->options.ctx, j->pictures[p->a].path, j->pictures[p->b].path,
                                   p->alike, &p->overlay);
        }
        j->n_begun += n;
        if (j->options.on_compared)
            j->options.on_compared(j->options.ctx, (int64_t)j->n_begun, (int64_t)j->n_pairs);
    }
    j->report->n_pairs = (int64_t)j->n_begun;
    return status;
}

/* ------------------------------------------------------------------ groups */

/* The pairs of a picture: those whose a it is are together, by it. Being ranked before, a is the
 * one that is rather kept, so a keeper's pairs are all its own. */
static size_t pairs_of(const job *j, size_t a)
{
    size_t low = 0, high = j->n_pairs;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;

        if (j->pairs[mid].a < a)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static int by_second(const void *x, const void *y, void *ctx)
{
    const pair *pairs = ctx;
    const pair *p = &pairs[*(const size_t *)x], *q = &pairs[*(const size_t *)y];

    return (p->b > q->b) - (p->b < q->b);
}

static dpl_status sort_by_b(job *j, dpl_error *err)
{
    j->by_b = dpli_alloc(j->n_pairs, sizeof *j->by_b, err);
    if (!j->by_b)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < j->n_pairs; i++)
        j->by_b[i] = i;
    if (j->n_pairs > 1)
        qsort_r(j->by_b, j->n_pairs, sizeof *j->by_b, by_second, j->pairs);
    return DPL_OK;
}

/* Where in by_b the pairs begin whose b it is. */
static size_t pairs_to(const job *j, size_t b)
{
    size_t low = 0, high = j->n_pairs;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;

        if (j->pairs[j->by_b[mid]].b < b)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* What the overlay of a copy lacks. */
static float lacking(const pair *p)
{
    return p->kind == DPL_COPY_PIXELS ? 0 : 1 - p->overlay.score;
}

/* Whether a copy is far more like the other of a pair, which does not go with the first one. */
static bool is_drawn_away(const job *j, const pair *p, size_t other, size_t first, float lack)
{
    const picture *q = &j->pictures[other];

    return p->is_copy && other != first && q->keeper == NOTHING && q->asked != first &&
           lacking(p) * FAR_MORE_LIKE < lack;
}

/* Ask the first one's copies to come along, and let go of those who are far more like a photo that
 * does not; until all who are left go together. */
static void ask_copies(job *j, size_t first)
{
    const size_t begin = pairs_of(j, first);
    bool changed = true;

    for (size_t i = begin; i < j->n_pairs && j->pairs[i].a == first; i++)
        if (j->pairs[i].is_copy && j->pictures[j->pairs[i].b].keeper == NOTHING)
            j->pictures[j->pairs[i].b].asked = first;
    while (changed) {
        changed = false;
        for (size_t i = begin; i < j->n_pairs && j->pairs[i].a == first; i++) {
            const size_t m = j->pairs[i].b;
            const float lack = lacking(&j->pairs[i]);
            bool away = false;

            if (j->pictures[m].asked != first)
                continue;
            for (size_t k = pairs_of(j, m); !away && k < j->n_pairs && j->pairs[k].a == m; k++)
                away = is_drawn_away(j, &j->pairs[k], j->pairs[k].b, first, lack);
            for (size_t k = pairs_to(j, m); !away && k < j->n_pairs && j->pairs[j->by_b[k]].b == m;
                 k++)
                away = is_drawn_away(j, &j->pairs[j->by_b[k]], j->pairs[j->by_b[k]].a, first, lack);
            if (away) {
                j->pictures[m].asked = NOTHING;
                changed = true;
            }
        }
    }
}

typedef struct group {
    dpl_copy *photos;
    size_t n, cap;
} group;

static dpl_status join(job *j, group *g, size_t keeper, size_t member, const pair *p,
                       dpl_error *err)
{
    picture *m = &j->pictures[member];
    dpl_copy *photos = dpli_grow(g->photos, &g->cap, g->n + 1, sizeof *photos, err);
    dpl_copy c = {.path = m->path,
                  .width_px = m->sketch->full_width_px,
                  .height_px = m->sketch->full_height_px,
                  .size_bytes = m->size_bytes,
                  .mtime_ns = m->mtime_ns,
                  .taken = m->taken,
                  .sharpness = m->sketch->sharpness,
                  .kind = DPL_COPY_BYTES,
                  .alike = 1,
                  .overlay = {.score = 1, .orientation = 1, .shown_a = 1, .shown_b = 1, .scale = 1},
                  .rate = {.rate = 0, .low = 0, .high = 0}};

    if (!photos)
        return DPL_E_MEMORY;
    g->photos = photos;
    if (p) {
        c.kind = p->is_copy ? p->kind : DPL_COPY_BURST;
        c.alike = p->alike;
        if (c.kind != DPL_COPY_PIXELS) {
            c.overlay = p->overlay;
            c.rate = dpl_copy_rate(&p->overlay);
        }
        if (c.kind == DPL_COPY_BURST) {
            c.apart_s = p->apart_s;
            c.by_file_time = p->by_file_time;
        }
    }
    m->keeper = keeper;
    photos[g->n++] = c;
    return DPL_OK;
}

/* A picture with all of the same content. */
static dpl_status join_all(job *j, group *g, size_t keeper, size_t first, const pair *p,
                           dpl_error *err)
{
    dpl_status status = DPL_OK;

    for (size_t i = first; i != NOTHING && status == DPL_OK; i = j->pictures[i].next)
        status = join(j, g, keeper, i, p, err);
    return status;
}

/* Of the first one's copies and itself, the oldest of those as large and about as sharp: a copy's
 * new compression makes it no better. */
static size_t elect(const job *j, size_t first)
{
    const picture *p = &j->pictures[first], *best = p;

    for (size_t i = pairs_of(j, first); i < j->n_pairs && j->pairs[i].a == first; i++) {
        const picture *other = &j->pictures[j->pairs[i].b];

        if (j->pairs[i].is_copy && other->asked == first && area(other) == area(p) &&
            other->sketch->sharpness * SHARPER >= p->sketch->sharpness && by_age(other, best) < 0)
            best = other;
    }
    return (size_t)(best - j->pictures);
}

/* The cosine of two pictures' vectors, which are of unit length. */
static float alike_of(const job *j, size_t a, size_t b)
{
    const float *x = j->vectors + a * (size_t)j->dim, *y = j->vectors + b * (size_t)j->dim;
    double sum = 0;

    for (int32_t i = 0; i < j->dim; i++)
        sum += (double)x[i] * (double)y[i];
    return (float)sum;
}

/* Join a copy of the first one, as what it is of the one to keep. */
static dpl_status join_copy(job *j, group *g, size_t keeper, size_t first, const pair *known,
                            size_t member, dpl_error *err)
{
    pair p = {.a = keeper, .b = member, .alike = alike_of(j, keeper, member)};
    dpl_status status;

    if (keeper == first)
        return join_all(j, g, keeper, member, known, err);
    dpl_sketch_compare(&p.overlay, j->pictures[keeper].sketch, j->pictures[member].sketch);
    status = judge(j, &p, err);
    return status == DPL_OK && p.is_copy ? join_all(j, g, keeper, member, &p, err) : status;
}

/* The first one's group. Left as it was when there is nobody to join it. */
static dpl_status gather_copies(job *j, group *g, size_t first, dpl_error *err)
{
    size_t keeper;
    dpl_status status;

    ask_copies(j, first);
    keeper = elect(j, first);
    g->n = 0;
    status = join_all(j, g, keeper, keeper, NULL, err);
    for (size_t i = pairs_of(j, first); i < j->n_pairs && j->pairs[i].a == first; i++) {
        const pair *p = &j->pairs[i];

        if (status == DPL_OK && p->b == keeper)
            status = join_copy(j, g, keeper, first, p, first, err);
        else if (status == DPL_OK && p->is_copy && j->pictures[p->b].asked == first)
            status = join_copy(j, g, keeper, first, p, p->b, err);
    }
    if (status == DPL_OK && g->n < 2)
        j->pictures[keeper].keeper = NOTHING;
    return status;
}

static dpl_status gather_burst(job *j, group *g, size_t keeper, dpl_error *err)
{
    dpl_status status;

    g->n = 0;
    status = join(j, g, keeper, keeper, NULL, err);
    for (size_t i = pairs_of(j, keeper); i < j->n_pairs && j->pairs[i].a == keeper; i++) {
        const pair *p = &j->pairs[i];

        if (status == DPL_OK && p->is_burst && j->pictures[p->b].keeper == NOTHING)
            status = join(j, g, keeper, p->b, p, err);
    }
    if (status == DPL_OK && g->n < 2)
        j->pictures[keeper].keeper = NOTHING;
    return status;
}

static dpl_status tell_groups(job *j, group *g, bool bursts, dpl_error *err)
{
    dpl_copies_report *r = j->report;
    dpl_status status = DPL_OK;

    for (size_t i = 0; i < j->n && status == DPL_OK; i++) {
        const picture *p = &j->pictures[j->order[i]];

        if (p->first != j->order[i] || p->keeper != NOTHING)
            continue;
        status =
            bursts ? gather_burst(j, g, j->order[i], err) : gather_copies(j, g, j->order[i], err);
        if (status != DPL_OK || g->n < 2)
            continue;
        *(bursts ? &r->n_bursts : &r->n_groups) += 1;
        *(bursts ? &r->n_burst_photos : &r->n_copies) += (int64_t)g->n - 1;
        for (size_t k = 1; k < g->n && !bursts; k++)
            r->copies_bytes += g->photos[k].size_bytes;
        if (j->options.on_group)
            j->options.on_group(j->options.ctx, g->photos, g->n);
    }
    return status;
}

static dpl_status group_all(job *j, dpl_error *err)
{
    group g = {0};
    dpl_status status = sort_by_b(j, err);

    if (status == DPL_OK)
        status = tell_groups(j, &g, false, err);
    for (size_t i = 0; i < j->n_pairs; i++) {
        const pair *p = &j->pairs[i];

        j->report->n_untold += p->is_copy && j->pictures[p->a].keeper != j->pictures[p->b].keeper;
    }
    /* What is to be kept of copies may be of a burst; its copies are not shown again. */
    for (size_t i = 0; i < j->n; i++)
        if (j->pictures[i].keeper == i)
            j->pictures[i].keeper = NOTHING;
    if (status == DPL_OK)
        status = tell_groups(j, &g, true, err);
    free(g.photos);
    return status;
}

/* ------------------------------------------------------------------ vectors that are known */

/* A picture of the gallery, and which of the vectors is its. */
typedef struct enrolled {
    int64_t photo_id;
    char sha256[65];
    size_t vector; /* NOTHING: it has none */
} enrolled;

typedef struct gallery_vectors {
    enrolled *photos; /* by id, and when all are read by content */
    float *vectors;   /* [n_vectors, dim] */
    size_t n, cap, n_vectors, cap_vectors;
    int32_t dim;
} gallery_vectors;

static dpl_status take_row(void *ctx, const dpl_photo_row *row)
{
    gallery_vectors *g = ctx;
    enrolled *photos;

    if (!row->sha256[0])
        return DPL_OK;
    photos = dpli_grow(g->photos, &g->cap, g->n + 1, sizeof *photos, NULL);
    if (!photos)
        return DPL_E_MEMORY;
    g->photos = photos;
    photos[g->n] = (enrolled){.photo_id = row->id, .vector = NOTHING};
    snprintf(photos[g->n++].sha256, sizeof photos->sha256, "%s", row->sha256);
    return DPL_OK;
}

static int by_photo_id(const void *x, const void *y)
{
    const int64_t a = ((const enrolled *)x)->photo_id, b = ((const enrolled *)y)->photo_id;

    return (a > b) - (a < b);
}

static int by_sha256(const void *x, const void *y)
{
    return strcmp(((const enrolled *)x)->sha256, ((const enrolled *)y)->sha256);
}

static dpl_status take_vector(void *ctx, const dpl_template_row *row)
{
    gallery_vectors *g = ctx;
    const enrolled key = {.photo_id = row->photo_id};
    enrolled *e = bsearch(&key, g->photos, g->n, sizeof key, by_photo_id);
    float *vectors;

    if (!e || e->vector != NOTHING || row->dim != g->dim)
        return DPL_OK;
    vectors = dpli_grow(g->vectors, &g->cap_vectors, g->n_vectors + 1,
                        (size_t)g->dim * sizeof *vectors, NULL);
    if (!vectors)
        return DPL_E_MEMORY;
    g->vectors = vectors;
    memcpy(vectors + g->n_vectors * (size_t)g->dim, row->vector, (size_t)g->dim * sizeof *vectors);
    e->vector = g->n_vectors++;
    return DPL_OK;
}

/* Those that this encoder made; none where the gallery's are another's. */
static dpl_status read_known(gallery_vectors *g, dpl_gallery *gallery, const dpl_encoder *encoder,
                             dpl_error *err)
{
    const char *space = dpl_encoder_space(encoder);
    dpl_error why = {DPL_OK, ""};
    dpl_status status = dpli_gallery_fits(gallery, encoder, &why);
    size_t kept = 0;

    g->dim = dpl_encoder_dim(encoder);
    if (status == DPL_E_MISMATCH)
        return DPL_OK;
    if (status != DPL_OK)
        return dpli_fail(err, status, "%s", why.message);
    status = dpl_gallery_each_photo(gallery, NULL, take_row, g, &why);
    if (status == DPL_OK && g->n > 0) {
        qsort(g->photos, g->n, sizeof *g->photos, by_photo_id);
        status = dpl_gallery_each_template(gallery, NULL, space, take_vector, g, &why);
    }
    if (status != DPL_OK)
        return dpli_fail(err, status, "%s",
                         why.message[0] ? why.message : "no memory for the gallery's vectors");
    for (size_t i = 0; i < g->n; i++)
        if (g->photos[i].vector != NOTHING)
            g->photos[kept++] = g->photos[i];
    g->n = kept;
    if (kept > 0)
        qsort(g->photos, kept, sizeof *g->photos, by_sha256);
    return DPL_OK;
}

static const float *find_vector(const void *ctx, const char *sha256)
{
    const gallery_vectors *g = ctx;
    enrolled key = {0};
    const enrolled *e;

    snprintf(key.sha256, sizeof key.sha256, "%s", sha256);
    e = g->n > 0 ? bsearch(&key, g->photos, g->n, sizeof key, by_sha256) : NULL;
    return e ? g->vectors + e->vector * (size_t)g->dim : NULL;
}

/* ------------------------------------------------------------------ the whole */

static dpl_status find_encoder(const dpl_encoder **out, const dpl_pipeline *pipeline,
                               dpl_error *err)
{
    const dpl_encoder *encoder = dpl_pipeline_image_encoder(pipeline);

    if (!encoder && !dpl_pipeline_detector(pipeline))
        encoder = dpl_pipeline_encoder(pipeline);
    if (!encoder || dpli_space_find(dpl_encoder_space(encoder)) != &dpli_spaces[DPLI_IMAGE_SPACE])
        return dpli_fail(err, DPL_E_MODEL, "finding copies needs an encoder of whole pictures");
    *out = encoder;
    return DPL_OK;
}

dpl_status dpl_find_copies(dpl_copies_report *report, const dpl_pipeline *pipeline,
                           const char *const *paths, size_t n_paths,
                           const dpl_copies_options *options, dpl_error *err)
{
    dpl_photos_options photos = DPL_PHOTOS_OPTIONS_INIT;
    job j = {.pipeline = pipeline, .report = report, .options = DPL_COPIES_OPTIONS_INIT};
    gallery_vectors known = {0};
    const dpl_encoder *encoder = NULL;
    dpl_status status;

    *report = (dpl_copies_report){.exact = true, .recall = 1};
    status = dpli_options(&j.options, sizeof j.options, options, "copies", err);
    if (status == DPL_OK && !(j.options.burst_s >= 0))
        status = dpli_fail(err, DPL_E_ARGUMENT, "burst_s is %g, below 0", j.options.burst_s);
    if (status == DPL_OK)
        status = find_encoder(&encoder, pipeline, err);
    if (status != DPL_OK)
        return status;
    j.dim = dpl_encoder_dim(encoder);
    photos.follow_links = j.options.follow_links;
    photos.n_threads = j.options.n_threads;
    photos.preview_px = PREVIEW_PX;
    photos.cancel = j.options.cancel;
    photos.on_photo = on_photo;
    photos.ctx = &j;
    if (j.options.gallery)
        status = read_known(&known, j.options.gallery, encoder, err);
    const dpli_known_vectors vectors = {find_vector, &known, j.dim};
    if (status == DPL_OK)
        status =
            dpli_photos_each(&report->photos, pipeline, paths, n_paths, &photos, &vectors, err);
    for (size_t i = 0; i < j.n; i++)
        report->n_known += find_vector(&known, j.pictures[i].sha256) != NULL;
    free(known.photos);
    free(known.vectors);
    if (status == DPL_OK && j.status != DPL_OK) {
        status = j.status;
        if (err)
            *err = j.error;
    }
    if (status == DPL_OK)
        status = sort_out(&j, err);
    if (status == DPL_OK)
        status = propose_all(&j, err);
    if (status == DPL_OK)
        status = compare_all(&j, err);
    if (status == DPL_OK)
        status = group_all(&j, err);
    for (size_t i = 0; i < j.n; i++) {
        free(j.pictures[i].path);
        free(j.pictures[i].sketch);
        free(j.pictures[i].pixels);
    }
    free(j.pictures);
    free(j.vectors);
    free(j.pairs);
    free(j.by_b);
    free(j.order);
    return status;
}

/*
 * region.c - areas of faces: turned with the photo, and which are of one face.
 *
 * EXIF 2.32, tag 0112h, says where the first row and column of what is stored lie in what is seen:
 * 1 top left, 2 top right, 3 bottom right, 4 bottom left, 5 left top, 6 right top, 7 right bottom,
 * 8 left bottom.
 */
#include "data/region.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/fail.h"
#include "base/mem.h"
#include "doppel/xmp.h"

/* ------------------------------------------------------------------ turning */

static bool is_sideways(int32_t orientation)
{
    return orientation >= 5 && orientation <= 8;
}

/* Whether what is seen is mirrored left to right, and top to bottom, beside being transposed. */
static bool is_from_right(int32_t orientation)
{
    return orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
}

static bool is_from_below(int32_t orientation)
{
    return orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
}

static dpli_area transposed(dpli_area a)
{
    return (dpli_area){a.y, a.x, a.h, a.w};
}

static dpli_area mirrored(dpli_area a, bool across, bool down)
{
    if (across)
        a.x = 1 - a.x - a.w;
    if (down)
        a.y = 1 - a.y - a.h;
    return a;
}

dpli_area dpli_area_upright(dpli_area stored, int32_t orientation)
{
    return mirrored(is_sideways(orientation) ? transposed(stored) : stored,
                    is_from_right(orientation), is_from_below(orientation));
}

dpli_area dpli_area_stored(dpli_area upright, int32_t orientation)
{
    const dpli_area a = mirrored(upright, is_from_right(orientation), is_from_below(orientation));

    return is_sideways(orientation) ? transposed(a) : a;
}

/* ------------------------------------------------------------------ pairing */

/* Boxes of one face differ by what they include. Of two around one centre the larger may have 2.6
   times the sides of the smaller. */
#define MIN_SHARED 0.15

typedef struct couple {
    double shared;
    size_t a, b;
} couple;

static bool holds(const dpl_region *r, double x, double y)
{
    return x >= r->x && x <= r->x + r->w && y >= r->y && y <= r->y + r->h;
}

/* Intersection over union, or 0 when they are not of one face. Negated comparisons would let a NaN
 * pass. */
static double shared_by(const dpl_region *a, const dpl_region *b)
{
    const double w = fmin(a->x + a->w, b->x + b->w) - fmax(a->x, b->x);
    const double h = fmin(a->y + a->h, b->y + b->h) - fmax(a->y, b->y);
    const double both = w * h, shared = both / (a->w * a->h + b->w * b->h - both);

    if (holds(a, b->x + b->w / 2, b->y + b->h / 2) && holds(b, a->x + a->w / 2, a->y + a->h / 2) &&
        w > 0 && h > 0 && shared >= MIN_SHARED)
        return shared;
    return 0;
}

/* Most shared first; ties in the order of the lists. */
static int by_shared(const void *left, const void *right)
{
    const couple *l = left, *r = right;

    if (l->shared != r->shared)
        return l->shared < r->shared ? 1 : -1;
    if (l->a != r->a)
        return l->a < r->a ? -1 : 1;
    return l->b < r->b ? -1 : l->b > r->b;
}

dpl_status dpl_regions_pair(int32_t *of, const dpl_region *a, size_t n_a, const dpl_region *b,
                            size_t n_b, dpl_error *err)
{
    dpl_status status = DPL_OK;
    couple *couples = NULL;
    bool *taken = dpli_calloc(n_b, sizeof *taken, err);
    size_t n = 0, cap = 0;

    if (!taken)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < n_a; i++)
        of[i] = -1;
    for (size_t i = 0; i < n_a; i++)
        for (size_t k = 0; k < n_b; k++) {
            const double shared = shared_by(&a[i], &b[k]);
            couple *grown = couples;

            if (!(shared > 0))
                continue;
            grown = dpli_grow(couples, &cap, n + 1, sizeof *grown, err);
            if (!grown) {
                status = DPL_E_MEMORY;
                goto done;
            }
            couples = grown;
            couples[n++] = (couple){shared, i, k};
        }
    if (n > 0)
        qsort(couples, n, sizeof *couples, by_shared);
    for (size_t i = 0; i < n; i++)
        if (of[couples[i].a] < 0 && !taken[couples[i].b]) {
            of[couples[i].a] = (int32_t)couples[i].b;
            taken[couples[i].b] = true;
        }
done:
    free(couples);
    free(taken);
    return status;
}

void dpl_regions_clear(dpl_regions *regions)
{
    const dpl_regions empty = DPL_REGIONS_INIT;

    if (!regions)
        return;
    for (size_t i = 0; i < regions->n; i++)
        free(regions->items[i].name);
    free(regions->items);
    *regions = empty;
}

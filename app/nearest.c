/*
 * nearest.c - what may have been meant by a name that is nobody's.
 *
 * Names are compared as people read them: letters without case and accents, one space between
 * words. A name that has what was typed in it ("obama" of "Barack Obama") is near, and so is one
 * with a word like it ("Obamma"). Source of the distance: Damerau 1964 in Wagner and Fischer's
 * form, optimal string alignment.
 */
#include "app/nearest.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "app/text.h"
#include "base/utf8.h"

enum { MAX_LETTERS = 96 }; /* of a name; the rest is not looked at */

/* A letter of the Latin script without its accent, 0 where that is no letter of its own. Latin-1
   and Latin Extended-A stand in the order of Unicode, from U+00C0 and U+0100 on. */
static uint32_t bare(uint32_t c)
{
    static const char latin_1[] = "aaaaaaaceeeeiiiidnooooo ouuuuyts"
                                  "aaaaaaaceeeeiiiidnooooo ouuuuyty";
    static const char latin_a[] = "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkk"
                                  "llllllllllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuu"
                                  "wwyyyzzzzzzs";

    if (c >= 0xc0 && c < 0x100)
        return (uint32_t)(unsigned char)latin_1[c - 0xc0];
    if (c >= 0x100 && c < 0x180)
        return (uint32_t)(unsigned char)latin_a[c - 0x100];
    if (c >= 0x300 && c < 0x370) /* accents that stand by themselves */
        return 0;
    return (uint32_t)towlower((wint_t)c);
}

/* The letters of a name, words parted by one space; how many. */
static int fold(uint32_t out[MAX_LETTERS], const char *name)
{
    bool gap = false;
    int n = 0;

    while (*name && n < MAX_LETTERS) {
        uint32_t c = 0;
        const size_t bytes = dpli_utf8_next(&c, name);

        if (bytes == 0)
            c = (uint32_t)(unsigned char)*name; /* no text: itself */
        name += bytes ? bytes : 1;
        if (c < 0x80 && !iswalnum((wint_t)c)) {
            gap = n > 0;
            continue;
        }
        c = bare(c);
        if (c == 0 || c == ' ')
            continue;
        if (gap && n + 1 < MAX_LETTERS)
            out[n++] = ' ';
        gap = false;
        out[n++] = c;
    }
    return n;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int edits(const uint32_t *a, int n, const uint32_t *b, int m)
{
    int rows[3][MAX_LETTERS + 1], *before = rows[0], *last = rows[1], *row = rows[2];

    for (int j = 0; j <= m; j++)
        last[j] = j;
    for (int i = 1; i <= n; i++) {
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            row[j] = least(last[j - 1] + (a[i - 1] != b[j - 1]), least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        int *const oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[m];
}

static bool contains(const uint32_t *a, int n, const uint32_t *b, int m)
{
    for (int i = 0; m > 0 && i + m <= n; i++)
        if (memcmp(a + i, b, (size_t)m * sizeof *b) == 0)
            return true;
    return false;
}

/* Up to this many edits a name of n letters is still like another. */
static int allowed(int n)
{
    return n < 2 ? 0 : n < 6 ? 1 : n / 3;
}

static int word_end(const uint32_t *a, int n, int from)
{
    while (from < n && a[from] != ' ')
        from++;
    return from;
}

/* Edits between the two words most alike, of those long enough to tell people apart. */
static double of_words(const uint32_t *a, int n, const uint32_t *b, int m)
{
    enum { LONG = 4 };
    double best = INFINITY;

    for (int i = 0; i < n; i = word_end(a, n, i) + 1)
        for (int j = 0; j < m; j = word_end(b, m, j) + 1) {
            const int of_a = word_end(a, n, i) - i, of_b = word_end(b, m, j) - j;
            if (of_a < LONG || of_b < LONG)
                continue;
            const int d = edits(a + i, of_a, b + j, of_b);
            if (d <= allowed(least(of_a, of_b)) && d < best)
                best = d;
        }
    return best;
}

double nearest_distance(const char *typed, const char *name)
{
    uint32_t a[MAX_LETTERS], b[MAX_LETTERS];
    const int n = fold(a, typed), m = fold(b, name);
    const int d = edits(a, n, b, m);
    double far = d <= allowed(n > m ? n : m) ? d : INFINITY;

    if (n == 0 || m == 0)
        return INFINITY;
    if ((n >= 3 && contains(b, m, a, n)) || (m >= 3 && contains(a, n, b, m)))
        far = fmin(far, 0.5);
    return fmin(far, 1 + of_words(a, n, b, m));
}

void nearest_see(nearest *n, const char *typed, const char *name)
{
    const double far = nearest_distance(typed, name);
    size_t at = n->n;

    if (!isfinite(far))
        return;
    while (at > 0 && n->far[at - 1] > far)
        at--;
    if (at == NEAREST_MAX)
        return;
    if (n->n == NEAREST_MAX)
        free(n->names[--n->n]);
    memmove(&n->names[at + 1], &n->names[at], (n->n - at) * sizeof n->names[0]);
    memmove(&n->far[at + 1], &n->far[at], (n->n - at) * sizeof n->far[0]);
    n->names[at] = text_format("%s", name);
    n->far[at] = far;
    n->n++;
}

void nearest_clear(nearest *n)
{
    while (n->n > 0)
        free(n->names[--n->n]);
}

char *nearest_meant(char *words, nearest *n)
{
    char *all = n->n > 0 ? text_format("%s, is \"%s\" meant?", words, n->names[0]) : words;

    if (all != words)
        free(words);
    nearest_clear(n);
    return all;
}

/*
 * pairs.c - byte pairs merged as GPT-2 and CLIP do (Sennrich, Haddow, Birch 2016, over bytes).
 *
 * A list writes each byte as one printable character; the same order of bytes gives their ids. A
 * merge makes a token that only later lines can use, so of the pairs in a piece the one of the
 * earliest line is merged first, the leftmost of equal ones, until there is none.
 */
#include "text/pairs.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/unicode.h"
#include "doppel/text.h"

#define LAST "</w>"

/* The bytes in the order of their ids: those that Latin-1 prints, then the others, which the list
 * writes as the characters from U+0100 on. */
static void order_bytes(int32_t of_byte[256], uint32_t point_of[256])
{
    int32_t n = 0;

    for (uint32_t pass = 0; pass < 2; pass++)
        for (uint32_t b = 0; b < 256; b++) {
            const bool prints =
                (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || (b >= 0xae && b <= 0xff);

            if (prints != (pass == 0))
                continue;
            point_of[n] = prints ? b : 0x100 + (uint32_t)n - 188;
            of_byte[b] = n++;
        }
}

typedef struct merge {
    const char *left, *right; /* in the list */
    size_t n_left, n_right, line;
} merge;

/* The next line that is a merge; false at the end, or with *status set. */
static bool next_merge(merge *m, const char **at, size_t *line, dpl_status *status, dpl_error *err)
{
    while (**at) {
        const char *from = *at;
        size_t n = strcspn(from, "\n");

        *at += n + (from[n] == '\n');
        ++*line;
        if (n > 0 && from[n - 1] == '\r')
            n--;
        if (n == 0)
            continue;
        const char *space = memchr(from, ' ', n);
        if (*line == 1 && memmem(from, n, "#version", 8))
            continue;
        *m = (merge){.left = from, .line = *line};
        if (space) {
            m->n_left = (size_t)(space - from);
            m->right = space + 1;
            m->n_right = n - m->n_left - 1;
        }
        if (m->n_left == 0 || m->n_right == 0 || memchr(m->right, ' ', m->n_right)) {
            *status = dpli_fail(err, DPL_E_INPUT, "line %zu is not two tokens with a space between",
                                *line);
            return false;
        }
        return true;
    }
    return false;
}

static int by_parts(const void *a, const void *b)
{
    const dpli_pair *left = a, *right = b;

    if (left->left != right->left)
        return left->left < right->left ? -1 : 1;
    return (left->right > right->right) - (left->right < right->right);
}

dpl_status dpli_pairs_make(dpli_pairs *p, dpli_vocabulary *v, bool clip, const char *text, size_t n,
                           int32_t max_tokens, dpl_error *err)
{
    const size_t n_special = clip ? 2 : 1;
    const size_t most = max_tokens > 0 ? (size_t)max_tokens : DPL_MAX_TOKENS;
    size_t n_tokens = 0, n_merges = 0, cap = 0, line = 0;
    uint32_t point_of[256];
    merge *merges = NULL, m;
    const char *at = text;
    dpli_buf bytes = {0};
    dpl_status status = DPL_OK;

    *p = (dpli_pairs){.clip = clip};
    *v = (dpli_vocabulary){0};
    if (strlen(text) != n)
        return dpli_fail(err, DPL_E_INPUT, "a NUL at byte %zu", strlen(text));
    order_bytes(p->of_byte, point_of);
    for (int pass = 0; pass < (clip ? 2 : 1); pass++)
        for (int i = 0; i < 256; i++, n_tokens++) {
            char character[4];

            dpli_buf_add(&bytes, character, dpli_utf8_put(character, point_of[i]));
            dpli_buf_str(&bytes, pass == 1 ? LAST : "");
            dpli_buf_add(&bytes, "", 1);
        }
    p->first = (int32_t)n_tokens;
    if (n_tokens + n_special > most) {
        status = dpli_fail(err, DPL_E_ARGUMENT, "byte pairs need %zu tokens at least, not %zu",
                           n_tokens + n_special, most);
        goto done;
    }
    while (n_tokens + n_special < most && next_merge(&m, &at, &line, &status, err)) {
        merge *grown = dpli_grow(merges, &cap, n_merges + 1, sizeof *merges, err);

        if (!grown) {
            status = DPL_E_MEMORY;
            goto done;
        }
        merges = grown;
        merges[n_merges++] = m;
        dpli_buf_add(&bytes, m.left, m.n_left);
        dpli_buf_add(&bytes, m.right, m.n_right);
        dpli_buf_add(&bytes, "", 1);
        n_tokens++;
    }
    if (status == DPL_OK && max_tokens <= 0 && next_merge(&m, &at, &line, &status, err))
        status = dpli_fail(err, DPL_E_LIMIT, "more than %d tokens", DPL_MAX_TOKENS);
    if (status == DPL_OK && n_merges == 0)
        status = dpli_fail(err, DPL_E_INPUT, "no merges in it");
    if (status != DPL_OK)
        goto done;
    for (size_t i = 0; i < n_special; i++, n_tokens++)
        dpli_buf_add(&bytes, "", 1);
    status = dpli_buf_check(&bytes, err);
    if (status == DPL_OK) {
        char *taken = bytes.data;

        bytes = (dpli_buf){0};
        status = dpli_vocabulary_make(v, taken, n_tokens, 0, err);
    }
    if (status != DPL_OK)
        goto done;
    p->sorted = dpli_alloc(n_merges, sizeof *p->sorted, err);
    if (!p->sorted) {
        status = DPL_E_MEMORY;
        goto done;
    }
    for (; (size_t)p->n < n_merges; p->n++) {
        const merge *from = &merges[p->n];
        const dpli_pair pair = {dpli_vocabulary_find(v, from->left, from->n_left),
                                dpli_vocabulary_find(v, from->right, from->n_right),
                                p->first + p->n};

        if (pair.left < 0 || pair.right < 0 || pair.left >= pair.id || pair.right >= pair.id) {
            status = dpli_fail(
                err, DPL_E_INPUT, "line %zu merges \"%.*s\", which no line before it makes",
                from->line,
                (int)(pair.left < 0 || pair.left >= pair.id ? from->n_left : from->n_right),
                pair.left < 0 || pair.left >= pair.id ? from->left : from->right);
            goto done;
        }
        p->sorted[p->n] = pair;
    }
    qsort(p->sorted, (size_t)p->n, sizeof *p->sorted, by_parts);
done:
    free(merges);
    dpli_buf_clear(&bytes);
    if (status != DPL_OK) {
        dpli_vocabulary_clear(v);
        dpli_pairs_clear(p);
    }
    return status;
}

void dpli_pairs_clear(dpli_pairs *p)
{
    free(p->sorted);
    *p = (dpli_pairs){0};
}

/* What these two become; INT32_MAX when nothing. */
static int32_t merged(const dpli_pairs *p, int32_t left, int32_t right)
{
    const dpli_pair wanted = {left, right, 0};
    const dpli_pair *at = bsearch(&wanted, p->sorted, (size_t)p->n, sizeof wanted, by_parts);

    return at ? at->id : INT32_MAX;
}

int32_t dpli_pairs_encode(int32_t ids[DPLI_MAX_PIECE_BYTES], const dpli_pairs *p, const char *piece,
                          size_t n_bytes)
{
    int32_t becomes[DPLI_MAX_PIECE_BYTES]; /* what i and i + 1 do */
    int32_t n = (int32_t)n_bytes;

    for (int32_t i = 0; i < n; i++)
        ids[i] = p->of_byte[(unsigned char)piece[i]] + (p->clip && i == n - 1 ? 256 : 0);
    for (int32_t i = 0; i + 1 < n; i++)
        becomes[i] = merged(p, ids[i], ids[i + 1]);
    for (;;) {
        int32_t best = 0;

        for (int32_t i = 1; i + 1 < n; i++)
            if (becomes[i] < becomes[best])
                best = i;
        if (n < 2 || becomes[best] == INT32_MAX)
            return n;
        ids[best] = becomes[best];
        n--;
        memmove(&ids[best + 1], &ids[best + 2], (size_t)(n - best - 1) * sizeof *ids);
        if (n - best - 1 > 0)
            memmove(&becomes[best], &becomes[best + 1], (size_t)(n - best - 1) * sizeof *becomes);
        if (best + 1 < n)
            becomes[best] = merged(p, ids[best], ids[best + 1]);
        if (best > 0)
            becomes[best - 1] = merged(p, ids[best - 1], ids[best]);
    }
}

/*
 * npy.c - NumPy's .npy files.
 *
 * The header is a line of Python: a dictionary with the type, the order and the shape. It is read
 * as NumPy writes it and no further; nothing of it is run. What it says of the content must be
 * exactly as long as the rest of the file, so no memory is taken on its word alone.
 *
 * Source: NumPy Enhancement Proposal 1, format versions 1.0, 2.0 and 3.0.
 */
#include "data/npy.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/mem.h"

#define MAX_HEADER 65536
#define MAX_AXES   32 /* as NumPy has it */

enum { CHUNK = 8192 /* numbers read at once */ };

typedef struct header {
    char type;   /* f, i, u, b */
    size_t size; /* of a number, bytes */
    int32_t n_axes;
    size_t axes[MAX_AXES];
} header;

/* ------------------------------------------------------------------ the dictionary */

static void skip_blanks(const char **at)
{
    *at += strspn(*at, " \t");
}

/* Whether the text goes on with this one, which is then taken. */
static bool take(const char **at, const char *text)
{
    const size_t n = strlen(text);

    skip_blanks(at);
    if (strncmp(*at, text, n) != 0)
        return false;
    *at += n;
    return true;
}

/* A string in quotes of either kind, without a backslash. */
static bool take_string(char *out, size_t n_out, const char **at)
{
    skip_blanks(at);
    const char quote = **at;
    if (quote != '\'' && quote != '"')
        return false;
    const size_t n = strcspn(*at + 1, "'\"\\");
    if ((*at)[1 + n] != quote || n >= n_out)
        return false;
    memcpy(out, *at + 1, n);
    out[n] = '\0';
    *at += n + 2;
    return true;
}

static dpl_status take_type(header *h, const char **at, dpl_error *err)
{
    static const char *const known[] = {"f2", "f4", "f8", "i1", "i2", "i4",
                                        "i8", "u1", "u2", "u4", "b1"};
    char type[32];

    skip_blanks(at);
    if (**at == '[')
        return dpli_fail(err, DPL_E_INPUT, "holds records, not an array of numbers");
    if (!take_string(type, sizeof type, at))
        return dpli_fail(err, DPL_E_INPUT, "is no .npy: the type in its header cannot be read");
    if (strchr(type, 'O'))
        return dpli_fail(err, DPL_E_INPUT, "holds pickled objects, which are programs to be run");
    if (type[0] == '>' && strcmp(type + 2, "1") != 0)
        return dpli_fail(err, DPL_E_INPUT, "holds numbers with the first byte highest (\"%s\")",
                         type);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (type[0] && strchr("<|=>", type[0]) && strcmp(type + 1, known[i]) == 0) {
            h->type = type[1];
            h->size = (size_t)(type[2] - '0');
            return DPL_OK;
        }
    return dpli_fail(err, DPL_E_INPUT, "holds numbers of a type that is not read (\"%s\")", type);
}

/* A tuple of numbers: (), (3,), (3, 4). */
static bool take_shape(header *h, const char **at)
{
    if (!take(at, "("))
        return false;
    h->n_axes = 0;
    while (!take(at, ")")) {
        size_t n = 0;
        if (h->n_axes == MAX_AXES || **at < '0' || **at > '9')
            return false;
        for (; **at >= '0' && **at <= '9'; ++*at)
            if (!dpli_mul(&n, n, 10) || !dpli_add(&n, n, (size_t)(**at - '0')))
                return false;
        (void)take(at, "L"); /* as Python 2 wrote a long number */
        h->axes[h->n_axes++] = n;
        if (!take(at, ",")) {
            skip_blanks(at);
            if (**at != ')')
                return false;
        }
    }
    return true;
}

/* text: the dictionary, ended by a NUL. */
static dpl_status read_dictionary(header *h, const char *text, dpl_error *err)
{
    bool type = false, order = false, shape = false, more = true;
    const char *at = text;
    char key[32];

    if (!take(&at, "{"))
        return dpli_fail(err, DPL_E_INPUT, "is no .npy: its header is no dictionary");
    while (more && !take(&at, "}")) {
        bool known = take_string(key, sizeof key, &at) && take(&at, ":");
        if (known && !type && strcmp(key, "descr") == 0) {
            const dpl_status status = take_type(h, &at, err);
            if (status != DPL_OK)
                return status;
            type = true;
        } else if (known && !order && strcmp(key, "fortran_order") == 0) {
            if (take(&at, "True"))
                return dpli_fail(err, DPL_E_INPUT,
                                 "is in Fortran's order, column by column; "
                                 "numpy.ascontiguousarray turns it");
            known = order = take(&at, "False");
        } else if (known && !shape && strcmp(key, "shape") == 0) {
            known = shape = take_shape(h, &at);
        } else {
            known = false;
        }
        if (!known)
            return dpli_fail(err, DPL_E_INPUT, "is no .npy: its header cannot be read");
        more = take(&at, ",");
        if (!more && !take(&at, "}"))
            return dpli_fail(err, DPL_E_INPUT, "is no .npy: its header cannot be read");
    }
    at += strspn(at, " \t\n");
    if (!type || !order || !shape || *at)
        return dpli_fail(err, DPL_E_INPUT, "is no .npy: its header lacks something");
    return DPL_OK;
}

/* ------------------------------------------------------------------ the file */

static dpl_status read_bytes(void *out, size_t n, FILE *f, dpl_error *err)
{
    if (fread(out, 1, n, f) == n)
        return DPL_OK;
    if (ferror(f))
        return dpli_fail_errno(err, DPL_E_INPUT, errno, "cannot be read");
    return dpli_fail(err, DPL_E_INPUT, "is cut off");
}

static dpl_status read_header(header *h, FILE *f, dpl_error *err)
{
    uint8_t head[12] = {0};
    char *text = NULL;
    dpl_status status = read_bytes(head, 10, f, err);
    size_t n;

    if (status != DPL_OK)
        return status;
    if (memcmp(head, "\x93NUMPY", 6) != 0)
        return dpli_fail(err, DPL_E_INPUT, "is no .npy");
    if (head[6] < 1 || head[6] > 3)
        return dpli_fail(err, DPL_E_INPUT, "is a .npy of version %d, 1 to 3 are known",
                         (int)head[6]);
    n = head[8] | (size_t)head[9] << 8;
    if (head[6] > 1) {
        status = read_bytes(head + 10, 2, f, err);
        n |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
    }
    if (status != DPL_OK)
        return status;
    if (n > MAX_HEADER)
        return dpli_fail(err, DPL_E_LIMIT, "its header has %zu bytes, limit is %d", n, MAX_HEADER);
    text = dpli_calloc(n + 1, 1, err);
    if (!text)
        return DPL_E_MEMORY;
    status = read_bytes(text, n, f, err);
    if (status == DPL_OK && strlen(text) != n)
        status = dpli_fail(err, DPL_E_INPUT, "is no .npy: its header cannot be read");
    if (status == DPL_OK)
        status = read_dictionary(h, text, err);
    free(text);
    return status;
}

/* The header, and that as much follows as it says: n rows of dim numbers. */
static dpl_status open_array(FILE **out, header *h, size_t *n, size_t *dim, const char *path,
                             dpl_error *err)
{
    FILE *f = fopen(path, "rbe");
    size_t n_bytes = 0;
    struct stat st;
    dpl_status status;
    bool fits;

    *out = NULL;
    if (!f)
        return dpli_fail_errno(err, DPL_E_INPUT, errno, "cannot be opened");
    if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode)) {
        status = dpli_fail(err, DPL_E_INPUT, "is no regular file");
        goto done;
    }
    status = read_header(h, f, err);
    if (status != DPL_OK)
        goto done;
    *n = h->n_axes > 0 ? h->axes[0] : 1;
    *dim = 1;
    fits = true;
    for (int32_t i = 1; i < h->n_axes; i++)
        fits = fits && dpli_mul(dim, *dim, h->axes[i]);
    fits = fits && dpli_mul(&n_bytes, *n, *dim) && dpli_mul(&n_bytes, n_bytes, h->size) &&
           n_bytes <= INT64_MAX;
    const off_t at = ftello(f);
    if (!fits || at < 0 || st.st_size - at != (off_t)n_bytes) {
        status = dpli_fail(err, DPL_E_INPUT, "its numbers have %lld bytes, its header says %s%zu",
                           (long long)(st.st_size - at), fits ? "" : "more than ",
                           fits ? n_bytes : SIZE_MAX);
        goto done;
    }
    if (*n == 0 || *dim == 0)
        status = dpli_fail(err, DPL_E_INPUT, "is empty");
    else if (*n > INT32_MAX / 2 || *dim > INT32_MAX / 2)
        status = dpli_fail(err, DPL_E_LIMIT, "has %zu rows of %zu numbers", *n, *dim);
done:
    if (status == DPL_OK)
        *out = f;
    else
        fclose(f);
    return status;
}

/* ------------------------------------------------------------------ numbers */

/* IEEE 754's binary16. */
static float from_half(uint16_t half)
{
    const int exponent = half >> 10 & 31;
    const float fraction = (float)(half & 1023);
    float value;

    if (exponent == 31)
        value = fraction > 0 ? NAN : INFINITY;
    else
        value = exponent == 0 ? ldexpf(fraction, -24) : ldexpf(1024 + fraction, exponent - 25);
    return half & 0x8000 ? -value : value;
}

/* The size bytes at *p, lowest first. */
static uint64_t bits_at(const uint8_t *p, size_t size)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < size; i++)
        bits |= (uint64_t)p[i] << 8 * i;
    return bits;
}

static int64_t whole_at(const header *h, const uint8_t *p)
{
    const uint64_t bits = bits_at(p, h->size);
    const unsigned unused = (unsigned)(64 - 8 * h->size);

    /* the sign bit moved to the top, and back with its copies */
    return h->type == 'i' ? (int64_t)(bits << unused) >> unused : (int64_t)bits;
}

static float number_at(const header *h, const uint8_t *p)
{
    if (h->type != 'f')
        return (float)whole_at(h, p);
    const uint64_t bits = bits_at(p, h->size);
    if (h->size == 2)
        return from_half((uint16_t)bits);
    if (h->size == 4) {
        const uint32_t low = (uint32_t)bits;
        float value;
        memcpy(&value, &low, sizeof value);
        return value;
    }
    double value;
    memcpy(&value, &bits, sizeof value);
    return (float)value; /* infinite when it is too large */
}

bool dpli_is_npy(const char *path)
{
    FILE *f = fopen(path, "rbe");
    char head[6] = "";
    const bool yes = f && fread(head, 1, 6, f) == 6 && memcmp(head, "\x93NUMPY", 6) == 0;

    if (f)
        fclose(f);
    return yes;
}

dpl_status dpli_npy_vectors(float **out, int32_t *n, int32_t *dim, const char *path, dpl_error *err)
{
    uint8_t chunk[CHUNK * 8];
    size_t rows, each, n_bytes, total;
    float *values = NULL;
    header h = {0};
    FILE *f;
    dpl_status status = open_array(&f, &h, &rows, &each, path, err);

    *out = NULL;
    *n = *dim = 0;
    if (status != DPL_OK)
        return status;
    total = rows * each;
    if (h.n_axes < 2)
        status = dpli_fail(err, DPL_E_INPUT, "has %d dimensions; vectors are an array [n, dim]",
                           (int)h.n_axes);
    else if (!dpli_mul(&n_bytes, total, sizeof *values) || n_bytes > DPLI_MAX_VECTOR_BYTES)
        status = dpli_fail(err, DPL_E_LIMIT, "%zu vectors of %zu numbers, limit is %zu GiB", rows,
                           each, DPLI_MAX_VECTOR_BYTES >> 30);
    if (status != DPL_OK)
        goto done;
    values = dpli_alloc(total, sizeof *values, err);
    status = values ? DPL_OK : DPL_E_MEMORY;
    for (size_t i = 0; i < total && status == DPL_OK;) {
        const size_t m = total - i < CHUNK ? total - i : CHUNK;
        status = read_bytes(chunk, m * h.size, f, err);
        for (size_t j = 0; j < m && status == DPL_OK; j++, i++) {
            values[i] = number_at(&h, chunk + j * h.size);
            if (!isfinite(values[i]))
                status = dpli_fail(err, DPL_E_INPUT, "row %zu: number %zu is not finite", i / each,
                                   i % each);
        }
    }
done:
    fclose(f);
    if (status != DPL_OK) {
        free(values);
        return status;
    }
    *out = values;
    *n = (int32_t)rows;
    *dim = (int32_t)each;
    return DPL_OK;
}

dpl_status dpli_npy_ids(int64_t **out, int32_t *n, const char *path, dpl_error *err)
{
    uint8_t chunk[CHUNK * 8];
    size_t rows, each;
    int64_t *ids = NULL;
    header h = {0};
    FILE *f;
    dpl_status status = open_array(&f, &h, &rows, &each, path, err);

    *out = NULL;
    *n = 0;
    if (status != DPL_OK)
        return status;
    if (h.type == 'f' || h.n_axes < 1 || each != 1) {
        status = dpli_fail(err, DPL_E_INPUT, "is no array [n] of whole numbers");
        goto done;
    }
    ids = dpli_alloc(rows, sizeof *ids, err);
    status = ids ? DPL_OK : DPL_E_MEMORY;
    for (size_t i = 0; i < rows && status == DPL_OK;) {
        const size_t m = rows - i < CHUNK ? rows - i : CHUNK;
        status = read_bytes(chunk, m * h.size, f, err);
        for (size_t j = 0; j < m && status == DPL_OK; j++)
            ids[i++] = whole_at(&h, chunk + j * h.size);
    }
done:
    fclose(f);
    if (status != DPL_OK) {
        free(ids);
        return status;
    }
    *out = ids;
    *n = (int32_t)rows;
    return DPL_OK;
}

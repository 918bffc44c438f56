/*
 * zip.c - a zip archive read in place, by libzip.
 *
 * libzip keeps a position and an error in the archive's handle, so a lock is held around each call.
 * Pictures are packed once already and unpack as fast as they are read; what takes time, decoding
 * them, is done by the caller outside of it.
 */
#include "data/zip.h"

#include <pthread.h>
#include <stdbool.h>

#include <zip.h>

#include "base/fail.h"
#include "base/mem.h"

enum { MAX_MEMBERS = 8 << 20 };

struct dpli_zip {
    pthread_mutex_t lock;
    zip_t *archive;
    size_t n_members;
};

dpl_status dpli_zip_open(dpli_zip **out, const char *path, dpl_error *err)
{
    dpli_zip *z = dpli_calloc(1, sizeof *z, err);
    dpl_status status = DPL_OK;
    zip_int64_t n = 0;
    int code = 0;

    *out = NULL;
    if (!z)
        return DPL_E_MEMORY;
    z->archive = zip_open(path, ZIP_RDONLY, &code);
    if (z->archive) {
        n = zip_get_num_entries(z->archive, 0);
        if (n > MAX_MEMBERS)
            status = dpli_fail(err, DPL_E_LIMIT, "archive has %lld members, limit is %d",
                               (long long)n, MAX_MEMBERS);
    } else {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        status = dpli_fail(err, code == ZIP_ER_MEMORY ? DPL_E_MEMORY : DPL_E_INPUT,
                           "cannot be read as a zip: %s", zip_error_strerror(&error));
        zip_error_fini(&error);
    }
    if (status == DPL_OK && pthread_mutex_init(&z->lock, NULL) != 0)
        status = dpli_fail(err, DPL_E_SYSTEM, "no lock for the archive");
    if (status != DPL_OK) {
        if (z->archive)
            zip_discard(z->archive);
        free(z);
        return status;
    }
    z->n_members = (size_t)n;
    *out = z;
    return DPL_OK;
}

void dpli_zip_close(dpli_zip *z)
{
    if (!z)
        return;
    zip_discard(z->archive);
    pthread_mutex_destroy(&z->lock);
    free(z);
}

size_t dpli_zip_n_members(const dpli_zip *z)
{
    return z->n_members;
}

const char *dpli_zip_name(const dpli_zip *z, size_t member)
{
    const char *name = zip_get_name(z->archive, member, ZIP_FL_ENC_RAW);

    return name ? name : "";
}

dpl_status dpli_zip_find(size_t *member, dpli_zip *z, const char *name, dpl_error *err)
{
    zip_int64_t found;

    pthread_mutex_lock(&z->lock);
    found = zip_name_locate(z->archive, name, ZIP_FL_ENC_RAW);
    pthread_mutex_unlock(&z->lock);
    *member = found < 0 ? 0 : (size_t)found;
    return found < 0 ? dpli_fail(err, DPL_E_INPUT, "is not in the archive") : DPL_OK;
}

uint64_t dpli_zip_size(dpli_zip *z, size_t member)
{
    zip_stat_t st;
    bool told;

    zip_stat_init(&st);
    pthread_mutex_lock(&z->lock);
    told = zip_stat_index(z->archive, member, 0, &st) == 0 && (st.valid & ZIP_STAT_SIZE);
    pthread_mutex_unlock(&z->lock);
    return told ? st.size : 0;
}

/* The lock is held. */
static dpl_status read_member(uint8_t **bytes, size_t *n_bytes, zip_t *archive, size_t member,
                              size_t max_bytes, dpl_error *err)
{
    dpl_status status = DPL_OK;
    zip_file_t *file = NULL;
    uint8_t past_end;
    zip_int64_t got;
    zip_stat_t st;

    zip_stat_init(&st);
    if (zip_stat_index(archive, member, 0, &st) != 0)
        return dpli_fail(err, DPL_E_INPUT, "cannot be read: %s", zip_strerror(archive));
    if (!(st.valid & ZIP_STAT_SIZE))
        return dpli_fail(err, DPL_E_INPUT, "archive does not tell its size");
    if (st.size > max_bytes)
        return dpli_fail(err, DPL_E_LIMIT, "unpacks to %llu bytes, limit is %zu",
                         (unsigned long long)st.size, max_bytes);
    if ((st.valid & ZIP_STAT_ENCRYPTION_METHOD) && st.encryption_method != ZIP_EM_NONE)
        return dpli_fail(err, DPL_E_INPUT, "is encrypted");
    *n_bytes = (size_t)st.size;
    *bytes = dpli_alloc(*n_bytes + 1, 1, err);
    if (!*bytes)
        return DPL_E_MEMORY;
    file = zip_fopen_index(archive, member, 0);
    if (!file)
        return dpli_fail(err, DPL_E_INPUT, "cannot be unpacked: %s", zip_strerror(archive));
    got = zip_fread(file, *bytes, st.size);
    /* The checksum is compared when the end is met. */
    if (got == (zip_int64_t)st.size)
        got = zip_fread(file, &past_end, 1);
    else if (got >= 0)
        status = dpli_fail(err, DPL_E_INPUT, "damaged: %llu of %llu bytes are there",
                           (unsigned long long)got, (unsigned long long)st.size);
    if (got < 0)
        status = dpli_fail(err, DPL_E_INPUT, "cannot be unpacked: %s", zip_file_strerror(file));
    else if (status == DPL_OK && got > 0)
        status = dpli_fail(err, DPL_E_INPUT, "damaged: larger than the archive tells");
    (*bytes)[*n_bytes] = '\0';
    zip_fclose(file);
    return status;
}

dpl_status dpli_zip_read(uint8_t **bytes, size_t *n_bytes, dpli_zip *z, size_t member,
                         size_t max_bytes, dpl_error *err)
{
    dpl_status status;

    *bytes = NULL;
    *n_bytes = 0;
    pthread_mutex_lock(&z->lock);
    status = read_member(bytes, n_bytes, z->archive, member, max_bytes, err);
    pthread_mutex_unlock(&z->lock);
    if (status != DPL_OK) {
        free(*bytes);
        *bytes = NULL;
        *n_bytes = 0;
    }
    return status;
}

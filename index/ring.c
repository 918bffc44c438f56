/*
 * ring.c - the keys of an encrypted gallery.
 *
 * The file: a head that anybody can read, sealed behind it (bound to the head) the two keys and the
 * nodes that are left of each tree, and at the end a plain hash of all before it, so that a damaged
 * file is told from a wrong passphrase. Numbers are the machine's own.
 */
#include "index/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"

#define MAGIC "dplkeys1"

enum {
    DEPTH = DPLI_RING_DEPTH,
    MAX_FILE_BYTES = 1 << 30,
    /* RFC 9106's second recommended choice, but for one lane, which is what libsodium has. */
    PASSES = 3,
    MEMORY_BYTES = 64 << 20
};

typedef struct file_head {
    char magic[8];
    uint8_t id[DPLI_RING_ID_BYTES];
    char identity[32];
    uint8_t salt[DPLI_SALT_BYTES];
    uint64_t memory_bytes;
    uint32_t passes, has_secret;
} file_head;
_Static_assert(sizeof(file_head) == 88, "the head has no padding");

/* Above all leaves whose first bits are prefix. */
typedef struct node {
    uint64_t prefix;
    uint8_t depth;
    uint8_t key[DPLI_KEY_BYTES];
} node;

enum { NODE_BYTES = sizeof(uint64_t) + 1 + DPLI_KEY_BYTES };

typedef struct tree {
    node *nodes; /* by prefix; none above another */
    size_t n;
    /* The way to the leaf that was last asked for, from the node at depth first down: at each depth
       the two children of the one above, of which a bit of the leaf chooses one. */
    bool walked;
    int first;
    uint64_t leaf;
    uint8_t way[DEPTH + 1][2 * DPLI_KEY_BYTES];
} tree;

/* What a file was when it was last read or written. */
typedef struct file_state {
    dev_t device;
    ino_t number;
    off_t n_bytes;
    struct timespec changed;
} file_state;

struct dpli_ring {
    dpli_ring_head told;
    file_state state;
    file_head head;
    uint8_t lock[DPLI_KEY_BYTES]; /* of the file: made of the secret, so that it can be written */
    uint8_t base[DPLI_KEY_BYTES], epoch[DPLI_KEY_BYTES];
    tree trees[DPLI_N_NUMBERED];
};

void dpli_ring_free(dpli_ring *ring)
{
    if (!ring)
        return;
    for (int t = 0; t < DPLI_N_NUMBERED; t++)
        dpli_secret_free(ring->trees[t].nodes);
    dpli_secret_free(ring);
}

const dpli_ring_head *dpli_ring_told(const dpli_ring *ring)
{
    return &ring->told;
}

const uint8_t *dpli_ring_base(const dpli_ring *ring)
{
    return ring->base;
}

const uint8_t *dpli_ring_epoch(const dpli_ring *ring)
{
    return ring->epoch;
}

static dpl_status set_nodes(tree *t, const node *nodes, size_t n, dpl_error *err)
{
    /* At least one, so that there is something to free. */
    t->nodes = dpli_secret_alloc((n ? n : 1) * sizeof *nodes, err);
    if (!t->nodes)
        return DPL_E_MEMORY;
    if (n > 0)
        memcpy(t->nodes, nodes, n * sizeof *nodes);
    t->n = n;
    return DPL_OK;
}

/* ------------------------------------------------------------------ making */

static void tell_head(dpli_ring_head *out, const file_head *head)
{
    memcpy(out->id, head->id, sizeof out->id);
    memcpy(out->identity, head->identity, sizeof head->identity);
    out->identity[sizeof head->identity] = '\0';
    out->has_secret = head->has_secret != 0;
}

static dpl_status make_lock(dpli_ring *r, const dpli_ring_secret *secret, dpl_error *err)
{
    if (!r->head.has_secret)
        return DPL_OK; /* zeros: the file is the key */
    return dpli_secret_stretch(r->lock, secret->bytes, secret->n, r->head.salt, r->head.passes,
                               r->head.memory_bytes, err);
}

dpl_status dpli_ring_new(dpli_ring **out, const char *identity, const dpli_ring_secret *secret,
                         dpl_error *err)
{
    dpl_status status = dpli_secret_start(err);
    dpli_ring *r = status == DPL_OK ? dpli_secret_alloc(sizeof *r, err) : NULL;

    *out = NULL;
    if (!r)
        return status == DPL_OK ? DPL_E_MEMORY : status;
    memcpy(r->head.magic, MAGIC, sizeof r->head.magic);
    memcpy(r->head.identity, identity, sizeof r->head.identity);
    dpli_secret_random(r->head.id, sizeof r->head.id);
    dpli_secret_random(r->head.salt, sizeof r->head.salt);
    r->head.has_secret = secret->bytes != NULL;
    r->head.passes = PASSES;
    r->head.memory_bytes = MEMORY_BYTES;
    tell_head(&r->told, &r->head);
    dpli_secret_random(r->base, sizeof r->base);
    dpli_secret_random(r->epoch, sizeof r->epoch);
    status = make_lock(r, secret, err);
    for (int t = 0; t < DPLI_N_NUMBERED && status == DPL_OK; t++) {
        status = set_nodes(&r->trees[t], &(node){0}, 1, err);
        if (status == DPL_OK)
            dpli_secret_random(r->trees[t].nodes[0].key, DPLI_KEY_BYTES);
    }
    if (status != DPL_OK) {
        dpli_ring_free(r);
        return status;
    }
    *out = r;
    return DPL_OK;
}

dpl_status dpli_ring_copy(dpli_ring **out, const dpli_ring *ring, dpl_error *err)
{
    dpli_ring *r = dpli_secret_alloc(sizeof *r, err);
    dpl_status status = r ? DPL_OK : DPL_E_MEMORY;

    *out = NULL;
    if (r) {
        *r = *ring;
        for (int t = 0; t < DPLI_N_NUMBERED; t++)
            r->trees[t].nodes = NULL;
    }
    for (int t = 0; t < DPLI_N_NUMBERED && status == DPL_OK; t++)
        status = set_nodes(&r->trees[t], ring->trees[t].nodes, ring->trees[t].n, err);
    if (status != DPL_OK) {
        dpli_ring_free(r);
        return status;
    }
    *out = r;
    return DPL_OK;
}

/* ------------------------------------------------------------------ a key */

/* The first leaf under a node. */
static uint64_t low_of(const node *n)
{
    return n->prefix << (DEPTH - n->depth);
}

/* The node that a leaf is under, or NULL. */
static const node *above(const tree *t, uint64_t leaf)
{
    size_t low = 0, high = t->n;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;

        if (low_of(&t->nodes[mid]) <= leaf)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0 || leaf >> (DEPTH - t->nodes[low - 1].depth) != t->nodes[low - 1].prefix)
        return NULL;
    return &t->nodes[low - 1];
}

/* The key at a depth on the way to a leaf. */
static uint8_t *on_way(tree *t, int depth, uint64_t leaf)
{
    return t->way[depth] + (leaf >> (DEPTH - depth) & 1) * DPLI_KEY_BYTES;
}

bool dpli_ring_key(uint8_t key[DPLI_KEY_BYTES], dpli_ring *ring, dpli_numbered table, int64_t id)
{
    tree *t = &ring->trees[table];
    const uint64_t leaf = (uint64_t)id;
    const node *n = NULL;
    int depth;

    if (id < 0 || leaf >> DEPTH != 0)
        return false;
    if (t->walked && (leaf ^ t->leaf) >> (DEPTH - t->first) == 0) {
        /* As far as the two ways are one, and a step on: ids that are asked for mostly rise. */
        const uint64_t apart = leaf ^ t->leaf;

        depth = apart ? DEPTH - (64 - __builtin_clzll(apart)) + 1 : DEPTH;
    } else {
        n = above(t, leaf);
        if (!n)
            return false;
        depth = t->first = n->depth;
        memcpy(on_way(t, depth, leaf), n->key, DPLI_KEY_BYTES);
    }
    for (; depth < DEPTH; depth++)
        dpli_secret_children(t->way[depth + 1], on_way(t, depth, leaf));
    t->walked = true;
    t->leaf = leaf;
    memcpy(key, on_way(t, DEPTH, leaf), DPLI_KEY_BYTES);
    return true;
}

/* ------------------------------------------------------------------ destroying */

/* What is to be kept of a tree, and the nodes that do. */
typedef struct keeping {
    const tree *old;
    const int64_t *ids; /* rising */
    size_t n_ids;
    uint64_t last;
    node *nodes; /* in memory for keys */
    size_t n, cap;
} keeping;

static dpl_status keep_node(keeping *k, uint64_t prefix, int depth,
                            const uint8_t key[DPLI_KEY_BYTES], dpl_error *err)
{
    if (k->n == k->cap) {
        const size_t cap = k->cap ? 2 * k->cap : 64;
        node *grown = dpli_secret_alloc(cap * sizeof *grown, err);

        if (!grown)
            return DPL_E_MEMORY;
        if (k->n > 0)
            memcpy(grown, k->nodes, k->n * sizeof *grown);
        dpli_secret_free(k->nodes);
        k->nodes = grown;
        k->cap = cap;
    }
    k->nodes[k->n] = (node){.prefix = prefix, .depth = (uint8_t)depth};
    memcpy(k->nodes[k->n++].key, key, DPLI_KEY_BYTES);
    return DPL_OK;
}

/* How many of the ids are below a leaf. */
static size_t n_below(const keeping *k, uint64_t leaf)
{
    size_t low = 0, high = k->n_ids;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;

        if ((uint64_t)k->ids[mid] < leaf)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* All that is to be kept under prefix; key NULL: some node further down may have one. */
static dpl_status cover(keeping *k, uint64_t prefix, int depth, const uint8_t *key, dpl_error *err)
{
    const uint64_t low = prefix << (DEPTH - depth);
    const uint64_t high = low + ((UINT64_C(1) << (DEPTH - depth)) - 1);
    const uint64_t end = high < k->last ? high : k->last; /* of those that are not all kept */
    uint8_t both[2 * DPLI_KEY_BYTES];
    size_t n_kept = 0;
    dpl_status status;

    if (!key) {
        const node *n = above(k->old, low);

        if (n && n->depth == depth)
            key = n->key;
        else if (!n || n->depth < depth) {
            /* No node at or above; is there any within? */
            size_t i = 0, to = k->old->n;

            while (i < to) {
                const size_t mid = i + (to - i) / 2;

                if (low_of(&k->old->nodes[mid]) < low)
                    i = mid + 1;
                else
                    to = mid;
            }
            if (i == k->old->n || low_of(&k->old->nodes[i]) > high)
                return DPL_OK;
        }
    }
    if (low <= k->last) {
        n_kept = n_below(k, end + 1) - n_below(k, low);
        if (n_kept == 0 && high <= k->last)
            return DPL_OK;
    }
    if (key && (low > k->last || n_kept == end - low + 1))
        return keep_node(k, prefix, depth, key, err);
    if (depth == DEPTH)
        return DPL_OK;
    if (key)
        dpli_secret_children(both, key);
    status = cover(k, 2 * prefix, depth + 1, key ? both : NULL, err);
    if (status == DPL_OK)
        status = cover(k, 2 * prefix + 1, depth + 1, key ? both + DPLI_KEY_BYTES : NULL, err);
    dpli_secret_wipe(both, sizeof both);
    return status;
}

dpl_status dpli_ring_keep_only(dpli_ring *ring, const int64_t *ids[DPLI_N_NUMBERED],
                               const size_t n[DPLI_N_NUMBERED], const int64_t last[DPLI_N_NUMBERED],
                               dpl_error *err)
{
    keeping kept[DPLI_N_NUMBERED] = {{0}};
    dpl_status status = DPL_OK;

    for (int t = 0; t < DPLI_N_NUMBERED && status == DPL_OK; t++) {
        kept[t] = (keeping){.old = &ring->trees[t],
                            .ids = ids[t],
                            .n_ids = n[t],
                            .last = last[t] < 0 ? 0 : (uint64_t)last[t]};
        status = cover(&kept[t], 0, 0, NULL, err);
        /* At least one, so that there is something to free. */
        if (status == DPL_OK && !kept[t].nodes) {
            kept[t].nodes = dpli_secret_alloc(sizeof *kept[t].nodes, err);
            status = kept[t].nodes ? DPL_OK : DPL_E_MEMORY;
        }
    }
    for (int t = 0; t < DPLI_N_NUMBERED; t++) {
        tree *to = &ring->trees[t];

        if (status != DPL_OK) {
            dpli_secret_free(kept[t].nodes);
            continue;
        }
        dpli_secret_free(to->nodes);
        dpli_secret_wipe(to, sizeof *to);
        to->nodes = kept[t].nodes;
        to->n = kept[t].n;
    }
    if (status == DPL_OK)
        dpli_secret_random(ring->epoch, sizeof ring->epoch);
    return status;
}

/* ------------------------------------------------------------------ the file */

static dpl_status damaged(const char *path, const char *what, dpl_error *err)
{
    return dpli_fail(err, DPL_E_GALLERY, "the key file \"%s\" %s", path, what);
}

static dpl_status check_trust(const char *path, dpl_error *err)
{
    struct stat st;

    if (lstat(path, &st) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return dpli_fail(err, DPL_E_NOT_FOUND, "there is no key file \"%s\"", path);
        return dpli_fail_errno(err, DPL_E_GALLERY, errno, "the key file \"%s\" cannot be opened",
                               path);
    }
    if (S_ISLNK(st.st_mode))
        return damaged(path, "is a link; name what it leads to", err);
    if (!S_ISREG(st.st_mode))
        return damaged(path, "is not a file", err);
    if ((st.st_mode & 0077) != 0)
        return dpli_fail(err, DPL_E_GALLERY,
                         "others than its owner may open the key file \"%s\" (mode %04o); chmod "
                         "go= mends it",
                         path, (unsigned)(st.st_mode & 07777));
    return DPL_OK;
}

/* All of a file whose hash is right; *bytes is wiped and freed by the caller. */
static dpl_status read_file(uint8_t **bytes, size_t *n, file_head *head, const char *path,
                            dpl_error *err)
{
    uint8_t hash[DPLI_HASH_BYTES];
    dpl_error why = {DPL_OK, ""};
    dpl_status status = check_trust(path, err);

    *bytes = NULL;
    if (status != DPL_OK)
        return status;
    status = dpli_file_read(bytes, n, path, MAX_FILE_BYTES, &why);
    if (status != DPL_OK)
        return dpli_fail(err, status == DPL_E_MEMORY ? status : DPL_E_GALLERY,
                         "the key file \"%s\" cannot be read: %s", path, why.message);
    if (*n < sizeof *head || memcmp(*bytes, MAGIC, sizeof head->magic) != 0)
        return damaged(path, "is not one of doppel's", err);
    if (*n < sizeof *head + DPLI_SEAL_EXTRA + sizeof hash)
        return damaged(path, "is damaged: it has been cut short", err);
    dpli_secret_hash(hash, NULL, *bytes, *n - sizeof hash);
    if (memcmp(hash, *bytes + *n - sizeof hash, sizeof hash) != 0)
        return damaged(path, "is damaged: it is not what was written", err);
    memcpy(head, *bytes, sizeof *head);
    return DPL_OK;
}

dpl_status dpli_ring_peek(dpli_ring_head *out, const char *path, dpl_error *err)
{
    dpl_status status = dpli_secret_start(err);
    uint8_t *bytes = NULL;
    file_head head;
    size_t n = 0;

    memset(out, 0, sizeof *out);
    if (status == DPL_OK)
        status = read_file(&bytes, &n, &head, path, err);
    if (status == DPL_OK)
        tell_head(out, &head);
    if (bytes)
        dpli_secret_wipe(bytes, n);
    free(bytes);
    return status;
}

static file_state state_of(const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return (file_state){0};
    return (file_state){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
}

static bool same_state(const file_state *a, const file_state *b)
{
    return a->device == b->device && a->number == b->number && a->n_bytes == b->n_bytes &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* The nodes of one tree, from *at on; false when they are none. */
static dpl_status take_nodes(tree *t, const uint8_t **at, const uint8_t *end, bool *good,
                             dpl_error *err)
{
    uint64_t n, next = 0;

    *good = false;
    if ((size_t)(end - *at) < sizeof n)
        return DPL_OK;
    memcpy(&n, *at, sizeof n);
    *at += sizeof n;
    if (n > (size_t)(end - *at) / NODE_BYTES)
        return DPL_OK;
    t->nodes = dpli_secret_alloc((n ? n : 1) * sizeof *t->nodes, err);
    if (!t->nodes)
        return DPL_E_MEMORY;
    for (size_t i = 0; i < n; i++, *at += NODE_BYTES) {
        node *to = &t->nodes[i];

        memcpy(&to->prefix, *at, sizeof to->prefix);
        to->depth = (*at)[sizeof to->prefix];
        memcpy(to->key, *at + sizeof to->prefix + 1, DPLI_KEY_BYTES);
        if (to->depth > DEPTH || (to->depth < 64 && to->prefix >> to->depth != 0) ||
            (i > 0 && low_of(to) < next))
            return DPL_OK;
        next = low_of(to) + (UINT64_C(1) << (DEPTH - to->depth));
    }
    t->n = n;
    *good = true;
    return DPL_OK;
}

/* Keys and nodes out of what was in a file. */
static dpl_status take_keys(dpli_ring *r, const uint8_t *plain, size_t n, const char *path,
                            dpl_error *err)
{
    const uint8_t *at = plain, *end = plain + n;
    bool good = n >= sizeof r->base + sizeof r->epoch;
    dpl_status status = DPL_OK;

    if (good) {
        memcpy(r->base, at, sizeof r->base);
        memcpy(r->epoch, at + sizeof r->base, sizeof r->epoch);
        at += sizeof r->base + sizeof r->epoch;
    }
    for (int t = 0; t < DPLI_N_NUMBERED && good && status == DPL_OK; t++)
        status = take_nodes(&r->trees[t], &at, end, &good, err);
    if (status == DPL_OK && (!good || at != end))
        status = damaged(path, "is damaged: its keys are none", err);
    return status;
}

/* lock: of the file, NULL: to be made of the secret. */
static dpl_status read_ring(dpli_ring **out, bool *wrong_secret, const char *path,
                            const dpli_ring_secret *secret, const uint8_t *lock, dpl_error *err)
{
    uint8_t *bytes = NULL, *plain = NULL;
    size_t n = 0, n_plain = 0;
    dpl_status status = dpli_secret_start(err);
    dpli_ring *r = status == DPL_OK ? dpli_secret_alloc(sizeof *r, err) : NULL;

    *out = NULL;
    *wrong_secret = false;
    if (!r)
        return status == DPL_OK ? DPL_E_MEMORY : status;
    r->state = state_of(path);
    status = read_file(&bytes, &n, &r->head, path, err);
    if (status != DPL_OK)
        goto done;
    tell_head(&r->told, &r->head);
    if (lock) {
        memcpy(r->lock, lock, sizeof r->lock);
    } else if (r->head.has_secret && !secret->bytes) {
        *wrong_secret = true;
        status = damaged(path, "wants a passphrase, and none was given", err);
    } else {
        status = make_lock(r, secret, err);
        if (status == DPL_E_GALLERY)
            dpli_fail_in(err, status, path);
    }
    if (status != DPL_OK)
        goto done;
    n_plain = n - sizeof r->head - DPLI_HASH_BYTES - DPLI_SEAL_EXTRA;
    plain = dpli_secret_alloc(n_plain ? n_plain : 1, err);
    if (!plain) {
        status = DPL_E_MEMORY;
        goto done;
    }
    if (!dpli_unseal(plain, r->lock, &r->head, sizeof r->head, bytes + sizeof r->head,
                     n_plain + DPLI_SEAL_EXTRA)) {
        *wrong_secret = r->head.has_secret != 0;
        status = *wrong_secret
                     ? dpli_fail(err, DPL_E_GALLERY, "that is not the passphrase of \"%s\"", path)
                     : damaged(path, "is damaged: it is not what was written", err);
        goto done;
    }
    status = take_keys(r, plain, n_plain, path, err);
    if (status == DPL_OK) {
        *out = r;
        r = NULL;
    }
done:
    if (bytes)
        dpli_secret_wipe(bytes, n);
    free(bytes);
    dpli_secret_free(plain);
    dpli_ring_free(r);
    return status;
}

dpl_status dpli_ring_read(dpli_ring **out, bool *wrong_secret, const char *path,
                          const dpli_ring_secret *secret, dpl_error *err)
{
    return read_ring(out, wrong_secret, path, secret, NULL, err);
}

dpl_status dpli_ring_refresh(bool *changed, dpli_ring *ring, const char *path, dpl_error *err)
{
    const file_state now = state_of(path);
    dpli_ring *fresh = NULL;
    dpl_status status;
    bool wrong;

    *changed = false;
    if (now.number == 0 || same_state(&now, &ring->state))
        return DPL_OK;
    status = read_ring(&fresh, &wrong, path, &(dpli_ring_secret){0}, ring->lock, err);
    if (status != DPL_OK)
        return status == DPL_E_MEMORY ? status : DPL_OK;
    if (memcmp(fresh->head.id, ring->head.id, sizeof fresh->head.id) == 0) {
        for (int t = 0; t < DPLI_N_NUMBERED; t++)
            dpli_secret_free(ring->trees[t].nodes);
        *ring = *fresh;
        dpli_secret_free(fresh);
        *changed = true;
        return DPL_OK;
    }
    dpli_ring_free(fresh);
    return dpli_fail(err, DPL_E_GALLERY,
                     "the key in \"%s\" has become another's: open the gallery "
                     "again",
                     path);
}

/* Zeros over what a descriptor has: as far as a file system writes in place. */
static void overwrite(int fd)
{
    static const char zeros[4096];
    struct stat st;

    if (fstat(fd, &st) != 0)
        return;
    for (off_t at = 0; at < st.st_size; at += (off_t)sizeof zeros) {
        const off_t left = st.st_size - at;

        if (pwrite(fd, zeros, left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros, at) < 0)
            return;
    }
    fsync(fd);
}

void dpli_ring_shred(const char *path)
{
    const int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd >= 0) {
        overwrite(fd);
        close(fd);
    }
    unlink(path);
}

dpl_status dpli_ring_write(dpli_ring *ring, const char *path, dpl_error *err)
{
    size_t n_nodes = 0, n_plain, n;
    uint8_t *plain, *bytes = NULL, *at;
    int old = -1;
    dpl_status status = DPL_E_MEMORY;

    for (int t = 0; t < DPLI_N_NUMBERED; t++)
        n_nodes += ring->trees[t].n;
    n_plain = sizeof ring->base + sizeof ring->epoch + DPLI_N_NUMBERED * sizeof(uint64_t) +
              n_nodes * NODE_BYTES;
    n = sizeof ring->head + n_plain + DPLI_SEAL_EXTRA + DPLI_HASH_BYTES;
    if (n > MAX_FILE_BYTES)
        return dpli_fail(err, DPL_E_LIMIT, "key file \"%s\" would be of %zu MiB, the limit is %d",
                         path, n >> 20, MAX_FILE_BYTES >> 20);
    plain = dpli_secret_alloc(n_plain, err);
    bytes = plain ? dpli_alloc(n, 1, err) : NULL;
    if (!bytes)
        goto done;
    at = plain;
    memcpy(at, ring->base, sizeof ring->base);
    memcpy(at + sizeof ring->base, ring->epoch, sizeof ring->epoch);
    at += sizeof ring->base + sizeof ring->epoch;
    for (int t = 0; t < DPLI_N_NUMBERED; t++) {
        const uint64_t count = ring->trees[t].n;

        memcpy(at, &count, sizeof count);
        at += sizeof count;
        for (size_t i = 0; i < count; i++, at += NODE_BYTES) {
            const node *from = &ring->trees[t].nodes[i];

            memcpy(at, &from->prefix, sizeof from->prefix);
            at[sizeof from->prefix] = from->depth;
            memcpy(at + sizeof from->prefix + 1, from->key, DPLI_KEY_BYTES);
        }
    }
    memcpy(bytes, &ring->head, sizeof ring->head);
    dpli_seal(bytes + sizeof ring->head, ring->lock, &ring->head, sizeof ring->head, plain,
              n_plain);
    dpli_secret_hash(bytes + n - DPLI_HASH_BYTES, NULL, bytes, n - DPLI_HASH_BYTES);
    old = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    status = dpli_file_replace(path, bytes, n, err);
    if (status == DPL_OK && old >= 0)
        overwrite(old);
    if (status == DPL_OK)
        ring->state = state_of(path);
done:
    if (old >= 0)
        close(old);
    dpli_secret_free(plain);
    free(bytes);
    return status;
}

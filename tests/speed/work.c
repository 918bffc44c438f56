/*
 * work.c - the work that a guard counts: each thing that takes time in doppel, by itself, on inputs
 * that are the same each time. See instructions.sh.
 *
 * usage: work NAME
 *
 * What a work needs is made ready; then it is done once, within valgrind's eyes. It is little: a
 * product and sum in one takes valgrind a hundred times as long as any other instruction.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "base/file.h"
#include "base/secret.h"
#include "doppel/encryption.h"
#include "doppel/face.h"
#include "doppel/score.h"
#include "doppel/text.h"
#include "index/flat.h"
#include "index/gallery.h"
#include "index/hnsw.h"
#include "index/vault.h"
#include "net/init.h"
#include "net/load.h"
#include "net/ops/op.h"
#include "net/tape.h"
#include "train/loss.h"
#include "train/optimizer.h"

enum {
    DIM = 192,
    N_ROWS = 4096,
    N_NODES = 600,
    N_PICTURES = 4,
    SIDE = 28,
    PHOTO = 240,
    WIDTH = 64
};

static dpl_error err;

static void must(dpl_status status)
{
    if (status == DPL_OK)
        return;
    fprintf(stderr, "work: %s\n", err.message);
    exit(4);
}

static void *some(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (!p)
        exit(5);
    return p;
}

#define COUNTED(work)                                                                              \
    do {                                                                                           \
        CALLGRIND_START_INSTRUMENTATION;                                                           \
        work;                                                                                      \
        CALLGRIND_STOP_INSTRUMENTATION;                                                            \
    } while (0)

/* Numbers between -1 and 1 that follow no order. */
static void fill(float *x, size_t n)
{
    uint64_t state = 105;

    for (size_t i = 0; i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        x[i] = (float)(int32_t)(state >> 32) / 2147483648.0f;
    }
}

/* ------------------------------------------------------------------ seeing */

typedef struct sight {
    dpl_scratch *scratch;
    dpl_detector *detector;
    dpl_encoder *encoder;
    dpl_image image;
    dpl_face *faces;
    size_t n_faces;
} sight;

static sight see(void)
{
    const dpl_decode_options decode = DPL_DECODE_OPTIONS_INIT;
    dpl_image photo = DPL_IMAGE_INIT;
    sight s = {.image = DPL_IMAGE_INIT};

    must(dpl_scratch_new(&s.scratch, 0, &err));
    must(dpl_detector_open(&s.detector, DPL_MODELS_DIR "/face-detect.onnx", &err));
    must(dpl_encoder_open(&s.encoder, DPL_MODELS_DIR "/face-105.onnx", NULL, &err));
    must(dpl_image_open(&photo, DPL_SOURCE_DIR "/demo/people/Eileen Collins/nasa-portrait.jpg",
                        &decode, &err));
    must(dpl_image_resize(&s.image, &photo, PHOTO, PHOTO, &err));
    dpl_image_clear(&photo);
    return s;
}

static void look(sight *s)
{
    const dpl_detect_options options = DPL_DETECT_OPTIONS_INIT;

    dpl_faces_free(s->faces);
    must(dpl_detect(&s->faces, &s->n_faces, s->detector, s->scratch, &s->image, &options, &err));
    if (s->n_faces != 1)
        exit(6);
}

static void blind(sight *s)
{
    dpl_faces_free(s->faces);
    dpl_image_clear(&s->image);
    dpl_encoder_close(s->encoder);
    dpl_detector_close(s->detector);
    dpl_scratch_free(s->scratch);
}

static void detect(void)
{
    sight s = see();

    COUNTED(look(&s));
    blind(&s);
}

static void align(void)
{
    sight s = see();
    uint8_t *chip = some(105 * 105, 3);

    look(&s);
    COUNTED(must(dpl_align(chip, &s.faces[0], s.encoder, &s.image, &err)));
    free(chip);
    blind(&s);
}

static void encode(void)
{
    sight s = see();
    uint8_t *chip = some(105 * 105, 3);
    float vector[DIM];

    for (size_t i = 0; i < (size_t)105 * 105 * 3; i++)
        chip[i] = (uint8_t)(i * 7919 % 251);
    COUNTED(must(dpl_encode(vector, s.encoder, s.scratch, chip, 1, &err)));
    free(chip);
    blind(&s);
}

static void sentence(void)
{
    const char *texts[] = {"two dogs run along a beach while a child throws a red ball"};
    dpl_text_encoder *encoder = NULL;
    float *vector;

    must(dpl_text_encoder_open(&encoder, DPL_MODELS_DIR "/sentence-256.onnx", NULL, &err));
    vector = some((size_t)dpl_text_encoder_dim(encoder), sizeof *vector);
    COUNTED(must(dpl_text_encode(vector, NULL, encoder, texts, 1, 1, &err)));
    free(vector);
    dpl_text_encoder_close(encoder);
}

/* ------------------------------------------------------------------ finding */

static void exact(void)
{
    float *rows = some((size_t)N_ROWS * DIM, sizeof *rows);
    dpl_head *head = NULL;
    dpli_found found[10];

    fill(rows, (size_t)N_ROWS * DIM);
    must(dpl_head_new(&head, DPL_HEAD_COSINE, DIM, NULL, 0, &err));
    COUNTED(must(dpli_flat_search(found, head, rows, N_ROWS, rows, 1, 10, &err)));
    dpl_head_free(head);
    free(rows);
}

/* A graph of N_NODES vectors, and one probe into it. */
typedef struct web {
    dpli_code_shape shape;
    dpli_coded coded;
    dpli_hnsw graph;
    int16_t *code;
    int8_t *records;
    float *rows;
    uint32_t nodes[N_NODES];
} web;

static web *spin(void)
{
    web *w = some(1, sizeof *w);

    w->shape = dpli_code_shape_of(DIM, true);
    w->rows = some((size_t)N_NODES * DIM, sizeof *w->rows);
    w->records = some(N_NODES, w->shape.stride);
    w->code = some((size_t)w->shape.width, sizeof *w->code);
    fill(w->rows, (size_t)N_NODES * DIM);
    dpli_code_rows(w->records, &w->shape, w->rows, N_NODES);
    w->coded = (dpli_coded){w->records, w->shape};
    for (uint32_t i = 0; i < N_NODES; i++)
        w->nodes[i] = i;
    return w;
}

static void link_all(web *w)
{
    dpli_hnsw_clear(&w->graph);
    must(dpli_hnsw_grow(&w->graph, N_NODES, &err));
    must(dpli_hnsw_link(&w->graph, &w->coded, w->nodes, N_NODES, &err));
}

static void sweep(web *w)
{
    dpli_hnsw_clear(&w->graph);
    free(w->code);
    free(w->records);
    free(w->rows);
    free(w);
}

static void build_graph(void)
{
    web *w = spin();

    COUNTED(link_all(w));
    sweep(w);
}

static void walk(web *w, dpli_walker *walker)
{
    dpli_coded_probe probe = {.code = w->code};
    size_t n;

    dpli_code_probe(&probe, &w->shape, w->rows);
    if (!dpli_hnsw_search(&n, &w->graph, &w->coded, &probe, WIDTH, walker, NULL, &err))
        exit(5);
}

static void walk_graph(void)
{
    web *w = spin();
    dpli_walker *walker = NULL;

    link_all(w);
    must(dpli_walker_new(&walker, &err));
    COUNTED(walk(w, walker));
    dpli_walker_free(walker);
    sweep(w);
}

/* ------------------------------------------------------------------ training */

typedef struct course {
    dpli_graph graph;
    dpli_team *team;
    dpli_tape *tape;
    dpli_loss *loss;
    dpli_optimizer *optimizer;
} course;

static void step(course *c)
{
    const dpli_pair pairs[] = {{0, 1, 1, .5f}, {2, 3, 0, .5f}};
    const dpli_progress at = {.n_steps = 1000, .steps_an_epoch = 100};
    double value, norm;

    dpli_tape_forward(c->tape, N_PICTURES, true, 1);
    must(dpli_loss_run(&value, c->loss,
                       &(dpli_loss_batch){.n = N_PICTURES,
                                          .embeddings = dpli_tape_output(c->tape)->value,
                                          .grad = dpli_tape_output(c->tape)->grad,
                                          .pairs = pairs,
                                          .n_pairs = 2},
                       c->team, NULL, &err));
    dpli_tape_backward(c->tape);
    dpli_optimizer_step(c->optimizer, &at, c->team, &norm);
}

static void train(void)
{
    const dpli_tape_options tape_options = {.max_bytes = (size_t)1 << 30};
    uint8_t *bytes = NULL;
    size_t n_bytes;
    dpli_optimizer_options how = dpli_optimizer_defaults(DPLI_ADAM);
    dpli_param *params[256];
    int32_t n_params = 0;
    course c = {0};

    dpl_blas_set_threads(1);
    must(dpli_team_new(&c.team, 1, &err));
    must(dpli_file_read(&bytes, &n_bytes, DPL_SOURCE_DIR "/tests/golden/net/resnet_prelu.onnx",
                        1 << 20, &err));
    must(dpli_graph_for_training(&c.graph, bytes, n_bytes, &err));
    must(dpli_tape_new(&c.tape, &c.graph, c.team, &(dpl_shape){4, {N_PICTURES, 3, SIDE, SIDE}},
                       &tape_options, &err));
    for (int32_t i = 0; i < dpli_tape_n_params(c.tape); i++)
        params[n_params++] = dpli_tape_param(c.tape, i);
    dpli_init_run(params, n_params, DPLI_INIT_HE, 1);
    must(dpli_loss_new(&c.loss,
                       &(dpli_loss_options){.kind = DPLI_LOSS_CONTRASTIVE,
                                            .dim = dpli_tape_output(c.tape)->c,
                                            .margin = 1},
                       &err));
    how.rate = 1e-4;
    must(dpli_optimizer_new(&c.optimizer, &how, NULL, 0, params, n_params, &err));
    fill(dpli_tape_input(c.tape)->value, dpli_tensor_floats(dpli_tape_input(c.tape)));
    COUNTED(step(&c));
    dpli_optimizer_free(c.optimizer);
    dpli_loss_free(c.loss);
    dpli_tape_free(c.tape);
    dpli_graph_clear(&c.graph);
    free(bytes);
    dpli_team_free(c.team);
}

/* ------------------------------------------------------------------ enrolling */

/* Photos first to first + n - 1, a face each, ten of each person. */
static void put_photos(dpl_gallery *gallery, const float *rows, unsigned first, unsigned n)
{
    static const uint8_t thumb[4096];
    struct {
        char path[32], person[32], sha256[65];
        dpl_new_template template;
    } *texts = some(n, sizeof *texts);
    dpl_new_photo *photos = some(n, sizeof *photos);

    for (unsigned i = 0; i < n; i++) {
        const unsigned at = first + i;

        snprintf(texts[i].path, sizeof texts[i].path, "/photos/%u.jpg", at);
        snprintf(texts[i].person, sizeof texts[i].person, "person %u", at / 10);
        /* In no order, as hashes are. */
        snprintf(texts[i].sha256, sizeof texts[i].sha256, "%08x%056x", at * 2654435761U, at);
        texts[i].template = (dpl_new_template){.space = "face",
                                               .vector = rows + (size_t)(at % N_ROWS) * DIM,
                                               .dim = DIM,
                                               .thumb = thumb,
                                               .n_thumb = sizeof thumb};
        texts[i].template.face.w_px = texts[i].template.face.h_px = 100;
        photos[i] = (dpl_new_photo){.row = {.path = texts[i].path,
                                            .person = texts[i].person,
                                            .sha256 = texts[i].sha256,
                                            .reason = "",
                                            .options = "",
                                            .n_faces = 1},
                                    .templates = &texts[i].template,
                                    .n_templates = 1};
    }
    must(dpl_gallery_put(gallery, photos, n, &err));
    free(photos);
    free(texts);
}

/* A gallery of n photos, in a folder that is then removed. */
typedef struct place {
    char dir[16];
    dpl_gallery *gallery;
    float *rows; /* [N_ROWS, DIM] */
} place;

static void fill_place(place *p, unsigned n)
{
    enum { A_COMMIT = 500 };
    static const char hash[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const dpli_binding binding = {"face", hash, "work", "cosine", DIM, NULL, NULL};

    *p = (place){.dir = "gallery-XXXXXX", .rows = some((size_t)N_ROWS * DIM, sizeof *p->rows)};
    fill(p->rows, (size_t)N_ROWS * DIM);
    if (!mkdtemp(p->dir))
        exit(5);
    must(dpl_gallery_open(&p->gallery, p->dir, DPL_GALLERY_CREATE, &err));
    must(dpli_gallery_bind(p->gallery, &binding, &err));
    for (unsigned first = 0; first < n; first += A_COMMIT)
        put_photos(p->gallery, p->rows, first, A_COMMIT);
}

static void leave(place *p)
{
    char command[64];

    dpl_gallery_close(p->gallery);
    free(p->rows);
    snprintf(command, sizeof command, "rm -r %s", p->dir);
    if (system(command) != 0)
        exit(5);
}

/* Some photos more, one at a time, where there are many: what they take is to be that of where
   there are few. Some, as now and then one takes more: the database puts its log into its file. */
static void enroll(void)
{
    enum { N_PUT = 20000, N_COUNTED = 8 };
    place p;

    fill_place(&p, N_PUT);
    put_photos(p.gallery, p.rows, N_PUT, 1);
    COUNTED(for (unsigned i = 1; i <= N_COUNTED; i++) put_photos(p.gallery, p.rows, N_PUT + i, 1));
    leave(&p);
}

/* ------------------------------------------------------------------ encrypted */

/* What a search does that has no index: every vector out of its row. */
static void read_rows(bool encrypted)
{
    enum { N = 1000 };
    place p;
    dpli_vectors v;
    dpl_key_options key = DPL_KEY_OPTIONS_INIT;
    char file[64];

    fill_place(&p, N);
    snprintf(file, sizeof file, "%s/key", p.dir);
    key.key_file = file;
    if (encrypted)
        must(dpl_gallery_encrypt(p.gallery, &key, &err));
    COUNTED(must(dpli_gallery_load(&v, p.gallery, "face", DIM, true, &err)));
    if (v.n != N)
        exit(6);
    dpli_vectors_clear(&v);
    leave(&p);
}

static void read_plain(void)
{
    read_rows(false);
}

static void read_sealed(void)
{
    read_rows(true);
}

/* A mebibyte into a sealed file, and out of it. */
static void seal_file(void)
{
    enum { N = 1 << 20 };
    static const uint8_t key[DPLI_KEY_BYTES] = {1};
    uint8_t *bytes = some(N, 1);
    dpli_vault *file;

    must(dpli_secret_start(&err));
    CALLGRIND_START_INSTRUMENTATION;
    must(dpli_vault_make(&file, "sealed", key, &err));
    if (!dpli_vault_put(file, bytes, N) || !dpli_vault_finish(file))
        exit(5);
    dpli_vault_close(file);
    must(dpli_vault_open(&file, "sealed", key, &err));
    must(dpli_vault_read(file, bytes, N, 0, &err));
    dpli_vault_close(file);
    CALLGRIND_STOP_INSTRUMENTATION;
    unlink("sealed");
    free(bytes);
}

/* ------------------------------------------------------------------ which */

static const struct {
    const char *name;
    void (*run)(void);
} works[] = {
    {"detect", detect},
    {"align", align},
    {"encode", encode},
    {"sentence", sentence},
    {"exact", exact},
    {"build-graph", build_graph},
    {"walk-graph", walk_graph},
    {"train-step", train},
    {"enroll", enroll},
    {"read-plain", read_plain},
    {"read-sealed", read_sealed},
    {"seal-file", seal_file},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof works / sizeof *works; i++)
        if (strcmp(argv[1], works[i].name) == 0) {
            works[i].run();
            return 0;
        }
    fputs("usage: work NAME\n", stderr);
    return 2;
}

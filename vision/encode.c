/*
 * encode.c - from chips to vectors.
 *
 * Fourth stage of the pipeline: any ONNX net with one picture in and one vector out. What the net
 * expects of its input comes from the model's metadata, else from a preset; facts that change a
 * vector go into the hash that every vector carries.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/hash.h"
#include "base/mem.h"
#include "net/encoding.h"
#include "net/plan.h"
#include "net/scratch.h"
#include "vision/encoder.h"

#define MAX_BATCH   16
#define MAX_SIDE_PX 4096

/* Facts of well-known kinds of encoder whose files do not state them. */
typedef struct dpli_preset {
    const char *name;
    const char *facts[8][2];
} dpli_preset;

#define ARCFACE_TEMPLATE                                                                           \
    "38.2946,51.6963 73.5318,51.5014 56.0252,71.7366 41.5493,92.3655 70.7299,92.2041"

static const dpli_preset presets[] = {
    {"arcface-112",
     {{"kind", "face-encoder"},
      {"template", ARCFACE_TEMPLATE},
      {"mean", "127.5"},
      {"std", "127.5"},
      {"color", "rgb"},
      {"head", "cosine"}}},
    {"sface-112",
     {{"kind", "face-encoder"},
      {"template", ARCFACE_TEMPLATE},
      {"mean", "0"},
      {"std", "1"},
      {"color", "bgr"},
      {"head", "cosine"}}},
    {"clip-224",
     {{"kind", "image-encoder"},
      {"input", "224x224x3"},
      {"mean", "122.7709383,116.7460125,104.0937362"},
      {"std", "68.5005327,66.6321579,70.3231630"},
      {"color", "rgb"},
      {"head", "cosine"}}},
    {"koch-105",
     {{"kind", "face-encoder"},
      {"mean", "0"},
      {"std", "255"},
      {"color", "grey"},
      {"head", "l1-sigmoid"},
      {"normalize", "none"}}},
};
#define N_PRESETS ((int32_t)(sizeof presets / sizeof presets[0]))

const char *dpl_encoder_preset_name(int32_t i)
{
    return i >= 0 && i < N_PRESETS ? presets[i].name : NULL;
}

const char *dpl_encoder_fact(const dpl_encoder *encoder, const char *name)
{
    char key[64];
    const char *value;

    snprintf(key, sizeof key, "doppel.%s", name);
    value = dpl_net_meta(encoder->net, key);
    if (value || !encoder->preset)
        return value;
    for (size_t i = 0; i < sizeof encoder->preset->facts / sizeof encoder->preset->facts[0]; i++) {
        const char *const *fact = encoder->preset->facts[i];
        if (fact[0] && strcmp(fact[0], name) == 0)
            return fact[1];
    }
    return NULL;
}

/* Read up to max finite numbers, parted by commas, spaces or semicolons; -1 when there is anything
 * else. */
static int read_numbers(float *out, int max, const char *text)
{
    int n = 0;

    while (*text) {
        char *end;
        text += strspn(text, ", ;()");
        if (!*text)
            break;
        errno = 0;
        const float v = strtof(text, &end);
        if (end == text || errno || !isfinite(v) || n == max)
            return -1;
        out[n++] = v;
        text = end;
    }
    return n;
}

/* A fact of one number for all channels, or one a channel. */
static dpl_status read_channels(float out[3], const dpl_encoder *e, const char *name,
                                float otherwise, dpl_error *err)
{
    const char *text = dpl_encoder_fact(e, name);
    const int n = text ? read_numbers(out, 3, text) : 1;

    if (!text)
        out[0] = otherwise;
    if (n != 1 && n != 3)
        return dpli_fail(err, DPL_E_MODEL, "fact \"%s\" is \"%.40s\", not one number or three",
                         name, text);
    if (n == 1)
        out[1] = out[2] = out[0];
    return DPL_OK;
}

static dpl_status read_template(dpl_encoder *e, dpl_error *err)
{
    const char *text = dpl_encoder_fact(e, "template");
    float v[10];

    if (!text)
        return DPL_OK;
    if (read_numbers(v, 10, text) != 10)
        return dpli_fail(err, DPL_E_MODEL, "fact \"template\" is not five points \"x,y\"");
    for (int i = 0; i < 5; i++)
        e->template_points[i] = (dpl_point){v[2 * i], v[2 * i + 1]};
    e->has_template = true;
    return DPL_OK;
}

/* One of the words, or the first when the fact is absent; -1 and err for any other. */
static int read_word(const dpl_encoder *e, const char *name, const char *const *words,
                     dpl_error *err)
{
    const char *text = dpl_encoder_fact(e, name);

    if (!text)
        return 0;
    for (int i = 0; words[i]; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    dpli_fail(err, DPL_E_MODEL, "fact \"%s\" is \"%.40s\", which is not known", name, text);
    return -1;
}

/* Input size, channels and batch, from the declared shape; the size from the fact "input" when
 * free. */
static dpl_status read_input(dpl_encoder *e, dpl_error *err)
{
    const dpl_shape in = dpl_net_input_shape(e->net, 0);
    int64_t h, w, c;

    if (dpl_net_n_inputs(e->net) != 1 || dpl_net_n_outputs(e->net) < 1)
        return dpli_fail(err, DPL_E_MODEL, "an encoder has one input, this net has %d",
                         (int)dpl_net_n_inputs(e->net));
    if (dpl_net_input_type(e->net, 0) != DPL_TYPE_FLOAT32)
        return dpli_fail(err, DPL_E_MODEL, "an encoder takes pictures, this net takes ids");
    if (in.rank != 4)
        return dpli_fail(err, DPL_E_MODEL, "an encoder's input has 4 dimensions, this has %d",
                         (int)in.rank);
    e->channels_last = in.dims[1] != 1 && in.dims[1] != 3 && (in.dims[3] == 1 || in.dims[3] == 3);
    c = e->channels_last ? in.dims[3] : in.dims[1];
    h = e->channels_last ? in.dims[1] : in.dims[2];
    w = e->channels_last ? in.dims[2] : in.dims[3];
    if (h < 0 || w < 0) {
        const char *fact = dpl_encoder_fact(e, "input");
        int fact_h, fact_w;
        if (!fact || sscanf(fact, "%5dx%5d", &fact_h, &fact_w) != 2)
            return dpli_fail(err, DPL_E_MODEL,
                             "input size is free, and no fact \"input\" (\"105x105x3\") gives it");
        h = fact_h;
        w = fact_w;
    }
    if (c != 3 && c != 1)
        return dpli_fail(err, DPL_E_MODEL, "an encoder takes 1 or 3 channels, this takes %lld",
                         (long long)c);
    if (h < 8 || w < 8 || h > MAX_SIDE_PX || w > MAX_SIDE_PX)
        return dpli_fail(err, DPL_E_MODEL, "input of %lldx%lld pixels is not within 8..%d",
                         (long long)w, (long long)h, MAX_SIDE_PX);
    if (in.dims[0] > MAX_BATCH)
        return dpli_fail(err, DPL_E_MODEL, "input is a fixed batch of %lld, at most %d is taken",
                         (long long)in.dims[0], MAX_BATCH);
    e->batch = in.dims[0] > 0 ? (int32_t)in.dims[0] : 0;
    e->intake.h = (int32_t)h;
    e->intake.w = (int32_t)w;
    e->intake.c = (int32_t)c;

    static const char *const colors[] = {"rgb", "bgr", "grey", NULL};
    const int color = read_word(e, "color", colors, err);
    if (color < 0)
        return DPL_E_MODEL;
    e->intake.bgr = c == 3 && color == 1;
    if (c == 3 && color == 2)
        return dpli_fail(err, DPL_E_MODEL,
                         "fact \"color\" is \"grey\", but the input has 3 channels");
    return DPL_OK;
}

static dpl_shape input_shape(const dpl_encoder *e, int32_t n)
{
    const dpli_intake *in = &e->intake;

    if (e->channels_last)
        return (dpl_shape){4, {n, in->h, in->w, in->c}};
    return (dpl_shape){4, {n, in->c, in->h, in->w}};
}

/* Pixels are always written as rows of interleaved channels: for an NCHW net the plan takes NHWC,
 * and for a channels-last net that order is the tensor's own. */
static dpl_layout input_layout(const dpl_encoder *e)
{
    return e->channels_last ? DPL_LAYOUT_NCHW : DPL_LAYOUT_NHWC;
}

static dpl_status plan_for(dpl_plan **out, const dpl_encoder *e, dpl_scratch *scratch, int32_t n,
                           dpl_error *err)
{
    const dpl_shape shape = input_shape(e, n);

    return dpli_scratch_plan(out, scratch, e->net, &shape, input_layout(e), err);
}

size_t dpli_encoder_plan_bytes(const dpl_encoder *e)
{
    int32_t n = e->batch ? e->batch : MAX_BATCH;
    size_t bytes = 0;

    for (;; n /= 2) {
        const dpl_shape shape = input_shape(e, n);

        if (dpli_plan_measure(&bytes, e->net, &shape, input_layout(e), false, NULL) !=
                DPL_E_LIMIT ||
            e->batch || n == 1)
            return bytes;
    }
}

/* The vector's length, from a plan for one picture: [n, dim] or [n, dim, 1, 1]. */
static dpl_status read_dim(dpl_encoder *e, dpl_error *err)
{
    const int32_t n = e->batch ? e->batch : 1;
    dpl_scratch *scratch;
    dpl_plan *plan;
    dpl_status status = dpl_scratch_new(&scratch, 0, err);

    if (status != DPL_OK)
        return status;
    status = plan_for(&plan, e, scratch, n, err);
    status = dpli_encoding_blame(status, err);
    if (status == DPL_OK) {
        const dpl_shape out = dpl_plan_output_shape(plan, 0);
        int64_t dim = 1;
        for (int32_t i = 1; i < out.rank; i++)
            dim = dim > DPL_MAX_DIM ? dim : dim * out.dims[i];
        if (out.rank < 2 || out.dims[0] != n || dim < 1 || dim > DPL_MAX_DIM)
            status = dpli_fail(err, DPL_E_MODEL,
                               "output is not one vector of 1..%d numbers a picture", DPL_MAX_DIM);
        e->dim = (int32_t)dim;
    }
    dpl_scratch_free(scratch);
    return status;
}

static dpl_status make_hash(dpl_encoder *e, dpl_error *err)
{
    const dpli_intake *in = &e->intake;
    const int color = in->c == 1 ? 2 : in->bgr ? 1 : 0;
    dpli_sha256 s;
    char line[128];

    dpli_sha256_init(&s);
    dpli_sha256_add(&s, dpl_net_hash(e->net), 64);
    snprintf(line, sizeof line, "|%d|%d|%d|%d|%d|%d", (int)in->w, (int)in->h, color, e->normalize,
             e->has_template, e->channels_last);
    dpli_sha256_add(&s, line, strlen(line));
    dpli_sha256_add(&s, in->mean, sizeof in->mean);
    dpli_sha256_add(&s, in->std, sizeof in->std);
    if (e->has_template)
        dpli_sha256_add(&s, e->template_points, sizeof e->template_points);
    return dpli_sha256_hex(&s, e->hash, err);
}

static dpl_status read_facts(dpl_encoder *e, dpl_error *err)
{
    static const char *const normalize[] = {"l2", "none", NULL};
    static const char *const kinds[] = {"face-encoder", "image-encoder", NULL};
    dpl_status status = read_input(e, err);
    int word;

    if (status == DPL_OK)
        status = read_channels(e->intake.mean, e, "mean", 0, err);
    if (status == DPL_OK)
        status = read_channels(e->intake.std, e, "std", 1, err);
    if (status == DPL_OK)
        status = read_template(e, err);
    if (status != DPL_OK)
        return status;
    for (int i = 0; i < 3; i++)
        if (e->intake.std[i] == 0)
            return dpli_fail(err, DPL_E_MODEL, "fact \"std\" is 0");
    word = read_word(e, "normalize", normalize, err);
    if (word < 0)
        return DPL_E_MODEL;
    e->normalize = word == 0;
    word = read_word(e, "kind", kinds, err);
    if (word < 0)
        return DPL_E_MODEL;
    e->space = word == 0 ? "face" : "image";
    status = read_dim(e, err);
    return status == DPL_OK ? make_hash(e, err) : status;
}

dpl_status dpl_encoder_open(dpl_encoder **out, const char *path, const char *preset, dpl_error *err)
{
    return dpl_encoder_open_with(out, path, preset, NULL, err);
}

dpl_status dpl_encoder_open_with(dpl_encoder **out, const char *path, const char *preset,
                                 const dpl_net_options *options, dpl_error *err)
{
    dpl_encoder *e = dpli_calloc(1, sizeof *e, err);
    dpl_status status = DPL_E_MEMORY;

    *out = NULL;
    if (!e)
        goto done;
    if (preset) {
        for (int32_t i = 0; i < N_PRESETS; i++)
            if (strcmp(presets[i].name, preset) == 0)
                e->preset = &presets[i];
        if (!e->preset) {
            status = dpli_fail(err, DPL_E_ARGUMENT, "no preset is named \"%s\"", preset);
            goto done;
        }
    }
    status = dpl_net_open(&e->net, path, options, err);
    if (status != DPL_OK) {
        status = dpli_encoding_blame(status, err);
        goto done;
    }
    status = read_facts(e, err);
    if (status != DPL_OK) {
        dpli_fail_in(err, status, path);
        goto done;
    }
    e->path = dpli_strdup(path, err);
    status = e->path ? DPL_OK : DPL_E_MEMORY;
    if (status != DPL_OK)
        goto done;
    *out = e;
    e = NULL;
done:
    dpl_encoder_close(e);
    return status;
}

void dpl_encoder_close(dpl_encoder *encoder)
{
    if (!encoder)
        return;
    dpl_net_close(encoder->net);
    free(encoder->path);
    free(encoder);
}

const dpl_net *dpl_encoder_net(const dpl_encoder *encoder)
{
    return encoder->net;
}

const char *dpl_encoder_path(const dpl_encoder *encoder)
{
    return encoder->path;
}

const char *dpl_encoder_preset(const dpl_encoder *encoder)
{
    return encoder->preset ? encoder->preset->name : NULL;
}

int32_t dpl_encoder_width_px(const dpl_encoder *encoder)
{
    return encoder->intake.w;
}

int32_t dpl_encoder_height_px(const dpl_encoder *encoder)
{
    return encoder->intake.h;
}

int32_t dpl_encoder_dim(const dpl_encoder *encoder)
{
    return encoder->dim;
}

const char *dpl_encoder_space(const dpl_encoder *encoder)
{
    return encoder->space;
}

const char *dpl_encoder_hash(const dpl_encoder *encoder)
{
    return encoder->hash;
}

dpl_status dpl_encode(float *out, const dpl_encoder *encoder, dpl_scratch *scratch,
                      const uint8_t *chips, size_t n, dpl_error *err)
{
    const dpli_intake *intake = &encoder->intake;
    const size_t pixels = (size_t)intake->w * (size_t)intake->h;
    const size_t dim = (size_t)encoder->dim, channels = (size_t)intake->c;
    size_t batch = encoder->batch ? (size_t)encoder->batch : MAX_BATCH;

    for (size_t at = 0; at < n;) {
        const size_t left = n - at;
        dpl_plan *plan;
        dpl_status status;

        /* Powers of two, so that few plans are kept. A large net may run fewer at once than 16. */
        while (!encoder->batch && batch > left)
            batch /= 2;
        status = plan_for(&plan, encoder, scratch, (int32_t)batch, err);
        while (status == DPL_E_LIMIT && !encoder->batch && batch > 1) {
            batch /= 2;
            status = plan_for(&plan, encoder, scratch, (int32_t)batch, err);
        }
        if (status != DPL_OK)
            return dpli_encoding_blame(status, err);
        const size_t real = left < batch ? left : batch;
        float *in = dpl_plan_input(plan, 0);
        for (size_t i = 0; i < real; i++)
            dpli_intake_run_rgb(in + i * pixels * channels, intake, chips + (at + i) * pixels * 3);
        /* a net of fixed batch gets zeros where there is no chip */
        memset(in + real * pixels * channels, 0, (batch - real) * pixels * channels * sizeof *in);
        status = dpl_plan_run(plan, err);
        if (status != DPL_OK)
            return status;
        for (size_t i = 0; i < real; i++)
            if (!dpli_encoding_take(out + (at + i) * dim, dpl_plan_output(plan, 0) + i * dim,
                                    encoder->dim, encoder->normalize))
                return dpli_fail(err, DPL_E_NUMERIC, "vector of chip %zu is all zero or not finite",
                                 at + i);
        at += real;
    }
    return DPL_OK;
}

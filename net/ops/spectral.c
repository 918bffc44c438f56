/*
 * spectral.c - convolution forward and back through the discrete Fourier transform.
 *
 * Lines and columns are transformed one after the other. A picture [h, w, c] is real, so that of
 * its size_h frequencies down only n_v = size_h / 2 + 1 are kept; across there are all size_w:
 *
 *     down    t [v, re/im, x, c]  =  down [2 n_v, h]  .  picture [h, w c]
 *     across  f [u, re/im, c]     =  across [2 size_w, 2 w]  .  t[v] [2 w, c]      for each v
 *
 * and back by the transposed matrices, down's with each frequency's weight (2 for the pairs of
 * which one is kept) over size_h size_w. Padding is where the picture stands in its transform.
 * Frequencies are cut over the threads, so that each makes the kernel's transform for its own.
 */
#include "net/ops/spectral.h"

#include "net/blas.h"

#include <math.h>
#include <string.h>

/* Frequencies across for which the kernel's transform is made at once: it stays in the L2 cache for
 * usual numbers of channels. */
#define N_ACROSS 12

/* One of the three things transformed: input, output, kernel. */
typedef struct axis_pair {
    int32_t h, w;
    float *down;   /* [2 n_v, h] */
    float *up;     /* the same times the weights of the way back */
    float *across; /* [2 size_w, 2 w] */
} axis_pair;

struct dpli_spectral {
    int32_t n, in_c, out_c;
    int32_t size_h, size_w, n_v;
    axis_pair in, out, kernel;
    float *turned; /* [3 size_w, 2 kernel_w]: rows -im, re, im of each frequency of the kernel */
    float matrices[];
};

/* ------------------------------------------------------------------ what it costs */

static double transform_macs(double h, double w, double c, double size_h, double size_w)
{
    double n_v = floor(size_h / 2) + 1;

    return 2 * n_v * h * w * c + n_v * 4 * size_w * w * c;
}

bool dpli_spectral_pays(const dpli_conv *c)
{
    double size_h = c->out_h + c->kernel_h - 1, size_w = c->out_w + c->kernel_w - 1;
    double n_f = (floor(size_h / 2) + 1) * size_w, io = (double)c->in_c * c->out_c;
    double direct, spectral;

    if (c->stride_h != 1 || c->stride_w != 1 || c->dilation_h != 1 || c->dilation_w != 1 ||
        c->groups != 1 || c->in_c < 8 || c->out_c < 8 || size_h > 128 || size_w > 128)
        return false;
    /* Forward and both gradients, a picture. */
    direct = 3.0 * c->out_h * c->out_w * c->kernel_h * c->kernel_w * io;
    spectral = 12.0 * n_f * io + 2 * transform_macs(c->in_h, c->in_w, c->in_c, size_h, size_w) +
               2 * transform_macs(c->out_h, c->out_w, c->out_c, size_h, size_w) +
               4 * transform_macs(c->kernel_h, c->kernel_w, io, size_h, size_w) / c->n;
    /* Its products are many and small, and what goes between them goes through memory. */
    return 1.8 * spectral < direct;
}

/* ------------------------------------------------------------------ making the matrices */

static void fill(const dpli_spectral *s, axis_pair *a, int32_t top, int32_t left)
{
    const double turn = 2 * 3.14159265358979323846;

    for (int32_t v = 0; v < s->n_v; v++) {
        double weight = (v == 0 || 2 * v == s->size_h ? 1.0 : 2.0) / s->size_h / s->size_w;

        for (int32_t y = 0; y < a->h; y++) {
            double t = turn * (double)((int64_t)v * (y + top) % s->size_h) / s->size_h;
            float *to = a->down + (int64_t)2 * v * a->h + y, *up = a->up + (to - a->down);

            to[0] = (float)cos(t);
            to[a->h] = (float)-sin(t);
            up[0] = (float)(cos(t) * weight);
            up[a->h] = (float)(-sin(t) * weight);
        }
    }
    for (int32_t u = 0; u < s->size_w; u++) {
        float *re = a->across + (int64_t)4 * u * a->w, *im = re + 2 * a->w;

        for (int32_t x = 0; x < a->w; x++) {
            double t = turn * (double)((int64_t)u * (x + left) % s->size_w) / s->size_w;

            re[x] = im[a->w + x] = (float)cos(t);
            re[a->w + x] = (float)sin(t);
            im[x] = (float)-sin(t);
        }
    }
}

static size_t matrix_floats(const dpli_spectral *s, const axis_pair *a)
{
    return (size_t)4 * ((size_t)s->n_v * (size_t)a->h) +
           (size_t)4 * (size_t)s->size_w * (size_t)a->w;
}

static float *take(float **at, size_t floats)
{
    float *taken = *at;

    *at += floats;
    return taken;
}

static void set_out(const dpli_spectral *s, axis_pair *a, float **at)
{
    a->down = take(at, (size_t)2 * (size_t)s->n_v * (size_t)a->h);
    a->up = take(at, (size_t)2 * (size_t)s->n_v * (size_t)a->h);
    a->across = take(at, (size_t)4 * (size_t)s->size_w * (size_t)a->w);
}

static dpli_spectral geometry(const dpli_conv *c)
{
    dpli_spectral s = {.n = c->n,
                       .in_c = c->in_c,
                       .out_c = c->out_c,
                       .size_h = c->out_h + c->kernel_h - 1,
                       .size_w = c->out_w + c->kernel_w - 1};

    s.n_v = s.size_h / 2 + 1;
    s.in = (axis_pair){.h = c->in_h, .w = c->in_w};
    s.out = (axis_pair){.h = c->out_h, .w = c->out_w};
    s.kernel = (axis_pair){.h = c->kernel_h, .w = c->kernel_w};
    return s;
}

size_t dpli_spectral_bytes(const dpli_conv *c)
{
    const dpli_spectral s = geometry(c);
    /* Sides are at most 128 (dpli_spectral_pays): nothing here can overflow. */
    size_t floats = matrix_floats(&s, &s.in) + matrix_floats(&s, &s.out) +
                    matrix_floats(&s, &s.kernel) +
                    (size_t)6 * (size_t)s.size_w * (size_t)s.kernel.w;

    return sizeof s + floats * sizeof(float);
}

dpli_spectral *dpli_spectral_init(void *place, const dpli_conv *c)
{
    dpli_spectral *s = place;
    float *at;

    *s = geometry(c);
    at = s->matrices;
    set_out(s, &s->in, &at);
    set_out(s, &s->out, &at);
    set_out(s, &s->kernel, &at);
    s->turned = take(&at, (size_t)6 * (size_t)s->size_w * (size_t)c->kernel_w);
    fill(s, &s->in, c->pad_top, c->pad_left);
    fill(s, &s->out, 0, 0);
    fill(s, &s->kernel, 0, 0);
    for (int32_t u = 0; u < s->size_w; u++) {
        const size_t row = (size_t)2 * (size_t)s->kernel.w;
        const float *from = s->kernel.across + (size_t)u * 2 * row;
        float *to = s->turned + (size_t)u * 3 * row;

        for (size_t i = 0; i < row; i++)
            to[i] = -from[row + i];
        memcpy(to + row, from, 2 * row * sizeof *to);
    }
    return s;
}

/* ------------------------------------------------------------------ memory */

/* Floats of one picture's transform. */
static size_t picture_floats(const dpli_spectral *s, int32_t c)
{
    return (size_t)s->n_v * (size_t)s->size_w * 2 * (size_t)c;
}

static size_t kernel_floats(const dpli_spectral *s)
{
    return (size_t)s->kernel.h * (size_t)s->kernel.w * (size_t)s->in_c * (size_t)s->out_c;
}

/* Of one worker: between down and across; or a kernel's transform, its gradient's, and the
 * gradient. */
static size_t worker_floats(const dpli_spectral *s)
{
    size_t io = (size_t)s->in_c * (size_t)s->out_c, two_v = (size_t)2 * (size_t)s->n_v;
    size_t in = two_v * (size_t)s->in.w * (size_t)s->in_c;
    size_t out = two_v * (size_t)s->out.w * (size_t)s->out_c;
    size_t kernel =
        (size_t)4 * (size_t)s->kernel.w * io + (size_t)5 * N_ACROSS * io + kernel_floats(s);
    size_t most = in > out ? in : out;

    return ((kernel > most ? kernel : most) + 15) / 16 * 16;
}

size_t dpli_spectral_kept_floats(const dpli_spectral *s)
{
    return (size_t)s->n * picture_floats(s, s->in_c);
}

size_t dpli_spectral_scratch_floats(const dpli_spectral *s, int n_workers)
{
    return (size_t)s->n * (picture_floats(s, s->in_c) + picture_floats(s, s->out_c)) +
           (kernel_floats(s) + 15) / 16 * 16 + (size_t)n_workers * worker_floats(s);
}

/* ------------------------------------------------------------------ a pass */

typedef struct pass {
    const dpli_spectral *s;
    const axis_pair *axes;
    size_t n, c;
    float *spectra;    /* of the pictures being transformed */
    const float *from; /* pictures */
    float *to;
    float beta;
    const float *in;     /* the input's spectra, [n, v, u, re/im, c] */
    float *out;          /* and the output's */
    const float *weight; /* [kernel_h, kernel_w, in_c, out_c] */
    float *dw;           /* ONNX's [out_c, in_c, kernel_h, kernel_w] */
    bool want_dx, want_dw;
    float *workers;
    bool *has_part;
} pass;

static float *of_worker(const pass *p, int worker)
{
    return p->workers + (size_t)worker * worker_floats(p->s);
}

static void to_spectra(void *ctx, int worker, size_t from, size_t to)
{
    const pass *p = ctx;
    const dpli_spectral *s = p->s;
    const axis_pair *a = p->axes;
    const size_t h = (size_t)a->h, w = (size_t)a->w, c = p->c, n_v = (size_t)s->n_v;
    const size_t size_w = (size_t)s->size_w;
    float *t = of_worker(p, worker);

    for (size_t i = from; i < to; i++) {
        float *out = p->spectra + i * n_v * size_w * 2 * c;

        dpli_gemm(0, 0, 2 * n_v, w * c, h, 1.0f, a->down, h, p->from + i * h * w * c, w * c, 0.0f,
                  t, w * c);
        for (size_t v = 0; v < n_v; v++)
            dpli_gemm(0, 0, 2 * size_w, c, 2 * w, 1.0f, a->across, 2 * w, t + v * 2 * w * c, c,
                      0.0f, out + v * size_w * 2 * c, c);
    }
}

static void from_spectra(void *ctx, int worker, size_t from, size_t to)
{
    const pass *p = ctx;
    const dpli_spectral *s = p->s;
    const axis_pair *a = p->axes;
    const size_t h = (size_t)a->h, w = (size_t)a->w, c = p->c, n_v = (size_t)s->n_v;
    const size_t size_w = (size_t)s->size_w;
    float *t = of_worker(p, worker);

    for (size_t i = from; i < to; i++) {
        const float *in = p->spectra + i * n_v * size_w * 2 * c;

        for (size_t v = 0; v < n_v; v++)
            dpli_gemm(1, 0, 2 * w, c, 2 * size_w, 1.0f, a->across, 2 * w, in + v * size_w * 2 * c,
                      c, 0.0f, t + v * 2 * w * c, c);
        dpli_gemm(1, 0, h, w * c, 2 * n_v, 1.0f, a->up, h, t, w * c, p->beta, p->to + i * h * w * c,
                  w * c);
    }
}

/* The kernel's spectrum is, for each frequency, rows -im, re, im of [in_c, out_c]: the first two
 * over one another are what makes the output's imaginary part, the last two its real part. */

static void kernel_down(const pass *p, float *t, size_t v)
{
    const dpli_spectral *s = p->s;
    const size_t row = (size_t)s->kernel.w * (size_t)s->in_c * (size_t)s->out_c;
    const size_t h = (size_t)s->kernel.h;

    dpli_gemm(0, 0, 2, row, h, 1.0f, s->kernel.down + 2 * v * h, h, p->weight, row, 0.0f, t, row);
}

static void kernel_across(const pass *p, float *k, const float *t, size_t u, size_t n_u)
{
    const dpli_spectral *s = p->s;
    const size_t w2 = (size_t)2 * (size_t)s->kernel.w, io = (size_t)s->in_c * (size_t)s->out_c;

    dpli_gemm(0, 0, 3 * n_u, io, w2, 1.0f, s->turned + u * 3 * w2, w2, t, io, 0.0f, k, io);
}

static void multiply(void *ctx, int worker, size_t from, size_t to)
{
    const pass *p = ctx;
    const dpli_spectral *s = p->s;
    const size_t in_c = (size_t)s->in_c, out_c = (size_t)s->out_c, io = in_c * out_c;
    const size_t size_w = (size_t)s->size_w, n_f = (size_t)s->n_v * size_w;
    float *t = of_worker(p, worker), *spectrum = t + (size_t)2 * (size_t)s->kernel.w * io;

    for (size_t v = from; v < to; v++) {
        kernel_down(p, t, v);
        for (size_t u = 0; u < size_w; u += N_ACROSS) {
            const size_t n_u = size_w - u < N_ACROSS ? size_w - u : N_ACROSS;

            kernel_across(p, spectrum, t, u, n_u);
            for (size_t j = 0; j < n_u; j++) {
                const size_t f = v * size_w + u + j;
                const float *x = p->in + f * 2 * in_c, *k = spectrum + j * 3 * io;
                float *y = p->out + f * 2 * out_c;

                dpli_gemm(0, 0, p->n, out_c, 2 * in_c, 1.0f, x, n_f * 2 * in_c, k + io, out_c, 0.0f,
                          y, n_f * 2 * out_c);
                dpli_gemm(0, 0, p->n, out_c, 2 * in_c, 1.0f, x, n_f * 2 * in_c, k, out_c, 0.0f,
                          y + out_c, n_f * 2 * out_c);
            }
        }
    }
}

/* [dyr | dyi] . [wr | -wi]^T and . [wi | wr]^T */
static void input_gradient(const pass *p, const float *k, float *dx, const float *dy)
{
    const dpli_spectral *s = p->s;
    const size_t in_c = (size_t)s->in_c, out_c = (size_t)s->out_c, io = in_c * out_c;
    const size_t n_f = (size_t)s->n_v * (size_t)s->size_w;
    const size_t ldx = n_f * 2 * in_c, ldy = n_f * 2 * out_c;
    const float *minus_im = k, *re = k + io, *im = k + 2 * io;

    dpli_gemm(0, 1, p->n, in_c, out_c, 1.0f, dy, ldy, re, out_c, 0.0f, dx, ldx);
    dpli_gemm(0, 1, p->n, in_c, out_c, 1.0f, dy + out_c, ldy, minus_im, out_c, 1.0f, dx, ldx);
    dpli_gemm(0, 1, p->n, in_c, out_c, 1.0f, dy, ldy, im, out_c, 0.0f, dx + in_c, ldx);
    dpli_gemm(0, 1, p->n, in_c, out_c, 1.0f, dy + out_c, ldy, re, out_c, 1.0f, dx + in_c, ldx);
}

/* re = xr^T dyr + xi^T dyi, im = xi^T dyr - xr^T dyi */
static void kernel_gradient(const pass *p, float *g, const float *x, const float *dy)
{
    const dpli_spectral *s = p->s;
    const size_t in_c = (size_t)s->in_c, out_c = (size_t)s->out_c, io = in_c * out_c;
    const size_t n_f = (size_t)s->n_v * (size_t)s->size_w;
    const size_t ldx = n_f * 2 * in_c, ldy = n_f * 2 * out_c;
    const float *xr = x, *xi = x + in_c, *yr = dy, *yi = dy + out_c;

    dpli_gemm(1, 0, in_c, out_c, p->n, 1.0f, xr, ldx, yr, ldy, 0.0f, g, out_c);
    dpli_gemm(1, 0, in_c, out_c, p->n, 1.0f, xi, ldx, yi, ldy, 1.0f, g, out_c);
    dpli_gemm(1, 0, in_c, out_c, p->n, 1.0f, xi, ldx, yr, ldy, 0.0f, g + io, out_c);
    dpli_gemm(1, 0, in_c, out_c, p->n, -1.0f, xr, ldx, yi, ldy, 1.0f, g + io, out_c);
}

static void multiply_back(void *ctx, int worker, size_t from, size_t to)
{
    const pass *p = ctx;
    const dpli_spectral *s = p->s;
    const size_t in_c = (size_t)s->in_c, out_c = (size_t)s->out_c, io = in_c * out_c;
    const size_t size_w = (size_t)s->size_w, w2 = (size_t)2 * (size_t)s->kernel.w;
    const size_t k_h = (size_t)s->kernel.h, row = (size_t)s->kernel.w * io;
    float *t = of_worker(p, worker), *spectrum = t + w2 * io, *g = spectrum + 3 * N_ACROSS * io;
    float *gt = g + 2 * N_ACROSS * io, *part = gt + w2 * io;

    p->has_part[worker] = true;
    memset(part, 0, kernel_floats(s) * sizeof *part);
    for (size_t v = from; v < to; v++) {
        kernel_down(p, t, v);
        for (size_t u = 0; u < size_w; u += N_ACROSS) {
            const size_t n_u = size_w - u < N_ACROSS ? size_w - u : N_ACROSS;

            if (p->want_dx)
                kernel_across(p, spectrum, t, u, n_u);
            for (size_t j = 0; j < n_u; j++) {
                const size_t f = v * size_w + u + j;
                const float *dy = p->out + f * 2 * out_c;

                if (p->want_dw)
                    kernel_gradient(p, g + j * 2 * io, p->in + f * 2 * in_c, dy);
                if (p->want_dx)
                    input_gradient(p, spectrum + j * 3 * io, p->spectra + f * 2 * in_c, dy);
            }
            if (p->want_dw)
                dpli_gemm(1, 0, w2, io, 2 * n_u, 1.0f, s->kernel.across + u * 2 * w2, w2, g, io,
                          u ? 1.0f : 0.0f, gt, io);
        }
        if (p->want_dw)
            dpli_gemm(1, 0, k_h, row, 2, 1.0f, s->kernel.up + 2 * v * k_h, k_h, gt, row, 1.0f, part,
                      row);
    }
}

/* ------------------------------------------------------------------ the kernel's order */

/* [out_c, in_c, taps] <-> [taps, in_c, out_c], over outputs. */
static void turn_kernel(void *ctx, int worker, size_t from, size_t to)
{
    const pass *p = ctx;
    const size_t in_c = (size_t)p->s->in_c, out_c = (size_t)p->s->out_c;
    const size_t taps = kernel_floats(p->s) / in_c / out_c;

    (void)worker;
    for (size_t o = from; o < to; o++) {
        for (size_t i = 0; i < in_c; i++) {
            for (size_t k = 0; k < taps; k++)
                p->to[(k * in_c + i) * out_c + o] = p->from[(o * in_c + i) * taps + k];
        }
    }
}

static void gather_kernel(void *ctx, int worker, size_t from, size_t to)
{
    const pass *p = ctx;
    const size_t in_c = (size_t)p->s->in_c, out_c = (size_t)p->s->out_c, io = in_c * out_c;
    const size_t taps = kernel_floats(p->s) / io, w2 = (size_t)2 * (size_t)p->s->kernel.w;
    const size_t part_at = 2 * w2 * io + (size_t)5 * N_ACROSS * io;

    (void)worker;
    for (size_t o = from; o < to; o++) {
        for (size_t i = 0; i < in_c; i++) {
            for (size_t k = 0; k < taps; k++) {
                float sum = 0;

                for (int j = 0; p->has_part[j]; j++)
                    sum += of_worker(p, j)[part_at + (k * in_c + i) * out_c + o];
                p->dw[(o * in_c + i) * taps + k] = sum;
            }
        }
    }
}

/* ------------------------------------------------------------------ the two ways */

static pass begin(const dpli_spectral *s, int32_t n, const float *weight, float *scratch,
                  dpli_team *team)
{
    pass p = {.s = s, .n = (size_t)n};

    p.out = scratch;
    p.to = p.out + (size_t)s->n * (picture_floats(s, s->in_c) + picture_floats(s, s->out_c));
    p.workers = p.to + (kernel_floats(s) + 15) / 16 * 16;
    p.from = weight;
    dpli_team_run(team, (size_t)s->out_c, turn_kernel, &p);
    p.weight = p.to;
    return p;
}

void dpli_spectral_forward(const dpli_spectral *s, dpli_team *team, int32_t n, float *y,
                           const float *x, const float *weight, float *kept, float *scratch)
{
    pass p = begin(s, n, weight, scratch, team);

    p.in = kept;
    p.spectra = kept;
    p.axes = &s->in;
    p.c = (size_t)s->in_c;
    p.from = x;
    dpli_team_run(team, p.n, to_spectra, &p);
    dpli_team_run(team, (size_t)s->n_v, multiply, &p);
    p.spectra = p.out;
    p.axes = &s->out;
    p.c = (size_t)s->out_c;
    p.to = y;
    p.beta = 0;
    dpli_team_run(team, p.n, from_spectra, &p);
}

void dpli_spectral_backward(const dpli_spectral *s, dpli_team *team, int32_t n, float *dx, bool add,
                            float *dw, const float *dy, const float *weight, const float *kept,
                            float *scratch)
{
    pass p = begin(s, n, weight, scratch, team);
    bool has_part[DPLI_MAX_TEAM + 1] = {false};

    p.in = kept;
    p.has_part = has_part;
    p.want_dx = dx != NULL;
    p.want_dw = dw != NULL;
    p.dw = dw;
    p.spectra = p.out;
    p.axes = &s->out;
    p.c = (size_t)s->out_c;
    p.from = dy;
    dpli_team_run(team, p.n, to_spectra, &p);
    p.spectra = p.out + (size_t)s->n * picture_floats(s, s->out_c);
    dpli_team_run(team, (size_t)s->n_v, multiply_back, &p);
    if (dw)
        dpli_team_run(team, (size_t)s->out_c, gather_kernel, &p);
    if (!dx)
        return;
    p.axes = &s->in;
    p.c = (size_t)s->in_c;
    p.to = dx;
    p.beta = add ? 1.0f : 0.0f;
    dpli_team_run(team, p.n, from_spectra, &p);
}

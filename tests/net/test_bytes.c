/*
 * test_bytes.c - the kernels of bytes against sums of whole numbers and an epilogue in double
 * precision: a result is the nearest number of its scale, but for float32's own error where two are
 * equally near.
 *
 * Run once a kind of processor (DOPPEL_CPU); exits 77 where the machine lacks the one asked for.
 */
#include "base/cpu.h"
#include "tests/net/kernel_case.h"

/* Of a step: what sums in float32 of numbers up to 2^24 steps may be off. */
#define NEAR 2e-3

static dpli_scale draw_scale(float range)
{
    const float scale = range * (1.0f + 0.5f * uniform()) / 255.0f;

    return (dpli_scale){scale, 1.0f / scale, (float)PICK(0, 1, 77, 128, 200, 255)};
}

static uint8_t *draw_bytes(size_t n)
{
    uint8_t *q = aligned(n);

    for (size_t i = 0; i < n; i++)
        q[i] = rng() >> 60 == 0 ? (uint8_t)PICK(0, 255) : (uint8_t)(rng() >> 33);
    return q;
}

/* [n, channels] with its channels padded, by numbers that must not count. */
static uint8_t *padded(const uint8_t *q, size_t n, size_t channels)
{
    const size_t wide = (size_t)dpli_narrow_channels((int32_t)channels);
    uint8_t *y = aligned(n * wide);

    for (size_t i = 0; i < n; i++)
        memcpy(y + i * wide, q + i * channels, channels);
    return y;
}

typedef struct byte_case {
    conv_case k;
    bool wide, rounded;
    dpli_scale in, out, added, first;
    float *scales; /* of weights */
    int32_t n_scales;
    float *bias, *slope;
    uint8_t *x, *residual;
    float *weight; /* whole */
    float *wide_residual;
} byte_case;

/* Pieces from .. end - 1 of a run over n pictures, which begin with picture `first`. */
static void run_bytes(const byte_case *b, int32_t first, int32_t n, void *y, const void *packed,
                      bool alias)
{
    dpli_conv c = b->k.c, narrow;
    const size_t in_c = (size_t)c.in_c, out_c = (size_t)c.out_c;
    const size_t per_in = (size_t)c.in_h * (size_t)c.in_w, per = (size_t)c.out_h * (size_t)c.out_w;
    const size_t n_out = per * (size_t)n;
    uint8_t *x = padded(b->x + (size_t)first * per_in * in_c, per_in * (size_t)n, in_c);
    uint8_t *q = padded(b->residual + (size_t)first * per * out_c, n_out, out_c);
    const void *residual = q;
    dpli_epilogue e = {.act = make_act(b->k.act, NULL),
                       .wide_channels = b->wide ? c.out_c : 0,
                       .out = b->out,
                       .added = b->added,
                       .first = b->first,
                       .rounded = b->rounded};
    const size_t bytes =
        b->wide ? n_out * out_c * sizeof(float) : n_out * (size_t)dpli_narrow_channels(c.out_c);
    void *scratch;
    size_t units;

    c.n = n;
    narrow = dpli_conv_narrowed(&c);
    narrow.outside = (uint8_t)b->in.zero;
    scratch = aligned(dpli_conv_scratch_bytes(&narrow));
    if (b->wide)
        residual = b->wide_residual + (size_t)first * per * out_c;
    if (alias) {
        memcpy(y, residual, bytes);
        residual = y;
    }
    if (b->k.before)
        e.before = residual;
    if (b->k.after)
        e.after = residual;
    units = dpli_conv_units(&narrow);
    dpli_bytes_conv_run_part(&narrow, y, x, packed, &e, scratch, units / 2, units);
    memset(scratch, 0xff, dpli_conv_scratch_bytes(&narrow));
    dpli_bytes_conv_run_part(&narrow, y, x, packed, &e, scratch, 0, units / 2);
    free(scratch);
    free(x);
    free(q);
}

/* The result that a run of the case must give, in double, from the whole sum. */
static double want_of(const byte_case *b, size_t at, double sum, double *slack)
{
    const size_t channel = at % (size_t)b->k.c.out_c;
    const dpli_act act = make_act(b->k.act, b->slope);
    const double factor = (double)b->in.scale * (double)b->scales[b->n_scales == 1 ? 0 : channel];
    double y = sum * factor + (b->bias ? (double)b->bias[channel] : 0), residual;

    *slack = (fabs(sum * factor) + fabs(y)) * 1e-6;
    residual = b->wide ? (double)b->wide_residual[at]
                       : ((double)b->residual[at] - (double)b->added.zero) * (double)b->added.scale;
    if (b->rounded) {
        const double q = y / (double)b->first.scale + (double)b->first.zero;
        const double kept = q < 0 ? 0 : q > 255 ? 255 : q;

        if (fabs(fabs(kept - floor(kept)) - 0.5) < NEAR)
            *slack += (double)b->first.scale;
        y = (nearbyint(kept) - (double)b->first.zero) * (double)b->first.scale;
    }
    if (b->k.before)
        y += residual;
    *slack *= act_gain(&act, y);
    y = act_double(&act, y, channel);
    *slack += act_error(&act, y) + fabs(y) * 1e-6;
    if (b->k.after) {
        y += residual;
        *slack += EPS * fabs(y);
    }
    return y;
}

static void check_bytes(const conv_case *k, bool wide, bool rounded)
{
    const dpli_conv *c = &k->c;
    const size_t n_in = in_size(c), n_out = out_size(c), n_weight = weight_size(c);
    const size_t out_c = (size_t)c->out_c, wide_c = (size_t)dpli_narrow_channels(c->out_c);
    const size_t bytes = wide ? n_out * sizeof(float) : n_out / out_c * wide_c;
    const double terms = (double)n_weight / (double)out_c;
    byte_case b = {.k = *k, .wide = wide, .rounded = rounded};
    float *in = floats(n_in);
    double *sums = calloc(n_out, sizeof *sums), *unused = calloc(n_out, sizeof *unused);
    uint8_t *y = aligned(bytes), *other = aligned(bytes);
    void *packed = aligned(dpli_bytes_size(c));
    char name[300];

    conv_name(name, sizeof name, k);
    b.n_scales = rng() >> 63 ? 1 : c->out_c;
    b.scales = floats((size_t)b.n_scales);
    for (int32_t i = 0; i < b.n_scales; i++)
        b.scales[i] = (1.5f + b.scales[i]) / (60.0f * sqrtf((float)terms));
    b.bias = k->bias ? floats(out_c) : NULL;
    b.slope = floats(out_c);
    b.in = draw_scale(3);
    b.out = draw_scale(4);
    b.added = draw_scale(2);
    b.first = draw_scale(4);
    b.x = draw_bytes(n_in);
    b.residual = draw_bytes(n_out);
    b.wide_residual = floats(n_out);
    b.weight = floats(n_weight);
    for (size_t i = 0; i < n_weight; i++) {
        const int32_t whole = rng() >> 61 == 0 ? PICK(-128, 127) : (int32_t)(b.weight[i] * 128);

        b.weight[i] = (float)whole;
    }
    for (size_t i = 0; i < n_in; i++)
        in[i] = (float)b.x[i] - b.in.zero;
    conv_double(c, sums, unused, in, b.weight, &(dpli_epilogue){0});
    for (size_t i = 0; i < n_weight; i++)
        b.weight[i] *= b.scales[b.n_scales == 1 ? 0 : i / (n_weight / out_c)];
    assert_true(dpli_bytes_pack(packed, c, b.weight, b.scales, b.n_scales, b.in, b.bias, b.slope));

    run_bytes(&b, 0, c->n, y, packed, false);
    for (size_t i = 0; i < n_out; i++) {
        double slack, want = want_of(&b, i, sums[i], &slack), got;

        if (wide) {
            got = (double)((const float *)(const void *)y)[i];
        } else {
            got = y[i / out_c * wide_c + i % out_c];
            want = want / (double)b.out.scale + (double)b.out.zero;
            want = want < 0 ? 0 : want > 255 ? 255 : want;
            slack = slack / (double)b.out.scale + 0.5 + NEAR;
        }
        if (!(fabs(got - want) <= slack))
            fail_msg("%s: [%zu] is %.9g, want %.9g, tolerance %.3g", name, i, got, want, slack);
    }
    for (int32_t i = 0; c->n > 1 && i < c->n; i++)
        run_bytes(&b, i, 1, other + (size_t)i * bytes / (size_t)c->n, packed, false);
    if (c->n > 1 && memcmp(y, other, bytes) != 0)
        fail_msg("%s: a batch of %d is not %d batches of one", name, c->n, c->n);
    if (k->before != k->after) {
        run_bytes(&b, 0, c->n, other, packed, true);
        /* What pads the channels is any number. */
        for (size_t i = 0; i < (wide ? bytes : n_out); i++) {
            const size_t at = wide ? i : i / out_c * wide_c + i % out_c;

            if (y[at] != other[at])
                fail_msg("%s: onto its own residual the result differs", name);
        }
    }
    free(in);
    free(sums);
    free(unused);
    free(y);
    free(other);
    free(packed);
    free(b.scales);
    free(b.bias);
    free(b.slope);
    free(b.x);
    free(b.residual);
    free(b.wide_residual);
    free(b.weight);
}

static void convolution_is_the_nearest_number_to_the_sum(void **state)
{
    const char *seed = getenv("DOPPEL_TEST_SEED");

    (void)state;
    rng_state = seed ? strtoull(seed, NULL, 10) | 1 : 20261128;
    print_message("seed %llu\n", (unsigned long long)rng_state);
    for (int i = 0; i < 600;) {
        conv_case k;

        if (!draw_narrow_conv(&k, 1e6))
            continue;
        k.after = k.after && !k.before;
        check_bytes(&k, rng() >> 63, rng() >> 62 == 0);
        i++;
    }
}

/* Every number of rows and columns around a tile's, and what is left of several tiles. */
static void convolution_is_right_around_its_tiles(void **state)
{
    const conv_case base = {{.n = 1,
                             .in_h = 1,
                             .in_c = 36,
                             .out_h = 1,
                             .kernel_h = 1,
                             .kernel_w = 1,
                             .stride_h = 1,
                             .stride_w = 1,
                             .dilation_h = 1,
                             .dilation_w = 1,
                             .groups = 1},
                            DPLI_ACT_PRELU,
                            1,
                            1,
                            0};

    (void)state;
    rng_state = 5;
    for (int32_t n = 1; n <= 70; n++) {
        conv_case k = base;

        k.c.in_w = k.c.out_w = n;
        k.c.out_c = n;
        check_bytes(&k, n % 2 == 0, false);
        k.before = 0;
        k.c.in_w = n + 2; /* its windows read from lines, and from padded copies */
        k.c.kernel_w = 3;
        check_bytes(&k, n % 2 != 0, false);
        k.c.in_w = n;
        k.c.pad_left = 1;
        check_bytes(&k, false, false);
    }
}

static void depthwise_is_right_at_every_width(void **state)
{
    (void)state;
    rng_state = 7;
    for (int32_t w = 1; w <= 40; w++) {
        for (int32_t stride = 1; stride <= 2; stride++) {
            for (int32_t side = 3; side <= 5; side += 2) {
                const conv_case k = depthwise_case(side, stride, w);

                check_bytes(&k, w % 6 == 0, w % 8 == 1);
            }
        }
    }
}

/* As deep as it may be, all numbers at their ends: no sum runs over. */
static void sums_hold_what_is_allowed(void **state)
{
    dpli_conv c = {.n = 1,
                   .in_h = 1,
                   .in_w = 2,
                   .in_c = 1 << 15,
                   .out_h = 1,
                   .out_w = 2,
                   .out_c = 2,
                   .kernel_h = 1,
                   .kernel_w = 1,
                   .stride_h = 1,
                   .stride_w = 1,
                   .dilation_h = 1,
                   .dilation_w = 1,
                   .groups = 1};
    const size_t n = (size_t)c.in_c;
    float *weight = floats(2 * n), y[4], one = 1;
    uint8_t *x = aligned(2 * n);
    void *packed = aligned(dpli_bytes_size(&c));
    const dpli_epilogue e = {.wide_channels = 2};
    const dpli_scale in = {1, 1, 0};

    (void)state;
    assert_true(dpli_conv_can_bytes(&c));
    memset(x, 255, 2 * n);
    for (size_t i = 0; i < 2 * n; i++)
        weight[i] = i < n ? 127 : -128;
    assert_true(dpli_bytes_pack(packed, &c, weight, &one, 1, in, NULL, NULL));
    dpli_bytes_conv_run_part(&c, y, x, packed, &e, NULL, 0, dpli_conv_units(&c));
    assert_true(y[0] == 255.0f * 127 * (float)n && y[3] == 255.0f * -128 * (float)n);
    weight[7] = 200;
    assert_false(dpli_bytes_pack(packed, &c, weight, &one, 1, in, NULL, NULL));
    c.in_c++;
    assert_false(dpli_conv_can_bytes(&c));
    free(weight);
    free(x);
    free(packed);
}

static void chain_is_its_links_one_by_one_to_the_bit(void **state)
{
    int chained = 0;

    (void)state;
    rng_state = 99;
    for (int i = 0; i < 150; i++) {
        dpli_conv convs[DPLI_MAX_CHAIN];
        dpli_pool pools[DPLI_MAX_CHAIN];
        dpli_link links[DPLI_MAX_CHAIN];
        void *packed[DPLI_MAX_CHAIN] = {0};
        const int32_t batch = PICK(1, 2), wanted = PICK(3, 4, 6, 8);
        int32_t h = PICK(5, 16, 23, 47), w = PICK(6, 14, 15, 31), c = PICK(1, 3, 16, 20), n = 1;
        dpli_scale at = draw_scale(2);
        const dpli_cast cast = {batch, h, w, c, at};
        void *x = floats((size_t)(batch * h * w * c));
        int32_t length;

        links[0] = (dpli_link){.cast = &cast, .numbers = DPLI_BYTES};
        for (; n < wanted; n++) {
            const int32_t form = PICK(0, 1, 1, 2, 3); /* dense, depthwise, 1x1, pool */
            const int32_t kernel = form == 2 ? 1 : PICK(2, 3, 3, 5),
                          stride = form == 2 ? 1 : PICK(1, 1, 2);
            const int32_t pad = form == 2 ? 0 : PICK(0, 1, 1) % kernel;
            const int32_t out_c = form == 0 || form == 2 ? PICK(1, 5, 16, 40) : c;
            const int32_t out_h = fit(h, pad + PICK(0, 1) * (form != 2), kernel, stride, 1);
            const int32_t out_w = fit(w, pad + PICK(0, 1) * (form != 2), kernel, stride, 1);

            if (out_h < 1 || out_w < 1)
                break;
            links[n] = (dpli_link){.numbers = DPLI_BYTES};
            if (form == 3) {
                pools[n] = (dpli_pool){.kind = DPLI_POOL_MAX,
                                       .n = batch,
                                       .in_h = h,
                                       .in_w = w,
                                       .channels = dpli_narrow_channels(c),
                                       .out_h = out_h,
                                       .out_w = out_w,
                                       .kernel_h = kernel,
                                       .kernel_w = kernel,
                                       .stride_h = stride,
                                       .stride_w = stride,
                                       .dilation_h = 1,
                                       .dilation_w = 1,
                                       .pad_top = pad,
                                       .pad_left = pad};
                links[n].pool = &pools[n];
            } else {
                const dpli_conv plain = {
                    batch,  h,      w,      c, out_h, out_w, out_c, kernel,
                    kernel, stride, stride, 1, 1,     pad,   pad,   form == 1 ? c : 1,
                    0,      false};
                const float scale = 1.0f / 127;
                float *weight = floats(weight_size(&plain)), *bias = floats((size_t)out_c);

                packed[n] = aligned(dpli_bytes_size(&plain));
                assert_true(dpli_bytes_pack(packed[n], &plain, weight, &scale, 1, at, bias, bias));
                convs[n] = dpli_conv_narrowed(&plain);
                convs[n].outside = (uint8_t)at.zero;
                links[n].conv = &convs[n];
                links[n].packed = packed[n];
                links[n].epilogue.act = make_act((dpli_act_kind)PICK(0, 1, 2, 5), NULL);
                at = draw_scale(4);
                links[n].epilogue.out = at;
                free(weight);
                free(bias);
                c = out_c;
            }
            h = out_h;
            w = out_w;
        }
        length = dpli_chain_length(links, n, 0);
        if (length > 1) {
            dpli_link *last = links + length - 1;
            const size_t n_rows =
                (size_t)batch * (size_t)dpli_link_out_h(last) *
                (last->conv ? (size_t)last->conv->out_w : (size_t)last->pool->out_w);
            size_t bytes = n_rows * 3 * sizeof(float);
            void *got, *scratch = aligned(dpli_chain_scratch_bytes(links, length));
            const size_t units = dpli_chain_units(links, length), cut = units / 2;

            /* Now and then the last one gives out float32, of fewer channels than are computed. */
            if (last->conv && last->conv->out_c > 3 && last->conv->groups == 1 && i % 2)
                last->epilogue.wide_channels = 3;
            else
                bytes = (size_t)batch * (size_t)dpli_link_out_h(last) * dpli_link_line(last);
            got = aligned(bytes);
            dpli_chain_run_part(links, length, got, x, scratch, cut, units);
            dpli_chain_run_part(links, length, got, x, scratch, 0, cut);
            free(scratch);
            chained++;
            for (int32_t l = 0; l < length; l++) {
                const dpli_link *link = links + l;
                void *y = aligned(l == length - 1 ? bytes
                                                  : (size_t)batch * (size_t)dpli_link_out_h(link) *
                                                        dpli_link_line(link));

                if (link->cast) {
                    dpli_narrow_run(link->cast, DPLI_BYTES, y, x);
                } else if (link->pool) {
                    dpli_narrow_pool2d_run(link->pool, DPLI_BYTES, y, x);
                } else {
                    scratch = aligned(dpli_conv_scratch_bytes(link->conv));
                    dpli_bytes_conv_run_part(link->conv, y, x, link->packed, &link->epilogue,
                                             scratch, 0, dpli_conv_units(link->conv));
                    free(scratch);
                }
                free(x);
                x = y;
            }
            if (memcmp(got, x, bytes) != 0)
                fail_msg("chain %d of %d differs", i, (int)length);
            free(got);
        }
        free(x);
        for (int32_t l = 0; l < n; l++)
            free(packed[l]);
    }
    assert_in_range(chained, 40, 150);
}

static void pooling_is_the_greatest_of_the_window(void **state)
{
    (void)state;
    rng_state = 78;
    for (int i = 0; i < 200;) {
        dpli_pool p = {.kind = DPLI_POOL_MAX,
                       .n = PICK(1, 2),
                       .in_h = PICK(2, 5, 8, 13),
                       .in_w = PICK(3, 6, 9, 14),
                       .channels = PICK(4, 16, 32),
                       .kernel_h = PICK(1, 2, 2, 3),
                       .kernel_w = PICK(1, 2, 2, 3),
                       .stride_h = PICK(1, 2),
                       .stride_w = PICK(1, 2),
                       .dilation_h = 1,
                       .dilation_w = 1};
        size_t n_in, n_out;
        float *in, *want;
        uint8_t *x, *y;

        p.out_h = fit(p.in_h, 0, p.kernel_h, p.stride_h, 1);
        p.out_w = fit(p.in_w, 0, p.kernel_w, p.stride_w, 1);
        if (p.out_h < 1 || p.out_w < 1)
            continue;
        n_in = (size_t)p.n * (size_t)p.in_h * (size_t)p.in_w * (size_t)p.channels;
        n_out = (size_t)p.n * (size_t)p.out_h * (size_t)p.out_w * (size_t)p.channels;
        x = draw_bytes(n_in);
        in = floats(n_in);
        for (size_t j = 0; j < n_in; j++)
            in[j] = x[j];
        want = floats(n_out);
        y = aligned(n_out);
        dpli_pool2d_run(&p, want, in);
        dpli_narrow_pool2d_run(&p, DPLI_BYTES, y, x);
        for (size_t j = 0; j < n_out; j++)
            assert_true((float)y[j] == want[j]);
        free(in);
        free(want);
        free(x);
        free(y);
        i++;
    }
}

static void sum_is_the_nearest_number(void **state)
{
    enum { N = 16 * 7 + 4 };
    const dpli_byte_sum none = {{0.02f, 50, 100}, {0.01f, 100, 128}, {0.015f, 1 / 0.015f, 3}, {0}};
    dpli_byte_sum relu = none;
    uint8_t *a = draw_bytes(N), *b = draw_bytes(N), y[N];

    (void)state;
    relu.act.kind = DPLI_ACT_RELU;
    for (int turn = 0; turn < 2; turn++) {
        dpli_bytes_add_run(turn ? &relu : &none, turn ? a : y, a, b, N);
        for (int i = 0; i < N && !turn; i++) {
            double q = ((a[i] - 128) * 0.01 + (b[i] - 3) * 0.015) / 0.02 + 100;

            q = q < 0 ? 0 : q > 255 ? 255 : q;
            assert_true(fabs(q - y[i]) <= 0.5 + NEAR);
        }
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(a[i], y[i] < 100 ? 100 : y[i]);
    free(a);
    free(b);
}

/* Every number of channels around a vector's, what lies past the ends, NaN, and back. */
static void numbers_become_bytes_and_come_back(void **state)
{
    static const int32_t channels[] = {1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 64};
    const dpli_scale to = {0.01f, 100, 90};

    (void)state;
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        const dpli_cast c = {2, 3, 5, channels[i], to};
        const size_t n = (size_t)(2 * 3 * 5 * channels[i]);
        const size_t wide = (size_t)dpli_narrow_channels(channels[i]);
        /* Exactly as large as it is, so that a read past its end is found. */
        float *in = floats(n), *out = floats(n);
        uint8_t *q = aligned(30 * wide);

        for (size_t j = 0; j < n; j++)
            in[j] *= 2.5f;
        in[3] = -1e30f;
        in[5] = INFINITY;
        in[7] = NAN;
        dpli_narrow_run(&c, DPLI_BYTES, q, in);
        dpli_bytes_widen_run(&to, out, q, 30, (size_t)channels[i]);
        for (size_t j = 0; j < n; j++) {
            const uint8_t got = q[j / (size_t)channels[i] * wide + j % (size_t)channels[i]];
            double want = (double)in[j] * 100 + 90;

            want = !(want > 0) ? 0 : want > 255 ? 255 : want;
            if (j != 5 && !(fabs(want - got) <= 0.5 + NEAR))
                fail_msg("%g became %d", (double)in[j], got);
            assert_true(fabsf(out[j] - ((float)got - 90) * 0.01f) < 1e-6f);
        }
        free(in);
        free(out);
        free(q);
    }
}

int main(void)
{
    static const char *const names[] = {"baseline", "avx2",    "avxvnni", "avx512",
                                        "amx",      "dotprod", "i8mm"};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolution_is_the_nearest_number_to_the_sum),
        cmocka_unit_test(convolution_is_right_around_its_tiles),
        cmocka_unit_test(depthwise_is_right_at_every_width),
        cmocka_unit_test(sums_hold_what_is_allowed),
        cmocka_unit_test(chain_is_its_links_one_by_one_to_the_bit),
        cmocka_unit_test(pooling_is_the_greatest_of_the_window),
        cmocka_unit_test(sum_is_the_nearest_number),
        cmocka_unit_test(numbers_become_bytes_and_come_back),
    };
    const char *wanted = getenv("DOPPEL_CPU");

    if (wanted && strcmp(wanted, names[dpli_cpu_bytes()]) != 0) {
        print_message("%s is not to be had here\n", wanted);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

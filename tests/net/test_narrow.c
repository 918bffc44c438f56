/*
 * test_narrow.c - the kernels in bfloat16 against the references of test_kernels.c, given the same
 * rounded numbers: what is left to differ is sums in float32 and, of a narrow result, one rounding.
 *
 * Run once a kind of processor (DOPPEL_CPU); exits 77 where the machine lacks the one asked for.
 */
#include "base/cpu.h"
#include "tests/net/kernel_case.h"

/* Half a unit in the last place of bfloat16 at 1: the relative error of a rounding to it. */
#define BF16_EPS 0x1p-8

static float rounded(float x)
{
    return dpli_bf16_to_float(dpli_bf16_of(x));
}

static void round_all(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = rounded(x[i]);
}

/* x [n, channels] as a narrow value, and what a narrow value holds; padding is 1, which a weight of
 * 0 must make nothing of. */
static uint16_t *narrowed(const float *x, size_t n, size_t channels)
{
    const size_t padded = (size_t)dpli_narrow_channels((int32_t)channels);
    uint16_t *y = aligned(n * padded * sizeof *y);

    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < padded; c++)
            y[i * padded + c] = dpli_bf16_of(c < channels ? x[i * channels + c] : 1.0f);
    return y;
}

static void widened(float *y, const uint16_t *x, size_t n, size_t channels)
{
    const size_t padded = (size_t)dpli_narrow_channels((int32_t)channels);

    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < padded; c++) {
            const float value = dpli_bf16_to_float(x[i * padded + c]);

            if (c < channels)
                y[i * channels + c] = value;
            else if (!isfinite(value))
                fail_msg("padding holds %g", (double)value);
        }
    }
}

/* One convolution, its result narrow or wide; what it gives, as float32. The residuals are of the
 * result's kind; with alias, the result is written over one of them. */
static void run_narrow(const dpli_conv *c, float *out, const float *in, const void *packed,
                       const dpli_epilogue *e, bool wide, bool alias)
{
    const dpli_conv narrow = dpli_conv_narrowed(c);
    const size_t n_in = in_size(c) / (size_t)c->in_c, n_out = out_size(c) / (size_t)c->out_c;
    const size_t channels = (size_t)c->out_c, padded = (size_t)narrow.out_c;
    const size_t bytes = wide ? out_size(c) * sizeof(float) : n_out * padded * sizeof(uint16_t);
    uint16_t *x = narrowed(in, n_in, (size_t)c->in_c), *before = NULL, *after = NULL;
    void *y = aligned(bytes), *scratch = aligned(dpli_conv_scratch_bytes(&narrow));
    dpli_epilogue own = *e;

    own.bias = NULL; /* it comes with the weight */
    own.act.slope = NULL;
    own.wide_channels = wide ? c->out_c : 0;
    if (!wide) {
        before = e->before ? narrowed(e->before, n_out, channels) : NULL;
        after = e->after ? narrowed(e->after, n_out, channels) : NULL;
        own.before = (const float *)(void *)before;
        own.after = (const float *)(void *)after;
    }
    if (alias) {
        const float **of = e->after ? &own.after : &own.before;

        memcpy(y, *of, bytes);
        *of = y;
    }
    if (own.before || own.after) { /* in two pieces, which make the same */
        const size_t units = dpli_conv_units(&narrow), cut = units / 2;

        dpli_narrow_conv_run_part(&narrow, y, x, packed, &own, scratch, cut, units);
        memset(scratch, 0xff, dpli_conv_scratch_bytes(&narrow));
        dpli_narrow_conv_run_part(&narrow, y, x, packed, &own, scratch, 0, cut);
    } else {
        dpli_narrow_conv_run(&narrow, y, x, packed, &own, scratch);
    }
    if (wide)
        memcpy(out, y, bytes);
    else
        widened(out, y, n_out, channels);
    free(x);
    free(before);
    free(after);
    free(y);
    free(scratch);
}

static void check_narrow(const conv_case *k, bool wide)
{
    const dpli_conv *c = &k->c;
    const size_t n_out = out_size(c), per_in = in_size(c) / (size_t)c->n;
    const size_t per_out = n_out / (size_t)c->n;
    float *in = floats(in_size(c)), *weight = floats(weight_size(c));
    float *bias = floats((size_t)c->out_c), *slope = floats((size_t)c->out_c);
    float *before = floats(n_out), *after = floats(n_out), *out = floats(n_out);
    float *other = floats(n_out);
    double *want = calloc(n_out, sizeof *want), *tolerance = calloc(n_out, sizeof *want);
    void *packed = aligned(dpli_narrow_bytes(c));
    const dpli_epilogue e = {.bias = k->bias ? bias : NULL,
                             .before = k->before ? before : NULL,
                             .act = make_act(k->act, slope),
                             .after = k->after ? after : NULL};
    char name[300];

    conv_name(name, sizeof name, k);
    dpli_narrow_pack(packed, c, weight, e.bias, k->act == DPLI_ACT_PRELU ? slope : NULL);
    round_all(in, in_size(c));
    if (c->in_c != c->groups || c->out_c != c->groups) /* a depthwise weight stays float32 */
        round_all(weight, weight_size(c));
    if (!wide) {
        round_all(before, n_out);
        round_all(after, n_out);
    }
    conv_double(c, want, tolerance, in, weight, &e);
    for (size_t i = 0; i < n_out && !wide; i++)
        tolerance[i] += BF16_EPS * (fabs(want[i]) + tolerance[i]);
    run_narrow(c, out, in, packed, &e, wide, false);
    check(name, out, want, tolerance, n_out);

    /* A batch of n is n batches of one, to the bit. */
    if (c->n > 1) {
        dpli_conv one = *c;

        one.n = 1;
        for (int32_t i = 0; i < c->n; i++) {
            dpli_epilogue part = e;

            part.before = e.before ? before + (size_t)i * per_out : NULL;
            part.after = e.after ? after + (size_t)i * per_out : NULL;
            run_narrow(&one, other + (size_t)i * per_out, in + (size_t)i * per_in, packed, &part,
                       wide, false);
        }
        if (memcmp(out, other, n_out * sizeof *out) != 0)
            fail_msg("%s: a batch of %d is not %d batches of one", name, c->n, c->n);
    }
    if (e.before || e.after) {
        run_narrow(c, other, in, packed, &e, wide, true);
        if (memcmp(out, other, n_out * sizeof *out) != 0)
            fail_msg("%s: onto its own residual the result differs", name);
    }
    free(in);
    free(weight);
    free(bias);
    free(slope);
    free(before);
    free(after);
    free(out);
    free(other);
    free(want);
    free(tolerance);
    free(packed);
}

static void convolution_matches_the_sum_of_rounded_numbers(void **state)
{
    const char *seed = getenv("DOPPEL_TEST_SEED");

    (void)state;
    rng_state = seed ? strtoull(seed, NULL, 10) | 1 : 20261127;
    print_message("seed %llu\n", (unsigned long long)rng_state);
    for (int i = 0; i < 1000;) {
        conv_case k;

        if (!draw_narrow_conv(&k, 2e6))
            continue;
        check_narrow(&k, rng() >> 63);
        i++;
    }
}

/* Every number of rows and columns around a tile's, and what is left of several tiles. */
static void convolution_matches_the_sum_around_its_tiles(void **state)
{
    const conv_case base = {{.n = 1,
                             .in_h = 1,
                             .in_c = 20,
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
        check_narrow(&k, n % 2 == 0);
        k.c.in_w = n + 2; /* its windows read from lines, and from padded copies */
        k.c.kernel_w = 3;
        check_narrow(&k, n % 2 != 0);
        k.c.in_w = n;
        k.c.pad_left = 1;
        check_narrow(&k, false);
    }
    for (int32_t rows = 600; rows < 604; rows++) {
        conv_case k = base;

        k.c.in_w = k.c.out_w = rows;
        k.c.in_c = 128;
        k.c.out_c = 40;
        check_narrow(&k, false);
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

                check_narrow(&k, w % 6 == 0);
            }
        }
    }
}

static void chain_is_its_links_one_by_one_to_the_bit(void **state)
{
    int chained = 0;

    (void)state;
    rng_state = 99;
    for (int i = 0; i < 200; i++) {
        dpli_conv convs[DPLI_MAX_CHAIN];
        dpli_pool pools[DPLI_MAX_CHAIN];
        dpli_link links[DPLI_MAX_CHAIN];
        void *packed[DPLI_MAX_CHAIN] = {0};
        const int32_t batch = PICK(1, 2), wanted = PICK(3, 4, 6, 8);
        int32_t h = PICK(5, 16, 23, 47), w = PICK(6, 14, 15, 31), c = PICK(1, 3, 16, 20), n = 1;
        const dpli_cast cast = {.n = batch, .h = h, .w = w, .channels = c};
        float *in = floats((size_t)(batch * h * w * c));
        int32_t length;

        links[0] = (dpli_link){.cast = &cast, .numbers = DPLI_HALVES};
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
            links[n] = (dpli_link){.numbers = DPLI_HALVES};
            if (form == 3) {
                pools[n] = (dpli_pool){(dpli_pool_kind)(rng() >> 63),
                                       batch,
                                       h,
                                       w,
                                       dpli_narrow_channels(c),
                                       out_h,
                                       out_w,
                                       kernel,
                                       kernel,
                                       stride,
                                       stride,
                                       1,
                                       1,
                                       pad,
                                       pad,
                                       1,
                                       1,
                                       0};
                links[n].pool = &pools[n];
            } else {
                const dpli_conv plain = {
                    batch,  h,      w,      c, out_h, out_w, out_c, kernel,
                    kernel, stride, stride, 1, 1,     pad,   pad,   form == 1 ? c : 1,
                    0, false};
                float *weight = floats(weight_size(&plain)), *bias = floats((size_t)out_c);

                packed[n] = aligned(dpli_narrow_bytes(&plain));
                dpli_narrow_pack(packed[n], &plain, weight, bias, bias);
                convs[n] = dpli_conv_narrowed(&plain);
                links[n].conv = &convs[n];
                links[n].packed = packed[n];
                links[n].epilogue.act = make_act((dpli_act_kind)PICK(0, 1, 2, 5), NULL);
                free(weight);
                free(bias);
                c = out_c;
            }
            h = out_h;
            w = out_w;
        }
        length = dpli_chain_length(links, n, 0);
        if (length > 1) {
            const dpli_link *last = links + length - 1;
            const size_t wide_c = 3;
            const size_t n_rows =
                (size_t)batch * (size_t)dpli_link_out_h(last) *
                (last->conv ? (size_t)last->conv->out_w : (size_t)last->pool->out_w);
            size_t bytes = n_rows * sizeof(float) * wide_c;
            void *got, *x = in, *scratch = aligned(dpli_chain_scratch_bytes(links, length));

            /* Now and then the last one gives out float32, of fewer channels than are computed. */
            if (last->conv && last->conv->out_c > 3 && last->conv->groups == 1 && i % 2)
                links[length - 1].epilogue.wide_channels = (int32_t)wide_c;
            else
                bytes = (size_t)batch * (size_t)dpli_link_out_h(last) * dpli_link_line(last) *
                        sizeof(uint16_t);
            got = aligned(bytes);
            {
                const size_t units = dpli_chain_units(links, length), cut = units / 2;

                dpli_chain_run_part(links, length, got, in, scratch, cut, units);
                dpli_chain_run_part(links, length, got, in, scratch, 0, cut);
            }
            free(scratch);
            chained++;
            for (int32_t l = 0; l < length; l++) {
                const dpli_link *link = links + l;
                void *y = aligned(l == length - 1 ? bytes
                                                  : (size_t)batch * (size_t)dpli_link_out_h(link) *
                                                        dpli_link_line(link) * sizeof(uint16_t));

                if (link->cast) {
                    dpli_narrow_run(link->cast, DPLI_HALVES, y, x);
                } else if (link->pool) {
                    dpli_narrow_pool2d_run(link->pool, DPLI_HALVES, y, x);
                } else {
                    scratch = aligned(dpli_conv_scratch_bytes(link->conv));
                    dpli_narrow_conv_run(link->conv, y, x, link->packed, &link->epilogue, scratch);
                    free(scratch);
                }
                free(x);
                x = y;
            }
            if (memcmp(got, x, bytes) != 0)
                fail_msg("chain %d of %d differs", i, (int)length);
            free(got);
            in = x;
        }
        free(in);
        for (int32_t l = 0; l < n; l++)
            free(packed[l]);
    }
    assert_in_range(chained, 60, 200);
}

static void pooling_is_that_of_float32_rounded_once(void **state)
{
    (void)state;
    rng_state = 78;
    for (int i = 0; i < 300;) {
        dpli_pool p = {.kind = (dpli_pool_kind)(rng() >> 63),
                       .n = PICK(1, 2),
                       .in_h = PICK(2, 5, 8, 13),
                       .in_w = PICK(3, 6, 9, 14),
                       .channels = PICK(1, 4, 16, 17, 32),
                       .kernel_h = PICK(1, 2, 2, 3),
                       .kernel_w = PICK(1, 2, 2, 3),
                       .stride_h = PICK(1, 2),
                       .stride_w = PICK(1, 2),
                       .dilation_h = 1,
                       .dilation_w = 1};
        size_t n_in, n_out;
        float *in, *want, *got;
        uint16_t *x, *y;

        p.out_h = fit(p.in_h, 0, p.kernel_h, p.stride_h, 1);
        p.out_w = fit(p.in_w, 0, p.kernel_w, p.stride_w, 1);
        if (p.out_h < 1 || p.out_w < 1)
            continue;
        n_in = (size_t)p.n * (size_t)p.in_h * (size_t)p.in_w;
        n_out = (size_t)p.n * (size_t)p.out_h * (size_t)p.out_w;
        in = floats(n_in * (size_t)p.channels);
        round_all(in, n_in * (size_t)p.channels);
        in[(rng() >> 33) % n_in] = NAN;
        want = floats(n_out * (size_t)p.channels);
        got = floats(n_out * (size_t)p.channels);
        dpli_pool2d_run(&p, want, in);
        x = narrowed(in, n_in, (size_t)p.channels);
        y = aligned(n_out * (size_t)dpli_narrow_channels(p.channels) * sizeof *y);
        {
            dpli_pool narrow = p;

            narrow.channels = dpli_narrow_channels(p.channels);
            dpli_narrow_pool2d_run(&narrow, DPLI_HALVES, y, x);
        }
        widened(got, y, n_out, (size_t)p.channels);
        for (size_t j = 0; j < n_out * (size_t)p.channels; j++)
            if (!(got[j] == rounded(want[j]) || (isnan(got[j]) && isnan(want[j]))))
                fail_msg("[%zu] is %g, want %g", j, (double)got[j], (double)rounded(want[j]));
        free(in);
        free(want);
        free(got);
        free(x);
        free(y);
        i++;
    }
}

static void sum_is_that_of_float32_rounded_once(void **state)
{
    enum { N = 16 * 7 + 4 };
    float *a = floats(N), *b = floats(N);
    uint16_t x[N], y[N];
    const dpli_act none = {0}, relu = {.kind = DPLI_ACT_RELU};

    (void)state;
    for (int i = 0; i < N; i++) {
        x[i] = dpli_bf16_of(a[i]);
        y[i] = dpli_bf16_of(b[i]);
        a[i] = rounded(rounded(a[i]) + rounded(b[i]));
    }
    dpli_narrow_add_run(&none, x, x, y, N);
    for (int i = 0; i < N; i++)
        assert_int_equal(x[i], dpli_bf16_of(a[i]));
    memset(y, 0, sizeof y);
    dpli_narrow_add_run(&relu, x, x, y, N);
    for (int i = 0; i < N; i++)
        assert_int_equal(x[i], dpli_bf16_of(a[i] > 0 ? a[i] : 0));
    free(a);
    free(b);
}

/* Every number of channels around a vector's, every pixel rounded to the nearest, and back. */
static void numbers_go_narrow_and_back(void **state)
{
    static const int32_t channels[] = {1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 64};

    (void)state;
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        const dpli_cast c = {.n = 2, .h = 3, .w = 5, .channels = channels[i]};
        const size_t n = (size_t)(2 * 3 * 5 * channels[i]);
        /* Exactly as large as it is, so that a read past its end is found. */
        float *in = floats(n), *out = floats(n);
        uint16_t *narrow = aligned(30 * (size_t)dpli_narrow_channels(channels[i]) * sizeof *narrow);

        in[3 % n] = -0.0f;
        in[7 % n] = INFINITY;
        in[11 % n] = 1 + 0x1p-8f; /* half way: to the even one */
        in[13 % n] = 1 + 3 * 0x1p-8f;
        dpli_narrow_run(&c, DPLI_HALVES, narrow, in);
        widened(out, narrow, 30, (size_t)channels[i]);
        for (size_t j = 0; j < n; j++)
            assert_true(out[j] == rounded(in[j]));
        memset(out, 0xff, n * sizeof *out);
        dpli_widen_run(out, narrow, 30, (size_t)channels[i]);
        for (size_t j = 0; j < n; j++)
            assert_true(out[j] == rounded(in[j]));
        free(in);
        free(out);
        free(narrow);
    }
    assert_true(rounded(1 + 0x1p-8f) == 1.0f && rounded(1 + 3 * 0x1p-8f) == 1 + 0x1p-6f);
    assert_true(isnan(rounded(NAN)) && rounded(FLT_MAX) == INFINITY);
}

static void kind_is_not_above_the_one_asked_for(void **state)
{
    const char *want = getenv("DOPPEL_CPU");

    (void)state;
    if (want && strcmp(want, "bf16") == 0)
        assert_true(dpli_cpu_narrow() == DPLI_NARROW_AVX512 ||
                    dpli_cpu_narrow() == DPLI_NARROW_NEON);
}

/* Every operand in either order, edges everywhere, more than a block of k and of columns; the sums
 * begin with what is there where they are to be added. Against sums in double of the rounded
 * numbers, of which float32 rounds each by 2^-24 of what has been summed up so far. A row by itself
 * is the same to the bit. */
static void products_for_training_match_the_reference(void **state)
{
    static const size_t sizes[][3] = {{1, 1, 1},     {3, 5, 7},    {16, 16, 32}, {17, 33, 31},
                                      {32, 32, 64},  {33, 31, 65}, {5, 530, 9},  {40, 48, 1030},
                                      {129, 64, 96}, {64, 20, 513}};
    void *scratch;

    (void)state;
    if (!dpli_narrow_product_there())
        skip();
    scratch = aligned(DPLI_PRODUCT_BYTES);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes * 8; i++) {
        const bool trans_a = i & 1, trans_b = i & 2, add = i & 4;
        const size_t m = sizes[i / 8][0], n = sizes[i / 8][1], k = sizes[i / 8][2], ldc = n + 3;
        const size_t lda = (trans_a ? m : k) + 2, ldb = (trans_b ? k : n) + 1;
        float *a = floats(lda * (trans_a ? k : m)), *b = floats(ldb * (trans_b ? n : k));
        float *c = floats(ldc * m), *before = floats(ldc * m), *row = floats(n);
        double *want = malloc(ldc * m * sizeof *want), *tolerance = malloc(ldc * m * sizeof *want);
        dpli_product p = {trans_a, trans_b, add, m, n, k, a, lda, b, ldb, c, ldc};

        assert_true(want && tolerance);
        memcpy(before, c, ldc * m * sizeof *c);
        for (size_t r = 0; r < m; r++) {
            for (size_t col = 0; col < ldc; col++) {
                double sum = add || col >= n ? (double)c[r * ldc + col] : 0, size = fabs(sum);

                for (size_t j = 0; j < k && col < n; j++) {
                    const double t = (double)rounded(trans_a ? a[j * lda + r] : a[r * lda + j]) *
                                     (double)rounded(trans_b ? b[col * ldb + j] : b[j * ldb + col]);

                    sum += t;
                    size += fabs(t);
                }
                want[r * ldc + col] = sum;
                tolerance[r * ldc + col] = col < n ? (double)(k + 1) * 0x1p-24 * size + 1e-30 : 0;
            }
        }
        dpli_narrow_product_run(&p, scratch);
        check("product", c, want, tolerance, ldc * m);
        p.m = 1;
        p.a = a + (m - 1) * (trans_a ? 1 : lda);
        memcpy(row, before + (m - 1) * ldc, n * sizeof *row);
        p.c = row;
        dpli_narrow_product_run(&p, scratch);
        assert_memory_equal(row, c + (m - 1) * ldc, n * sizeof *row);
        free(a);
        free(b);
        free(c);
        free(before);
        free(row);
        free(want);
        free(tolerance);
    }
    free(scratch);
}

int main(void)
{
    const char *want = getenv("DOPPEL_CPU");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_for_training_match_the_reference),
        cmocka_unit_test(kind_is_not_above_the_one_asked_for),
        cmocka_unit_test(convolution_matches_the_sum_of_rounded_numbers),
        cmocka_unit_test(convolution_matches_the_sum_around_its_tiles),
        cmocka_unit_test(depthwise_is_right_at_every_width),
        cmocka_unit_test(chain_is_its_links_one_by_one_to_the_bit),
        cmocka_unit_test(pooling_is_that_of_float32_rounded_once),
        cmocka_unit_test(sum_is_that_of_float32_rounded_once),
        cmocka_unit_test(numbers_go_narrow_and_back),
    };

    if (!dpli_narrow_there() ||
        (want && strcmp(want, "amx") == 0 && dpli_cpu_narrow() != DPLI_NARROW_AMX)) {
        printf("this machine has no %s\n", want ? want : "bfloat16");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

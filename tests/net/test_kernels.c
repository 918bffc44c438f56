/*
 * test_kernels.c - the kernels against naive references in double precision, over many odd shapes.
 *
 * Run once a processor level (DOPPEL_CPU); exits 77 where the machine lacks the level asked for.
 */
#include "base/cpu.h"
#include "net/blas.h"
#include "tests/net/kernel_case.h"

static void activations_match_their_formulas(void **state)
{
    static const size_t sizes[][2] = {{1, 1}, {3, 5}, {2, 16}, {5, 17}, {7, 32}, {1, 100}, {0, 8}};

    (void)state;
    for (int kind = 0; kind < N_ACTS; kind++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            const size_t rows = sizes[s][0], channels = sizes[s][1], n = rows * channels;
            float *x = floats(n), *y = floats(n), *slope = floats(channels);
            double *want = calloc(n + 1, sizeof *want), *tolerance = calloc(n + 1, sizeof *want);
            const dpli_act act = make_act((dpli_act_kind)kind, slope);

            for (size_t i = 0; i < n; i++) {
                x[i] *= 8;
                if (kind == DPLI_ACT_SQRT)
                    x[i] = fabsf(x[i]);
                want[i] = act_double(&act, x[i], i % channels);
                tolerance[i] =
                    act_error(&act, want[i]) +
                    (kind == DPLI_ACT_HARDSWISH ? 8 * EPS * fabs((double)x[i]) : 0) +
                    (kind == DPLI_ACT_GELU || kind == DPLI_ACT_GELU_TANH ? 4e-7 * fabs((double)x[i])
                                                                         : 0);
            }
            dpli_act_run(&act, y, x, rows, channels);
            check("activation", y, want, tolerance, n);
            dpli_act_run(&act, x, x, rows, channels);
            assert_memory_equal(x, y, n * sizeof *x);
            free(x);
            free(y);
            free(slope);
            free(want);
            free(tolerance);
        }
    }
}

/* The values onnxruntime 1.31 gives, run on this list. */
static void activations_treat_nan_and_infinity_as_onnxruntime(void **state)
{
    enum { N = 7 };
    static const float x[N] = {NAN, -NAN, INFINITY, -INFINITY, -0.0f, 1, -1};
    static const struct {
        dpli_act_kind kind;
        float a, b;
        double want[N];
    } cases[] = {
        {DPLI_ACT_RELU, 0, 0, {NAN, NAN, INFINITY, 0, 0, 1, 0}},
        {DPLI_ACT_LEAKY, 0.1f, 0, {NAN, NAN, INFINITY, -INFINITY, 0, 1, -0.1}},
        {DPLI_ACT_PRELU, 0, 0, {NAN, NAN, INFINITY, -INFINITY, 0, 1, -0.5}},
        {DPLI_ACT_CLIP, -0.5f, 0.5f, {NAN, NAN, 0.5, -0.5, 0, 0.5, -0.5}},
        {DPLI_ACT_SIGMOID, 0, 0, {NAN, NAN, 1, 0, 0.5, 0.7310586, 0.26894143}},
        {DPLI_ACT_HARDSIGMOID, 0.2f, 0.5f, {NAN, NAN, 1, 0, 0.5, 0.7, 0.3}},
        {DPLI_ACT_HARDSWISH, 0, 0, {NAN, NAN, INFINITY, NAN, 0, 0.6666667, -0.3333333}},
        {DPLI_ACT_TANH, 0, 0, {NAN, NAN, 1, -1, 0, 0.7615942, -0.7615942}},
        {DPLI_ACT_EXP, 0, 0, {NAN, NAN, INFINITY, 0, 1, 2.7182817, 0.36787945}},
        {DPLI_ACT_SQRT, 0, 0, {NAN, NAN, INFINITY, NAN, 0, 1, NAN}},
        {DPLI_ACT_ABS, 0, 0, {NAN, NAN, INFINITY, INFINITY, 0, 1, 1}},
        {DPLI_ACT_ERF, 0, 0, {NAN, NAN, 1, -1, 0, 0.8427008, -0.8427008}},
        {DPLI_ACT_GELU, 0, 0, {NAN, NAN, INFINITY, NAN, 0, 0.8413447, -0.1586553}},
    };
    const float slope[5 * N] = {0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f,
                                0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f,
                                0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f,
                                0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f};

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const dpli_act act = {cases[c].kind, cases[c].a, cases[c].b, slope};
        float in[5 * N], out[5 * N];
        double want[5 * N], tolerance[5 * N];

        for (size_t i = 0; i < 5 * N; i++) {
            in[i] = x[i % N];
            want[i] = cases[c].want[i % N];
            tolerance[i] = 2e-7; /* the list has 7 digits */
        }
        dpli_act_run(&act, out, in, 1, 5 * N);
        check("special values", out, want, tolerance, 5 * N);
    }
}

static void tanh_and_erf_are_right_from_tiny_to_saturated(void **state)
{
    enum { N = 4001 };
    static const dpli_act_kind kinds[] = {DPLI_ACT_TANH, DPLI_ACT_ERF};
    float x[N], y[N];
    double want[N], tolerance[N];

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        const dpli_act act = {.kind = kinds[k]};

        for (size_t i = 0; i < N; i++) {
            const float far = (float)i * 0.005f - 10;

            x[i] = i % 2 ? far : far * far * far * 1e-6f;
            want[i] = act_double(&act, (double)x[i], 0);
            /* tanh to 2 ulp, however small; erf too near 0, where it is a multiple of x. */
            tolerance[i] = k == 0 || fabsf(x[i]) < 0.1f ? 8 * EPS * fabs(want[i]) + FLT_MIN
                                                        : act_error(&act, want[i]);
        }
        dpli_act_run(&act, y, x, 1, N);
        check("tanh or erf", y, want, tolerance, N);
    }
}

static void exp_is_right_from_underflow_to_overflow(void **state)
{
    const dpli_act act = {DPLI_ACT_EXP, 0, 0, NULL};
    enum { N = 4001 };
    float x[N], y[N];
    double want[N], tolerance[N];

    (void)state;
    for (size_t i = 0; i < N; i++) {
        x[i] = (float)i * 0.05f - 110;
        want[i] = (double)(float)exp((double)x[i]);
        tolerance[i] = act_error(&act, want[i]);
    }
    dpli_act_run(&act, y, x, 1, N);
    check("exp", y, want, tolerance, N);
}

/* ------------------------------------------------------------------ convolution */

static void check_conv(const conv_case *k)
{
    const dpli_conv *c = &k->c, one = {.n = 1,
                                       .in_h = c->kernel_h,
                                       .in_w = c->kernel_w,
                                       .in_c = c->in_c,
                                       .out_h = 1,
                                       .out_w = 1,
                                       .out_c = c->out_c,
                                       .kernel_h = c->kernel_h,
                                       .kernel_w = c->kernel_w,
                                       .stride_h = 1,
                                       .stride_w = 1,
                                       .dilation_h = 1,
                                       .dilation_w = 1,
                                       .groups = c->groups};
    const size_t n_out = out_size(c), per_in = in_size(c) / (size_t)c->n;
    const size_t per_out = n_out / (size_t)c->n;
    float *in = floats(in_size(c)), *weight = floats(weight_size(c));
    float *bias = floats((size_t)c->out_c), *slope = floats((size_t)c->out_c);
    float *before = floats(n_out), *after = floats(n_out), *out = floats(n_out);
    float *batch = floats(n_out), *packed = aligned(dpli_conv_packed_floats(c) * sizeof(float));
    double *want = calloc(n_out, sizeof *want), *tolerance = calloc(n_out, sizeof *want);
    void *scratch = aligned(dpli_conv_scratch_bytes(c));
    dpli_epilogue e = {.bias = k->bias ? bias : NULL,
                       .before = k->before ? before : NULL,
                       .act = make_act(k->act, slope),
                       .after = k->after ? after : NULL};
    char name[300];

    conv_name(name, sizeof name, k);
    assert_int_equal(dpli_conv_packed_floats(c), dpli_conv_packed_floats(&one));
    dpli_conv_pack(packed, &one, weight); /* packing does not depend on the picture */
    conv_double(c, want, tolerance, in, weight, &e);
    for (size_t i = 0; i < n_out; i++)
        out[i] = NAN;
    dpli_conv_run(c, out, in, packed, &e, scratch);
    check(name, out, want, tolerance, n_out);
    memcpy(batch, out, n_out * sizeof *out);

    /* In pieces, each with a scratch that it knows nothing of, it is the same. */
    {
        const size_t units = dpli_conv_units(c), cut = units / 3;
        const size_t cuts[] = {0, cut, cut, units - cut, units};

        for (size_t i = 0; i < n_out; i++)
            out[i] = NAN;
        for (int i = 0; i < 4; i++) {
            memset(scratch, 0xff, dpli_conv_scratch_bytes(c));
            dpli_conv_run_part(c, out, in, packed, &e, scratch, cuts[i], cuts[i + 1]);
        }
        if (memcmp(out, batch, n_out * sizeof *out) != 0)
            fail_msg("%s: in pieces the result differs", name);
    }

    /* A batch of n is n batches of one, to the bit. */
    if (c->n > 1) {
        dpli_conv single = *c;
        void *less = aligned((single.n = 1, dpli_conv_scratch_bytes(&single)));

        for (int32_t i = 0; i < c->n; i++) {
            dpli_epilogue part = e;

            part.before = e.before ? before + (size_t)i * per_out : NULL;
            part.after = e.after ? after + (size_t)i * per_out : NULL;
            dpli_conv_run(&single, out + (size_t)i * per_out, in + (size_t)i * per_in, packed,
                          &part, less);
        }
        if (memcmp(out, batch, n_out * sizeof *out) != 0)
            fail_msg("%s: a batch of %d is not %d batches of one", name, c->n, c->n);
        free(less);
    }
    /* The output may be one of the residuals. */
    if (e.before || e.after) {
        float *alias = e.after ? after : before;

        dpli_conv_run(c, alias, in, packed, &e, scratch);
        if (memcmp(alias, batch, n_out * sizeof *out) != 0)
            fail_msg("%s: onto its own residual the result differs", name);
    }
    free(in);
    free(weight);
    free(bias);
    free(slope);
    free(before);
    free(after);
    free(out);
    free(batch);
    free(packed);
    free(want);
    free(tolerance);
    free(scratch);
}

static void convolution_matches_the_sum_over_many_shapes(void **state)
{
    enum { N_CASES = 1500 };
    const char *seed = getenv("DOPPEL_TEST_SEED");
    int depthwise = 0;

    (void)state;
    rng_state = seed ? strtoull(seed, NULL, 10) | 1 : 20240617;
    print_message("seed %llu\n", (unsigned long long)rng_state);
    for (int i = 0; i < N_CASES;) {
        conv_case k = {0};
        dpli_conv *c = &k.c;
        const int32_t form = PICK(0, 0, 1, 1, 2, 3); /* dense, depthwise, multiplier, groups */

        c->n = PICK(1, 1, 2, 3);
        c->in_h = PICK(1, 2, 3, 5, 7, 8, 12, 15, 23);
        c->in_w = PICK(1, 2, 3, 5, 7, 8, 12, 15, 17, 23, 31);
        c->in_c = PICK(1, 3, 5, 16, 17, 32, 64, 100);
        c->out_c = PICK(1, 3, 5, 10, 16, 17, 32, 33, 48, 64, 100);
        c->kernel_h = PICK(1, 2, 3, 3, 5, 7, 10);
        c->kernel_w = rng() >> 62 ? c->kernel_h : PICK(1, 2, 3, 5);
        c->stride_h = PICK(1, 1, 2, 3);
        c->stride_w = rng() >> 62 ? c->stride_h : PICK(1, 2, 3);
        c->dilation_h = PICK(1, 1, 1, 2, 3);
        c->dilation_w = rng() >> 62 ? c->dilation_h : PICK(1, 2);
        c->pad_top = PICK(0, 1, 1, 2, 4);
        c->pad_left = PICK(0, 1, 1, 2, 4);
        c->groups = 1;
        if (form == 1 || form == 2) {
            c->groups = c->in_c;
            c->out_c = c->in_c * (form == 1 ? 1 : PICK(2, 3));
        } else if (form == 3) {
            c->groups = PICK(2, 3, 5);
            c->in_c = c->groups * PICK(1, 2, 7, 16);
            c->out_c = c->groups * PICK(1, 3, 16, 18);
        }
        c->out_h =
            fit(c->in_h, c->pad_top + PICK(0, 1, 2), c->kernel_h, c->stride_h, c->dilation_h);
        c->out_w =
            fit(c->in_w, c->pad_left + PICK(0, 1, 2), c->kernel_w, c->stride_w, c->dilation_w);
        k.act = (dpli_act_kind)((rng() >> 33) % N_ACTS);
        if (k.act == DPLI_ACT_SQRT) /* has no bounded slope; tested by itself */
            k.act = DPLI_ACT_PRELU;
        if (k.act == DPLI_ACT_EXP && form == 0) /* of sums of thousands it is infinite */
            k.act = DPLI_ACT_NONE;
        k.bias = (int)(rng() >> 63);
        k.before = (rng() >> 62) == 0;
        k.after = (rng() >> 62) == 0;
        if (c->out_h < 1 || c->out_w < 1 || conv_work(c) > 3e6)
            continue;
        check_conv(&k);
        depthwise += form == 1;
        i++;
    }
    assert_in_range(depthwise, N_CASES / 10, N_CASES);
}

/* Shapes that the random ones are too small for: several tiles, several panels, windows of whole
 * lines, every width around a block's. */
static void convolution_matches_the_sum_at_the_seams(void **state)
{
    const conv_case base = {{.n = 1,
                             .in_h = 1,
                             .in_w = 1,
                             .in_c = 1,
                             .out_h = 1,
                             .out_w = 1,
                             .out_c = 1,
                             .kernel_h = 1,
                             .kernel_w = 1,
                             .stride_h = 1,
                             .stride_w = 1,
                             .dilation_h = 1,
                             .dilation_w = 1,
                             .groups = 1},
                            DPLI_ACT_PRELU,
                            1,
                            0,
                            1};
    conv_case k;

    (void)state;
    for (int32_t w = 1; w <= 64; w++) { /* 1x1 of w pixels and w channels */
        k = base;
        k.c.in_w = k.c.out_w = w;
        k.c.in_c = 9;
        k.c.out_c = w;
        check_conv(&k);
    }
    for (int32_t w = 1; w <= 40; w++) { /* depthwise, and dense 3x3, padded, strides 1 and 2 */
        for (int32_t stride = 1; stride <= 2; stride++) {
            k = depthwise_case(5, stride, w);
            check_conv(&k);
            k = depthwise_case(3, stride, w);
            check_conv(&k);
            k.c.groups = 1;
            check_conv(&k);
        }
    }
    k = base; /* 1x1, several tiles of rows */
    k.c.in_h = k.c.out_h = 41;
    k.c.in_w = k.c.out_w = 29;
    k.c.in_c = 70;
    k.c.out_c = 40;
    check_conv(&k);
    k = base; /* a whole picture a window, batch 5 */
    k.c.n = 5;
    k.c.in_h = k.c.kernel_h = 4;
    k.c.in_w = k.c.kernel_w = 6;
    k.c.in_c = 33;
    k.c.out_c = 50;
    check_conv(&k);
    k = base; /* patches, several tiles of rows over several pictures */
    k.c.n = 3;
    k.c.in_h = k.c.in_w = 8;
    k.c.in_c = 40;
    k.c.kernel_h = k.c.kernel_w = 3;
    k.c.pad_top = k.c.pad_left = 1;
    k.c.out_h = k.c.out_w = 8;
    k.c.out_c = 70;
    check_conv(&k);
    k = base; /* Koch's first layer, one line of it */
    k.c.in_h = 10;
    k.c.in_w = 105;
    k.c.kernel_h = k.c.kernel_w = 10;
    k.c.out_w = 96;
    k.c.out_c = 64;
    check_conv(&k);
    k = base; /* padding wider than the picture */
    k.c.in_h = 3;
    k.c.in_w = 2;
    k.c.in_c = 3;
    k.c.kernel_h = k.c.kernel_w = 3;
    k.c.pad_top = k.c.pad_left = 10;
    k.c.out_h = 21;
    k.c.out_w = 20;
    k.c.out_c = 5;
    check_conv(&k);
}

/* A NaN reaches every output whose window holds it, and no other. */
static void convolution_hides_no_nan(void **state)
{
    static const struct {
        int32_t channels, out_c, kernel, groups;
    } shapes[] = {{7, 7, 3, 7},  {32, 32, 3, 32}, {16, 16, 5, 16},
                  {4, 20, 3, 1}, {6, 6, 3, 2},    {5, 33, 1, 1}};
    static const dpli_act_kind kinds[] = {DPLI_ACT_NONE, DPLI_ACT_RELU, DPLI_ACT_PRELU,
                                          DPLI_ACT_CLIP};

    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (size_t a = 0; a < sizeof kinds / sizeof *kinds; a++) {
            const int32_t pad = shapes[s].kernel / 2;
            const dpli_conv c = {1,
                                 20,
                                 20,
                                 shapes[s].channels,
                                 20,
                                 20,
                                 shapes[s].out_c,
                                 shapes[s].kernel,
                                 shapes[s].kernel,
                                 1,
                                 1,
                                 1,
                                 1,
                                 pad,
                                 pad,
                                 shapes[s].groups,
                                 0,
                                 false};
            float *in = floats(in_size(&c)), *weight = floats(weight_size(&c));
            float *slope = floats((size_t)c.out_c), *out = floats(out_size(&c));
            float *packed = aligned(dpli_conv_packed_floats(&c) * sizeof(float));
            void *scratch = aligned(dpli_conv_scratch_bytes(&c));
            const dpli_epilogue e = {.act = make_act(kinds[a], slope)};
            const int32_t bad_y = 6, bad_x = 9, bad_c = 3;
            const int32_t group = bad_c / (c.in_c / c.groups);

            in[(bad_y * c.in_w + bad_x) * c.in_c + bad_c] = NAN;
            dpli_conv_pack(packed, &c, weight);
            dpli_conv_run(&c, out, in, packed, &e, scratch);
            for (int32_t y = 0; y < 20; y++)
                for (int32_t x = 0; x < 20; x++)
                    for (int32_t o = 0; o < c.out_c; o++) {
                        const int reached = abs(y - bad_y) <= pad && abs(x - bad_x) <= pad &&
                                            o / (c.out_c / c.groups) == group;

                        if (!isnan(out[(y * 20 + x) * c.out_c + o]) != !reached)
                            fail_msg("shape %zu act %d: NaN wrong at %d, %d, %d", s, (int)kinds[a],
                                     y, x, o);
                    }
            free(in);
            free(weight);
            free(slope);
            free(out);
            free(packed);
            free(scratch);
        }
    }
}

static void epilogue_matches_its_formula(void **state)
{
    (void)state;
    for (int mask = 0; mask < 8; mask++) {
        for (size_t channels = 1; channels < 40; channels += 6) {
            const size_t rows = 3, n = rows * channels;
            float *y = floats(n), *bias = floats(channels), *before = floats(n);
            float *after = floats(n), *slope = floats(channels);
            double *want = calloc(n, sizeof *want), *tolerance = calloc(n, sizeof *want);
            const dpli_epilogue e = {.bias = mask & 1 ? bias : NULL,
                                     .before = mask & 2 ? before : NULL,
                                     .act = make_act(DPLI_ACT_PRELU, slope),
                                     .after = mask & 4 ? after : NULL};

            for (size_t i = 0; i < n; i++) {
                double x = y[i] + (mask & 1 ? (double)bias[i % channels] : 0);

                x += mask & 2 ? (double)before[i] : 0;
                want[i] = act_double(&e.act, x, i % channels) + (mask & 4 ? (double)after[i] : 0);
                tolerance[i] = 4 * EPS * 4; /* four roundings of values below 4 */
            }
            dpli_epilogue_run(&e, y, rows, channels);
            check("epilogue", y, want, tolerance, n);
            free(y);
            free(bias);
            free(before);
            free(after);
            free(slope);
            free(want);
            free(tolerance);
        }
    }
}

/* ------------------------------------------------------------------ matrix product */

static void gemm_matches_the_sum(void **state)
{
    (void)state;
    for (int form = 0; form < 16; form++) {
        const int ta = form & 1, tb = form >> 1 & 1;
        const size_t m = (size_t)PICK(1, 3, 17, 40), n = (size_t)PICK(1, 5, 33),
                     k = (size_t)PICK(1, 7, 50);
        const size_t lda = (ta ? m : k) + 2, ldb = (tb ? k : n) + 1, ldc = n + 3;
        float *a = floats((ta ? k : m) * lda), *b = floats((tb ? n : k) * ldb);
        float *c = floats(m * ldc);
        double *want = calloc(m * ldc, sizeof *want), *tolerance = calloc(m * ldc, sizeof *want);

        for (size_t i = 0; i < m * ldc; i++) {
            const size_t row = i / ldc, col = i % ldc;
            double sum = 0;

            want[i] = c[i];
            if (col >= n)
                continue;
            for (size_t j = 0; j < k; j++)
                sum += (double)a[ta ? j * lda + row : row * lda + j] *
                       (double)b[tb ? col * ldb + j : j * ldb + col];
            want[i] = 0.5 * sum + 0.25 * (double)c[i];
            tolerance[i] = (double)(k + 4) * EPS * (double)(k + 1);
        }
        dpli_gemm(ta, tb, m, n, k, 0.5f, a, lda, b, ldb, 0.25f, c, ldc);
        check("gemm", c, want, tolerance, m * ldc);
        free(a);
        free(b);
        free(c);
        free(want);
        free(tolerance);
    }
}

/* ------------------------------------------------------------------ pooling */

static void pooling_matches_its_definition_over_many_shapes(void **state)
{
    (void)state;
    rng_state = 77;
    for (int i = 0; i < 1000;) {
        dpli_pool p = {.kind = (dpli_pool_kind)(rng() >> 63),
                       .n = PICK(1, 2),
                       .in_h = PICK(1, 2, 5, 8, 13),
                       .in_w = PICK(1, 3, 6, 9, 14),
                       .channels = PICK(1, 3, 5, 16, 17, 32, 100),
                       .kernel_h = PICK(1, 2, 3, 5),
                       .kernel_w = PICK(1, 2, 3, 4),
                       .stride_h = PICK(1, 2, 3),
                       .stride_w = PICK(1, 2, 3),
                       .dilation_h = PICK(1, 1, 2),
                       .dilation_w = PICK(1, 1, 2),
                       .count_include_pad = (int32_t)(rng() >> 63)};
        const int32_t ceil_mode = PICK(0, 1);
        double *want, *tolerance;
        float *in, *out;
        size_t n_in, n_out;

        /* Pads smaller than the kernel, as ONNX requires: no window without a real tap. */
        p.pad_top = PICK(0, 1, 2) % p.kernel_h;
        p.pad_left = PICK(0, 1, 2) % p.kernel_w;
        p.pad_bottom = PICK(0, 1, 2) % p.kernel_h;
        p.pad_right = PICK(0, 1, 2) % p.kernel_w;
        p.out_h = fit(p.in_h, p.pad_top + p.pad_bottom + ceil_mode * (p.stride_h - 1), p.kernel_h,
                      p.stride_h, p.dilation_h);
        p.out_w = fit(p.in_w, p.pad_left + p.pad_right + ceil_mode * (p.stride_w - 1), p.kernel_w,
                      p.stride_w, p.dilation_w);
        if (p.out_h < 1 || p.out_w < 1)
            continue;
        n_in = (size_t)p.n * (size_t)p.in_h * (size_t)p.in_w * (size_t)p.channels;
        n_out = (size_t)p.n * (size_t)p.out_h * (size_t)p.out_w * (size_t)p.channels;
        in = floats(n_in);
        out = floats(n_out);
        want = calloc(n_out, sizeof *want);
        tolerance = calloc(n_out, sizeof *want);
        in[(rng() >> 33) % n_in] = NAN;
        in[(rng() >> 33) % n_in] = -INFINITY;
        pool_double(&p, want, in);
        for (size_t j = 0; j < n_out; j++) /* sums of values up to 1, then divided */
            tolerance[j] = p.kind == DPLI_POOL_MAX ? 0 : (p.kernel_h * p.kernel_w + 1) * EPS;
        /* A window of ceil mode that lies in padding only has no average to compare. */
        for (size_t j = 0; j < n_out; j++)
            out[j] = 12345;
        dpli_pool2d_run(&p, out, in);
        for (size_t j = 0; j < n_out; j++)
            if (p.kind == DPLI_POOL_AVERAGE && isnan(want[j]) && out[j] == 0)
                want[j] = 0;
        check("pool", out, want, tolerance, n_out);
        free(in);
        free(out);
        free(want);
        free(tolerance);
        i++;
    }
}

/* ------------------------------------------------------------------ chains */

static size_t link_out(const dpli_link *l)
{
    return l->conv ? out_size(l->conv)
                   : (size_t)l->pool->n * (size_t)l->pool->out_h * (size_t)l->pool->out_w *
                         (size_t)l->pool->channels;
}

static void chain_is_its_links_one_by_one_to_the_bit(void **state)
{
    int chained = 0;

    (void)state;
    rng_state = 4242;
    for (int i = 0; i < 400; i++) {
        dpli_conv convs[DPLI_MAX_CHAIN];
        dpli_pool pools[DPLI_MAX_CHAIN];
        dpli_link links[DPLI_MAX_CHAIN];
        float *owned[4 * DPLI_MAX_CHAIN + 4], *in, *want, *got, *residual;
        const int32_t batch = PICK(1, 2), first_c = PICK(1, 3, 16), wanted = PICK(2, 3, 4, 6, 8);
        int32_t h = PICK(5, 16, 23, 47), w = PICK(6, 14, 15, 31), c = first_c, n = 0, length;
        size_t n_owned = 0;
        void *scratch;

        in = floats((size_t)(batch * h * w * c));
        for (; n < wanted; n++) {
            const int32_t form = PICK(0, 1, 1, 2, 3); /* dense, depthwise, 1x1, pool */
            const int32_t kernel = form == 2 ? 1 : PICK(2, 3, 3, 5),
                          stride = form == 2 ? 1 : PICK(1, 1, 2);
            const int32_t pad = form == 2 ? 0 : PICK(0, 1, 1) % kernel;
            const int32_t out_c = form == 0 || form == 2 ? PICK(1, 5, 16, 40) : c;
            const int32_t out_h = fit(h, pad + PICK(0, 1) * (form != 2), kernel, stride, 1);
            const int32_t out_w = fit(w, pad + PICK(0, 1) * (form != 2), kernel, stride, 1);
            float *weight, *packed, *bias, *slope;

            if (out_h < 1 || out_w < 1)
                break;
            links[n] = (dpli_link){0};
            if (form == 3) {
                pools[n] = (dpli_pool){.kind = (dpli_pool_kind)(rng() >> 63),
                                       .n = batch,
                                       .in_h = h,
                                       .in_w = w,
                                       .channels = c,
                                       .out_h = out_h,
                                       .out_w = out_w,
                                       .kernel_h = kernel,
                                       .kernel_w = kernel,
                                       .stride_h = stride,
                                       .stride_w = stride,
                                       .dilation_h = 1,
                                       .dilation_w = 1,
                                       .pad_top = pad,
                                       .pad_left = pad,
                                       .pad_bottom = 1,
                                       .pad_right = 1};
                links[n].pool = &pools[n];
            } else {
                convs[n] =
                    (dpli_conv){batch,  h,      w,      c, out_h, out_w, out_c, kernel,
                                kernel, stride, stride, 1, 1,     pad,   pad,   form == 1 ? c : 1,
                                0,      false};
                weight = floats(weight_size(&convs[n]));
                packed = aligned(dpli_conv_packed_floats(&convs[n]) * sizeof(float));
                dpli_conv_pack(packed, &convs[n], weight);
                bias = floats((size_t)out_c);
                slope = floats((size_t)out_c);
                links[n].conv = &convs[n];
                links[n].packed = packed;
                links[n].epilogue = (dpli_epilogue){
                    .bias = bias, .act = make_act((dpli_act_kind)PICK(0, 1, 2, 5), slope)};
                owned[n_owned++] = weight;
                owned[n_owned++] = packed;
                owned[n_owned++] = bias;
                owned[n_owned++] = slope;
                c = out_c;
            }
            h = out_h;
            w = out_w;
        }
        length = n > 0 ? dpli_chain_length(links, n, 0) : 0;
        if (length > 1) {
            const dpli_link *last = links + length - 1;
            float *x = in;

            chained++;
            residual = floats(link_out(last));
            owned[n_owned++] = residual;
            if (last->conv)
                links[length - 1].epilogue.after = residual;
            got = floats(link_out(last));
            owned[n_owned++] = got;
            scratch = aligned(dpli_chain_scratch_bytes(links, length));
            /* In pieces that begin with any line, each with a scratch that it knows nothing of. */
            for (size_t at = 0, end, units = dpli_chain_units(links, length); at < units;
                 at = end) {
                end = at + 1 + (size_t)(rng() >> 33) % 9;
                end = end < units ? end : units;
                memset(scratch, 0xff, dpli_chain_scratch_bytes(links, length));
                dpli_chain_run_part(links, length, got, in, scratch, at, end);
            }
            free(scratch);
            for (int32_t l = 0; l < length; l++) {
                float *y = floats(link_out(links + l));

                if (links[l].pool) {
                    dpli_pool2d_run(links[l].pool, y, x);
                } else {
                    scratch = aligned(dpli_conv_scratch_bytes(links[l].conv));
                    dpli_conv_run(links[l].conv, y, x, links[l].packed, &links[l].epilogue,
                                  scratch);
                    free(scratch);
                }
                free(x);
                x = y;
            }
            want = x;
            in = x;
            for (size_t j = 0; j < link_out(last); j++)
                if (memcmp(got + j, want + j, sizeof *got) != 0)
                    fail_msg("chain %d of %d: [%zu] is %g, want %g", i, (int)length, j,
                             (double)got[j], (double)want[j]);
        }
        free(in);
        while (n_owned > 0)
            free(owned[--n_owned]);
    }
    assert_in_range(chained, 100, 400);
}

/* Two threads have as much each, in the shapes of the bundled networks. */
static void work_can_be_cut_in_halves(void **state)
{
    static const int32_t shapes[][4] = {/* side, in_c, out_c, kernel */
                                        {27, 64, 128, 1},  {27, 128, 128, 3}, {14, 128, 256, 1},
                                        {14, 256, 256, 3}, {14, 480, 480, 5}, {7, 128, 256, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int32_t side = shapes[i][0], kernel = shapes[i][3];
        const dpli_conv c = {.n = 1,
                             .in_h = side,
                             .in_w = side,
                             .in_c = shapes[i][1],
                             .out_h = side,
                             .out_w = side,
                             .out_c = shapes[i][2],
                             .kernel_h = kernel,
                             .kernel_w = kernel,
                             .stride_h = 1,
                             .stride_w = 1,
                             .dilation_h = 1,
                             .dilation_w = 1,
                             .pad_top = kernel / 2,
                             .pad_left = kernel / 2,
                             .groups = kernel > 1 ? shapes[i][1] : 1};
        const size_t units = dpli_conv_units(&c), larger = (units + 1) / 2;

        if ((double)larger > 0.52 * (double)units)
            fail_msg("shape %zu: one of two threads does %zu of %zu pieces", i, larger, units);
    }
}

/* ------------------------------------------------------------------ elementwise */

static double binary_double(dpli_binary_kind kind, double a, double b)
{
    switch (kind) {
    case DPLI_ADD: return a + b;
    case DPLI_SUB: return a - b;
    case DPLI_MUL: return a * b;
    case DPLI_DIV: return a / b;
    case DPLI_POW: return pow(a, b);
    case DPLI_MAX: return a > b ? a : b;
    case DPLI_MIN: return a < b ? a : b;
    }
    return NAN;
}

static void binary_broadcasts_as_numpy(void **state)
{
    (void)state;
    rng_state = 99;
    for (int i = 0; i < 2000; i++) {
        const dpli_binary_kind kind = (dpli_binary_kind)(i % 7);
        const int32_t rank = PICK(0, 1, 2, 3, 4, 8);
        int64_t dims[8], strides[2][8], size[2] = {1, 1}, at[8] = {0}, total = 1;
        float *x[2], *y;
        double *want, *tolerance;

        for (int32_t d = rank; d-- > 0;) {
            const int32_t keep = PICK(1, 2, 3, 3, 3); /* which operands have this dimension */

            dims[d] = rank > 4 ? PICK(1, 2, 3) : PICK(1, 2, 5, 16, 19);
            for (int o = 0; o < 2; o++) {
                strides[o][d] = keep >> o & 1 ? size[o] : 0;
                size[o] *= keep >> o & 1 ? dims[d] : 1;
            }
            total *= dims[d];
        }
        if (rank > 1 && i % 8 == 0) { /* a transposed first operand: no unit stride inside */
            strides[0][rank - 1] = dims[rank - 2];
            strides[0][rank - 2] = 1;
            size[0] = total;
            for (int32_t d = rank - 2, s = (int32_t)(dims[rank - 1] * dims[rank - 2]); d-- > 0;) {
                strides[0][d] = s;
                s *= (int32_t)dims[d];
            }
        }
        for (int o = 0; o < 2; o++) {
            x[o] = floats((size_t)size[o]);
            if (kind == DPLI_POW && o == 0)
                for (int64_t j = 0; j < size[0]; j++)
                    x[0][j] = fabsf(x[0][j]) + 0.1f;
        }
        y = floats((size_t)total);
        want = calloc((size_t)total, sizeof *want);
        tolerance = calloc((size_t)total, sizeof *want);
        for (int64_t j = 0; j < total; j++) {
            int64_t ia = 0, ib = 0;

            for (int32_t d = 0; d < rank; d++) {
                ia += at[d] * strides[0][d];
                ib += at[d] * strides[1][d];
            }
            want[j] = binary_double(kind, x[0][ia], x[1][ib]);
            tolerance[j] = 2 * EPS * fabs(want[j]) + FLT_MIN; /* powf: within 1 ulp */
            for (int32_t d = rank; d-- > 0 && ++at[d] == dims[d];)
                at[d] = 0;
        }
        dpli_binary_run(kind, y, x[0], x[1], rank, dims, strides[0], strides[1]);
        check("binary", y, want, tolerance, (size_t)total);
        free(x[0]);
        free(x[1]);
        free(y);
        free(want);
        free(tolerance);
    }
}

/* ------------------------------------------------------------------ float16, processor */

static void every_half_becomes_its_float(void **state)
{
    (void)state;
    for (uint32_t h = 0; h <= UINT16_MAX; h++) {
        const uint16_t half = (uint16_t)h;
        const int exponent = (int)(h >> 10 & 31);
        const double mantissa = (double)(h & 1023);
        double want;
        float got;

        if (exponent == 31)
            want = mantissa > 0 ? NAN : INFINITY;
        else
            want = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
        want = h >> 15 ? -want : want;
        dpli_half_to_float(&got, &half, 1);
        if (isnan(want) ? !isnan(got) : (double)got != want || !signbit(got) != !signbit(want))
            fail_msg("half %04x is %g, want %g", h, (double)got, want);
    }
}

static void denormals_are_flushed_between_enter_and_restore(void **state)
{
    volatile float tiny = FLT_MIN, half = 0.5f;
    unsigned fpu;

    (void)state;
    assert_true(tiny * half > 0);
    fpu = dpli_fpu_enter();
#if defined(__x86_64__) || defined(__aarch64__)
    {
        const float product = tiny * half;

        dpli_fpu_restore(fpu);
        assert_true(product == 0);
    }
#else
    dpli_fpu_restore(fpu);
#endif
    assert_true(tiny * half > 0);
}

static void level_is_not_above_the_one_asked_for(void **state)
{
    static const char *const names[] = {"baseline", "avx2", "avx512"};
    const char *want = getenv("DOPPEL_CPU");

    (void)state;
    if (want)
        assert_string_equal(names[dpli_cpu_level()], want);
    else
        assert_in_range(dpli_cpu_level(), DPLI_CPU_BASELINE, DPLI_CPU_AVX512);
}

int main(void)
{
    static const char *const names[] = {"baseline", "avx2", "avx512"};
    const char *want = getenv("DOPPEL_CPU");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(level_is_not_above_the_one_asked_for),
        cmocka_unit_test(activations_match_their_formulas),
        cmocka_unit_test(activations_treat_nan_and_infinity_as_onnxruntime),
        cmocka_unit_test(tanh_and_erf_are_right_from_tiny_to_saturated),
        cmocka_unit_test(exp_is_right_from_underflow_to_overflow),
        cmocka_unit_test(convolution_matches_the_sum_over_many_shapes),
        cmocka_unit_test(convolution_matches_the_sum_at_the_seams),
        cmocka_unit_test(convolution_hides_no_nan),
        cmocka_unit_test(epilogue_matches_its_formula),
        cmocka_unit_test(gemm_matches_the_sum),
        cmocka_unit_test(pooling_matches_its_definition_over_many_shapes),
        cmocka_unit_test(chain_is_its_links_one_by_one_to_the_bit),
        cmocka_unit_test(work_can_be_cut_in_halves),
        cmocka_unit_test(binary_broadcasts_as_numpy),
        cmocka_unit_test(every_half_becomes_its_float),
        cmocka_unit_test(denormals_are_flushed_between_enter_and_restore),
    };

    /* Below what is asked for: the machine has no more. Above: a defect, which the first test
     * finds. */
    for (int level = (int)dpli_cpu_level() + 1; want && level <= DPLI_CPU_AVX512; level++) {
        if (strcmp(want, names[level]) == 0) {
            printf("this machine has no %s, only %s\n", want, names[dpli_cpu_level()]);
            return 77;
        }
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

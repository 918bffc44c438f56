/*
 * Layers line by line: one by itself, or a chain of them, in which each makes the lines that the
 * next one is about to read. Between two links only a ring of lines is kept.
 */

/* A link at work: where its lines go, and how far it is in the picture at hand. */
typedef struct worker {
    lines out;
    line_copies copies;
    const elem *zeros;
    void *three; /* for target */
    int32_t done;
} worker;

#if defined(DPLI_NARROW)

#if defined(DPLI_BYTE)
#define ROWS_BEFORE 4
#else
#define ROWS_BEFORE 2
#endif

/* What dpli_narrow_pack or dpli_bytes_pack has laid in front of the weight, and the weight. */
static const void *weight_of(const dpli_link *link)
{
    const size_t columns = ((size_t)link->conv->out_c + DPLI_PANEL - 1) / DPLI_PANEL * DPLI_PANEL;

    return (const float *)link->packed + ROWS_BEFORE * columns;
}

static target whole_target(const dpli_link *link, void *out, void *three)
{
    const dpli_epilogue *e = &link->epilogue;
    const size_t columns = ((size_t)link->conv->out_c + DPLI_PANEL - 1) / DPLI_PANEL * DPLI_PANEL;
    const float *floats = link->packed;
    const size_t n = (size_t)(e->wide_channels > 0 ? e->wide_channels : link->conv->out_c);

    (void)three; /* of float32 only */
    return (target)
    {
        .out = out, .bias = floats,
        .slope = e->act.kind == DPLI_ACT_PRELU ? floats + columns : NULL,
        .before = (const elem *)(const void *)e->before,
        .after = (const elem *)(const void *)e->after, .ldo = n, .n_columns = n, .act = &e->act,
#if defined(DPLI_BYTE)
        .factor = floats + 2 * columns,
        .start = (const int32_t *)(const void *)(floats + 3 * columns), .scales = e,
#endif
        .wide = e->wide_channels > 0
    };
}

/* Elements of a line of the output, as lines counts them. */
static size_t link_line(const dpli_link *link)
{
    return link->conv && link->epilogue.wide_channels > 0
               ? sizeof(float) / sizeof(elem) * (size_t)link->conv->out_w *
                     (size_t)link->epilogue.wide_channels
               : dpli_link_line(link);
}

#if defined(DPLI_BYTE)
DPLI_INLINE vf cast_to(const dpli_cast *c, vf x)
{
    return to_whole(c->to, x);
}
#else
#define cast_to(c, x) (x)
#endif

/* Lines of the input, float32, to narrow ones. */
static void cast_rows(const dpli_cast *c, const lines *in, const lines *out, int32_t from,
                      int32_t end)
{
    const size_t channels = (size_t)c->channels, padded = (size_t)dpli_narrow_channels(c->channels);

    for (int32_t y = from; y < end; y++) {
        const float *x = (const float *)(const void *)line_at(in, y);
        elem *to = line_at(out, y);
        size_t pixels = (size_t)c->w;

#if DPLI_LANES == 16
        if (channels == 3) {
            /* Four pixels at once, a zero behind each; the last of them by themselves, so that
             * nothing is read past the end. */
            for (; pixels >= 4; pixels -= 4, x += 12, to += 16)
                ve_store(to, cast_to(c, (vf)_mm512_maskz_expand_ps(
                                            0x7777, (__m512)_mm512_maskz_loadu_ps(0xfff, x))));
        }
#endif
        for (; pixels > 0; pixels--, x += channels, to += padded) {
            size_t i = 0;

            for (; i + DPLI_LANES <= channels; i += DPLI_LANES)
                ve_store(to + i, cast_to(c, vf_load(x + i)));
            for (; i < padded; i += DPLI_LANES) {
                const size_t left = channels > i ? channels - i : 0;
                const vf v = left >= DPLI_LANES ? vf_load(x + i)
                             : left > 0         ? vf_load_n(x + i, left)
                                                : vf_set(0);
                const size_t many = padded - i;

                if (many >= DPLI_LANES)
                    ve_store(to + i, cast_to(c, v));
                else
                    ve_store_n(to + i, cast_to(c, v), many);
            }
        }
    }
}

#if defined(DPLI_BYTE)
static void cast_back(const dpli_scale *of, float *y, const elem *x, size_t n_rows, size_t channels)
#define from_cast(v) from_whole(*of, v)
#else
static void cast_back(float *y, const elem *x, size_t n_rows, size_t channels)
#define from_cast(v) (v)
#endif
{
    const size_t padded = (size_t)dpli_narrow_channels((int32_t)channels);

    for (size_t r = 0; r < n_rows; r++, y += channels, x += padded) {
        size_t i = 0;

        for (; i + DPLI_LANES <= channels; i += DPLI_LANES)
            vf_store(y + i, from_cast(ve_load(x + i)));
        if (i < channels)
            vf_store_n(y + i, from_cast(ve_load_n(x + i, channels - i)), channels - i);
    }
}

#else

static const void *weight_of(const dpli_link *link)
{
    return link->packed;
}

static target whole_target(const dpli_link *link, void *out, void *three)
{
    const dpli_epilogue *e = &link->epilogue;

    return (target){.out = out,
                    .three = three,
                    .bias = e->bias,
                    .slope = e->act.kind == DPLI_ACT_PRELU ? e->act.slope : NULL,
                    .before = e->before,
                    .after = e->after,
                    .ldo = (size_t)link->conv->out_c,
                    .n_columns = (size_t)link->conv->out_c,
                    .act = &e->act};
}

static size_t link_line(const dpli_link *link)
{
    return dpli_link_line(link);
}

#endif

/* The end of a convolution's scratch, where rows are split; NULL where they are not. */
static void *three_of(const dpli_conv *c, void *scratch)
{
    return c->three ? (char *)scratch + dpli_conv_scratch_bytes(c) - dpli_three_scratch_bytes(c)
                    : NULL;
}

/* Once a run: what the link keeps in its scratch. */
static void worker_begin(worker *w, const dpli_link *link, void *scratch)
{
    if (!link->conv)
        return;
    w->three = three_of(link->conv, scratch);
    if (dpli_conv_choose(link->conv) == DPLI_CONV_DEPTHWISE) {
        memset(scratch, link->conv->outside, (size_t)link->conv->in_c * sizeof(elem));
        w->zeros = scratch;
    } else if (dpli_conv_choose(link->conv) == DPLI_CONV_LINES) {
        w->copies = conv_lines_begin(link->conv, scratch);
    }
}

/* Output lines w->done .. end - 1 of picture i. */
static void worker_run(worker *w, const dpli_link *link, const lines *in, int32_t end, size_t i)
{
    const dpli_conv *c = link->conv;
    const void *packed;
    target t;

    if (!c) {
#if defined(DPLI_NARROW)
        if (link->cast)
            cast_rows(link->cast, in, &w->out, w->done, end);
        else
#else
        if (link->supply)
            for (int32_t y = w->done; y < end; y++)
                link->supply->line(link->supply->ctx, line_at(&w->out, y), (int32_t)i, y);
        else
#endif
            pool_rows(link->pool, in, &w->out, w->done, end);
        w->done = end;
        return;
    }
    packed = weight_of(link);
    t = whole_target(link, NULL, w->three);
    t.before = t.before ? t.before + i * (size_t)c->out_h * w->out.line : NULL;
    t.after = t.after ? t.after + i * (size_t)c->out_h * w->out.line : NULL;
    switch (dpli_conv_choose(c)) {
    case DPLI_CONV_DEPTHWISE:
        conv_depthwise_rows(c, in, &w->out, packed, &t, w->zeros, w->done, end);
        break;
    case DPLI_CONV_FLAT: conv_flat_rows(c, in, &w->out, packed, &t, w->done, end); break;
    case DPLI_CONV_LINES:
        conv_lines_rows(c, in, &w->out, packed, &t, &w->copies, w->done, end);
        break;
    case DPLI_CONV_PATCHES: break;
    }
    w->done = end;
}

/* Pieces from .. end - 1 of dpli_chain_units. */
static void chain_run(const dpli_link *links, int32_t n_links, void *out, const void *in,
                      void *scratch, size_t from_unit, size_t end_unit)
{
    const dpli_link *first = links, *last = links + n_links - 1;
    const int32_t in_h = first->conv   ? first->conv->in_h
                         : first->pool ? first->pool->in_h
                         : first->cast ? first->cast->h
                                       : 0;
    const size_t in_line = first->conv   ? (size_t)first->conv->in_w * (size_t)first->conv->in_c
                           : first->pool ? (size_t)first->pool->in_w * (size_t)first->pool->channels
                           : first->cast ? sizeof(float) / sizeof(elem) * (size_t)first->cast->w *
                                               (size_t)first->cast->channels
                                         : 0;
    const size_t out_h = (size_t)dpli_link_out_h(last);
    worker workers[DPLI_MAX_CHAIN] = {0};
    dpli_chain_plan plan;
    char *at = scratch;
    bool three = false;

    dpli_chain_lay_out(&plan, links, n_links);
    for (int32_t l = 0; l < n_links; l++) {
        workers[l].out = (lines){(elem *)(void *)at, link_line(links + l), plan.n_ring[l]};
        at += plan.ring_floats[l] * sizeof(elem);
        worker_begin(&workers[l], links + l, at);
        at += links[l].conv ? dpli_conv_scratch_bytes(links[l].conv) : 0;
        three |= links[l].conv && links[l].conv->three;
    }
    products_begin(three);
    for (size_t unit = from_unit; unit < end_unit;) {
        const size_t i = unit / out_h, within = unit % out_h;
        const size_t many = out_h - within < end_unit - unit ? out_h - within : end_unit - unit;
        const int32_t end = (int32_t)(within + many);
        int32_t y = (int32_t)within, begin[DPLI_MAX_CHAIN];
        /* Only read: lines of the input have no writer. */
        const lines from = {(elem *)(uintptr_t)in + i * (size_t)in_h * in_line, in_line, in_h};

        workers[n_links - 1].out.first = (elem *)out + i * out_h * link_line(last);
        dpli_chain_begin(links, n_links, y, begin);
        for (int32_t l = 0; l < n_links; l++) {
            workers[l].done = begin[l];
            workers[l].copies.copied = 0;
        }
        unit += many;
        while (y < end) {
            int32_t want[DPLI_MAX_CHAIN];

            y = end - y > plan.step ? y + plan.step : end;
            dpli_chain_round(links, n_links, y, want);
            for (int32_t l = 0; l < n_links; l++)
                if (want[l] > workers[l].done)
                    worker_run(&workers[l], links + l, l ? &workers[l - 1].out : &from, want[l], i);
        }
    }
    products_end(three);
}

/* Pieces from .. end - 1 of dpli_conv_units. */
static void conv_run(const dpli_conv *c, void *out, const void *in, const void *packed,
                     const dpli_epilogue *e, void *scratch, size_t from, size_t end)
{
    const dpli_link link = {.conv = c, .packed = packed, .epilogue = *e};
    const target all = whole_target(&link, out, three_of(c, scratch));

    if (dpli_conv_choose(c) != DPLI_CONV_FLAT && dpli_conv_choose(c) != DPLI_CONV_PATCHES) {
        chain_run(&link, 1, out, in, scratch, from, end);
        return;
    }
    products_begin(c->three);
    if (dpli_conv_choose(c) == DPLI_CONV_FLAT)
        conv_flat(c, in, weight_of(&link), &all, from, end);
    else
        conv_patches(c, in, weight_of(&link), &all, scratch, from, end);
    products_end(c->three);
}

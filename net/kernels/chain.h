/*
 * Layers line by line: one by itself, or a chain of them, in which each makes the lines that the
 * next one is about to read. Between two links only a ring of lines is kept.
 */

/* A link at work: where its lines go, and how far it is in the picture at hand. */
typedef struct worker {
    lines out;
    line_copies copies;
    const float *zeros;
    int32_t done;
} worker;

static target whole_target(const dpli_conv *c, const dpli_epilogue *e, float *out)
{
    return (target){.out = out,
                    .bias = e->bias,
                    .slope = e->act.kind == DPLI_ACT_PRELU ? e->act.slope : NULL,
                    .before = e->before,
                    .after = e->after,
                    .ldo = (size_t)c->out_c,
                    .n_columns = (size_t)c->out_c,
                    .act = &e->act};
}

/* Once a run: what the link keeps in its scratch. */
static void worker_begin(worker *w, const dpli_link *link, void *scratch)
{
    if (!link->conv)
        return;
    if (dpli_conv_choose(link->conv) == DPLI_CONV_DEPTHWISE) {
        memset(scratch, 0, (size_t)link->conv->in_c * sizeof(float));
        w->zeros = scratch;
    } else if (dpli_conv_choose(link->conv) == DPLI_CONV_LINES) {
        w->copies = conv_lines_begin(link->conv, scratch);
    }
}

/* Output lines w->done .. end - 1 of picture i. */
static void worker_run(worker *w, const dpli_link *link, const lines *in, int32_t end, size_t i)
{
    const dpli_conv *c = link->conv;
    target t;

    if (!c) {
        pool_rows(link->pool, in, &w->out, w->done, end);
        w->done = end;
        return;
    }
    t = whole_target(c, &link->epilogue, NULL);
    t.before = t.before ? t.before + i * (size_t)c->out_h * w->out.line : NULL;
    t.after = t.after ? t.after + i * (size_t)c->out_h * w->out.line : NULL;
    if (w->done == 0)
        w->copies.copied = 0;
    switch (dpli_conv_choose(c)) {
    case DPLI_CONV_DEPTHWISE:
        conv_depthwise_rows(c, in, &w->out, link->packed, &t, w->zeros, w->done, end);
        break;
    case DPLI_CONV_FLAT: conv_flat_rows(c, in, &w->out, link->packed, &t, w->done, end); break;
    case DPLI_CONV_LINES:
        conv_lines_rows(c, in, &w->out, link->packed, &t, &w->copies, w->done, end);
        break;
    case DPLI_CONV_PATCHES: break;
    }
    w->done = end;
}

static size_t link_line(const dpli_link *link)
{
    return link->conv ? (size_t)link->conv->out_w * (size_t)link->conv->out_c
                      : (size_t)link->pool->out_w * (size_t)link->pool->channels;
}

static void chain_run(const dpli_link *links, int32_t n_links, float *out, const float *in,
                      void *scratch)
{
    const dpli_link *first = links, *last = links + n_links - 1;
    const int32_t n = first->conv ? first->conv->n : first->pool->n;
    const int32_t in_h = first->conv ? first->conv->in_h : first->pool->in_h;
    const size_t in_line = first->conv ? (size_t)first->conv->in_w * (size_t)first->conv->in_c
                                       : (size_t)first->pool->in_w * (size_t)first->pool->channels;
    const int32_t out_h = dpli_link_out_h(last);
    worker workers[DPLI_MAX_CHAIN] = {0};
    dpli_chain_plan plan;
    float *at = scratch;

    dpli_chain_lay_out(&plan, links, n_links);
    for (int32_t l = 0; l < n_links; l++) {
        workers[l].out = (lines){at, link_line(links + l), plan.n_ring[l]};
        at += plan.ring_floats[l];
        worker_begin(&workers[l], links + l, at);
        at += links[l].conv ? dpli_conv_scratch_bytes(links[l].conv) / sizeof *at : 0;
    }
    for (size_t i = 0; i < (size_t)n; i++) {
        /* Only read: lines of the input have no writer. */
        const lines from = {(float *)(uintptr_t)in + i * (size_t)in_h * in_line, in_line, in_h};

        workers[n_links - 1].out.first = out + i * (size_t)out_h * link_line(last);
        for (int32_t l = 0; l < n_links; l++)
            workers[l].done = 0;
        for (int32_t y = 0; y < out_h;) {
            int32_t want[DPLI_MAX_CHAIN];

            y = out_h - y > plan.step ? y + plan.step : out_h;
            dpli_chain_round(links, n_links, y, want);
            for (int32_t l = 0; l < n_links; l++)
                if (want[l] > workers[l].done)
                    worker_run(&workers[l], links + l, l ? &workers[l - 1].out : &from, want[l], i);
        }
    }
}

static void conv_run(const dpli_conv *c, float *out, const float *in, const float *packed,
                     const dpli_epilogue *e, void *scratch)
{
    const dpli_link link = {c, packed, *e, NULL};
    const target all = whole_target(c, e, out);

    switch (dpli_conv_choose(c)) {
    case DPLI_CONV_FLAT: conv_flat(c, in, packed, &all); break;
    case DPLI_CONV_PATCHES: conv_patches(c, in, packed, &all, scratch); break;
    default: chain_run(&link, 1, out, in, scratch); break;
    }
}

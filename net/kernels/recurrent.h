/*
 * One step of recurrent cells, once their products are there.
 *
 *     LSTM  i, o, f = sigm(.), g = tanh(.); c = f c' + i g; h = o tanh(c)
 *     GRU   z, r = sigm(.); g = tanh(. + r side), or of a product with r h'; h = g + z (h' - g)
 *
 * The gates stay where their products were, activated: the way back reads them.
 * Source: Hochreiter and Schmidhuber 1997; Gers 2000; Cho 2014; the equations of ONNX LSTM-14 and
 * GRU-14.
 */

/* Vector at p, whole or the first n values; zeros where there is none. */
DPLI_INLINE vf cell_load(const float *p, size_t n)
{
    return !p ? vf_set(0) : n >= DPLI_LANES ? vf_load(p) : vf_load_n(p, n);
}

DPLI_INLINE void cell_store(float *p, vf x, size_t n)
{
    if (n >= DPLI_LANES)
        vf_store(p, x);
    else
        vf_store_n(p, x, n);
}

DPLI_INLINE const float *cell_at(const float *p, size_t at)
{
    return p ? p + at : NULL;
}

DPLI_INLINE vf cell_sigmoid(vf x)
{
    return 1.0f / (1.0f + vf_exp(-x));
}

/* Gate k's sum at p: its product, and its biases. */
DPLI_INLINE vf cell_gate(const dpli_cell_step *s, const float *row, size_t k, size_t i, size_t n)
{
    const size_t at = k * s->hidden + i;

    return cell_load(row + at, n) + cell_load(cell_at(s->bias_w, at), n) +
           cell_load(cell_at(s->bias_r, at), n);
}

static void cell_lstm(const dpli_cell_step *s)
{
    const size_t h = s->hidden;

    for (size_t r = 0; r < s->n_rows; r++) {
        float *row = s->gates + r * 4 * h;

        for (size_t i = 0; i < h; i += DPLI_LANES) {
            const size_t n = h - i, at = r * h + i;
            const vf in = cell_sigmoid(cell_gate(s, row, 0, i, n));
            const vf out = cell_sigmoid(cell_gate(s, row, 1, i, n));
            const vf keep = cell_sigmoid(cell_gate(s, row, 2, i, n));
            const vf g = vf_tanh(cell_gate(s, row, 3, i, n));
            const vf c = keep * cell_load(cell_at(s->c_prev, at), n) + in * g;

            cell_store(row + i, in, n);
            cell_store(row + h + i, out, n);
            cell_store(row + 2 * h + i, keep, n);
            cell_store(row + 3 * h + i, g, n);
            cell_store(s->c + at, c, n);
            cell_store(s->h + at, out * vf_tanh(c), n);
        }
    }
}

static void cell_gru(const dpli_cell_step *s)
{
    const size_t h = s->hidden;

    for (size_t r = 0; r < s->n_rows; r++) {
        float *row = s->gates + r * 3 * h;
        float *side = s->side ? s->side + r * 3 * h : NULL;

        for (size_t i = 0; i < h; i += DPLI_LANES) {
            const size_t n = h - i, at = r * h + i;
            const vf z = cell_sigmoid(cell_gate(s, row, 0, i, n) + cell_load(cell_at(side, i), n));
            const vf reset =
                cell_sigmoid(cell_gate(s, row, 1, i, n) + cell_load(cell_at(side, h + i), n));
            const vf q = cell_load(cell_at(side, 2 * h + i), n) +
                         cell_load(cell_at(s->bias_r, 2 * h + i), n);
            const vf g = vf_tanh(cell_load(row + 2 * h + i, n) +
                                 cell_load(cell_at(s->bias_w, 2 * h + i), n) + reset * q);

            cell_store(row + i, z, n);
            cell_store(row + h + i, reset, n);
            cell_store(row + 2 * h + i, g, n);
            if (side)
                cell_store(side + 2 * h + i, q, n);
            cell_store(s->h + at, g + z * (cell_load(cell_at(s->h_prev, at), n) - g), n);
        }
    }
}

/* The reset before the product, in two halves: what the product is of, and what follows it. */
static void cell_gru_reset(const dpli_cell_step *s)
{
    const size_t h = s->hidden;

    for (size_t r = 0; r < s->n_rows; r++) {
        float *row = s->gates + r * 3 * h;

        for (size_t i = 0; i < h; i += DPLI_LANES) {
            const size_t n = h - i, at = r * h + i;
            const vf z = cell_sigmoid(cell_gate(s, row, 0, i, n));
            const vf reset = cell_sigmoid(cell_gate(s, row, 1, i, n));

            cell_store(row + i, z, n);
            cell_store(row + h + i, reset, n);
            cell_store(s->side + at, reset * cell_load(cell_at(s->h_prev, at), n), n);
        }
    }
}

static void cell_gru_finish(const dpli_cell_step *s)
{
    const size_t h = s->hidden;

    for (size_t r = 0; r < s->n_rows; r++) {
        float *row = s->gates + r * 3 * h;

        for (size_t i = 0; i < h; i += DPLI_LANES) {
            const size_t n = h - i, at = r * h + i;
            const vf z = cell_load(row + i, n), g = vf_tanh(cell_gate(s, row, 2, i, n));

            cell_store(row + 2 * h + i, g, n);
            cell_store(s->h + at, g + z * (cell_load(cell_at(s->h_prev, at), n) - g), n);
        }
    }
}

/* ------------------------------------------------------------------ the way back */

static void cell_lstm_back(const dpli_cell_back *s)
{
    const size_t h = s->hidden;

    for (size_t r = 0; r < s->n_rows; r++) {
        float *row = s->gates + r * 4 * h;

        for (size_t i = 0; i < h; i += DPLI_LANES) {
            const size_t n = h - i, at = r * h + i;
            const vf in = cell_load(row + i, n), out = cell_load(row + h + i, n);
            const vf keep = cell_load(row + 2 * h + i, n), g = cell_load(row + 3 * h + i, n);
            const vf tc = vf_tanh(cell_load(s->c + at, n)), dh = cell_load(s->dh + at, n);
            const vf dc = cell_load(s->dc + at, n) + dh * out * (1.0f - tc * tc);

            cell_store(row + i, dc * g * in * (1.0f - in), n);
            cell_store(row + h + i, dh * tc * out * (1.0f - out), n);
            cell_store(row + 2 * h + i,
                       dc * cell_load(cell_at(s->c_prev, at), n) * keep * (1.0f - keep), n);
            cell_store(row + 3 * h + i, dc * in * (1.0f - g * g), n);
            cell_store(s->dc + at, dc * keep, n);
        }
    }
}

static void cell_gru_back(const dpli_cell_back *s)
{
    const size_t h = s->hidden;

    for (size_t r = 0; r < s->n_rows; r++) {
        float *row = s->gates + r * 3 * h, *side = s->side + r * 3 * h;

        for (size_t i = 0; i < h; i += DPLI_LANES) {
            const size_t n = h - i, at = r * h + i;
            const vf z = cell_load(row + i, n), reset = cell_load(row + h + i, n);
            const vf g = cell_load(row + 2 * h + i, n), q = cell_load(side + 2 * h + i, n);
            const vf dh = cell_load(s->dh + at, n), h_prev = cell_load(cell_at(s->h_prev, at), n);
            const vf da = dh * (1.0f - z) * (1.0f - g * g);
            const vf dz = dh * (h_prev - g) * z * (1.0f - z);
            const vf dr = da * q * reset * (1.0f - reset);

            cell_store(row + i, dz, n);
            cell_store(row + h + i, dr, n);
            cell_store(row + 2 * h + i, da, n);
            cell_store(side + i, dz, n);
            cell_store(side + h + i, dr, n);
            cell_store(side + 2 * h + i, da * reset, n);
            cell_store(s->dh + at, dh * z, n);
        }
    }
}

/* In two halves again: up to the product that gives ds, and from there on. */
static void cell_gru_finish_back(const dpli_cell_back *s)
{
    const size_t h = s->hidden;

    for (size_t r = 0; r < s->n_rows; r++) {
        float *row = s->gates + r * 3 * h;

        for (size_t i = 0; i < h; i += DPLI_LANES) {
            const size_t n = h - i, at = r * h + i;
            const vf z = cell_load(row + i, n), g = cell_load(row + 2 * h + i, n);
            const vf dh = cell_load(s->dh + at, n), h_prev = cell_load(cell_at(s->h_prev, at), n);

            cell_store(row + i, dh * (h_prev - g) * z * (1.0f - z), n);
            cell_store(row + 2 * h + i, dh * (1.0f - z) * (1.0f - g * g), n);
            cell_store(s->dh + at, dh * z, n);
        }
    }
}

static void cell_gru_reset_back(const dpli_cell_back *s)
{
    const size_t h = s->hidden;

    for (size_t r = 0; r < s->n_rows; r++) {
        float *row = s->gates + r * 3 * h;

        for (size_t i = 0; i < h; i += DPLI_LANES) {
            const size_t n = h - i, at = r * h + i;
            const vf reset = cell_load(row + h + i, n), ds = cell_load(s->ds + at, n);

            cell_store(row + h + i,
                       ds * cell_load(cell_at(s->h_prev, at), n) * reset * (1.0f - reset), n);
            cell_store(s->dh + at, cell_load(s->dh + at, n) + ds * reset, n);
        }
    }
}

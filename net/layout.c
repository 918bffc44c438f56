/*
 * layout.c - where the elements of a dense value lie, and moving them from one order to another.
 */
#include "net/layout.h"

#include <string.h>

void dpli_strides(const dpl_shape *shape, dpli_order order, int64_t strides[DPL_MAX_RANK])
{
    int64_t step = 1;

    if (shape->rank == 4 && order == DPLI_NHWC) {
        strides[1] = 1;
        strides[3] = shape->dims[1];
        strides[2] = strides[3] * shape->dims[3];
        strides[0] = strides[2] * shape->dims[2];
        return;
    }
    for (int32_t i = shape->rank - 1; i >= 0; i--) {
        strides[i] = step;
        step *= shape->dims[i];
    }
}

void dpli_move_join(dpli_move *m)
{
    int32_t n = 0;

    for (int32_t i = 0; i < m->rank; i++) {
        if (m->dims[i] == 1)
            continue;
        if (n > 0 && m->to[n - 1] == m->to[i] * m->dims[i] &&
            m->from[n - 1] == m->from[i] * m->dims[i]) {
            m->dims[n - 1] *= m->dims[i];
        } else {
            m->dims[n] = m->dims[i];
            n++;
        }
        m->to[n - 1] = m->to[i];
        m->from[n - 1] = m->from[i];
    }
    m->rank = n;
}

static void move_row(int64_t n, void *to, int64_t to_step, const void *from, int64_t from_step,
                     size_t element_bytes)
{
    if (to_step == 1 && from_step == 1) {
        memcpy(to, from, (size_t)n * element_bytes);
    } else if (element_bytes == sizeof(float)) {
        float *t = to;
        const float *f = from;

        for (int64_t i = 0; i < n; i++)
            t[i * to_step] = f[i * from_step];
    } else {
        int64_t *t = to;
        const int64_t *f = from;

        for (int64_t i = 0; i < n; i++)
            t[i * to_step] = f[i * from_step];
    }
}

void dpli_move_run(const dpli_move *m, void *to, const void *from, size_t element_bytes)
{
    int64_t at[DPL_MAX_RANK] = {0};
    int64_t t = m->to_offset, f = m->from_offset;
    int32_t inner = m->rank - 1, i;

    if (m->rank == 0) {
        move_row(1, (char *)to + (size_t)t * element_bytes, 1,
                 (const char *)from + (size_t)f * element_bytes, 1, element_bytes);
        return;
    }
    do {
        move_row(m->dims[inner], (char *)to + (size_t)t * element_bytes, m->to[inner],
                 (const char *)from + (size_t)f * element_bytes, m->from[inner], element_bytes);
        for (i = inner - 1; i >= 0; i--) {
            t += m->to[i];
            f += m->from[i];
            if (++at[i] < m->dims[i])
                break;
            t -= m->to[i] * m->dims[i];
            f -= m->from[i] * m->dims[i];
            at[i] = 0;
        }
    } while (i >= 0);
}

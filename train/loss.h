/*
 * Losses: embeddings of a batch and what is known of them, to a number and its gradient.
 *
 * A batch is rows of pictures, each embedded once; losses of pairs take a list of pairs of rows, so
 * that "all pairs of the batch" and "pair k is rows 2k and 2k + 1" are the same code.
 */
#ifndef DOPPEL_TRAIN_LOSS_H
#define DOPPEL_TRAIN_LOSS_H

#include "base/team.h"
#include "net/tape.h"

typedef enum dpli_loss_kind {
    DPLI_LOSS_CONTRASTIVE,  /* Euclidean; Hadsell, Chopra, LeCun 2006, margin */
    DPLI_LOSS_L1_SIGMOID,   /* weighted L1, sigmoid, cross-entropy; Koch et al. 2015 */
    DPLI_LOSS_MANHATTAN_CE, /* exp(-L1), cross-entropy; after Mueller and Thyagarajan 2016 */
    DPLI_LOSS_MANHATTAN_SE, /* exp(-L1), squared error; Mueller and Thyagarajan 2016 */
    /* Of similarities 1 - |a - b|, weighted, sigmoid, cross-entropy: the weighted L1 another way */
    DPLI_LOSS_L1_SIMILARITY,
    DPLI_LOSS_DISTANCE_SIGMOID, /* sigmoid(w Euclidean + bias), cross-entropy */
    DPLI_LOSS_COSINE_SE,        /* (cos - target)^2, for graded pairs */
    DPLI_LOSS_COSINE,           /* 1 - cos for same, max(0, cos - margin) for different */
    DPLI_LOSS_TRIPLET,          /* semi-hard mining in the batch; Schroff et al. 2015 */
    DPLI_LOSS_ARC,              /* additive angular margin with classes; Deng et al. 2019 */
    DPLI_LOSS_DISTIL, /* regress teachers' unit embeddings: 1 - cos, mean over teachers, through
                         one linear map a teacher where the lengths differ */
    /* Each row nearest to its teacher's vector among all of the batch (loss_across.c): */
    DPLI_LOSS_INFO_NCE, /* softmax both ways; van den Oord et al. 2018, Radford et al. 2021 */
    DPLI_LOSS_RANKING   /* margin to a semi-hard rival both ways; Kiros et al. 2014 */
} dpli_loss_kind;

typedef struct dpli_loss_options {
    dpli_loss_kind kind;
    int32_t dim;       /* of the embedding */
    int32_t n_classes; /* DPLI_LOSS_ARC */
    /* NaN: the kind's own (contrastive 1, cosine 0.5, triplet and ranking 0.2, arc 0.5) */
    float margin;
    float scale;       /* DPLI_LOSS_ARC: s, NaN: 64 */
    float temperature; /* DPLI_LOSS_INFO_NCE; NaN: learnt */
    int32_t n_teachers;
    const int32_t *teacher_dims; /* of distillation; INFO_NCE and RANKING: one, of dim numbers */
    uint64_t seed;               /* of the parameters' start */
} dpli_loss_options;

typedef struct dpli_pair {
    int32_t a, b; /* rows */
    float target; /* 1: same, 0: different; a grade between */
    float weight; /* weights of a batch sum to 1 */
} dpli_pair;

typedef struct dpli_loss_batch {
    int32_t n;
    const float *embeddings; /* [n, dim] */
    float *grad;             /* [n, dim], written; NULL: the loss only */
    /* By kind: labels for triplet and arc, pairs for the kinds of pairs, teachers for distillation,
     * labels and teachers for InfoNCE and ranking; the others may be NULL. */
    const int32_t *labels; /* [n], class of each row */
    const dpli_pair *pairs;
    size_t n_pairs;
    const float *const *teachers; /* n_teachers of [n, teacher_dim] */
} dpli_loss_batch;

typedef struct dpli_loss dpli_loss;

dpl_status dpli_loss_new(dpli_loss **out, const dpli_loss_options *options, dpl_error *err);
void dpli_loss_free(dpli_loss *loss);
/** True when the kind takes pairs. */
bool dpli_loss_takes_pairs(dpli_loss_kind kind);
/** True when the kind takes teachers' vectors. */
bool dpli_loss_takes_teachers(dpli_loss_kind kind);
/** The head (index/head.c's name: "l1-sigmoid", …) by which vectors so trained are compared. */
const char *dpli_loss_head(dpli_loss_kind kind);

/** The loss's own parameters (L1 weights [dim] and bias; class centres; maps; log of InfoNCE's
 * scale), with gradients written by each run that has a grad. Kinds: DPLI_PARAM_DENSE and
 * DPLI_PARAM_BIAS. */
int32_t dpli_loss_n_params(const dpli_loss *loss);
dpli_param *dpli_loss_param(dpli_loss *loss, int32_t i);

/** The l1-sigmoid head of a loss that has one, learned one way or the other: weights [dim] to out,
 * and the bias. False: it has another head. */
bool dpli_loss_l1_head(float *weights, float *bias, dpli_loss *loss);
/** Of similarities: parameters that were set to a head's, to those that mean the same. */
void dpli_loss_l1_turn(dpli_loss *loss);

/**
 * The batch's mean loss, in double; written gradients are of that mean. Repeats to the bit with the
 * same team size. A loss that is not finite (an embedding was not, or grew too far) is returned as
 * it is: the caller stops. A zero row has a cosine of 0 with all others, and no gradient by it.
 *
 * @param n_correct  pairs on the right side of the middle: half of the margin (contrastive), a
 * score of 1/2 (L1, Manhattan, distance, cosine's squared error), (1 + margin) / 2 (cosine); rows
 * whose nearest other row is of their class (triplet); rows nearest to their own class, without the
 * margin (arc); rows whose nearest vector of the teacher is of their class (InfoNCE, ranking); 0
 * (distillation). May be NULL
 * @retval DPL_E_ARGUMENT  rows of pairs or classes out of range
 * @retval DPL_E_MEMORY    for the arrays of a run, which are kept for the next
 */
dpl_status dpli_loss_run(double *out, dpli_loss *loss, const dpli_loss_batch *batch,
                         dpli_team *team, size_t *n_correct, dpl_error *err);

#endif

/* What a count out of n says about the rate behind it. */
#ifndef DOPPEL_INDEX_BINOMIAL_H
#define DOPPEL_INDEX_BINOMIAL_H

/** Regularised incomplete beta function I_x(a, b) for a, b > 0 and x in 0..1. */
double dpli_incomplete_beta(double x, double a, double b);

/** The 95 % bounds of a rate measured as rate * n out of n (Clopper and Pearson 1934): the true
 * rate is below low, and above high, each with a probability of at most 2.5 %. rate in 0..1, n at
 * least 1. Relative error 1e-4, or 1e-15 / rate where that is more. */
void dpli_binomial_bounds(double *low, double *high, double rate, double n);

#endif

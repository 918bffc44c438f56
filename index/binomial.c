/*
 * Clopper and Pearson's bounds of a binomial rate, by the inverse of the incomplete beta function.
 *
 * Serves calibration tables that state rates and the number of pairs only. Does not need to be
 * fast, but its time must be bounded whatever a table says: hence bisection, a bound on the
 * fraction's terms, and a closed form where counts are large.
 *
 * Sources: Clopper and Pearson 1934; continued fraction: DLMF 8.17.22, evaluated by Lentz' method;
 * large counts: Wilson's score interval with continuity correction, Newcombe 1998, method 4.
 */
#include "index/binomial.h"

#include <math.h>

/* ln B(a, b). Where one argument is large, ln Gamma(a + b) - ln Gamma(b) is taken from the
   difference of two Stirling series: the difference of the two numbers themselves would be lost in
   rounding. */
static double log_beta(double a, double b)
{
    int sign;

    if (a > b) {
        double t = a;
        a = b;
        b = t;
    }
    if (b < 1e3)
        return lgamma_r(a, &sign) + lgamma_r(b, &sign) - lgamma_r(a + b, &sign);
    return lgamma_r(a, &sign) - (a * log(a + b) + (b - 0.5) * log1p(a / b) - a +
                                 1.0 / (12.0 * (a + b)) - 1.0 / (12.0 * b));
}

/* I_x(a, b) where the fraction converges fast: x < (a + 1) / (a + b + 2). */
static double beta_fraction(double x, double a, double b)
{
    const double tiny = 1e-300;
    double front = exp(a * log(x) + b * log1p(-x) - log_beta(a, b)) / a;
    double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0);

    d = 1.0 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m < 100000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double step;

        d = 1.0 + even * d;
        c = 1.0 + even / c;
        d = 1.0 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        f *= c * d;
        d = 1.0 + odd * d;
        c = 1.0 + odd / c;
        d = 1.0 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        step = c * d;
        f *= step;
        if (fabs(step - 1.0) < 1e-14)
            break;
    }
    return front * f;
}

double dpli_incomplete_beta(double x, double a, double b)
{
    if (x <= 0.0)
        return 0.0;
    if (x >= 1.0)
        return 1.0;
    if (x < (a + 1.0) / (a + b + 2.0))
        return beta_fraction(x, a, b);
    return 1.0 - beta_fraction(1.0 - x, b, a);
}

/* The x with I_x(a, b) = p. Rates span many decades, so it is the logarithm that is halved. */
static double inverse_beta(double p, double a, double b)
{
    double low = -690.0, high = 0.0; /* exp(-690) is near the smallest normal number */

    if (dpli_incomplete_beta(exp(low), a, b) >= p)
        return 0.0;
    while (high - low > 1e-13) {
        double mid = 0.5 * (low + high);

        if (mid <= low || mid >= high)
            break;
        if (dpli_incomplete_beta(exp(mid), a, b) < p)
            low = mid;
        else
            high = mid;
    }
    return exp(0.5 * (low + high));
}

void dpli_binomial_bounds(double *low, double *high, double rate, double n)
{
    /* From this many of both outcomes on, the closed form agrees with the exact bounds to better
       than 1e-4 of their value. */
    const double many = 1e4;
    const double z = 1.959963984540054; /* 97.5 % quantile of the normal distribution */
    double x = rate * n, rest = n - x;

    if (x > many && rest > many) {
        double scale = 2.0 * (n + z * z), mid = 2.0 * x + z * z;

        *low = (mid - 1.0 - z * sqrt(z * z - 2.0 - 1.0 / n + 4.0 * rate * (rest + 1.0))) / scale;
        *high = (mid + 1.0 + z * sqrt(z * z + 2.0 - 1.0 / n + 4.0 * rate * (rest - 1.0))) / scale;
        return;
    }
    *low = x <= 0.0 ? 0.0 : inverse_beta(0.025, x, rest + 1.0);
    *high = rest <= 0.0 ? 1.0 : inverse_beta(0.975, x + 1.0, rest);
}

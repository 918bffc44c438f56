/*
 * metrics.c - what the server counts, as Prometheus reads it.
 *
 * Source: Prometheus, "Exposition formats", text format 0.0.4.
 */
#include "serve/metrics.h"

static const int codes[METRICS_CODES] = {200, 201, 302, 400, 401, 403, 404, 405, 408,
                                         409, 413, 415, 422, 431, 500, 503, 507, 0};
static const double bounds[METRICS_BUCKETS] = {.001, .0025, .005, .01, .025, .05,
                                               .1,   .25,   .5,   1,   2.5,  10};

void metrics_add(metrics *m, int route, int code, double seconds)
{
    int c = 0, b = 0;

    while (c < METRICS_CODES - 1 && codes[c] != code)
        c++;
    while (b < METRICS_BUCKETS && seconds > bounds[b])
        b++;
    pthread_mutex_lock(&m->lock);
    m->routes[route].by_code[c]++;
    m->routes[route].by_time[b]++;
    m->routes[route].seconds += seconds;
    pthread_mutex_unlock(&m->lock);
}

static void write_route(const route_count *count, FILE *f, const char *method, const char *path)
{
    int64_t n = 0;

    for (int b = 0; b <= METRICS_BUCKETS; b++) {
        n += count->by_time[b];
        fprintf(f, "doppel_http_request_seconds_bucket{method=\"%s\",route=\"%s\",le=\"", method,
                path);
        if (b < METRICS_BUCKETS)
            fprintf(f, "%g", bounds[b]);
        else
            fputs("+Inf", f);
        fprintf(f, "\"} %lld\n", (long long)n);
    }
    fprintf(f, "doppel_http_request_seconds_sum{method=\"%s\",route=\"%s\"} %.6f\n", method, path,
            count->seconds);
    fprintf(f, "doppel_http_request_seconds_count{method=\"%s\",route=\"%s\"} %lld\n", method, path,
            (long long)n);
}

void metrics_write(metrics *m, FILE *f, const void *routes,
                   const char *(*method)(const void *routes, int route),
                   const char *(*path)(const void *routes, int route))
{
    route_count counts[METRICS_ROUTES + 1];
    int n_routes = 0;

    while (method(routes, n_routes))
        n_routes++;
    pthread_mutex_lock(&m->lock);
    for (int i = 0; i <= METRICS_ROUTES; i++)
        counts[i] = m->routes[i];
    pthread_mutex_unlock(&m->lock);
    fputs("# HELP doppel_http_requests_total Requests answered.\n"
          "# TYPE doppel_http_requests_total counter\n",
          f);
    for (int i = 0; i <= METRICS_ROUTES; i++)
        for (int c = 0; c < METRICS_CODES; c++)
            if (counts[i].by_code[c])
                fprintf(f,
                        "doppel_http_requests_total{method=\"%s\",route=\"%s\",code=\"%d\"} %lld\n",
                        i < n_routes ? method(routes, i) : "", i < n_routes ? path(routes, i) : "",
                        codes[c], (long long)counts[i].by_code[c]);
    fputs("# HELP doppel_http_request_seconds From a request's first line to its answer's end.\n"
          "# TYPE doppel_http_request_seconds histogram\n",
          f);
    for (int i = 0; i < n_routes; i++) {
        int64_t n = 0;

        for (int b = 0; b <= METRICS_BUCKETS; b++)
            n += counts[i].by_time[b];
        if (n > 0)
            write_route(&counts[i], f, method(routes, i), path(routes, i));
    }
}

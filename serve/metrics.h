/* metrics.h - what the server counts, as Prometheus reads it. */
#ifndef DOPPEL_SERVE_METRICS_H
#define DOPPEL_SERVE_METRICS_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

enum { METRICS_ROUTES = 40, METRICS_CODES = 18, METRICS_BUCKETS = 12 };

typedef struct route_count {
    int64_t by_code[METRICS_CODES];
    int64_t by_time[METRICS_BUCKETS + 1]; /* the last: longer than all */
    double seconds;
} route_count;

typedef struct metrics {
    pthread_mutex_t lock;
    route_count routes[METRICS_ROUTES + 1]; /* the last: of no route */
} metrics;

/** Count a request. @param route  its number; METRICS_ROUTES: none */
void metrics_add(metrics *m, int route, int code, double seconds);

/** Write all of it. What a route is called, the two functions say; NULL behind the last. */
void metrics_write(metrics *m, FILE *f, const void *routes,
                   const char *(*method)(const void *routes, int route),
                   const char *(*path)(const void *routes, int route));

#endif

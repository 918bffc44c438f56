/* Time that only goes forward. */
#ifndef DOPPEL_BASE_CLOCK_H
#define DOPPEL_BASE_CLOCK_H

/** Seconds since some moment in the past: for how long something takes. */
double dpli_now(void);

#endif

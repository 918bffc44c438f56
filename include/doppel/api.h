/* Linkage of the public functions. The shared library shows nothing that is not marked DPL_API. */
#ifndef DOPPEL_API_H
#define DOPPEL_API_H

#if defined(__GNUC__)
#define DPL_API __attribute__((visibility("default")))
#else
#define DPL_API
#endif

#endif

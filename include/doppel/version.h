/*
 * version.h - which doppel this is, at compile time and at run time.
 *
 * The build reads the three numbers from here; no other file states them.
 */
#ifndef DOPPEL_VERSION_H
#define DOPPEL_VERSION_H

#include "doppel/api.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DPL_VERSION_MAJOR 0
#define DPL_VERSION_MINOR 1
#define DPL_VERSION_PATCH 0
#define DPL_VERSION       "0.1.0"

/**
 * The version of the library that is running, as "major.minor.patch". It differs from DPL_VERSION
 * when a program runs with another libdoppel.so than it was compiled against.
 *
 * @return a constant string, borrowed
 * Threads: safe.
 */
DPL_API const char *dpl_version(void);

/** The FAISS that this library was built with and the SQLite that runs, as "1.7.3"; borrowed. */
DPL_API const char *dpl_faiss_version(void);
DPL_API const char *dpl_sqlite_version(void);

#ifdef __cplusplus
}
#endif

#endif

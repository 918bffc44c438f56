/*
 * version.c - the library's version at run time.
 */
#include "doppel/version.h"

const char *dpl_version(void)
{
    return DPL_VERSION;
}

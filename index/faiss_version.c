/*
 * faiss_version.c - which FAISS this is. Its C API does not tell, so the build does.
 */
#include "doppel/version.h"

const char *dpl_faiss_version(void)
{
    return DPL_FAISS_VERSION;
}

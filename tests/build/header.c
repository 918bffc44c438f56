/*
 * header.c - one public header alone, as C99 and as C++. A header may declare nothing, a
 * translation unit must.
 */
#include DPL_HEADER

extern int dpl_header_compiled;

/*
 * main.c - the doppel program: prints its version.
 */
#include <stdio.h>

#include "doppel/version.h"

int main(void)
{
    if (printf("doppel %s\n", dpl_version()) < 0 || fflush(stdout) != 0)
        return 5;
    return 0;
}

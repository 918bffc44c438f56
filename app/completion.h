/* Scripts that make a shell complete doppel's commands, options and values. */
#ifndef DOPPEL_APP_COMPLETION_H
#define DOPPEL_APP_COMPLETION_H

#include <stdio.h>

#include "app/option.h"

typedef enum completion_shell { COMPLETION_BASH, COMPLETION_ZSH, COMPLETION_FISH } completion_shell;

/** Write the script, from the table of commands. */
void completion_write(FILE *f, completion_shell shell, const command *all);

#endif

/* tokens.h - the words that let a client in, from a file. */
#ifndef DOPPEL_SERVE_TOKENS_H
#define DOPPEL_SERVE_TOKENS_H

#include "doppel/error.h"

typedef struct tokens tokens;

/**
 * Read a file of tokens, one a line; empty lines and those that begin with '#' are none.
 *
 * @retval DPL_E_INPUT  it cannot be read, others may read it, there is none in it, or one is
 * shorter than 16 characters, longer than 256, or has a blank; err names the file
 */
dpl_status tokens_read(tokens **out, const char *path, dpl_error *err);
void tokens_free(tokens *t);

/** The number from 1 of the token that this is; 0: none. Takes as long whatever is wrong in it. */
int tokens_find(const tokens *t, const char *given);

#endif

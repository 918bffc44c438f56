/* Three calls of each command, as one would type them. */
#ifndef DOPPEL_APP_EXAMPLES_H
#define DOPPEL_APP_EXAMPLES_H

typedef struct example {
    const char *typed, *what;
} example;

/** A command's examples, ending at a NULL, for help and the manual page; NULL: it has none. The
 * test cli_examples runs each of them. */
const example *examples_of(const char *command);

#endif

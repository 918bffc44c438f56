/* The commands, a file each. The table in commands.c names them. */
#ifndef DOPPEL_APP_COMMANDS_H
#define DOPPEL_APP_COMMANDS_H

#include <stdio.h>

#include "app/options.h"

extern const command commands[]; /* ends at a NULL name */

/* Each returns the exit code, or -1 after printing its help. */
int cmd_assign(const command *self, int argc, char **argv);
int cmd_audit(const command *self, int argc, char **argv);
int cmd_calibrate(const command *self, int argc, char **argv);
int cmd_check(const command *self, int argc, char **argv);
int cmd_config(const command *self, int argc, char **argv);
int cmd_decrypt(const command *self, int argc, char **argv);
int cmd_dupes(const command *self, int argc, char **argv);
int cmd_encrypt(const command *self, int argc, char **argv);
int cmd_enroll(const command *self, int argc, char **argv);
int cmd_eval(const command *self, int argc, char **argv);
int cmd_export(const command *self, int argc, char **argv);
int cmd_forget(const command *self, int argc, char **argv);
int cmd_group(const command *self, int argc, char **argv);
int cmd_help(const command *self, int argc, char **argv);
int cmd_import(const command *self, int argc, char **argv);
int cmd_info(const command *self, int argc, char **argv);
int cmd_list(const command *self, int argc, char **argv);
int cmd_merge(const command *self, int argc, char **argv);
int cmd_migrate(const command *self, int argc, char **argv);
int cmd_name(const command *self, int argc, char **argv);
int cmd_query(const command *self, int argc, char **argv);
int cmd_reject(const command *self, int argc, char **argv);
int cmd_rekey(const command *self, int argc, char **argv);
int cmd_rename(const command *self, int argc, char **argv);
int cmd_scan(const command *self, int argc, char **argv);
int cmd_serve(const command *self, int argc, char **argv);
int cmd_train(const command *self, int argc, char **argv);
int cmd_undo(const command *self, int argc, char **argv);
int cmd_verify(const command *self, int argc, char **argv);
int cmd_version(const command *self, int argc, char **argv);
int cmd_xmp(const command *self, int argc, char **argv);

/* The options of each, NULL-terminated lists of tables. */
extern const option_spec *const options_of_assign[];
extern const option_spec *const options_of_audit[];
extern const option_spec *const options_of_calibrate[];
extern const option_spec *const options_of_check[];
extern const option_spec *const options_of_config[];
extern const option_spec *const options_of_decrypt[];
extern const option_spec *const options_of_dupes[];
extern const option_spec *const options_of_encrypt[];
extern const option_spec *const options_of_enroll[];
extern const option_spec *const options_of_eval[];
extern const option_spec *const options_of_export[];
extern const option_spec *const options_of_forget[];
extern const option_spec *const options_of_group[];
extern const option_spec *const options_of_help[];
extern const option_spec *const options_of_import[];
extern const option_spec *const options_of_info[];
extern const option_spec *const options_of_list[];
extern const option_spec *const options_of_merge[];
extern const option_spec *const options_of_migrate[];
extern const option_spec *const options_of_name[];
extern const option_spec *const options_of_query[];
extern const option_spec *const options_of_reject[];
extern const option_spec *const options_of_rekey[];
extern const option_spec *const options_of_rename[];
extern const option_spec *const options_of_scan[];
extern const option_spec *const options_of_serve[];
extern const option_spec *const options_of_train[];
extern const option_spec *const options_of_undo[];
extern const option_spec *const options_of_verify[];
extern const option_spec *const options_of_version[];
extern const option_spec *const options_of_xmp[];

/** What `doppel` says alone: all commands, a line each. */
void help_overview(const command *all, FILE *f);

/** `doppel --version`. */
void help_version(void);

#endif

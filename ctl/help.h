/*
 * Help and the manual page, both out of the table of commands.
 */
#ifndef VS_HELP_H
#define VS_HELP_H

#include <stdio.h>

#include "command.h"

/* Usage, all commands, options, exit codes. */
void help_overview(FILE *out);

/* One command: its arguments and what it does. */
void help_command(FILE *out, const struct command *command);

/* vswitch-ctl(1) in roff. */
void help_man(FILE *out);

#endif

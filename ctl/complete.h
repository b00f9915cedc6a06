/*
 * Completion: the shell asks `vswitch-ctl --complete WORD...` what the last word may become.
 */
#ifndef VS_COMPLETE_H
#define VS_COMPLETE_H

#include <stdio.h>

/*
 * Prints what the last of the words may become, one a line; names of ports and networks come from
 * the vswitchd at socket, if it answers within a second.
 */
void complete_words(FILE *out, int argc, char *const *argv, const char *socket);

/* The script that makes bash ask. */
void complete_bash(FILE *out);

#endif

/*
 * `events --follow`: asks vswitchd again and again for the events after the last one that it gave,
 * and prints each as a line.
 */
#ifndef VS_FOLLOW_H
#define VS_FOLLOW_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "command.h"

/* Whether this is what the command with these args asks for. */
bool follow_wanted(const struct command *command, const json_t *args);

/*
 * Until vswitchd is gone, refuses, or nobody reads out any more: only then it returns. args: the
 * command's; json: events as JSON. Events that came faster than they could be asked for are told on
 * standard error by their number. What went wrong is in err, empty for nothing.
 */
enum exit_code follow_events(const char *socket, const json_t *args, unsigned timeout_ms, bool json,
	FILE *out, char *err, size_t err_len);

#endif

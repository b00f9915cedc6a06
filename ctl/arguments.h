/*
 * The words behind a command, made into the arguments of a request as the command declares them.
 */
#ifndef VS_ARGUMENTS_H
#define VS_ARGUMENTS_H

#include <stddef.h>

#include <jansson.h>

#include "command.h"

/*
 * The request's "args"; the caller owns the reference. Files that are named are read (up to
 * CONFIG_DOC_SIZE_MAX bytes). NULL with a sentence in err.
 */
json_t *arguments_parse(
	const struct command *command, int argc, char *const *argv, char *err, size_t err_len);

/* "90", "90s", "5m" or "1h" in seconds; 0: it is none of these, or over max_s. */
unsigned arguments_duration(const char *text, unsigned max_s);

#endif

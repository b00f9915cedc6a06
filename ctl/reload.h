/*
 * `rules reload`: vswitchd only begins it, so that nothing waits for its compiler; what became of
 * it is asked for here.
 */
#ifndef VS_RELOAD_H
#define VS_RELOAD_H

#include <stdbool.h>

#include <jansson.h>

#include "command.h"

/* Whether the command with these args, which was answered with reply, is to be waited for. */
bool reload_begun(const struct command *command, const json_t *args, const json_t *reply);

/*
 * Waits until every worker runs the rules, or they are refused, for timeout_ms. Takes over reply
 * and gives the one in its place; the caller owns it. NULL with a sentence in err: vswitchd can't
 * be reached, or it takes longer.
 */
json_t *reload_wait(
	const char *socket, json_t *reply, unsigned timeout_ms, char *err, size_t err_len);

#endif

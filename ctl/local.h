/*
 * Commands that vswitch-ctl carries out itself, without vswitchd.
 */
#ifndef VS_LOCAL_H
#define VS_LOCAL_H

#include <jansson.h>

#include "command.h"

/*
 * Makes the reply as vswitchd would (commands.h in dataplane/); the caller owns it. NULL with a
 * sentence in err: the arguments are wrong.
 */
typedef json_t *local_fn(const json_t *args, char *err, size_t err_len);

/* The handler of a command that with these args is not vswitchd's; NULL for others. */
local_fn *local_handler(const struct command *command, const json_t *args);

#endif

/*
 * explain() of what runs. Control thread.
 */
#ifndef VS_SWITCH_EXPLAIN_H
#define VS_SWITCH_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/*
 * args: of the command `explain`; the result is explain_command()'s, whose reference the caller
 * owns. *negative: the packet does not pass. NULL with a message in err.
 */
json_t *switch_explain(const json_t *args, bool *negative, char *err, size_t err_len);

#endif

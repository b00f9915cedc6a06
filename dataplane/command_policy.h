/*
 * What commands on groups and sets have in common. Control thread only.
 */
#ifndef VS_COMMAND_POLICY_H
#define VS_COMMAND_POLICY_H

#include <stdbool.h>

#include "commands.h"
#include "config.h"

#define POLICY_KEY_MAX 256

/*
 * "tenant/name" of a group or set as a command names it: by --tenant, by a name that has the tenant
 * in it, or by the only tenant that has one of the name. The name alone where there is none. False:
 * refused, for several tenants have one.
 */
bool command_policy_key(const struct command_request *request, struct command_reply *reply,
	const char *section, const char *name, char key[POLICY_KEY_MAX]);

#endif

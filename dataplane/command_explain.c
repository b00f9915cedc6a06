/*
 * The command `explain`, answered from what runs: see commands.h.
 */
#include "commands.h"
#include "switch_explain.h"

void command_explain(const struct command_request *request, struct command_reply *reply)
{
	char err[512];

	reply->result = switch_explain(request->args, &reply->negative, err, sizeof(err));
	if (reply->result == NULL)
		command_refuse(reply, "%s", err);
}
